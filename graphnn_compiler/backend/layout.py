"""The two layouts of a value, and what is known of its shape before compilation.

Users' arrays are batch-first: (U,) or (U, C), with a batch axis in front or not. Inside, every value is node-major,
(U, B, C), where B is the number 1, known before compilation, without a batch. Not for: computing.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import pytensor.tensor as pt

from graphnn_compiler.backend.turning import swap_units_and_batch
from graphnn_compiler.topology.plan import Units

Tensor: TypeAlias = Any
"""A PyTensor variable; PyTensor ships no complete types."""


def is_batched(x: Tensor, sample_shape: tuple[int, ...]) -> bool:
    """Whether a batch-first variable has a batch axis in front of the shape of one sample."""
    return bool(x.type.ndim > len(sample_shape))


def to_node_major(x: Tensor, units: Units) -> Tensor:
    """(U,), (B, U), (U, C) or (B, U, C), as `units` says, -> (U, B or 1, C)."""
    if not units.channel_axis:
        x = x.dimshuffle(*range(x.type.ndim), "x")
    if x.type.ndim == 2:
        return with_shape(x.dimshuffle(0, "x", 1), units)
    return with_shape(swap_units_and_batch(x), units)


def to_batch_first(x: Tensor, units: Units, batched: bool) -> Tensor:
    """(U, B, C) -> (B, U), (B, U, C), or without the batch axis where that has length 1 and `batched` is false."""
    if not batched:
        return x.dimshuffle(0, 2) if units.channel_axis else x.dimshuffle(0)
    samples = swap_units_and_batch(x)
    return samples if units.channel_axis else samples.dimshuffle(0, 1)


def with_shape(x: Tensor, units: Units) -> Tensor:
    """x with its numbers of units and channels known before compilation; checked in each call where they were not."""
    wanted = (len(units), x.type.shape[1], units.channels)
    return x if x.type.shape == wanted else pt.specify_shape(x, wanted)


def batch_length(x: Tensor) -> Any:
    """The batch length of (U, B, C): the number 1 where it is known to be 1, so that shapes made of it broadcast."""
    return 1 if x.type.shape[1] == 1 else x.shape[1]
