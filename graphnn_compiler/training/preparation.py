"""How inputs are filled and scaled, fitted on the samples that are trained on, and on no other.

Input: a plan, the samples to train on, and what is asked for. Output: inputs of the plan with statistics of each unit
and channel: they travel with the plan, so that every later use fills and scales by the same numbers. Data that is
mapped from a file is read in pieces. Not for: applying them (`backend.preparation`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.arguments import unknown, value_array
from graphnn_compiler.diagnostics import Problem, count, listed
from graphnn_compiler.topology.plan import Input, Plan, Scaling
from graphnn_compiler.topology.scaling import ScalingMethod
from graphnn_compiler.training.batches import Data
from graphnn_compiler.training.refusals import require, require_choice

MissingPolicy = Literal["mean"]
METHODS = ("standardize", "row_normalize")
_NUMBERS_AT_ONCE = 1 << 22


def prepared_inputs(
    plan: Plan, data: Data, scale: Mapping[str, ScalingMethod], missing: MissingPolicy | None
) -> tuple[Input, ...]:
    """The inputs of the plan with what `scale`, by the names of inputs, and `missing` ask for.

    With `missing`, NaN in an input with a batch axis becomes the mean of its unit (and channel) over the samples that
    have a value. `standardize` takes mean and deviation of the filled values, the latter that of the population:
    sqrt(mean((x - mean)^2)). An input that neither names keeps what it has.

    ValueError for a name, method or policy that there is not, for an input without samples, and for one with numbers
    that are not finite; Problem E287 where no sample has a value.
    """
    names = [node.name for node in plan.inputs]
    for name, method in scale.items():
        require(name in names, unknown("input", name, names))
        require_choice("scaling", method, METHODS)
    require(missing in (None, "mean"), f"there is no policy `{missing}` for missing values; there is mean")
    return tuple(_prepared(plan, node, data, scale.get(node.name), missing) for node in plan.inputs)


def _prepared(
    plan: Plan, node: Input, data: Data, method: ScalingMethod | None, missing: MissingPolicy | None
) -> Input:
    fill, scaling = node.fill, node.scaling
    if missing is not None and node.name in data.batched:
        fill = _Samples(plan, node, data).mean_of_known()
    if method == "row_normalize":
        scaling = Scaling("row_normalize")
    elif method == "standardize":
        batched = node.name in data.batched
        require(batched, f"input `{node.name}` has no batch axis, so that there are no samples to standardize it by")
        scaling = _Samples(plan, node, data, fill).standardizing()
    return node if fill is node.fill and scaling is node.scaling else replace(node, fill=fill, scaling=scaling)


@dataclass(frozen=True, eq=False)
class _Samples:
    """The samples of one input, in which missing values become `fill`."""

    plan: Plan
    node: Input
    data: Data
    fill: NDArray[np.float64] | None = None

    @property
    def number(self) -> int:
        assert self.data.n_samples is not None
        return self.data.n_samples

    def pieces(self) -> Iterator[NDArray[np.float64]]:
        """The samples as the network computes with them, some at a time."""
        at_once = max(1, _NUMBERS_AT_ONCE // max(1, math.prod(self.node.units.shape)))
        label, array = f"input `{self.node.name}`", self.data.inputs[self.node.name]
        for start in range(0, self.number, at_once):
            chosen = self.data.places(np.arange(start, min(start + at_once, self.number)))
            rows = value_array(label, array[chosen], self.node.units.shape, self.plan.dtype).astype(np.float64)
            yield rows if self.fill is None else np.where(np.isnan(rows), self.fill, rows)

    def mean_of_known(self) -> NDArray[np.float64]:
        """The mean of each unit (and channel) over the samples that have a value."""
        total, known = np.zeros(self.node.units.shape), np.zeros(self.node.units.shape, np.int64)
        for rows in self.pieces():
            present = ~np.isnan(rows)
            total += np.where(present, rows, 0).sum(axis=0)
            known += present.sum(axis=0)
        self._require_known(known)
        self._require_finite(total)
        return np.asarray(total / known)

    def standardizing(self) -> Scaling:
        """Mean and deviation; the deviation of what does not vary beyond rounding is 1."""
        total = np.zeros(self.node.units.shape)
        for rows in self.pieces():
            total += rows.sum(axis=0)
        self._require_finite(total)
        mean = total / self.number
        squares = np.zeros(self.node.units.shape)
        for rows in self.pieces():
            squares += np.square(rows - mean).sum(axis=0)
        return Scaling("standardize", mean, self._deviation(mean, squares / self.number))

    def _deviation(self, mean: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
        """sqrt(variance), or 1 where that is rounding.

        The bound is scikit-learn's (`StandardScaler`), after T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for
        computing the sample variance: analysis and recommendations", The American Statistician 37 (1983).
        """
        epsilon = np.finfo(np.float64).eps
        rounding = self.number * epsilon * variance + np.square(self.number * mean * epsilon)
        deviation = np.sqrt(variance)
        tiny = np.finfo(self.plan.dtype).tiny
        return np.where((variance <= rounding) | (deviation < tiny), 1.0, deviation)

    def _require_known(self, known: NDArray[np.int64]) -> None:
        empty = np.argwhere(known == 0)
        if not len(empty):
            return
        keys = dict.fromkeys(f"`{self.node.units.keys[unit]}`" for unit in empty[:, 0].tolist())
        message = f"no sample that is trained on has a value for {listed(keys)} of input `{self.node.name}`"
        help = "there is no mean of nothing: leave these units out of the network, or put numbers there"
        raise Problem("E287", message, help=help)

    def _require_finite(self, total: NDArray[np.float64]) -> None:
        wrong = int(np.count_nonzero(~np.isfinite(total)))
        if wrong:
            what = f"{count(wrong, 'unit or channel', 'units and channels')} of input `{self.node.name}`"
            filled = "" if self.fill is not None else '; `missing="mean"` fills missing ones'
            require(False, f"{what} hold values that are not finite, so that there is no mean{filled}")
