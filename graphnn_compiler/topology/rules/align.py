"""Bringing units together by key: checks of key types, places of one set's units in another, ordered unions.

Input: node sets, columns, relations. Output: positions and merged tables. Not for: deciding which edges stand.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import Column, NodeSet, Positions, take_columns

_TYPE_NAMES = {"i": "int", "f": "float", "b": "bool", "T": "string"}


def place_units(units: NodeSet, among: NodeSet) -> Positions:
    """The position in `among` of each of `units`, -1 where its key is not there.

    Raises Problem E300 where one set has int and the other string keys.
    """
    if len(units) and len(among) and units.string_keys != among.string_keys:
        strings, integers = (units, among) if units.string_keys else (among, units)
        raise Problem(
            "E300",
            f"units with string keys such as `{strings.keys[0]}` are matched by key with units with int keys"
            f" such as `{integers.keys[0]}`",
            help="write `key_type = string` (or `int`) where the tables are read, so that both have keys of one type",
        )
    return among.find(units.keys)


def merge_columns(
    left: Mapping[str, Column], right: Mapping[str, Column], n_left: int, n_right: int
) -> dict[str, Column]:
    """The columns of `n_left` rows followed by `n_right` rows.

    A column that one side lacks is missing in that side's rows; int and float make float. Raises Problem E312 where
    a column has other types that differ.
    """
    merged: dict[str, Column] = {}
    for name in dict.fromkeys([*left, *right]):
        one, other = left.get(name), right.get(name)
        dtype = _common_dtype(name, one, other)
        head, tail = _rows_of(one, n_left, dtype), _rows_of(other, n_right, dtype)
        missing = np.concatenate([_missing_of(one, n_left), _missing_of(other, n_right)])
        merged[name] = Column(np.concatenate([head, tail]), missing if missing.any() else None)
    return merged


def _common_dtype(name: str, one: Column | None, other: Column | None) -> np.dtype:
    dtypes = [column.values.dtype for column in (one, other) if column is not None]
    kinds = {dtype.kind for dtype in dtypes}
    if len(kinds) == 1:
        return dtypes[0]
    if kinds == {"i", "f"}:
        return np.dtype(np.float64)
    left, right = (_TYPE_NAMES[dtype.kind] for dtype in dtypes)
    raise Problem(
        "E312",
        f"column `{name}` is {left} on the left of `|` and {right} on the right",
        help=f"give one of the two another name, or make `{name}` of one type in the data",
    )


def _rows_of(column: Column | None, n: int, dtype: np.dtype) -> NDArray:
    return np.zeros(n, dtype=dtype) if column is None else column.values.astype(dtype, copy=False)


def _missing_of(column: Column | None, n: int) -> NDArray[np.bool_]:
    if column is None:
        return np.ones(n, dtype=np.bool_)
    return np.zeros(n, dtype=np.bool_) if column.missing is None else column.missing


def union_units(left: NodeSet, right: NodeSet) -> NodeSet:
    """The units of `left` in their order, then those of `right` that are new, in theirs; keys decide.

    For units of both sets the columns of `left` stand. Raises Problem E300, E312.
    """
    if left is right or (left.same_units(right) and not right.columns):
        return left
    new = np.flatnonzero(place_units(right, left) < 0)
    columns = merge_columns(left.columns, take_columns(right.columns, new), len(left), len(new))
    if len(new) == 0:
        return NodeSet(left.keys, columns)
    if len(left) == 0:
        return NodeSet(right.keys, columns)
    return NodeSet(np.concatenate([left.keys, right.keys[new]]), columns)
