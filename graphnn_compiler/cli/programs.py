"""Programs and saved models named on the command line.

Input: parsed arguments. Output: sources, settings, plans with values. Raises `UsageError` for a file that cannot be
read, `GnnError` for one that is wrong. Not for: writing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from graphnn_compiler import compiler
from graphnn_compiler.cli import output
from graphnn_compiler.cli.output import UsageError
from graphnn_compiler.compiler import Settings
from graphnn_compiler.diagnostics import Diagnostic, GnnError, Problem
from graphnn_compiler.language.parser import decoded
from graphnn_compiler.source import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphnn_compiler.topology.plan import Plan

STDIN = "-"
_ZIP_START = b"PK\x03\x04"


def read_program(name: str) -> Source:
    """The text of a program; `-` is standard input, whose paths are relative to the working folder."""
    content = sys.stdin.buffer.read() if name == STDIN else _bytes(name)
    if content.startswith(_ZIP_START):
        raise UsageError(f"`{shown(name)}` is a saved model, not a program", help="`gnnc inspect` shows what is in it")
    source, problems = decoded(shown(name), content, Path(name).parent)
    if source is None:
        raise GnnError(problems)
    return source


def shown(name: str) -> str:
    """The name of a program in messages."""
    return "<stdin>" if name == STDIN else name


def _bytes(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise _unreadable(name, error) from error


def require_file(name: str) -> None:
    """UsageError where there is no file of this name that can be opened."""
    try:
        open(name, "rb").close()
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: OSError) -> UsageError:
    """What is wrong with the name of a file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return UsageError(f"there is no file `{name}`")
    if isinstance(error, IsADirectoryError):
        return UsageError(f"`{name}` is a folder, not a file", help="name a file inside it")
    return UsageError(f"`{name}` cannot be read: {(error.strerror or type(error).__name__).lower()}")


def settings(arguments: argparse.Namespace) -> Settings:
    """What the options say about the build."""
    params: dict[str, str] = {}
    for name, value in arguments.params:
        if name in params:
            raise UsageError(f"parameter `{name}` is given twice", help="keep one of the two -p")
        params[name] = value
    return Settings(
        params=params,
        seed=arguments.seed or 0,
        dtype=arguments.dtype or "float32",
        max_edges=arguments.max_edges,
        max_bytes=arguments.max_bytes,
    )


def accepted(diagnostics: tuple[Diagnostic, ...]) -> None:
    """Show lints; raise GnnError where there are errors, which are shown with it."""
    if any(diagnostic.severity == "error" for diagnostic in diagnostics):
        raise GnnError(diagnostics)
    output.show(diagnostics)


def compilation(name: str, arguments: argparse.Namespace) -> compiler.Compiled:
    """A program after all stages, without errors."""
    result = compiler.compile_plan(read_program(name), settings(arguments))
    accepted(result.diagnostics)
    return result


def compiled(name: str, arguments: argparse.Namespace) -> tuple[Plan, Mapping[str, NDArray]]:
    """The plan and start values of a program."""
    resolution = compilation(name, arguments).resolution
    assert resolution is not None
    return resolution.plan, resolution.values


def plan_of_model(
    name: str, arguments: argparse.Namespace, seed_is_of_training: bool = False
) -> tuple[Plan, Mapping[str, NDArray]]:
    """The plan and values of a saved model, or of a program that is built now.

    A saved model takes no options of a build; `--seed` is one unless it is of a training too.
    """
    if name == STDIN or not is_saved(name):
        return compiled(name, arguments)
    given = [*([] if seed_is_of_training else ["seed"]), "dtype", "max_edges", "max_bytes"]
    options = ["-p"] * bool(arguments.params) + [
        f"--{it.replace('_', '-')}" for it in given if vars(arguments)[it] is not None
    ]
    if options:
        raise UsageError(f"`{options[0]}` says how a program is built, and `{name}` is built already")
    from graphnn_compiler.archive import load

    with about(name):
        return load(name)


def data_files(name: str, plan: Plan) -> list[str]:
    """Where the data files that a program read may be: relative to it or, if given by -p, to the working folder."""
    return [str(folder / file) for file in plan.provenance.files for folder in (Path(name).parent, Path())]


def is_saved(name: str) -> bool:
    """Whether a file is a saved model, by its name or its first bytes."""
    try:
        with open(name, "rb") as stream:
            return name.endswith(".gnnz") or stream.read(len(_ZIP_START)) == _ZIP_START
    except OSError as error:
        raise _unreadable(name, error) from error


@contextmanager
def about(name: str) -> Iterator[None]:
    """Make a `Problem` with a file that is no program a `GnnError`."""
    try:
        yield
    except Problem as problem:
        raise GnnError([problem.about(name)]) from problem
