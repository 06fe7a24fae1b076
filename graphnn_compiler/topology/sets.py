"""Node and edge expressions of a model to node and edge sets.

Input: expressions, and the data they read. Output: `NodeSet` and `EdgeSet`. Bound expressions are evaluated once,
whole; open ones on the units of each use. Not for: layers.
"""

from __future__ import annotations

from typing import TypeVar, assert_never

import numpy as np

from graphnn_compiler.model.columns import ColumnExpr, Measure
from graphnn_compiler.model.rejection import Refused, reject
from graphnn_compiler.model.types import (
    All,
    Bounded,
    EdgeEnds,
    EdgeExpr,
    EdgeOperation,
    FilteredEdges,
    FilteredNodes,
    GraphEdges,
    GraphNodes,
    IntegerUnits,
    NodeExpr,
    Offset,
    OneToOne,
    RandomDegree,
    RelationEdges,
    Reverse,
    Same,
    Sym,
    Table,
    bound,
)
from graphnn_compiler.topology import columns, refusals
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.data import Data
from graphnn_compiler.topology.environments import Degrees, EdgeEnvironment, NodeEnvironment, acyclic, degrees_of
from graphnn_compiler.topology.graph import Column, EdgeSet, NodeSet, integer_units
from graphnn_compiler.topology.origins import check_table_keys, edges_graph, nodes_graph
from graphnn_compiler.topology.rules import algebra, identity, offset, random
from graphnn_compiler.topology.rules.limits import check_edges
from graphnn_compiler.topology.streams import Stream

Result = TypeVar("Result")


class Sets:
    """Evaluates the node and edge expressions of one model; `seed` is the build's."""

    def __init__(self, data: Data, seed: int, max_edges: int) -> None:
        self.data = data
        self.seed = seed
        self.max_edges = max_edges
        self._nodes: dict[int, tuple[NodeExpr, NodeSet]] = {}
        self._edges: dict[int, tuple[EdgeExpr, EdgeSet]] = {}
        self._left_out: dict[int, int] = {}
        self._opened: dict[tuple[int, int, int], tuple[EdgeExpr, EdgeSet]] = {}
        self._refused = Refused()

    # -------------------------------------------------------------- node sets

    def nodes(self, expr: NodeExpr) -> NodeSet:
        """The node set of an expression; one object for one expression."""
        known = self._nodes.get(id(expr))
        if known is None:
            with self._refused.once(expr):
                known = self._nodes[id(expr)] = (expr, self._evaluate_nodes(expr))
        return known[1]

    def _evaluate_nodes(self, expr: NodeExpr) -> NodeSet:
        match expr:
            case IntegerUnits(size=size):
                check = "an integer size"
                with located(expr.span):
                    check_edges(check, size, self.max_edges)
                return integer_units(size)
            case GraphNodes():
                return self._graph_nodes(expr)
            case FilteredNodes(base=base, predicate=predicate):
                nodes = self.nodes(base)
                keep = columns.truth(predicate, self._node_environment(nodes, base), len(nodes))
                if not keep.any():
                    refusals.nobody_passes(nodes, predicate)
                return nodes.take(keep)
            case EdgeEnds(edges=edges, side=side):
                found = self.bound_edges(edges)
                units, place = (found.sources, found.column) if side == "sources" else (found.targets, found.row)
                return units.take(np.bincount(place, minlength=len(units)) > 0)
            case _:
                assert_never(expr)

    def _graph_nodes(self, expr: GraphNodes) -> NodeSet:
        graph = self.data.graph(expr.graph)
        if expr.side == "nodes" and graph.bipartite:
            help = f"write `{expr.graph.name}.sources` or `{expr.graph.name}.targets`"
            reject("E252", "this graph is a matrix that is not square and has two node sets", expr.span, help=help)
        nodes = graph.targets if expr.side == "targets" else graph.sources
        if not len(nodes):
            reject("E254", f"graph `{expr.graph.name}` has no nodes", expr.span)
        return nodes

    def _node_environment(self, nodes: NodeSet, expr: NodeExpr | None) -> NodeEnvironment:
        graph = nodes_graph(expr)
        if graph is None:
            return NodeEnvironment(nodes, measures=lambda measure: self._aligned_measure(measure, nodes))

        def degrees() -> Degrees:
            return degrees_of(self.data.graph(graph).edges, nodes)

        return NodeEnvironment(nodes, degrees, lambda measure: self._aligned_measure(measure, nodes))

    def _aligned_measure(self, measure: Measure, nodes: NodeSet) -> Column:
        """`in_degree(R)` in the brackets of a node set: of those nodes."""
        if measure.function not in ("in_degree", "out_degree"):
            return self.measure(measure)
        assert not isinstance(measure.argument, NodeExpr)
        return Column(degrees_of(self.bound_edges(measure.argument), nodes)[measure.function])

    # -------------------------------------------------------------- measures, for asserts

    def measure(self, measure: Measure) -> Column:
        """`count(..)`, `in_degree(R)` over R's targets, `out_degree(R)` over its sources, `acyclic(R)`."""
        if isinstance(measure.argument, NodeExpr):
            return Column(np.asarray(len(self.nodes(measure.argument))))
        edges = self.bound_edges(measure.argument)
        match measure.function:
            case "count":
                return Column(np.asarray(len(edges)))
            case "acyclic":
                return Column(np.asarray(acyclic(edges)))
            case "in_degree":
                return Column(np.bincount(edges.row, minlength=len(edges.targets)))
            case _:
                return Column(np.bincount(edges.column, minlength=len(edges.sources)))

    def measured_units(self, measure: Measure) -> NodeSet:
        """The units that the values of `in_degree(R)` or `out_degree(R)` stand for."""
        assert not isinstance(measure.argument, NodeExpr)
        edges = self.bound_edges(measure.argument)
        return edges.sources if measure.function == "out_degree" else edges.targets

    # -------------------------------------------------------------- edge sets

    def clause_edges(self, expr: EdgeExpr, sources: NodeSet, targets: NodeSet) -> tuple[EdgeSet, int]:
        """The edges of a clause between the units of its source and its layer, and how many were left out."""
        if not bound(expr):
            return self._open(expr, sources, targets), 0
        found = self.bound_edges(expr)
        check_table_keys(expr, found, sources, targets)
        with located(expr.span):
            placed, left_out = algebra.restrict(found, sources, targets)
        return placed, left_out + self._left_out.get(id(expr), 0)

    def bound_edges(self, expr: EdgeExpr) -> EdgeSet:
        """The edge set of a bound expression, whole; one object for one expression."""
        known = self._edges.get(id(expr))
        if known is None:
            with self._refused.once(expr), located(expr.span):
                known = self._edges[id(expr)] = (expr, self._evaluate_bound(expr))
        return known[1]

    def _evaluate_bound(self, expr: EdgeExpr) -> EdgeSet:
        match expr:
            case GraphEdges(graph=graph):
                return self.data.graph(graph).edges
            case Table(data=data):
                return self.data.table(data).edges
            case Bounded(base=base, sources=sources, targets=targets):
                edges, self._left_out[id(expr)] = self.clause_edges(base, self.nodes(sources), self.nodes(targets))
                return edges
            case Sym(base=base):
                return algebra.sym(self.bound_edges(base))
            case Reverse(base=base):
                return algebra.reverse(self.bound_edges(base))
            case RelationEdges(base=base, relation=relation):
                return algebra.relation(self.bound_edges(base), relation)
            case FilteredEdges(base=base, predicate=predicate):
                return self._filtered(self.bound_edges(base), base, predicate)
            case RandomDegree(among=among):
                assert among is not None
                pool = self.bound_edges(among)
                return self._random(expr, pool.sources, pool.targets)
            case EdgeOperation():
                return self._operation(expr)
            case All() | Same() | OneToOne() | Offset():
                raise AssertionError("an open edge set has no units of its own")
            case _:
                assert_never(expr)

    def _open(self, expr: EdgeExpr, sources: NodeSet, targets: NodeSet) -> EdgeSet:
        """An edge expression on given units; parts of it that are bound are restricted to them."""
        if bound(expr):
            return self.clause_edges(expr, sources, targets)[0]
        key = (id(expr), id(sources), id(targets))
        known = self._opened.get(key)
        if known is None:
            with located(expr.span):
                known = (expr, self._evaluate_open(expr, sources, targets))
        if isinstance(expr, EdgeOperation):
            # sets are made from sets: without this, doubling `e2 = e1 | e1` n times would take 2**n evaluations
            self._opened[key] = known
        return known[1]

    def _evaluate_open(self, expr: EdgeExpr, sources: NodeSet, targets: NodeSet) -> EdgeSet:
        match expr:
            case All():
                check_edges("`all`", len(sources) * len(targets), self.max_edges)
                return identity.every_pair(sources, targets)
            case Same():
                return identity.same(sources, targets)
            case OneToOne():
                return identity.one_to_one(sources, targets)
            case Offset(low=low, high=high, wrap=wrap):
                return offset.offset(sources, targets, low, high, wrap=wrap, max_edges=self.max_edges)
            case RandomDegree():
                return self._random(expr, sources, targets)
            case Reverse(base=base):
                return algebra.reverse(self._open(base, targets, sources))
            case FilteredEdges(base=base, predicate=predicate):
                return self._filtered(self._open(base, sources, targets), base, predicate)
            case RelationEdges(base=base, relation=relation):
                return algebra.relation(self._open(base, sources, targets), relation)
            case EdgeOperation(operator=operator, left=left, right=right):
                return self._joined(operator, left, right, sources, targets)
            case GraphEdges() | Table() | Bounded() | Sym():
                raise AssertionError("a bound edge set is evaluated whole")
            case _:
                assert_never(expr)

    # -------------------------------------------------------------- operators and rules

    def _operation(self, expr: EdgeOperation) -> EdgeSet:
        """`| & - @` where at least one operand is bound; an open one takes the other's units."""
        left, right = expr.left, expr.right
        if not bound(right):
            domain = self.bound_edges(left)
            return self._joined(expr.operator, left, right, domain.sources, domain.targets)
        if not bound(left):
            domain = self.bound_edges(right)
            return self._joined(expr.operator, left, right, domain.sources, domain.targets)
        first, second = self.bound_edges(left), self.bound_edges(right)
        match expr.operator:
            case "|":
                return algebra.union(first, second)
            case "&":
                return algebra.intersection(first, second)
            case "-":
                return algebra.difference(first, second)
            case "@":
                return algebra.compose(first, second, max_edges=self.max_edges)

    def _joined(self, operator: str, left: EdgeExpr, right: EdgeExpr, sources: NodeSet, targets: NodeSet) -> EdgeSet:
        """`left operator right` on given units, without building `all` where the other operand decides."""
        if operator == "&" and isinstance(left, All):
            return self._on(right, sources, targets)
        if operator == "&" and isinstance(right, All):
            return self._on(left, sources, targets)
        first, second = self._on(left, sources, targets), self._on(right, sources, targets)
        match operator:
            case "|":
                return algebra.union(first, second)
            case "&":
                return algebra.intersection(first, second)
            case _:
                return algebra.difference(first, second)

    def _on(self, expr: EdgeExpr, sources: NodeSet, targets: NodeSet) -> EdgeSet:
        return self.bound_edges(expr) if bound(expr) else self._open(expr, sources, targets)

    def _filtered(self, edges: EdgeSet, base: EdgeExpr, predicate: ColumnExpr) -> EdgeSet:
        graph = edges_graph(base)
        owner = None if graph is None else GraphNodes(graph, span=base.span)
        environment = EdgeEnvironment(
            edges, self._node_environment(edges.sources, owner), self._node_environment(edges.targets, owner)
        )
        return edges.take(columns.truth(predicate, environment, len(edges)))

    def _random(self, expr: RandomDegree, sources: NodeSet, targets: NodeSet) -> EdgeSet:
        seed = self.seed if expr.seed is None else expr.seed
        candidates = excluded = None
        among = expr.among
        if isinstance(among, EdgeOperation) and among.operator == "-" and isinstance(among.left, All):
            excluded = self._open(among.right, sources, targets)
        elif among is not None and not isinstance(among, All):
            candidates = self._open(among, sources, targets)
        degrees = self._degrees(expr, targets, Stream(seed, "in_degree", expr.stream))
        wanted = int(np.minimum(degrees, len(sources)).sum())
        check_edges("`random`", wanted, self.max_edges)
        return random.random_in_degree(
            sources,
            targets,
            degrees,
            stream=Stream(seed, "edges", expr.stream),
            candidates=candidates,
            excluded=excluded,
            shortfall=expr.shortfall,
        )

    def _degrees(self, expr: RandomDegree, targets: NodeSet, stream: Stream) -> np.ndarray:
        degree = expr.degree
        if isinstance(degree, int):
            return np.full(len(targets), degree, dtype=np.int64)
        if isinstance(degree, tuple):
            return random.draw_degrees(targets, *degree, stream)
        environment = NodeEnvironment(targets)
        values = columns.numbers(degree, environment, len(targets), "the in-degree", lambda: targets.keys)
        if np.any(values != np.floor(values)) or np.any(values < 0):
            refusals.no_degrees(values, targets, degree.span)
        return values.astype(np.int64)
