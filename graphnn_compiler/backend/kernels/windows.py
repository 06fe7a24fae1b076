"""How loops over edges walk the rows: in windows, whose edges have their numbers side by side before they are summed.

A window is a run of rows of one chunk. What an edge counts for is looked up once per window and not once per column,
so that the innermost loop holds nothing but loads, multiplications and additions. Not for: sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnn_compiler.backend.kernels.lanes import LINE_BYTES, fetch_ahead
from graphnn_compiler.backend.kernels.primitives import (
    CACHED_NUMBERS,
    HELD_BY_CACHE,
    compiled,
    group_of,
    in_both,
    number_of,
)

SORTED_BELOW = 32
"""Columns below which sums may walk rows in order of degree: there mispredicted ends of rows cost more than cache."""

SORTED_TOGETHER = 128
"""Rows that `order` sorts among themselves, counted from the first row of a chunk.

So few that their edges stay in the nearest cache: sorted rows are read in an order that the machine does not foresee.
"""

WINDOW = 8 * SORTED_TOGETHER
"""Rows of a window in which rows may be walked in order of degree."""


@compiled
def rows_at_once(width: Any) -> Any:
    """Rows of a window: whole runs of rows that are sorted together, or as many as fit the nearest cache."""
    return np.uintp(WINDOW if width < np.uintp(SORTED_BELOW) else max(1, CACHED_NUMBERS // width))


@in_both
def walks_by_degree(n_bytes: Any, width: Any) -> Any:
    """1 where rows are walked in order of degree, otherwise 0; `n_bytes` have the arrays whose rows are read.

    Out of arrays that no near cache holds, rows are read in time only where it is known long before which ones.
    """
    return 1 if width < SORTED_BELOW and n_bytes < HELD_BY_CACHE else 0


@compiled
def row_at(position: Any, by_degree: Any, order: Any) -> Any:
    return np.uintp(order[position]) if by_degree else position


BYTES_AHEAD = 8192
"""Of the cache lines that edges name, from the one that is read to the one that is on its way."""


def fetches_ahead(n: int) -> Any:
    """The function that has the n numbers on their way that some edges from now on are read.

    The ends of rows that are not sorted are mispredicted, and with each the machine forgets the loads it has begun.
    """

    @compiled
    def fetch(array: Any, edge: Any, indices: Any, width: Any, column: Any) -> None:
        ahead = np.uintp(BYTES_AHEAD // max(n * array.itemsize, LINE_BYTES))
        later = min(edge + ahead, np.uintp(len(indices)) - np.uintp(1))
        fetch_ahead(array, np.uintp(indices[later]) * width + column, n)

    return fetch


@compiled
def most_edges(indptr: Any, first: Any, last: Any, step: Any) -> Any:
    """The most edges that a window of `step` rows has."""
    most = np.uintp(0)
    for begin in range(first, last, step):
        most = max(most, np.uintp(indptr[min(begin + step, last)]) - np.uintp(indptr[begin]))
    return most


@compiled
def fill_values(values: Any, edges: Any, first_edge: Any, last_edge: Any) -> None:
    """What each edge multiplies by, c_e w[g_e]; `edges` are weights, coefficients and groups, each with its step."""
    weights, coefficients, groups = edges
    for e in range(first_edge, last_edge):
        values[e - first_edge] = number_of(weights, group_of(groups, e)) * number_of(coefficients, e)


ANY_COLUMNS = (64, 32, 16, 8, 4, 2, 1)
WHOLE_LINES = (64, 32, 16)
"""Columns that are summed at once: of any row, and of one whose columns fill whole cache lines."""


def for_all_columns(make: Any, sizes: tuple[int, ...] = ANY_COLUMNS) -> Any:
    """Calls for all columns of some rows, as many at a time as one of `sizes`, so that no vector leaves its row.

    `make(n)` is the function for n columns. It walks the rows itself, as a call for every row would pass all arrays
    each time.
    """
    do_all = _do_nothing
    for n in reversed(sizes):
        do_all = _before(make(n), n, do_all)
    return do_all


@compiled
def _do_nothing(column: Any, width: Any, walk: Any, arrays: Any) -> None:
    return


def _before(do_n: Any, n: int, do_rest: Any) -> Any:
    @compiled
    def do_all(column: Any, width: Any, walk: Any, arrays: Any) -> None:
        while width - column >= np.uintp(n):
            do_n(column, width, walk, arrays)
            column += np.uintp(n)
        do_rest(column, width, walk, arrays)

    return do_all
