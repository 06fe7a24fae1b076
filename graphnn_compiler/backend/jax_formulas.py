"""What the compiled loops compute, in the words of JAX: formulas that its linker traces and XLA compiles.

Input: node-major arrays (units, batch, channels), float32 or float64, and the `indptr`, `indices`, `coefficients` and
`groups` of an orientation of an `EdgeStructure`, as the Ops have them as inputs. Output: arrays. Sizes are known when a
function is traced. Not for: other modes, derivatives, which PyTensor has taken before.

Memory: a term for each edge, sample and channel is gathered before rows are summed, unlike in the loops of `kernels`.
An array of edges x C_in x C_out is made in pieces where edges share blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from graphnn_compiler.backend.kernels.activations import LEAKY_SLOPE
from graphnn_compiler.topology.csr import Csr

Array: TypeAlias = Any
"""An array of JAX, which ships types of another strictness; None where an input of an Op is `NoneConst`."""

EXACT = jax.lax.Precision.HIGHEST
"""Of products: accelerators round the factors of float32 otherwise."""

NUMBERS_AT_ONCE = 1 << 24
"""About how many numbers an array may hold that is made for a piece of the edges."""

WAITING = 4
"""How many times as many steps as edges rows may take together, where each takes as many as the longest."""


def require_dtypes(dtypes: Sequence[str]) -> None:
    """TypeError for float64 where JAX is set to make float32 of it."""
    if "float64" in dtypes and not jax.config.jax_enable_x64:
        raise TypeError("JAX computes in float32 as it is set, and this is float64: set its option jax_enable_x64")


def edge_dot(weights: Array, bias: Array, x: Array, *arrays: Array, csr: Csr, activation: str) -> Array:
    """The value of an `EdgeDot`: y[t] = f(bias[t] + sum over the edges e = (s -> t) of c_e x[s] @ W[g_e])."""
    indptr, indices, coefficients, groups = arrays[:4]
    if weights is not None and weights.ndim == 3:
        return _block_dot(weights, x, _rows(indptr, indices), indices, coefficients, groups, csr.shape[0])
    factors = None if coefficients is None else coefficients[:, None]
    if weights is not None:
        of_group = weights if weights.ndim == 2 else weights[:, None]
        of_edge = of_group if groups is None else _at(of_group, groups)
        factors = of_edge if factors is None else of_edge * factors
    depth = _depth(csr)
    if depth is None:
        terms = _at(x, indices) if factors is None else _at(x, indices) * factors[:, None, :]
        y = _in_rows(terms, _rows(indptr, indices), csr.shape[0])
    else:
        y = _by_depth(factors, x, indptr, indices, depth)
    return activated(y if bias is None else y + bias[:, None, None], activation)


def _by_depth(factors: Array, x: Array, indptr: Array, indices: Array, depth: int) -> Array:
    """The first edge of every row, then the second, up to `depth`: no array has an entry per edge and sample."""

    def added(k: Array, y: Array) -> Array:
        edge = indptr[:-1] + k.astype(indptr.dtype)
        exists = edge < indptr[1:]
        edge = jnp.where(exists, edge, 0)
        terms = _at(x, _at(indices, edge))
        if factors is not None:
            terms = terms * _at(factors, edge)[:, None, :]
        return y + jnp.where(exists[:, None, None], terms, 0)

    return jax.lax.fori_loop(0, depth, added, jnp.zeros((len(indptr) - 1, *x.shape[1:]), x.dtype))


def _depth(csr: Csr) -> int | None:
    """The edges of the longest row, or None where rows differ so much that most of them would wait for it."""
    depth = int(np.diff(csr.indptr).max(initial=0))
    return depth if 0 < depth * csr.shape[0] <= WAITING * csr.n_edges else None


def edge_outer(x: Array, gy: Array, *arrays: Array, csr: Csr, form: str, n_groups: int) -> Array:
    """The value of an `EdgeOuter`: S[g] = sum over the edges e = (s -> t) of group g of c_e x[s]^T @ gy[t]."""
    indptr, indices, coefficients, groups = arrays[:4]
    if form == "blocks":
        return _block_outer(x, gy, _rows(indptr, indices), indices, coefficients, groups, n_groups)
    depth = _depth(csr)
    if form == "diagonals":
        of_edge = (_at(x, indices) * _at(gy, _rows(indptr, indices))).sum(1)
    elif depth is None:
        of_edge = _sums(_at(x, indices) * _at(gy, _rows(indptr, indices)))
    else:
        of_edge = _sums_by_depth(x, gy, indptr, indices, depth)
    if coefficients is not None:
        of_edge = of_edge * coefficients.reshape(-1, *[1] * (of_edge.ndim - 1))
    return of_edge if groups is None else jax.ops.segment_sum(of_edge, groups, n_groups)


def _sums_by_depth(x: Array, gy: Array, indptr: Array, indices: Array, depth: int) -> Array:
    """<x[s], gy[t]> for the first edge of every row, then for the second, up to `depth`."""

    def filled(k: Array, sums: Array) -> Array:
        edge = indptr[:-1] + k.astype(indptr.dtype)
        exists = edge < indptr[1:]
        products = _at(x, _at(indices, jnp.where(exists, edge, 0))) * gy
        return sums.at[jnp.where(exists, edge, len(indices))].set(_sums(products), mode="drop")

    return jax.lax.fori_loop(0, depth, filled, jnp.zeros(len(indices), x.dtype))


def _sums(products: Array) -> Array:
    """The sums of all but the first axis, as a product with ones: XLA's own sums take five times as long on CPUs."""
    flat = products.reshape(len(products), math.prod(products.shape[1:]))
    return jnp.matmul(flat, jnp.ones(flat.shape[1], flat.dtype), precision=EXACT)


def edge_gradients(weights: Array, x: Array, gy: Array, *arrays: Array, csr: Csr, n_groups: int) -> tuple[Array, Array]:
    """The values of an `EdgeGradients`: those by the weights, which are numbers, and by x."""
    half = len(arrays) // 2
    sums = edge_outer(x, gy, *arrays[:half], csr=csr, form="numbers", n_groups=n_groups)
    return sums, edge_dot(weights, None, gy, *arrays[half:], csr=csr.transpose, activation="linear")


def batch_sum(gy: Array) -> Array:
    return gy.sum((1, 2))


def slopes(y: Array, gy: Array, *, activation: str) -> tuple[Array, Array]:
    """f'(z) gy, where y = f(z), and its sums over batch and channels."""
    match activation:
        case "linear":
            gz = gy
        case "relu":
            gz = jnp.where(y <= 0, 0, gy)
        case "leaky_relu":
            gz = jnp.where(y <= 0, LEAKY_SLOPE * gy, gy)
        case "tanh":
            gz = gy * (1 - y * y)
        case "sigmoid":
            gz = gy * (y * (1 - y))
        case _:
            raise ValueError(f"`{activation}` is not fused")
    return gz, batch_sum(gz)


def activated(z: Array, activation: str) -> Array:
    match activation:
        case "linear":
            return z
        case "relu":
            return jnp.where(z <= 0, 0, z)
        case "leaky_relu":
            return jnp.where(z <= 0, LEAKY_SLOPE * z, z)
        case "tanh":
            return jnp.tanh(z)
        case "sigmoid":
            return jax.nn.sigmoid(z)
        case _:
            raise ValueError(f"`{activation}` is not fused")


def power_of_difference(x: Array, m: Array) -> Array:
    """e^(x - m) of float32, in double precision where JAX is set to have it."""
    wide = jnp.float64 if jax.config.jax_enable_x64 else jnp.float32
    return jnp.exp(jnp.asarray(x, wide) - jnp.asarray(m, wide)).astype(jnp.float32)


def turned(x: Array) -> Array:
    return x.swapaxes(0, 1)


def used(value: Array, recorded: Array, running: Array) -> Array:
    """The value of an `Observed`, which is its first input."""
    return value


def enough(x: Array, condition: Array, *, message: str, axes: tuple[int, ...]) -> Array:
    """The value of an `EnoughValues`, which is x. It looks at the shape, as a traced condition has no value yet."""
    if math.prod(x.shape[axis] for axis in axes) < 2:
        raise ValueError(message)
    return x


# -------------------------------------------------------------- blocks


def _block_dot(
    weights: Array, x: Array, rows: Array, indices: Array, coefficients: Array, groups: Array, n_rows: int
) -> Array:
    (n_groups, _, c_out), batch = weights.shape, x.shape[1]
    if groups is None:
        return _in_rows(_scaled(jnp.matmul(_at(x, indices), weights, precision=EXACT), coefficients), rows, n_rows)
    if _few(n_groups, x, indices):
        products = jnp.einsum("sbi,gio->sgbo", x, weights, precision=EXACT).reshape(len(x) * n_groups, batch, c_out)
        return _in_rows(_scaled(_at(products, indices * n_groups + groups), coefficients), rows, n_rows)

    def added(y: Array, row: Array, source: Array, group: Array, factor: Array) -> Array:
        terms = jnp.matmul(_at(x, source), _at(weights, group), precision=EXACT)
        return y.at[row].add(_scaled(terms, factor), mode="drop")

    start = jnp.zeros((n_rows, batch, c_out), x.dtype)
    largest = max(weights[0].size, batch * max(weights.shape[1:]))
    return _by_pieces(added, start, largest, rows, indices, groups, coefficients)


def _block_outer(
    x: Array, gy: Array, rows: Array, indices: Array, coefficients: Array, groups: Array, n_groups: int
) -> Array:
    (n_sources, batch, c_in), c_out = x.shape, gy.shape[2]
    if groups is None:
        return jnp.einsum("ebi,ebo->eio", _scaled(_at(x, indices), coefficients), _at(gy, rows), precision=EXACT)
    if _few(n_groups, x, indices):
        heard = jax.ops.segment_sum(
            _scaled(_at(gy, rows), coefficients), indices * n_groups + groups, n_sources * n_groups
        )
        return jnp.einsum("sbi,sgbo->gio", x, heard.reshape(n_sources, n_groups, batch, c_out), precision=EXACT)

    def added(sums: Array, group: Array, source: Array, row: Array, factor: Array) -> Array:
        products = jnp.einsum("ebi,ebo->eio", _scaled(_at(x, source), factor), _at(gy, row), precision=EXACT)
        return sums.at[group].add(products, mode="drop")

    start = jnp.zeros((n_groups, c_in, c_out), x.dtype)
    largest = max(c_in * c_out, batch * max(c_in, c_out))
    return _by_pieces(added, start, largest, groups, indices, rows, coefficients)


def _few(n_groups: int, x: Array, indices: Array) -> bool:
    """Whether a row for each source and group is no more than one for each edge, or one for each source."""
    return n_groups == 1 or len(x) * n_groups <= len(indices)


def _by_pieces(
    added: Callable[..., Array], start: Array, largest: int, targets: Array, first: Array, second: Array, factors: Array
) -> Array:
    """`added` to `start` for pieces of the edges, for each of which it makes arrays of up to `largest` numbers an edge.

    It drops edges whose target, a position in `start`, is outside: they fill up the last piece.
    """
    n_edges, length = len(targets), max(1, NUMBERS_AT_ONCE // max(1, largest))
    if n_edges <= length:
        return added(start, targets, first, second, factors)
    missing = -n_edges % length

    def cut(array: Array, filling: int) -> Array:
        return jnp.pad(array, (0, missing), constant_values=filling).reshape(-1, length)

    pieces = (
        cut(targets, len(start)),
        *(None if one is None else cut(one, 0) for one in (first, second, factors)),
    )
    return jax.lax.scan(lambda total, piece: (added(total, *piece), None), start, pieces)[0]


# -------------------------------------------------------------- edges and rows


def _rows(indptr: Array, indices: Array) -> Array:
    """The row of every edge."""
    numbers = jnp.arange(len(indptr) - 1, dtype=indices.dtype)
    return jnp.repeat(numbers, jnp.diff(indptr), total_repeat_length=len(indices))


def _at(array: Array, positions: Array) -> Array:
    """`array[positions]`, all of which are known to exist."""
    return array.at[positions].get(mode="promise_in_bounds")


def _scaled(terms: Array, coefficients: Array) -> Array:
    """Terms (edges, batch, channels), each edge's multiplied by its coefficient."""
    return terms if coefficients is None else terms * coefficients[:, None, None]


def _in_rows(terms: Array, rows: Array, n_rows: int) -> Array:
    return jax.ops.segment_sum(terms, rows, n_rows, indices_are_sorted=True)
