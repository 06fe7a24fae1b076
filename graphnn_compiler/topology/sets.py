"""Node and edge expressions of a model to node and edge sets.

Input: expressions, and the data they read. Output: `NodeSet` and `EdgeSet`. Bound expressions are evaluated once,
whole; open ones on the units of each use. Not for: layers.
"""

from __future__ import annotations

from typing import TypeVar, assert_never

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count
from graphnn_compiler.model.binding import bound
from graphnn_compiler.model.column_rules import Group, GroupMembers, Match, Nearest, Pairs, Top, Within
from graphnn_compiler.model.columns import ColumnExpr, Measure
from graphnn_compiler.model.distance_rules import Closure, Hops, LevelEdges, LevelNodes, Walks
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
    RandomPairs,
    RelationEdges,
    Reverse,
    Same,
    Shuffled,
    Stencil,
    Sym,
    Table,
)
from graphnn_compiler.topology import column_rules, columns, random_sets, refusals
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.data import Data
from graphnn_compiler.topology.environments import Degrees, EdgeEnvironment, NodeEnvironment, degrees_of
from graphnn_compiler.topology.graph import Column, EdgeSet, NodeSet, integer_units
from graphnn_compiler.topology.measures import Measures
from graphnn_compiler.topology.origins import check_table_keys, edges_graph, nodes_graph
from graphnn_compiler.topology.path_sets import PathSets
from graphnn_compiler.topology.rules import algebra, group, identity, offset, stencil
from graphnn_compiler.topology.rules.limits import check_edges

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
        self.refused = Refused()
        self.measures = Measures(self)
        self._paths = PathSets(self)

    # -------------------------------------------------------------- node sets

    def nodes(self, expr: NodeExpr) -> NodeSet:
        """The node set of an expression; one object for one expression."""
        known = self._nodes.get(id(expr))
        if known is None:
            with self.refused.once(expr):
                known = self._nodes[id(expr)] = (expr, self._evaluate_nodes(expr))
        return known[1]

    def _evaluate_nodes(self, expr: NodeExpr) -> NodeSet:
        match expr:
            case IntegerUnits(size=size):
                if size > self.max_edges:
                    message = f"{count(size, 'unit')} are above the limit of {self.max_edges:,}, that of edges"
                    reject("E308", message, expr.span, help="raise the limit with `--max-edges` if so many are meant")
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
            case Group():
                return group.groups(self._group_keys(expr))
            case LevelNodes():
                return self._paths.level_nodes(expr)
            case _:
                assert_never(expr)

    def _group_keys(self, expr: Group) -> NDArray:
        return column_rules.group_keys(expr, self._node_environment(self.nodes(expr.base), expr.base))

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

        def measure(asked: Measure) -> Column:
            return self.measures.aligned(asked, nodes)

        if graph is None:
            return NodeEnvironment(nodes, measures=measure)

        def degrees() -> Degrees:
            return degrees_of(self.data.graph(graph).edges, nodes)

        return NodeEnvironment(nodes, degrees, measure, lambda name: self.measures.of_graph(graph, name, nodes))

    # -------------------------------------------------------------- edge sets

    def clause_edges(self, expr: EdgeExpr, sources: NodeSet, targets: NodeSet) -> tuple[EdgeSet, int]:
        """The edges of a clause between the units of its source and its layer, and how many were left out."""
        if not bound(expr):
            return self.open_edges(expr, sources, targets), 0
        found = self.bound_edges(expr)
        check_table_keys(expr, found, sources, targets)
        with located(expr.span):
            placed, left_out = algebra.restrict(found, sources, targets)
        return placed, left_out + self._left_out.get(id(expr), 0)

    def bound_edges(self, expr: EdgeExpr) -> EdgeSet:
        """The edge set of a bound expression, whole; one object for one expression."""
        known = self._edges.get(id(expr))
        if known is None:
            with self.refused.once(expr), located(expr.span):
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
            case RandomDegree(among=among) | RandomPairs(among=among):
                assert among is not None
                pool = self.bound_edges(among)
                return self._random(expr, pool.sources, pool.targets)
            case Shuffled():
                return random_sets.shuffled_edges(expr, self)
            case Top(base=base):
                edges = self.bound_edges(base)
                return column_rules.top_edges(expr, edges, self.edge_environment(edges, base))
            case GroupMembers(group=grouping):
                return group.members(self.nodes(grouping.base), self._group_keys(grouping), self.nodes(grouping))
            case Hops() | Walks() | Closure() | LevelEdges():
                return self._paths.edges(expr)
            case EdgeOperation():
                return self._operation(expr)
            case All() | Same() | OneToOne() | Offset() | Stencil() | Within() | Nearest() | Match() | Pairs():
                raise AssertionError("an open edge set has no units of its own")
            case _:
                assert_never(expr)

    def open_edges(self, expr: EdgeExpr, sources: NodeSet, targets: NodeSet) -> EdgeSet:
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
            case Stencil(offsets=offsets, shape=shape, wrap=wrap):
                if shape is None:
                    steps = [step for (step,) in offsets]
                    return stencil.steps(sources, targets, steps, wrap=wrap, max_edges=self.max_edges)
                return stencil.grid_steps(sources, targets, offsets, shape, wrap=wrap, max_edges=self.max_edges)
            case RandomDegree() | RandomPairs():
                return self._random(expr, sources, targets)
            case Within() | Nearest() | Match() | Pairs():
                ends = self._node_environment(sources, None), self._node_environment(targets, None)
                return column_rules.open_edges(expr, *ends, self.max_edges)
            case Reverse(base=base):
                return algebra.reverse(self.open_edges(base, targets, sources))
            case FilteredEdges(base=base, predicate=predicate):
                return self._filtered(self.open_edges(base, sources, targets), base, predicate)
            case RelationEdges(base=base, relation=relation):
                return algebra.relation(self.open_edges(base, sources, targets), relation)
            case EdgeOperation(operator=operator, left=left, right=right):
                return self._joined(operator, left, right, sources, targets)
            case GraphEdges() | Table() | Bounded() | Shuffled() | Sym() | Top() | GroupMembers():
                raise AssertionError("a bound edge set is evaluated whole")
            case Hops() | Walks() | Closure() | LevelEdges():
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
            return self.whole_or_on(right, sources, targets)
        if operator == "&" and isinstance(right, All):
            return self.whole_or_on(left, sources, targets)
        first, second = self.whole_or_on(left, sources, targets), self.whole_or_on(right, sources, targets)
        match operator:
            case "|":
                return algebra.union(first, second)
            case "&":
                return algebra.intersection(first, second)
            case _:
                return algebra.difference(first, second)

    def whole_or_on(self, expr: EdgeExpr, sources: NodeSet, targets: NodeSet) -> EdgeSet:
        """A bound expression whole, an open one on the given units."""
        return self.bound_edges(expr) if bound(expr) else self.open_edges(expr, sources, targets)

    def _filtered(self, edges: EdgeSet, base: EdgeExpr, predicate: ColumnExpr) -> EdgeSet:
        return edges.take(columns.truth(predicate, self.edge_environment(edges, base), len(edges)))

    def edge_environment(self, edges: EdgeSet, base: EdgeExpr) -> EdgeEnvironment:
        """What expressions over the columns of the edges of `base` see."""
        graph = edges_graph(base)
        owner = None if graph is None else GraphNodes(graph, span=base.span)
        return EdgeEnvironment(
            edges, self._node_environment(edges.sources, owner), self._node_environment(edges.targets, owner)
        )

    def _random(self, expr: RandomDegree | RandomPairs, sources: NodeSet, targets: NodeSet) -> EdgeSet:
        if isinstance(expr, RandomPairs):
            return random_sets.by_probability(expr, self, sources, targets)
        return random_sets.by_degree(expr, self, sources, targets)
