"""The default data of an input: one row of values per unit.

Input: an array file, a SciPy sparse file, or a table of numbers or text. Output: a `LoadedArray`. Not for: graphs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, did_you_mean, listed
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import is_string
from graphnn_compiler.topology.readers.arrays import ArrayFile, in_words, open_arrays
from graphnn_compiler.topology.readers.delimited import TextTable, read_delimited
from graphnn_compiler.topology.readers.matrices import densified, sparse_matrix
from graphnn_compiler.topology.readers.options import GraphOptions, LoadedArray, refuse_options
from graphnn_compiler.topology.readers.parquet import ParquetTable, read_parquet
from graphnn_compiler.topology.readers.read import known_format
from graphnn_compiler.topology.readers.table import require_column

KEYS = "keys"
"""The member of an `.npz` file that says which unit each row is."""
KEY = "key"
"""The column of a table that does, unless another is named."""


def read_array(
    path: Path,
    shown: str,
    reader: str | None = None,
    *,
    name: str | None = None,
    key: str | None = None,
    separator: str | None = None,
    encoding: str | None = None,
) -> LoadedArray:
    """The values in a file, for the input or target called `reader`.

    `.npy`, `.npz`: the array called `name`; without a name the one called as the reader is, else the only one (beside
    an optional one called `keys`); a SciPy sparse matrix is made dense. Tables: every column but the key
    column, (n,) if it is one and (n, columns) else, or the one called `name`; `key` names the key column, which is
    otherwise one called `key`. Errors are `Problem`s: E233 where it is unclear which array is meant, E242 where a cell
    is missing, E239 where columns of text and numbers meet.
    """
    kind = known_format(path, shown, (".npy", ".npz", ".csv", ".tsv", ".parquet"))
    if kind in (".csv", ".tsv"):
        return _from_table(read_delimited(path, shown, separator, encoding), name, key)
    text_options = GraphOptions(separator=separator, encoding=encoding)
    refuse_options(text_options, ("separator", "encoding"), shown, "a binary file")
    if kind == ".parquet":
        return _from_table(read_parquet(path, shown), name, key)
    return _from_arrays(open_arrays(path, shown), reader, name, key)


def _from_arrays(file: ArrayFile, reader: str | None, name: str | None, key: str | None) -> LoadedArray:
    files = {file.shown: file.sha256}
    if {"format", "shape", "data"} <= set(file.names):
        return LoadedArray(_numbers(densified(sparse_matrix(file.shown, file.names, file.load))), None, files)
    chosen = _chosen(file, reader, name, key or KEYS)
    values = file.load(chosen)
    if values.ndim not in (1, 2, 3):
        raise Problem(
            "E234",
            f"{in_words(file.shown, chosen)} has {count(values.ndim, 'dimension')}, not one to three",
            help="its shape is (units,) or (units, channels), perhaps with a batch axis in front",
            places=[(DataPlace(file.shown), f"its shape is {values.shape}")],
        )
    key_name = key or KEYS
    keys = _row_keys(file, key_name, len(values)) if key_name in file.names and key_name != chosen else None
    return LoadedArray(_numbers(values), keys, files)


def _chosen(file: ArrayFile, reader: str | None, name: str | None, key: str) -> str:
    wanted = name or reader
    if wanted is not None and wanted in file.names:
        return wanted
    candidates = [other for other in file.names if other != key] or list(file.names)
    if len(candidates) == 1 and (name is None or candidates == [""]):
        return candidates[0]
    if not candidates:
        raise Problem("E233", f"`{file.shown}` holds no array", places=[(DataPlace(file.shown), "this file")])
    found = listed((f"`{other}`" for other in candidates), 10)
    raise Problem(
        "E233",
        f"`{file.shown}` holds {count(len(candidates), 'array')}, "
        + (f"none of them called `{wanted}`" if wanted else "and it is unclear which is meant"),
        help=did_you_mean(wanted or "", candidates, f"name one of them with `name =`: {found}"),
        places=[(DataPlace(file.shown), f"it holds {found}")],
    )


def _row_keys(file: ArrayFile, name: str, n_rows: int) -> NDArray:
    keys = file.load(name)
    if keys.shape != (n_rows,) or not (is_string(keys) or keys.dtype.kind == "i"):
        raise Problem(
            "E234",
            f"the array `{name}` of `{file.shown}` is no list of {n_rows:,} keys",
            help="it holds one integer or text per row of the values",
            places=[(DataPlace(file.shown), f"its shape is {keys.shape}, its type {keys.dtype}")],
        )
    return keys


def _numbers(values: NDArray) -> NDArray:
    return values.astype(np.int64) if values.dtype.kind == "b" else values


def _from_table(table: TextTable | ParquetTable, name: str | None, key: str | None) -> LoadedArray:
    for option, column in (("name", name), ("key", key)):
        if column is not None:
            require_column(table, column, option)
    key_name = key or (KEY if KEY in table.names else None)
    keys = None
    if key_name is not None:
        distinct, (codes,) = table.keys([key_name], None)
        keys = distinct[codes]
    names = [name] if name is not None else [column for column in table.names if column != key_name]
    if not names:
        raise Problem(
            "E233",
            f"`{table.shown}` has no column but the key",
            help="add a column of values",
            places=[(table.places([-1])[0], "the header names the columns")],
        )
    arrays = [_filled(table, column) for column in names]
    files = {table.shown: table.sha256}
    if len(arrays) == 1:
        return LoadedArray(arrays[0], keys, files)
    text = [column for column, array in zip(names, arrays, strict=True) if is_string(array)]
    if text and len(text) < len(names):
        raise Problem(
            "E239",
            f"`{table.shown}` has columns of text beside columns of numbers: {listed((f'`{n}`' for n in text), 3)}",
            help="name the key column with `key =`, or leave the columns of text out",
            places=[(table.places([-1])[0], "the header names the columns")],
        )
    return LoadedArray(np.stack(arrays, axis=1), keys, files)


def _filled(table: TextTable | ParquetTable, name: str) -> NDArray:
    column = table.column(name)
    if column.missing is not None:
        rows = np.flatnonzero(column.missing)
        raise Problem(
            "E242",
            f"the column `{name}` of `{table.shown}` has {count(len(rows), 'empty cell')}, and an input has a value "
            "for every unit",
            help="fill the cells, or leave the rows out",
            places=[(place, f"`{name}` is empty here") for place in table.places(rows[:3].tolist())],
        )
    return _numbers(column.values)
