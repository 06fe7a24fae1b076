"""Turning columns of keys into small integers, without a Python object per edge.

Input: arrays of int64 or variable-width string keys. Output: the distinct keys and, for every cell, the index
(*code*) of its key among them. Not for: reading files, judging whether a key is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import STRING, Column, Positions, Relations, distinct, is_string

Codes = NDArray[np.int32] | NDArray[np.int64]
"""Places among distinct keys or texts."""

_DECIMAL = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
_INT64 = np.iinfo(np.int64)
_BLOCK = 1 << 20


def decimal(text: str) -> int | None:
    """The integer whose decimal text is exactly `text` ("007", "+1", "1.0", "-0" are none), if int64 holds it."""
    if not _DECIMAL.fullmatch(text):
        return None
    value = int(text) if len(text) <= 20 else _INT64.max + 1
    return value if _INT64.min <= value <= _INT64.max else None


def decimal_keys(texts: Sequence[str]) -> NDArray[np.int64] | None:
    """`texts` as int64 of shape (n,), or None unless every one is the decimal text of its value."""
    values = [decimal(text) for text in texts]
    known = [value for value in values if value is not None]
    return np.array(known, dtype=np.int64) if len(known) == len(values) else None


def intern(arrays: Sequence[NDArray]) -> tuple[NDArray, list[Positions]]:
    """The distinct values over all `arrays` (of one type), sorted, and the codes of each array's cells.

    O(n + range) time for integers that lie close together, O(n log n) for others.
    """
    if not is_string(arrays[0]) and _is_narrow(arrays):
        return _intern_narrow(arrays)
    found, _, codes = distinct(np.concatenate(arrays))
    ends = np.cumsum([len(array) for array in arrays])
    return found, np.split(codes.astype(np.int64, copy=False), ends[:-1])


def _is_narrow(arrays: Sequence[NDArray]) -> bool:
    filled = [array for array in arrays if len(array)]
    if not filled:
        return False
    width = max(int(a.max()) for a in filled) - min(int(a.min()) for a in filled)
    return width <= 4 * sum(len(a) for a in filled)


def _intern_narrow(arrays: Sequence[NDArray]) -> tuple[NDArray, list[Positions]]:
    filled = [array for array in arrays if len(array)]
    low = min(int(a.min()) for a in filled)
    present = np.zeros(max(int(a.max()) for a in filled) - low + 1, dtype=bool)
    for array in filled:
        present[array - low] = True
    code_of = np.cumsum(present, dtype=np.int64) - 1
    return np.flatnonzero(present) + low, [code_of[array - low] for array in arrays]


def first_appearance(codes: Positions, n_codes: int) -> Positions:
    """The codes that occur in `codes`, in the order in which they first do. O(n + m log m)."""
    first = np.full(n_codes, len(codes), dtype=np.int64)
    for end in range(len(codes), 0, -_BLOCK):
        start = max(end - _BLOCK, 0)
        first[codes[start:end][::-1]] = np.arange(end - 1, start - 1, -1)
    present = np.flatnonzero(first < len(codes))
    return present[np.argsort(first[present])]


def relations_of(column: Column) -> Relations:
    """The relations that a column names: its values as text, in order of first appearance; missing is -1."""
    distinct, (codes,) = intern([column.values])
    return ranked_relations(codes, distinct.astype(STRING), column.missing)


def ranked_relations(codes: Positions, names: NDArray, missing: NDArray[np.bool_] | None) -> Relations:
    """Relations from codes into `names` in any order, renumbered by first appearance."""
    order = first_appearance(codes if missing is None else codes[~missing], len(names))
    rank = np.full(len(names), -1, dtype=np.int32)
    rank[order] = np.arange(len(order))
    ranked = rank[codes] if missing is None else np.where(missing, np.int32(-1), rank[codes])
    return Relations(ranked.astype(np.int32, copy=False), tuple(str(name) for name in names[order]))
