"""Cycles as text, for messages.

Not for: finding them (`order`).
"""

from __future__ import annotations

from numpy.typing import NDArray

_SHOWN = 5


def cycle_text(keys: NDArray) -> str:
    """The units of a cycle in the order of its edges, the first once more at the end; of long ones the first five."""
    shown = [f"`{key}`" for key in keys[:_SHOWN]]
    more = len(keys) - len(shown)
    skipped = [f".. ({more:,} more)"] if more > 0 else []
    return " -> ".join([*shown, *skipped, shown[0]])
