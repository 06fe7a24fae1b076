"""Arrays that grow at their end, for what arrives in parts.

Not for: arrays whose size is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

_ROOM = 8  # growing by an eighth: a large block is moved by the system, page by page, without a second copy of it


class GrowingArray:
    """A one-dimensional array of one type. At no time are its parts held beside the whole."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._array = np.empty(0, dtype=dtype)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def append(self, values: NDArray) -> None:
        """Put values at the end, converted to the array's type."""
        self._grow(len(values))[:] = values

    def append_many(self, value: int, n: int) -> None:
        """Put one value at the end n times."""
        self._grow(n)[:] = value

    def _grow(self, n: int) -> NDArray:
        start, end = self._used, self._used + n
        if end > len(self._array):
            self._array.resize(end + end // _ROOM, refcheck=False)
        self._used = end
        return self._array[start:end]

    @property
    def values(self) -> NDArray:
        """What is there, as a view that holds until the next `append`."""
        return self._array[: self._used]

    def finished(self) -> NDArray:
        """The array itself; nothing can be appended any more."""
        array, self._array = self._array, self._array[:0].copy()
        array.resize(self._used, refcheck=False)
        return array
