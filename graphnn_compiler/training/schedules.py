"""Schedules: by what the learning rate is multiplied, as a function of how far training has come.

Input: the numbers of steps and epochs done. Output: a factor. A schedule is a pure function of the two counts, so that
a training that is resumed needs nothing but these. Not for: the rate itself, which is the optimiser's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from graphnn_compiler.training.refusals import require, require_choice

Unit = Literal["epoch", "step"]


class Schedule(Protocol):
    """What training asks of a schedule."""

    def factor(self, steps: int, epochs: int) -> float:
        """What to multiply the rate by in the step that follows so many steps and whole epochs."""


def _check_unit(unit: str) -> None:
    require_choice("unit of a schedule", unit, get_args(Unit))


@dataclass(frozen=True)
class Constant:
    """The rate as it is."""

    def factor(self, steps: int, epochs: int) -> float:
        return 1.0


@dataclass(frozen=True)
class StepDecay:
    """factor ^ floor(t / every): the rate is multiplied by `by` after every so many epochs (or steps)."""

    by: float
    every: int
    unit: Unit = "epoch"

    def __post_init__(self) -> None:
        _check_unit(self.unit)
        require(self.by > 0, f"`by` is a positive number, not {self.by}")
        require(self.every > 0, f"`every` is a positive number, not {self.every}")

    def factor(self, steps: int, epochs: int) -> float:
        return self.by ** ((epochs if self.unit == "epoch" else steps) // self.every)


@dataclass(frozen=True)
class Exponential:
    """by ^ t: the rate is multiplied by `by` after each epoch (or step)."""

    by: float
    unit: Unit = "epoch"

    def __post_init__(self) -> None:
        _check_unit(self.unit)
        require(self.by > 0, f"`by` is a positive number, not {self.by}")

    def factor(self, steps: int, epochs: int) -> float:
        return self.by ** (epochs if self.unit == "epoch" else steps)


@dataclass(frozen=True)
class Cosine:
    """floor + (1 - floor) (1 + cos(pi t / length)) / 2, and `floor` after `length` epochs (or steps).

    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, arXiv:1608.03983,
    equation 5, without restarts.
    """

    length: int
    floor: float = 0.0
    unit: Unit = "epoch"

    def __post_init__(self) -> None:
        _check_unit(self.unit)
        require(self.length > 0, f"`length` is a positive number, not {self.length}")
        require(0 <= self.floor <= 1, f"`floor` is from 0 to 1, not {self.floor}")

    def factor(self, steps: int, epochs: int) -> float:
        done = min((epochs if self.unit == "epoch" else steps) / self.length, 1.0)
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Warmup:
    """(t + 1) / length for the first `length` steps (or epochs), times what the schedule `then` says all along.

    P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, arXiv:1706.02677, section 2.2.
    """

    length: int
    then: Schedule = field(default_factory=Constant)
    unit: Unit = "step"

    def __post_init__(self) -> None:
        _check_unit(self.unit)
        require(self.length > 0, f"`length` is a positive number, not {self.length}")

    def factor(self, steps: int, epochs: int) -> float:
        done = epochs if self.unit == "epoch" else steps
        return min(1.0, (done + 1) / self.length) * self.then.factor(steps, epochs)
