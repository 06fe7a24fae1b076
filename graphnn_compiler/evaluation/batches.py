"""Samples in batches, so that what lies between the layers of a network never has to be in memory for all of them.

Input: a plan and arrays by name, checked. Output: the same arrays some samples at a time. Not for: shuffling; training.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.plan import Plan

_NUMBERS = 1 << 24
"""As many numbers may all inputs and layers hold for a batch, unless its size is given: 64 MiB of float32."""


class Batch(NamedTuple):
    """Some of the samples; `share` of all samples are here, 1 where nothing has a batch axis."""

    inputs: dict[str, NDArray]
    targets: dict[str, NDArray]
    share: float


def number_of_samples(plan: Plan, inputs: Mapping[str, NDArray], targets: Mapping[str, NDArray] | None) -> int | None:
    """The length of the batch axis of the arrays or of the default data in their place; None where there is none."""
    several = [*_batched(plan, inputs, {} if targets is None else targets, with_targets=targets is not None).values()]
    return len(several[0]) if several else None


def batch_size_for(plan: Plan, given: int | None) -> int:
    """`given`, or what keeps a batch within 2^24 numbers over all inputs and layers. ValueError for less than 1."""
    if given is None:
        return max(1, _NUMBERS // max(1, sum(len(units) * units.channels for units in plan.units.values())))
    if operator.index(given) < 1:
        raise ValueError(f"a batch has at least 1 sample, not {given}")
    return operator.index(given)


def batches(
    plan: Plan, inputs: dict[str, NDArray], targets: dict[str, NDArray] | None, batch_size: int | None
) -> Iterator[Batch]:
    """All samples in order; a single batch with the arrays as they are where it is large enough.

    Default data with a batch axis stands among the arrays of each batch where there are several.
    """
    size = batch_size_for(plan, batch_size)
    total = number_of_samples(plan, inputs, targets)
    if total is None or total <= size:
        yield Batch(inputs, targets or {}, 1.0)
        return
    sliced = _batched(plan, inputs, targets or {}, with_targets=targets is not None)
    for start in range(0, total, size):
        part = {name: array[start : start + size] for name, array in sliced.items()}
        given = {name: part[name] for name in part if name in plan.units}
        wanted = {name: part[name] for name in part if name not in plan.units}
        share = min(size, total - start) / total
        yield Batch({**inputs, **given}, {**(targets or {}), **wanted}, share)


def _batched(
    plan: Plan, inputs: Mapping[str, NDArray], targets: Mapping[str, NDArray], *, with_targets: bool
) -> dict[str, NDArray]:
    """Everything with a batch axis: the arrays given, and default data in the dtype of the network."""
    found: dict[str, NDArray] = {}
    for node in plan.inputs:
        array = inputs.get(node.name, node.default)
        if array is not None and array.ndim > len(node.units.shape):
            found[node.name] = np.asarray(array, plan.dtype)
    for target in plan.targets if with_targets else ():
        array = targets.get(target.name, target.default)
        if array is not None and array.ndim > len(target.shape):
            found[target.name] = np.asarray(array, plan.dtype if target.n_classes is None else np.int64)
    return found
