"""Sums along edges that each have one number as weight, over all columns (batch and channels) of a unit alike.

A row's sums are held in vector registers, up to 64 columns at a time, while its edges are walked once. Rows are divided
into chunks of about equally many edges, which threads share; every sum lies within one row, or is put together edge by
edge in one order, so that results have the same bits with any number of threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from graphnn_compiler.backend.kernels.activations import FUSED, activate_in_place
from graphnn_compiler.backend.kernels.lanes import load, multiply_add, splat, store
from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.primitives import (
    CACHED_NUMBERS,
    compiled,
    flat,
    flat_or_none,
    group_of,
    in_both,
    number_of,
    strided,
)

SORTED_BELOW = 32
"""Columns below which rows are walked in order of degree: there a mispredicted end of a row costs more than cache."""

WINDOW = 1024
"""Rows among which `order` sorts, counted from the first row of a chunk."""

# Rows are walked inside the functions of one width, as a call for every row would pass all arrays each time.


@compiled
def rows_at_once(width: Any) -> Any:
    """Rows to walk in one go: a window where they are sorted."""
    return np.uintp(WINDOW if width < np.uintp(SORTED_BELOW) else max(1, CACHED_NUMBERS // width))


@compiled
def row_at(position: Any, width: Any, order: Any) -> Any:
    return np.uintp(order[position]) if width < np.uintp(SORTED_BELOW) else position


def for_all_columns(make: Any) -> Any:
    """Calls for all columns of some rows, 64, 32, 16, 4 or 1 at a time, so that no vector reaches beyond a row."""
    do_64, do_32, do_16, do_4, do_1 = (make(n) for n in (64, 32, 16, 4, 1))

    @compiled
    def do_all(width: Any, walk: Any, arrays: Any) -> None:
        column = np.uintp(0)
        while width - column >= np.uintp(64):
            do_64(column, width, walk, arrays)
            column += np.uintp(64)
        while width - column >= np.uintp(32):
            do_32(column, width, walk, arrays)
            column += np.uintp(32)
        while width - column >= np.uintp(16):
            do_16(column, width, walk, arrays)
            column += np.uintp(16)
        while width - column >= np.uintp(4):
            do_4(column, width, walk, arrays)
            column += np.uintp(4)
        while width - column >= np.uintp(1):
            do_1(column, width, walk, arrays)
            column += np.uintp(1)

    return do_all


def _row_sums(n: int) -> Any:
    @compiled
    def sum_columns(column: Any, width: Any, walk: Any, arrays: Any) -> None:
        """n columns of y[t] = bias[t] + the sum over the edges of row t, for the rows at positions first .. last."""
        first, last, indptr, order = walk
        y, bias, weights, indices, coefficients, groups, x = arrays
        for position in range(first, last):
            t = row_at(position, width, order)
            sums = splat(number_of(bias, t), n)
            for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
                value = number_of(weights, group_of(groups, e)) * number_of(coefficients, e)
                sums = multiply_add(splat(value, n), load(x, np.uintp(indices[e]) * width + column, n), sums)
            store(y, t * width + column, sums)

    return sum_columns


_sum_columns = for_all_columns(_row_sums)


@compiled
def is_plain(weights: Any, coefficients: Any, groups: Any) -> Any:
    """Whether each edge has a weight of its own and nothing else: the everyday case, which takes half the time."""
    return weights[1] == np.uintp(1) and coefficients[1] == np.uintp(0) and groups[1] == np.uintp(0)


@compiled
def _sum_numbers(walk: Any, arrays: Any) -> None:
    """The same for a width of 1, where a sum in a scalar register takes half the time."""
    first, last, indptr, order = walk
    y, bias, weights, indices, coefficients, groups, x = arrays
    if is_plain(weights, coefficients, groups):
        values = weights[0]
        for position in range(first, last):
            t = np.uintp(order[position])
            number = number_of(bias, t)
            for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
                number += values[e] * x[np.uintp(indices[e])]
            y[t] = number
        return
    for position in range(first, last):
        t = np.uintp(order[position])
        number = number_of(bias, t)
        for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
            value = number_of(weights, group_of(groups, e)) * number_of(coefficients, e)
            number += value * x[np.uintp(indices[e])]
        y[t] = number


def _make_dot(dtype: str) -> Any:
    activate = activate_in_place(dtype)

    @compiled
    def number_dot(
        chunk: Any, y: Any, bias: Any, weights: Any, indices: Any, coefficients: Any, groups: Any, x: Any, indptr: Any,
        order: Any, bounds: Any, width: Any, activation: Any,
    ) -> None:  # fmt: skip
        start, edges = strided(bias, 0), (strided(weights, 1), strided(coefficients, 1), strided(groups, 0))
        arrays = y, start, edges[0], indices, edges[1], edges[2], x
        step, last = rows_at_once(width), np.uintp(bounds[chunk + np.uintp(1)])
        for begin in range(np.uintp(bounds[chunk]), last, step):
            end = min(begin + step, last)
            walk = begin, end, indptr, order
            if width == np.uintp(1):
                _sum_numbers(walk, arrays)
            else:
                _sum_columns(width, walk, arrays)
            activate(y, begin * width, end * width, activation)

    return number_dot


DOT = Loop("number_dot", "fffififiibnn", _make_dot)


@cache
def number_dot(activation: str) -> Any:
    """The function y[t, b, i] = f(bias[t] + sum over the edges e of row t of c_e w[g_e] x[s_e, b, i]).

    weights (n_groups,) or None for ones, bias (T,) or None for zeros, x (S, B, C), the arrays of an orientation
    -> y (T, B, C). f is the activation of this name.
    """
    number, call = FUSED.index(activation), DOT.call

    @in_both
    def dot(
        weights: Any, bias: Any, x: Any,
        indptr: Any, indices: Any, coefficients: Any, groups: Any, order: Any, bounds: Any,
    ) -> Any:  # fmt: skip
        n_rows, width = len(indptr) - 1, x.shape[1] * x.shape[2]
        y = np.empty(n_rows * width, x.dtype)
        values, start = flat_or_none(weights), flat_or_none(bias)
        arrays = y, start, values, indices, coefficients, groups, flat(x), indptr, order, bounds, width, number
        call(arrays, len(bounds) - 1, len(indices) * width)
        return y.reshape(n_rows, x.shape[1], x.shape[2])

    return dot
