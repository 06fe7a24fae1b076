"""The functions that compare a layer with a target: their names, and which of them may stand where.

Input: nothing. Output: closed sets of words. Not for: computing them; what a target holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

LossName: TypeAlias = Literal["cross_entropy", "binary_cross_entropy", "mse", "mae", "huber", "poisson"]
"""Means with a gradient: of losses and of metrics."""

ScoreName: TypeAlias = Literal["balanced_accuracy", "f1", "auc", "average_precision", "r2", "pearson", "spearman"]
"""Numbers of all samples together, computed from arrays: of metrics only."""

ComparisonName: TypeAlias = LossName | Literal["accuracy"] | ScoreName
"""The accuracy is a mean, and has no gradient: of metrics only."""

LOSSES: tuple[LossName, ...] = get_args(LossName)
SCORES: tuple[ScoreName, ...] = get_args(ScoreName)
COMPARISONS: tuple[ComparisonName, ...] = (*LOSSES, "accuracy", *SCORES)

OF_DECISIONS = ("accuracy", "balanced_accuracy", "f1", "auc", "average_precision")
"""Those that compare with classes, or with values that are 0 or 1."""

OF_PROBABILITIES = ("auc", "average_precision")

FROM_LOGITS = MappingProxyType({"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "poisson": "exp"})
"""Those that are computed from what stands before the last activation, and the activation that may be there."""


@dataclass(frozen=True)
class Range:
    """The values that a comparison takes, in words what they are and what others are."""

    high: float
    takes: str
    others: str


RANGES = MappingProxyType(
    {
        "poisson": Range(math.inf, "counts", "below 0"),
        "binary_cross_entropy": Range(1.0, "probabilities", "outside 0 .. 1"),
    }
)
"""Comparisons that take no values below 0, nor above a bound."""


def works_from(name: str) -> str:
    """What a loss of `FROM_LOGITS` calls the values before the last activation."""
    return "log-rates" if name == "poisson" else "logits"
