"""Matrix Market files, checked before they are read.

Input: a `.mtx` file, in coordinate or in array form. Output: a `Matrix`. Not for: what a matrix means (`matrices`).

Boisvert, Pozo and Remington, "The Matrix Market Exchange Formats", NISTIR 5935, 1996.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from graphnn_compiler.diagnostics import Problem, listed
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
    from scipy.io import mmread  # slow to import, and rarely needed

    file = TextFile(path, shown)
    digest = file.fingerprint()
    require_text(digest, shown, "a Matrix Market file")
    with file.open() as stream:
        words = _header(stream, shown)
        _require_possible(_sizes(stream, shown, words), words, digest, shown)
    try:
        with file.open() as stream:
            found: Any = mmread(stream)
    except (ValueError, OverflowError) as failure:
        raise _explained(shown, str(failure)) from None
    if words[1] == "array":
        return dense_matrix(np.asarray(found), shown), digest.sha256
    if words[2] == "pattern":
        found = found.astype(np.int64)
    return sparse_object(found, shown), digest.sha256


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


def _require_possible(sizes: tuple[int, list[int]], words: list[str], digest: Fingerprint, shown: str) -> None:
    """Nothing is set aside for entries that cannot be there: each takes a digit and a line end, or more."""
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


def _wrong(shown: str, line: int | None, what: str) -> Problem:
    return Problem(
        "E263",
        f"the Matrix Market file `{shown}` is damaged, or not what its header says",
        help="write it again, as with `scipy.io.mmwrite`",
        places=[(DataPlace(shown, line), what)],
    )


def _explained(shown: str, reason: str) -> Problem:
    match = re.fullmatch(r"Line (\d+): (.*)", reason, re.DOTALL)
    line, text = (int(match[1]), match[2]) if match else (None, reason)
    return _wrong(shown, line, (text[:1].lower() + text[1:]).rstrip("."))
