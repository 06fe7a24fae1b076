"""`.npy` and `.npz` files, read without trusting them.

Input: a file. Output: `ArrayFile`, whose members are read on demand. The header of every array is looked at before
its bytes are: Python objects are never unpickled, and no memory is set aside for bytes that are not there. Not for:
what the arrays mean.
"""

from __future__ import annotations

import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, size_text
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import STRING
from graphnn_compiler.topology.readers.files import fingerprint, opened

MAX_BYTES = 16 << 30
"""More bytes than this in one array are an error, whatever the file says."""

MAPPED_FROM_BYTES = 64 << 20
"""Arrays smaller than this are loaded where mapping was asked for: that is as good, and checks all of them."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a zip member: signature, .., length of the name, of the extra field
_MAGIC = b"\x93NUMPY"
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    SyntaxError,
    NotImplementedError,
    RuntimeError,
    tokenize.TokenError,
    OverflowError,
)


@dataclass(frozen=True)
class ArrayFile:
    """A `.npz` file, or a `.npy` file with one member named "" ."""

    path: Path
    shown: str
    sha256: str
    names: tuple[str, ...]

    def load(self, name: str) -> NDArray:
        """A member: int64, float32, float64, bool or string; E230 .. E232, E239 where it is none of them."""
        with _readable(self.shown, name):
            if not name:
                with opened(self.path, self.shown) as stream:
                    return _read_array(stream, self.path.stat().st_size, self.shown, name)
            with zipfile.ZipFile(self.path) as archive:
                entry = archive.getinfo(f"{name}.npy")
                with archive.open(entry) as member:
                    return _read_array(member, entry.file_size, self.shown, name)  # type: ignore[arg-type]

    def map(self, name: str) -> NDArray:
        """A member as a `numpy.memmap` of its own type, of which only what is used is read.

        One that is small, compressed or text is loaded as by `load`. E230 .. E232, E239 as there.
        """
        with _readable(self.shown, name), opened(self.path, self.shown) as stream:
            size = self.path.stat().st_size
            if name:
                with zipfile.ZipFile(self.path) as archive:
                    entry = archive.getinfo(f"{name}.npy")
                if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                    return self.load(name)
                size = _enter_member(stream, entry)
            if size < MAPPED_FROM_BYTES:
                return self.load(name)
            dtype, shape, fortran = _read_header(stream, self.shown, name)
            start = stream.tell()
        n_bytes = math.prod(shape) * dtype.itemsize
        if dtype.kind not in "biuf" or min(shape, default=0) <= 0 or start + n_bytes > self.path.stat().st_size:
            return self.load(name)
        require_number_or_text(dtype, in_words(self.shown, name), self.shown)
        return np.memmap(self.path, dtype, "r", start, shape, "F" if fortran else "C")


def _enter_member(stream: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """Go to where the bytes of a stored member begin; how many there are."""
    stream.seek(entry.header_offset)
    header = stream.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size:
        raise EOFError("a member of the zip file begins after its end")
    signature, n_name, n_extra = _LOCAL_HEADER.unpack(header)
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile("a member of the zip file does not begin as one")
    stream.seek(n_name + n_extra, 1)
    return entry.file_size


@contextmanager
def _readable(shown: str, name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as failure:
        raise _corrupt(shown, name, str(failure).splitlines()[0] if str(failure) else type(failure).__name__) from None


def _corrupt(shown: str, name: str, reason: str) -> Problem:
    return Problem(
        "E231",
        f"{in_words(shown, name)} is cut short or damaged",
        help="write the file again, or fetch it again",
        notes=[reason],
        places=[(DataPlace(shown), "this file")],
    )


def in_words(shown: str, name: str) -> str:
    """An array of a file in words; the name is empty in a file that is one array."""
    return f"the array `{name}` of `{shown}`" if name else f"`{shown}`"


def open_arrays(path: Path, shown: str) -> ArrayFile:
    """The arrays in a `.npy` or `.npz` file; nothing but names is read yet."""
    found = fingerprint(path, shown)
    if path.suffix.lower() == ".npy":
        return ArrayFile(path, shown, found.sha256, ("",))
    if found.start.startswith(_PICKLES):
        raise _pickled(shown, "")
    with _readable(shown, ""), zipfile.ZipFile(path) as archive:
        entries = archive.namelist()
    names = tuple(entry.removesuffix(".npy") for entry in entries if entry.endswith(".npy"))
    return ArrayFile(path, shown, found.sha256, names)


def _pickled(shown: str, name: str) -> Problem:
    return Problem(
        "E230",
        f"{in_words(shown, name)} holds Python objects (pickle), which are never loaded",
        help="save numbers or text: `array.astype(float)`, `array.astype(str)`",
        places=[(DataPlace(shown), "this file")],
    )


def _read_array(stream: BinaryIO, size: int, shown: str, name: str) -> NDArray:
    dtype, shape, fortran = _read_header(stream, shown, name)
    if dtype.hasobject:
        raise _pickled(shown, name)
    require_number_or_text(dtype, in_words(shown, name), shown)
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes > MAX_BYTES:
        raise too_large(in_words(shown, name), shape, dtype, n_bytes, shown)
    if min(shape, default=0) < 0 or n_bytes != size - stream.tell():
        raise _corrupt(shown, name, f"{n_bytes:,} bytes are declared, {size - stream.tell():,} are there")
    data = stream.read(n_bytes)
    if len(data) != n_bytes:
        raise _corrupt(shown, name, f"{n_bytes:,} bytes are declared, {len(data):,} could be read")
    array = np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return plain(array, in_words(shown, name), shown)


def _read_header(stream: BinaryIO, shown: str, name: str) -> tuple[np.dtype, tuple[int, ...], bool]:
    start = stream.read(len(_MAGIC) + 2)
    if not start.startswith(_MAGIC) or len(start) < len(_MAGIC) + 2:
        raise _corrupt(shown, name, "it does not begin as a NumPy array does")
    readers = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    if start[-2] not in readers:
        raise _corrupt(shown, name, f"version {start[-2]} of the format is not known")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers that Python 2 wrote, which are read all the same
        shape, fortran, dtype = readers[start[-2]](stream)
    return dtype, shape, fortran


def too_large(what: str, shape: tuple[int, ...], dtype: np.dtype, n_bytes: int, shown: str) -> Problem:
    """E232 with the arithmetic."""
    sides = " x ".join(f"{side:,}" for side in shape)
    return Problem(
        "E232",
        f"{what} is too large: {sides} x {dtype.itemsize} bytes = {size_text(n_bytes)}",
        help="keep it sparse, or make it smaller",
        places=[(DataPlace(shown), "this data")],
    )


def require_number_or_text(dtype: np.dtype, what: str, shown: str) -> None:
    """Raise E239 unless an array of this type holds real numbers, booleans or text."""
    if (dtype.kind in "biufSUT" and dtype.itemsize <= 8) or dtype.kind in "SUT":
        return
    raise Problem(
        "E239",
        f"{what} holds values of type `{dtype}`, which no column can hold",
        help="use integers, 32- or 64-bit reals, booleans or text",
        places=[(DataPlace(shown), "this data")],
    )


def plain(array: NDArray, what: str, shown: str) -> NDArray:
    """The array as int64, float32, float64, bool or string; E239 where unsigned integers do not fit, or bytes are
    not UTF-8."""
    require_number_or_text(array.dtype, what, shown)
    kind = array.dtype.kind
    if kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise Problem(
            "E239",
            f"{what} holds integers beyond 64-bit signed integers",
            help="use smaller numbers, reals or text",
            places=[(DataPlace(shown), "this data")],
        )
    if kind in "iu":
        return array.astype(np.int64, copy=False)
    if kind == "f":
        wide = np.float64 if array.dtype.itemsize == 8 else np.float32
        return array.astype(wide, copy=False)
    if kind == "S":
        return _decoded(array, what, shown).astype(STRING)
    return array.astype(STRING, copy=False) if kind in "UT" else array.astype(bool, copy=False)


def _decoded(array: NDArray, what: str, shown: str) -> NDArray[np.str_]:
    try:
        return np.strings.decode(array, "utf-8")
    except UnicodeDecodeError:
        raise Problem(
            "E239",
            f"{what} holds bytes that are not UTF-8 text",
            help="save text: `array.astype(str)`",
            places=[(DataPlace(shown), "this data")],
        ) from None
