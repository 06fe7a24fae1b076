"""Plans for tests: one made by hand with every kind of node, random ones, and equality field by field."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphnn_compiler.topology.csr import Csr, csr_from_pairs
from graphnn_compiler.topology.graph import string_array
from graphnn_compiler.topology.plan import (
    Activation,
    Apply,
    Arithmetic,
    BatchNorm,
    Combination,
    Compared,
    Concat,
    Constant,
    DenseClause,
    Dropout,
    EdgePart,
    Input,
    Layer,
    LayerNorm,
    Mean,
    Objective,
    Parameter,
    Penalty,
    Plan,
    Provenance,
    Ref,
    RowNormalize,
    SparseClause,
    Sum,
    Target,
    Units,
    Weighted,
    Weights,
)

KEYS = string_array(["a", "b", "c", "ü"])


def csr(pairs: list[tuple[int, int]], shape: tuple[int, int] = (4, 4)) -> Csr:
    row, column = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
    return csr_from_pairs(row, column, shape)


NORM = BatchNorm("r.gain", "r.shift", "r.running_mean", "r.running_variance")
RING = csr([(0, 1), (1, 2), (2, 3), (3, 0), (3, 1)])
BACK = csr([(0, 1), (2, 1), (1, 0)])


def _layers() -> tuple[Layer, ...]:
    per_edge = SparseClause("x", "x", (EdgePart(RING, np.linspace(0.5, 1, 5)),), Weights("per_edge", "h.x.weights"), 3)
    groups = (np.array([0, 0, 1, 1, 0]), np.array([2, 2, 2], dtype=np.int32))
    typed = SparseClause(
        "h",
        "h",
        (EdgePart(RING, None, groups[0]), EdgePart(BACK, np.full(3, 0.25), groups[1])),
        Weights("per", "r.h.weights", group_values=string_array(["up", "down", ""])),
        relations=("up", None),
    )
    own = SparseClause("own", "h", (EdgePart(csr([(k, k) for k in range(4)])),), Weights("fixed", value=-2.0))
    shared = SparseClause("x", "x", (EdgePart(BACK),), Weights("shared", "r.x.weights"))
    scalar = SparseClause(
        "v",
        "v",
        (EdgePart(RING, None, np.array([7, 0, 1, 2, 3])), EdgePart(BACK, None, np.array([4, 5, 6]))),
        Weights("per_edge", "m.v.weights"),
    )
    dense = (
        DenseClause("m", "m", Weights("per_edge", "d.m.weights"), 0.5),
        DenseClause("v", "v", Weights("shared", "s")),
    )
    mixed = Concat((Ref("h"), Apply(Activation("tanh"), Ref("x")), Ref("v")))
    ratio = Arithmetic("/", RowNormalize(Ref("r")), Arithmetic("+", Constant(-1.5), Mean(Ref("h"), "channels")))
    normed = LayerNorm(Dropout(Arithmetic("-", Ref("h"), Arithmetic("-", ratio, Ref("r"))), 0.25))
    return (
        Layer("h", Units(KEYS, 3, True), Combination((per_edge,), "h.bias"), True, Activation("relu"), 0.5),
        Layer("r", Units(KEYS, 3, True), Combination((typed, own, shared)), batchnorm=NORM),
        Layer("m", Units(KEYS), Combination((scalar,), "m.bias"), activation=Activation("softmax", "units")),
        Layer("d", Units(np.arange(5)), Combination(dense), output=True),
        Layer("e", Units(KEYS, 6, True), mixed),
        Layer("g", Units(np.array([7]), 6, True), Mean(Ref("e"), "units")),
        Layer("y", Units(KEYS, 3, True), Apply(Activation("softmax"), normed), output=True),
    )


def _parameters() -> tuple[Parameter, ...]:
    return (
        Parameter("h.x.weights", (5, 2, 3)),
        Parameter("h.bias", (4, 3), kind="bias"),
        Parameter("r.h.weights", (3, 3, 3)),
        Parameter("r.x.weights", (2, 3), trainable=False),
        Parameter("r.gain", (3,), kind="gain"),
        Parameter("r.shift", (3,), kind="shift"),
        Parameter("r.running_mean", (3,), trainable=False, kind="state"),
        Parameter("r.running_variance", (3,), trainable=False, kind="state"),
        Parameter("m.v.weights", (8,)),
        Parameter("m.bias", (4,), kind="bias"),
        Parameter("d.m.weights", (4, 5)),
        Parameter("s", (1, 1)),
    )


def every_node() -> Plan:
    """A small consistent plan with every kind of node of the IR."""
    fit = Sum(
        (
            Compared("cross_entropy", "y", "kind", np.array([2, 0])),
            Weighted(0.00025, Sum((Penalty("l2", ("h.x.weights", "s")), Penalty("l1", ("r.shift",))))),
            Weighted(2.0, Compared("mse", "h", "level")),
        )
    )
    return Plan(
        edition=1,
        dtype="float32",
        inputs=(
            Input("x", Units(KEYS, 2, True), np.arange(8, dtype=np.float32).reshape(4, 2)),
            Input("v", Units(KEYS)),
        ),
        layers=_layers(),
        parameters=_parameters(),
        targets=(
            Target("kind", (4,), 3, string_array(["p", "q", "r"]), np.array([0, -1, 2, 1])),
            Target("level", (4, 3), default=np.full((4, 3), np.nan, dtype=np.float32)),
            Target("digit", (), 5),
        ),
        objectives=(
            Objective("cost", "loss", fit),
            Objective("hits", "metric", Compared("accuracy", "d", "digit")),
        ),
        provenance=Provenance(
            "m.gnn", "ab" * 32, {"e.csv": "cd" * 32}, {"w": 3, "p": 0.5, "on": True, "s": "é"}, 7, {}
        ),
    )


def values_of(plan: Plan, seed: int = 0) -> dict[str, NDArray]:
    rng = np.random.default_rng(seed)
    return {it.name: rng.standard_normal(it.shape).astype(plan.dtype) for it in plan.parameters}


# ------------------------------------------------------------------ changes


def with_layer(plan: Plan, name: str, /, **changes: object) -> Plan:
    return replace(plan, layers=tuple(replace(it, **changes) if it.name == name else it for it in plan.layers))


def with_clause(plan: Plan, layer: str, label: str, /, **changes: object) -> Plan:
    body = plan.layer[layer].body
    clauses = tuple(replace(it, **changes) if it.label == label else it for it in body.clauses)
    return with_layer(plan, layer, body=replace(body, clauses=clauses))


def with_part(plan: Plan, layer: str, label: str, number: int = 0, /, **changes: object) -> Plan:
    (clause,) = [it for it in plan.layer[layer].body.clauses if it.label == label]
    parts = tuple(replace(it, **changes) if k == number else it for k, it in enumerate(clause.parts))
    return with_clause(plan, layer, label, parts=parts)


def with_weights(plan: Plan, layer: str, label: str, /, **changes: object) -> Plan:
    (clause,) = [it for it in plan.layer[layer].body.clauses if it.label == label]
    return with_clause(plan, layer, label, weights=replace(clause.weights, **changes))


def with_parameter(plan: Plan, name: str, /, **changes: object) -> Plan:
    return replace(plan, parameters=tuple(replace(it, **changes) if it.name == name else it for it in plan.parameters))


def with_target(plan: Plan, name: str, /, **changes: object) -> Plan:
    return replace(plan, targets=tuple(replace(it, **changes) if it.name == name else it for it in plan.targets))


def without_batch_norm(plan: Plan) -> Plan:
    """Layer `r` without any of its own but the weights."""
    terms = plan.objectives[0].value.terms[:1]
    plan = replace(plan, objectives=(Objective("cost", "loss", Sum(terms)), *plan.objectives[1:]))
    kept = tuple(it for it in plan.parameters if it.name not in NORM.parameters)
    return with_layer(replace(plan, parameters=kept), "r", batchnorm=None)


# ------------------------------------------------------------------ equality


def same(a: object, b: object) -> bool:
    """Equality field by field; arrays are equal in dtype, shape and content, where NaN equals NaN."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        alike = isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape
        return alike and bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
    if type(a) is not type(b):
        return False
    if is_dataclass(a):
        return all(same(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(one, other) for one, other in zip(a, b, strict=True))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    return a == b


# ------------------------------------------------------------------ random plans


@st.composite
def plans(draw: st.DrawFn) -> tuple[Plan, dict[str, NDArray]]:
    """A consistent plan of a few layers in a row, of random sizes, rules of sharing and expressions."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    units = draw(_units())
    layers: list[Layer] = []
    parameters: list[Parameter] = []
    sources = {"in0": units}
    for number in range(draw(st.integers(1, 3))):
        name = f"l{number}"
        source = draw(st.sampled_from(sorted(sources)))
        if draw(st.booleans()):
            layer, made = draw(_combined(name, source, sources[source], rng))
            parameters += made
        else:
            layer = Layer(name, sources[source], draw(_expressions(source)), output=True)
        layers.append(replace(layer, output=True))
        sources[name] = layer.units
    plan = Plan(draw(st.integers(1, 9)), dtype, (Input("in0", units),), tuple(layers), tuple(parameters))
    return plan, values_of(plan, int(rng.integers(1 << 30)))


@st.composite
def _units(draw: st.DrawFn) -> Units:
    if draw(st.booleans()):
        texts = st.text(st.characters(codec="utf-8"), max_size=4)
        keys = string_array(draw(st.lists(texts, unique=True, max_size=5)))
    else:
        keys = np.array(draw(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=5)), dtype=np.int64)
    axis = draw(st.booleans())
    return Units(keys, draw(st.integers(1, 3)) if axis else 1, axis)


@st.composite
def _combined(
    draw: st.DrawFn, name: str, source: str, given: Units, rng: np.random.Generator
) -> tuple[Layer, list[Parameter]]:
    units = draw(_units())
    mode = draw(st.sampled_from(["per_edge", "shared", "per", "fixed", "dense"]))
    if mode == "fixed":
        units = replace(units, channels=given.channels, channel_axis=given.channel_axis)
    pairs = np.flatnonzero(rng.random(len(units) * len(given)) < 0.5)
    side = max(len(given), 1)
    structure = csr_from_pairs(pairs // side, pairs % side, (len(units), len(given)))
    block = () if given.channels == units.channels == 1 else (given.channels, units.channels)
    weights, label = f"{name}.c.weights", "c"
    shapes = {
        "per_edge": (len(pairs), *block),
        "shared": (given.channels, units.channels),
        "per": (3, *block),
        "dense": (len(given) * given.channels, len(units) * units.channels),
    }
    if mode == "dense":
        clause = DenseClause(label, source, Weights("per_edge", weights), draw(st.floats(-1e300, 1e300)))
    else:
        coefficients = draw(st.sampled_from([None, rng.standard_normal(len(pairs))]))
        groups = rng.integers(0, 3, len(pairs)) if mode == "per" else None
        group_values = np.array([1.5, -0.0, 7]) if mode == "per" else None
        held = Weights(mode, None if mode == "fixed" else weights, group_values=group_values)
        clause = SparseClause(
            label, source, (EdgePart(structure, coefficients, groups),), held, draw(st.integers(0, 9))
        )
    made = [Parameter(weights, shapes[mode], draw(st.booleans()))] if mode in shapes else []
    bias = f"{name}.bias" if draw(st.booleans()) else None
    shape = draw(st.sampled_from([units.shape, (units.channels,)]))
    if bias is not None:
        made.append(Parameter(bias, shape, kind="bias"))
    norm = BatchNorm(*(f"{name}.{part}" for part in "abcd")) if draw(st.booleans()) else None
    if norm is not None:
        kinds = {norm.gain: "gain", norm.shift: "shift", norm.mean: "state", norm.variance: "state"}
        made += [Parameter(one, shape, kind != "state", kind) for one, kind in kinds.items()]
    return Layer(name, units, Combination((clause,), bias), dropout=draw(st.floats(0, 0.99)), batchnorm=norm), made


def _expressions(source: str) -> st.SearchStrategy:
    """Expressions of the same units and channels as the source."""
    finite = st.floats(allow_nan=False, allow_infinity=False)
    activations = st.builds(Activation, st.sampled_from(["relu", "softmax"]), st.sampled_from(["channels", "units"]))
    return st.recursive(
        st.just(Ref(source)),
        lambda inner: st.one_of(
            st.builds(Apply, activations, inner),
            st.builds(Arithmetic, st.sampled_from("+-*/"), inner, inner),
            st.builds(Arithmetic, st.sampled_from("+-*/"), st.builds(Constant, finite), inner),
            st.builds(Dropout, inner, st.floats(0, 0.99)),
            st.builds(RowNormalize, inner),
            st.builds(LayerNorm, inner),
            st.builds(lambda one: Arithmetic("-", one, Mean(one, "channels")), inner),
        ),
        max_leaves=6,
    )
