"""The rule `offset(a..b)`: stencils along the order of the units.

Input: node sets and a range of position differences. Output: an edge set with the int64 column `offset`. Not for:
offsets in two dimensions.
"""

from __future__ import annotations

import numpy as np

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import Column, EdgeSet, NodeSet, canonical
from graphnn_compiler.topology.rules.limits import check_edges
from graphnn_compiler.topology.rules.runs import expand_runs


def offset(
    sources: NodeSet, targets: NodeSet, low: int, high: int, *, wrap: bool = False, max_edges: int | None = None
) -> EdgeSet:
    """Every pair whose destination position minus source position is in `low .. high`, both ends included.

    Without `wrap` what falls off an end is clipped; with it the difference is taken modulo the number of units.
    Raises Problem E302 for an empty range, E303 where `wrap` meets sizes that differ, E304 where it would put two
    offsets on one pair, E308 above `max_edges`. O(E), with `wrap` O(E log E).
    """
    if low > high:
        raise Problem(
            "E302", f"the range of offsets `{low}..{high}` is empty", help=f"write it as `{high}..{low}`, lowest first"
        )
    return (_wrapped if wrap else _clipped)(sources, targets, low, high, max_edges)


def _clipped(sources: NodeSet, targets: NodeSet, low: int, high: int, max_edges: int | None) -> EdgeSet:
    # Offsets beyond the units match nothing; without them the sums below fit in int64 whatever the program says.
    low, high = (min(max(end, -len(sources)), len(targets)) for end in (low, high))
    positions = np.arange(len(targets), dtype=np.int64)
    first = np.maximum(positions - high, 0)
    last = np.minimum(positions - low, len(sources) - 1)
    counts = np.maximum(last - first + 1, 0)
    check_edges("`offset`", int(counts.sum()), max_edges)
    row, within = expand_runs(counts)
    column = first[row] + within
    return EdgeSet(sources, targets, row, column, {"offset": Column(row - column)})


def _wrapped(sources: NodeSet, targets: NodeSet, low: int, high: int, max_edges: int | None) -> EdgeSet:
    n, width = len(targets), high - low + 1
    if len(sources) != n:
        raise Problem(
            "E303",
            f"`offset` with `wrap` needs as many sources as destinations, but there are {len(sources):,} and {n:,}",
            help="give both the same number of units, or leave `wrap` out",
        )
    if n == 0:
        return _clipped(sources, targets, 0, 0, None)
    if width > n:
        raise Problem(
            "E304",
            f"`offset({low}..{high})` has {width:,} offsets, so that on {n:,} units"
            f" offsets {low} and {low + n} both name the same pairs",
            help=f"use at most {n:,} offsets, or leave `wrap` out",
        )
    check_edges("`offset`", n * width, max_edges)
    row = np.repeat(np.arange(n, dtype=np.int64), width)
    step = np.tile(np.arange(width, dtype=np.int64), n)
    column = (row - low % n - step) % n
    return canonical(sources, targets, row, column, {"offset": Column(step + low)})
