"""The `.gnnz` file as a zip: arrays, a manifest, and digests of both.

Input: an encoded plan and a stream. Output: bytes, or the manifest and arrays after every size and digest was found
right. Members are `0.npy`, `1.npy`, .., `manifest.json`, and last `manifest.sha256`; all are stored, so that no
member is larger than the file. Not for: what the manifest says about the network.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.archive.encoding import Encoded
from graphnn_compiler.archive.fields import Fields, parse_json
from graphnn_compiler.diagnostics import Problem, listed, size_text
from graphnn_compiler.topology.npy import CHUNK_BYTES, npy_header, stored_member, write_npy

FORMAT = "gnnz"
PLAIN_VERSION, TRAINING_VERSION, PREPARED_VERSION = 1, 2, 3
"""Format versions: of a model; of one with the state of a training; of one whose inputs are filled or scaled, with such
a state or without. Releases before each of them cannot read it."""

_MANIFEST = "manifest.json"
_MANIFEST_DIGEST = "manifest.sha256"
_MAX_MANIFEST_BYTES = 64 << 20
_MAX_DIMENSIONS = 8
_MAX_ELEMENTS = 1 << 56
_DTYPES = frozenset({"|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"})


@dataclass(frozen=True)
class Contents:
    """What an archive holds: the `plan` and `values` objects of its manifest, and the arrays that they refer to.

    `training` is the object of a training's state, None in an archive without; `prepared` is whether inputs may be
    filled or scaled.
    """

    plan: object
    values: object
    arrays: tuple[NDArray, ...]
    training: object = None
    prepared: bool = False


# ------------------------------------------------------------------ writing


class _Digested:
    """A stream that keeps the SHA-256 of what is written through it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def write(self, data: bytes | memoryview, /) -> None:
        self._digest.update(data)
        self._stream.write(data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def write_container(stream: BinaryIO, encoded: Encoded) -> None:
    """Write an archive; the bytes depend on nothing but what is encoded."""
    with zipfile.ZipFile(stream, "w") as container:
        entries = [_write_array(container, f"{k}.npy", array) for k, array in enumerate(encoded.arrays)]
        manifest = {
            "format": FORMAT,
            "format_version": _version(encoded),
            "plan": encoded.plan,
            "values": encoded.values,
            "arrays": entries,
        }
        if encoded.training is not None:
            manifest["training"] = encoded.training
        text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
        if len(text) > _MAX_MANIFEST_BYTES:
            raise ValueError(f"its manifest would take {size_text(len(text))}")
        container.writestr(stored_member(_MANIFEST), text)
        container.writestr(stored_member(_MANIFEST_DIGEST), hashlib.sha256(text).hexdigest())


def _version(encoded: Encoded) -> int:
    if encoded.prepared:
        return PREPARED_VERSION
    return PLAIN_VERSION if encoded.training is None else TRAINING_VERSION


def _write_array(container: zipfile.ZipFile, name: str, array: NDArray) -> dict[str, Any]:
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in _DTYPES or array.ndim > _MAX_DIMENSIONS:
        raise ValueError(f"it holds an array of {array.ndim} dimensions of {array.dtype}")
    with container.open(stored_member(name), "w", force_zip64=True) as member:
        digested = _Digested(member)
        write_npy(digested, array)
    return {"dtype": dtype.str, "shape": list(array.shape), "sha256": digested.hexdigest()}


# ------------------------------------------------------------------ reading


def read_container(stream: BinaryIO, max_bytes: int) -> Contents:
    """Read an archive, at most `max_bytes` of arrays. Raises `Problem`, E531 to E539."""
    container = _open_zip(stream)
    with container:
        members = _checked_members(container, stream.seek(0, io.SEEK_END))
        if _MANIFEST not in members:
            raise Problem("E531", f"it is a zip file, but no saved model: it has no member `{_MANIFEST}`")
        text = _read_text(container, members, _MANIFEST, _MAX_MANIFEST_BYTES)
        manifest = Fields(parse_json(text), "the manifest")
        version = _checked_version(manifest)
        if _read_text(container, members, _MANIFEST_DIGEST, 64) != hashlib.sha256(text).hexdigest().encode():
            raise Problem("E535", f"`{_MANIFEST}` does not have the SHA-256 digest that `{_MANIFEST_DIGEST}` says")
        with manifest:
            contents = manifest.take("plan"), manifest.take("values")
            expected = [_Entry.of(fields) for fields in manifest.objects("arrays")]
            prepared = version == PREPARED_VERSION
            with_state = manifest.has("training") if prepared else version == TRAINING_VERSION
            training = manifest.take("training") if with_state else None
        _check_expected(expected, members, max_bytes)
        arrays = tuple(_read_array(container, members[f"{k}.npy"], entry) for k, entry in enumerate(expected))
    return Contents(*contents, arrays, training, prepared)


# Beside its own, `zipfile` lets through what odd offsets, names that cannot be decoded and unknown features cause.
_ZIP_ERRORS = (zipfile.BadZipFile, struct.error, EOFError, OSError, ValueError, OverflowError, RuntimeError)


@contextmanager
def _damage() -> Iterator[None]:
    """What `zipfile` raises for bytes that are no sound zip, as a problem."""
    try:
        yield
    except _ZIP_ERRORS as error:
        raise Problem("E533", f"it is damaged ({error})") from error


def _open_zip(stream: BinaryIO) -> zipfile.ZipFile:
    try:
        with _damage():
            return zipfile.ZipFile(stream)
    except Problem as problem:
        raise Problem("E531", "it is no saved model, or it was cut off", notes=[problem.message]) from problem


def _checked_members(container: zipfile.ZipFile, file_size: int) -> dict[str, zipfile.ZipInfo]:
    """The members by name; none is compressed or encrypted, and together they are no larger than the file."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in container.infolist():
        if info.filename in members:
            raise Problem("E534", f"two of its members are named `{info.filename}`")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & 1:
            raise Problem("E534", f"its member `{info.filename}` is compressed or encrypted, saved models never are")
        members[info.filename] = info
    if sum(info.file_size for info in members.values()) > file_size:
        raise Problem("E533", "it is damaged (its members are larger than the file)")
    return members


def _read_text(container: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str, limit: int) -> bytes:
    if name not in members:
        raise Problem("E534", f"its member `{name}` is missing")
    if members[name].file_size > limit:
        raise Problem("E534", f"its member `{name}` takes {size_text(members[name].file_size)}")
    with _damage():
        return container.read(members[name])


def _checked_version(manifest: Fields) -> int:
    if manifest.take("format") != FORMAT:
        raise Problem("E531", f"its manifest does not say that it is of the format `{FORMAT}`")
    version = manifest.integer("format_version", low=1)
    if version > PREPARED_VERSION:
        raise Problem(
            "E532",
            f"it has format version {version}, and this release reads versions up to {PREPARED_VERSION}",
            help="upgrade graphnn-compiler, or save the model again with this release",
        )
    return version


@dataclass(frozen=True)
class _Entry:
    """One array as the manifest declares it."""

    dtype: np.dtype
    shape: tuple[int, ...]
    sha256: str

    @staticmethod
    def of(fields: Fields) -> _Entry:
        with fields:
            dtype, shape, sha256 = fields.text("dtype"), fields.integers("shape"), fields.text("sha256")
        if dtype not in _DTYPES:
            raise Problem("E538", f"{fields.place} has the dtype {dtype[:40]!r}, which no saved model uses")
        # The product without zero sides bounds what NumPy computes for an empty array.
        if len(shape) > _MAX_DIMENSIONS or math.prod(max(side, 1) for side in shape) > _MAX_ELEMENTS:
            raise Problem("E538", f"{fields.place} has an impossible shape")
        return _Entry(np.dtype(dtype), shape, sha256)

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def _check_expected(expected: list[_Entry], members: dict[str, zipfile.ZipInfo], max_bytes: int) -> None:
    names = {_MANIFEST, _MANIFEST_DIGEST, *(f"{k}.npy" for k in range(len(expected)))}
    if missing := sorted(names - members.keys()):
        raise Problem("E534", f"members are missing: {listed(missing)}")
    if extra := sorted(members.keys() - names):
        raise Problem("E534", f"it has members that no saved model has: {listed(map(ascii, extra))}")
    total = sum(entry.n_bytes for entry in expected)
    if total > max_bytes:
        message = f"its arrays take {size_text(total)}, more than the limit of {size_text(max_bytes)}"
        raise Problem("E539", message, help="raise `max_bytes` if you trust the file")


def _read_array(container: zipfile.ZipFile, info: zipfile.ZipInfo, entry: _Entry) -> NDArray:
    header = npy_header(entry.dtype, entry.shape)
    if info.file_size != len(header) + entry.n_bytes:
        raise Problem("E538", f"`{info.filename}` does not have the size of the array that the manifest declares")
    array = np.empty(entry.shape, dtype=entry.dtype)
    rest = array.reshape(-1).view(np.uint8)
    with _damage(), container.open(info) as member:
        found = member.read(len(header))
        digest = hashlib.sha256(found)
        for start in range(0, len(rest), CHUNK_BYTES):
            chunk = member.read(min(CHUNK_BYTES, len(rest) - start))
            digest.update(chunk)
            rest[start : start + len(chunk)] = np.frombuffer(chunk, dtype=np.uint8)
        member.read(1)  # reaching the end is what makes `zipfile` compare its own checksum
    if digest.hexdigest() != entry.sha256:
        raise Problem("E535", f"`{info.filename}` does not have the SHA-256 digest that the manifest says")
    if found != header:
        raise Problem("E538", f"the header of `{info.filename}` is not that of the array that the manifest declares")
    return array.astype(entry.dtype.newbyteorder("="), copy=False)
