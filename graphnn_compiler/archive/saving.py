"""Save a plan with its values, and load it again.

Input: a path. Output: a file, or a verified plan and its values. Not for: the layout of the zip (`container`), the
meaning of the manifest (`encoding`, `decoding`).
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Mapping
from functools import partial
from typing import BinaryIO

from numpy.typing import NDArray

from graphnn_compiler.archive.container import read_container, write_container
from graphnn_compiler.archive.decoding import decode
from graphnn_compiler.archive.encoding import encode
from graphnn_compiler.archive.training_state import TrainingState, encode_state
from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.files import replace_file
from graphnn_compiler.topology.plan import Plan
from graphnn_compiler.topology.verification import verify

DEFAULT_MAX_BYTES = 16 << 30


def save(
    path: str | os.PathLike[str], plan: Plan, values: Mapping[str, NDArray], state: TrainingState | None = None
) -> None:
    """Write a plan and the values of its parameters; the same plan and values give the same bytes.

    With the state of a training the file is a checkpoint: a model that a training can go on from.

    The file appears whole or not at all. Raises `Problem`: E542 where it cannot be written, E543 where the plan or
    its values could not be loaded again.
    """
    try:
        encoded = encode(plan, values, None if state is None else partial(encode_state, state))
        verify(plan, values)
        replace_file(path, lambda stream: write_container(stream, encoded))
    except ValueError as error:
        raise Problem("E543", f"`{os.fspath(path)}` cannot be written: {error}") from error
    except OSError as error:
        raise Problem("E542", f"`{os.fspath(path)}` cannot be written: {_reason(error)}") from error


def to_bytes(plan: Plan, values: Mapping[str, NDArray]) -> bytes:
    """The bytes of the file that `save` writes. ValueError where they could not be loaded again."""
    verify(plan, values)
    stream = io.BytesIO()
    write_container(stream, encode(plan, values))
    return stream.getvalue()


def from_bytes(data: bytes) -> tuple[Plan, dict[str, NDArray]]:
    """What `load` reads from a file of these bytes. Raises `Problem`, E531 to E541, where they are no sound archive."""
    plan, values, _ = decode(read_container(io.BytesIO(data), max_bytes=len(data)))
    _verify(plan, values)
    return plan, values


def load(path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES) -> tuple[Plan, dict[str, NDArray]]:
    """Read a plan and the values of its parameters, by name, as `save` wrote them; see `load_checkpoint`."""
    return load_checkpoint(path, max_bytes=max_bytes)[:2]


def load_checkpoint(
    path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES
) -> tuple[Plan, dict[str, NDArray], TrainingState | None]:
    """A plan, the values of its parameters, and the state of a training where the file holds one.

    No more than `max_bytes` of arrays are read, and nothing is allocated for what the file does not hold. Raises
    `Problem`, E530 to E541, for anything that is not a sound archive; its message names the file.
    """
    try:
        with _opened(path) as stream:
            contents = read_container(stream, max_bytes)
        plan, values, state = decode(contents)
        _verify(plan, values)
    except Problem as problem:
        message = f"`{os.fspath(path)}` cannot be loaded: {problem.message}"
        raise Problem(problem.code, message, help=problem.help, notes=problem.notes) from problem
    return plan, values, state


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Problem("E530", "it is not a regular file")
        return open(path, "rb")
    except OSError as error:
        raise Problem("E530", _reason(error)) from error


def _verify(plan: Plan, values: Mapping[str, NDArray]) -> None:
    try:
        verify(plan, values)
    except ValueError as error:
        raise Problem("E541", f"the network in it is inconsistent: {error}") from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()
