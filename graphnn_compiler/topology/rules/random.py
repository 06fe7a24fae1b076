"""The rule `random(in_degree = K)`: each destination hears K sources, drawn uniformly from its candidates.

Input: node sets, the in-degrees, perhaps the candidates, and a stream. Output: an edge set. Not for: independent
edges with a probability (see `probability`); choosing the seed.

The draw, frozen by edition 1: let destination d have n candidates in source order and let u_0, u_1 .. be the draws
of d's stream. Chosen are the first K distinct values of floor(u_i * n); where K > n / 2, all candidates but the
first n - K distinct values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, Positions
from graphnn_compiler.topology.rules.algebra import first_of_each_pair, restrict
from graphnn_compiler.topology.rules.runs import expand_runs
from graphnn_compiler.topology.streams import Starts, Stream, uniform

Shortfall = Literal["error", "all"]


def random_in_degree(
    sources: NodeSet,
    targets: NodeSet,
    degrees: NDArray[np.int64],
    *,
    stream: Stream,
    candidates: EdgeSet | None = None,
    excluded: EdgeSet | None = None,
    shortfall: Shortfall = "error",
) -> EdgeSet:
    """For each destination `degrees[d]` distinct sources, uniform over its candidates.

    Candidates are all sources; or with `candidates` those with an edge to d there, and chosen edges keep their
    columns and relation (of edges that differ only in relation the first stands for all); or with `excluded`
    all sources but those with an edge to d there, without building the product. At most one of the two is given.
    A destination with fewer candidates than its degree is an error, or with `shortfall="all"` hears all of them.
    What d hears does not depend on other destinations. Raises Problem E300, E305, E306. O(E log E).
    """
    if candidates is not None and excluded is not None:
        raise ValueError("give `candidates` or `excluded`, not both")
    pool = _pool(sources, targets, candidates, excluded)
    wanted = _checked_degrees(targets, np.asarray(degrees, dtype=np.int64), pool.sizes, shortfall)
    row, rank = choose(stream.starts(targets.keys), wanted, pool.sizes)
    return pool.edges(row, rank)


def draw_degrees(targets: NodeSet, low: int, high: int, stream: Stream) -> NDArray[np.int64]:
    """An in-degree per destination, int64 (n,), uniform over `low .. high`, both ends included.

    `stream` must have another purpose than the one that then draws the sources. Raises Problem E307 for an empty
    range.
    """
    if low > high:
        raise Problem(
            "E307",
            f"the range of in-degrees `{low}..{high}` is empty",
            help=f"write it as `{high}..{low}`, lowest first",
        )
    draws = uniform(stream.starts(targets.keys), 0)
    return low + np.floor(draws * (high - low + 1)).astype(np.int64)


@dataclass(frozen=True)
class EveryCandidate:
    """Every source is a candidate, save those that `barred` pairs with the destination."""

    sources: NodeSet
    targets: NodeSet
    barred: EdgeSet

    @classmethod
    def of(cls, sources: NodeSet, targets: NodeSet, excluded: EdgeSet | None) -> EveryCandidate:
        """The candidates that `excluded`, matched by key, leaves. Raises Problem E300 where key types differ."""
        if excluded is not None:
            return cls(sources, targets, first_of_each_pair(restrict(excluded, sources, targets)[0]))
        nothing = np.zeros(0, dtype=np.int64)
        return cls(sources, targets, EdgeSet(sources, targets, nothing, nothing))

    @property
    def sizes(self) -> Positions:
        return len(self.sources) - np.bincount(self.barred.row, minlength=len(self.targets))

    def edges(self, row: Positions, rank: Positions) -> EdgeSet:
        """The edges of the candidates of these ranks; sorted by destination, then rank."""
        # The j-th barred source of a row, less j, is how many candidates precede it; so the candidate of some rank
        # comes after exactly the barred sources for which that number is at most the rank.
        starts = np.searchsorted(self.barred.row, np.arange(len(self.targets), dtype=np.int64))
        preceding = self.barred.column - (np.arange(len(self.barred)) - starts[self.barred.row])
        width = len(self.sources) + 1
        passed = np.searchsorted(self.barred.row * width + preceding, row * width + rank, side="right") - starts[row]
        return EdgeSet(self.sources, self.targets, row, rank + passed)


@dataclass(frozen=True)
class _Listed:
    """The candidates are the edges of a set in which no pair stands twice."""

    listed: EdgeSet

    @property
    def sizes(self) -> Positions:
        return np.bincount(self.listed.row, minlength=len(self.listed.targets)).astype(np.int64)

    def edges(self, row: Positions, rank: Positions) -> EdgeSet:
        starts = np.cumsum(self.sizes) - self.sizes
        return self.listed.take(starts[row] + rank)


def _pool(
    sources: NodeSet, targets: NodeSet, candidates: EdgeSet | None, excluded: EdgeSet | None
) -> EveryCandidate | _Listed:
    if candidates is not None:
        return _Listed(first_of_each_pair(restrict(candidates, sources, targets)[0]))
    return EveryCandidate.of(sources, targets, excluded)


def _checked_degrees(targets: NodeSet, degrees: Positions, sizes: Positions, shortfall: Shortfall) -> Positions:
    if degrees.shape != (len(targets),):
        raise ValueError(f"degrees have shape {degrees.shape}, not ({len(targets)},)")
    negative = np.flatnonzero(degrees < 0)
    if len(negative):
        shown = ", ".join(f"{degrees[d]} for `{targets.keys[d]}`" for d in negative[:3])
        raise Problem(
            "E306",
            f"the in-degree of {count(len(negative), 'destination')} is negative: {shown}",
            help="an in-degree is a whole number, 0 or more",
        )
    short = np.flatnonzero(degrees > sizes)
    if len(short) and shortfall == "error":
        shown = ", ".join(f"`{targets.keys[d]}` wants {degrees[d]:,} of {sizes[d]:,}" for d in short[:3])
        raise Problem(
            "E305",
            f"the in-degree is above the number of candidates for {count(len(short), 'destination')}: {shown}",
            help="lower `in_degree`, widen `among`, or write `shortfall = all` to take all candidates there",
        )
    return np.minimum(degrees, sizes)


def choose(starts: Starts, wanted: Positions, sizes: Positions) -> tuple[Positions, Positions]:
    """For each stream `wanted` of the numbers 0 .. sizes - 1, by the draw above: stream and number, sorted by both."""
    inverted = 2 * wanted > sizes
    unit, rank = _first_distinct(starts, np.where(inverted, sizes - wanted, wanted), sizes)
    struck = inverted[unit]
    width = max(int(sizes.max(initial=0)), 1)
    chosen = unit[~struck] * width + rank[~struck]
    full = np.where(inverted, sizes, 0)
    group, within = expand_runs(full)
    keep = np.ones(len(group), dtype=np.bool_)
    begins = np.cumsum(full) - full
    keep[begins[unit[struck]] + rank[struck]] = False
    codes = np.sort(np.concatenate([chosen, group[keep] * width + within[keep]]))
    return codes // width, codes % width


def _first_distinct(starts: Starts, wanted: Positions, sizes: Positions) -> tuple[Positions, Positions]:
    """Unit and value of the first `wanted` distinct values of floor(u_i * size) of each unit, sorted by both.

    Needs 2 * wanted <= sizes. Each round draws for every unit as many values as it still lacks, hence never one too
    many; at least half of them are new on average, so that O(log E) rounds suffice.
    """
    width = max(int(sizes.max(initial=0)), 1)
    drawn = np.zeros(len(wanted), dtype=np.int64)
    pending = np.flatnonzero(wanted)
    lacking = wanted[pending]
    held = np.zeros(0, dtype=np.int64)
    finished = [held]
    while len(pending):
        nth, within = expand_runs(lacking)
        unit = pending[nth]
        value = np.floor(uniform(starts[unit], drawn[unit] + within) * sizes[unit]).astype(np.int64)
        drawn[pending] += lacking
        held = _sorted_distinct(np.concatenate([held, unit * width + value]))
        have = np.searchsorted(held, (pending + 1) * width) - np.searchsorted(held, pending * width)
        done = have == wanted[pending]
        settled = np.repeat(done, have)
        finished.append(held[settled])
        held, pending = held[~settled], pending[~done]
        lacking = wanted[pending] - have[~done]
    codes = np.sort(np.concatenate(finished))
    return codes // width, codes % width


def _sorted_distinct(values: Positions) -> Positions:
    values = np.sort(values)
    return values[np.diff(values, prepend=-1) > 0]
