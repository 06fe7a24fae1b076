"""Matrices as graphs, and as rows of values.

Input: the members of a SciPy sparse `.npz`, a SciPy or NumPy matrix. Output: a `Matrix` of entries, a `Graph`, a dense
array. A[i, j] is the edge i -> j unless `rows = target`. Not for: opening files (`arrays`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Column, Graph, Positions, canonical, integer_units
from graphnn_compiler.topology.readers.arrays import MAX_BYTES, plain, too_large
from graphnn_compiler.topology.readers.assemble import assemble, require_unit_count
from graphnn_compiler.topology.readers.duplicates import ListedRows, merge_duplicates
from graphnn_compiler.topology.readers.options import GraphOptions, refuse_options
from graphnn_compiler.topology.readers.table import RawEdges, RawNodes, sampled

WEIGHT = "weight"
"""The edge attribute that holds a matrix's values."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """The entries of a matrix: `row`, `column` (int64, (E,)) inside `shape`, and `values` (E,)."""

    shown: str
    shape: tuple[int, int]
    row: Positions
    column: Positions
    values: NDArray


def sparse_matrix(shown: str, names: Sequence[str], load: Callable[[str], NDArray]) -> Matrix:
    """The matrix that `scipy.sparse.save_npz` wrote in CSR, CSC or COO form; E235 where its arrays do not fit."""
    form = "".join(str(text) for text in np.ravel(load("format")))
    members = {"csr": ("indices", "indptr"), "csc": ("indices", "indptr"), "coo": ("row", "col")}.get(form)
    if members is None:
        raise _bad_structure(shown, f"is in the sparse form `{form}`", "save it after `.tocsr()` or `.tocoo()`")
    absent = [name for name in ("shape", "data", *members) if name not in names]
    if absent:
        raise _bad_structure(shown, f"has no member `{absent[0]}`, which the form `{form}` needs")
    shape, values = load("shape"), load("data")
    a, b = (load(name) for name in members)
    if (
        shape.shape != (2,)
        or any(x.dtype != np.int64 for x in (shape, a, b))
        or any(x.ndim != 1 for x in (a, b, values))
    ):
        raise _bad_structure(shown, "has members of a wrong type or dimension")
    sides = (int(shape[0]), int(shape[1]))
    if form == "coo":
        return _checked(Matrix(shown, sides, a, b, values))
    major = _expanded(shown, b, len(a), sides[form == "csc"])
    row, column = (major, a) if form == "csr" else (a, major)
    return _checked(Matrix(shown, sides, row, column, values))


def _expanded(shown: str, indptr: Positions, n_entries: int, side: int) -> Positions:
    fits = len(indptr) == side + 1 and indptr[0] == 0 and indptr[-1] == n_entries
    if not fits or np.any(np.diff(indptr) < 0):
        raise _bad_structure(shown, f"has an `indptr` that does not describe {side:,} rows of {n_entries:,} entries")
    return np.repeat(np.arange(side, dtype=np.int64), np.diff(indptr))


def _checked(matrix: Matrix) -> Matrix:
    lengths = {len(matrix.row), len(matrix.column), len(matrix.values)}
    if len(lengths) > 1:
        raise _bad_structure(matrix.shown, "has members of different lengths")
    for name, index, side in zip(("row", "column"), (matrix.row, matrix.column), matrix.shape, strict=True):
        outside = (index < 0) | (index >= side)
        if outside.any():
            wrong = int(index[np.argmax(outside)])
            raise _bad_structure(matrix.shown, f"stores the {name} {wrong:,}, outside 0 .. {side - 1:,}")
    return matrix


def _bad_structure(shown: str, what: str, help: str = "write the file again with `scipy.sparse.save_npz`") -> Problem:
    return Problem("E235", f"the matrix `{shown}` {what}", help=help, places=[(DataPlace(shown), "this matrix")])


def sparse_object(matrix: Any, shown: str) -> Matrix:
    """A SciPy sparse matrix or array; its stored entries, explicit zeros included."""
    if len(matrix.shape) != 2:
        raise not_a_matrix(shown, matrix.shape)
    entries = matrix.tocoo()
    row, column = (np.asarray(index, dtype=np.int64) for index in (entries.row, entries.col))
    values = plain(np.asarray(entries.data), f"the matrix `{shown}`", shown)
    return _checked(Matrix(shown, (int(matrix.shape[0]), int(matrix.shape[1])), row, column, values))


def dense_matrix(array: NDArray, shown: str) -> Matrix:
    """The entries of a dense matrix that are not zero; E236 where one is NaN."""
    if array.ndim != 2:
        raise not_a_matrix(shown, array.shape)
    if array.dtype.kind not in "ifb":
        raise Problem(
            "E239",
            f"the matrix `{shown}` holds text, not numbers",
            help="a matrix of weights holds numbers; a list of edges is an array of its own for each column",
            places=[(DataPlace(shown), "this matrix")],
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        i, j = (int(x) for x in np.argwhere(np.isnan(array))[0])
        raise Problem(
            "E236",
            f"the dense matrix `{shown}` holds NaN, so it is unclear whether there is an edge",
            help="put 0 where there is no edge, or use a sparse matrix, whose stored entries are edges",
            places=[(DataPlace(shown), f"the first NaN is at row {i:,}, column {j:,}")],
        )
    row, column = np.nonzero(array)
    return Matrix(shown, (array.shape[0], array.shape[1]), row, column, array[row, column])


def not_a_matrix(shown: str, shape: Sequence[int]) -> Problem:
    """E234: an array that is no matrix."""
    return Problem(
        "E234",
        f"`{shown}` has {count(len(shape), 'dimension')}, so it is no matrix",
        help="a graph is a two-dimensional array, A[i, j] being the edge from i to j",
        places=[(DataPlace(shown), f"its shape is {tuple(shape)}")],
    )


def matrix_graph(matrix: Matrix, options: GraphOptions, nodes: RawNodes | None, files: Mapping[str, str]) -> Graph:
    """The graph of a matrix: keys 0 .. n-1, two node sets unless it is square, the values as column `weight`.

    With `directed = false`, entries (i, j) and (j, i) of equal value are one edge; E237 where they differ.
    """
    refuse_options(options, ("source", "target", "type"), matrix.shown, "a matrix")
    if nodes is None:
        refuse_options(options, ("key", "key_type"), matrix.shown, "a matrix, whose keys are 0 .. n-1")
    for side in matrix.shape:
        require_unit_count(side, matrix.shown)
    if options.rows == "target":
        matrix = replace(matrix, shape=matrix.shape[::-1], row=matrix.column, column=matrix.row)
    listed = merge_duplicates(_rows(matrix), options.duplicates)
    if matrix.shape[0] != matrix.shape[1]:
        return _two_sided(matrix, listed, options, nodes, files)
    directed = options.directed is not False
    if not directed:
        listed = _folded(listed)
    keys = np.arange(matrix.shape[0], dtype=np.int64)
    raw = RawEdges(matrix.shown, keys, listed.source, listed.target, listed.columns, None, listed.places)
    units = nodes or RawNodes(matrix.shown, keys, {}, listed.places)
    return assemble(raw, units, directed=directed, duplicates=None, files=files)


def _rows(matrix: Matrix) -> ListedRows:
    return ListedRows(
        matrix.shown,
        matrix.row,
        matrix.column,
        matrix.shape[0],
        {WEIGHT: Column(_wide(matrix.values))},
        None,
        lambda row: f"{matrix.row[row]} -> {matrix.column[row]}",
        lambda rows: [DataPlace(matrix.shown)] * len(rows),
    )


def _wide(values: NDArray) -> NDArray:
    return values.astype(np.float64, copy=False) if values.dtype.kind == "f" else values


def _two_sided(
    matrix: Matrix, listed: ListedRows, options: GraphOptions, nodes: RawNodes | None, files: Mapping[str, str]
) -> Graph:
    if options.directed is False or nodes is not None:
        wish = "a node table" if nodes is not None else "`directed = false`"
        raise Problem(
            "E238",
            f"the matrix `{matrix.shown}` is {matrix.shape[0]:,} x {matrix.shape[1]:,}, but {wish} needs a square one",
            help="a matrix that is not square joins two node sets, with edges from one to the other",
            places=[(DataPlace(matrix.shown), "this matrix")],
        )
    sources, targets = integer_units(matrix.shape[0]), integer_units(matrix.shape[1])
    return Graph(sources, targets, canonical(sources, targets, listed.target, listed.source, listed.columns), files)


def _folded(listed: ListedRows) -> ListedRows:
    """One of each mirrored pair of equal entries; the entries are distinct."""
    low, high = np.minimum(listed.source, listed.target), np.maximum(listed.source, listed.target)
    order = np.lexsort((high, low))
    again = np.zeros(len(order), dtype=bool)
    again[1:] = (low[order][1:] == low[order][:-1]) & (high[order][1:] == high[order][:-1])
    second = np.flatnonzero(again)
    values = listed.columns[WEIGHT].values[order]
    differs = values[second] != values[second - 1]
    if values.dtype.kind == "f":
        differs &= ~(np.isnan(values[second]) & np.isnan(values[second - 1]))
    if differs.any():
        wrong = order[second[differs]]
        pairs = [f"{low[row]} -- {high[row]}" for row in wrong[:3]]
        raise Problem(
            "E237",
            f"the matrix `{listed.shown}` is not symmetric, but `directed = false`: the two entries of "
            f"{count(len(wrong), 'edge')} differ: {sampled(pairs, len(wrong))}",
            help="write `directed = true`, or make the matrix symmetric",
            places=[(DataPlace(listed.shown), "this matrix")],
        )
    kept = np.sort(order[~again])
    return listed.take(kept, {WEIGHT: listed.columns[WEIGHT].take(kept)})


def densified(matrix: Matrix) -> NDArray:
    """The matrix as a dense array of its own type; E232 where that is too large, E235 where an entry stands twice."""
    dtype = matrix.values.dtype
    n_bytes = matrix.shape[0] * matrix.shape[1] * dtype.itemsize
    if n_bytes > MAX_BYTES:
        raise too_large(f"`{matrix.shown}` as a dense array", matrix.shape, dtype, n_bytes, matrix.shown)
    flat = matrix.row * matrix.shape[1] + matrix.column
    if len(np.unique(flat)) < len(flat):
        raise _bad_structure(matrix.shown, "stores an entry twice", "call `.sum_duplicates()` before saving it")
    dense = np.zeros(matrix.shape, dtype=dtype)
    dense[matrix.row, matrix.column] = matrix.values
    return dense
