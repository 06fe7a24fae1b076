"""Comma- and tab-separated files, read in batches of typed columns.

Input: a `.csv` or `.tsv` file with a header, perhaps packed by gzip. Output: a `TextTable`. Arrow parses; no Python
object is made per row, and at no time is the text of the whole file in memory. Not for: what the columns mean.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Column, Relations
from graphnn_compiler.topology.interning import Codes, decimal, ranked_relations
from graphnn_compiler.topology.readers.arrow_cells import Cells, CellsBuilder, Kind, integer_keys, text_keys
from graphnn_compiler.topology.readers.files import Fingerprint, require_text
from graphnn_compiler.topology.readers.options import KeyType
from graphnn_compiler.topology.readers.rescan import encoding_problem, nul_problem, places_of_rows, shape_problem
from graphnn_compiler.topology.readers.table import first_repeated, not_integers
from graphnn_compiler.topology.readers.text_files import TextFile, format_of, text_file
from graphnn_compiler.topology.readers.texts import Texts

SEPARATORS = MappingProxyType({".csv": ",", ".tsv": "\t"})
"""What separates the cells of a file, by its extension, unless `separator =` says otherwise."""
_OTHER_SEPARATORS = (";", "\t", "|")
_BLOCK = 1 << 20
_ROWS = 64
"""A block holds at least so many rows that are as long as the header."""


class TextTable:
    """A delimited file: named columns; the empty cell, and only it, is missing.

    All columns are read at once, those of `together` into the same texts, and each is handed out once: asking again
    reads again.
    """

    def __init__(
        self, file: TextFile, delimiter: str, found: Fingerprint, names: tuple[str, ...], together: Sequence[str]
    ) -> None:
        self.file = file
        self.delimiter = delimiter
        self.sha256 = found.sha256
        self.names = names
        self._found = found
        self._cells: dict[str, Cells] = {}
        self._read(dict.fromkeys(names), together)

    @property
    def shown(self) -> str:
        return self.file.shown

    def places(self, rows: Sequence[int]) -> list[DataPlace]:
        """The lines of the given rows; row -1 is the header. Reads the file again."""
        return places_of_rows(self.file, self.delimiter, rows)

    def column(self, name: str) -> Column:
        """An attribute: int64 if all cells are decimal integers, else float64, bool (true, false), or string."""
        pa.default_memory_pool().release_unused()  # the texts of keys, which may be large, are codes by now
        return self._taken(name).column()

    def labels(self, name: str) -> Relations:
        """The column's distinct texts as relations, in order of first appearance; an empty cell is -1."""
        cells = self._as_written(name, self._taken(name))
        texts, (codes,) = text_keys([cells])
        return ranked_relations(codes.astype(np.int64), texts, cells.missing)

    def keys(self, names: Sequence[str], key_type: KeyType | None) -> tuple[NDArray, list[Codes]]:
        """The distinct keys over the named columns, and each column's codes.

        int64 if every cell is the decimal text of its value, or `key_type` says so; else strings. E212 where a key
        is missing, E213 where `key_type` is "int" and a cell is no integer.
        """
        columns = [self._taken(name) for name in names]
        for name, cells in zip(names, columns, strict=True):
            self._require_filled(name, cells)
        if key_type != "string" and all(cells.kind in ("int", None) for cells in columns):
            return integer_keys(columns)
        columns = [self._as_written(name, cells) for name, cells in zip(names, columns, strict=True)]
        texts, codes = text_keys(columns)
        if key_type == "int":
            self._refuse_text_keys(texts, codes)
        return texts, codes

    def _taken(self, name: str) -> Cells:
        if name not in self._cells:
            self._read({name: None})
        return self._cells.pop(name)

    def _as_written(self, name: str, cells: Cells) -> Cells:
        """The cells with their texts still known: `1.50` is not the text of 1.5."""
        if cells.kind not in ("float", "bool"):
            return cells
        self._read({name: "text"})
        return self._taken(name)

    def _read(self, kinds: dict[str, Kind | None], together: Sequence[str] = ()) -> None:
        shared = Texts()
        while kinds:
            builders = {
                name: CellsBuilder(kind, shared if name in together else Texts()) for name, kind in kinds.items()
            }
            for batch in _batches(self.file, self.delimiter, self.names, builders, self._found):
                for name, builder in builders.items():
                    builder.add(batch.column(name))
            self._cells |= {name: builder.finished() for name, builder in builders.items() if not builder.retyped}
            kinds = {name: "text" for name, builder in builders.items() if builder.retyped}
        pa.default_memory_pool().release_unused()

    def _require_filled(self, name: str, cells: Cells) -> None:
        empty = np.flatnonzero(cells.missing) if cells.missing is not None else ()
        if len(empty) == 0:
            return
        raise Problem(
            "E212",
            f"the key column `{name}` of `{self.shown}` has {count(len(empty), 'empty cell')}",
            help="give each of these rows a key, or remove it",
            places=[(place, f"`{name}` is empty here") for place in self.places([int(row) for row in empty[:3]])],
        )

    def _refuse_text_keys(self, texts: NDArray, columns: Sequence[NDArray]) -> None:
        """E213 for the texts of these codes that are no integers, some of which there are."""
        wrong = np.array([decimal(str(text)) is None for text in texts], dtype=bool)
        found = sorted((int(row), str(texts[codes[row]])) for codes in columns for row in np.flatnonzero(wrong[codes]))
        first = [text for _, text in found[:3]]
        raise not_integers(self.shown, first, len(found), self.places([row for row, _ in found[:3]]))


def _header(file: TextFile, delimiter: str) -> list[str]:
    shown = file.shown
    with file.text(errors="strict") as text:
        try:
            names = next((cells for cells in csv.reader(text, delimiter=delimiter) if cells), [])
        except (csv.Error, UnicodeDecodeError):
            raise _explained(file, delimiter) or _unreadable(shown, "the header is too long") from None
    if not names:
        raise Problem("E206", f"`{shown}` is empty", help="the first line names the columns")
    twice = first_repeated(names)
    if twice is not None:
        raise Problem(
            "E207",
            f"the header of `{shown}` names `{twice}` twice",
            help="give every column a name of its own",
            places=[(places_of_rows(file, delimiter, [-1])[0], "the header names the columns")],
        )
    return names


def _explained(file: TextFile, delimiter: str) -> Problem | None:
    return encoding_problem(file) or shape_problem(file, delimiter)


def _unreadable(shown: str, reason: str) -> Problem:
    return Problem("E209", f"`{shown}` cannot be read as a table: {reason}", places=[(DataPlace(shown), "this file")])


def _require_closed_quotes(file: TextFile, delimiter: str, found: Fingerprint, last: str) -> None:
    """Arrow takes a quote that is never closed as one long last cell, so whatever looks like one is looked at again."""
    if found.quotes % 2 == 0 and "\n" not in last and "\r" not in last:
        return
    problem = shape_problem(file, delimiter)
    if problem is not None:
        raise problem


def _batches(
    file: TextFile, delimiter: str, names: Sequence[str], wanted: Iterable[str], found: Fingerprint
) -> Iterator[Any]:
    """The rows of a file, some at a time, with the wanted columns as text."""
    block = max(_BLOCK, _ROWS * sum(len(name) + 1 for name in names))
    try:
        with file.open() as stream:
            reader = pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(block_size=block, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=False,
                    include_columns=list(wanted),
                ),
            )
            last = ""
            for batch in reader:
                last = batch.column(-1)[-1].as_py() if len(batch) else last
                yield batch
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as failure:
        problem = _explained(file, delimiter)
        reason = str(failure).splitlines()[0]
        if problem is None and "Empty CSV" in reason:
            # Arrow refuses a header without a line end; to us that is a table without rows.
            return
        if isinstance(failure, pa.ArrowKeyError):
            reason = "the quoting of its header is broken"
        raise problem or _unreadable(file.shown, reason) from None
    _require_closed_quotes(file, delimiter, found, last)


def _require_separated(shown: str, names: Sequence[str]) -> None:
    """Raise E245 for a header that is one column, if another separator would make several of it."""
    likely = [separator for separator in _OTHER_SEPARATORS if separator in names[0]] if len(names) == 1 else []
    if not likely:
        return
    written = "\\t" if likely[0] == "\t" else likely[0]
    raise Problem(
        "E245",
        f"the header of `{shown}` is one column, whose cells seem to be separated by `{written}`, not by a comma",
        help=f'write `separator = "{written}"`; for a single column of that name, `separator = ","`',
        places=[(DataPlace(shown), "the header names the columns")],
    )


def separator_of(path: Path, shown: str, given: str | None) -> str:
    """What separates the cells of a file; E218 and E246 where `separator =` cannot be heeded."""
    kind = format_of(path)
    if given is None:
        return SEPARATORS[kind]
    if kind != ".csv":
        raise Problem(
            "E218",
            "`separator =` does not apply to a table separated by tabs",
            help="remove 1 option",
            places=[(DataPlace(shown), "this is a table separated by tabs")],
        )
    if len(given) != 1 or given in '"\r\n\0' or not given.isascii():
        raise Problem(
            "E246",
            f"`separator =` cannot be `{given!r}`",
            help='it is one character, as in `separator = ";"`',
            places=[(DataPlace(shown), "separated by it")],
        )
    return given


def read_delimited(
    path: Path, shown: str, separator: str | None = None, encoding: str | None = None, together: Sequence[str] = ()
) -> TextTable:
    """The table in a `.csv` or `.tsv` file; E201 .. E209, E245 .. E248 say what is wrong with it.

    `together` are columns whose keys will be asked for at once; they need not be there.
    """
    delimiter = separator_of(path, shown, separator)
    file = text_file(path, shown, encoding)
    found = file.fingerprint()
    require_text(found, shown, "a table of text")
    if found.has_nul:
        raise encoding_problem(file) or nul_problem(file)
    names = _header(file, delimiter)
    if separator is None:
        _require_separated(shown, names)
    return TextTable(file, delimiter, found, tuple(names), together)
