"""Comma- and tab-separated files, as text columns that are typed on demand.

Input: a `.csv` or `.tsv` file with a header, UTF-8. Output: a `TextTable`. All cells are read as text by Arrow and
typed, interned and checked column by column, so that no Python object is made per row. Not for: what the columns
mean. The only import site of pyarrow.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import STRING, Column, Positions, Relations
from graphnn_compiler.topology.interning import decimal, intern, ranked_relations
from graphnn_compiler.topology.readers.files import Fingerprint, fingerprint, require_text
from graphnn_compiler.topology.readers.options import KeyType
from graphnn_compiler.topology.readers.rescan import encoding_problem, nul_problem, places_of_rows, shape_problem
from graphnn_compiler.topology.readers.table import not_integers

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_BLOCK = 16 << 20
_BATCH = 1 << 16
# A number with a leading zero ("007") is a name; `nan(..)` is an oddity of the C parser.
_NO_NUMBER = r"^[+-]?0[0-9]|\("


@dataclass(frozen=True, eq=False)
class TextTable:
    """A delimited file: named columns of text; the empty cell, and only it, is missing."""

    path: Path
    shown: str
    delimiter: str
    sha256: str
    names: tuple[str, ...]
    cells: tuple[Any, ...]
    """One Arrow chunked array of strings per name."""

    def __len__(self) -> int:
        return len(self.cells[0])

    def places(self, rows: Sequence[int]) -> list[DataPlace]:
        """The lines of the given rows; row -1 is the header. Reads the file again."""
        return places_of_rows(self.path, self.shown, self.delimiter, rows)

    def text(self, name: str) -> Any:
        """The Arrow column of a name."""
        return self.cells[self.names.index(name)]

    def column(self, name: str) -> Column:
        """An attribute: int64 if all cells are decimal integers, else float64, bool (true, false), or string."""
        return _typed(self.text(name))

    def labels(self, name: str) -> Relations:
        """The column's distinct texts as relations, in order of first appearance; an empty cell is -1."""
        texts, codes = _dictionary(self.text(name))
        missing = _flags(pc.equal(self.text(name), ""))
        return ranked_relations(codes.astype(np.int64), texts, missing if missing.any() else None)

    def keys(self, names: Sequence[str], key_type: KeyType | None) -> tuple[NDArray, list[Positions]]:
        """The distinct keys over the named columns, and each column's codes.

        int64 if every cell is the decimal text of its value, or `key_type` says so; else strings. E212 where a key
        is missing, E213 where `key_type` is "int" and a cell is no integer.
        """
        columns = [self.text(name) for name in names]
        for name, cells in zip(names, columns, strict=True):
            self._require_filled(name, cells)
        if key_type != "string":
            integers = [_decimal_integers(cells) for cells in columns]
            if all(array is not None for array in integers):
                return intern([array for array in integers if array is not None])
        if key_type == "int":
            self._refuse_text_keys(columns)
        texts, codes = _dictionary(pa.chunked_array([chunk for c in columns for chunk in c.chunks], type=pa.string()))
        ends = np.cumsum([len(cells) for cells in columns])[:-1]
        return texts, np.split(codes.astype(np.int64), ends)

    def _require_filled(self, name: str, cells: Any) -> None:
        empty = np.flatnonzero(_flags(pc.equal(cells, "")))
        if len(empty) == 0:
            return
        raise Problem(
            "E212",
            f"the key column `{name}` of `{self.shown}` has {count(len(empty), 'empty cell')}",
            help="give each of these rows a key, or remove it",
            places=[(place, f"`{name}` is empty here") for place in self.places(empty[:3].tolist())],
        )

    def _refuse_text_keys(self, columns: Sequence[Any]) -> None:
        found: list[tuple[int, str]] = []
        for cells in columns:
            texts, codes = _dictionary(cells)
            wrong = np.array([decimal(str(text)) is None for text in texts], dtype=bool)
            found += [(int(row), str(texts[codes[row]])) for row in np.flatnonzero(wrong[codes])]
        found.sort()
        first = [text for _, text in found[:3]]
        raise not_integers(self.shown, first, len(found), self.places([row for row, _ in found[:3]]))


def _flags(array: Any) -> NDArray[np.bool_]:
    return np.asarray(array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy())


def _strings(array: Any) -> NDArray:
    """An Arrow string array as variable-width strings, through at most `_BATCH` Python objects at a time."""
    out = np.empty(len(array), dtype=STRING)
    for start in range(0, len(array), _BATCH):
        out[start : start + _BATCH] = array.slice(start, _BATCH).to_pylist()
    return out


def _dictionary(cells: Any) -> tuple[NDArray, NDArray[np.int32]]:
    """The distinct texts of a chunked column in order of first appearance, and the code of every cell."""
    encoded = cells.dictionary_encode().unify_dictionaries()
    if encoded.num_chunks == 0:
        return np.empty(0, dtype=STRING), np.empty(0, dtype=np.int32)
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
    return _strings(encoded.chunk(encoded.num_chunks - 1).dictionary), codes


def _cast(cells: Any, to: Any) -> Any | None:
    try:
        return pc.cast(cells, to)
    except pa.ArrowInvalid:
        return None


def _decimal_integers(cells: Any) -> NDArray[np.int64] | None:
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
    return _flags(pc.fill_null(pc.equal(lower, "true"), False))


def _typed(cells: Any) -> Column:
    empty = pc.equal(cells, "")
    missing = _flags(empty)
    if missing.all():
        return Column(np.zeros(len(missing)), missing if len(missing) else None)
    mask = missing if missing.any() else None
    filled = cells if mask is None else pc.if_else(empty, pa.scalar(None, pa.string()), cells)
    for parse in (_decimal_integers, _floats, _booleans):
        values = parse(filled)
        if values is not None:
            return Column(values, mask)
    texts, codes = _dictionary(cells)
    return Column(texts[codes], mask)


def _header(path: Path, shown: str, delimiter: str) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        try:
            names = next((cells for cells in csv.reader(stream, delimiter=delimiter) if cells), [])
        except (csv.Error, UnicodeDecodeError):
            raise _explained(path, shown, delimiter) or _unreadable(shown, "the header is too long") from None
    if not names:
        raise Problem("E206", f"`{shown}` is empty", help="the first line names the columns")
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise Problem(
            "E207",
            f"the header of `{shown}` names `{twice[0]}` twice",
            help="give every column a name of its own",
            places=[(places_of_rows(path, shown, delimiter, [-1])[0], "the header names the columns")],
        )
    return names


def _explained(path: Path, shown: str, delimiter: str) -> Problem | None:
    return encoding_problem(path, shown) or shape_problem(path, shown, delimiter)


def _unreadable(shown: str, reason: str) -> Problem:
    return Problem("E209", f"`{shown}` cannot be read as a table: {reason}", places=[(DataPlace(shown), "this file")])


def _require_closed_quotes(path: Path, shown: str, delimiter: str, found: Fingerprint, last: str) -> None:
    """Arrow takes a quote that is never closed as one long last cell, so whatever looks like one is looked at again."""
    if found.quotes % 2 == 0 and "\n" not in last and "\r" not in last:
        return
    problem = shape_problem(path, shown, delimiter)
    if problem is not None:
        raise problem


def _arrow_cells(path: Path, shown: str, delimiter: str, names: list[str]) -> tuple[Any, ...]:
    try:
        table = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(block_size=_BLOCK),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as failure:
        problem = _explained(path, shown, delimiter)
        reason = str(failure).splitlines()[0]
        if problem is None and "Empty CSV" in reason:
            # Arrow refuses a header without a line end; to us that is a table without rows.
            return tuple(pa.chunked_array([], type=pa.string()) for _ in names)
        raise problem or _unreadable(shown, reason) from None
    if table.column_names != names:
        raise _unreadable(shown, "the quoting of its header is broken")
    return tuple(table.columns)


def read_delimited(path: Path, shown: str) -> TextTable:
    """The table in a `.csv` or `.tsv` file; E201 .. E209 say what is wrong with a file that is none."""
    delimiter = _SEPARATORS[path.suffix.lower()]
    found = fingerprint(path, shown)
    require_text(found, shown, "a table of text")
    if found.has_nul:
        raise encoding_problem(path, shown) or nul_problem(path, shown)
    names = _header(path, shown, delimiter)
    cells = _arrow_cells(path, shown, delimiter, names)
    last = cells[-1][-1].as_py() if len(cells[-1]) else ""
    _require_closed_quotes(path, shown, delimiter, found, last)
    return TextTable(path, shown, delimiter, found.sha256, tuple(names), cells)
