"""The rule `top(R, k, by = ..)`: the best edges of each unit.

Input: an edge set and a number per edge. Output: a part of it. Not for: computing the numbers.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import EdgeSet


def top(edges: EdgeSet, k: int, by: NDArray, per: Literal["src", "dst"] = "dst") -> EdgeSet:
    """The `k` edges with the largest `by` into each destination, or with `per="src"` out of each source.

    `by` is int64 or float64 without NaN, shape (E,). Of equally good edges those stand that come first in canonical
    order: by source, or for one source by destination. Attributes and relations are kept. O(E log E).
    """
    unit = edges.row if per == "dst" else edges.column
    falling = ~by if by.dtype.kind == "i" else -by  # ~ turns int64 round without overflow
    order = np.lexsort((falling, unit))  # stable, so that ties stay in canonical order
    grouped = unit[order]
    rank = np.arange(len(order)) - np.searchsorted(grouped, grouped)
    return edges.take(np.sort(order[rank < k]))
