"""Matrix Market files, checked before they are read.

Input: a `.mtx` file, in coordinate or in array form. Output: a `Matrix`. Not for: what a matrix means (`matrices`).

Boisvert, Pozo and Remington, "The Matrix Market Exchange Formats", NISTIR 5935, 1996.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from graphnn_compiler.diagnostics import Problem, count, listed
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.readers.arrays import MAX_BYTES, too_large
from graphnn_compiler.topology.readers.files import Fingerprint, require_text
from graphnn_compiler.topology.readers.matrices import Matrix, dense_matrix, sparse_object
from graphnn_compiler.topology.readers.text_files import TextFile

_WORDS = (
    ("matrix",),
    ("coordinate", "array"),
    ("real", "integer", "pattern"),
    ("general", "symmetric"),
)
_LONGEST_LINE = 1 << 16


def read_matrix_market(path: Path, shown: str) -> tuple[Matrix, str]:
    """The entries of the matrix, and the digest of the file; `symmetric` entries stand in both triangles.

    The entries of a `pattern` weigh 1. Stored entries of the coordinate form are edges, zeros included; of the array
    form those that are not zero. E262 for a header that is not read here, E263 for contents that do not fit it.
    """
    file = TextFile(path, shown)
    digest = file.fingerprint()
    require_text(digest, shown, "a Matrix Market file")
    with file.open() as stream:
        words = _header(stream, shown)
        sizes = _sizes(stream, shown, words)
        n_stored = _require_possible(sizes, words, digest, shown)
        values = _read(stream, _Body(shown, words, sizes, n_stored))
    if values is None:
        with file.open() as stream:
            raise _explained(stream, _Body(shown, words, sizes, n_stored))
    if words[1] == "array":
        return dense_matrix(_dense(values, sizes[1], words[3] == "symmetric"), shown), digest.sha256
    return sparse_object(_sparse(values, sizes[1], words), shown), digest.sha256


@dataclass(frozen=True)
class _Body:
    """What the lines behind the sizes should hold."""

    shown: str
    words: list[str]
    sizes: tuple[int, list[int]]
    n_stored: int

    @property
    def types(self) -> list[type[np.int64] | type[np.float64]]:
        """The type of each cell of a line."""
        value: dict[str, list[type[np.int64] | type[np.float64]]] = {
            "pattern": [],
            "integer": [np.int64],
            "real": [np.float64],
        }
        ends: list[type[np.int64] | type[np.float64]] = [np.int64, np.int64]
        return (ends if self.words[1] == "coordinate" else []) + value[self.words[2]]


def _read(stream: BinaryIO, body: _Body) -> NDArray | None:
    """The entries as a structured array, a field for each cell of a line; None where something is wrong with them.

    NumPy parses, not `scipy.io.mmread`, which on some damaged files reads memory that is not its own.
    """
    dtype = np.dtype([(f"f{i}", kind) for i, kind in enumerate(body.types)])
    lines = ("" if long else line.decode("utf-8", "replace") for _, line, long in _lines(stream))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of whole numbers that are written as reals
        try:
            if body.n_stored == 0:
                return np.zeros(0, dtype) if all(_is_blank(line.encode()) for line in lines) else None
            found: NDArray = np.loadtxt(lines, dtype=dtype, comments="%", ndmin=1)
        except (ValueError, OverflowError, Warning):
            return None
    if found.shape != (body.n_stored,):
        return None
    ends = zip(("f0", "f1"), body.sizes[1], strict=False) if body.words[1] == "coordinate" else ()
    return None if any(found[end].min() < 1 or found[end].max() > size for end, size in ends) else found


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """The number of each line, counted from where the stream stands, its text, and whether it is cut off."""
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        yield number, line, len(line) == _LONGEST_LINE


def _is_blank(line: bytes) -> bool:
    return not line.split(b"%")[0].strip()


def _explained(stream: BinaryIO, body: _Body) -> Problem:
    """The first thing that is wrong with the entries, with its line. Slow; only run where something is."""
    shown, (line_of_sizes, (*shape,)) = body.shown, body.sizes
    names = {np.int64: "an integer", np.float64: "a number"}
    due = f"{count(body.n_stored, 'entry', 'entries')} {_are(body.n_stored)} due"
    n_found = 0
    for number, line, cut in _lines(stream):
        if number <= line_of_sizes or _is_blank(line):
            continue
        n_found += 1
        cells = line.split(b"%")[0].split()
        if n_found > body.n_stored:
            return _wrong(shown, number, f"{due}, and here is one more")
        if cut or len(cells) != len(body.types):
            return _wrong(shown, number, f"{count(len(body.types), 'cell')} {_are(len(body.types))} due here")
        for place, (cell, kind) in enumerate(zip(cells, body.types, strict=True)):
            value = _parsed(cell, kind)
            if value is None:
                return _wrong(shown, number, f"`{cell.decode('utf-8', 'replace')[:40]}` is not {names[kind]}")
            if body.words[1] == "coordinate" and place < 2 and not 1 <= value <= shape[place]:
                side = ("row", "column")[place]
                return _wrong(shown, number, f"there is no {side} {value:,.0f}, they are 1 .. {shape[place]:,}")
    if n_found < body.n_stored:
        return _wrong(shown, None, f"{due}, and there {_are(n_found)} {n_found:,}")
    return _wrong(shown, None, "its entries cannot be read as numbers")


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _parsed(cell: bytes, kind: type[np.int64] | type[np.float64]) -> float | None:
    try:
        value = int(cell) if kind is np.int64 and len(cell) <= 20 else float(cell) if kind is np.float64 else None
    except ValueError:
        return None
    return None if value is None or (kind is np.int64 and not -(2**63) <= value < 2**63) else value


def _dense(values: NDArray, shape: list[int], symmetric: bool) -> NDArray:
    """A matrix whose columns are written one after another, of a symmetric one from the diagonal down."""
    if not symmetric:
        return values["f0"].reshape(shape, order="F")
    column, row = np.triu_indices(shape[0])
    dense = np.zeros(shape, dtype=values["f0"].dtype)
    dense[row, column] = dense[column, row] = values["f0"]
    return dense


def _sparse(values: NDArray, sizes: list[int], words: list[str]) -> Any:
    row, column = values["f0"] - 1, values["f1"] - 1
    weight = np.ones(len(values), dtype=np.int64) if words[2] == "pattern" else values["f2"]
    if words[3] == "symmetric":
        turned = row != column
        row, column = np.concatenate([row, column[turned]]), np.concatenate([column, row[turned]])
        weight = np.concatenate([weight, weight[turned]])
    return sparse.coo_array((weight, (row, column)), shape=(sizes[0], sizes[1]))


def _header(stream: BinaryIO, shown: str) -> list[str]:
    """The words after the banner, in lower case."""
    first = stream.readline(_LONGEST_LINE).decode("utf-8", "replace").split()
    if not first or first[0].lower() != "%%matrixmarket":
        raise _unread(shown, "begins without `%%MatrixMarket`", "no banner here")
    words = [word.lower() for word in first[1:]]
    if len(words) != len(_WORDS):
        raise _unread(shown, f"has {len(words)} words behind its banner, not 4", "the banner")
    for word, known in zip(words, _WORDS, strict=True):
        if word not in known:
            raise _unread(shown, f"is of the kind `{word[:40]}`", "the banner says so")
    if words[1] == "array" and words[2] == "pattern":
        raise _unread(shown, "is an array of the kind `pattern`, which has no values", "the banner says so")
    return words


def _unread(shown: str, what: str, label: str) -> Problem:
    kinds = "; ".join(listed((f"`{word}`" for word in known), 3) for known in _WORDS)
    return Problem(
        "E262",
        f"the Matrix Market file `{shown}` {what}",
        help=f"behind `%%MatrixMarket` are read: {kinds}",
        places=[(DataPlace(shown, 1), label)],
    )


def _sizes(stream: BinaryIO, shown: str, words: list[str]) -> tuple[int, list[int]]:
    """The line of the sizes, and the sizes: rows, columns, and in coordinate form entries."""
    expected = 3 if words[1] == "coordinate" else 2
    number = 1
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        cells = line.split()
        if not cells or cells[0].startswith(b"%"):
            continue
        if len(cells) != expected or not all(cell.isdigit() and len(cell) <= 18 for cell in cells):
            raise _wrong(shown, number, f"{expected} sizes are due here")
        return number, [int(cell) for cell in cells]
    raise _wrong(shown, None, "no line of sizes")


def _require_possible(sizes: tuple[int, list[int]], words: list[str], digest: Fingerprint, shown: str) -> int:
    """The number of entries. Nothing is set aside for those that cannot be there: each takes a digit and a line end, or
    more."""
    line, (n_rows, n_columns, *entries) = sizes
    symmetric = words[3] == "symmetric"
    if symmetric and n_rows != n_columns:
        raise _wrong(shown, line, "a symmetric matrix is square")
    n_stored = entries[0] if entries else n_rows * (n_rows + 1) // 2 if symmetric else n_rows * n_columns
    if not entries and n_rows * n_columns * 8 > MAX_BYTES:
        shape = (n_rows, n_columns)
        raise too_large(f"`{shown}`", shape, np.dtype(np.float64), math.prod(shape) * 8, shown)
    least = n_stored * (4 if entries else 2) - 1
    if least > digest.size:
        raise _wrong(shown, line, f"{n_stored:,} entries do not fit into the {digest.size:,} bytes of the file")
    return n_stored


def _wrong(shown: str, line: int | None, what: str) -> Problem:
    return Problem(
        "E263",
        f"the Matrix Market file `{shown}` is damaged, or not what its header says",
        help="write it again, as with `scipy.io.mmwrite`",
        places=[(DataPlace(shown, line), what)],
    )
