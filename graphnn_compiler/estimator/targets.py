"""What a program compares with the classes or values of samples, and how these are given to it.

Input: a plan, and `y` as scikit-learn has it. Output: the target, its arrays, the plan with names of classes. Not for:
checking that `y` is sound, which scikit-learn does.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.arguments import comparisons
from graphnn_compiler.diagnostics import count, listed
from graphnn_compiler.topology.graph import string_array
from graphnn_compiler.topology.plan import Compared, Layer, Plan, Target


class Goal(NamedTuple):
    """The target that `y` is, and how a loss compares the output `layer` with it."""

    target: Target
    layer: Layer
    compared: Compared


def goal_of(plan: Plan) -> Goal:
    """The one target without data of its own. ValueError where there is none or several, or no loss compares it."""
    targets = [one for one in plan.targets if one.default is None] or [
        one for one in plan.targets if one.default is not None and one.default.ndim > len(one.shape)
    ]
    if len(targets) != 1:
        names = listed(f"`{one.name}`" for one in targets) or "none"
        raise ValueError(f"an estimator has one target, whose values are y, and the program has {names}")
    target = targets[0]
    for goal, one in comparisons(plan):
        if goal.kind == "loss" and one.target == target.name and plan.layer[one.layer].output:
            return Goal(target, plan.layer[one.layer], one)
    raise ValueError(f"no loss of the program compares an output with target `{target.name}`")


def require_classes(goal: Goal, n_classes: int) -> Target:
    """The target. ValueError unless it is one of so many classes for each sample."""
    target, size = goal.target, math.prod(goal.layer.units.shape)
    if target.n_classes is not None:
        if target.shape:
            message = f"target `{target.name}` has a class for each unit, and a classifier's samples have one each"
            raise ValueError(message)
        known = target.n_classes
    else:
        if goal.compared.name != "binary_cross_entropy" or size != 1:
            shape = count(size, "value")
            message = (
                f"target `{target.name}` is {shape}, compared by `{goal.compared.name}`, and no class: fit a regressor"
            )
            raise ValueError(message)
        known = 2
    if n_classes != known:
        raise ValueError(f"y has {count(n_classes, 'class', 'classes')}, and the program tells {known} apart")
    return target


def with_classes(plan: Plan, target: Target, classes: NDArray) -> Plan:
    """The plan whose target has these names of classes, as far as they are integers or text; others stay numbers."""
    if target.n_classes is None:
        return plan
    named: NDArray | None = None
    if classes.dtype.kind in "iu" and not np.array_equal(classes, np.arange(len(classes))):
        named = classes.astype(np.int64)
    elif all(isinstance(one, str) for one in classes.tolist()):
        named = string_array(classes.tolist())
    new = replace(target, classes=named, default=None)
    return replace(plan, targets=tuple(new if one is target else one for one in plan.targets))


def class_array(target: Target, numbers: NDArray[np.int64], classes: NDArray) -> NDArray:
    """The array for a class target from positions in `classes` (batch,)."""
    if target.n_classes is None:
        return numbers.reshape(len(numbers), *target.shape).astype(np.float64)
    return classes[numbers] if classes.dtype.kind in "iu" else numbers


def value_arrays(goal: Goal, y: NDArray) -> NDArray:
    """The array for a target of values from `y` (batch,) or (batch, outputs). ValueError where it does not fit."""
    target, n_outputs = goal.target, 1 if y.ndim == 1 else y.shape[1]
    if target.n_classes is not None:
        raise ValueError(f"target `{target.name}` holds classes: fit a classifier")
    size = math.prod(target.shape)
    if n_outputs != size:
        raise ValueError(f"y has {count(n_outputs, 'output')}, and target `{target.name}` takes {size}")
    return y.reshape(len(y), *target.shape)
