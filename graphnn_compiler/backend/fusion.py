"""Which layers are computed in one pass over their edges, bias and activation included.

Input: a plan. Output: decisions; whoever emits the layers acts on them. Not for: variables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from graphnn_compiler.topology.comparisons import FROM_LOGITS
from graphnn_compiler.topology.plan import (
    Combination,
    Compared,
    Layer,
    Penalty,
    Plan,
    ScalarExpr,
    SparseClause,
    Sum,
    Weighted,
)


def is_one_dot(plan: Plan, layer: Layer) -> bool:
    """Whether a layer is a single sparse dot of numbers, before its activation."""
    if not isinstance(layer.body, Combination) or layer.normed or layer.units.channel_axis:
        return False
    if len(layer.body.clauses) != 1:
        return False
    (clause,) = layer.body.clauses
    if not isinstance(clause, SparseClause) or len(clause.parts) != 1 or plan.units[clause.source].channels != 1:
        return False
    ones = clause.weights.mode == "fixed" and clause.weights.value == 1
    return ones or clause.weights.mode in ("per_edge", "per")


def compared_by_logits(plan: Plan) -> frozenset[str]:
    """The layers of which a loss or metric takes the logits: the sums before the activation."""
    return frozenset(name for goal in plan.objectives for name in _compared_by_logits(goal.value))


def _compared_by_logits(value: ScalarExpr) -> Iterator[str]:
    match value:
        case Compared(name=name, layer=layer):
            if name in FROM_LOGITS:
                yield layer
        case Weighted(term=term):
            yield from _compared_by_logits(term)
        case Sum(terms=terms):
            for term in terms:
                yield from _compared_by_logits(term)
        case Penalty():
            pass
        case _:
            assert_never(value)
