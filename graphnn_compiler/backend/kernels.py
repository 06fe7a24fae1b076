"""The compiled loops behind the CSR sparse dot.

Input: contiguous or strided arrays, node-major, and the arrays of one orientation of an `EdgeStructure`. Output: a new
array. The loops walk the rows of a CSR structure, whose entry k is the edge k from unit `indices[k]` to its row;
`coefficients` (c, one an edge) and `groups` (g, the weight or weight block of each edge) may be None, which means all
ones and the edge's own number. The callers have checked the number of units and of weights; the indices are trusted.
Not for: symbolic variables, gradients.

Everything runs on one thread, row after row and edge after edge. Positions are unsigned (`np.uintp`), since a signed
one is tested for counting from the end on every access. No loop holds more than a block beside its result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit

_Loop = TypeVar("_Loop", bound=Callable[..., Any])

# `contract` makes a multiplication and an addition one instruction; `reassoc` and `nsz` let a sum over the batch, or at
# batch one over a row's edges, run in vector lanes. The compiler settles the order of summation once, so that equal
# inputs give equal bits in every run on one machine. Infinities and NaN keep their meaning: no flag assumes them away.
_compiled: Callable[[_Loop], _Loop] = njit(fastmath={"contract", "reassoc", "nsz"})


@_compiled
def _group(groups: Any, edge: Any) -> Any:
    return edge if groups is None else np.uintp(groups[edge])


@_compiled
def _coefficient(coefficients: Any, edge: Any, like: Any) -> Any:
    """c_e in the dtype of the array `like`."""
    return like.dtype.type(1 if coefficients is None else coefficients[edge])


@_compiled
def _edge_value(weights: Any, coefficients: Any, groups: Any, edge: Any, like: Any) -> Any:
    value = _coefficient(coefficients, edge, like)
    return value if weights is None else value * weights[_group(groups, edge)]


@_compiled
def _flat(x: Any) -> Any:
    """(units, batch, channels) as contiguous (units, batch * channels)."""
    return np.ascontiguousarray(x).reshape(x.shape[0], x.shape[1] * x.shape[2])


@_compiled
def scalar_dot(weights: Any, x: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any) -> Any:
    """y[t, b, i] = sum over the edges e of row t of c_e w[g_e] x[s_e, b, i]; `weights` None means ones.

    weights (n_groups,) or None, x (S, B, C) -> y (T, B, C).
    """
    sources = _flat(x)
    y = np.empty((len(indptr) - 1, sources.shape[1]), x.dtype)
    if sources.shape[1] == 1:  # a sum in a register takes half the time of a loop over a batch of one
        _sum_numbers(y.reshape(y.size), weights, sources.reshape(sources.size), indptr, indices, coefficients, groups)
    else:
        _sum_rows(y, weights, sources, indptr, indices, coefficients, groups)
    return y.reshape(y.shape[0], x.shape[1], x.shape[2])


@_compiled
def _sum_numbers(y: Any, weights: Any, sources: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any) -> None:
    first = np.uintp(0)
    for t in range(np.uintp(len(y))):
        last = np.uintp(indptr[t + np.uintp(1)])
        total = y.dtype.type(0)
        for e in range(first, last):
            total += _edge_value(weights, coefficients, groups, e, y) * sources[np.uintp(indices[e])]
        y[t] = total
        first = last


@_compiled
def _sum_rows(y: Any, weights: Any, sources: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any) -> None:
    width = np.uintp(y.shape[1])
    for t in range(np.uintp(y.shape[0])):
        for b in range(width):
            y[t, b] = 0
        for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
            value, s = _edge_value(weights, coefficients, groups, e, y), np.uintp(indices[e])
            for b in range(width):
                y[t, b] += value * sources[s, b]


@_compiled
def block_dot(weights: Any, x: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any) -> Any:
    """y[t, b, :] = sum over the edges e of row t of c_e x[s_e, b, :] @ W[g_e].

    weights (n_groups, C_in, C_out) of any strides, x (S, B, C_in) -> y (T, B, C_out).
    """
    if x.shape[2] != weights.shape[1]:
        raise ValueError("the channels of x are not the rows of a weight block")
    sources = np.ascontiguousarray(x)
    n_rows, batch = len(indptr) - 1, np.uintp(x.shape[1])
    c_in, c_out = np.uintp(weights.shape[1]), np.uintp(weights.shape[2])
    y = np.zeros((n_rows, x.shape[1], weights.shape[2]), x.dtype)
    block = np.empty(weights.shape[1:], x.dtype)  # c_e W[g_e], scaled and made contiguous once for the whole batch
    for t in range(np.uintp(n_rows)):
        for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
            scale, g, s = _coefficient(coefficients, e, x), _group(groups, e), np.uintp(indices[e])
            for i in range(c_in):
                for j in range(c_out):
                    block[i, j] = scale * weights[g, i, j]
            for b in range(batch):
                for i in range(c_in):
                    value = sources[s, b, i]
                    for j in range(c_out):
                        y[t, b, j] += value * block[i, j]
    return y


@_compiled
def diagonal_dot(weights: Any, x: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any) -> Any:
    """y[t, b, i] = sum over the edges e of row t of c_e w[g_e, i] x[s_e, b, i].

    weights (n_groups, C) of any strides, x (S, B, C) -> y (T, B, C).
    """
    if x.shape[2] != weights.shape[1]:
        raise ValueError("x has other channels than the diagonals")
    sources = np.ascontiguousarray(x)
    n_rows, batch, channels = len(indptr) - 1, np.uintp(x.shape[1]), np.uintp(x.shape[2])
    y = np.zeros((n_rows, x.shape[1], x.shape[2]), x.dtype)
    diagonal = np.empty(x.shape[2], x.dtype)  # c_e w[g_e], scaled and made contiguous once for the whole batch
    for t in range(np.uintp(n_rows)):
        for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
            scale, g, s = _coefficient(coefficients, e, x), _group(groups, e), np.uintp(indices[e])
            for i in range(channels):
                diagonal[i] = scale * weights[g, i]
            for b in range(batch):
                for i in range(channels):
                    y[t, b, i] += sources[s, b, i] * diagonal[i]
    return y


@_compiled
def scalar_outer(x: Any, gy: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any, n_groups: Any) -> Any:
    """S[g] = sum over the edges e with g_e = g of c_e <x[s_e], gy[t_e]>, a scalar product over batch and channels.

    x (S, B, 1), gy (T, B, 1), n_groups (integer, shape ()) -> (n_groups,).
    """
    if x.shape[1:] != gy.shape[1:]:
        raise ValueError("x and the gradient of y differ in batch or channels")
    sources, targets = _flat(x), _flat(gy)
    width = np.uintp(sources.shape[1])
    sums = np.zeros(n_groups.item(), x.dtype)
    for t in range(np.uintp(len(indptr) - 1)):
        for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
            s = np.uintp(indices[e])
            product = x.dtype.type(0)
            for b in range(width):
                product += sources[s, b] * targets[t, b]
            sums[_group(groups, e)] += _coefficient(coefficients, e, x) * product
    return sums


@_compiled
def diagonal_outer(x: Any, gy: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any, n_groups: Any) -> Any:
    """S[g, i] = sum over the edges e with g_e = g of c_e <x[s_e, :, i], gy[t_e, :, i]>, a product over the batch.

    x (S, B, C), gy (T, B, C), n_groups (integer, shape ()) -> (n_groups, C).
    """
    if x.shape[1:] != gy.shape[1:]:
        raise ValueError("x and the gradient of y differ in batch or channels")
    sources, targets = np.ascontiguousarray(x), np.ascontiguousarray(gy)
    batch, channels = np.uintp(x.shape[1]), np.uintp(x.shape[2])
    sums = np.zeros((n_groups.item(), x.shape[2]), x.dtype)
    for t in range(np.uintp(len(indptr) - 1)):
        for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
            scale, g, s = _coefficient(coefficients, e, x), _group(groups, e), np.uintp(indices[e])
            for b in range(batch):
                for i in range(channels):
                    sums[g, i] += scale * sources[s, b, i] * targets[t, b, i]
    return sums


@_compiled
def block_outer(x: Any, gy: Any, indptr: Any, indices: Any, coefficients: Any, groups: Any, n_groups: Any) -> Any:
    """S[g] = sum over the edges e with g_e = g of c_e x[s_e]^T @ gy[t_e], a product over the batch.

    x (S, B, C_in), gy (T, B, C_out), n_groups (integer, shape ()) -> (n_groups, C_in, C_out).
    """
    if x.shape[1] != gy.shape[1]:
        raise ValueError("x and the gradient of y differ in batch")
    sources, targets = np.ascontiguousarray(x), np.ascontiguousarray(gy)
    batch, c_in, c_out = np.uintp(x.shape[1]), np.uintp(x.shape[2]), np.uintp(gy.shape[2])
    sums = np.zeros((n_groups.item(), x.shape[2], gy.shape[2]), x.dtype)
    for t in range(np.uintp(len(indptr) - 1)):
        for e in range(np.uintp(indptr[t]), np.uintp(indptr[t + np.uintp(1)])):
            scale, g, s = _coefficient(coefficients, e, x), _group(groups, e), np.uintp(indices[e])
            for b in range(batch):
                for i in range(c_in):
                    value = scale * sources[s, b, i]
                    for j in range(c_out):
                        sums[g, i, j] += value * targets[t, b, j]
    return sums
