"""The clauses of layers that share their parameters, as the steps of a tied `repeat` do.

Input: clauses of layers, in order. Output: the same clauses resolved; steps whose edges are the same share the arrays
too. Refuses steps that cannot share a parameter. Not for: layers with parameters of their own, which pass through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from graphnn_compiler.diagnostics import count
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.types import ClauseModel, LayerModel, NormSpec, WeightsSpec
from graphnn_compiler.topology.clauses import Clauses, Resolved, Side
from graphnn_compiler.topology.plan import Clause, DenseClause, SparseClause


@dataclass(frozen=True, eq=False)
class _Use:
    """A clause that was resolved, and what it was resolved from."""

    model: ClauseModel
    source: Side
    target: Side
    resolved: Resolved


class TiedClauses:
    """Resolves clauses by `Clauses`; remembers, for every parameter, its latest use."""

    def __init__(self, clauses: Clauses) -> None:
        self._clauses = clauses
        self._latest: dict[tuple[str, str], _Use] = {}

    def resolve(self, layer: LayerModel, clause: ClauseModel, source: Side, target: Side) -> Resolved:
        """One clause of a layer. The parameters are the same at each use, and the values those of the first."""
        name = (layer.parameters_of, clause.label)
        before = self._latest.get(name)
        if before is not None and _is_the_same(before, clause, source, target):
            return replace(before.resolved, clause=replace(before.resolved.clause, source=clause.source))
        resolved = self._clauses.resolve(layer.parameters_of, clause, source, target)
        if clause.one_each:
            _require_one_each(resolved.clause, clause, source, target)
        use = _Use(clause, source, target, resolved)
        if before is not None:
            _require_shareable(before, use)
        self._latest[name] = use
        return resolved


def _is_the_same(before: _Use, clause: ClauseModel, source: Side, target: Side) -> bool:
    """Whether a clause gives the edges, coefficients and groups that it gave before."""
    same_units = before.source.nodes is source.nodes and before.target.nodes is target.nodes
    same_channels = before.source.units.channels == source.units.channels
    same_channels &= before.target.units.channels == target.units.channels
    return same_units and same_channels and list(_said(before.model)) == list(_said(clause))


def _said(part: ClauseModel | WeightsSpec | NormSpec) -> Iterator[object]:
    """What a clause says, without where; sets are equal only to themselves."""
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, WeightsSpec | NormSpec):
            yield from _said(value)
        elif field.name not in ("source", "span", "init_span"):
            yield value


def _require_shareable(before: _Use, use: _Use) -> None:
    """Refuse clauses whose weights would not mean the same in both."""
    first, second = before.resolved.clause, use.resolved.clause
    found = _difference(first, second)
    if found is None and isinstance(second, DenseClause) and second.weights.mode == "per_edge":
        sides = ((before.source, use.source), (before.target, use.target))
        if not all(one.nodes.same_units(other.nodes) for one, other in sides):
            found = "connect other units"
    if found is not None:
        help = "write `untied`, or let the weights be shared by all edges"
        reject("E155", f"two steps of a tied repeat {found}, so they cannot share weights", use.model.span, help=help)


def _difference(first: Clause, second: Clause) -> str | None:
    mode = second.weights.mode
    if isinstance(first, DenseClause) or isinstance(second, DenseClause):
        return None if type(first) is type(second) else "connect units in different ways"
    if mode == "per" and not np.array_equal(_values(first), _values(second)):
        return "have different groups of edges"
    if mode != "per_edge":
        return None
    if first.n_edges != second.n_edges:
        return f"have {count(first.n_edges, 'edge')} and {second.n_edges:,}"
    same = len(first.parts) == len(second.parts) and all(
        np.array_equal(a.csr.indptr, b.csr.indptr) and np.array_equal(a.csr.indices, b.csr.indices)
        for a, b in zip(first.parts, second.parts, strict=True)
    )
    return None if same else "have different edges"


def _values(clause: SparseClause) -> np.ndarray:
    assert clause.weights.group_values is not None
    return clause.weights.group_values


def _require_one_each(clause: Clause, model: ClauseModel, source: Side, target: Side) -> None:
    assert isinstance(clause, SparseClause)
    if clause.n_edges == len(source.nodes) == len(target.nodes):
        return
    message = f"the state has {count(len(target.nodes), 'unit')} and `{model.source}` {len(source.nodes):,}"
    if len(source.nodes) == len(target.nodes):
        message = f"the state and `{model.source}` have {count(len(source.nodes), 'unit')} each, with other keys"
    reject("E152", message, model.span, help="a cell needs equal units: give both layers the same node set")
