"""Edge sets from units to the same units, as the two arrays that searches along edges need.

Input: an edge set. Output: its distinct pairs as rows of in-neighbours; a refusal where its sides differ. Not for: the
searches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from graphnn_compiler.diagnostics import Problem, count, listed
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, Positions
from graphnn_compiler.topology.rules.runs import expand_runs


@dataclass(frozen=True)
class Neighbours:
    """Row i holds the neighbours of unit i, rising and distinct: `indices[indptr[i] : indptr[i + 1]]`, all int64."""

    indptr: Positions
    indices: Positions

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def counts(self) -> Positions:
        """Neighbours per unit, shape (n,)."""
        return np.diff(self.indptr)

    def of(self, units: NDArray) -> tuple[Positions, Positions]:
        """The neighbours of each of `units`, one after another, and for each the place in `units` it belongs to."""
        place, within = expand_runs(self.counts[units])
        return self.indices[self.indptr[units][place] + within], place

    def matrix(self, dtype: type[np.generic]) -> sparse.csr_array:
        """The same as a square sparse matrix of ones."""
        ones = np.ones(len(self.indices), dtype=dtype)
        return sparse.csr_array((ones, self.indices, self.indptr), shape=(len(self), len(self)))


def neighbours(row: Positions, column: Positions, n: int) -> Neighbours:
    """The pairs (row, column), sorted by row, then column, as rows of columns; a pair that stands twice counts once."""
    fresh = (np.diff(row, prepend=-1) != 0) | (np.diff(column, prepend=-1) != 0)
    indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(row[fresh], minlength=n), out=indptr[1:])
    return Neighbours(indptr, column[fresh])


def distinct(codes: Positions, span: int) -> Positions:
    """The distinct values of `codes`, which are in 0 .. span - 1, rising. Sorts `codes` in place where they are few."""
    if span < 16 * len(codes):
        there = np.zeros(span, dtype=np.bool_)
        there[codes] = True
        return np.flatnonzero(there)
    codes.sort()
    fresh: Positions = codes[np.diff(codes, prepend=-1) != 0]
    return fresh


def in_neighbours(edges: EdgeSet, rule: str) -> Neighbours:
    """The distinct sources of the edges into each unit. Raises Problem E316 where sources and targets differ."""
    if not edges.sources.same_units(edges.targets):
        raise Problem(
            "E316",
            f"{rule} needs edges from units to the same units, but these go from {_sample(edges.sources)}"
            f" to {_sample(edges.targets)}",
            help="give the edges one node set on both sides, as in `edges e: a -> a = ..`",
        )
    return neighbours(edges.row, edges.column, len(edges.targets))


def _sample(units: NodeSet) -> str:
    return f"{count(len(units), 'unit')} ({listed(units.keys)})" if len(units) else "no units"
