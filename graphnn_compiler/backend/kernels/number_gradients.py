"""The gradients of sums along edges that each have one number as weight: by the weights, by x, or both in one pass.

Both come out of one walk over the transposed structure: a row of the gradient of y that is fetched for the one serves
the other. Rows, chunks and columns are as in `numbers`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnn_compiler.backend.kernels.lanes import (
    counted_from,
    load,
    multiply_add,
    splat,
    store,
    store_past_cache,
    successor,
    total,
    wait_for_stores,
)
from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.primitives import (
    N_PIECES,
    PARALLEL_FROM,
    compiled,
    flat,
    fresh,
    group_of,
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
    rows_at_once,
)


def _row_gradients(write: Any) -> Any:
    def make(n: int) -> Any:
        fetch = fetches_ahead(n)

        @compiled
        def add_columns(column: Any, width: Any, walk: Any, arrays: Any) -> None:
            """n columns of gx[s] for the rows s from first to last, and their share in the edges' products."""
            first, last, indptr = walk
            gx, products, values, indices, x, gy = arrays
            for s in range(first, last):
                own, zeros = load(x, s * width + column, n), splat(x.dtype.type(0), n)
                sums, e, end = zeros, np.uintp(indptr[s]), np.uintp(indptr[s + np.uintp(1)])
                while e < end:
                    fetch(gy, e, indices, width, column)
                    slopes = load(gy, np.uintp(indices[e]) * width + column, n)
                    sums = multiply_add(splat(values[e], n), slopes, sums)
                    products[e] += total(multiply_add(own, slopes, zeros))
                    e = successor(e)
                write(gx, s * width + column, sums)

        return add_columns

    return make


_add_columns = for_all_columns(_row_gradients(store))
_add_columns_past_cache = for_all_columns(_row_gradients(store_past_cache), WHOLE_LINES)


def _make_gradients(dtype: str) -> Any:
    @compiled
    def number_gradients(
        chunk: Any, gx: Any, products: Any, weights: Any, indices: Any, coefficients: Any, groups: Any, slots: Any,
        x: Any, gy: Any, indptr: Any, bounds: Any, width: Any, past_cache: Any,
    ) -> None:  # fmt: skip
        edges, places = (strided(weights, 1), strided(coefficients, 1), strided(groups, 0)), strided(slots, 0)
        first, last, zero = np.uintp(bounds[chunk]), np.uintp(bounds[chunk + np.uintp(1)]), np.uintp(0)
        step = rows_at_once(width)
        values = np.empty(most_edges(indptr, first, last, step), gx.dtype)
        own_products = np.empty_like(values)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            first_edge, last_edge = np.uintp(indptr[begin]), np.uintp(indptr[end])
            fill_values(values, edges, first_edge, last_edge)
            for place in range(last_edge - first_edge):
                own_products[place] = 0
            walk = begin, end, indptr
            arrays = gx, counted_from(own_products, first_edge), counted_from(values, first_edge), indices, x, gy
            if past_cache:
                _add_columns_past_cache(zero, width, walk, arrays)
            else:
                _add_columns(zero, width, walk, arrays)
            for e in range(first_edge, last_edge):
                products[group_of(places, e)] = number_of(edges[1], e) * own_products[e - first_edge]
        wait_for_stores()

    return number_gradients


GRADIENTS = Loop("number_gradients", "fffifiiffibnn", _make_gradients)


# ------------------------------------------------------------------ a width of 1

PARTS = 2
"""Parts of the rows with a gradient of their own each, where threads share them: a fixed number, as in `N_PIECES`."""


def _make_scatter(dtype: str) -> Any:
    @compiled
    def number_scatter(
        part: Any, gx: Any, others: Any, products: Any, weights: Any, indices: Any, coefficients: Any, groups: Any,
        x: Any, gy: Any, indptr: Any, order: Any, bounds: Any, n_parts: Any,
    ) -> None:  # fmt: skip
        """The first part of the rows adds to gx, part k to `others` from (k - 1) n_sources on: no fetches through a
        permutation."""
        values, factors, places = strided(weights, 1), strided(coefficients, 1), strided(groups, 0)
        n_chunks, one = np.uintp(len(bounds)) - np.uintp(1), np.uintp(1)
        sums, begin = (gx, part) if part == np.uintp(0) else (others, (part - one) * np.uintp(len(gx)))
        for place in range(begin, begin + np.uintp(len(gx))):
            sums[place] = 0
        plain = len(coefficients) == 0 and len(groups) == 0
        first, last = bounds[part * n_chunks // n_parts], bounds[(part + one) * n_chunks // n_parts]
        for position in range(np.uintp(first), np.uintp(last)):
            t = np.uintp(order[position])
            slope, e, end = gy[t], np.uintp(indptr[t]), np.uintp(indptr[t + one])
            if plain:
                while e < end:
                    s = np.uintp(indices[e])
                    sums[begin + s] += weights[e] * slope
                    products[e] = x[s] * slope
                    e = successor(e)
            else:
                while e < end:
                    s, scaled = np.uintp(indices[e]), number_of(factors, e) * slope
                    sums[begin + s] += number_of(values, group_of(places, e)) * scaled
                    products[e] = x[s] * scaled
                    e = successor(e)

    return number_scatter


SCATTER = Loop("number_scatter", "ffffififfiibn", _make_scatter)


def _make_merge(dtype: str) -> Any:
    @compiled
    def number_merge(piece: Any, gx: Any, others: Any) -> None:
        """gx and the other parts, added up for one piece of the sources."""
        n_sources, pieces = np.uintp(len(gx)), np.uintp(N_PIECES)
        first, last = piece * n_sources // pieces, (piece + np.uintp(1)) * n_sources // pieces
        for start in range(np.uintp(0), np.uintp(len(others)), n_sources):
            for s in range(first, last):
                gx[s] += others[start + s]

    return number_merge


MERGE = Loop("number_merge", "ff", _make_merge)


# ------------------------------------------------------------------ both gradients


def _make_group_sums(dtype: str) -> Any:
    @compiled
    def group_sums(piece: Any, sums: Any, products: Any, groups: Any) -> None:
        for e in range(np.uintp(len(products))):
            sums[np.uintp(groups[e])] += products[e]

    return group_sums


GROUP_SUMS = Loop("group_sums", "ffi", _make_group_sums)
_group_sums_call = GROUP_SUMS.call


def _gradients(shared: bool) -> Any:
    gradients_call, scatter_call, merge_call = GRADIENTS.call, SCATTER.call, MERGE.call

    @in_both
    def gradients(
        weights: Any, x: Any, gy: Any,
        indptr: Any, indices: Any, coefficients: Any, groups: Any, order: Any, bounds: Any,
        indptr_t: Any, indices_t: Any, coefficients_t: Any, groups_t: Any, order_t: Any, bounds_t: Any,
    ) -> Any:  # fmt: skip
        if x.shape[1:] != gy.shape[1:]:
            raise ValueError("x and the gradient of y differ in batch or channels")
        n_rows, width, n_edges = x.shape[0], x.shape[1] * x.shape[2], len(indices)
        values, sources, slopes = flat(weights), flat(x), flat(gy)
        gx, products = fresh(n_rows * width, x.dtype), np.empty(n_edges, x.dtype)
        if width == 1:
            shares = groups
            n_parts = PARTS if n_edges >= PARALLEL_FROM else 1
            others = np.empty((n_parts - 1) * n_rows, x.dtype)
            scatter_call((
                gx, others, products, values, indices, coefficients, groups, sources, slopes, indptr, order, bounds,
                n_parts,
            ), n_parts, 2 * n_edges)  # fmt: skip
            if n_parts > 1:
                merge_call((gx, others), N_PIECES, len(others))
        else:
            shares = groups_t
            gradients_call((
                gx, products, values, indices_t, coefficients_t, groups_t, None if shared else groups_t, sources,
                slopes, indptr_t, bounds_t, width, passes_cache(gx, width),
            ), len(bounds_t) - 1, 2 * n_edges * width)  # fmt: skip
        if shared:
            sums = np.zeros(len(weights), x.dtype)
            _group_sums_call((sums, products, shares), 1, 0)
            return sums, gx.reshape(n_rows, x.shape[1], x.shape[2])
        return products, gx.reshape(n_rows, x.shape[1], x.shape[2])

    return gradients


number_gradients = _gradients(shared=False)
"""Both gradients of `number_dot`, as `EdgeGradients` has them, where every edge has a weight of its own."""

shared_number_gradients = _gradients(shared=True)
"""The same where `groups` says which weight an edge has."""


# ------------------------------------------------------------------ the gradient by the weights alone


def _row_products(n: int) -> Any:
    fetch = fetches_ahead(n)

    @compiled
    def add_columns(column: Any, width: Any, walk: Any, arrays: Any) -> None:
        """The share of n columns in the products of the edges of the rows t from first to last."""
        first, last, indptr = walk
        products, indices, x, gy = arrays
        zeros = splat(products.dtype.type(0), n)
        for t in range(first, last):
            slopes = load(gy, t * width + column, n)
            e, end = np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])
            while e < end:
                fetch(x, e, indices, width, column)
                values = load(x, np.uintp(indices[e]) * width + column, n)
                products[e] += total(multiply_add(values, slopes, zeros))
                e = successor(e)

    return add_columns


_add_products = for_all_columns(_row_products)


def _make_outer(dtype: str) -> Any:
    @compiled
    def number_outer(
        chunk: Any, products: Any, indices: Any, coefficients: Any, x: Any, gy: Any, indptr: Any, bounds: Any,
        width: Any,
    ) -> None:  # fmt: skip
        arrays, factors = (products, indices, x, gy), strided(coefficients, 1)
        step, last = rows_at_once(width), np.uintp(bounds[chunk + np.uintp(1)])
        for begin in range(np.uintp(bounds[chunk]), last, step):
            end = min(begin + step, last)
            _add_products(np.uintp(0), width, (begin, end, indptr), arrays)
            for e in range(np.uintp(indptr[begin]), np.uintp(indptr[end])):
                products[e] *= number_of(factors, e)

    return number_outer


OUTER = Loop("number_outer", "fifffibn", _make_outer)
_outer_call = OUTER.call


@in_both
def number_outer(
    x: Any, gy: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any, order: Any, bounds: Any, n_groups: Any
) -> Any:
    """S[g] = sum over the edges e with g_e = g of c_e <x[s_e], gy[t_e]>, a scalar product over batch and channels.

    x (S, B, C), gy (T, B, C), n_groups (integer, shape ()) -> (n_groups,).
    """
    if x.shape[1:] != gy.shape[1:]:
        raise ValueError("x and the gradient of y differ in batch or channels")
    products = np.zeros(len(indices), x.dtype)
    width = x.shape[1] * x.shape[2]
    arrays = products, indices, coefficients, flat(x), flat(gy), indptr, bounds, width
    _outer_call(arrays, len(bounds) - 1, len(indices) * width)
    if groups is None:
        return products
    sums = np.zeros(n_groups.item(), x.dtype)
    _group_sums_call((sums, products, groups), 1, 0)
    return sums
