"""Activations whose derivative is a function of their value: those that loops apply to what they have just computed."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from graphnn_compiler.backend.float32 import sigmoid32, tanh32
from graphnn_compiler.backend.kernels.primitives import compiled

LEAKY_SLOPE = 0.01
FUSED = ("linear", "relu", "leaky_relu", "tanh", "sigmoid")
"""Not-a-number stays not-a-number in each."""

LINEAR, RELU, LEAKY_RELU, TANH, SIGMOID = range(len(FUSED))
"""The numbers by which loops know them: their positions in `FUSED`."""


@compiled
def _tanh64(x: Any) -> Any:
    return np.tanh(x)


@compiled
def _sigmoid64(x: Any) -> Any:
    power = np.exp(-abs(x))
    return (power if x < 0.0 else 1.0) / (1.0 + power)


@cache
def activate_in_place(dtype: str) -> Any:
    """The loop that replaces `y[first:last]`, of this dtype, by its activation."""
    number = np.dtype(dtype).type
    zero, leak = number(0), number(LEAKY_SLOPE)
    tanh, sigmoid = (tanh32, sigmoid32) if dtype == "float32" else (_tanh64, _sigmoid64)

    @compiled
    def apply(y: Any, first: Any, last: Any, activation: Any) -> None:
        if activation == RELU:
            for i in range(first, last):
                y[i] = zero if y[i] <= zero else y[i]
        elif activation == LEAKY_RELU:
            for i in range(first, last):
                y[i] = leak * y[i] if y[i] <= zero else y[i]
        elif activation == TANH:
            for i in range(first, last):
                y[i] = tanh(y[i])
        elif activation == SIGMOID:
            for i in range(first, last):
                y[i] = sigmoid(y[i])

    return apply


@cache
def apply_slope(dtype: str) -> Any:
    """The loop gz = f'(z) gy over the positions first .. last, where y = f(z); numbers as for the activations."""
    number = np.dtype(dtype).type
    zero, one, leak = number(0), number(1), number(LEAKY_SLOPE)

    @compiled
    def apply(gz: Any, y: Any, gy: Any, first: Any, last: Any, activation: Any) -> None:
        if activation == RELU:
            for i in range(first, last):
                gz[i] = zero if y[i] <= zero else gy[i]
        elif activation == LEAKY_RELU:
            for i in range(first, last):
                gz[i] = leak * gy[i] if y[i] <= zero else gy[i]
        elif activation == TANH:
            for i in range(first, last):
                gz[i] = gy[i] * (one - y[i] * y[i])
        elif activation == SIGMOID:
            for i in range(first, last):
                gz[i] = gy[i] * (y[i] * (one - y[i]))

    return apply
