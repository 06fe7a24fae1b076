"""The gradients of sums along edges that each have one number as weight: by the weights, by x, or both in one pass.

Both come out of one walk over the transposed structure: a row of the gradient of y that is fetched for the one serves
the other. Rows, chunks and columns are as in `numbers`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnn_compiler.backend.kernels.lanes import load, multiply_add, splat, store, total
from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.numbers import for_all_columns, is_plain, row_at, rows_at_once
from graphnn_compiler.backend.kernels.primitives import (
    compiled,
    flat,
    group_of,
    in_both,
    number_of,
    strided,
)


def _row_gradients(n: int) -> Any:
    @compiled
    def add_columns(column: Any, width: Any, walk: Any, arrays: Any) -> None:
        """n columns of gx[s] for the rows at positions first .. last, and their share in the products of the edges."""
        first, last, indptr, order = walk
        gx, products, weights, indices, coefficients, groups, slots, x, gy = arrays
        for position in range(first, last):
            s = row_at(position, width, order)
            values, zeros = load(x, s * width + column, n), splat(gx.dtype.type(0), n)
            sums = zeros
            for e in range(np.uintp(indptr[s]), np.uintp(indptr[s + np.uintp(1)])):
                slopes = load(gy, np.uintp(indices[e]) * width + column, n)
                sums = multiply_add(
                    splat(number_of(weights, group_of(groups, e)) * number_of(coefficients, e), n), slopes, sums
                )
                product = number_of(coefficients, e) * total(multiply_add(values, slopes, zeros))
                products[group_of(slots, e)] += product
            store(gx, s * width + column, sums)

    return add_columns


_add_columns = for_all_columns(_row_gradients)


def _make_gradients(dtype: str) -> Any:
    @compiled
    def number_gradients(
        chunk: Any, gx: Any, products: Any, weights: Any, indices: Any, coefficients: Any, groups: Any, slots: Any,
        x: Any, gy: Any, indptr: Any, order: Any, bounds: Any, width: Any,
    ) -> None:  # fmt: skip
        edges = strided(weights, 1), strided(coefficients, 1), strided(groups, 0), strided(slots, 0)
        arrays = gx, products, edges[0], indices, edges[1], edges[2], edges[3], x, gy
        step, last = rows_at_once(width), np.uintp(bounds[chunk + np.uintp(1)])
        for begin in range(np.uintp(bounds[chunk]), last, step):
            _add_columns(width, (begin, min(begin + step, last), indptr, order), arrays)

    return number_gradients


GRADIENTS = Loop("number_gradients", "fffifiiffiibn", _make_gradients)


def _make_scatter(dtype: str) -> Any:
    @compiled
    def number_scatter(
        piece: Any, gx: Any, sums: Any, weights: Any, indices: Any, coefficients: Any, groups: Any, x: Any, gy: Any,
        indptr: Any, order: Any,
    ) -> None:  # fmt: skip
        """The gradients for a width of 1, into the sources: one thread, but no fetches through a permutation."""
        values, factors, places = strided(weights, 1), strided(coefficients, 1), strided(groups, 0)
        if is_plain(values, factors, places):
            for position in range(np.uintp(len(order))):
                t = np.uintp(order[position])
                slope = gy[t]
                for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
                    s = np.uintp(indices[e])
                    gx[s] += weights[e] * slope
                    sums[e] += x[s] * slope
            return
        for position in range(np.uintp(len(order))):
            t = np.uintp(order[position])
            slope = gy[t]
            for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
                s = np.uintp(indices[e])
                g, scaled = group_of(places, e), number_of(factors, e) * slope
                gx[s] += number_of(values, g) * scaled
                sums[g] += x[s] * scaled

    return number_scatter


SCATTER = Loop("number_scatter", "fffififfii", _make_scatter)


def _make_group_sums(dtype: str) -> Any:
    @compiled
    def group_sums(piece: Any, sums: Any, products: Any, groups: Any) -> None:
        for e in range(np.uintp(len(products))):
            sums[np.uintp(groups[e])] += products[e]

    return group_sums


GROUP_SUMS = Loop("group_sums", "ffi", _make_group_sums)
_group_sums_call = GROUP_SUMS.call


def _gradients(shared: bool) -> Any:
    gradients_call, scatter_call = GRADIENTS.call, SCATTER.call

    @in_both
    def gradients(
        weights: Any, x: Any, gy: Any,
        indptr: Any, indices: Any, coefficients: Any, groups: Any, order: Any, bounds: Any,
        indptr_t: Any, indices_t: Any, coefficients_t: Any, groups_t: Any, order_t: Any, bounds_t: Any,
    ) -> Any:  # fmt: skip
        if x.shape[1:] != gy.shape[1:]:
            raise ValueError("x and the gradient of y differ in batch or channels")
        n_rows, width = x.shape[0], x.shape[1] * x.shape[2]
        values, sources, slopes, sums = flat(weights), flat(x), flat(gy), np.zeros(len(weights), x.dtype)
        if width == 1:
            gx = np.zeros(n_rows, x.dtype)
            scatter_call((gx, sums, values, indices, coefficients, groups, sources, slopes, indptr, order), 1, 0)
            return sums, gx.reshape(n_rows, x.shape[1], x.shape[2])
        gx = np.empty(n_rows * width, x.dtype)
        # an edge with a weight of its own adds to it at once; those of edges that share one are added up afterwards
        slots = None if shared else groups_t
        products = np.zeros(len(indices_t), x.dtype) if shared else sums
        gradients_call((
            gx, products, values, indices_t, coefficients_t, groups_t, slots, sources, slopes,
            indptr_t, order_t, bounds_t, width,
        ), len(bounds_t) - 1, 2 * len(indices_t) * width)  # fmt: skip
        if shared:
            _group_sums_call((sums, products, groups_t), 1, 0)
        return sums, gx.reshape(n_rows, x.shape[1], x.shape[2])

    return gradients


number_gradients = _gradients(shared=False)
"""Both gradients of `number_dot`, as `EdgeGradients` has them, where every edge has a weight of its own."""

shared_number_gradients = _gradients(shared=True)
"""The same where `groups` says which weight an edge has."""


# ------------------------------------------------------------------ the gradient by the weights alone


def _row_products(n: int) -> Any:
    @compiled
    def add_columns(column: Any, width: Any, walk: Any, arrays: Any) -> None:
        """The share of n columns in the products of the edges of the rows at positions first .. last."""
        first, last, indptr, order = walk
        products, indices, coefficients, x, gy = arrays
        zeros = splat(products.dtype.type(0), n)
        for position in range(first, last):
            t = row_at(position, width, order)
            slopes = load(gy, t * width + column, n)
            for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
                values = load(x, np.uintp(indices[e]) * width + column, n)
                products[e] += number_of(coefficients, e) * total(multiply_add(values, slopes, zeros))

    return add_columns


_add_products = for_all_columns(_row_products)


def _make_outer(dtype: str) -> Any:
    @compiled
    def number_outer(
        chunk: Any, products: Any, indices: Any, coefficients: Any, x: Any, gy: Any, indptr: Any, order: Any,
        bounds: Any, width: Any,
    ) -> None:  # fmt: skip
        arrays = products, indices, strided(coefficients, 1), x, gy
        step, last = rows_at_once(width), np.uintp(bounds[chunk + np.uintp(1)])
        for begin in range(np.uintp(bounds[chunk]), last, step):
            _add_products(width, (begin, min(begin + step, last), indptr, order), arrays)

    return number_outer


OUTER = Loop("number_outer", "fifffiibn", _make_outer)
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
    arrays = products, indices, coefficients, flat(x), flat(gy), indptr, order, bounds, width
    _outer_call(arrays, len(bounds) - 1, len(indices) * width)
    if groups is None:
        return products
    sums = np.zeros(n_groups.item(), x.dtype)
    _group_sums_call((sums, products, groups), 1, 0)
    return sums
