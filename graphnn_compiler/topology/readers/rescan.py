"""Finding lines in a delimited text file, once it is known that something is wrong with it.

The fast reader knows row numbers but no lines. Input: the file again. Output: the `DataPlace` of given rows, or the
`Problem` that says why the file cannot be read. Slow and obvious; only ever run to explain an error.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from typing import BinaryIO

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.readers.text_files import ENCODINGS, UTF8, TextFile


def _records(file: TextFile, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The first line and the cells of every record, the header being the first; blank lines are no records."""
    with file.text() as stream:
        records = csv.reader(stream, delimiter=delimiter)
        line = 1
        for cells in records:
            if cells:
                yield line, cells
            line = records.line_num + 1


def places_of_rows(file: TextFile, delimiter: str, rows: Sequence[int]) -> list[DataPlace]:
    """Where the given rows (0-based, the header not counted) of a readable file begin, in the order given."""
    wanted = set(rows)
    lines: dict[int, int] = {}
    try:
        for record, (line, _) in enumerate(_records(file, delimiter)):
            if record - 1 in wanted:
                lines[record - 1] = line
            if len(lines) == len(wanted):
                break
    except (OSError, csv.Error):
        # A cell above the csv module's limit: an error without its line is better than none.
        lines.clear()
    return [DataPlace(file.shown, lines.get(row)) for row in rows]


def encoding_problem(file: TextFile) -> Problem | None:
    """E204 at the first line that is not UTF-8, for a file that is said to be."""
    if file.encoding != UTF8:
        return None
    others = " or ".join(f'`"{name}"`' for name in ENCODINGS if name != UTF8)
    with file.unpacked() as stream:
        for number, line in _lines(stream):
            try:
                line.decode(UTF8)
            except UnicodeDecodeError as failure:
                place = DataPlace(file.shown, number)
                byte = line[failure.start]
                return Problem(
                    "E204",
                    f"`{file.shown}` is not UTF-8 text",
                    help=f"save the file as UTF-8, or name what it is with `encoding =`: {others}",
                    places=[(place, f"the byte 0x{byte:02X} begins no UTF-8 character")],
                )
    return None


def nul_problem(file: TextFile) -> Problem:
    """E205 at the first line with a NUL byte."""
    with file.open() as stream:
        number = next((i for i, line in _lines(stream) if b"\0" in line), None)
    return Problem(
        "E205",
        f"`{file.shown}` holds a NUL byte, so it is no text table",
        help='the file may be binary, or UTF-16 without its mark: `encoding = "utf-16"`',
        places=[(DataPlace(file.shown, number), "a NUL byte stands here")],
    )


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of a file, which may end as on any system; of a line that ends in CR only, in parts."""
    number = 1
    for block in stream:
        parts = block.removesuffix(b"\n").removesuffix(b"\r").split(b"\r")
        yield from enumerate(parts, start=number)
        number += len(parts)


def shape_problem(file: TextFile, delimiter: str) -> Problem | None:
    """E208 at the first ragged record, or E209 at the first broken quote."""
    with file.text() as stream:
        records = csv.reader(stream, delimiter=delimiter, strict=True)
        width, line = 0, 1
        try:
            for cells in records:
                width = width or len(cells)
                if cells and len(cells) != width:
                    return _ragged(DataPlace(file.shown, line), len(cells), width, delimiter)
                line = records.line_num + 1
        except csv.Error as failure:
            return _broken_quote(DataPlace(file.shown, line), never_closed="unexpected end" in str(failure))
    return None


def _ragged(place: DataPlace, found: int, width: int, delimiter: str) -> Problem:
    return Problem(
        "E208",
        f"a row of `{place.file}` has {count(found, 'cell')} where the header has {width:,}",
        help=f'a cell that holds the separator is quoted, as in "a{delimiter}b"' if delimiter == "," else None,
        places=[(place, f"{count(found, 'cell')} here")],
    )


def _broken_quote(place: DataPlace, never_closed: bool) -> Problem:
    what = "has a quote that is never closed" if never_closed else "has text after a closing quote"
    return Problem(
        "E209",
        f"`{place.file}` {what}",
        help='a quote inside a quoted cell is written twice, as in "say ""yes"""',
        places=[(place, "the row begins here")],
    )


def place_of_row(
    file: TextFile, delimiter: str, columns: Sequence[str], wanted: Collection[tuple[str, ...]]
) -> DataPlace:
    """The first row of a readable file whose cells in the named columns are wanted; no line where there is none."""
    records = _records(file, delimiter)
    _, header = next(records)
    numbers = [header.index(column) for column in columns]
    for line, cells in records:
        if tuple(cells[number] for number in numbers) in wanted:
            return DataPlace(file.shown, line)
    return DataPlace(file.shown)
