"""Numbers on edges: fixed coefficients (`scale`, `norm`) and start values of trainable weights (`init`).

Input: CSR structures, keys, random streams. Output: NumPy arrays in canonical edge order. Not for: evaluating the
language's expressions (their values arrive as arrays); what a single draw becomes (see
`initialisers`); which parameters a layer has.

Draw number i of a unit's, a group's or a parameter's stream (see `streams`), frozen by edition 1:

* per edge: destination d's stream, i = (position of the edge among those into d) * block size + place in the block;
* dense: destination d's stream, i = (source position * C_in + in channel) * C_out + out channel; of diagonals,
  i = source position * C + channel;
* shared: the whole parameter's stream; per group: the stream of the group's value; i = place in the block;
* bases: the int stream of the basis's number, i = place in the block; their coefficients: the stream of the group's
  value, i = the basis's number.

Blocks are in C order. Normal draws are the normal quantiles of the uniform ones. float32 values are the float64 ones
rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.topology.csr import Csr
from graphnn_compiler.topology.initialisers import (
    Constant,
    Fan,
    Initialiser,
    Normal,
    Orthogonal,
    orthogonal,
    standard_normal,
    transform,
)
from graphnn_compiler.topology.streams import GroupValue, Starts, Stream, uniform

Norm = Literal["none", "row", "col", "symmetric"]
Sharing = Literal["per_edge", "shared", "per"]
FloatType = Literal["float32", "float64"]
_CHUNK = 1 << 20  # entries drawn at a time: what is in flight stays near 50 MB however large the parameter


def norm_coefficients(
    scale: NDArray[np.float64] | None,
    csr: Csr,
    kind: Norm,
    *,
    groups: NDArray[np.signedinteger[Any]] | None = None,
    absolute: bool = False,
) -> NDArray[np.float64] | None:
    """The coefficient c(e) of every edge, float64 (E,); None where there is neither `scale` nor `norm`.

    With v = scale (1 by default): `row` v / sum into d, `col` v / sum out of s, `symmetric`
    v / sqrt(in(d) * out(s)), the D^-1/2 A D^-1/2 of Kipf and Welling (ICLR 2017). With `groups`, int (E,), the sums
    run over the edges of one group at the unit. A zero sum gives 0. `absolute` sums |v|. `csr` may hold a pair twice.
    Raises Problem E314 where v is not finite, E313 where v is negative, a norm is asked for and not `absolute`.
    """
    if scale is not None:
        _check_finite(scale, "`scale`")
    if kind == "none":
        return scale
    value = np.ones(csr.n_edges) if scale is None else scale
    if not absolute:
        _check_not_negative(value, kind)
    parts = np.abs(value)
    match kind:
        case "row":
            total = _sums(parts, csr.rows, groups)
        case "col":
            total = _sums(parts, csr.indices, groups)
        case "symmetric":
            # Two roots, not one of the product, which could overflow or vanish where neither sum does.
            total = np.sqrt(_sums(parts, csr.rows, groups)) * np.sqrt(_sums(parts, csr.indices, groups))
        case _:
            assert_never(kind)
    return np.divide(value, total, out=np.zeros(csr.n_edges), where=total > 0)


def _sums(parts: NDArray[np.float64], unit: NDArray, groups: NDArray | None) -> NDArray[np.float64]:
    """For every edge the sum of `parts` over the edges at its unit, and in its group."""
    if groups is not None and len(groups):
        lowest = int(groups.min())
        pairs = unit.astype(np.int64) * (int(groups.max()) - lowest + 1) + (groups - lowest)
        unit = np.unique(pairs, return_inverse=True)[1]
    sums: NDArray[np.float64] = np.bincount(unit, weights=parts)[unit]
    return sums


def _check_finite(value: NDArray[np.float64], what: str) -> None:
    wrong = len(value) - int(np.isfinite(value).sum())
    if wrong:
        raise Problem(
            "E314",
            f"{what} is infinite or not a number on {wrong:,} of {count(len(value), 'edge')}",
            help="look for a division by zero or the logarithm of 0 in the expression or in the data",
        )


def _check_not_negative(value: NDArray[np.float64], kind: str) -> None:
    wrong = int((value < 0).sum())
    if wrong:
        raise Problem(
            "E313",
            f"`norm = {kind}` divides by sums of `scale`, which is negative on {wrong:,} of"
            f" {count(len(value), 'edge')}",
            help=f"write `norm = {kind}(abs = true)` to divide by the sums of the absolute values",
        )


def fan(
    sharing: Sharing,
    structure: Csr | tuple[int, int],
    c_in: int = 1,
    c_out: int = 1,
    *,
    groups: NDArray[np.signedinteger[Any]] | None = None,
    normed: bool = False,
) -> Fan:
    """Fan-in and fan-out by the language's rule.

    `structure` is the clause's CSR, or (n_sources, n_destinations) of a dense product. per_edge: C_in * in-degree
    and C_out * out-degree, float64 (E,), one number each for a dense product; shared: C_in and C_out; per: K * C_in
    and K * C_out, K the most distinct `groups` (int, (E,)) among the edges into one destination, 1 if `normed`.
    """
    match sharing:
        case "shared":
            return Fan(float(c_in), float(c_out))
        case "per_edge":
            if not isinstance(structure, Csr):
                n_sources, n_targets = structure
                return Fan(float(c_in * n_sources), float(c_out * n_targets))
            in_degree, out_degree = structure.in_degree[structure.rows], structure.out_degree[structure.indices]
            return Fan(c_in * in_degree.astype(np.float64), c_out * out_degree.astype(np.float64))
        case "per":
            if groups is None or not isinstance(structure, Csr):
                raise ValueError("the fan of grouped weights needs a CSR structure and the group of every edge")
            most = 1 if normed else _most_groups(structure, groups)
            return Fan(float(most * c_in), float(most * c_out))
        case _:
            assert_never(sharing)


def _most_groups(csr: Csr, groups: NDArray[np.signedinteger[Any]]) -> int:
    if csr.n_edges == 0:
        return 1
    order = np.lexsort((groups, csr.rows))
    rows, groups = csr.rows[order], groups[order]
    fresh = np.append(True, (np.diff(rows) != 0) | (np.diff(groups) != 0))
    return int(np.bincount(rows[fresh]).max())


def draw_uniform(stream: Stream, csr: Csr, target_keys: NDArray, block: tuple[int, ...] = ()) -> NDArray[np.float64]:
    """Uniform draws in [0, 1) for every edge, float64 (E, *block), for expressions over `uniform(..)`."""
    return _edge_draws(stream.starts(target_keys), csr, block, slice(0, csr.n_edges))


def draw_normal(stream: Stream, csr: Csr, target_keys: NDArray, block: tuple[int, ...] = ()) -> NDArray[np.float64]:
    """Standard normal draws for every edge, float64 (E, *block), for expressions over `normal(..)`."""
    return standard_normal(draw_uniform(stream, csr, target_keys, block))


def _edge_draws(starts: Starts, csr: Csr, block: tuple[int, ...], part: slice) -> NDArray[np.float64]:
    rows = csr.rows[part]
    size = math.prod(block)
    position = np.arange(part.start, part.stop, dtype=np.int64) - csr.indptr[rows]
    counter = position[:, None] * size + np.arange(size, dtype=np.int64)
    return uniform(starts[rows][:, None], counter).reshape(len(rows), *block)


def init_edges(
    init: Initialiser,
    stream: Stream,
    csr: Csr,
    target_keys: NDArray,
    fans: Fan,
    *,
    block: tuple[int, ...] = (),
    dtype: FloatType = "float32",
) -> NDArray:
    """Start values of one weight block per edge, (E, *block) of `dtype`.

    `block` is () for single numbers, (C_in, C_out) for full blocks, (C,) for diagonal ones. An edge's value depends
    on its destination's key, its position among the edges into it and, by fan, on degrees: on no other destination.
    """
    starts = stream.starts(target_keys)

    def values(part: slice) -> NDArray[np.float64]:
        return transform(init, _edge_draws(starts, csr, block, part), fans, part)

    return _filled((csr.n_edges, *block), dtype, init, values)


def init_dense(
    init: Initialiser,
    stream: Stream,
    n_sources: int,
    target_keys: NDArray,
    c_in: int = 1,
    c_out: int = 1,
    *,
    dtype: FloatType = "float32",
) -> NDArray:
    """Start values of the matrix of `all` with weights per edge: (n_sources * C_in, n_destinations * C_out).

    Its rows are drawn a chunk at a time straight into `dtype`.
    """
    n_targets = len(target_keys)
    fans = fan("per_edge", (n_sources, n_targets), c_in, c_out)
    starts = stream.starts(target_keys)[None, :, None]
    channels = np.arange(c_out, dtype=np.int64)

    def draws(part: slice) -> NDArray[np.float64]:
        row = np.arange(part.start, part.stop, dtype=np.int64)[:, None, None]
        return uniform(starts, row * c_out + channels).reshape(len(row), n_targets * c_out)

    shape = (n_sources * c_in, n_targets * c_out)
    if isinstance(init, Orthogonal):
        return orthogonal(standard_normal(draws(slice(0, shape[0])))).astype(dtype)
    return _filled(shape, dtype, init, lambda part: transform(init, draws(part), fans))


def init_dense_diagonal(
    init: Initialiser,
    stream: Stream,
    n_sources: int,
    target_keys: NDArray,
    channels: int,
    *,
    dtype: FloatType = "float32",
) -> NDArray:
    """Start values of the diagonals of `all` with weights per edge: (C, n_sources, n_destinations)."""
    n_targets = len(target_keys)
    fans = fan("per_edge", (n_sources, n_targets))
    starts = stream.starts(target_keys)[None, :]

    def of_channel(channel: int) -> NDArray:
        def values(part: slice) -> NDArray[np.float64]:
            row = np.arange(part.start, part.stop, dtype=np.int64)[:, None]
            return transform(init, uniform(starts, row * channels + channel), fans)

        return _filled((n_sources, n_targets), dtype, init, values)

    return np.stack([of_channel(channel) for channel in range(channels)])


def init_bases(
    init: Initialiser,
    streams: tuple[Stream, Stream],
    n_bases: int,
    values: Sequence[GroupValue],
    fans: Fan,
    *,
    block: tuple[int, ...] = (),
    dtype: FloatType = "float32",
) -> tuple[NDArray, NDArray]:
    """Start values of bases (B, *block) and of their coefficients (G, B), by the streams of the two parameters.

    Coefficients are normal with variance 1 / B, so that the sum over b of a[g, b] V[b] has the variance that `init`
    gives a block of its own.
    """
    bases = init_groups(init, streams[0], range(n_bases), fans, block=block, dtype=dtype)
    unit = Normal(0.0, math.sqrt(1 / n_bases))
    return bases, init_groups(unit, streams[1], values, fans, block=(n_bases,), dtype=dtype)


def init_shared(
    init: Initialiser,
    stream: Stream,
    fans: Fan,
    *,
    block: tuple[int, ...] = (),
    dtype: FloatType = "float32",
) -> NDArray:
    """Start values of one block that all edges share, of shape `block`."""
    return _blocks(init, [stream.start_of()], fans, block, dtype)[0, ...]


def init_groups(
    init: Initialiser,
    stream: Stream,
    values: Sequence[GroupValue],
    fans: Fan,
    *,
    block: tuple[int, ...] = (),
    dtype: FloatType = "float32",
) -> NDArray:
    """Start values of one block per group, (G, *block); a group's depend on its value, not on the other groups."""
    return _blocks(init, [stream.start_of(value) for value in values], fans, block, dtype)


def _blocks(init: Initialiser, starts: list[Starts], fans: Fan, block: tuple[int, ...], dtype: FloatType) -> NDArray:
    counter = np.arange(math.prod(block), dtype=np.int64)
    draws = uniform(np.array(starts, dtype=np.uint64)[:, None], counter).reshape(len(starts), *block)
    return _rounded(transform(init, draws, fans), dtype)


def _filled(
    shape: tuple[int, ...], dtype: FloatType, init: Initialiser, values: Callable[[slice], NDArray[np.float64]]
) -> NDArray:
    """An array whose rows are computed a chunk at a time; a constant needs no draws."""
    if isinstance(init, Constant):
        return np.full(shape, _rounded(np.asarray(init.value), dtype))
    result = np.empty(shape, dtype=dtype)
    step = max(1, _CHUNK // max(1, math.prod(shape[1:])))
    for start in range(0, shape[0], step):
        part = slice(start, min(start + step, shape[0]))
        result[part] = _rounded(values(part), dtype)
    return result


def _rounded(values: NDArray[np.float64], dtype: FloatType) -> NDArray:
    """Start values in the type of the parameter; Problem E315 where one is beyond it."""
    with np.errstate(over="ignore"):  # looked for below
        rounded = values.astype(dtype)
    if not np.isfinite(rounded).all():
        largest = f"{np.finfo(dtype).max:.1e}"
        raise Problem("E315", f"a start value is too large for {dtype}", help=f"the largest {dtype} is {largest}")
    return rounded
