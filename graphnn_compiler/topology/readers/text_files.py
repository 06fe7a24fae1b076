"""Text files as streams of UTF-8 bytes, whether packed by gzip or written in another encoding.

Input: a path, and the encoding that the program names. Output: `TextFile`, which is opened as often as needed. The
digest is of the bytes as they lie on the disk. Not for: formats; array files and Parquet, which are binary.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from graphnn_compiler.diagnostics import Problem, did_you_mean, size_text
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.readers.files import Fingerprint, fingerprint, looked_through, opened

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

UTF8 = "utf-8"
ENCODINGS = (UTF8, "latin-1", "cp1252", "utf-16")
"""The encodings that `encoding =` may name."""

MAX_UNPACKED = 16 << 30
"""More bytes than this in one packed file are an error."""
MAX_RATIO = 200
"""More bytes than this for each packed byte are an error: tables of numbers pack to a tenth, hardly to a hundredth."""
_FREE = 64 << 20
"""Up to so many bytes no ratio is suspicious."""
_BLOCK = 1 << 18


def format_of(path: Path) -> str:
    """The extension that says how a file is read, in lower case; of `x.csv.gz` it is `.csv`."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if len(suffixes) == 2 and suffixes[1] == ".gz":
        return suffixes[0]
    return suffixes[-1] if suffixes else ""


def is_packed(path: Path) -> bool:
    """Whether a file is packed by gzip, by its name."""
    return path.suffix.lower() == ".gz"


@dataclass(frozen=True)
class TextFile:
    """A text file, `shown` being its name in the program; `encoding` is one of `ENCODINGS`."""

    path: Path
    shown: str
    encoding: str = UTF8

    @property
    def packed(self) -> bool:
        return is_packed(self.path)

    @contextmanager
    def unpacked(self) -> Iterator[BinaryIO]:
        """The bytes, not packed any more; E201, E202, E247, E248."""
        with opened(self.path, self.shown) as stream:
            if not self.packed:
                yield stream
                return
            with gzip.GzipFile(fileobj=stream) as inner:
                limit = min(max(_FREE, MAX_RATIO * self.path.stat().st_size), MAX_UNPACKED)
                yield cast(BinaryIO, io.BufferedReader(_Unpacked(inner, self.shown, limit), _BLOCK))

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The bytes in UTF-8, unless the file is not in its encoding; E204 where it is not in another than UTF-8."""
        with self.unpacked() as stream:
            if self.encoding == UTF8:
                yield stream
            else:
                yield cast(BinaryIO, io.BufferedReader(_Recoded(stream, self.shown, self.encoding), _BLOCK))

    @contextmanager
    def text(
        self, errors: Literal["strict", "replace"] = "replace", newline: Literal[""] | None = ""
    ) -> Iterator[io.TextIOWrapper]:
        """The text without a byte order mark, with its own line ends unless `newline` is None.

        What is not UTF-8 is replaced, or a UnicodeDecodeError where `errors` says so.
        """
        with self.open() as stream:
            yield io.TextIOWrapper(stream, encoding="utf-8-sig", errors=errors, newline=newline)

    def fingerprint(self) -> Fingerprint:
        """The digest of the file as it lies on the disk, and what its text shows."""
        found = fingerprint(self.path, self.shown)
        if not self.packed and self.encoding == UTF8:
            return found
        with self.open() as stream:
            return replace(looked_through(stream), sha256=found.sha256)


def text_file(path: Path, shown: str, encoding: str | None) -> TextFile:
    """The file in the encoding that the program names; E246 for one that is not in `ENCODINGS`."""
    if encoding is None or encoding.lower() in ENCODINGS:
        return TextFile(path, shown, (encoding or UTF8).lower())
    listing = ", ".join(f"`{name}`" for name in ENCODINGS)
    raise Problem(
        "E246",
        f"`encoding =` cannot be `{encoding}`",
        help=did_you_mean(encoding.lower(), ENCODINGS, f"it is one of {listing}"),
        places=[(DataPlace(shown), "read in this encoding")],
    )


class _Unpacked(io.RawIOBase):
    """A gzip stream that refuses to grow beyond all measure."""

    def __init__(self, inner: gzip.GzipFile, shown: str, limit: int) -> None:
        self._inner, self._shown, self._left, self._limit = inner, shown, limit, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        try:
            n_bytes = self._inner.readinto(buffer)
        except (OSError, EOFError, zlib.error) as failure:
            raise Problem(
                "E247",
                f"`{self._shown}` is no whole gzip file",
                help="pack the file again, or fetch it again",
                notes=[str(failure)],
                places=[(DataPlace(self._shown), "this file")],
            ) from None
        self._left -= n_bytes
        if self._left < 0:
            raise Problem(
                "E248",
                f"`{self._shown}` unpacks to more than {size_text(self._limit)}, which is out of all proportion",
                help="unpack it yourself if you trust it",
                places=[(DataPlace(self._shown), "this file")],
            )
        return n_bytes


class _Recoded(io.RawIOBase):
    """A stream of another encoding as UTF-8."""

    def __init__(self, inner: BinaryIO, shown: str, encoding: str) -> None:
        self._inner, self._shown, self._encoding = inner, shown, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._line = 1
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while not self._ready:
            block = self._inner.read(_BLOCK)
            self._ready = self._decoded(block, final=not block).encode(UTF8)
            if not block:
                break
        part, self._ready = self._ready[: len(view)], self._ready[len(view) :]
        view[: len(part)] = part
        return len(part)

    def _decoded(self, block: bytes, final: bool) -> str:
        try:
            text = self._decoder.decode(block, final)
        except UnicodeError as failure:
            # Text in UTF-16 that does not begin with its mark is another UnicodeError.
            before = ""
            if isinstance(failure, UnicodeDecodeError):
                before = failure.object[: failure.start].decode(self._encoding, "replace")
            raise Problem(
                "E204",
                f"`{self._shown}` is not {self._encoding} text",
                help="leave `encoding =` out if the file is UTF-8, or name another encoding",
                places=[(DataPlace(self._shown, self._line + before.count("\n")), f"no {self._encoding} text here")],
            ) from None
        self._line += text.count("\n")
        return text
