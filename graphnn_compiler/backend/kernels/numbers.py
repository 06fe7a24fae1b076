"""Sums along edges that each have one number as weight, over all columns (batch and channels) of a unit alike.

A row's sums are held in vector registers, up to 64 columns at a time, while its edges are walked once. Rows are divided
into chunks of about equally many edges, which threads share; every sum lies within one row, or is put together edge by
edge in one order, so that results have the same bits with any number of threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from graphnn_compiler.backend.kernels.activations import FUSED, LINEAR, activate_in_place
from graphnn_compiler.backend.kernels.lanes import (
    counted_from,
    load,
    multiply_add,
    splat,
    store,
    store_past_cache,
    successor,
    wait_for_stores,
)
from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.primitives import (
    compiled,
    flat,
    flat_or_none,
    fresh,
    in_both,
    number_of,
    passes_cache,
    strided,
)
from graphnn_compiler.backend.kernels.windows import (
    WHOLE_LINES,
    fetches_ahead,
    fill_values,
    for_all_columns,
    most_edges,
    row_at,
    rows_at_once,
    walks_by_degree,
)


def _row_sums(write: Any) -> Any:
    def make(n: int) -> Any:
        fetch = fetches_ahead(n)

        @compiled
        def sum_columns(column: Any, width: Any, walk: Any, arrays: Any) -> None:
            """n columns of y[t] = bias[t] + the sum over the edges of row t, for the rows at positions first .. last.

            Edge e multiplies by values[e].
            """
            first, last, indptr, order, by_degree = walk
            y, bias, values, indices, x = arrays
            for position in range(first, last):
                t = row_at(position, by_degree, order)
                sums, e, end = splat(number_of(bias, t), n), np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])
                while e < end:
                    if not by_degree:
                        fetch(x, e, indices, width, column)
                    source = np.uintp(indices[e]) * width + column
                    sums = multiply_add(splat(values[e], n), load(x, source, n), sums)
                    e = successor(e)
                write(y, t * width + column, sums)

        return sum_columns

    return make


_sum_columns = for_all_columns(_row_sums(store))
_sum_columns_past_cache = for_all_columns(_row_sums(store_past_cache), WHOLE_LINES)


_fetch_number = fetches_ahead(1)


@compiled
def _sum_numbers(walk: Any, arrays: Any) -> None:
    """The same for a width of 1, where a sum in a scalar register takes half the time."""
    first, last, indptr, order, by_degree = walk
    y, bias, values, indices, x = arrays
    for position in range(first, last):
        t = row_at(position, by_degree, order)
        number, e, end = number_of(bias, t), np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])
        while e < end:
            if not by_degree:
                _fetch_number(x, e, indices, np.uintp(1), np.uintp(0))
            number += values[e] * x[np.uintp(indices[e])]
            e = successor(e)
        y[t] = number


def _make_dot(dtype: str) -> Any:
    activate = activate_in_place(dtype)

    @compiled
    def number_dot(
        chunk: Any, y: Any, bias: Any, weights: Any, indices: Any, coefficients: Any, groups: Any, x: Any, indptr: Any,
        order: Any, bounds: Any, width: Any, activation: Any, past_cache: Any, by_degree: Any,
    ) -> None:  # fmt: skip
        edges = strided(weights, 1), strided(coefficients, 1), strided(groups, 0)
        offsets, step, zero = strided(bias, 0), rows_at_once(width), np.uintp(0)
        first, last = np.uintp(bounds[chunk]), np.uintp(bounds[chunk + np.uintp(1)])
        # the everyday case needs no scratch: a weight for each edge and nothing else, or coefficients alone
        given = weights if len(weights) else coefficients
        plain = len(given) > 0 and len(groups) == 0 and (len(weights) == 0 or len(coefficients) == 0)
        values = given if plain else np.empty(most_edges(indptr, first, last, step), y.dtype)
        for begin in range(first, last, step):
            end, first_edge = min(begin + step, last), zero if plain else np.uintp(indptr[begin])
            if not plain:
                fill_values(values, edges, first_edge, np.uintp(indptr[end]))
            walk = begin, end, indptr, order, by_degree
            arrays = y, offsets, counted_from(values, first_edge), indices, x
            if width == np.uintp(1):
                _sum_numbers(walk, arrays)
            elif past_cache:
                _sum_columns_past_cache(zero, width, walk, arrays)
            else:
                _sum_columns(zero, width, walk, arrays)
            activate(y, begin * width, end * width, activation)
        wait_for_stores()

    return number_dot


DOT = Loop("number_dot", "fffififiibnnnn", _make_dot)


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
        y, values, start = fresh(n_rows * width, x.dtype), flat_or_none(weights), flat_or_none(bias)
        sources, past_cache = flat(x), passes_cache(y, width) if number == LINEAR else 0
        call((
            y, start, values, indices, coefficients, groups, sources, indptr, order, bounds,
            width, number, past_cache, walks_by_degree(x.size * x.itemsize, width),
        ), len(bounds) - 1, len(indices) * width)  # fmt: skip
        return y.reshape(n_rows, x.shape[1], x.shape[2])

    return dot
