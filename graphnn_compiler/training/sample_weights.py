"""How much each sample counts in the losses of training.

Input: by the name of a target, one weight a sample (or a value of it), or one a class. Output: arrays of weights for
the samples of a step. A loss becomes sum of w l over sum of w. Metrics, and losses on validation data, are not
weighted. Not for: weights of edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnn_compiler.arguments import check_batches, class_numbers, comparisons, numbers, unknown
from graphnn_compiler.topology.plan import Plan, Target
from graphnn_compiler.training.digests import digest
from graphnn_compiler.training.refusals import require

Given = Mapping[str, ArrayLike | Mapping[Any, float] | str]
"""By the name of a target: weights of samples, weights by class, or "balanced"."""

BALANCED = "balanced"


@dataclass(frozen=True, eq=False)
class SampleWeights:
    """Weights by target: one a sample, or one a class, looked up as batches are made."""

    by_sample: dict[str, NDArray] = field(default_factory=dict)
    by_class: dict[str, NDArray] = field(default_factory=dict)
    batched: frozenset[str] = frozenset()

    def of(self, targets: Mapping[str, NDArray], chosen: NDArray[np.int64] | slice) -> dict[str, NDArray]:
        """The weights of some samples, whose targets these are, by the name of the target."""
        found = {name: array[chosen] if name in self.batched else array for name, array in self.by_sample.items()}
        return found | {name: table[targets[name]] for name, table in self.by_class.items()}

    def shapes(self, targets: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """For each target an array with the numbers of dimensions of its weights, in the order of `of`."""
        return self.by_sample | {name: targets[name] for name in self.by_class}

    def described(self) -> str:
        """A text that another run has only for the same weights."""
        every = sorted({**self.by_sample, **self.by_class}.items())
        return " ".join(f"{name}:{digest(array)}" for name, array in every)


def sample_weights(
    given: Given | None, plan: Plan, targets: Mapping[str, NDArray], n_samples: int | None
) -> SampleWeights:
    """Weights for the targets given, or their defaults, in the plan's dtype.

    ValueError and TypeError where they do not fit.
    """
    declared = {target.name: target for target in plan.targets}
    by_sample: dict[str, NDArray] = {}
    by_class: dict[str, NDArray] = {}
    for name, value in (given or {}).items():
        require(name in declared, unknown("target", name, declared))
        found = targets.get(name, declared[name].default)
        assert found is not None
        if isinstance(value, str | Mapping):
            by_class[name] = _class_table(plan, declared[name], value, found).astype(plan.dtype)
        else:
            by_sample[name] = _of_samples(declared[name], value, found).astype(plan.dtype)
    # default data without a batch axis is no argument of a step, so that its classes are looked up once and for all
    for name in [name for name in by_class if name not in targets]:
        by_sample[name] = by_class.pop(name)[np.asarray(declared[name].default)]
    batched = {
        name
        for name in by_sample
        if n_samples is not None and name in targets and targets[name].ndim > len(declared[name].shape)
    }
    check_batches(
        {name: len(by_sample[name]) for name in batched} | ({"data": n_samples} if batched and n_samples else {})
    )
    return SampleWeights(by_sample, by_class, frozenset(batched))


def _of_samples(target: Target, value: ArrayLike, found: NDArray) -> NDArray:
    label = f"the weights of target `{target.name}`"
    weights = numbers(label, value)
    batched = found.ndim > len(target.shape)
    shapes = [found.shape, found.shape[:1]] if batched else [found.shape]
    require(
        weights.shape in shapes,
        f"{label} have shape {' or '.join(map(str, dict.fromkeys(shapes)))}, not {weights.shape}",
    )
    _check_numbers(label, weights)
    return weights


def _class_table(plan: Plan, target: Target, value: Mapping[Any, float] | str, found: NDArray) -> NDArray:
    """One weight a class; a missing value, whose number is -1, takes the last, and is compared nowhere."""
    label = f"the weights of target `{target.name}`"
    require(target.n_classes is not None, f"{label} are given by class, and its values are no classes")
    assert target.n_classes is not None
    if isinstance(value, str):
        require(value == BALANCED, f"{label} are numbers or {BALANCED!r}, not {value!r}")
        return _balanced(target.n_classes, _compared(plan, target, np.asarray(found)))
    table = np.ones(target.n_classes)
    for name, weight in value.items():
        code = class_numbers(Target(target.name, (), target.n_classes, target.classes), name)
        table[code] = weight
    _check_numbers(label, table)
    return table


def _compared(plan: Plan, target: Target, found: NDArray) -> NDArray:
    """The classes of a target that some loss compares."""
    if not target.shape:
        return found
    seen = np.zeros(target.shape, dtype=bool)
    for goal, one in comparisons(plan):
        if goal.kind == "loss" and one.target == target.name:
            seen[slice(None) if one.on is None else one.on] = True
    return found[..., seen]


def _balanced(n_classes: int, found: NDArray) -> NDArray:
    """n / (classes * n of the class): each class counts the same in all. A class without samples has weight 1."""
    numbers_of = np.bincount(found[found >= 0].ravel(), minlength=n_classes)
    present = max(int(np.count_nonzero(numbers_of)), 1)
    return np.where(numbers_of > 0, numbers_of.sum() / (present * np.maximum(numbers_of, 1)), 1.0)


def _check_numbers(label: str, weights: NDArray) -> None:
    fits = bool(np.all(np.isfinite(weights)) and np.all(weights >= 0) and np.any(weights > 0))
    require(fits, f"{label} are finite numbers from 0 on, and some are above 0")
