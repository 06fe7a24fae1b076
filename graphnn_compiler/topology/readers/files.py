"""Opening data files: what every reader checks before it looks inside.

Input: a path, and the file's name as the program writes it. Output: the sha256 of the bytes. Not for: formats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from graphnn_compiler.diagnostics import Problem, did_you_mean
from graphnn_compiler.source import DataPlace

_BLOCK = 1 << 20

_FOREIGN_STARTS = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstandard file"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy array file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"%PDF", "a PDF file"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)


@dataclass(frozen=True)
class Fingerprint:
    """What one pass over a file's bytes shows."""

    sha256: str
    start: bytes
    size: int
    has_nul: bool
    quotes: int


@contextmanager
def opened(path: Path, shown: str) -> Iterator[BinaryIO]:
    """The file, open for reading bytes; a missing, unreadable or otherwise impossible one is a `Problem`."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise Problem(
            "E201",
            f"there is no file `{shown}`",
            help=did_you_mean(path.name, _beside(path), "paths are relative to the folder of the program"),
        ) from None
    except IsADirectoryError:
        raise Problem("E202", f"`{shown}` is a folder, not a file", help="name a file inside it") from None
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or str(failure)
        raise Problem("E202", f"`{shown}` cannot be read: {reason}") from None
    with stream:
        yield stream


def _beside(path: Path) -> list[str]:
    """The names in the folder where a file was looked for."""
    try:
        return [other.name for other in path.parent.iterdir()]
    except OSError:
        return []


def fingerprint(path: Path, shown: str) -> Fingerprint:
    """Hash a file in one streaming pass; E201 or E202 where it cannot be read."""
    with opened(path, shown) as stream:
        return looked_through(stream)


def looked_through(stream: BinaryIO) -> Fingerprint:
    """What the bytes of a stream show."""
    digest = hashlib.sha256()
    start, size, has_nul, quotes = b"", 0, False, 0
    while block := stream.read(_BLOCK):
        start = start or block[:16]
        size += len(block)
        has_nul = has_nul or b"\0" in block
        quotes += block.count(b'"')
        digest.update(block)
    return Fingerprint(digest.hexdigest(), start, size, has_nul, quotes)


def require_text(found: Fingerprint, shown: str, kind: str) -> None:
    """Raise E203 where the first bytes say that a file is no text at all, whatever its name."""
    for start, what in _FOREIGN_STARTS:
        if found.start.startswith(start):
            raise Problem(
                "E203",
                f"`{shown}` is {what}, not {kind}",
                help=_way_out(what),
                places=[(DataPlace(shown), f"begins with the bytes of {what}")],
            )


def _way_out(what: str) -> str:
    if "UTF-16" in what:
        return 'save it as UTF-8 text, or write `encoding = "utf-16"` where the kind of file takes one'
    if "gzip" in what:
        return "let its name end in `.gz`, or unpack it"
    return "unpack or export it, or correct the file's name"
