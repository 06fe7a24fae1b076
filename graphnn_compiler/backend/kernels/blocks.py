"""Sums along edges that each have a block or a diagonal as weight: a small matrix product for every edge and sample.

Rows are divided into chunks as in `numbers`; sums that several rows share are made by one thread. No loop holds more
than a block beside its result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.primitives import (
    compiled,
    flat,
    group_of,
    in_both,
    number_of,
    strided,
)


def _over_rows(name: str, row: Any) -> Loop:
    """The loop that calls `row(t, arrays, sizes)` for the rows of one chunk.

    Arguments: the array that it adds to, two that it reads, the edges, the chunks, the sizes (batch, c_in, c_out).
    """

    @compiled
    def walk(
        chunk: Any, sums: Any, a: Any, b: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any, bounds: Any,
        batch: Any, c_in: Any, c_out: Any,
    ) -> None:  # fmt: skip
        arrays = sums, a, b, indptr, indices, strided(coefficients, 1), strided(groups, 0)
        for t in range(np.uintp(bounds[chunk]), np.uintp(bounds[chunk + np.uintp(1)])):
            row(t, arrays, (batch, c_in, c_out))

    return Loop(name, "fffiifibnnn", lambda dtype: walk)


# ------------------------------------------------------------------ blocks


@compiled
def _add_block_row(t: Any, arrays: Any, sizes: Any) -> None:
    y, weights, x, indptr, indices, coefficients, groups = arrays
    batch, c_in, c_out = sizes
    for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
        scale, g, s = number_of(coefficients, e), group_of(groups, e), np.uintp(indices[e])
        block = g * c_in * c_out
        for b in range(batch):
            source, target = (s * batch + b) * c_in, (t * batch + b) * c_out
            for i in range(c_in):
                value = scale * x[source + i]
                for j in range(c_out):
                    y[target + j] += value * weights[block + i * c_out + j]


@compiled
def _add_block_products(t: Any, arrays: Any, sizes: Any) -> None:
    sums, x, gy, indptr, indices, coefficients, groups = arrays
    batch, c_in, c_out = sizes
    for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
        scale, g, s = number_of(coefficients, e), group_of(groups, e), np.uintp(indices[e])
        block = g * c_in * c_out
        for b in range(batch):
            source, target = (s * batch + b) * c_in, (t * batch + b) * c_out
            for i in range(c_in):
                value = scale * x[source + i]
                for j in range(c_out):
                    sums[block + i * c_out + j] += value * gy[target + j]


BLOCK_DOT = _over_rows("block_dot", _add_block_row)
_block_dot = BLOCK_DOT.call
BLOCK_OUTER = _over_rows("block_outer", _add_block_products)
_block_outer = BLOCK_OUTER.call


@in_both
def block_dot(
    weights: Any, bias: Any, x: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any, order: Any, bounds: Any
) -> Any:
    """y[t, b, :] = sum over the edges e of row t of c_e x[s_e, b, :] @ W[g_e].

    weights (n_groups, C_in, C_out), x (S, B, C_in) -> y (T, B, C_out).
    """
    if x.shape[2] != weights.shape[1]:
        raise ValueError("the channels of x are not the rows of a weight block")
    batch, c_in, c_out = x.shape[1], weights.shape[1], weights.shape[2]
    y = np.zeros((len(indptr) - 1) * batch * c_out, x.dtype)
    arguments = y, flat(weights), flat(x), indptr, indices, coefficients, groups, bounds, batch, c_in, c_out
    _block_dot(arguments, len(bounds) - 1, len(indices) * batch * c_in * c_out)
    return y.reshape(len(indptr) - 1, batch, c_out)


@in_both
def block_outer(
    x: Any, gy: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any, order: Any, bounds: Any, n_groups: Any
) -> Any:
    """S[g] = sum over the edges e with g_e = g of c_e x[s_e]^T @ gy[t_e], a product over the batch.

    x (S, B, C_in), gy (T, B, C_out), n_groups (integer, shape ()) -> (n_groups, C_in, C_out).
    """
    if x.shape[1] != gy.shape[1]:
        raise ValueError("x and the gradient of y differ in batch")
    batch, c_in, c_out = x.shape[1], x.shape[2], gy.shape[2]
    sums = np.zeros(n_groups.item() * c_in * c_out, x.dtype)
    arguments = sums, flat(x), flat(gy), indptr, indices, coefficients, groups, bounds, batch, c_in, c_out
    _block_outer(arguments, len(bounds) - 1, len(indices) * batch * c_in * c_out if groups is None else 0)
    return sums.reshape(n_groups.item(), c_in, c_out)


# ------------------------------------------------------------------ diagonals


@compiled
def _add_diagonal_row(t: Any, arrays: Any, sizes: Any) -> None:
    y, weights, x, indptr, indices, coefficients, groups = arrays
    batch, channels, _ = sizes
    for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
        scale, g, s = number_of(coefficients, e), group_of(groups, e), np.uintp(indices[e])
        for b in range(batch):
            source, target = (s * batch + b) * channels, (t * batch + b) * channels
            for i in range(channels):
                y[target + i] += scale * weights[g * channels + i] * x[source + i]


@compiled
def _add_diagonal_products(t: Any, arrays: Any, sizes: Any) -> None:
    sums, x, gy, indptr, indices, coefficients, groups = arrays
    batch, channels, _ = sizes
    for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
        scale, g, s = number_of(coefficients, e), group_of(groups, e), np.uintp(indices[e])
        for b in range(batch):
            source, target = (s * batch + b) * channels, (t * batch + b) * channels
            for i in range(channels):
                sums[g * channels + i] += scale * x[source + i] * gy[target + i]


DIAGONAL_DOT = _over_rows("diagonal_dot", _add_diagonal_row)
_diagonal_dot = DIAGONAL_DOT.call
DIAGONAL_OUTER = _over_rows("diagonal_outer", _add_diagonal_products)
_diagonal_outer = DIAGONAL_OUTER.call


@in_both
def diagonal_dot(
    weights: Any, bias: Any, x: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any, order: Any, bounds: Any
) -> Any:
    """y[t, b, i] = sum over the edges e of row t of c_e w[g_e, i] x[s_e, b, i].

    weights (n_groups, C), x (S, B, C) -> y (T, B, C).
    """
    if x.shape[2] != weights.shape[1]:
        raise ValueError("x has other channels than the diagonals")
    batch, channels = x.shape[1], x.shape[2]
    y = np.zeros((len(indptr) - 1) * batch * channels, x.dtype)
    arguments = y, flat(weights), flat(x), indptr, indices, coefficients, groups, bounds, batch, channels, channels
    _diagonal_dot(arguments, len(bounds) - 1, len(indices) * batch * channels)
    return y.reshape(len(indptr) - 1, batch, channels)


@in_both
def diagonal_outer(
    x: Any, gy: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any, order: Any, bounds: Any, n_groups: Any
) -> Any:
    """S[g, i] = sum over the edges e with g_e = g of c_e <x[s_e, :, i], gy[t_e, :, i]>, a product over the batch.

    x (S, B, C), gy (T, B, C), n_groups (integer, shape ()) -> (n_groups, C).
    """
    if x.shape[1:] != gy.shape[1:]:
        raise ValueError("x and the gradient of y differ in batch or channels")
    batch, channels = x.shape[1], x.shape[2]
    sums = np.zeros(n_groups.item() * channels, x.dtype)
    arguments = sums, flat(x), flat(gy), indptr, indices, coefficients, groups, bounds, batch, channels, channels
    _diagonal_outer(arguments, len(bounds) - 1, len(indices) * batch * channels if groups is None else 0)
    return sums.reshape(n_groups.item(), channels)
