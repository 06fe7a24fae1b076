"""Parquet files as tables, each column as the file types it.

Input: a `.parquet` file. Output: a `ParquetTable`. Columns are read when they are asked for, some
rows at a time. Not for:
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
from graphnn_compiler.topology.graph import STRING, Column, Relations
from graphnn_compiler.topology.growing import GrowingArray
from graphnn_compiler.topology.interning import Codes, decimal_keys
from graphnn_compiler.topology.readers.arrays import MAX_BYTES
from graphnn_compiler.topology.readers.arrow_cells import DTYPES, Cells, Kind, Missing, flags, integer_keys, text_keys
from graphnn_compiler.topology.readers.files import fingerprint, opened
from graphnn_compiler.topology.readers.options import KeyType
from graphnn_compiler.topology.readers.table import first_repeated, not_integers
from graphnn_compiler.topology.readers.texts import BATCH, Texts

_BUFFER = 1 << 20
"""Bytes of a column that are read ahead."""
_BROKEN = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, ValueError)


@dataclass(frozen=True, eq=False)
class ParquetTable:
    """Named columns; nulls and empty texts are missing. Rows have no lines, so every place is the file."""

    path: Path
    shown: str
    sha256: str
    names: tuple[str, ...]
    types: tuple[Any, ...]
    """The Arrow type of each column."""

    def places(self, rows: Sequence[int]) -> list[DataPlace]:
        """The file, once per row."""
        return [DataPlace(self.shown)] * len(rows)

    def column(self, name: str) -> Column:
        """An attribute: int64, float64, bool or string, as the file types it."""
        return self._read([name])[0].column()

    def labels(self, name: str) -> Relations:
        """The distinct values as relations, in order of first appearance; a missing one is -1."""
        return self._read([name])[0].relations()

    def keys(self, names: Sequence[str], key_type: KeyType | None) -> tuple[NDArray, list[Codes]]:
        """The distinct keys over the named columns, and each column's codes. The columns' own types decide whether
        they are integers, unless `key_type` does."""
        columns = self._read(list(dict.fromkeys(names)))
        columns = [columns[names.index(name)] for name in names]
        for name, cells in zip(names, columns, strict=True):
            self._require_keys(name, cells)
        if len({cells.kind for cells in columns}) > 1:
            raise self._refuse_keys(
                f"the keys of `{self.shown}` are integers in one column and text in another: "
                + listed(f"`{name}`" for name in names),
                "use one type for both ends",
            )
        if columns[0].kind == "int":
            distinct, codes = integer_keys(columns)
            return (distinct.astype(STRING) if key_type == "string" else distinct), codes
        distinct, codes = text_keys(columns)
        return (self._as_integers(distinct) if key_type == "int" else distinct), codes

    def _as_integers(self, texts: NDArray) -> NDArray[np.int64]:
        integers = decimal_keys(texts.tolist())
        if integers is None:
            wrong = [text for text in texts.tolist() if decimal_keys([text]) is None]
            raise not_integers(self.shown, wrong[:3], len(wrong), self.places([0]))
        return integers

    def _require_keys(self, name: str, cells: Cells) -> None:
        if cells.missing is not None:
            raise Problem(
                "E212",
                f"the key column `{name}` of `{self.shown}` has {count(int(cells.missing.sum()), 'empty cell')}",
                help="give each of these rows a key, or remove it",
                places=[(DataPlace(self.shown), f"the first is row {int(np.argmax(cells.missing)):,}, counted from 0")],
            )
        if cells.kind not in ("int", "text"):
            written = self.types[self.names.index(name)]
            raise self._refuse_keys(
                f"the keys in `{name}` of `{self.shown}` are of type `{written}`", "keys are integers or text"
            )

    def _refuse_keys(self, message: str, help: str) -> Problem:
        return Problem("E219", message, help=help, places=[(DataPlace(self.shown), "this file")])

    def _read(self, names: list[str]) -> list[Cells]:
        """Columns, some rows at a time; E239, E264, E265. Columns of text that are read together share their texts."""
        texts = Texts()
        builders = [_Builder(self, name, texts) for name in names]
        with opened(self.path, self.shown) as stream, _readable(self.shown):
            file = pq.ParquetFile(stream, buffer_size=_BUFFER)
            for batch in file.iter_batches(BATCH, columns=names, use_threads=False):
                for name, builder in zip(names, builders, strict=True):
                    builder.add(batch.column(name))
        pa.default_memory_pool().release_unused()
        return [builder.finished() for builder in builders]


class _Builder:
    """One column of a table that is read in batches."""

    def __init__(self, table: ParquetTable, name: str, texts: Texts) -> None:
        self._name, self._shown = name, table.shown
        self._kind = _kind_of(table.types[table.names.index(name)], name, table.shown)
        self._texts = texts if self._kind == "text" else None
        self._values = texts.column() if self._kind == "text" else GrowingArray(DTYPES[self._kind])
        self._missing = Missing()

    def add(self, cells: Any) -> None:
        """Take in the next cells."""
        if pa.types.is_dictionary(cells.type):
            cells = cells.dictionary_decode()
        if isinstance(self._values, GrowingArray):
            gone = pc.is_null(cells)
            self._values.append(self._numbers(cells))
        else:
            cells = pc.fill_null(pc.cast(cells, pa.string()), "")
            cells.validate(full=True)  # the file may hold bytes that are no UTF-8
            gone = pc.equal(cells, "")
            self._values.append(cells)
        self._missing.add(flags(gone) if pc.any(gone).as_py() else None, len(cells))

    def _numbers(self, cells: Any) -> NDArray:
        if pa.types.is_uint64(cells.type) and (pc.max(cells).as_py() or 0) >= 2**63:
            raise Problem(
                "E239",
                f"the column `{self._name}` of `{self._shown}` holds integers beyond 64-bit signed integers",
                help="use smaller numbers, reals or text",
                places=[(DataPlace(self._shown), "this column")],
            )
        if pa.types.is_boolean(cells.type):
            return flags(pc.fill_null(cells, False))
        cells = pc.cast(cells, pa.int64() if self._kind == "int" else pa.float64())
        return np.asarray(pc.fill_null(cells, 0).to_numpy())

    def finished(self) -> Cells:
        """The whole column."""
        return Cells(self._kind, self._values.finished(), self._missing.whole(), self._texts)


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


def _kind_of(dtype: Any, name: str, shown: str) -> Kind:
    """What a column holds, by its type in the file; E265 for what no column of a graph can hold."""
    if pa.types.is_dictionary(dtype):
        dtype = dtype.value_type
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return "text"
    if pa.types.is_integer(dtype):
        return "int"
    if pa.types.is_floating(dtype) or pa.types.is_null(dtype):
        return "float"
    if pa.types.is_boolean(dtype):
        return "bool"
    raise Problem(
        "E265",
        f"the column `{name}` of `{shown}` is of type `{dtype}`, which no column of a graph can hold",
        help="write it as integers, reals, booleans or text, or leave it out",
        places=[(DataPlace(shown), "this column")],
    )


def read_parquet(path: Path, shown: str) -> ParquetTable:
    """The table in a `.parquet` file; E201, E202, E207, E232, E264 say what is wrong with a file that is none."""
    digest = fingerprint(path, shown)
    with opened(path, shown) as stream, _readable(shown):
        file = pq.ParquetFile(stream)
        metadata, schema = file.metadata, file.schema_arrow
    names = list(schema.names)
    twice = first_repeated(names)
    if twice is not None:
        raise Problem(
            "E207",
            f"`{shown}` has two columns called `{twice}`",
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
    return ParquetTable(path, shown, digest.sha256, tuple(names), tuple(schema.types))
