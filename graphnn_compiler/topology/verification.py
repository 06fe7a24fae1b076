"""Whether a plan is consistent: every statement that the docstrings of `plan` make about names, shapes and ranges.

Input: a plan, and its parameter values if they are at hand. Output: nothing, or ValueError with the first
inconsistency. Every check is vectorised. Not for: errors of a program, which the stages before have to find.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.consistency import all_distinct, require, verify_default
from graphnn_compiler.topology.expression_units import expression_units, verify_activation, verify_rate
from graphnn_compiler.topology.graph import is_string
from graphnn_compiler.topology.plan import (
    BatchNorm,
    Clause,
    Combination,
    DenseClause,
    Input,
    Layer,
    ParameterKind,
    Plan,
    SparseClause,
    Units,
    Weights,
)
from graphnn_compiler.topology.scaling import verify_scaling, verify_statistic
from graphnn_compiler.topology.verification_objectives import verify_objective, verify_target

# Names reach error messages and the text of programs, so that no archive may bring anything else along.
_NAME = re.compile(r"[\w.-]+")
_Shape = tuple[int, ...]


def verify(plan: Plan, values: Mapping[str, NDArray] | None = None) -> None:
    """Raise ValueError with the first inconsistency of a plan, and of its parameter values where they are given.

    `values` holds one array per parameter, by name, of the parameter's shape and the plan's dtype.
    """
    require(plan.edition >= 1, f"edition {plan.edition} does not exist")
    require(plan.dtype in ("float32", "float64"), f"dtype `{plan.dtype}` is neither float32 nor float64")
    nodes: tuple[Input | Layer, ...] = (*plan.inputs, *plan.layers)
    _verify_names("inputs, layers and targets", [node.name for node in (*nodes, *plan.targets)])
    _verify_names("parameters", [parameter.name for parameter in plan.parameters])
    _verify_names("objectives", [objective.name for objective in plan.objectives])
    _verify_all_units(nodes)
    for source in plan.inputs:
        place, shape = f"input `{source.name}`", source.units.shape
        verify_default(place, source.default, shape)
        verify_statistic(f"{place}: what fills missing values", source.fill, shape)
        verify_scaling(place, source.scaling, shape, plan.dtype)
    _verify_order(plan)
    for layer in plan.layers:
        _verify_layer(plan, layer)
    _verify_parameter_use(plan)
    for target in plan.targets:
        verify_target(plan, target)
    for objective in plan.objectives:
        verify_objective(plan, objective)
    require(bool(plan.outputs), "no layer is an output")
    if values is not None:
        _verify_values(plan, values)


# ------------------------------------------------------------------ names and units


def _verify_names(kinds: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        require(_NAME.fullmatch(name) is not None, f"one of the {kinds} has the name {name!r}")
        require(name not in seen, f"two {kinds} have the name `{name}`")
        seen.add(name)


def _verify_all_units(nodes: Iterable[Input | Layer]) -> None:
    checked: dict[int, NDArray] = {}
    for node in nodes:
        place, units = f"`{node.name}`", node.units
        require(units.channels >= 1, f"{place}: it has {units.channels} channels")
        require(units.channel_axis or units.channels == 1, f"{place}: {units.channels} channels without a channel axis")
        if id(units.keys) not in checked:
            _verify_keys(place, units.keys)
            checked[id(units.keys)] = units.keys


def _verify_keys(place: str, keys: NDArray) -> None:
    require(keys.dtype == np.int64 or is_string(keys), f"{place}: its keys are {keys.dtype}, not int64 or strings")
    require(keys.ndim == 1, f"{place}: its keys have {keys.ndim} dimensions")
    require(all_distinct(keys), f"{place}: two units have the same key")


def _verify_order(plan: Plan) -> None:
    known = {source.name for source in plan.inputs}
    for layer in plan.layers:
        for name in layer.sources:
            require(name in known, f"layer `{layer.name}`: its source `{name}` is not defined before it")
        known.add(layer.name)


# ------------------------------------------------------------------ layers


def _verify_layer(plan: Plan, layer: Layer) -> None:
    place = f"layer `{layer.name}`"
    verify_activation(place, layer.activation)
    verify_rate(place, layer.dropout)
    if layer.batchnorm is not None:
        _verify_batchnorm(place, plan, layer, layer.batchnorm)
    if isinstance(layer.body, Combination):
        _verify_combination(plan, layer, layer.body)
        return
    own = (len(layer.units), layer.units.channels)
    try:
        found = expression_units(layer.body, plan)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    require(found == own, f"{place}: its expression has (units, channels) {found}, the layer {own}")


def _verify_combination(plan: Plan, layer: Layer, body: Combination) -> None:
    place = f"layer `{layer.name}`"
    require(bool(body.clauses), f"{place}: nothing reaches it")
    _verify_names(f"clauses of {place}", [clause.label for clause in body.clauses])
    for clause in body.clauses:
        here = f"{place}, clause `{clause.label}`"
        _verify_clause(here, clause, plan.units[clause.source], layer.units)
        _verify_weights(here, clause, plan, layer.units)
    if body.bias is None:
        return
    bias = _parameter_shape(place, plan, body.bias)
    allowed = (layer.units.shape, (layer.units.channels,))
    require(bias in allowed, f"{place}: bias `{body.bias}` has shape {bias}, not {allowed[0]} or {allowed[1]}")


def _verify_batchnorm(place: str, plan: Plan, layer: Layer, norm: BatchNorm) -> None:
    require(not layer.layernorm, f"{place}: it has two norms")
    own, shapes = (layer.units.shape, (layer.units.channels,)), set()
    for name in norm.parameters:
        shape = _parameter_shape(place, plan, name)
        shapes.add(shape)
        require(shape in own, f"{place}: `{name}` of its batch norm has shape {shape}, not {own[0]} or {own[1]}")
    require(len(shapes) == 1, f"{place}: its batch norm has parameters of different shapes")
    state = [plan.parameter[name].trainable for name in (norm.mean, norm.variance)]
    require(not any(state), f"{place}: the state of its batch norm is trainable")


def _verify_clause(place: str, clause: Clause, source: Units, target: Units) -> None:
    if isinstance(clause, DenseClause):
        require(math.isfinite(clause.coefficient), f"{place}: its coefficient is {clause.coefficient}")
        return
    require(bool(clause.parts), f"{place}: it has no part")
    require(clause.left_out >= 0, f"{place}: {clause.left_out} edges are left out")
    if clause.relations is not None:
        n_relations, n_parts = len(clause.relations), len(clause.parts)
        require(n_relations == n_parts, f"{place}: {n_relations} relations for {n_parts} parts")
    shape = (len(target), len(source))
    for part in clause.parts:
        csr = part.csr
        require(csr.shape == shape, f"{place}: its matrix has shape {csr.shape}, its units {shape}")
        require(csr.indices.dtype.itemsize in (4, 8), f"{place}: its indices are {csr.indices.dtype}")
        try:
            csr.verify()
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        _verify_coefficients(place, part.coefficients, csr.n_edges)


def _verify_coefficients(place: str, coefficients: NDArray | None, n_edges: int) -> None:
    if coefficients is None:
        return
    shape, dtype = coefficients.shape, coefficients.dtype
    require(shape == (n_edges,), f"{place}: coefficients of shape {shape} for {n_edges} edges")
    require(dtype == np.float64, f"{place}: its coefficients are {dtype}, not float64")
    require(bool(np.isfinite(coefficients).all()), f"{place}: a coefficient is not finite")


# ------------------------------------------------------------------ weights and parameters


def _verify_weights(place: str, clause: Clause, plan: Plan, target: Units) -> None:
    weights, source = clause.weights, plan.units[clause.source]
    mode = weights.mode
    require(mode in ("per_edge", "shared", "per", "fixed"), f"{place}: there is no weights mode `{mode}`")
    require(mode == "per" or weights.group_values is None, f"{place}: group values with `{mode}` weights")
    require(mode != "per" or isinstance(clause, SparseClause), f"{place}: `per` weights in a dense clause")
    n_groups = 0 if weights.group_values is None else _verify_group_values(place, weights.group_values)
    require(mode != "per" or n_groups > 0 or _is_empty(clause), f"{place}: `per` weights without group values")
    if isinstance(clause, SparseClause):
        _verify_groups(place, clause, n_groups)
    _verify_mix(place, weights, source, target)
    if mode == "fixed":
        require(weights.parameter is None, f"{place}: fixed weights have the parameter `{weights.parameter}`")
        require(math.isfinite(weights.value), f"{place}: its fixed weight is {weights.value}")
        sides = (source.channels, target.channels)
        require(sides[0] == sides[1], f"{place}: fixed weights between {sides[0]} and {sides[1]} channels")
        return
    if weights.parameter is None:
        raise ValueError(f"{place}: `{mode}` weights without a parameter")
    n_blocks = n_groups
    if weights.coefficients is not None:
        n_blocks = _verify_coefficients_of_bases(place, plan, weights.coefficients, n_groups)
    found, expected = _parameter_shape(place, plan, weights.parameter), _weights_shape(clause, source, target, n_blocks)
    require(found == expected, f"{place}: parameter `{weights.parameter}` has shape {found}, not {expected}")


def _verify_mix(place: str, weights: Weights, source: Units, target: Units) -> None:
    mix, mode = weights.mix, weights.mode
    require(mix in ("full", "diagonal", "scalar"), f"{place}: there is no mix `{mix}`")
    require(mode != "fixed" or mix == "full", f"{place}: mix `{mix}` with fixed weights")
    sides = (source.channels, target.channels)
    require(mix == "full" or sides[0] == sides[1], f"{place}: mix `{mix}` between {sides[0]} and {sides[1]} channels")
    require(weights.coefficients is None or mode == "per", f"{place}: coefficients of bases with `{mode}` weights")


def _verify_coefficients_of_bases(place: str, plan: Plan, name: str, n_groups: int) -> int:
    """The number of bases."""
    shape = _parameter_shape(place, plan, name)
    fits = len(shape) == 2 and shape[0] == n_groups
    require(fits, f"{place}: parameter `{name}` has shape {shape}, and there are {n_groups} groups")
    return shape[1]


def _is_empty(clause: Clause) -> bool:
    """Whether a clause has no edges, so that it needs no groups either."""
    return isinstance(clause, SparseClause) and clause.n_edges == 0


def _weights_shape(clause: Clause, source: Units, target: Units, n_groups: int) -> _Shape:
    c_in, c_out, mix = source.channels, target.channels, clause.weights.mix
    single: _Shape = {"full": (c_in, c_out), "diagonal": (c_in,), "scalar": ()}[mix]
    block = () if c_in == c_out == 1 else single
    match clause.weights.mode:
        case "shared":
            return single
        case "per":
            return (n_groups, *block)
    if isinstance(clause, SparseClause):
        return (clause.n_edges, *block)
    n_in, n_out = len(source), len(target)
    return {"full": (n_in * c_in, n_out * c_out), "diagonal": (c_in, n_in, n_out), "scalar": (n_in, n_out)}[mix]


def _verify_group_values(place: str, values: NDArray) -> int:
    known = values.dtype.kind in "iufb" or is_string(values)
    require(known and values.ndim == 1, f"{place}: group values of dtype {values.dtype}, shape {values.shape}")
    require(all_distinct(values), f"{place}: two groups have the same value")
    return len(values)


def _verify_groups(place: str, clause: SparseClause, n_groups: int) -> None:
    mode = clause.weights.mode
    given = [part.groups for part in clause.parts if part.groups is not None]
    if mode in ("shared", "fixed"):
        require(not given, f"{place}: groups with `{mode}` weights")
        return
    if mode == "per_edge" and not given and len(clause.parts) == 1:
        return
    require(len(given) == len(clause.parts), f"{place}: a part of `{mode}` weights has no groups")
    blocks = n_groups if mode == "per" else clause.n_edges
    for part, groups in zip(clause.parts, given, strict=True):
        fits = groups.dtype.kind in "iu" and groups.shape == (part.csr.n_edges,)
        require(fits, f"{place}: groups of dtype {groups.dtype}, shape {groups.shape} for {part.csr.n_edges} edges")
        inside = len(groups) == 0 or (groups.min() >= 0 and groups.max() < blocks)
        require(bool(inside), f"{place}: a group is outside 0 .. {blocks - 1}")
    if mode == "per_edge":
        used = np.zeros(blocks, dtype=np.bool_)
        for groups in given:
            used[groups] = True
        require(bool(used.all()), f"{place}: two edges share a weight that is one per edge")


def _parameter_shape(place: str, plan: Plan, name: str) -> _Shape:
    require(name in plan.parameter, f"{place}: there is no parameter `{name}`")
    return plan.parameter[name].shape


def _verify_parameter_use(plan: Plan) -> None:
    kinds: dict[str, set[ParameterKind]] = {parameter.name: set() for parameter in plan.parameters}
    for layer in plan.layers:
        for kind, name in _uses(layer):
            kinds[name].add(kind)
    for parameter in plan.parameters:
        name = parameter.name
        require(bool(kinds[name]), f"no layer uses parameter `{name}`")
        require(min(parameter.shape, default=0) >= 0, f"parameter `{name}` has shape {parameter.shape}")
        require(kinds[name] == {parameter.kind}, f"parameter `{name}` is used, but not as {parameter.kind}")


def _uses(layer: Layer) -> Iterator[tuple[ParameterKind, str]]:
    """The parameters that a layer reads, and what it takes them for."""
    if isinstance(layer.body, Combination):
        for clause in layer.body.clauses:
            yield from (("weights", name) for name in clause.weights.parameters)
        if layer.body.bias is not None:
            yield "bias", layer.body.bias
    if layer.batchnorm is not None:
        yield from zip(("gain", "shift", "state", "state"), layer.batchnorm.parameters, strict=True)


def _verify_values(plan: Plan, values: Mapping[str, NDArray]) -> None:
    for parameter in plan.parameters:
        name = parameter.name
        require(name in values, f"parameter `{name}` has no value")
        found = (values[name].shape, values[name].dtype)
        expected = (parameter.shape, np.dtype(plan.dtype))
        require(found == expected, f"the value of `{name}` has (shape, dtype) {found}, not {expected}")
    for name in values:
        require(name in plan.parameter, f"there is a value for `{name}`, which is no parameter")
