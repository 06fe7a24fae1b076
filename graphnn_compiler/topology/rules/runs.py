"""Runs of equal length or not: the vectorised form of two nested loops.

Not for: anything about edges.
"""

from __future__ import annotations

import numpy as np

from graphnn_compiler.topology.graph import Positions


def expand_runs(counts: Positions) -> tuple[Positions, Positions]:
    """For `counts` (n,) the group 0 .. n-1 and the position 0 .. count-1 of every member, group by group.

    The same as `[(g, p) for g in range(n) for p in range(counts[g])]`, as two arrays.
    """
    group = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    before = np.cumsum(counts) - counts
    return group, np.arange(len(group), dtype=np.int64) - before[group]
