"""Loops over arrays that PyTensor's own leave slow: softmax of float32, and copies of transposed arrays.

Input and output: NumPy arrays. Not for: symbolic variables, gradients, functions of one number (`float32`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numba import njit, types
from numba.extending import intrinsic, overload

from graphnn_compiler.backend.float32 import exp_difference32

_Loop = TypeVar("_Loop", bound=Callable[..., Any])

_compiled: Callable[[_Loop], _Loop] = njit(error_model="numpy")
_summed: Callable[[_Loop], _Loop] = njit(error_model="numpy", fastmath={"reassoc", "nsz"})  # sums in vector lanes
_primitive: Callable[[Callable[[Any, Any], Any]], Callable[[Any], Any]] = intrinsic  # it supplies the first argument
_implements: Callable[[Any], Callable[[_Loop], _Loop]] = overload

_TILE = 16  # numbers: a cache line of float32
_SHORT = 64  # rows shorter than this leave vector lanes empty, and are taken as many together

# ------------------------------------------------------------------ softmax


@_compiled
def _ordered(x: Any) -> Any:
    """The bits of a float32 as an integer of the same order, and back: integers have a maximum in vector lanes."""
    return np.int32(x ^ np.int32((x >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@_summed
def _softmax_row(x: Any, y: Any) -> None:
    """Softmax of one contiguous row x into y."""
    greatest = np.int32(-(2**31))
    for i in range(x.size):
        greatest = max(greatest, _ordered(np.float32(x[i]).view(np.int32)))
    top = np.int32(_ordered(greatest)).view(np.float32)
    total = 0.0
    for i in range(x.size):
        power = exp_difference32(x[i], top)
        y[i] = power
        total += np.float64(power)
    scale = np.float32(1.0 / total)
    for i in range(x.size):
        y[i] *= scale


@_compiled
def _softmax_columns(x: Any, y: Any, top: Any, total: Any) -> None:
    """Softmax along the first axis of x (n, m) into y; top (m,) float32 and total (m,) float64 are overwritten."""
    for j in range(x.shape[1]):
        top[j] = x[0, j]
        total[j] = 0
    for i in range(1, x.shape[0]):
        for j in range(x.shape[1]):
            value = x[i, j]
            top[j] = value if value > top[j] else top[j]
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            power = exp_difference32(x[i, j], top[j])
            y[i, j] = power
            total[j] += np.float64(power)
    for j in range(x.shape[1]):
        top[j] = np.float32(1.0 / total[j])
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] *= top[j]


@_compiled
def _softmax_short_rows(x: Any, y: Any) -> None:
    """Softmax of every row of x (n, m), turned into columns a few rows at a time, into y."""
    columns, results = np.zeros((x.shape[1], _SHORT), np.float32), np.empty((x.shape[1], _SHORT), np.float32)
    top, total = np.empty(_SHORT, np.float32), np.empty(_SHORT, np.float64)
    for first in range(0, x.shape[0], _SHORT):
        n_rows = min(_SHORT, x.shape[0] - first)
        for i in range(n_rows):
            for j in range(x.shape[1]):
                columns[j, i] = x[first + i, j]
        _softmax_columns(columns, results, top, total)
        for i in range(n_rows):
            for j in range(x.shape[1]):
                y[first + i, j] = results[j, i]


@_compiled
def softmax(x: Any) -> Any:
    """e^x / sum e^x along the middle axis of a contiguous float32 array of three axes, at most 4 ulp off.

    Sums are in float64, differences from the maximum exact. A line with NaN or +inf, or of -inf only, is all NaN.
    """
    y = np.empty(x.shape, np.float32)
    if x.size == 0:
        return y
    if x.shape[2] == 1:
        rows, results = x.reshape(x.shape[0], x.shape[1]), y.reshape(x.shape[0], x.shape[1])
        if x.shape[1] < _SHORT and x.shape[0] > 8:
            _softmax_short_rows(rows, results)
            return y
        for i in range(x.shape[0]):
            _softmax_row(rows[i], results[i])
        return y
    top, total = np.empty(x.shape[2], np.float32), np.empty(x.shape[2], np.float64)
    for i in range(x.shape[0]):
        _softmax_columns(x[i], y[i], top, total)
    return y


# ------------------------------------------------------------------ row-major arrays


@_primitive
def _known_row_major(typingctx: Any, x: Any) -> Any:
    """The same array with a type that says it is C-contiguous, which the caller knows."""
    contiguous = x.copy(layout="C")

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        context.nrt.incref(builder, contiguous, arguments[0])
        return arguments[0]

    return contiguous(x), lower


@_compiled
def _copied_planes(x: Any, y: Any) -> None:
    """y[..] = x, arrays of three axes, in tiles small enough that either order of the first two stays in cache."""
    for first in range(0, x.shape[0], _TILE):
        for second in range(0, x.shape[1], _TILE):
            for i in range(first, min(first + _TILE, x.shape[0])):
                for j in range(second, min(second + _TILE, x.shape[1])):
                    for k in range(x.shape[2]):
                        y[i, j, k] = x[i, j, k]


@_compiled
def _copied_matrix(x: Any, y: Any) -> None:
    for first in range(0, x.shape[0], _TILE):
        for second in range(0, x.shape[1], _TILE):
            for i in range(first, min(first + _TILE, x.shape[0])):
                for j in range(second, min(second + _TILE, x.shape[1])):
                    y[i, j] = x[i, j]


def _copied(x: Any) -> Any:
    return np.array(x, order="C")


@_implements(_copied)
def _copied_of_ndim(x: Any) -> Any:
    if x.ndim == 2:

        def matrix(x: Any) -> Any:
            y = np.empty(x.shape, x.dtype)
            _copied_matrix(x, y)
            return y

        return matrix
    if x.ndim == 3:

        def planes(x: Any) -> Any:
            y = np.empty(x.shape, x.dtype)
            if x.shape[2] == 1:
                _copied_matrix(x[:, :, 0], y[:, :, 0])
            else:
                _copied_planes(x, y)
            return y

        return planes

    def any_number_of_axes(x: Any) -> Any:
        return x.copy()

    return any_number_of_axes


def row_major(x: Any) -> Any:
    """x itself where it is C-contiguous, else a copy that is: an array of at least one axis, of a type that says so."""
    return np.ascontiguousarray(x)


@_implements(row_major)
def _row_major_of_layout(x: Any) -> Any:
    if isinstance(x, types.Array) and x.layout == "C":

        def known(x: Any) -> Any:
            return x

        return known

    def checked(x: Any) -> Any:
        return _known_row_major(x) if x.flags.c_contiguous else _copied(x)

    return checked


@_compiled
def compiled_row_major(x: Any) -> Any:
    """`row_major` to be called from Python, or by its type."""
    return row_major(x)


@cache
def softmax_along(axis: int) -> Callable[[Any], Any]:
    """A compiled function, softmax along one axis of a float32 array of any layout and number of axes."""

    @_compiled
    def softmax_of(x: Any) -> Any:
        rows = row_major(x)
        before, after = 1, 1
        for other in range(axis):
            before *= x.shape[other]
        for other in range(axis + 1, x.ndim):
            after *= x.shape[other]
        return softmax(rows.reshape(before, x.shape[axis], after)).reshape(x.shape)

    return softmax_of
