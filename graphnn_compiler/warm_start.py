"""Warm start: the parameters of one network, as far as another has them too, matched by keys and never by position.

Input: two plans and the values of the one to start from. Output: new values, and a report of what was copied. Axes of a
parameter are matched by the keys of their units, by (source key, target key, relation) of their edges, or by the values
of their groups; numbers without a counterpart keep their start values and are counted. Not for: reading files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count, listed
from graphnn_compiler.topology.graph import NodeSet, Positions, is_string
from graphnn_compiler.topology.plan import (
    Clause,
    Combination,
    DenseClause,
    Input,
    Layer,
    Parameter,
    Plan,
    Scaling,
    SparseClause,
    Units,
    Weights,
)


@dataclass(frozen=True)
class Copied:
    """Of a parameter that both networks have: `copied` of its `total` numbers, and `unused` ones of the other."""

    name: str
    copied: int
    total: int
    unused: int


@dataclass(frozen=True)
class WarmStart:
    """What was taken over.

    `parameters` are those that both networks have, `absent` those that only the new one has, `unused` those that only
    the other has. `inputs` are those whose filling and scaling was taken over, and `unscaled` those of which it was
    not, since units are new.
    """

    parameters: tuple[Copied, ...]
    absent: tuple[str, ...]
    unused: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    unscaled: tuple[str, ...] = ()

    def __str__(self) -> str:
        whole = [it for it in self.parameters if it.copied == it.total]
        parts = [f"{count(len(whole), 'parameter')} copied"]
        parts += [
            f"`{it.name}` in part ({it.copied:,} of {it.total:,} numbers)"
            for it in self.parameters
            if it.copied < it.total
        ]
        parts += [f"{count(it.unused, 'number')} of `{it.name}` unused" for it in self.parameters if it.unused]
        parts += [f"not there: {_names(self.absent)}"] if self.absent else []
        parts += [f"unused: {_names(self.unused)}"] if self.unused else []
        parts += [f"scaling of {_names(self.inputs)} taken over"] if self.inputs else []
        parts += [f"scaling of {_names(self.unscaled)} not taken over, units are new"] if self.unscaled else []
        return "; ".join(parts)


def _names(names: tuple[str, ...]) -> str:
    return listed((f"`{name}`" for name in names), 5)


# ------------------------------------------------------------------ what the numbers of a parameter stand for


@dataclass(frozen=True, eq=False)
class _Edges:
    """An axis of edges: number `slot[k]` belongs to the edge from `source[k]` to `target[k]` of a relation."""

    sources: NDArray
    targets: NDArray
    source: Positions
    target: Positions
    slot: Positions
    relation: Positions
    relations: tuple[str | None, ...] | None


_Axis: TypeAlias = NDArray | _Edges | None
"""Keys, edges, or None for an axis that both networks must have alike, such as channels."""


@dataclass(frozen=True, eq=False)
class _Meaning:
    """What a parameter is, in words, and its array as one with these axes, of these lengths."""

    kind: str
    axes: tuple[_Axis, ...]
    shape: tuple[int, ...]


def _meanings(plan: Plan) -> dict[str, _Meaning]:
    """Of every parameter; of one that several layers share, as the first of them has it."""
    found: dict[str, _Meaning] = {}
    for layer in plan.layers:
        for parameter, meaning in _of_layer(plan, layer):
            found.setdefault(parameter, meaning)
    return found


def _of_layer(plan: Plan, layer: Layer) -> list[tuple[str, _Meaning]]:
    per_unit = [] if layer.batchnorm is None else list(layer.batchnorm.parameters)
    found = []
    if isinstance(layer.body, Combination):
        per_unit += [] if layer.body.bias is None else [layer.body.bias]
        for clause in layer.body.clauses:
            found += _of_clause(plan, layer, clause)
    return found + [(name, _of_units(plan.parameter[name], layer.units)) for name in per_unit]


def _of_units(parameter: Parameter, units: Units) -> _Meaning:
    """A bias, or a number of a norm: per unit or per channel."""
    if parameter.shape == units.shape:
        return _Meaning("per unit", (units.keys, *([None] * units.channel_axis)), parameter.shape)
    return _Meaning("per channel", (None,), parameter.shape)


def _of_clause(plan: Plan, layer: Layer, clause: Clause) -> list[tuple[str, _Meaning]]:
    weights = clause.weights
    if weights.parameter is None:
        return []
    shape = plan.parameter[weights.parameter].shape
    kind = f"{weights.mode}, {weights.mix}"
    if weights.coefficients is not None:
        groups = plan.parameter[weights.coefficients].shape
        coefficients = _Meaning("coefficients of bases", (_group_values(weights), None), groups)
        bases = _Meaning(f"bases, {weights.mix}", (None,) * len(shape), shape)
        return [(weights.parameter, bases), (weights.coefficients, coefficients)]
    if weights.mode == "shared":
        return [(weights.parameter, _Meaning(kind, (None,) * len(shape), shape))]
    if weights.mode == "per":
        return [(weights.parameter, _Meaning(kind, (_group_values(weights), *[None] * (len(shape) - 1)), shape))]
    source = plan.units[clause.source]
    if isinstance(clause, SparseClause):
        edges = _edges(clause, source.keys, layer.units.keys)
        return [(weights.parameter, _Meaning(f"{kind} of a list", (edges, *[None] * (len(shape) - 1)), shape))]
    return [(weights.parameter, _of_pairs(f"{kind} of all pairs", clause, source, layer.units, shape))]


def _of_pairs(kind: str, clause: DenseClause, source: Units, target: Units, shape: tuple[int, ...]) -> _Meaning:
    if clause.weights.mix != "full":
        return _Meaning(kind, (*[None] * (len(shape) - 2), source.keys, target.keys), shape)
    blocks = (len(source), source.channels, len(target), target.channels)
    return _Meaning(kind, (source.keys, None, target.keys, None), blocks)


def _group_values(weights: Weights) -> NDArray:
    """Values that can be found: strings, or numbers by their bits as float64, in which 0 is 0."""
    values = weights.group_values
    if values is None:
        return np.zeros(0, np.int64)
    return values if is_string(values) else (values.astype(np.float64) + 0.0).view(np.int64)


def _edges(clause: SparseClause, sources: NDArray, targets: NDArray) -> _Edges:
    parts = clause.parts
    slots = [np.arange(part.csr.n_edges) if part.groups is None else part.groups for part in parts]
    numbers = np.repeat(np.arange(len(parts)), [part.csr.n_edges for part in parts])
    columns, rows = [part.csr.indices for part in parts], [part.csr.rows for part in parts]
    source, target, slot = (np.concatenate(several).astype(np.int64) for several in (columns, rows, slots))
    return _Edges(sources, targets, source, target, slot, numbers, clause.relations)


# ------------------------------------------------------------------ matching


def _matched(name: str, mine: _Axis, theirs: _Axis, lengths: tuple[int, int]) -> tuple[Positions, Positions]:
    """Positions along an axis of the one and of the other network that stand for the same. ValueError if none can."""
    if isinstance(mine, _Edges) and isinstance(theirs, _Edges):
        return _matched_edges(name, mine, theirs)
    if isinstance(mine, np.ndarray) and isinstance(theirs, np.ndarray):
        return _matched_keys(name, mine, theirs)
    if lengths[0] != lengths[1]:
        raise ValueError(f"parameter `{name}` has {lengths[0]} channels or blocks here and {lengths[1]} there")
    every = np.arange(lengths[0])
    return every, every


def _matched_keys(name: str, mine: NDArray, theirs: NDArray) -> tuple[Positions, Positions]:
    _require_like(name, mine, theirs)
    places = NodeSet(mine).find(theirs)
    known = np.flatnonzero(places >= 0)
    return places[known], known


def _require_like(name: str, mine: NDArray, theirs: NDArray) -> None:
    if is_string(mine) != is_string(theirs):
        kinds = ["texts" if is_string(keys) else "numbers" for keys in (mine, theirs)]
        raise ValueError(f"parameter `{name}` has keys that are {kinds[0]} here and {kinds[1]} there")


def _matched_edges(name: str, mine: _Edges, theirs: _Edges) -> tuple[Positions, Positions]:
    for here, there in ((mine.sources, theirs.sources), (mine.targets, theirs.targets)):
        _require_like(name, here, there)
    relation = _relations(name, mine, theirs)[theirs.relation]
    source, target = (
        NodeSet(here).find(there)[positions]
        for here, there, positions in (
            (mine.sources, theirs.sources, theirs.source),
            (mine.targets, theirs.targets, theirs.target),
        )
    )
    known = np.flatnonzero((source >= 0) & (target >= 0) & (relation >= 0))
    n_sources, n_targets = len(mine.sources), len(mine.targets)

    def codes(relation: Positions, target: Positions, source: Positions) -> Positions:
        return (relation * n_targets + target) * n_sources + source

    wanted = codes(relation[known], target[known], source[known])
    places = NodeSet(codes(mine.relation, mine.target, mine.source)).find(wanted)
    common = places >= 0
    return mine.slot[places[common]], theirs.slot[known[common]]


def _relations(name: str, mine: _Edges, theirs: _Edges) -> Positions:
    """The number here of each relation there, -1 where there is none."""
    if mine.relations is None or theirs.relations is None:
        if mine.relations is not theirs.relations:
            raise ValueError(f"parameter `{name}` has edges with relations in one of the networks and not in the other")
        return np.arange(max(theirs.relation, default=0) + 1)
    return np.array([mine.relations.index(it) if it in mine.relations else -1 for it in theirs.relations], np.int64)


# ------------------------------------------------------------------ copying


def warm_started(
    plan: Plan, values: Mapping[str, NDArray], other: Plan, other_values: Mapping[str, NDArray]
) -> tuple[dict[str, NDArray], tuple[Input, ...], WarmStart]:
    """The values of a network with those of another where their keys meet, its inputs, and what was taken over.

    An input of the same name that the other network fills or scales, and this one does not, is filled and scaled alike
    if all its units are there.

    ValueError where parameters of one name are of different kinds, channels or key types, or no name is common.
    """
    here, there = _meanings(plan), _meanings(other)
    common = [name for name in here if name in there]
    if not common:
        names = f"{_names((*here,))} here, {_names((*there,))} there"
        raise ValueError(f"the networks have no parameter in common: {names}")
    changed, copied = dict(values), []
    for name in common:
        changed[name], one = _copied(name, here[name], there[name], values[name], other_values[name])
        copied.append(one)
    known = {node.name: node for node in other.inputs if node.fill is not None or node.scaling is not None}
    inputs = tuple(_with_statistics(node, known.get(node.name)) for node in plan.inputs)
    lacking = [was.name for was, now in zip(plan.inputs, inputs, strict=True) if now is was and _wants(was, known)]
    report = WarmStart(
        tuple(copied),
        tuple(name for name in here if name not in there),
        tuple(name for name in there if name not in here),
        tuple(now.name for was, now in zip(plan.inputs, inputs, strict=True) if now is not was),
        tuple(lacking),
    )
    return changed, inputs, report


def _copied(name: str, mine: _Meaning, theirs: _Meaning, value: NDArray, other: NDArray) -> tuple[NDArray, Copied]:
    if mine.kind != theirs.kind or len(mine.axes) != len(theirs.axes):
        raise ValueError(f"parameter `{name}` is {mine.kind} here and {theirs.kind} there")
    axes = zip(mine.axes, theirs.axes, zip(mine.shape, theirs.shape, strict=True), strict=True)
    places = [_matched(name, *axis) for axis in axes]
    result = value.reshape(mine.shape).copy()
    to, source = (np.ix_(*(pair[k] for pair in places)) for k in (0, 1))
    taken = other.reshape(theirs.shape)[source]
    result[to] = taken
    return result.reshape(value.shape), Copied(name, taken.size, value.size, other.size - taken.size)


def _wants(node: Input, known: Mapping[str, Input]) -> bool:
    return node.name in known and node.fill is None and node.scaling is None


def _with_statistics(node: Input, other: Input | None) -> Input:
    """The input with the filling and scaling of another, unit by unit, if it has none and no unit or channel is new."""
    if other is None or not _wants(node, {other.name: other}) or node.units.shape[1:] != other.units.shape[1:]:
        return node
    places = NodeSet(other.units.keys).find(node.units.keys)
    if np.any(places < 0):
        return node
    fill = None if other.fill is None else other.fill[places]
    scaling = other.scaling
    if scaling is not None and scaling.mean is not None and scaling.deviation is not None:
        scaling = Scaling(scaling.method, scaling.mean[places], scaling.deviation[places])
    return replace(node, fill=fill, scaling=scaling)
