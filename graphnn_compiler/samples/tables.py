"""Samples as the rows of a table, whose columns are the units of inputs and the values of targets.

Input: a CSV, TSV or Parquet table. Output: arrays by the names of inputs and targets, in the order of the rows.
Missing cells are refused unless a policy says what becomes of them. Not for: which column is which unit (`columns`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, did_you_mean, listed
from graphnn_compiler.samples.columns import Field, assign, fields_of
from graphnn_compiler.topology.graph import Column, is_string, string_array
from graphnn_compiler.topology.plan import Plan, Target
from graphnn_compiler.topology.readers.delimited import read_delimited
from graphnn_compiler.topology.readers.parquet import read_parquet
from graphnn_compiler.topology.readers.table import RowTable
from graphnn_compiler.topology.readers.text_files import format_of

Missing: TypeAlias = Literal["mean", "zero", "drop", "keep"]
"""What becomes of missing cells: the mean of the column in this file, 0, the whole sample is left out, or NaN for a
network that fills it.

An input that a training gave means has them by default, and instead of those of this file.
"""

TABLES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True, eq=False)
class TableSamples:
    """Arrays by the names of inputs and targets, the label of every row if asked for, and what was left out."""

    arrays: dict[str, NDArray]
    labels: NDArray | None = None
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class _Cells:
    """The numbers of one field, (rows, size), and which are missing: places in the field -> rows."""

    values: NDArray
    missing: dict[int, NDArray[np.bool_]] = field(default_factory=dict)


def is_table(path: Path) -> bool:
    """Whether a file is read as a table, by its name."""
    return format_of(path) in TABLES


def read_table(
    plan: Plan, path: Path, shown: str, *, index: str | None, missing: Missing | None, only: str | None = None
) -> TableSamples:
    """The samples of a table; with `only`, its columns are those of one input or target.

    Problem E210 where there is no column `index`, E285 and E286 where columns and units do not meet, E287 for missing
    cells, E288 for text where numbers are taken; and what is wrong with the file itself.
    """
    table: RowTable = read_parquet(path, shown) if format_of(path) == ".parquet" else read_delimited(path, shown)
    _require_index(table, index)
    names = [name for name in table.names if name != index]
    fields = {one.name: one for one in fields_of(plan) if only in (None, one.name)}
    assignment = assign([*fields.values()], names, shown)
    if not assignment.columns:
        raise _nothing_fits([*fields.values()], names, shown)
    targets = {target.name: target for target in plan.targets}
    cells = {
        name: _read(table, fields[name], [names[k] for k in places], targets.get(name))
        for name, places in assignment.columns.items()
    }
    labels = None if index is None else _labels(table.column(index))
    notes = []
    if assignment.unused:
        left = count(len(assignment.unused), "column")
        some = listed(f"`{name}`" for name in assignment.unused)
        notes.append(f"left out {left} of {shown} that belong to no unit and no target: {some}")
    if missing == "drop":
        kept = _whole_rows(cells, shown)
        notes += [f"left out {count(int(np.sum(~kept)), 'sample')} of {shown} with missing cells"] * (not kept.all())
        cells = {name: _Cells(it.values[kept]) for name, it in cells.items()}
        labels = labels if labels is None else labels[kept]
    else:
        notes += _fill(cells, fields, missing, table, _kept(plan, missing))
    arrays = {name: it.values.reshape(len(it.values), *fields[name].shape) for name, it in cells.items()}
    return TableSamples(arrays, labels, tuple(notes))


def _require_index(table: RowTable, index: str | None) -> None:
    if index is None or index in table.names:
        return
    message = f"`{table.shown}` has no column `{index}`, which --index names"
    known = f"the columns are {listed((f'`{name}`' for name in table.names), 10)}"
    raise Problem("E210", message, help=did_you_mean(index, table.names, known))


def _nothing_fits(fields: list[Field], names: list[str], shown: str) -> Problem:
    wanted = next((one for one in fields if one.what == "input"), fields[0] if fields else None)
    message = f"no column of `{shown}` is called by a unit of an input or by a target"
    if wanted is None:
        return Problem("E285", message)
    some = listed((f"`{title}`" for title in wanted.titles(range(min(3, wanted.size)))), 3)
    found = listed(f"`{name}`" for name in names)
    return Problem("E285", message, help=f"`{wanted.name}` wants columns such as {some}; there are {found}")


def _labels(column: Column) -> NDArray:
    if column.missing is None:
        return column.values
    return np.where(column.missing, "", column.values.astype(string_array([]).dtype))


# ------------------------------------------------------------------ cells


def _read(table: RowTable, one: Field, names: list[str], target: Target | None) -> _Cells:
    if target is not None and target.n_classes is not None:
        return _read_classes(table, names, target)
    found, texts = _Cells(np.empty((0, len(names)))), []
    for k, name in enumerate(names):
        column = table.column(name)
        if is_string(column.values):
            texts.append(name)
            continue
        if k == 0:
            found.values = np.empty((len(column.values), len(names)))
        absent = np.isnan(column.values) if column.values.dtype.kind == "f" else np.zeros(len(column.values), bool)
        absent = absent if column.missing is None else absent | column.missing
        found.values[:, k] = np.where(absent, 0, column.values)
        if absent.any():
            found.missing[k] = absent
    if texts:
        columns = count(len(texts), "column")
        message = (
            f"`{table.shown}` holds text in {columns} of {one.what} `{one.name}`: {listed(f'`{it}`' for it in texts)}"
        )
        help = "units take numbers; only the empty cell is missing, so `NA` is text"
        raise Problem("E288", message, help=help)
    return found


def _read_classes(table: RowTable, names: list[str], target: Target) -> _Cells:
    """Class names as they are written where the vocabulary is of text, else names or numbers."""
    found: list[NDArray] = []
    missing = {}
    for k, name in enumerate(names):
        if target.classes is not None and is_string(target.classes):
            labels = table.labels(name)
            texts = string_array([*labels.names, ""])
            found.append(texts[labels.codes])
            absent = labels.codes < 0
        else:
            column = table.column(name)
            absent = np.zeros(len(column.values), bool) if column.missing is None else column.missing
            found.append(column.values)
        if absent.any():
            missing[k] = absent
    if any(is_string(one) for one in found):
        found = [one if is_string(one) else one.astype(string_array([]).dtype) for one in found]
    return _Cells(np.stack(found, axis=1), missing)


# ------------------------------------------------------------------ missing cells


def _whole_rows(cells: Mapping[str, _Cells], shown: str) -> NDArray[np.bool_]:
    """The rows without a missing cell in any input or target; E287 where there is none."""
    whole = np.ones(len(next(iter(cells.values())).values), bool)
    for it in cells.values():
        for absent in it.missing.values():
            whole &= ~absent
    if len(whole) and not whole.any():
        message = f"every sample of `{shown}` has a missing cell, so `--missing drop` leaves none"
        raise Problem("E287", message, help="fill the cells in, or say `--missing mean` or `--missing zero`")
    return whole


def _kept(plan: Plan, missing: Missing | None) -> frozenset[str]:
    """The inputs whose missing cells stay NaN, for the network to fill."""
    stored = missing in (None, "mean")
    return frozenset(node.name for node in plan.inputs if missing == "keep" or (stored and node.fill is not None))


def _fill(
    cells: Mapping[str, _Cells],
    fields: Mapping[str, Field],
    missing: Missing | None,
    table: RowTable,
    kept: frozenset[str],
) -> list[str]:
    """Fill missing cells of inputs; what is left to the network, in words. E287 where that is not allowed."""
    notes = []
    for name, it in cells.items():
        one = fields[name]
        if it.missing and (one.what == "target" or (missing is None and name not in kept)):
            raise _missing_cells(it, one, missing, table)
        if it.missing and name in kept:
            total = sum(int(absent.sum()) for absent in it.missing.values())
            notes.append(f"{count(total, 'missing cell')} of {table.shown}: means of the training data stand there")
        for place, absent in it.missing.items():
            if name in kept:
                it.values[absent, place] = np.nan
                continue
            if missing == "mean" and absent.all():
                message = f"no sample of `{table.shown}` has a value for `{one.titles([place])[0]}` of input `{name}`"
                raise Problem("E287", message, help="there is no mean of nothing: `--missing zero` puts 0 there")
            it.values[absent, place] = it.values[~absent, place].mean() if missing == "mean" else 0
    return notes


def _missing_cells(it: _Cells, one: Field, missing: Missing | None, table: RowTable) -> Problem:
    total = sum(int(absent.sum()) for absent in it.missing.values())
    n_columns = count(len(it.missing), "column")
    message = f"`{table.shown}` has {count(total, 'missing cell')} in {n_columns} of {one.what} `{one.name}`"
    first = [(int(np.argmax(absent)), place) for place, absent in list(it.missing.items())[:3]]
    where = zip(table.places([row for row, _ in first]), first, strict=True)
    places = [(line, f"`{one.titles([place])[0]}` is empty here") for line, (_, place) in where]
    help = "fill them in, or say `--missing mean`, `--missing zero`, or `--missing drop` (of the samples)"
    if missing is not None:
        policy = "mean" if missing == "keep" else missing
        help = f"targets are never made up, by `--missing {policy}` neither; `--missing drop` leaves the samples out"
    return Problem("E287", message, help=help, places=places)
