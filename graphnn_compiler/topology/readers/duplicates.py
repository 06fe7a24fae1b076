"""Edges that the data lists more than once: an error, or one edge made of several rows.

Input: the ends, relation and attributes of every listed row. Output: the same with every edge once. Sorting and
`reduceat`, O(E log E). Not for: nodes listed twice (`assemble`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.topology.graph import Column, Positions, Relations, canonical_order, take_columns
from graphnn_compiler.topology.readers.options import Duplicates
from graphnn_compiler.topology.readers.table import Places, sampled

_REDUCE = {"sum": np.add, "mean": np.add, "min": np.minimum, "max": np.maximum}
_INT64_END = float(2**63)


@dataclass(frozen=True, eq=False)
class ListedRows:
    """Rows of positions: edge e goes from `source[e]` to `target[e]`; `name` and `places` describe rows in errors."""

    shown: str
    source: Positions
    target: Positions
    n_sources: int
    columns: Mapping[str, Column]
    relations: Relations | None
    name: Callable[[int], str]
    places: Places

    def take(self, index: Positions, columns: Mapping[str, Column]) -> ListedRows:
        """The rows at an index array, with new attributes."""
        relations = self.relations and Relations(self.relations.codes[index], self.relations.names)
        # Not `self`, which would keep the columns before the taking alive.
        name, places = self.name, self.places
        return ListedRows(
            self.shown,
            self.source[index],
            self.target[index],
            self.n_sources,
            columns,
            relations,
            lambda row: name(int(index[row])),
            lambda rows: places([int(index[row]) for row in rows]),
        )


@dataclass(frozen=True, eq=False)
class _Groups:
    """Rows in sorted order (`order`) fall into runs of one edge each; run i begins at `starts[i]`."""

    order: Positions
    starts: Positions

    @property
    def sizes(self) -> Positions:
        return np.diff(self.starts, append=len(self.order))

    @property
    def of_row(self) -> Positions:
        return np.repeat(np.arange(len(self.starts)), self.sizes)


def _groups(rows: ListedRows) -> _Groups:
    codes = None if rows.relations is None else rows.relations.codes
    order = canonical_order(rows.target, rows.source, codes, rows.n_sources)
    differs = np.ones(len(order), dtype=bool)
    source, target = rows.source[order], rows.target[order]
    differs[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    if codes is not None:
        differs[1:] |= codes[order][1:] != codes[order][:-1]
    return _Groups(order, np.flatnonzero(differs))


def merge_duplicates(rows: ListedRows, how: Duplicates | None) -> ListedRows:
    """Every edge once, in canonical order. E216 where one is listed twice and `how` is None or "error"."""
    groups = _groups(rows)
    repeated = len(groups.starts) < len(groups.order)
    if how is None or how == "error":
        if repeated:
            raise _duplicate_problem(rows, groups)
        order = groups.order
        del groups  # as large as a column, and this is where memory is used most
        return rows.take(order, take_columns(rows.columns, order))
    if how in ("first", "last"):
        kept = groups.order[groups.starts if how == "first" else groups.starts + groups.sizes - 1]
        return rows.take(kept, take_columns(rows.columns, kept))
    columns = {name: _reduced(rows, groups, name, how) for name in rows.columns}
    return rows.take(groups.order[groups.starts], columns)


def _duplicate_problem(rows: ListedRows, groups: _Groups) -> Problem:
    first = groups.order[groups.starts]
    several = np.flatnonzero(groups.sizes > 1)
    second = groups.order[groups.starts[several] + 1]
    by_appearance = np.argsort(second)
    pairs = [(int(first[several[i]]), int(second[i])) for i in by_appearance[:3]]
    names = [rows.name(row) for row, _ in pairs]
    places = rows.places([row for pair in pairs for row in pair])
    labels = [label for name in names for label in (f"`{name}` is listed here", "and again here")]
    return Problem(
        "E216",
        f"`{rows.shown}` lists {count(len(several), 'edge')} more than once: {sampled(names, len(several))}",
        help="remove the repeats, or say what becomes of them: `duplicates =` sum, mean, min, max, first or last",
        places=list(zip(places, labels, strict=True)),
    )


def _reduced(rows: ListedRows, groups: _Groups, name: str, how: Duplicates) -> Column:
    column = rows.columns[name]
    if column.values.dtype.kind not in "if":
        return _agreed(rows, groups, name, how)
    if len(groups.order) == 0:
        return Column(column.values.astype(np.float64) if how == "mean" else column.values)
    values = column.values[groups.order]
    missing = np.zeros(len(values), dtype=bool) if column.missing is None else column.missing[groups.order]
    present = np.add.reduceat((~missing).astype(np.int64), groups.starts)
    if how == "mean":
        values = values.astype(np.float64)
    values = np.where(missing, _neutral(how, values.dtype), values)
    with np.errstate(invalid="ignore", over="ignore"):
        reduced = _REDUCE[how].reduceat(values, groups.starts)
    if how == "mean":
        reduced = reduced / np.maximum(present, 1)
    elif how == "sum" and values.dtype.kind == "i":
        _require_no_overflow(rows, groups, values, name)
    empty = present == 0
    reduced[empty] = 0
    return Column(reduced, empty if empty.any() else None)


def _neutral(how: Duplicates, dtype: np.dtype) -> int | float:
    if how in ("sum", "mean"):
        return 0
    sign = 1 if how == "min" else -1
    if dtype.kind == "f":
        return sign * np.inf
    return int(np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min)


def _require_no_overflow(rows: ListedRows, groups: _Groups, values: NDArray, name: str) -> None:
    rough = np.add.reduceat(values.astype(np.float64), groups.starts)
    beyond = np.flatnonzero(np.abs(rough) >= _INT64_END)
    if len(beyond) == 0:
        return
    row = int(groups.order[groups.starts[beyond[0]]])
    raise Problem(
        "E244",
        f"the sum of `{name}` over the repeats of `{rows.name(row)}` is beyond 64-bit integers",
        help="write the column as real numbers, as in 1e18",
        places=[(rows.places([row])[0], "the edge is first listed here")],
    )


def _agreed(rows: ListedRows, groups: _Groups, name: str, how: Duplicates) -> Column:
    """A column of no numbers, which has a sum or a mean only where all rows of an edge hold the same."""
    column = rows.columns[name].take(groups.order)
    heads = groups.starts[groups.of_row]
    differs = column.values != column.values[heads]
    if column.missing is not None:
        both = column.missing & column.missing[heads]
        differs = (differs | (column.missing != column.missing[heads])) & ~both
    wrong = np.flatnonzero(differs)
    if len(wrong):
        first, second = int(groups.order[heads[wrong[0]]]), int(groups.order[wrong[0]])
        places = rows.places([first, second])
        raise Problem(
            "E217",
            f"the column `{name}` of `{rows.shown}` holds no numbers, so `duplicates = {how}` cannot merge its values",
            help="use `duplicates = first` or `last`, or leave the column out of the data",
            places=[(places[0], f"`{rows.name(first)}` has one value here"), (places[1], "and another here")],
        )
    return column.take(groups.starts)
