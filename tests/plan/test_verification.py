"""Verification refuses every inconsistency, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import sample_plans as s
from hypothesis import given, settings

from graphnn_compiler.topology.csr import Csr
from graphnn_compiler.topology.expression_units import expression_units
from graphnn_compiler.topology.graph import string_array
from graphnn_compiler.topology.plan import (
    Activation,
    Apply,
    Arithmetic,
    Combination,
    Compared,
    Concat,
    Constant,
    Dropout,
    EdgePart,
    Mean,
    Objective,
    Parameter,
    Penalty,
    Plan,
    Ref,
    Sum,
    Units,
    Weighted,
)
from graphnn_compiler.topology.verification import verify

PLAN = s.every_node()


def body(expr: object) -> Callable[[Plan], Plan]:
    return lambda plan: s.with_layer(plan, "y", body=expr)


def loss(value: object) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, objectives=(Objective("cost", "loss", value),))


def positions(*on: int) -> Callable[[Plan], Plan]:
    return loss(Compared("cross_entropy", "y", "kind", np.array(on, dtype=np.int64)))


def indices(*columns: int) -> Csr:
    return Csr(s.RING.indptr, np.array(columns, dtype=np.int32), s.RING.shape)


INCONSISTENT: dict[str, tuple[Callable[[Plan], Plan], str]] = {
    "edition": (lambda p: replace(p, edition=0), "edition 0"),
    "dtype": (lambda p: replace(p, dtype="float16"), "float16"),
    "two nodes of one name": (lambda p: s.with_layer(p, "e", name="x"), "two inputs, layers and targets"),
    "target named as a layer": (lambda p: s.with_target(p, "digit", name="h"), "have the name `h`"),
    "name that is text": (lambda p: s.with_layer(p, "e", name="e\nimport os"), "the name 'e\\nimport os'"),
    "two parameters of one name": (lambda p: s.with_parameter(p, "s", name="h.bias"), "two parameters"),
    "two objectives of one name": (lambda p: replace(p, objectives=p.objectives * 2), "two objectives"),
    "no channels": (lambda p: s.with_layer(p, "h", units=Units(s.KEYS, 0, True)), "0 channels"),
    "channels without axis": (lambda p: s.with_layer(p, "h", units=Units(s.KEYS, 3)), "without a channel axis"),
    "same key": (lambda p: s.with_layer(p, "d", units=Units(np.array([0, 1, 2, 3, 0]))), "the same key"),
    "same text key": (
        lambda p: s.with_layer(p, "m", units=Units(string_array(["a", "b", "a", "c"]))),
        "the same key",
    ),
    "float keys": (lambda p: s.with_layer(p, "d", units=Units(np.arange(5.0))), "keys are float64"),
    "key matrix": (lambda p: s.with_layer(p, "d", units=Units(np.arange(5)[None])), "2 dimensions"),
    "default of input": (
        lambda p: replace(p, inputs=(replace(p.inputs[0], default=np.zeros((4, 3))), p.inputs[1])),
        "input `x`: its default data has shape (4, 3)",
    ),
    "default of texts": (
        lambda p: replace(p, inputs=(replace(p.inputs[0], default=np.zeros((4, 2), "U1")), p.inputs[1])),
        "of dtype <U1",
    ),
    "source after layer": (lambda p: replace(p, layers=p.layers[::-1]), "is not defined before it"),
    "source unknown": (lambda p: s.with_clause(p, "h", "x", source="nowhere"), "`nowhere` is not defined"),
    "layer reads itself": (body(Ref("y")), "its source `y` is not defined before it"),
    "no output": (
        lambda p: replace(p, layers=tuple(replace(it, output=False) for it in p.layers)),
        "no layer is an output",
    ),
    "activation": (lambda p: s.with_layer(p, "h", activation=Activation("swish")), "no activation `swish`"),
    "axis": (lambda p: s.with_layer(p, "h", activation=Activation("softmax", "rows")), "no axis `rows`"),
    "dropout 1": (lambda p: s.with_layer(p, "h", dropout=1.0), "dropout rate 1.0"),
    "dropout NaN": (lambda p: s.with_layer(p, "h", dropout=float("nan")), "dropout rate nan"),
    "nothing reaches": (lambda p: s.with_layer(p, "h", body=Combination(())), "nothing reaches it"),
    "labels": (lambda p: s.with_clause(p, "r", "own", label="h"), "have the name `h`"),
    "no part": (lambda p: s.with_clause(p, "h", "x", parts=()), "no part"),
    "left out": (lambda p: s.with_clause(p, "h", "x", left_out=-1), "-1 edges are left out"),
    "relations": (lambda p: s.with_clause(p, "r", "h", relations=("up",)), "1 relations for 2 parts"),
    "matrix shape": (
        lambda p: s.with_part(p, "h", "x", csr=replace(s.RING, shape=(4, 5))),
        "its matrix has shape (4, 5), its units (4, 4)",
    ),
    "pair twice": (lambda p: s.with_part(p, "h", "x", csr=indices(1, 2, 3, 0, 0)), "row 3 are not strictly"),
    "column outside": (lambda p: s.with_part(p, "h", "x", csr=indices(1, 2, 3, 0, 4)), "outside 0 .. 3"),
    "wrapping pointers": (
        lambda p: s.with_part(
            p, "h", "x", csr=replace(s.RING, indptr=np.array([0, 2**31 - 1, -(2**31), -1, 5], dtype=np.int32))
        ),
        "indptr decreases",
    ),
    "narrow indices": (
        lambda p: s.with_part(p, "h", "x", csr=Csr(s.RING.indptr.astype("i1"), s.RING.indices.astype("i1"), (4, 4))),
        "indices are int8",
    ),
    "coefficients length": (lambda p: s.with_part(p, "h", "x", coefficients=np.ones(4)), "shape (4,) for 5 edges"),
    "coefficients dtype": (lambda p: s.with_part(p, "h", "x", coefficients=np.ones(5, "f4")), "not float64"),
    "coefficients NaN": (lambda p: s.with_part(p, "h", "x", coefficients=np.full(5, np.nan)), "not finite"),
    "dense coefficient": (lambda p: s.with_clause(p, "d", "m", coefficient=np.inf), "coefficient is inf"),
    "groups length": (lambda p: s.with_part(p, "r", "h", groups=np.zeros(4, int)), "shape (4,) for 5 edges"),
    "groups dtype": (lambda p: s.with_part(p, "r", "h", groups=np.zeros(5)), "dtype float64"),
    "groups range": (lambda p: s.with_part(p, "r", "h", groups=np.full(5, 3)), "outside 0 .. 2"),
    "groups negative": (lambda p: s.with_part(p, "r", "h", groups=np.full(5, -1)), "outside 0 .. 2"),
    "groups missing": (lambda p: s.with_part(p, "r", "h", groups=None), "has no groups"),
    "groups in shared": (lambda p: s.with_part(p, "r", "x", groups=np.zeros(3, int)), "groups with `shared`"),
    "edges share": (lambda p: s.with_part(p, "m", "v", groups=np.array([0, 0, 1, 2, 3])), "two edges share"),
    "parts without groups": (
        lambda p: s.with_part(s.with_part(p, "m", "v", groups=None), "m", "v", 1, groups=None),
        "has no groups",
    ),
    "group values": (lambda p: s.with_weights(p, "r", "h", group_values=None), "without group values"),
    "group values twice": (
        lambda p: s.with_weights(p, "r", "h", group_values=string_array(["u", "u", "d"])),
        "the same value",
    ),
    "group values count": (lambda p: s.with_weights(p, "r", "h", group_values=np.arange(4)), "not (4, 3, 3)"),
    "group values in shared": (lambda p: s.with_weights(p, "r", "x", group_values=np.arange(4)), "group values with"),
    "dense per": (lambda p: s.with_weights(p, "d", "m", mode="per"), "`per` weights in a dense clause"),
    "mode": (lambda p: s.with_weights(p, "d", "m", mode="free"), "no weights mode `free`"),
    "fixed has a parameter": (lambda p: s.with_weights(p, "r", "own", parameter="s"), "fixed weights have"),
    "fixed infinite": (lambda p: s.with_weights(p, "r", "own", value=np.inf), "fixed weight is inf"),
    "fixed channels": (
        lambda p: s.with_clause(p, "r", "own", source="x"),
        "fixed weights between 2 and 3 channels",
    ),
    "no parameter": (lambda p: s.with_weights(p, "h", "x", parameter=None), "without a parameter"),
    "unknown parameter": (lambda p: s.with_weights(p, "h", "x", parameter="w"), "no parameter `w`"),
    "per_edge shape": (lambda p: s.with_parameter(p, "h.x.weights", shape=(5, 3, 2)), "not (5, 2, 3)"),
    "scalar shape": (lambda p: s.with_parameter(p, "m.v.weights", shape=(8, 1, 1)), "not (8,)"),
    "shared shape": (lambda p: s.with_parameter(p, "s", shape=()), "not (1, 1)"),
    "dense shape": (lambda p: s.with_parameter(p, "d.m.weights", shape=(5, 4)), "not (4, 5)"),
    "bias shape": (lambda p: s.with_parameter(p, "h.bias", shape=(4,)), "not (4, 3) or (3,)"),
    "unused parameter": (lambda p: replace(p, parameters=(*p.parameters, Parameter("z", (1,)))), "no layer uses"),
    "two norms": (lambda p: s.with_layer(p, "r", layernorm=True), "layer `r`: it has two norms"),
    "gain shape": (lambda p: s.with_parameter(p, "r.gain", shape=(4,)), "(4,), not (4, 3) or (3,)"),
    "shapes of a norm": (lambda p: s.with_parameter(p, "r.gain", shape=(4, 3)), "parameters of different shapes"),
    "trained state": (lambda p: s.with_parameter(p, "r.running_mean", trainable=True), "norm is trainable"),
    "unknown state": (lambda p: s.with_layer(p, "r", batchnorm=replace(s.NORM, mean="z")), "no parameter `z`"),
    "gain as shift": (lambda p: s.with_parameter(p, "r.gain", kind="shift"), "not as shift"),
    "gain that is a shift": (lambda p: s.with_layer(p, "r", batchnorm=replace(s.NORM, gain="r.shift")), "`r.gain`"),
    "bias as weights": (lambda p: s.with_parameter(p, "h.bias", kind="weights"), "not as weights"),
    "weights as bias": (lambda p: s.with_parameter(p, "s", kind="bias"), "not as bias"),
    "expression units": (body(Ref("d")), "expression has (units, channels) (5, 1), the layer (4, 3)"),
    "expression channels": (body(Ref("x")), "(4, 2), the layer (4, 3)"),
    "sum of units": (body(Arithmetic("+", Ref("h"), Ref("d"))), "`+` between 4 and 5 units"),
    "sum of channels": (body(Arithmetic("*", Ref("h"), Ref("x"))), "`*` between 3 and 2 channels"),
    "operator": (body(Arithmetic("%", Ref("h"), Ref("h"))), "no operator `%`"),
    "concat of nothing": (body(Concat(())), "`concat` needs operands"),
    "concat of units": (body(Concat((Ref("h"), Ref("d")))), "`concat` needs operands"),
    "constant": (body(Arithmetic("+", Ref("h"), Constant(np.nan))), "a constant is nan"),
    "rate": (body(Dropout(Ref("h"), 1.5)), "dropout rate 1.5"),
    "inner activation": (body(Apply(Activation("no"), Ref("h"))), "no activation `no`"),
    "mean": (body(Mean(Ref("h"), "units")), "(1, 3), the layer (4, 3)"),
    "classes of target": (lambda p: s.with_target(p, "kind", n_classes=4), "3 class names for 4 classes"),
    "same class": (lambda p: s.with_target(p, "kind", classes=string_array(["p", "p", "q"])), "same name"),
    "no classes": (lambda p: s.with_target(p, "digit", n_classes=0), "0 classes"),
    "class outside": (lambda p: s.with_target(p, "kind", default=np.array([0, 1, 2, 3])), "outside 0 .. 2"),
    "class dtype": (lambda p: s.with_target(p, "kind", default=np.zeros(4)), "is float64, not int64"),
    "target dtype": (lambda p: s.with_target(p, "level", default=np.zeros((4, 3))), "not float32"),
    "target default": (lambda p: s.with_target(p, "kind", default=np.zeros(3, int)), "one sample has (4,)"),
    "kind of objective": (lambda p: replace(p, objectives=(replace(p.objectives[0], kind="x"),)), "neither a loss"),
    "unknown layer": (loss(Compared("mse", "z", "level")), "no layer `z`"),
    "unknown target": (loss(Compared("mse", "h", "z")), "no target `z`"),
    "unknown comparison": (loss(Compared("hinge", "h", "level")), "no `hinge`"),
    "shape of values": (loss(Compared("mse", "x", "level")), "`x` has shape (4, 2), target `level` (4, 3)"),
    "values as classes": (loss(Compared("cross_entropy", "h", "level")), "needs classes"),
    "too many classes": (loss(Compared("cross_entropy", "x", "kind")), "not (4,) times 3 classes"),
    "position outside": (positions(0, 4), "outside 0 .. 3"),
    "position negative": (positions(-1), "outside 0 .. 3"),
    "position twice": (positions(1, 1), "selects a unit twice"),
    "no position": (positions(), "selects no unit"),
    "position of a class": (loss(Compared("accuracy", "d", "digit", np.array([0]))), "outside 0 .. -1"),
    "penalty of nothing": (loss(Penalty("l1", ())), "of no parameter"),
    "penalty unknown": (loss(Penalty("l1", ("w",))), "no parameter `w`"),
    "penalty name": (loss(Penalty("l3", ("s",))), "no penalty `l3`"),
    "factor": (loss(Weighted(np.inf, Penalty("l1", ("s",)))), "a factor is inf"),
    "empty sum": (loss(Sum(())), "a sum of nothing"),
}


def test_good_plan() -> None:
    verify(PLAN, s.values_of(PLAN))


@pytest.mark.parametrize("name", INCONSISTENT)
def test_inconsistency(name: str) -> None:
    change, message = INCONSISTENT[name]
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared below
        verify(change(PLAN))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("s"), "parameter `s` has no value"),
        (lambda values: values.update(z=np.zeros(1)), "a value for `z`"),
        (lambda values: values.update(s=np.zeros(1, np.float32)), r"\(1,\)"),
        (lambda values: values.update(s=np.zeros((1, 1))), "float64"),
    ],
)
def test_values(change: Callable[[dict], object], message: str) -> None:
    values = s.values_of(PLAN)
    change(values)
    with pytest.raises(ValueError, match=message):
        verify(PLAN, values)


@settings(max_examples=60, deadline=None)
@given(made=s.plans())
def test_random_plans_are_consistent(made: tuple[Plan, dict]) -> None:
    verify(*made)


def test_tied_weights_and_empty_clauses() -> None:
    tied = s.with_weights(PLAN, "h", "x", parameter="h.x.weights")
    empty = EdgePart(s.csr([]), None, np.zeros(0, dtype=np.int64))
    values = np.zeros(0, dtype=np.int64)
    none = s.with_parameter(tied, "r.h.weights", shape=(0, 3, 3))
    none = s.with_clause(none, "r", "h", parts=(empty,), relations=None)
    verify(s.with_weights(none, "r", "h", group_values=values))


@pytest.mark.parametrize(
    ("expr", "units"),
    [
        (Constant(2.0), (1, 1)),
        (Arithmetic("+", Constant(1.0), Constant(2.0)), (1, 1)),
        (Arithmetic("*", Ref("v"), Ref("h")), (4, 3)),
        (Concat((Ref("h"), Ref("v"), Ref("x"))), (4, 6)),
        (Mean(Ref("h"), "units"), (1, 3)),
        (Mean(Ref("h"), "channels"), (4, 1)),
    ],
)
def test_expression_units(expr: object, units: tuple[int, int]) -> None:
    assert expression_units(expr, PLAN) == units
