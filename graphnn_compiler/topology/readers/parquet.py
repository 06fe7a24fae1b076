"""Parquet files as tables, each column as the file types it.

Input: a `.parquet` file. Output: a `ParquetTable`. Columns are read one at a time, when they are asked for. Not for:
what the columns mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, listed, size_text
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import STRING, Column, Positions, Relations
from graphnn_compiler.topology.interning import decimal_keys, intern, ranked_relations, relations_of
from graphnn_compiler.topology.readers.arrays import MAX_BYTES
from graphnn_compiler.topology.readers.arrow_cells import flags, joined, joined_columns
from graphnn_compiler.topology.readers.files import fingerprint, opened
from graphnn_compiler.topology.readers.options import KeyType
from graphnn_compiler.topology.readers.table import not_integers

_BROKEN = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, ValueError)


@dataclass(frozen=True, eq=False)
class ParquetTable:
    """Named columns; nulls and empty texts are missing. Rows have no lines, so every place is the file."""

    path: Path
    shown: str
    sha256: str
    names: tuple[str, ...]

    def places(self, rows: Sequence[int]) -> list[DataPlace]:
        """The file, once per row."""
        return [DataPlace(self.shown)] * len(rows)

    def column(self, name: str) -> Column:
        """An attribute: int64, float64, bool or string, as the file types it."""
        cells, missing = self._read(name)
        if _is_text(cells.type):
            texts, codes = joined(cells)
            return Column(texts[codes], missing)
        return Column(_numbers(cells), missing)

    def labels(self, name: str) -> Relations:
        """The distinct values as relations, in order of first appearance; a missing one is -1."""
        cells, missing = self._read(name)
        if _is_text(cells.type):
            texts, codes = joined(cells)
            return ranked_relations(codes.astype(np.int64), texts, missing)
        return relations_of(Column(_numbers(cells), missing))

    def keys(self, names: Sequence[str], key_type: KeyType | None) -> tuple[NDArray, list[Positions]]:
        """The distinct keys over the named columns, and each column's codes. The columns' own types decide whether
        they are integers, unless `key_type` does."""
        columns = [self._key_column(name) for name in names]
        if len({_is_text(cells.type) for cells in columns}) > 1:
            raise self._refuse_keys(
                f"the keys of `{self.shown}` are integers in one column and text in another: "
                + listed(f"`{name}`" for name in names),
                "use one type for both ends",
            )
        if not _is_text(columns[0].type):
            distinct, codes = intern([_numbers(cells) for cells in columns])
            return (distinct.astype(STRING) if key_type == "string" else distinct), codes
        distinct, codes = joined_columns(columns)
        return (self._as_integers(distinct) if key_type == "int" else distinct), codes

    def _as_integers(self, texts: NDArray) -> NDArray[np.int64]:
        integers = decimal_keys(texts.tolist())
        if integers is None:
            wrong = [text for text in texts.tolist() if decimal_keys([text]) is None]
            raise not_integers(self.shown, wrong[:3], len(wrong), self.places([0]))
        return integers

    def _key_column(self, name: str) -> Any:
        cells, missing = self._read(name)
        if missing is not None and missing.any():
            raise Problem(
                "E212",
                f"the key column `{name}` of `{self.shown}` has {count(int(missing.sum()), 'empty cell')}",
                help="give each of these rows a key, or remove it",
                places=[(DataPlace(self.shown), f"the first is row {int(np.argmax(missing)):,}, counted from 0")],
            )
        if not _is_text(cells.type) and not pa.types.is_integer(cells.type):
            raise self._refuse_keys(
                f"the keys in `{name}` of `{self.shown}` are of type `{cells.type}`", "keys are integers or text"
            )
        return cells

    def _refuse_keys(self, message: str, help: str) -> Problem:
        return Problem("E219", message, help=help, places=[(DataPlace(self.shown), "this file")])

    def _read(self, name: str) -> tuple[Any, NDArray[np.bool_] | None]:
        """A column as integers, reals, booleans or dictionary texts, and what is missing of it."""
        with opened(self.path, self.shown) as stream, _readable(self.shown):
            cells = pq.ParquetFile(stream).read([name], use_threads=False).column(0)
            cells = _plain(cells, name, self.shown)
        gone = pc.is_null(cells)
        if _is_text(cells.type):
            gone = pc.or_(gone, pc.fill_null(pc.equal(pc.cast(cells, pa.string()), ""), False))
            cells = pc.fill_null(pc.cast(cells, pa.string()), "").dictionary_encode()
        missing = flags(gone)
        return cells, missing if missing.any() else None


@contextmanager
def _readable(shown: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as failure:
        raise Problem(
            "E264",
            f"`{shown}` is no Parquet file, or is damaged",
            help="write the file again, or fetch it again",
            notes=[str(failure).splitlines()[0][:200] if str(failure) else type(failure).__name__],
            places=[(DataPlace(shown), "this file")],
        ) from None


def _is_text(dtype: Any) -> bool:
    return bool(pa.types.is_dictionary(dtype) or pa.types.is_string(dtype))


def _plain(cells: Any, name: str, shown: str) -> Any:
    """The cells in one of four types; E265 for a column of any other, E239 for integers beyond 64 bits."""
    dtype = cells.type
    if pa.types.is_dictionary(dtype):
        dtype = dtype.value_type
        cells = pc.cast(cells, dtype)
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return pc.cast(cells, pa.string())
    if pa.types.is_uint64(dtype) and (pc.max(cells).as_py() or 0) >= 2**63:
        raise Problem(
            "E239",
            f"the column `{name}` of `{shown}` holds integers beyond 64-bit signed integers",
            help="use smaller numbers, reals or text",
            places=[(DataPlace(shown), "this column")],
        )
    if pa.types.is_integer(dtype):
        return pc.cast(cells, pa.int64())
    if pa.types.is_floating(dtype) or pa.types.is_null(dtype):
        return pc.cast(cells, pa.float64())
    if pa.types.is_boolean(dtype):
        return cells
    raise Problem(
        "E265",
        f"the column `{name}` of `{shown}` is of type `{dtype}`, which no column of a graph can hold",
        help="write it as integers, reals, booleans or text, or leave it out",
        places=[(DataPlace(shown), "this column")],
    )


def _numbers(cells: Any) -> NDArray:
    filled = pc.fill_null(cells, pa.scalar(False if pa.types.is_boolean(cells.type) else 0, cells.type))
    return flags(filled) if pa.types.is_boolean(cells.type) else np.asarray(filled.to_numpy())


def read_parquet(path: Path, shown: str) -> ParquetTable:
    """The table in a `.parquet` file; E201, E202, E207, E232, E264 say what is wrong with a file that is none."""
    digest = fingerprint(path, shown)
    with opened(path, shown) as stream, _readable(shown):
        file = pq.ParquetFile(stream)
        metadata, names = file.metadata, list(file.schema_arrow.names)
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise Problem(
            "E207",
            f"`{shown}` has two columns called `{twice[0]}`",
            help="give every column a name of its own",
            places=[(DataPlace(shown), "this file")],
        )
    groups = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
    n_bytes = max(sum(groups), 8 * metadata.num_rows)
    if n_bytes > MAX_BYTES:
        raise Problem(
            "E232",
            f"`{shown}` is too large: {metadata.num_rows:,} rows, {size_text(n_bytes)}",
            help="make it smaller",
            places=[(DataPlace(shown), "this file")],
        )
    return ParquetTable(path, shown, digest.sha256, tuple(names))
