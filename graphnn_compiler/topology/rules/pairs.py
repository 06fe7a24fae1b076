"""The rule `pairs(condition)`: every source with every destination, one block after another.

Input: node sets and a condition on edges. Output: an edge set. Not for: conditions that sorting or a tree can answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, Positions
from graphnn_compiler.topology.rules.limits import gathered

_AT_ONCE = 1 << 20


def pairs(
    sources: NodeSet,
    targets: NodeSet,
    passes: Callable[[EdgeSet], NDArray[np.bool_]],
    *,
    limit: int,
    max_edges: int | None = None,
    at_once: int = _AT_ONCE,
) -> EdgeSet:
    """Every pair for which `passes`, called with edge sets of some destinations at a time, is true.

    Raises Problem E326 where there are more than `limit` pairs to try, E308 where more than `max_edges` pass.
    O(n * m) time, O(at_once + n + E) memory.
    """
    n_sources, n_targets = len(sources), len(targets)
    if n_sources * n_targets > limit:
        tried = f"{n_sources:,} sources x {n_targets:,} destinations = {n_sources * n_targets:,} pairs"
        raise Problem(
            "E326",
            f"`pairs` would try {tried}, above its limit of {limit:,}",
            help="`match`, `within` or `nearest` need not try every pair; or raise the limit: `pairs(.., limit = ..)`",
        )
    some = max(1, at_once // max(n_sources, 1))

    def blocks() -> Iterator[tuple[tuple[Positions, Positions], int, int]]:
        for start in range(0, n_targets, some):
            block = np.arange(start, min(start + some, n_targets), dtype=np.int64)
            row, column = np.repeat(block, n_sources), np.tile(np.arange(n_sources, dtype=np.int64), len(block))
            keep = passes(EdgeSet(sources, targets, row, column))
            yield (row[keep], column[keep]), int(keep.sum()), start + len(block)

    found = gathered("`pairs`", blocks, n_targets, max_edges)
    nothing = np.zeros(0, dtype=np.int64)
    row, column = (
        (np.concatenate([nothing, *part]) for part in zip(*found, strict=True)) if found else (nothing, nothing)
    )
    return EdgeSet(sources, targets, row, column)
