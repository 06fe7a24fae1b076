"""Why a unit has the in-edges that it has: the rule, the place in the program and the row of the data behind each.

Input: a resolver that has run, a layer and a key. Output: one `InEdge` an edge, in canonical order. Not for: printing;
speed on many units (each edge is looked up anew, in the sets that the resolver kept).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from graphnn_compiler.model.types import (
    All,
    Bounded,
    ClauseModel,
    EdgeExpr,
    EdgeOperation,
    FilteredEdges,
    GraphEdges,
    LayerModel,
    RelationEdges,
    Reverse,
    Sym,
    Table,
)
from graphnn_compiler.source import DataPlace, Span
from graphnn_compiler.topology.data import Data
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, Positions, string_array
from graphnn_compiler.topology.plan import DenseClause, SparseClause
from graphnn_compiler.topology.resolve import Resolver
from graphnn_compiler.topology.sets import Sets

Key = int | str


@dataclass(frozen=True)
class Step:
    """One step from an edge back to where it comes from: a rule at a place of the program, or a place in the data."""

    text: str
    place: Span | DataPlace


@dataclass(frozen=True)
class InEdge:
    """An edge into the unit: its clause, its source, its coefficient c(e), its relation, and where it comes from."""

    clause: str
    source: Key
    coefficient: float
    relation: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class DenseInEdges:
    """All units of the source, by `all`, which lists no edges."""

    clause: str
    n_sources: int
    coefficient: float
    place: Span


def unit_position(nodes: NodeSet, text: str) -> int | None:
    """The position of the unit whose key reads like `text`, None if there is none."""
    if nodes.string_keys:
        wanted = string_array([text])
    else:
        try:
            wanted = np.array([int(text)], dtype=np.int64)
        except (ValueError, OverflowError):
            return None
    place = int(nodes.find(wanted)[0])
    return None if place < 0 else place


def in_edges(resolver: Resolver, layer: LayerModel, position: int) -> Iterator[InEdge | DenseInEdges]:
    """The in-edges of the unit of a layer at a position, clause by clause."""
    body = resolver.layers[layer.name].body
    clauses = getattr(body, "clauses", ())
    for model, clause in zip(layer.clauses, clauses, strict=True):
        if isinstance(clause, DenseClause):
            n_sources = len(resolver.sides[clause.source].nodes)
            yield DenseInEdges(clause.label, n_sources, clause.coefficient, model.rule.span)
            continue
        yield from _sparse(resolver, layer, model, clause, position)


def _sparse(
    resolver: Resolver, layer: LayerModel, model: ClauseModel, clause: SparseClause, position: int
) -> Iterator[InEdge]:
    sources, targets = resolver.sides[clause.source].nodes, resolver.sides[layer.name].nodes
    tracing = _Tracing(resolver.sets, resolver.data)
    target = _plain(targets.keys[position])
    whole = resolver.sets.whole_or_on(model.rule, sources, targets)
    relations = clause.relations or (None,) * len(clause.parts)
    for part, relation in zip(clause.parts, relations, strict=True):
        for k in range(int(part.csr.indptr[position]), int(part.csr.indptr[position + 1])):
            source = _plain(sources.keys[part.csr.indices[k]])
            coefficient = 1.0 if part.coefficients is None else float(part.coefficients[k])
            edge = _Edge(source, target, clause.relations is not None, relation)
            steps = tuple(tracing.steps(model.rule, _found(whole, edge), sources, targets))
            yield InEdge(clause.label, source, coefficient, relation, steps)


def _plain(key: object) -> Key:
    return key if isinstance(key, str) else int(key)  # type: ignore[call-overload]  # an int64


@dataclass(frozen=True)
class _Edge:
    """A pair of keys; where it is `typed`, of that relation, None being *missing*."""

    source: Key
    target: Key
    typed: bool = False
    relation: str | None = None

    def turned(self) -> _Edge:
        return replace(self, source=self.target, target=self.source)


@dataclass(frozen=True)
class _Tracing:
    sets: Sets
    data: Data

    def steps(self, expr: EdgeExpr, edge: _Edge, sources: NodeSet, targets: NodeSet) -> Iterator[Step]:
        """From an edge of an expression back to the rules and rows that made it."""

        def within(part: EdgeExpr, of: _Edge) -> Iterator[Step]:
            return self.steps(part, of, sources, targets)

        match expr:
            case GraphEdges(graph=read) | Table(data=read):
                place = self.data.place_of_edge(read, edge.source, edge.target, (edge.relation,) if edge.typed else ())
                yield Step(f"`{edge.source} -> {edge.target}` is listed", place)
            case RelationEdges(base=base) | FilteredEdges(base=base) | Bounded(base=base):
                yield from within(base, edge)
            case Reverse(base=base):
                yield Step("an edge turned round by `~`", expr.span)
                yield from self.steps(base, edge.turned(), targets, sources)
            case Sym(base=base):
                if self._contains(base, edge, sources, targets):
                    yield from within(base, edge)
                else:
                    yield Step("the reverse of an edge, added by `sym`", expr.span)
                    yield from within(base, edge.turned())
            case EdgeOperation(operator="@", left=left, right=right):
                yield from self._path(left, right, edge, expr.span)
            case EdgeOperation(operator="|", left=left, right=right):
                yield from within(left if self._contains(left, edge, sources, targets) else right, edge)
            case EdgeOperation(operator="&", left=left, right=right):
                yield from within(left, edge)
                yield from within(right, edge)
            case EdgeOperation(left=left):
                yield from within(left, edge)
            case All():
                yield Step("every pair", expr.span)
            case _:
                yield Step(f"the rule `{expr.span.text}`", expr.span)

    def _path(self, left: EdgeExpr, right: EdgeExpr, edge: _Edge, span: Span) -> Iterator[Step]:
        """The first unit, in the order of the units, that a path of two edges goes through; `@` knows no relations."""
        first, second = self.sets.bound_edges(left), self.sets.bound_edges(right)
        for middle in _ends(second, edge.target):
            before, after = _Edge(edge.source, middle), _Edge(middle, edge.target)
            if _has(first, before):
                yield Step(f"the path `{edge.source} -> {middle} -> {edge.target}`", span)
                yield from self.steps(left, _found(first, before), first.sources, first.targets)
                yield from self.steps(right, _found(second, after), second.sources, second.targets)
                return

    def _contains(self, expr: EdgeExpr, edge: _Edge, sources: NodeSet, targets: NodeSet) -> bool:
        return _has(self.sets.whole_or_on(expr, sources, targets), edge)


def _row(nodes: NodeSet, key: Key) -> int:
    wanted = string_array([key]) if isinstance(key, str) else np.array([key], dtype=np.int64)
    return int(nodes.find(wanted)[0])


def _ends(edges: EdgeSet, target: Key) -> list[Key]:
    """The sources of the edges into a unit."""
    row = _row(edges.targets, target)
    start, stop = np.searchsorted(edges.row, [row, row + 1])
    return [_plain(key) for key in edges.sources.keys[edges.column[start:stop]]]


def _places(edges: EdgeSet, edge: _Edge) -> Positions:
    """Where a pair stands in an edge set, in any relation."""
    row, column = _row(edges.targets, edge.target), _row(edges.sources, edge.source)
    start, stop = np.searchsorted(edges.row, [row, row + 1])
    if row < 0 or column < 0:
        return np.zeros(0, dtype=np.int64)
    places: Positions = np.flatnonzero(edges.column[start:stop] == column) + start
    return places


def _relation(edges: EdgeSet, place: int) -> str | None:
    code = -1 if edges.relations is None else int(edges.relations.codes[place])
    return None if code < 0 or edges.relations is None else edges.relations.names[code]


def _found(edges: EdgeSet, edge: _Edge) -> _Edge:
    """The edge with its relation, where the set has relations: of a pair without one the first."""
    places = _places(edges, edge)
    if edge.typed or edges.relations is None or not len(places):
        return edge
    return replace(edge, typed=True, relation=_relation(edges, int(places[0])))


def _has(edges: EdgeSet, edge: _Edge) -> bool:
    places = _places(edges, edge)
    return any(not edge.typed or _relation(edges, int(place)) == edge.relation for place in places)
