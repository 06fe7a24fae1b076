"""What an adapter gives for one formulation of the layer on one problem."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layer:
    """`forward()` gives y, `both()` gives y, gw, gb and gx; both return when the numbers are there.

    `numpy` brings a y, or the four, into the layout of the problem: y and gx (units, batch), gw (E,), gb (units,).
    """

    forward: Callable[[], Any]
    both: Callable[[], Sequence[Any]]
    numpy: Callable[[Sequence[Any]], list[NDArray]]


def plain(results: Sequence[Any]) -> list[NDArray]:
    """Results that have the layout of the problem already."""
    return [np.asarray(result) for result in results]


def batch_major(results: Sequence[Any]) -> list[NDArray]:
    """y and gx are (batch, units)."""
    arrays = plain(results)
    return [array.T if array.ndim == 2 else array for array in arrays]


@dataclass(frozen=True)
class Training:
    """A network in training: `step()` takes one step and gives the loss before it, `values()` every parameter."""

    step: Callable[[], Any]
    values: Callable[[], dict[str, NDArray]]


def timed(action: Callable[[], Any], seconds: float, calls: int) -> list[float]:
    """Seconds of each call, after one that does not count: for `seconds` in all, and `calls` at least."""
    action()
    times: list[float] = []
    while len(times) < calls or (sum(times) < seconds and len(times) < 1000):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return times
