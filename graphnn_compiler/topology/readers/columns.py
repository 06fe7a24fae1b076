"""Named one-dimensional arrays as a table of rows.

Input: the arrays of an `.npz` file, or a mapping of arrays bound from Python. Output: an `ArrayTable`. Not for: text
files (`delimited`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, listed
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import STRING, Column, Relations, is_string
from graphnn_compiler.topology.interning import Codes, decimal, intern, relations_of
from graphnn_compiler.topology.readers.arrays import plain
from graphnn_compiler.topology.readers.options import KeyType
from graphnn_compiler.topology.readers.table import not_integers


@dataclass(frozen=True, eq=False)
class ArrayTable:
    """Columns of equal length. Arrays have no lines, so every place is the data as a whole."""

    shown: str
    arrays: Mapping[str, NDArray]

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.arrays)

    def places(self, rows: Sequence[int]) -> list[DataPlace]:
        """The data as a whole, once per row."""
        return [DataPlace(self.shown)] * len(rows)

    def column(self, name: str) -> Column:
        """An attribute; real numbers become float64. The empty text is missing."""
        values = self.arrays[name]
        if is_string(values):
            missing = values == ""
            return Column(values, missing if missing.any() else None)
        return Column(values.astype(np.float64, copy=False) if values.dtype.kind == "f" else values)

    def labels(self, name: str) -> Relations:
        """The distinct values as relations, in order of first appearance."""
        return relations_of(self.column(name))

    def keys(self, names: Sequence[str], key_type: KeyType | None) -> tuple[NDArray, list[Codes]]:
        """The distinct keys over the named columns, and each column's codes. The arrays' own types decide whether
        they are integers, unless `key_type` does."""
        arrays = [self.arrays[name] for name in names]
        for name, array in zip(names, arrays, strict=True):
            self._require_keys(name, array)
        if len({is_string(array) for array in arrays}) > 1:
            raise Problem(
                "E219",
                f"the keys of `{self.shown}` are integers in one column and text in another: "
                + listed(f"`{name}`" for name in names),
                help="use one type for both ends",
                places=[(DataPlace(self.shown), "this data")],
            )
        distinct, found = intern(arrays)
        codes: list[Codes] = [*found]
        if key_type == "string":
            return distinct.astype(STRING), codes
        if key_type == "int" and is_string(distinct):
            return self._as_integers(distinct), codes
        return distinct, codes

    def _require_keys(self, name: str, array: NDArray) -> None:
        if array.dtype.kind == "i":
            return
        if not is_string(array):
            raise Problem(
                "E219",
                f"the keys in `{name}` of `{self.shown}` are of type `{array.dtype}`",
                help="keys are integers or text",
                places=[(DataPlace(self.shown), "this data")],
            )
        empty = int(np.count_nonzero(array == ""))
        if empty:
            raise Problem(
                "E212",
                f"the key column `{name}` of `{self.shown}` has {count(empty, 'empty cell')}",
                help="give each of these rows a key, or remove it",
                places=[(DataPlace(self.shown), f"the first is row {int(np.argmax(array == '')):,}")],
            )

    def _as_integers(self, distinct: NDArray) -> NDArray[np.int64]:
        values = [decimal(str(text)) for text in distinct]
        wrong = [str(text) for text, value in zip(distinct, values, strict=True) if value is None]
        if wrong:
            raise not_integers(self.shown, wrong[:3], len(wrong), self.places(range(1)))
        return np.array(values, dtype=np.int64)


def array_table(shown: str, columns: Mapping[str, Any]) -> ArrayTable:
    """The table of one-dimensional columns of equal length; E234, E239 where they are not."""
    arrays = {
        str(name): as_array(values, f"the column `{name}` of `{shown}`", shown) for name, values in columns.items()
    }
    for name, array in arrays.items():
        if array.ndim != 1:
            raise Problem(
                "E234",
                f"the column `{name}` of `{shown}` has {count(array.ndim, 'dimension')}, not one",
                help="a table of edges is made of one-dimensional columns of equal length",
                places=[(DataPlace(shown), f"its shape is {array.shape}")],
            )
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise Problem(
            "E234",
            f"the columns of `{shown}` are of different lengths",
            help="every column has one cell per edge",
            notes=[f"`{name}` has {count(length, 'cell')}" for name, length in list(lengths.items())[:4]],
            places=[(DataPlace(shown), "this data")],
        )
    return ArrayTable(shown, arrays)


def as_array(values: Any, what: str, shown: str) -> NDArray:
    """An array bound from Python as int64, float32, float64, bool or string; a column of Python strings too."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise Problem(
            "E239",
            f"{what} is not rectangular",
            help="every row has the same length",
            places=[(DataPlace(shown), "this data")],
        ) from None
    if array.dtype.hasobject and array.dtype.kind == "O" and all(isinstance(item, str) for item in array.flat):
        array = array.astype(STRING)
    return plain(array, what, shown)
