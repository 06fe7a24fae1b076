"""Work by blocks of rows, each as large as the working memory allows: for results whose size shows only as they grow.

Not for: what is computed for a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

Result = TypeVar("Result")

WORKING_PAIRS = 1 << 22
"""How many pairs a block may hold at once: a few tens of MiB, which also keeps sorting near the caches."""

_FIRST_ROWS = 1024


def by_blocks(n_rows: int, attempt: Callable[[int, int], tuple[Result, int] | None]) -> Iterator[tuple[Result, int]]:
    """`attempt(first, last)` for blocks that cover 0 .. n_rows - 1 in order, each with its `last`.

    It gives a result and the pairs that this took; or None where the block is too large, which it may not do for a
    single row. Blocks shrink after that, and grow where they take little.
    """
    first, size = 0, _FIRST_ROWS
    while first < n_rows:
        last = min(first + size, n_rows)
        outcome = attempt(first, last)
        if outcome is None:
            size = max(1, (last - first) // 2)
            continue
        result, used = outcome
        yield result, last
        first = last
        if 4 * used <= WORKING_PAIRS:
            size *= 2
