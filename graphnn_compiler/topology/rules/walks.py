"""The rule `walks`: pairs of units by the number of walks of a given length between them.

Input: an edge set from units to the same units. Output: an edge set with the int64 column `value`; attributes and
relations are dropped. Not for: weighted walks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.topology.graph import Column, EdgeSet, Positions
from graphnn_compiler.topology.rules.blocks import WORKING_PAIRS, by_blocks
from graphnn_compiler.topology.rules.limits import gathered
from graphnn_compiler.topology.rules.square import Neighbours, in_neighbours

_EXACT_IN_FLOAT64 = 2.0**53
_TOO_LARGE = 2**63


def walks(edges: EdgeSet, length: int, *, max_edges: int | None = None) -> EdgeSet:
    """The pairs (s, d) with a walk of `length` >= 0 edges from s to d; `value` is how many such walks there are.

    That is the entry of the `length`-th power of the 0/1 adjacency matrix; no walk has no edge but stays where it is.
    Raises Problem E316 where sources and targets differ, E318 where a number of walks does not fit in int64, and E308
    as soon as more than `max_edges` pairs are found. Sparse products by blocks of targets, `length` - 1 of them.
    """
    search, n = _Powers(in_neighbours(edges, "`walks`"), length), len(edges.targets)

    def blocks() -> Iterator[tuple[tuple[Positions, Positions, NDArray[np.uint64]], int, int]]:
        for part, last in by_blocks(n, search.block):
            yield part, len(part[0]), last

    found = gathered("`walks`", blocks, n, max_edges)
    if not found:
        return EdgeSet(edges.sources, edges.targets, edges.row, edges.column, {"value": Column(edges.row)})
    row, column, value = (np.concatenate(part) for part in zip(*found, strict=True))
    _require_int64(edges, row, column, value)
    return EdgeSet(edges.sources, edges.targets, row, column, {"value": Column(value.astype(np.int64))})


@dataclass
class _Powers:
    sources: Neighbours
    length: int

    def __post_init__(self) -> None:
        self._step = self.sources.matrix(np.float64)

    def block(self, first: int, last: int) -> tuple[tuple[Positions, Positions, NDArray[np.uint64]], int] | None:
        """Targets, sources and numbers of walks for targets `first .. last - 1`, and the most pairs of any step; None
        where these are too many."""
        power = self._start(first, last, np.float64)
        used = 0
        for _ in range(self.length):
            used = max(used, power.nnz)
            if power.nnz + int(self.sources.counts[power.indices].sum()) > WORKING_PAIRS and last - first > 1:
                return None
            power = power @ self._step
            if power.nnz == 0:
                break
        used = max(used, power.nnz)
        row, column, value = _entries(power)
        if value.size and value.max() >= _EXACT_IN_FLOAT64:
            return (row + first, column, self._whole(first, last, row, column, value)), used
        return (row + first, column, value.astype(np.uint64)), used

    def _start(self, first: int, last: int, dtype: type[np.generic]) -> sparse.csr_array:
        unit = np.arange(last - first, dtype=np.int64)
        shape = (last - first, len(self.sources))
        return sparse.csr_array((np.ones(len(unit), dtype), (unit, unit + first)), shape=shape)

    def _whole(
        self, first: int, last: int, row: Positions, column: Positions, near: NDArray[np.float64]
    ) -> NDArray[np.uint64]:
        """The numbers that float64 gives as `near`, computed again in uint64, which wraps; 2^63 for what is more."""
        power, step = self._start(first, last, np.uint64), self.sources.matrix(np.uint64)
        for _ in range(self.length):
            power = power @ step
        rows, columns, whole = _entries(power)
        n = len(self.sources)
        codes = rows * n + columns
        # below 1.5 * 2^63 nothing has wrapped; above, an entry may even have wrapped to zero and be no entry
        whole = np.append(whole, np.uint64(0))[np.searchsorted(codes, row * n + column)]
        beyond = (near >= 1.5 * _TOO_LARGE) | (whole >= np.uint64(_TOO_LARGE))
        return np.where(beyond, np.uint64(_TOO_LARGE), whole)


def _entries(power: sparse.csr_array) -> tuple[Positions, Positions, NDArray]:
    power.sort_indices()
    row = np.repeat(np.arange(power.shape[0], dtype=np.int64), np.diff(power.indptr))
    return row, power.indices.astype(np.int64), power.data


def _require_int64(edges: EdgeSet, row: Positions, column: Positions, value: NDArray) -> None:
    beyond = np.flatnonzero(value >= np.uint64(_TOO_LARGE))
    if not len(beyond):
        return
    source, target = edges.sources.keys[column[beyond[0]]], edges.targets.keys[row[beyond[0]]]
    raise Problem(
        "E318",
        f"the number of walks between {count(len(beyond), 'pair')} of units does not fit in 64 bits"
        f" (first: `{source}` -> `{target}`)",
        help="take fewer steps; where only the pairs matter, `hops` and `closure` count nothing",
    )
