"""Every edge and node expression of a model, each object once.

Not for: the order of evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphnn_compiler.model.column_rules import Group, GroupMembers, Match, Nearest, Pairs, Top, Within
from graphnn_compiler.model.columns import ColumnExpr, Measure, walk
from graphnn_compiler.model.distance_rules import Closure, Hops, LevelEdges, LevelNodes, Walks
from graphnn_compiler.model.types import (
    Bounded,
    EdgeEnds,
    EdgeExpr,
    EdgeOperation,
    FilteredEdges,
    FilteredNodes,
    Model,
    NodeExpr,
    RandomDegree,
    RandomPairs,
    RelationEdges,
    Reverse,
    Shuffled,
    Sym,
)


def edge_expressions(model: Model) -> Iterator[EdgeExpr]:
    """Every edge expression that a clause or an assert uses, sub-expressions included."""
    seen: set[int] = set()
    roots: list[object] = [clause.rule for layer in model.layers for clause in layer.clauses]
    roots += [layer.shape.units for layer in model.layers if layer.shape]
    roots += [check.condition for check in model.asserts]
    pending = roots[::-1]
    while pending:
        part = pending.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        pending += _children(part)[::-1]
        if isinstance(part, EdgeExpr):
            yield part


def _children(part: object) -> list[EdgeExpr | NodeExpr | ColumnExpr]:
    match part:
        case EdgeOperation(left=left, right=right):
            return [left, right]
        case Shuffled(base=base) | Sym(base=base) | Reverse(base=base) | RelationEdges(base=base):
            return [base]
        case FilteredEdges(base=base, predicate=predicate):
            return [base, predicate]
        case FilteredNodes(base=nodes, predicate=predicate):
            return [nodes, predicate]
        case Bounded(base=base, sources=sources, targets=targets):
            return [base, sources, targets]
        case RandomDegree(among=among):
            return [among] if among is not None else []
        case RandomPairs(p=p, among=among):
            return [*([among] if among is not None else []), *([] if isinstance(p, float) else [p])]
        case EdgeEnds(edges=edges):
            return [edges]
        case Hops(base=base) | Walks(base=base) | Closure(base=base):
            return [base]
        case LevelNodes(levels=levels) | LevelEdges(levels=levels):
            return [levels.base]
        case Within(at=at) | Nearest(at=at):
            return [*at]
        case Match(equations=equations):
            return [side for equation in equations for side in equation]
        case Pairs(predicate=predicate):
            return [predicate]
        case Top(base=base, by=by):
            return [base, by]
        case Group(base=nodes, by=by):
            return [nodes, by]
        case GroupMembers(group=group):
            return [group]
    if isinstance(part, ColumnExpr):
        return [node.argument for node in walk(part) if isinstance(node, Measure)]
    return []
