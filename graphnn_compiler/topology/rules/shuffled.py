"""The rule `shuffled(R, keep = ..)`: a random edge set of R's size between R's units, for null models.

Input: an edge set and a stream. Output: an edge set without columns and relations; a pair that R holds under several
relations counts once. Self loops are drawn only where R has one. Not for: choosing the seed.

The draws, frozen by edition 1; the pairs that may be drawn are all, or where R has no self loop and its sources are
its destinations, all but the self loops:

* `in_degree`: as `random(in_degree = ..)` with R's in-degrees (see `random`), from the streams of the destinations.
* `count`: number the pairs that may be drawn by destination, then source; the numbers chosen are those that
  `random(in_degree = E)` would choose from so many candidates, from the whole parameter's stream.
* `both_degrees`: rounds 0 .. 19 of global curveball trades (Carstens, Hamann, Meyer, Penschuck, Tran and Wagner,
  "Parallel and I/O-efficient randomisation of massive networks using global curveball trades", ESA 2018). A round
  puts the T destinations in the order of draws 0 .. T-1 of the int stream of its number (equal ones in their own order)
  and pairs the first with the second, the third with the fourth and so on. The sources that just one of a pair hears,
  and that the other may hear, change hands at random: sorted by pair, then source, the k-th of all gets draw T + k;
  each pair's, in the order of the draws' upper 32 bits, go to the first destination until it hears as many as before,
  then to the second. Each trade leaves all in-degrees and out-degrees as they are, and every edge is in every round.
  Without self loops the trades cannot turn a directed cycle of three edges round, so where R is little more than such
  cycles not every set of the same degrees is reached.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import EdgeSet, Positions, canonical
from graphnn_compiler.topology.rules.algebra import first_of_each_pair
from graphnn_compiler.topology.rules.identity import same
from graphnn_compiler.topology.rules.random import choose, random_in_degree
from graphnn_compiler.topology.streams import Stream, uniform

Keep = Literal["in_degree", "both_degrees", "count"]
_ROUNDS = 20


def shuffled(edges: EdgeSet, keep: Keep, *, stream: Stream) -> EdgeSet:
    """As many pairs as `edges` has, drawn at random: each destination keeps its in-degree, or all units keep both
    degrees, or nothing but the number of pairs is kept. O(E log E) time."""
    pairs = first_of_each_pair(edges)
    loops = not pairs.sources.same_units(pairs.targets) or bool(np.any(pairs.row == pairs.column))
    match keep:
        case "in_degree":
            degrees = np.bincount(pairs.row, minlength=len(pairs.targets))
            barred = None if loops else same(pairs.sources, pairs.targets)
            return random_in_degree(pairs.sources, pairs.targets, degrees, stream=stream, excluded=barred)
        case "count":
            return _of_count(pairs, loops, stream)
        case "both_degrees":
            column = pairs.column
            for number in range(_ROUNDS):
                column = _traded(pairs.row, column, len(pairs.targets), len(pairs.sources), loops, stream, number)
            return canonical(pairs.sources, pairs.targets, pairs.row, column)


def _of_count(pairs: EdgeSet, loops: bool, stream: Stream) -> EdgeSet:
    width = len(pairs.sources) - (not loops)
    available = np.array([len(pairs.targets) * width], dtype=np.int64)
    _, number = choose(stream.start_of().reshape(1), np.array([len(pairs)], dtype=np.int64), available)
    row, column = np.divmod(number, max(width, 1))
    if not loops:
        column += column >= row
    return EdgeSet(pairs.sources, pairs.targets, row, column)


def _traded(
    row: Positions, column: Positions, n_rows: int, n_columns: int, loops: bool, stream: Stream, number: int
) -> Positions:
    """The source of every edge, which stays at its destination, after one round of trades; `row` rises."""
    start = stream.start_of(number)
    place = np.empty(n_rows, dtype=np.int64)
    place[np.argsort(uniform(start, np.arange(n_rows)), kind="stable")] = np.arange(n_rows)
    partner = np.full(n_rows + 1, -1, dtype=np.int64)
    partner[place] = np.arange(n_rows)
    partner = partner[place ^ 1] if n_rows else place  # the last of an odd number has none: -1
    code = (place[row] // 2) * n_columns + column
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    alone = (np.diff(ordered, prepend=-1) != 0) & (np.diff(ordered, append=-1) != 0) & (partner[row[order]] >= 0)
    if not loops:
        alone &= column[order] != partner[row[order]]
    movable = order[alone]
    return _dealt(place[row[movable]], column, movable, uniform(start, n_rows + np.arange(len(movable))))


def _dealt(place: Positions, column: Positions, movable: Positions, draws: NDArray[np.float64]) -> Positions:
    """The sources with those of the `movable` edges, which stand pair by pair, dealt anew within each pair."""
    upper = (draws * 2.0**32).astype(np.int64)
    dealt = np.argsort((place // 2 << 32) | upper, kind="stable")  # within each pair, in the order of the draws
    seats = np.argsort(place, kind="stable")  # within each pair, those of its first destination before the others
    result = column.copy()
    result[movable[seats]] = column[movable[dealt]]
    return result
