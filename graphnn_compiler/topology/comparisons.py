"""The comparisons in the losses and metrics of a plan, and the words for them that the stages after it use.

Input: losses and metrics. Output: their comparisons. Not for: computing them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.model.comparisons import COMPARISONS as COMPARISONS
from graphnn_compiler.model.comparisons import FROM_LOGITS as FROM_LOGITS
from graphnn_compiler.model.comparisons import OF_DECISIONS as OF_DECISIONS
from graphnn_compiler.model.comparisons import OF_PROBABILITIES as OF_PROBABILITIES
from graphnn_compiler.model.comparisons import RANGES as RANGES
from graphnn_compiler.model.comparisons import SCORES as SCORES
from graphnn_compiler.model.comparisons import works_from as works_from
from graphnn_compiler.topology.plan import Compared, Penalty, ScalarExpr, Sum, Weighted


def compared(expr: ScalarExpr) -> list[Compared]:
    """Every comparison in a loss or metric, from left to right."""
    match expr:
        case Compared():
            return [expr]
        case Penalty():
            return []
        case Weighted(term=term):
            return compared(term)
        case Sum(terms=terms):
            return [one for term in terms for one in compared(term)]


def number_outside(name: str, values: NDArray) -> int:
    """How many of the values a comparison does not take; NaN, a missing value, is none of them."""
    if name not in RANGES:
        return 0
    return int(np.sum((values < 0) | (values > RANGES[name].high)))


def has_scores(expr: ScalarExpr) -> bool:
    """Whether a metric is made of numbers of all samples together, which are no means and have no variable."""
    return any(one.name in SCORES for one in compared(expr))
