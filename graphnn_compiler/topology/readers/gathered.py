"""Attributes whose types the data shows as it goes: of GML and of JSON.

Input: values, one at a time, each with its row. Output: columns. Not for: parsing.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import Column, string_array

_KINDS = {bool: "booleans", int: "integers", float: "reals", str: "text"}
_INT64 = range(-(2**63), 2**63)


class Gathered:
    """One attribute of the nodes or of the edges: rows and values in step, texts as codes."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._values: array[int] | array[float] = array("q")
        self._kind: type | None = None
        self._texts: dict[str, int] = {}

    def add(self, row: int, value: object) -> str | None:
        """Take in the value of a row; None and the empty text are missing. What is wrong with it, if it does not fit.

        Integers among reals are reals; any other mixture does not fit, nor does a second value of a row.
        """
        if value is None or value == "":
            return None
        kind = type(value)
        if kind not in _KINDS:
            return "is neither a number nor text nor a boolean"
        if kind is int and value not in _INT64:
            return "is beyond 64-bit integers"
        if self._rows and self._rows[-1] == row:
            return "is given twice"
        if self._kind is not kind and not self._widened(kind):
            return f"is of another type than those before it, which are {_KINDS[self._kind or kind]}"
        self._rows.append(row)
        code = self._texts.setdefault(value, len(self._texts)) if isinstance(value, str) else value
        self._values.append(code)  # type: ignore[arg-type]
        return None

    def _widened(self, kind: type) -> bool:
        if self._kind is None:
            self._kind = kind
            self._values = array("d" if kind is float else "q")
            return True
        if {self._kind, kind} != {int, float}:
            return False
        if self._kind is int:
            self._kind = float
            self._values = array("d", self._values)
        return True

    def column(self, n_rows: int) -> Column:
        """The column of n rows."""
        rows = np.array(self._rows, dtype=np.int64)
        missing = np.ones(n_rows, dtype=bool)
        missing[rows] = False
        raw = np.zeros(n_rows, dtype=np.int64 if self._kind in (bool, int, str) else np.float64)
        raw[rows] = np.array(self._values)
        values: NDArray = raw
        if self._kind is bool:
            values = raw.astype(bool)
        elif self._kind is str:
            values = string_array([*self._texts, ""])[np.where(missing, len(self._texts), raw)]
        return Column(values, missing if missing.any() else None)


def gathered_columns(attributes: dict[str, Gathered], n_rows: int) -> dict[str, Column]:
    """Every attribute as a column of n rows."""
    return {name: values.column(n_rows) for name, values in attributes.items()}
