"""What `gnnc` writes: results to standard output or to files, messages to standard error.

Input: diagnostics, texts, JSON-ready data. Output: streams and files. Colours only where standard error is a terminal
and NO_COLOR is not set. Not for: what is written.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from graphnn_compiler.diagnostics import Diagnostic, GnnError, Problem, count, render
from graphnn_compiler.files import replace_file

_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m"}
_PLAIN = "\x1b[0m"


class UsageError(Exception):
    """The command line cannot be followed: an unknown option, a file that is not there."""

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


def prepare() -> None:
    """Let standard output escape what its encoding lacks, as standard error always does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


# ------------------------------------------------------------------ messages


def say(text: str) -> None:
    """A line of message."""
    print(_visible(text), file=sys.stderr, flush=True)


def complain(message: str, help: str | None = None, note: str | None = None) -> None:
    """An error that has no code and no place, in the shape of a diagnostic."""
    lines = [f"error: {message}"]
    lines += [f"  = help: {help}"] if help else []
    lines += [f"  = note: {note}"] if note else []
    _coloured("\n".join(lines))


def show(diagnostics: Sequence[Diagnostic]) -> None:
    """Diagnostics with an empty line after each."""
    for diagnostic in diagnostics:
        _coloured(render(diagnostic))


def report(diagnostics: Sequence[Diagnostic]) -> None:
    """Diagnostics of one file, and how many there were."""
    show(diagnostics)
    say(tally(diagnostics, diagnostics[0].span.source.name))


def tally(diagnostics: Sequence[Diagnostic], name: str) -> str:
    """`2 errors, 1 warning in model.gnn`, `model.gnn: no errors`."""
    severities = [diagnostic.severity for diagnostic in diagnostics]
    counts = [(severities.count(severity), severity) for severity in ("error", "warning")]
    found = ", ".join(count(number, severity) for number, severity in counts if number)
    return f"{found} in {name}" if found else f"{name}: no errors"


def _coloured(text: str) -> None:
    head, sign, rest = _visible(text).partition(": ")
    if _has_colours():
        head = f"{_COLOURS[head.partition('[')[0]]}{head}{_PLAIN}"
    print(head + sign + rest, file=sys.stderr, flush=True)


def _has_colours() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _visible(text: str) -> str:
    """Control characters of file names as signs, so that they do nothing to a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


# ------------------------------------------------------------------ results


def write_result(text: str) -> None:
    """Text to standard output. GnnError (E542) where it cannot be written; a reader that left is BrokenPipeError."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_results()
        raise cannot_write("standard output", error) from error


def write_json(data: dict[str, Any]) -> None:
    """JSON to standard output, as `write_result`."""
    write_result(json.dumps(data, indent=2) + "\n")


def write_file(path: str, write: Callable[[BinaryIO], None]) -> None:
    """A file, whole or not at all. GnnError (E542) where it cannot be written."""
    try:
        replace_file(path, write)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_text_file(path: str, text: str) -> None:
    """A text file in UTF-8, as `write_file`."""

    def write(stream: BinaryIO) -> None:
        stream.write(text.encode("utf-8", "backslashreplace"))

    write_file(path, write)


def cannot_write(name: str, error: OSError) -> GnnError:
    reason = (error.strerror or type(error).__name__).lower()
    return GnnError([Problem("E542", f"`{name}` cannot be written: {reason}").about(name)])


def abandon_results() -> None:
    """Send what is left in the buffer of standard output nowhere, so that leaving does not fail on it again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def require_destination(path: str, sources: Sequence[str | None]) -> None:
    """UsageError where a file cannot be written at `path`, or would replace one of `sources`; before any work."""
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"`{path}` is a folder", help="name the file to write with -o")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder `{target.parent}` to write `{target.name}` to", help="make it first")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise UsageError(f"`{path}` may not be written", help="name another file with -o")
    for source in sources:
        if source is not None and target.exists() and Path(source).exists() and target.samefile(source):
            raise UsageError(f"`{source}` would be overwritten by the result", help="name another file with -o")
