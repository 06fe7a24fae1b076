"""Columns of text cells, typed while they stream by, without a Python object per cell.

Input: batches of an Arrow string column. Output: `Cells`, which are int64 where all cells are decimal integers, else
float64, else bool, else codes into distinct texts. Not for: opening files; what columns mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import Column, Relations
from graphnn_compiler.topology.growing import GrowingArray
from graphnn_compiler.topology.interning import Codes, intern, ranked_relations, relations_of
from graphnn_compiler.topology.readers.texts import BATCH, TextCodes, TextColumn, Texts

Kind = Literal["int", "float", "bool", "text"]

DTYPES = {"int": np.int64, "float": np.float64, "bool": np.bool_}
# A number with a leading zero ("007") is a name; `nan(..)` is an oddity of the C parser.
_NO_NUMBER = r"^[+-]?0[0-9]|\("


@dataclass(frozen=True, eq=False)
class Cells:
    """A column: an array of the kind's type, for text the codes into `texts`. `missing` is of shape (n,)."""

    kind: Kind | None
    """None where every cell is missing, or there is none."""
    values: NDArray
    missing: NDArray[np.bool_] | None
    texts: Texts | None = None

    def column(self) -> Column:
        """The cells as an attribute."""
        return Column(self.values if self.texts is None else self.texts.distinct()[self.values], self.missing)

    def relations(self) -> Relations:
        """The distinct values as relations, in order of first appearance; a missing one is -1."""
        if self.texts is None:
            return relations_of(self.column())
        return ranked_relations(self.values.astype(np.int64), self.texts.distinct(), self.missing)

    def written_among(self, texts: Texts) -> TextCodes:
        """The cells as codes of texts; only integers and texts are still known as they were written."""
        if self.texts is texts:
            return self.values
        column = texts.column()
        for start in range(0, len(self.values), BATCH):
            part = slice(start, start + BATCH)
            column.append(self.texts.cells(self.values[part]) if self.texts else self._written(part))
        return column.finished()

    def _written(self, part: slice) -> Any:
        written = pc.cast(pa.array(self.values[part]), pa.string())
        return written if self.missing is None else pc.if_else(pa.array(self.missing[part]), "", written)


def integer_keys(columns: Sequence[Cells]) -> tuple[NDArray, list[Codes]]:
    """The distinct integers over several columns of them, and each column's codes."""
    distinct, codes = intern([cells.values.astype(np.int64, copy=False) for cells in columns])
    return distinct, [*codes]


def text_keys(columns: Sequence[Cells]) -> tuple[NDArray, list[Codes]]:
    """The distinct texts over several columns, and each column's codes."""
    texts = next((cells.texts for cells in columns if cells.texts is not None), Texts())
    codes: list[Codes] = [cells.written_among(texts) for cells in columns]
    return texts.distinct(), codes


class CellsBuilder:
    """One column of a file that is read in batches. Its type is that of the batches so far.

    `retyped` is true once a later batch showed that earlier numbers were text: then the column is read again, with
    `kind` "text" from the start. Columns that are asked for together share their `texts`.
    """

    def __init__(self, kind: Kind | None, texts: Texts) -> None:
        self.kind: Kind | None = None
        self.retyped = False
        self._texts = texts
        self._missing = Missing()
        self._values: GrowingArray | TextColumn | None = None
        if kind is not None:
            self._become(kind)

    def add(self, cells: Any) -> None:
        """Take in the next cells, an Arrow string array."""
        if self.retyped:
            return
        empty = pc.equal(cells, "")
        some_missing = bool(pc.any(empty).as_py())
        self._add_values(cells, empty if some_missing else None)
        self._missing.add(flags(empty) if some_missing else None, len(cells))

    def _add_values(self, cells: Any, empty: Any | None) -> None:
        if self.kind == "text":
            self._append(cells)
            return
        filled = cells if empty is None else pc.if_else(empty, pa.scalar(None, pa.string()), cells)
        if filled.null_count == len(filled):
            if isinstance(self._values, GrowingArray):
                self._values.append_many(0, len(cells))
            return
        kind, values = _parsed(filled, self.kind)
        if kind == "text" and self.kind in ("float", "bool"):
            self.retyped, self._values = True, None
            return
        if kind != self.kind:
            self._become(kind)
        self._append(cells if kind == "text" else values)

    def _append(self, values: Any) -> None:
        assert self._values is not None
        self._values.append(values)

    def _become(self, kind: Kind) -> None:
        """Go on as a column of this kind, with what was there before: nothing but missing cells, or integers."""
        before, self.kind = self._values, kind
        if kind != "text":
            self._values = GrowingArray(DTYPES[kind])
            if isinstance(before, GrowingArray):
                self._values.append(before.finished())
            else:
                self._values.append_many(0, len(self._missing))
            return
        self._values = self._texts.column()
        if isinstance(before, GrowingArray):
            integers = Cells("int", before.finished(), self._missing.whole())
            self._values.extend(integers.written_among(self._texts))
        elif len(self._missing):
            self._values.append_many("", len(self._missing))

    def finished(self) -> Cells:
        """The whole column; the builder keeps nothing of it but what is missing."""
        values, self._values = self._values, None
        if values is None:
            return Cells(self.kind, np.zeros(len(self._missing)), self._missing.whole())
        texts = self._texts if self.kind == "text" else None
        return Cells(self.kind, values.finished(), self._missing.whole(), texts)


class Missing:
    """Which cells of a column that streams by are missing; nothing is kept of one without any."""

    def __init__(self) -> None:
        self._flags: GrowingArray | None = None
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, some: NDArray[np.bool_] | None, n: int) -> None:
        """Take in the next n cells; `some` are missing, or None is."""
        if some is not None and self._flags is None:
            self._flags = GrowingArray(np.bool_)
            self._flags.append_many(0, self._n)
        if self._flags is not None:
            if some is None:
                self._flags.append_many(0, n)
            else:
                self._flags.append(some)
        self._n += n

    def whole(self) -> NDArray[np.bool_] | None:
        """Of every cell whether it is missing, shape (n,); None where none is."""
        return None if self._flags is None else self._flags.values.copy()


def _parsed(cells: Any, known: Kind | None) -> tuple[Kind, Any]:
    """The values of a batch in the first type that fits both it and the type of the batches before it."""
    parsers: dict[Kind, Callable[[Any], NDArray | None]] = {"int": _integers, "float": _floats, "bool": _booleans}
    allowed: dict[Kind | None, tuple[Kind, ...]] = {
        None: ("int", "float", "bool"),
        "int": ("int", "float"),
        "float": ("float",),
        "bool": ("bool",),
    }
    for kind in allowed[known]:
        values = parsers[kind](cells)
        if values is not None:
            return kind, values
    return "text", None


def flags(array: Any) -> NDArray[np.bool_]:
    """An Arrow boolean column as an array."""
    return np.asarray(array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy())


def _cast(cells: Any, to: Any) -> Any | None:
    try:
        return pc.cast(cells, to)
    except pa.ArrowInvalid:
        return None


def _integers(cells: Any) -> NDArray[np.int64] | None:
    """The cells as int64 (0 for null), or None unless each is the decimal text of its value."""
    integers = _cast(cells, pa.int64())
    if integers is None or pc.any(pc.not_equal(pc.cast(integers, pa.string()), cells)).as_py():
        return None
    values: NDArray[np.int64] = pc.fill_null(integers, 0).to_numpy()
    return values


def _floats(cells: Any) -> NDArray[np.float64] | None:
    if pc.any(pc.match_substring_regex(cells, _NO_NUMBER)).as_py():
        return None
    numbers = _cast(cells, pa.float64())
    if numbers is None:
        return None
    values: NDArray[np.float64] = pc.fill_null(numbers, 0.0).to_numpy()
    return values


def _booleans(cells: Any) -> NDArray[np.bool_] | None:
    if pc.max(pc.binary_length(cells)).as_py() > len("false"):
        return None
    lower = pc.utf8_lower(cells)
    if not pc.all(pc.is_in(lower, value_set=pa.array(["true", "false", None]))).as_py():
        return None
    return flags(pc.fill_null(pc.equal(lower, "true"), False))
