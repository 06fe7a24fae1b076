"""The edges of clauses as the CSR matrices that programs multiply by.

Input: parts of clauses. Output: index arrays, rows standing for what is computed. A weight that is a number stands in
the matrix once for each of its edges; a block of C_in x C_out numbers as C_in x C_out entries, at the rows (target,
channel out) and the columns (source, channel in). Nothing here is larger than the entries of the matrix. Not for: text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.topology.plan import EdgePart

LARGEST = np.iinfo(np.int32).max
"""Both targets keep the indices of a sparse matrix as int32."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """A CSR matrix whose entry k is `scale[k] * w[entries[k]]`.

    `scale` None stands for ones, `entries` None for k itself, or for no weight where the matrix is constant.
    """

    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    shape: tuple[int, int]
    scale: NDArray[np.float64] | None = None
    entries: NDArray[np.int32] | None = None

    @property
    def n_entries(self) -> int:
        return len(self.indices)

    @property
    def is_identity(self) -> bool:
        """Whether it is square with its one entry a row on the diagonal."""
        n = self.shape[0]
        if self.shape[1] != n or self.n_entries != n:
            return False
        counted = np.arange(n + 1, dtype=np.int32)
        return np.array_equal(self.indices, counted[:-1]) and np.array_equal(self.indptr, counted)


def of_numbers(part: EdgePart, n_weights: int) -> Matrix:
    """(T, S): edge k is entry k, with the number of its group as its weight."""
    _require_room(part.csr.n_edges, part.csr.shape)
    return _matrix(part.csr.indptr, part.csr.indices, part.csr.shape, part.coefficients, part.groups, n_weights)


def of_sums(parts: Sequence[EdgePart]) -> Matrix:
    """(T, S) without weights: the sum of the parts' coefficients at every pair."""
    if len(parts) == 1:
        part = parts[0]
        _require_room(part.csr.n_edges, part.csr.shape)
        return _matrix(part.csr.indptr, part.csr.indices, part.csr.shape, part.coefficients)
    shape = parts[0].csr.shape
    return _constant(parts, [part.csr.rows for part in parts], shape)


def of_sums_by_group(parts: Sequence[EdgePart], n_groups: int) -> Matrix:
    """(T * n_groups, S) without weights: row t * n_groups + g sums over the edges of group g into t."""
    rows = []
    n_targets, n_sources = parts[0].csr.shape
    _require_room(sum(part.csr.n_edges for part in parts), (n_targets * n_groups, n_sources))
    for part in parts:
        assert part.groups is not None
        rows.append(part.csr.rows.astype(np.int64) * n_groups + part.groups)
    return _constant(parts, rows, (n_targets * n_groups, n_sources))


def of_blocks(part: EdgePart, n_weights: int, c_in: int, c_out: int) -> Matrix:
    """(T * c_out, S * c_in): every edge has a block of weights, kept in the order (group, channel in, channel out)."""
    row, k = _places(part, c_out, c_in)
    edge = part.csr.indptr[row // c_out] + k // c_in
    channel = k % c_in
    entries = _group(part, edge) * (c_in * c_out) + channel * c_out + row % c_out
    columns = part.csr.indices[edge] * np.int64(c_in) + channel
    return _expanded(part, row, edge, columns, (c_out, c_in), entries, n_weights)


def of_diagonals(part: EdgePart, n_weights: int, channels: int) -> Matrix:
    """(T * channels, S * channels): every edge has a weight for each channel, in the order (group, channel)."""
    row, k = _places(part, channels, 1)
    edge = part.csr.indptr[row // channels] + k
    channel = row % channels
    columns = part.csr.indices[edge] * np.int64(channels) + channel
    entries = _group(part, edge) * channels + channel
    return _expanded(part, row, edge, columns, (channels, channels), entries, n_weights)


def _group(part: EdgePart, edge: NDArray) -> NDArray[np.int64]:
    return (edge if part.groups is None else part.groups[edge]).astype(np.int64)


def _places(part: EdgePart, rows_per_target: int, entries_per_edge: int) -> tuple[NDArray, NDArray]:
    """The row of every entry, and its number within the row."""
    n_entries = part.csr.n_edges * rows_per_target * entries_per_edge
    _require_room(n_entries, (part.csr.shape[0] * rows_per_target, 0))
    lengths = np.repeat(part.csr.in_degree * entries_per_edge, rows_per_target)
    row = np.repeat(np.arange(len(lengths)), lengths)
    first = np.cumsum(lengths) - lengths
    return row, np.arange(n_entries) - first[row]


def _expanded(
    part: EdgePart,
    row: NDArray,
    edge: NDArray,
    columns: NDArray,
    channels: tuple[int, int],
    entries: NDArray,
    n_weights: int,
) -> Matrix:
    shape = part.csr.shape[0] * channels[0], part.csr.shape[1] * channels[1]
    _require_room(len(row), shape)
    indptr = np.zeros(shape[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(row, minlength=shape[0]), out=indptr[1:])
    scale = None if part.coefficients is None else part.coefficients[edge]
    return _matrix(indptr, columns, shape, scale, entries, n_weights)


def _constant(parts: Sequence[EdgePart], rows: Sequence[NDArray], shape: tuple[int, int]) -> Matrix:
    """Entries at rows and at the parts' columns, those at one place added up."""
    from scipy.sparse import coo_array

    ones = [np.ones(part.csr.n_edges) if part.coefficients is None else part.coefficients for part in parts]
    columns = np.concatenate([part.csr.indices for part in parts])
    found = coo_array((np.concatenate(ones), (np.concatenate(rows), columns)), shape=shape).tocsr()
    found.sum_duplicates()
    scale = None if np.all(found.data == 1) else found.data
    return _matrix(found.indptr, found.indices, shape, scale)


def _matrix(
    indptr: NDArray,
    indices: NDArray,
    shape: tuple[int, int],
    scale: NDArray | None,
    entries: NDArray | None = None,
    n_weights: int = 0,
) -> Matrix:
    if entries is not None and len(entries) == n_weights and np.array_equal(entries, np.arange(n_weights)):
        entries = None
    kept = None if entries is None else entries.astype(np.int32)
    return Matrix(indptr.astype(np.int32), indices.astype(np.int32), shape, scale, kept)


def _require_room(n_entries: int, shape: tuple[int, int]) -> None:
    if max(n_entries, *shape) > LARGEST:
        size = count(n_entries, "entry", "entries")
        message = f"the clause is a sparse matrix of {shape[0]:,} x {shape[1]:,} with {size}"
        help = f"sparse matrices of PyTensor and Theano go to {LARGEST:,}; use fewer edges or fewer channels"
        raise Problem("E551", message, help=help)
