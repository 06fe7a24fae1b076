"""What a layer says beside what is true, as rows that scores and confusion matrices count.

Input: a comparison, the outputs of its layer and its target for all samples. Output: arrays. Not for: scoring.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.backend.symbolic import last_activation
from graphnn_compiler.topology.plan import Compared, Layer, Plan, Target

Floats = NDArray[np.float64]


class ClassPairs(NamedTuple):
    """Class numbers (n,) that are true, and the outputs (n, classes): one row a sample and unit."""

    truth: NDArray[np.int64]
    outputs: NDArray


class ValuePairs(NamedTuple):
    """Values that are true and outputs, (n, k) each.

    Rows are samples and columns the units and channels; where nothing has a batch axis, rows are the units.
    """

    truth: Floats
    outputs: Floats


def target_of(plan: Plan, compared: Compared) -> Target:
    """The target of a comparison."""
    return next(target for target in plan.targets if target.name == compared.target)


def class_pairs(plan: Plan, compared: Compared, outputs: NDArray, truth: NDArray) -> ClassPairs:
    """The pairs of a comparison with a class target, of the units that it selects."""
    units, target = plan.layer[compared.layer].units, target_of(plan, compared)
    rows = outputs if outputs.ndim > len(units.shape) else outputs[None]
    rows = rows if units.channel_axis else rows[:, None, :]
    classes = truth if truth.ndim > len(target.shape) else truth[None]
    classes = classes if target.shape else classes[:, None]
    if compared.on is not None:
        rows = rows[:, compared.on]
        classes = classes[:, compared.on] if target.shape else classes
    shape = np.broadcast_shapes(rows.shape[:2], classes.shape)
    rows = np.broadcast_to(rows, (*shape, rows.shape[2]))
    return ClassPairs(np.broadcast_to(classes, shape).reshape(-1), rows.reshape(-1, rows.shape[2]))


def value_pairs(plan: Plan, compared: Compared, outputs: NDArray, truth: NDArray) -> ValuePairs:
    """The pairs of a comparison with values, of the units that it selects."""
    shape = plan.layer[compared.layer].units.shape
    sides = [array if array.ndim > len(shape) else array[None] for array in (truth, outputs)]
    if compared.on is not None:
        sides = [side[:, compared.on] for side in sides]
    n_samples = max(len(side) for side in sides) if all(len(side) for side in sides) else 0
    batched = truth.ndim > len(shape) or outputs.ndim > len(shape)
    n_rows = n_samples if batched else sides[0].shape[1]
    n_columns = math.prod(sides[0].shape[1 if batched else 2 :])
    spread = [np.broadcast_to(side, (n_samples, *side.shape[1:])).reshape(n_rows, n_columns) for side in sides]
    return ValuePairs(*(side.astype(np.float64) for side in spread))


def probabilities(layer: Layer, rows: NDArray) -> Floats:
    """The shares of classes (n, classes), float64, each row summing to 1: a linear layer holds their logits."""
    shares = rows.astype(np.float64)
    if last_activation(layer).name == "linear":
        shares = np.exp(shares - shares.max(axis=1, keepdims=True, initial=-np.inf))
    with np.errstate(invalid="ignore"):
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float64)


def threshold(layer: Layer) -> float:
    """Above which an output says 1: probability one half, which is logit 0 where the layer is linear."""
    return 0.0 if last_activation(layer).name == "linear" else 0.5
