"""The rule `hops`: pairs of units by the length of the shortest path between them.

Input: an edge set from units to the same units. Output: an edge set with the int64 column `hops`; attributes and
relations are dropped. Not for: lengths of edges that are not 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import Column, EdgeSet, Positions
from graphnn_compiler.topology.rules.blocks import WORKING_PAIRS, by_blocks
from graphnn_compiler.topology.rules.components import Components
from graphnn_compiler.topology.rules.limits import check_growth, gathered
from graphnn_compiler.topology.rules.square import Neighbours, distinct, in_neighbours


def hops(edges: EdgeSet, low: int, high: int, *, max_edges: int | None = None) -> EdgeSet:
    """The pairs (s, d) whose shortest path from s to d has `low .. high` edges, 0 <= low <= high.

    A unit is at distance 0 from itself. Raises Problem E316 where sources and targets differ, and E308 where there are
    more than `max_edges` pairs, at once where components or long paths alone make so many, else as soon as so many are
    found. Breadth first from all targets of a block at once: the time is that of the
    two-step paths from what lies within `high` of each target, times a logarithm for sorting.
    """
    sources, n = in_neighbours(edges, "`hops`"), len(edges.targets)
    if max_edges is not None and low <= 1 and n * min(high + 1, n) > max_edges:
        check_growth("`hops`", _at_least(sources, high) + (n if low == 0 else 0), max_edges)
    search = _Search(sources, low, high)

    def blocks() -> Iterator[tuple[tuple[Positions, NDArray[np.int32]], int, int]]:
        for part, last in by_blocks(n, search.block):
            yield part, len(part[0]), last

    found = gathered("`hops`", blocks, n, max_edges)
    pairs = np.concatenate([codes for codes, _ in found] or [np.zeros(0, np.int64)])
    distance = np.concatenate([steps for _, steps in found] or [np.zeros(0, np.int32)])
    row, column = np.divmod(pairs, max(len(edges.sources), 1))
    return EdgeSet(edges.sources, edges.targets, row, column, {"hops": Column(distance.astype(np.int64))})


def _at_least(sources: Neighbours, high: int) -> int:
    """A number of pairs at distances 1 .. high that there are for sure.

    The shortest path to a unit has a unit at every distance; and where none to it is as long as `high`, all of its
    ancestors are in reach.
    """
    components = Components(sources)
    others = components.ancestors - components.cyclic
    return int((components.size * np.minimum(others, high)).sum())


@dataclass(frozen=True)
class _Search:
    """Pairs are codes: target * n + source."""

    sources: Neighbours
    low: int
    high: int

    def block(self, first: int, last: int) -> tuple[tuple[Positions, NDArray[np.int32]], int] | None:
        """The codes for targets `first .. last - 1`, sorted, with their distances, and how many pairs were reached;
        None where these are too many."""
        frontier = np.arange(first, last, dtype=np.int64) * (len(self.sources) + 1)
        reached = _Reached(frontier)
        wanted = [frontier] if self.low == 0 else []
        steps = [0] if self.low == 0 else []
        step = 0
        while step < self.high and len(frontier):
            target, unit = np.divmod(frontier, len(self.sources))
            foreseen = len(reached) + int(self.sources.counts[unit].sum())
            if foreseen > WORKING_PAIRS and last - first > 1:
                return None
            step += 1
            frontier = reached.add(self._next(target, unit, first, last))
            if step >= self.low:
                wanted.append(frontier)
                steps.append(step)
        return _ordered(wanted, steps), len(reached)

    def _next(self, target: Positions, unit: Positions, first: int, last: int) -> Positions:
        """The distinct codes one step further, sorted."""
        source, place = self.sources.of(unit)
        n = len(self.sources)
        return distinct((target[place] - first) * n + source, (last - first) * n) + first * n


class _Reached:
    """A growing set of codes, as sorted runs of which each is at least twice as long as the next.

    One sorted array would be copied at every step, which makes a search of many small steps quadratic.
    """

    def __init__(self, codes: Positions) -> None:
        self._runs = [codes]
        self._size = len(codes)

    def __len__(self) -> int:
        return self._size

    def add(self, codes: Positions) -> Positions:
        """Those of the sorted, distinct `codes` that are new; they are known from now on."""
        for run in self._runs:
            slot = np.minimum(np.searchsorted(run, codes), len(run) - 1)
            codes = codes[run[slot] != codes]
        if len(codes):
            self._runs.append(codes)
            self._size += len(codes)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            merged = np.concatenate([self._runs.pop(), self._runs.pop()])
            merged.sort(kind="stable")  # which merges two sorted runs in linear time
            self._runs.append(merged)
        return codes


def _ordered(groups: list[Positions], steps: list[int]) -> tuple[Positions, NDArray[np.int32]]:
    if not groups:
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    codes = np.concatenate(groups)
    distance = np.repeat(np.array(steps, dtype=np.int32), [len(group) for group in groups])
    if len(groups) == 1:
        return codes, distance
    order = np.argsort(codes, kind="stable")
    return codes[order], distance[order]
