"""The rule `random(p = ..)`: each pair is an edge with probability p, independently of all others.

Input: node sets, p, perhaps the candidates, and a stream. Output: an edge set. Not for: in-degrees that are given (see
`random`); evaluating an expression for p.

The draws, frozen by edition 1. Let u_0, u_1 .. be the draws of destination d's stream, and let its n candidates stand
in source order, with ranks 0 .. n-1:

* all sources, or all but barred ones: the k-th chosen rank is r_k = r_(k-1) + 1 + floor(log(u_k) / log(1 - p)) with
  r_(-1) = -1, up to the first that is n or more. The skips are geometric, so this takes time in the edges chosen, not
  in the candidates: Batagelj and Brandes, "Efficient generation of large random networks", Physical Review E 71, 2005.
  p = 0 chooses nothing and p = 1 everything, without a draw; log(0) counts as minus infinity.
* listed candidates: the one of rank r is chosen where u_r < p, with its own p where p is one number a candidate.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, Positions
from graphnn_compiler.topology.rules.limits import check_edges
from graphnn_compiler.topology.rules.random import EveryCandidate
from graphnn_compiler.topology.rules.runs import expand_runs
from graphnn_compiler.topology.streams import Starts, Stream, uniform

_CHUNK = 1 << 20  # draws in flight


def random_pairs(
    sources: NodeSet,
    targets: NodeSet,
    p: float,
    *,
    stream: Stream,
    excluded: EdgeSet | None = None,
    max_edges: int | None = None,
) -> EdgeSet:
    """Each pair with probability p, those of `excluded` (matched by key) never; no product is built.

    What d hears does not depend on other destinations. Raises Problem E300 where key types differ, E308 where more
    than `max_edges` edges are to be expected (ten standard deviations above the mean), E333 for p outside [0, 1].
    O(E log E) time.
    """
    _check(np.asarray([p]), "the probability")
    pool = EveryCandidate.of(sources, targets, excluded)
    sizes = pool.sizes
    total = int(sizes.sum())
    mean = p * total
    check_edges("`random`", min(total, math.ceil(mean + 10 * math.sqrt(mean) + 10)) if p else 0, max_edges)
    if p == 0:
        nothing = np.zeros(0, dtype=np.int64)
        return EdgeSet(sources, targets, nothing, nothing)
    row, rank = expand_runs(sizes) if p == 1 else _by_skips(stream.starts(targets.keys), sizes, p)
    return pool.edges(row, rank)


def random_candidates(candidates: EdgeSet, p: float | NDArray[np.float64], *, stream: Stream) -> EdgeSet:
    """Each edge of a set in which no pair stands twice with probability p, float64 (E,) or one number.

    Chosen edges keep their columns and relation. Raises Problem E333 for p outside [0, 1]. O(E) time.
    """
    _check(np.atleast_1d(np.asarray(p, dtype=np.float64)), "the probability")
    sizes = np.bincount(candidates.row, minlength=len(candidates.targets))
    rank = np.arange(len(candidates), dtype=np.int64) - (np.cumsum(sizes) - sizes)[candidates.row]
    return candidates.take(uniform(stream.starts(candidates.targets.keys)[candidates.row], rank) < p)


def _check(values: NDArray[np.float64], what: str) -> None:
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if not len(wrong):
        return
    some = ", ".join(f"{value:g}" for value in values[wrong[:3]])
    where = f" for {count(len(wrong), 'candidate')}" if len(values) > 1 else ""
    raise Problem("E333", f"{what} is not between 0 and 1{where}: {some}", help="write a number from 0 to 1")


def _by_skips(starts: Starts, sizes: Positions, p: float) -> tuple[Positions, Positions]:
    """Destination and rank of every chosen candidate, sorted by both; 0 < p < 1."""
    largest = int(sizes.max(initial=0))
    wide = math.ceil(largest * p + 4 * math.sqrt(largest * p * (1 - p)) + 4)  # most destinations need no second round
    step = max(1, _CHUNK // wide)
    found = [
        _chunk_by_skips(starts[first : first + step], sizes[first : first + step], p, min(wide, _CHUNK), first)
        for first in range(0, len(sizes), step)
    ]
    units, ranks = zip(*found, strict=True) if found else ((np.zeros(0, np.int64),), (np.zeros(0, np.int64),))
    return np.concatenate(units), np.concatenate(ranks)


def _chunk_by_skips(starts: Starts, sizes: Positions, p: float, wide: int, first: int) -> tuple[Positions, Positions]:
    beyond = float(sizes.max(initial=0))  # a longer skip leads past every candidate just as well
    pending = np.arange(len(sizes), dtype=np.int64)
    last = np.full(len(sizes), -1, dtype=np.int64)
    drawn = 0
    units, ranks = [], []
    while len(pending):
        draws = uniform(starts[pending][:, None], np.arange(drawn, drawn + wide))
        with np.errstate(divide="ignore"):  # log(0): beyond every candidate
            skips = np.floor(np.log(draws) / np.log1p(-p))
        reached = last[:, None] + np.cumsum(np.minimum(skips, beyond).astype(np.int64) + 1, axis=1)
        inside = reached < sizes[pending, None]
        nth, place = np.nonzero(inside)
        units.append(pending[nth])
        ranks.append(reached[nth, place])
        more = inside[:, -1]
        pending, last, drawn = pending[more], reached[more, -1], drawn + wide
    unit, rank = np.concatenate(units), np.concatenate(ranks)
    order = np.argsort(unit, kind="stable")  # rounds follow each other, so ranks rise within a unit
    return unit[order] + first, rank[order]
