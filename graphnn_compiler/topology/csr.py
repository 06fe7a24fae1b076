"""Compressed sparse rows: the one form in which edges reach the backends.

Rows are destinations, columns are sources. Not for: rules, weights, what the rows mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Csr:
    """The structure of a sparse matrix of `shape` (rows, columns) with one stored entry per edge.

    `indptr` has shape (rows + 1,), `indices` shape (E,); both are int32, or int64 where E or a side needs it.
    Within a row the columns are strictly increasing, so that no column stands twice.
    """

    indptr: NDArray[np.signedinteger[Any]]
    indices: NDArray[np.signedinteger[Any]]
    shape: tuple[int, int]

    @property
    def n_edges(self) -> int:
        return len(self.indices)

    @cached_property
    def rows(self) -> NDArray[np.signedinteger[Any]]:
        """The row of every stored entry, shape (E,), in the dtype of `indices`."""
        return np.repeat(np.arange(self.shape[0], dtype=self.indices.dtype), np.diff(self.indptr))

    @cached_property
    def in_degree(self) -> NDArray[np.int64]:
        """Stored entries per row, shape (rows,)."""
        return np.diff(self.indptr).astype(np.int64)

    @cached_property
    def out_degree(self) -> NDArray[np.int64]:
        """Stored entries per column, shape (columns,)."""
        return np.bincount(self.indices, minlength=self.shape[1]).astype(np.int64)

    @property
    def permutation(self) -> NDArray[np.signedinteger[Any]]:
        """Entry k of the transpose is entry `permutation[k]` of this matrix, shape (E,)."""
        return self._transposed[1]

    @property
    def transpose(self) -> Csr:
        """The structure of the transposed matrix."""
        return self._transposed[0]

    @cached_property
    def _transposed(self) -> tuple[Csr, NDArray[np.signedinteger[Any]]]:
        """The transpose and the permutation, by counting instead of sorting."""
        dtype = self.indices.dtype
        numbers = np.arange(self.n_edges, dtype=dtype)
        by_column = csr_array((numbers, self.indices, self.indptr), shape=self.shape).tocsc()
        indptr, indices = (array.astype(dtype, copy=False) for array in (by_column.indptr, by_column.indices))
        return Csr(indptr, indices, (self.shape[1], self.shape[0])), by_column.data

    def verify(self) -> None:
        """Raise ValueError unless the arrays are a well-formed structure without a column twice in a row."""
        rows, columns = self.shape
        indptr, indices = self.indptr, self.indices
        if indptr.ndim != 1 or indices.ndim != 1 or indptr.dtype != indices.dtype or indptr.dtype.kind != "i":
            raise ValueError("indptr and indices must be one-dimensional and of one signed integer type")
        if len(indptr) != rows + 1 or indptr[0] != 0 or indptr[-1] != len(indices):
            raise ValueError(f"indptr does not describe {rows} rows of {len(indices)} entries")
        if np.any(indptr[1:] < indptr[:-1]):  # a difference of extreme values could wrap
            raise ValueError("indptr decreases")
        if len(indices) and (indices.min() < 0 or indices.max() >= columns):
            raise ValueError(f"a column index is outside 0 .. {columns - 1}")
        rising = np.diff(indices) > 0
        starts = indptr[1:-1]
        rising[starts[(starts > 0) & (starts < len(indices))] - 1] = True
        if not rising.all():
            row = int(self.rows[int(np.argmin(rising))])
            raise ValueError(f"the columns of row {row} are not strictly increasing")


def _pointers(degrees: NDArray, dtype: np.dtype) -> NDArray[np.signedinteger[Any]]:
    indptr = np.zeros(len(degrees) + 1, dtype=dtype)
    np.cumsum(degrees, out=indptr[1:])
    return indptr


def csr_from_pairs(row: NDArray, column: NDArray, shape: tuple[int, int]) -> Csr:
    """The structure of pairs that are already sorted by row, then column, and distinct."""
    wide = max(len(row), *shape, 1) > np.iinfo(np.int32).max
    dtype = np.int64 if wide else np.int32
    return Csr(_pointers(np.bincount(row, minlength=shape[0]), np.dtype(dtype)), np.asarray(column, dtype=dtype), shape)
