"""Arrays as the bytes of `.npy` files in a zip: the same arrays give the same bytes, on every machine and day.

Input: arrays and binary streams. Output: `.npy` bytes of format 1.0, in C order and little endian, and zip members
that are stored, not compressed, with a fixed date (compressed bytes depend on the zlib at hand). Strings are held
as UTF-8 bytes with offsets, so that no file ever needs pickle. Not for: reading headers that others wrote; which
arrays there are.
"""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Mapping
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import string_array

CHUNK_BYTES = 1 << 20
_OLDEST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


class Writable(Protocol):
    """Whatever takes bytes."""

    def write(self, data: bytes | memoryview, /) -> object: ...


def little_endian(dtype: np.dtype) -> np.dtype:
    """The dtype as it stands in a file."""
    return dtype.newbyteorder("<")


def npy_header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """The header of a `.npy` file, format 1.0 (NumPy enhancement proposal 1), of a C-ordered array."""
    described = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode("ascii")
    magic = b"\x93NUMPY\x01\x00"
    padding = -(len(magic) + 2 + len(described) + 1) % 64
    length = len(described) + padding + 1
    return magic + length.to_bytes(2, "little") + described + b" " * padding + b"\n"


def write_npy(stream: Writable, array: NDArray) -> None:
    """Write one array as a `.npy` file; the array is copied only if it is not in C order and little endian."""
    if array.dtype.kind not in "biuf":
        raise ValueError(f"an array of dtype {array.dtype} cannot be written")
    ordered = np.asarray(array, dtype=little_endian(array.dtype), order="C")
    stream.write(npy_header(ordered.dtype, ordered.shape))
    flat = ordered.reshape(-1).view(np.uint8)
    for start in range(0, len(flat), CHUNK_BYTES):
        stream.write(flat[start : start + CHUNK_BYTES].data)


def stored_member(name: str) -> zipfile.ZipInfo:
    """A zip member that is not compressed and whose header says nothing of the time, the user or the system."""
    info = zipfile.ZipInfo(name, date_time=_OLDEST_ZIP_DATE)
    info.compress_type = zipfile.ZIP_STORED
    info.create_system = 3  # Unix, wherever the file is written
    info.external_attr = 0o644 << 16
    return info


def write_npz(stream: BinaryIO, arrays: Mapping[str, NDArray]) -> None:
    """Write arrays as an `.npz` file that `numpy.load` reads: one member `NAME.npy` each, in sorted order.

    Fixed-width text is written as NumPy does; any other dtype than numbers, booleans and text is a ValueError.
    """
    with zipfile.ZipFile(stream, "w") as container:
        for name in sorted(arrays):
            with container.open(stored_member(f"{name}.npy"), "w", force_zip64=True) as member:
                _write_npz_member(member, arrays[name])


def _write_npz_member(member: Writable, array: NDArray) -> None:
    if array.dtype.kind != "U":
        write_npy(member, array)
        return
    ordered = np.asarray(array, dtype=little_endian(array.dtype), order="C")
    member.write(npy_header(ordered.dtype, ordered.shape))
    member.write(ordered.tobytes())


def encode_strings(strings: NDArray) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Strings (n,) as UTF-8 bytes and offsets (n + 1,): string k is bytes offsets[k] .. offsets[k + 1]."""
    encoded = [text.encode("utf-8") for text in strings.tolist()]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)), out=offsets[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def decode_strings(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray:
    """The strings that `encode_strings` encoded; ValueError where the bytes or offsets cannot be such."""
    if data.dtype != np.uint8 or offsets.dtype != np.int64 or data.ndim != 1 or offsets.ndim != 1 or len(offsets) == 0:
        raise ValueError("strings are not held as bytes and int64 offsets")
    if offsets[0] != 0 or offsets[-1] != len(data) or np.any(offsets[1:] < offsets[:-1]):
        raise ValueError("the offsets of strings do not rise from 0 to the number of bytes")
    raw = data.tobytes()
    try:
        texts = [raw[start:stop].decode("utf-8") for start, stop in itertools.pairwise(offsets.tolist())]
    except UnicodeDecodeError:
        raise ValueError("a string is not UTF-8") from None
    return string_array(texts)
