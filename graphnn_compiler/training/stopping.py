"""Early stopping: end a training that no longer gets better, and go back to its best weights.

Input: what was asked for. Output: `Watch`, which says of a score whether it is better. Not for: the scores, counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from graphnn_compiler.arguments import comparisons
from graphnn_compiler.topology.plan import Plan
from graphnn_compiler.training.refusals import require, require_choice

VALIDATION = "val_"
"""What stands before the name of a score on validation data."""

LOSS = "loss"
"""The name of the sum of all losses among the scores."""

_LOWER_IS_BETTER = frozenset({"mse", "mae", "huber", "poisson", "cross_entropy", "binary_cross_entropy"})


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `metric` was not better than before for `patience` epochs; the weights of the best epoch are kept.

    `metric` is a name of `Epoch.scores`, such as "val_loss" or "val_acc"; None is "val_loss" with validation data, else
    "loss". `mode` says whether less or more is better; None finds out: less for losses and for metrics that measure an
    error. Better is better by more than `least`. L. Prechelt, "Early stopping - but when?", 1998.
    """

    metric: str | None = None
    patience: int = 10
    mode: Literal["min", "max"] | None = None
    least: float = 0.0

    def __post_init__(self) -> None:
        require(self.patience > 0, f"the patience is a positive number of epochs, not {self.patience}")
        require(self.least >= 0, f"`least` is no negative number, as {self.least} is")
        if self.mode is not None:
            require_choice("mode", self.mode, ("min", "max"))


@dataclass(frozen=True)
class Watch:
    """The score that decides, whether less of it is better, by how much at least, and how many epochs to wait."""

    metric: str
    lower: bool
    least: float
    patience: int

    def improves(self, score: float, best: float | None) -> bool:
        """Whether a score is better than the best so far."""
        return best is None or (best - score if self.lower else score - best) > self.least


def watch(stopping: EarlyStopping, plan: Plan, known: list[str], validated: bool) -> Watch:
    """What to look at, given the names of the scores that there will be. ValueError for another name."""
    metric = stopping.metric or (f"{VALIDATION}{LOSS}" if validated else LOSS)
    require_choice("score", metric, known)
    lower = is_lower_better(plan, metric) if stopping.mode is None else stopping.mode == "min"
    return Watch(metric, lower, stopping.least, stopping.patience)


def is_lower_better(plan: Plan, metric: str) -> bool:
    """Whether less of a score of `Epoch.scores` is better, as of losses and of metrics that measure an error."""
    name = metric if metric in {goal.name for goal in plan.objectives} else metric.removeprefix(VALIDATION)
    found = [(goal.kind, one.name) for goal, one in comparisons(plan) if goal.name == name]
    return name == LOSS or any(kind == "loss" or what in _LOWER_IS_BETTER for kind, what in found)
