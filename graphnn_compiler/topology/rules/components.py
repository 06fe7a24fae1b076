"""The strong components of an edge set: sets of units that all reach each other.

Input: neighbours. Output: `Components`, in an order in which predecessors come first. Not for: what is collected along
that order (`closure`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import Positions
from graphnn_compiler.topology.rules.order import longest_paths, strong_components
from graphnn_compiler.topology.rules.square import Neighbours, neighbours


class Components:
    """The strong components, numbered so that predecessors come first; sizes, members, and whether each is a cycle."""

    def __init__(self, sources: Neighbours) -> None:
        n = len(sources)
        target = np.repeat(np.arange(n, dtype=np.int64), sources.counts)
        self.n, labels = strong_components(sources)
        depth = longest_paths(_between(labels[sources.indices], labels[target], self.n))
        order = np.argsort(depth, kind="stable")
        number = np.empty(self.n, dtype=np.int64)
        number[order] = np.arange(self.n)
        self.depth = depth[order]
        self.of_unit = number[labels]
        self.size = np.bincount(self.of_unit, minlength=self.n)
        self.start = np.cumsum(self.size) - self.size
        self.members = np.argsort(self.of_unit, kind="stable")
        self.cyclic = self.size > 1
        self.cyclic[self.of_unit[target[target == sources.indices]]] = True
        self.before = _between(self.of_unit[target], self.of_unit[sources.indices], self.n)

    @property
    def ancestors(self) -> Positions:
        """Of each component the least number of units, itself included where it is a cycle, that lead to its units: a
        cycle leads to itself, and each component on the longest path to it holds at least one more."""
        return np.where(self.cyclic, self.size, 0) + self.depth


def _between(row: NDArray, column: NDArray, n: int) -> Neighbours:
    """The distinct pairs of different components as rows of columns."""
    outside = row != column
    codes = np.unique(row[outside].astype(np.int64) * n + column[outside])
    return neighbours(*np.divmod(codes, max(n, 1)), n)
