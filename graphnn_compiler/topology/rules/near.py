"""The rules `within(r)` and `nearest(k)`: units that lie close to each other.

Input: node sets with a point each, float64 (n, dimensions). Output: an edge set with the float64 column `distance`. A
unit is never near itself: pairs of equal keys are left out. Not for: where coordinates come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.topology.graph import Column, EdgeSet, NodeSet, Positions, canonical
from graphnn_compiler.topology.rules.limits import check_edges
from graphnn_compiler.topology.rules.metrics import (
    NORMS,
    Metric,
    Points,
    check_points,
    distances,
    tree_distance,
    tree_points,
)
from graphnn_compiler.topology.rules.runs import expand_runs

_AT_ONCE = 1 << 20
"""Candidates of `nearest` that are looked at together."""


@dataclass(frozen=True, eq=False)
class Placed:
    """Units and the point of each."""

    units: NodeSet
    points: Points


def within(
    sources: Placed, targets: Placed, radius: float, metric: Metric = "euclidean", *, max_edges: int | None = None
) -> EdgeSet:
    """Every pair at most `radius` apart. Raises Problem E308 above `max_edges`, E323 for points that are no place.

    The pairs are counted first. O((n + E) log n) time, O(n + E) memory.
    """
    _check(sources, targets, metric)
    norm, reach = NORMS[metric], float(tree_distance(metric, np.array(radius)))
    tree, others = (KDTree(tree_points(metric, placed.points)) for placed in (targets, sources))
    check_edges("`within`", int(tree.count_neighbors(others, reach, p=norm)), max_edges)
    found = tree.sparse_distance_matrix(others, reach, p=norm, output_type="ndarray")
    row, column = found["i"].astype(np.int64), found["j"].astype(np.int64)
    apart = distances(metric, targets.points[row], sources.points[column])
    keep = (apart <= radius) & (_own(sources, targets)[row] != column)
    return _edges(sources, targets, row[keep], column[keep], apart[keep])


def nearest(
    sources: Placed,
    targets: Placed,
    k: int,
    metric: Metric = "euclidean",
    *,
    shortfall: Literal["error", "all"] = "error",
    max_edges: int | None = None,
) -> EdgeSet:
    """For each destination the `k` nearest sources; of equally near ones those that come first.

    A destination with fewer other units is an error, or with `shortfall="all"` hears all of them. Raises Problem E305,
    E308, E323. O((n + E) log n) time where ties are few; a destination with T sources at the distance of its k-th
    costs O(T) more. O(n + E) memory.
    """
    _check(sources, targets, metric)
    own = _own(sources, targets)
    wanted = _wanted(targets.units, k, len(sources.units) - (own >= 0), shortfall)
    check_edges("`nearest`", int(wanted.sum()), max_edges)
    search = _Search(sources, targets, metric, own, wanted, _Spots.of(sources.points))
    pending, asked = np.flatnonzero(wanted), min(k, len(sources.units)) + 2  # the k, itself, and one more for ties
    found: list[_Found] = []
    while len(pending):
        asked = min(asked, len(search.spots.counts))
        some = max(1, _AT_ONCE // (asked * search.most_members))
        parts = [search.ask(pending[start : start + some], asked) for start in range(0, len(pending), some)]
        found += [part for part, _ in parts]
        pending = np.concatenate([again for _, again in parts])
        asked *= 4
    row, column, apart = (np.concatenate(arrays) for arrays in zip(*found, strict=True)) if found else _nothing()
    return _edges(sources, targets, row, column, apart)


_Found = tuple[Positions, Positions, NDArray[np.float64]]
"""Destination, source and distance of edges."""


@dataclass(frozen=True, eq=False)
class _Spots:
    """The distinct points among the sources: which source is the first at each, and who is there, in source order."""

    first: Positions
    members: Positions
    starts: Positions
    counts: Positions

    @staticmethod
    def of(points: Points) -> _Spots:
        members = np.lexsort(points.T).astype(np.int64)
        fresh = np.ones(len(points), dtype=np.bool_)
        fresh[1:] = (points[members[1:]] != points[members[:-1]]).any(axis=1)
        starts = np.flatnonzero(fresh)
        return _Spots(members[starts], members, starts, np.diff(starts, append=len(points)))


class _Search:
    """Asks the tree of spots for the nearest sources of some destinations."""

    def __init__(
        self, sources: Placed, targets: Placed, metric: Metric, own: Positions, wanted: Positions, spots: _Spots
    ) -> None:
        self.sources, self.targets, self.metric = sources, targets, metric
        self.own, self.wanted, self.spots = own, wanted, spots
        self.tree = KDTree(tree_points(metric, sources.points[spots.first]))
        # of many units at one spot no destination hears more than the first ones, itself left out
        self.members = np.minimum(spots.counts, int(wanted.max(initial=0)) + 1)
        self.most_members = int(self.members.max(initial=1))

    def ask(self, rows: Positions, asked: int) -> tuple[_Found, Positions]:
        """The nearest sources of the destinations `rows`, as far as the `asked` nearest spots of each tell; and the
        destinations for which they do not, because the next spot may be as near as the last that counts."""
        points = tree_points(self.metric, self.targets.points[rows])
        far, spot = self.tree.query(points, k=np.arange(1, asked + 1), p=NORMS[self.metric])
        row, column, apart = self._candidates(rows, spot, asked)
        order = np.lexsort((column, apart, row))
        row, column, apart = row[order], column[order], apart[order]
        begins = np.searchsorted(row, rows)
        rank = np.arange(len(row)) - begins[np.searchsorted(rows, row)]
        keep = rank < self.wanted[row]
        row, column, apart = row[keep], column[keep], apart[keep]
        again = self._unsure(rows, row, apart, far[:, -1]) if asked < len(self.spots.counts) else rows[:0]
        keep = ~np.isin(row, again)
        return (row[keep], column[keep], apart[keep]), again

    def _candidates(self, rows: Positions, spot: NDArray, asked: int) -> _Found:
        nth, within = expand_runs(self.members[spot.ravel()])
        row, column = rows[nth // asked], self.spots.members[self.spots.starts[spot.ravel()[nth]] + within]
        other = column != self.own[row]
        row, column = row[other], column[other]
        return row, column, distances(self.metric, self.targets.points[row], self.sources.points[column])

    def _unsure(self, rows: Positions, row: Positions, apart: NDArray, far: NDArray) -> Positions:
        found = np.searchsorted(row, rows, side="right") - np.searchsorted(row, rows)
        farthest = np.full(len(rows), np.inf)
        full = found == self.wanted[rows]
        farthest[full] = apart[np.searchsorted(row, rows, side="right")[full] - 1]
        return rows[tree_distance(self.metric, farthest) >= far]


def _check(sources: Placed, targets: Placed, metric: Metric) -> None:
    for placed in (sources, targets):
        check_points(metric, placed.points, placed.units)


def _own(sources: Placed, targets: Placed) -> Positions:
    """For each destination the source with its key, else -1; keys of two types are never equal."""
    return sources.units.find(targets.units.keys)


def _wanted(targets: NodeSet, k: int, candidates: Positions, shortfall: str) -> Positions:
    short = np.flatnonzero(candidates < k)
    if len(short) and shortfall == "error":
        shown = ", ".join(f"`{targets.keys[d]}` has {candidates[d]:,}" for d in short[:3])
        raise Problem(
            "E305",
            f"`nearest` asks for {k:,} sources, and {count(len(short), 'destination')} have fewer: {shown}",
            help="ask for fewer, or write `shortfall = all` to take all there are",
        )
    return np.minimum(k, candidates)


def _nothing() -> _Found:
    nothing = np.zeros(0, dtype=np.int64)
    return nothing, nothing, np.zeros(0)


def _edges(sources: Placed, targets: Placed, row: Positions, column: Positions, apart: NDArray) -> EdgeSet:
    return canonical(sources.units, targets.units, row, column, {"distance": Column(apart)})
