"""What a fused activation and bias make of the gradient of a layer: one pass over it, shared by the threads."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from graphnn_compiler.backend.kernels.activations import FUSED, LINEAR, apply_slope
from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.primitives import (
    CACHED_NUMBERS,
    N_PIECES,
    compiled,
    flat,
    fresh,
    in_both,
)


@compiled
def _sum_rows(sums: Any, values: Any, first: Any, last: Any, width: Any) -> None:
    for t in range(first, last):
        row = values.dtype.type(0)
        for i in range(t * width, (t + np.uintp(1)) * width):
            row += values[i]
        sums[t] = row


def _make_slopes(dtype: str) -> Any:
    apply = apply_slope(dtype)

    @compiled
    def slopes(piece: Any, gz: Any, sums: Any, y: Any, gy: Any, width: Any, activation: Any) -> None:
        n_rows, one = np.uintp(len(sums)), np.uintp(1)
        first, last = piece * n_rows // np.uintp(N_PIECES), (piece + one) * n_rows // np.uintp(N_PIECES)
        if activation == np.uintp(LINEAR):
            _sum_rows(sums, gy, first, last, width)
            return
        step = np.uintp(max(1, CACHED_NUMBERS // max(width, one)))
        for begin in range(first, last, step):
            end = min(begin + step, last)
            apply(gz, y, gy, begin * width, end * width, activation)
            _sum_rows(sums, gz, begin, end, width)

    return slopes


SLOPES = Loop("slopes", "ffffnn", _make_slopes)
_slopes_call = SLOPES.call


@in_both
def sums_over_batch(gy: Any) -> Any:
    """gy (T, B, C) -> its sums over batch and channels, (T,)."""
    if gy.size == gy.shape[0]:
        return flat(gy).copy()
    sums = np.empty(gy.shape[0], gy.dtype)
    _slopes_call((None, sums, None, flat(gy), gy.shape[1] * gy.shape[2], LINEAR), N_PIECES, gy.size)
    return sums


@cache
def slopes_of(activation: str) -> Any:
    """The function that makes gz = f'(z) gy, (T, B, C), and its sums over batch and channels, (T,), of y = f(z), gy."""
    number, call = FUSED.index(activation), SLOPES.call

    @in_both
    def fill(y: Any, gy: Any) -> Any:
        if y.shape != gy.shape:
            raise ValueError("a value and its gradient differ in shape")
        gz, sums = fresh(y.size, y.dtype), np.empty(y.shape[0], y.dtype)
        call((gz, sums, flat(y), flat(gy), y.shape[1] * y.shape[2], number), N_PIECES, y.size)
        return gz.reshape(y.shape), sums

    return fill
