"""Whether an edge set has units of its own.

Input: an edge expression. Output: true for a bound one, false for an open one, which takes the units of each use. Not
for: evaluating.
"""

from __future__ import annotations

from graphnn_compiler.model.column_rules import GroupMembers, Match, Nearest, Pairs, Top, Within
from graphnn_compiler.model.distance_rules import Closure, Hops, LevelEdges, Walks
from graphnn_compiler.model.types import (
    All,
    Bounded,
    EdgeExpr,
    EdgeOperation,
    FilteredEdges,
    GraphEdges,
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


def bound(edges: EdgeExpr) -> bool:
    """Whether an edge set has units of its own; open ones take those of each use.

    The answer is kept with the set: sets are made from sets, and asking each anew would take exponential time.
    """
    known = vars(edges).get("_bound")
    if known is None:
        known = _is_bound(edges)
        object.__setattr__(edges, "_bound", known)
    return bool(known)


def _is_bound(edges: EdgeExpr) -> bool:
    match edges:
        case GraphEdges() | Table() | Bounded() | Top() | GroupMembers() | Hops() | Walks() | Closure() | LevelEdges():
            return True
        case All() | Same() | OneToOne() | Offset() | Stencil() | Within() | Nearest() | Match() | Pairs():
            return False
        case RandomDegree(among=among) | RandomPairs(among=among):
            return among is not None and bound(among)
        case Shuffled(base=base) | Sym(base=base) | Reverse(base=base):
            return bound(base)
        case RelationEdges(base=base) | FilteredEdges(base=base):
            return bound(base)
        case EdgeOperation(left=left, right=right):
            return bound(left) or bound(right)
