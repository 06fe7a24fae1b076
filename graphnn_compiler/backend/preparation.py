"""Inputs as layers read them: missing values filled, features scaled.

Input: a batch-first variable and the input of the plan that it is. Output: a variable of its shape. Not for: finding
the numbers that fill and scale.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import pytensor.tensor as pt

from graphnn_compiler.backend.activations import row_normalize
from graphnn_compiler.topology.plan import Input

Tensor: TypeAlias = Any
"""A PyTensor variable; PyTensor ships no complete types."""

LAST = -1
"""Batch-first, a row's numbers are the last axis: the channels, or the units where there are none."""


def prepared(x: Tensor, node: Input) -> Tensor:
    """x, of shape `node.units.shape` or with a batch axis in front, filled and scaled as its input says."""
    if node.fill is not None:
        x = pt.switch(pt.isnan(x), pt.constant(node.fill.astype(x.dtype)), x)
    if node.scaling is None:
        return x
    if node.scaling.mean is None or node.scaling.deviation is None:
        return row_normalize(x, LAST)
    mean, deviation = (pt.constant(array.astype(x.dtype)) for array in (node.scaling.mean, node.scaling.deviation))
    return (x - mean) / deviation
