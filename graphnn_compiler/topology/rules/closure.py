"""The rule `closure`: every unit to all that it leads to, in one step or more.

Input: an edge set from units to the same units. Output: an edge set without attributes and relations. Not for: how far
apart units are (`hops`).

Units that all reach each other (strong components) have one set of ancestors, so these are collected component by
component along the longest paths, each from its predecessors' (E. Nuutila, "Efficient transitive closure computation
in large digraphs", 1995).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from graphnn_compiler.topology.graph import EdgeSet, Positions
from graphnn_compiler.topology.growing import GrowingArray
from graphnn_compiler.topology.rules.blocks import WORKING_PAIRS
from graphnn_compiler.topology.rules.components import Components
from graphnn_compiler.topology.rules.limits import check_growth
from graphnn_compiler.topology.rules.runs import expand_runs
from graphnn_compiler.topology.rules.square import distinct, in_neighbours


def closure(edges: EdgeSet, *, max_edges: int | None = None) -> EdgeSet:
    """The pairs (s, d) with a path of one edge or more from s to d; (s, s) where s is on a cycle.

    Raises Problem E316 where sources and targets differ; E308 where there are more than `max_edges` pairs, at once
    where components or long paths alone make so many, else as soon as so many are found. Time: for each edge the
    number of ancestors of its source, times a logarithm for sorting.
    """
    sources = in_neighbours(edges, "`closure`")
    condensed = Components(sources)
    check_growth("`closure`", int((condensed.size * condensed.ancestors).sum()), max_edges)
    ancestors = _Ancestors(condensed, max_edges)
    degree = ancestors.length[condensed.of_unit] - ~condensed.cyclic[condensed.of_unit]
    row = np.repeat(np.arange(len(degree), dtype=np.int64), degree)
    column = np.empty(len(row), dtype=np.int64)
    ends = np.cumsum(degree)
    for first, last in _blocks_of(degree):
        column[ends[first] - degree[first] : ends[last - 1]] = ancestors.of(np.arange(first, last))
    return EdgeSet(edges.sources, edges.targets, row, column)


def _blocks_of(sizes: Positions) -> Iterator[tuple[int, int]]:
    """Ranges that cover `sizes` in order, each with a sum of at most the working memory or of one member."""
    total = np.cumsum(np.append(0, sizes))
    first = 0
    while first < len(sizes):
        fitting = int(np.searchsorted(total, total[first] + WORKING_PAIRS, side="right")) - 1
        last = max(first + 1, fitting)
        yield first, last
        first = last


class _Ancestors:
    """Of each component the units that lead to it and its own: `flat.values[start : start + length]`, rising."""

    def __init__(self, components: Components, max_edges: int | None) -> None:
        self.components = components
        self.max_edges = max_edges
        self.start = np.zeros(components.n, dtype=np.int64)
        self.length = np.zeros(components.n, dtype=np.int64)
        self.flat = GrowingArray(np.int32)
        self._pairs = -int((~components.cyclic).sum())
        bounds = np.flatnonzero(np.diff(components.depth, prepend=-1, append=-2))
        for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            self._level(first, last)

    def of(self, units: Positions) -> Positions:
        """The units that lead to each of `units`, one after another; a unit itself only where it is on a cycle."""
        component = self.components.of_unit[units]
        place, within = expand_runs(self.length[component])
        found = self.flat.values[self.start[component][place] + within].astype(np.int64)
        leading: Positions = found[(found != units[place]) | self.components.cyclic[component][place]]
        return leading

    def _level(self, first: int, last: int) -> None:
        """Components `first .. last - 1`, whose predecessors are done, as many at a time as memory allows."""
        found, place = self.components.before.of(np.arange(first, last))
        inherited = np.bincount(place, weights=self.length[found], minlength=last - first).astype(np.int64)
        for begin, end in _blocks_of(inherited + self.components.size[first:last]):
            self._block(first + begin, first + end)

    def _block(self, first: int, last: int) -> None:
        components, n = self.components, len(self.components.of_unit)
        size, start = components.size[first:last], int(components.start[first])
        own = components.members[start : start + int(size.sum())]
        before, place = components.before.of(np.arange(first, last))
        inherited, within = expand_runs(self.length[before])
        units = self.flat.values[self.start[before][inherited] + within]
        codes = np.concatenate([(components.of_unit[own] - first) * n + own, place[inherited] * n + units])
        component, unit = np.divmod(distinct(codes, (last - first) * n), n)
        length = np.bincount(component, minlength=last - first)
        self._pairs += int((length * size).sum())
        check_growth("`closure`", self._pairs, self.max_edges)
        self.length[first:last] = length
        self.start[first:last] = len(self.flat) + np.cumsum(length) - length
        self.flat.append(unit)
