"""Files written whole or not at all.

Input: a path and a function that writes to a binary stream. Output: the file, in place of what was there before, or
what was there before and an exception. Not for: what stands in the file; reading.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def replace_file(path: str | os.PathLike[str], write: Callable[[BinaryIO], None]) -> None:
    """Write a file beside `path` and rename it to `path` once it is complete and on the disk.

    Whatever stops this, an interrupt included, leaves `path` as it was and nothing beside it. A file that is replaced
    keeps its permissions, a new one has the user's usual ones; a symbolic link keeps pointing to the same name. What
    is no regular file (a pipe, a terminal) cannot be replaced and is written to as it is. Raises OSError, and
    whatever `write` raises.
    """
    final = Path(os.path.realpath(path))
    mode = _mode(final)
    if mode is not None and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        with final.open("wb") as stream:
            write(stream)
        return
    beside = final.with_name(f".{final.name}.{secrets.token_hex(8)}.part")
    descriptor = os.open(beside, _NEW_FILE, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            beside.chmod(stat.S_IMODE(mode))
        os.replace(beside, final)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(final.parent)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _sync_folder(folder: Path) -> None:
    """Put the renaming itself on the disk; only where folders can be opened, so not on Windows."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
