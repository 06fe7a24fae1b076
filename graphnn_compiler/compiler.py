"""The order of the stages, and their named intermediates.

Input: program text and everything a build needs beside it. Output: after each stage its value and the diagnostics so
far. Not for: printing, arguments, files of results.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from graphnn_compiler.diagnostics import Diagnostic
from graphnn_compiler.language.lexical import MAX_NESTING
from graphnn_compiler.language.nodes import Program
from graphnn_compiler.language.parser import allowed_codes, parse
from graphnn_compiler.model.elaborate import check
from graphnn_compiler.model.parameters import Given
from graphnn_compiler.model.types import Model
from graphnn_compiler.source import Source

if TYPE_CHECKING:
    from graphnn_compiler.topology.resolve import Resolution


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a program becomes beside its text and its data files.

    `params` are values of the program's `param`s, `data` objects that replace its reads by declared name; the seed is
    that of every random rule and start value without one of its own. `max_edges` limits each edge set, `max_bytes`
    the parameters and edge arrays of the whole network.
    """

    params: Mapping[str, Given] = field(default_factory=dict)
    data: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"
    max_edges: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class Checked:
    """A program after the stages that need no data; `model` is None where there were errors."""

    program: Program | None
    model: Model | None
    diagnostics: tuple[Diagnostic, ...]


Result = TypeVar("Result")

_FRAMES_PER_LEVEL = 25
_DEEPEST = _FRAMES_PER_LEVEL * MAX_NESTING


@contextmanager
def room_for_nesting() -> Iterator[None]:
    """Lift Python's recursion limit to what the deepest program that the parser lets through may need."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEEPEST))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _nested(
    source: Source, stage: Callable[[], tuple[Result | None, list[Diagnostic]]]
) -> tuple[Result | None, list[Diagnostic]]:
    """A stage's result. The parser bounds how deep a statement nests, not how many build on each other."""
    try:
        with room_for_nesting():
            return stage()
    except RecursionError:
        message = "the declarations of this program build on each other in too long a chain"
        return None, [Diagnostic("E019", message, source.whole(), "join several steps in one declaration")]


def analyse(source: Source, params: Mapping[str, Given] | None = None) -> Checked:
    """Parse and check a program; no data file is opened."""
    program, problems = parse(source)
    model: Model | None = None
    if program is not None and not _errors(problems):
        model, found = _nested(source, lambda: check(program, params))
        problems = [*problems, *found]
    return Checked(program, model, _in_order(problems, source))


@dataclass(frozen=True)
class Compiled:
    """A program after the stages before emission; `resolution` is None where there were errors."""

    checked: Checked
    resolution: Resolution | None
    diagnostics: tuple[Diagnostic, ...]


def compile_plan(source: Source, settings: Settings) -> Compiled:
    """Parse, check and resolve a program with its data."""
    # resolving brings NumPy, SciPy and pyarrow, which a check of the text alone does not need
    from graphnn_compiler.topology.clauses import Limits
    from graphnn_compiler.topology.resolve import Build, resolve

    checked = analyse(source, settings.params)
    if checked.model is None:
        return Compiled(checked, None, checked.diagnostics)
    given = {"max_edges": settings.max_edges, "max_bytes": settings.max_bytes}
    limits = Limits(**{name: limit for name, limit in given.items() if limit is not None})
    model, build = checked.model, Build(settings.data, settings.seed, settings.dtype, limits)
    resolution, found = _nested(source, lambda: resolve(model, build))
    return Compiled(checked, resolution, _in_order([*checked.diagnostics, *found], source))


def _errors(diagnostics: Sequence[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def _in_order(diagnostics: Sequence[Diagnostic], source: Source) -> tuple[Diagnostic, ...]:
    """In the order of the text, without the warnings that the program allows by `# gnn: allow CODE`."""
    allowed = allowed_codes(source) if any(d.severity == "warning" for d in diagnostics) else frozenset()
    kept = [d for d in diagnostics if d.severity == "error" or d.code not in allowed]
    return tuple(sorted(kept, key=lambda d: (d.span.start, d.code)))
