"""Texts as small integers: the distinct texts of columns that stream by, and the code of every cell.

Input: Arrow string arrays. Output: `Texts`, and arrays of codes. Not for: numbers; what a text means.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import STRING
from graphnn_compiler.topology.growing import GrowingArray

BATCH = 1 << 16
"""So many cells become Python objects at once where they must."""

TextCodes = NDArray[np.int32]


class Texts:
    """Distinct texts, in no order that means anything; several columns may share them.

    Each batch has a dictionary of its own. These are gathered, and joined with the distinct texts so far whenever they
    hold half as many; until then a code counts on behind those texts. So every text is hashed a few times at most.
    """

    def __init__(self) -> None:
        self._known = pa.array([], pa.string())
        self._loose: list[Any] = []
        self._n_loose = 0
        self._columns: list[TextColumn] = []

    def column(self) -> TextColumn:
        """A new column over these texts."""
        self._columns.append(TextColumn(self))
        return self._columns[-1]

    def _encoded(self, cells: Any) -> TextCodes:
        """Codes of a string array, until the next joining."""
        batch = cells.dictionary_encode()
        codes: TextCodes = batch.indices.to_numpy() + np.int32(len(self._known) + self._n_loose)
        self._loose.append(batch.dictionary)
        self._n_loose += len(batch.dictionary)
        return codes

    def _settle_when_due(self) -> None:
        if 2 * self._n_loose > len(self._known) + 4 * BATCH:
            self.settle()

    def settle(self) -> None:
        """Join the texts of the batches since the last time with those before; codes mean what they say."""
        if not self._loose:
            return
        every = pa.concat_arrays([self._known, *self._loose])
        self._known, self._loose, self._n_loose = None, [], 0
        every = every.dictionary_encode()
        self._known, final = every.dictionary, every.indices.to_numpy()
        for column in self._columns:
            column.translate(final)

    def cells(self, codes: TextCodes) -> Any:
        """The texts of some codes as a string array."""
        return self._known.take(pa.array(codes))

    def distinct(self) -> NDArray:
        """Every text, by code."""
        self.settle()
        return strings(self._known)


class TextColumn:
    """The codes of one column, int32."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self._codes = GrowingArray(np.int32)
        self._settled = 0

    def append(self, cells: Any) -> None:
        """Put the cells of a string array at the end."""
        self._codes.append(self.texts._encoded(cells))
        self.texts._settle_when_due()

    def append_many(self, text: str, n: int) -> None:
        """Put one text at the end n times."""
        code = self.texts._encoded(pa.array([text], pa.string()))
        self._codes.append_many(int(code[0]), n)

    def extend(self, codes: TextCodes) -> None:
        """Put cells at the end by their final codes."""
        self.texts.settle()
        self._codes.append(codes)
        self._settled = len(self._codes)

    def translate(self, final: TextCodes) -> None:
        """Replace the codes that came since the last time by final ones."""
        fresh = self._codes.values[self._settled :]
        for start in range(0, len(fresh), BATCH):
            fresh[start : start + BATCH] = final[fresh[start : start + BATCH]]
        self._settled = len(self._codes)

    def finished(self) -> TextCodes:
        """The codes themselves; nothing can be appended any more."""
        self.texts.settle()
        return self._codes.finished()


def strings(array: Any) -> NDArray:
    """An Arrow string array as variable-width strings, through at most `BATCH` Python objects at a time."""
    out = np.empty(len(array), dtype=STRING)
    for start in range(0, len(array), BATCH):
        out[start : start + BATCH] = array.slice(start, BATCH).to_pylist()
    return out
