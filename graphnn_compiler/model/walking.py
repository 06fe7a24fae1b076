"""Every edge and node expression of a model, each object once.

Not for: the order of evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphnn_compiler.model.columns import ColumnExpr, Measure, walk
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
    RelationEdges,
    Reverse,
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
        case Sym(base=base) | Reverse(base=base) | RelationEdges(base=base):
            return [base]
        case FilteredEdges(base=base, predicate=predicate):
            return [base, predicate]
        case FilteredNodes(base=nodes, predicate=predicate):
            return [nodes, predicate]
        case Bounded(base=base, sources=sources, targets=targets):
            return [base, sources, targets]
        case RandomDegree(among=among):
            return [among] if among is not None else []
        case EdgeEnds(edges=edges):
            return [edges]
    if isinstance(part, ColumnExpr):
        return [node.argument for node in walk(part) if isinstance(node, Measure)]
    return []
