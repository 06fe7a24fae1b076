"""Printed programs of every kind of layer, run under both targets, against the network and its gradients."""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytensor
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray
from plans import KINDS, PY, SMOOTH, SPARSE_KINDS, Case, cases, needs_equal_channels, single_clause
from printed_programs import EVERY_TARGET, run_printed, write_printed

from graphnn_compiler.backend.program.targets import TargetName
from graphnn_compiler.backend.symbolic import SymbolicNetwork
from graphnn_compiler.topology.plan import Combination, Input, Plan

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
"""Relative to the largest number of an array: the targets add up in other orders than the network.

A hundredth of the largest number of all arrays counts as at least as large, for a slope in which large terms cancel has
the rounding errors of the terms.
"""


def in_batches(case: Case) -> Case:
    """The case as programs take it: inputs without a batch have their values as their own data."""
    inputs = tuple(
        node if case.inputs[node.name].ndim > len(node.units.shape)
        else dataclasses.replace(node, default=case.inputs[node.name])
        for node in case.plan.inputs
    )  # fmt: skip
    return dataclasses.replace(case, plan=dataclasses.replace(case.plan, inputs=inputs))


def own_results(case: Case, directions: dict[str, NDArray]) -> dict[str, NDArray]:
    """The network's outputs, and the gradients of their product with directions."""
    x = {node.name: pytensor.shared(case.inputs[node.name], shape=shape(case, node)) for node in case.plan.inputs}
    p = {name: pytensor.shared(value, name=name, shape=value.shape) for name, value in case.values.items()}
    applied = SymbolicNetwork(case.plan, p).apply(x)
    outputs = {layer.name: applied.value(layer.name) for layer in case.plan.outputs}
    cost = sum((outputs[name] * direction).sum() for name, direction in directions.items())
    wanted = {**p, **x}
    slopes = pytensor.grad(cost, [*wanted.values()], disconnected_inputs="ignore")
    results = {**outputs, **{f"slope.{name}": slope for name, slope in zip(wanted, slopes, strict=True)}}
    with np.errstate(all="ignore"):
        return dict(zip(results, pytensor.function([], [*results.values()], mode=PY)(), strict=True))


def shape(case: Case, node: Input) -> tuple[int | None, ...]:
    """What is known of an input's shape before compilation: all but the length of a batch."""
    batched = case.inputs[node.name].ndim > len(node.units.shape)
    return (None, *node.units.shape) if batched else node.units.shape


def outputs_of(case: Case) -> dict[str, tuple[int, ...]]:
    """The shapes of outputs."""
    lengths = {name: array.shape[0] for name, array in case.inputs.items()}
    batched = {node.name for node in case.plan.inputs if case.inputs[node.name].ndim > len(node.units.shape)}
    n_samples = next((lengths[name] for name in batched), 0)
    for layer in case.plan.layers:
        if batched.intersection(layer.sources):
            batched.add(layer.name)
    return {
        layer.name: (n_samples, *layer.units.shape) if layer.name in batched else layer.units.shape
        for layer in case.plan.outputs
    }


@dataclass(frozen=True)
class Expectation:
    """What the network itself makes of a case: outputs, and the gradients of their product with directions."""

    case: Case
    directions: dict[str, NDArray]
    results: dict[str, NDArray]


def expected(case: Case) -> Expectation:
    case = in_batches(case)
    rng = np.random.default_rng(8)
    directions = {name: rng.normal(size=shape).astype(case.plan.dtype) for name, shape in outputs_of(case).items()}
    return Expectation(case, directions, own_results(case, directions))


def check(expectation: Expectation, target: TargetName) -> None:
    case = expectation.case
    with tempfile.TemporaryDirectory() as folder:
        write_printed(case.plan, case.values, target, Path(folder))
        named = {f"direction.{name}": direction for name, direction in expectation.directions.items()}
        found = run_printed(target, Path(folder), {**case.inputs, **named})
    largest = max((np.max(abs(value), initial=0) for value in expectation.results.values()), default=0)
    for name, value in expectation.results.items():
        assert found[name].shape == value.shape, name
        assert found[name].dtype == case.plan.dtype, name
        scale = np.max(abs(value), initial=max(1e-3, largest / 100))
        np.testing.assert_allclose(found[name], value, rtol=0, atol=TOLERANCE[case.plan.dtype] * scale, err_msg=name)


def every_kind(batch: int | None) -> Case:
    """A layer for every kind of clause between values with and without a channel axis, with one part or two."""
    plans, values, inputs = [], {}, {}
    ends = [(None, None), (1, None), (2, 2), (2, 3), (None, 2)]
    for i, (c_in, c_out) in enumerate(ends):
        for kind in KINDS:
            if needs_equal_channels(kind) and (c_in or 1) != (c_out or 1):
                continue
            case = single_clause(kind, c_in, c_out, n_parts=1 + i % 2 if kind in SPARSE_KINDS else 1)
            name = f"{kind} {c_in} {c_out}".replace(" ", "_")
            plans.append(renamed(case.plan, f"x{i}", name))
            values |= {one.replace("y.", f"{name}."): value for one, value in case.values.items()}
            inputs[f"x{i}"] = case.inputs["x"] if batch else case.inputs["x"][0]
    every = [layer for plan in plans for layer in plan.layers]
    parameters = tuple(one for plan in plans for one in plan.parameters)
    nodes = tuple({plan.inputs[0].name: plan.inputs[0] for plan in plans}.values())
    return Case(Plan(1, "float64", nodes, tuple(every), parameters), values, inputs)


def renamed(plan: Plan, source: str, name: str) -> Plan:
    """The plan of one clause with other names for its input `x` and its layer `y`."""

    def new(parameter: str | None) -> str | None:
        return None if parameter is None else parameter.replace("y.", f"{name}.")

    (layer,) = plan.layers
    assert isinstance(layer.body, Combination)
    (clause,) = layer.body.clauses
    weights = dataclasses.replace(
        clause.weights, parameter=new(clause.weights.parameter), coefficients=new(clause.weights.coefficients)
    )
    body = Combination((dataclasses.replace(clause, source=source, weights=weights),), new(layer.body.bias))
    parameters = tuple(dataclasses.replace(one, name=new(one.name)) for one in plan.parameters)
    return dataclasses.replace(
        plan,
        inputs=(dataclasses.replace(plan.inputs[0], name=source),),
        layers=(dataclasses.replace(layer, name=name, body=body),),
        parameters=parameters,
    )


@cache
def expectation(batch: int | None) -> Expectation:
    return expected(every_kind(batch))


@EVERY_TARGET
@pytest.mark.parametrize("batch", [3, None])
def test_every_kind_of_clause(target: TargetName, batch: int | None) -> None:
    check(expectation(batch), target)


@EVERY_TARGET
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(activations=SMOOTH))
def test_random_programs(target: TargetName, case: Case) -> None:
    check(expected(case), target)
