"""What an expression goes back to: the graph that nodes or edges are selected from, the table whose keys must match.

Input: node and edge expressions. Output: the `Read` behind them; refusals of strange keys. Not for: evaluating.
"""

from __future__ import annotations

import numpy as np

from graphnn_compiler.model.column_rules import Top
from graphnn_compiler.model.distance_rules import Closure, Hops, LevelEdges, Walks
from graphnn_compiler.model.types import (
    Bounded,
    EdgeExpr,
    EdgeOperation,
    FilteredEdges,
    FilteredNodes,
    GraphEdges,
    GraphNodes,
    NodeExpr,
    Read,
    RelationEdges,
    Reverse,
    Sym,
    Table,
)
from graphnn_compiler.topology import refusals
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.graph import EdgeSet, NodeSet
from graphnn_compiler.topology.rules.align import place_units


def nodes_graph(expr: NodeExpr | None) -> Read | None:
    """The graph whose nodes a node expression selects from, if it is one."""
    match expr:
        case GraphNodes(graph=graph):
            return graph
        case FilteredNodes(base=base):
            return nodes_graph(base)
        case _:
            return None


def edges_graph(expr: EdgeExpr) -> Read | None:
    """The first graph whose edges an edge expression selects from, if there is one."""
    pending, seen = [expr], set()
    while pending:
        part = pending.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        match part:
            case GraphEdges(graph=graph):
                return graph
            case Sym(base=base) | Reverse(base=base) | RelationEdges(base=base) | FilteredEdges(base=base):
                pending.append(base)
            case Bounded(base=base) | Top(base=base) | Hops(base=base) | Walks(base=base) | Closure(base=base):
                pending.append(base)
            case LevelEdges(levels=levels):
                pending.append(levels.base)
            case EdgeOperation(left=left, right=right):
                pending += [right, left]
            case _:
                pass
    return None


def check_table_keys(expr: EdgeExpr, edges: EdgeSet, sources: NodeSet, targets: NodeSet) -> None:
    """Refuse a table with keys that are no units of where it is used, unless it says `missing = drop`.

    This is about a table itself, by its name or in place. An edge set computed from one (`~t`, `t @ s`, `t[..]`) is
    like a graph's: what falls outside is left out and counted.
    """
    if not isinstance(expr, Table) or expr.drop:
        return
    for units, place, among, side in (
        (edges.sources, edges.column, sources, "source"),
        (edges.targets, edges.row, targets, "target"),
    ):
        used = units.take(np.bincount(place, minlength=len(units)) > 0)
        with located(expr.span):
            strange = used.keys[place_units(used, among) < 0]
        if len(strange):
            refusals.strange_keys(strange, side, expr.data, expr.span)
