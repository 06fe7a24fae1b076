"""Products of node-major values with weights that are not sparse: shared blocks and dense clauses.

Input: variables (units, batch, channels) and weights. Output: node-major variables. Not for: sums along edges (see
`csr_dot`), plans.
"""

from __future__ import annotations

import pytensor.tensor as pt

from graphnn_compiler.backend.layout import Tensor, batch_length
from graphnn_compiler.backend.turning import swap_units_and_batch
from graphnn_compiler.topology.plan import Mix


def project(x: Tensor, block: Tensor) -> Tensor:
    """x @ block for every unit and sample: (U, B, C_in) and (C_in, C_out) -> (U, B, C_out)."""
    n_units, _, c_in = x.type.shape
    c_out = block.type.shape[1]
    if c_in == 1:
        return x * block.dimshuffle("x", 0, 1)
    if n_units == 1:
        return pt.dot(x[0], block).dimshuffle("x", 0, 1)
    length = batch_length(x)
    return pt.dot(x.reshape((n_units * length, c_in)), block).reshape((n_units, length, c_out))


def dense_product(x: Tensor, weights: Tensor, n_targets: int, c_out: int) -> Tensor:
    """(S, B, C_in) and (S * C_in, T * C_out) -> (T, B, C_out)."""
    n_sources, _, c_in = x.type.shape
    length = batch_length(x)
    if c_in == c_out == 1:  # the layouts fit as they are, and BLAS reads a transposed matrix where it lies
        return pt.dot(weights.T, x.dimshuffle(0, 1)).dimshuffle(0, 1, "x")
    samples = swap_units_and_batch(x).reshape((length, n_sources * c_in))
    return swap_units_and_batch(pt.dot(samples, weights).reshape((length, n_targets, c_out)))


def dense_by_channel(x: Tensor, weights: Tensor, mix: Mix) -> Tensor:
    """(S, B, C) and (C, S, T) for diagonals, (S, T) for multiples of the identity -> (T, B, C)."""
    n_sources, _, channels = x.type.shape
    n_targets, length = weights.type.shape[-1], batch_length(x)
    samples = x.dimshuffle(2, 1, 0).reshape((channels * length, n_sources))
    if mix == "scalar":
        return pt.dot(samples, weights).reshape((channels, length, n_targets)).dimshuffle(2, 1, 0)
    # a product per channel: the numba linker takes a batched product apart too, with operands that are not contiguous
    products = [pt.dot(samples[c * length : (c + 1) * length], weights[c]) for c in range(channels)]
    return pt.stack(products).dimshuffle(2, 1, 0)


def channels_in_batch(x: Tensor) -> Tensor:
    """(U, B, C) as (U, B * C, 1): where all channels share their weights, each is a sample of its own."""
    n_units, _, channels = x.type.shape
    return x if channels == 1 else x.reshape((n_units, batch_length(x) * channels, 1))
