"""The order of the stages, and their named intermediates.

Input: program text and everything a build needs beside it. Output: after each stage its value and the diagnostics so
far. Not for: printing, arguments, files of results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphnn_compiler.diagnostics import Diagnostic
from graphnn_compiler.language.nodes import Program
from graphnn_compiler.language.parser import allowed_codes, parse
from graphnn_compiler.model.elaborate import check
from graphnn_compiler.model.parameters import Given
from graphnn_compiler.model.types import Model
from graphnn_compiler.source import Source


@dataclass(frozen=True)
class Checked:
    """A program after the stages that need no data; `model` is None where there were errors."""

    program: Program | None
    model: Model | None
    diagnostics: tuple[Diagnostic, ...]


def analyse(source: Source, params: Mapping[str, Given] | None = None) -> Checked:
    """Parse and check a program; no data file is opened."""
    program, problems = parse(source)
    model: Model | None = None
    if program is not None and not _errors(problems):
        model, found = check(program, params)
        problems = [*problems, *found]
    return Checked(program, model, _in_order(problems, source))


def _errors(diagnostics: list[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def _in_order(diagnostics: list[Diagnostic], source: Source) -> tuple[Diagnostic, ...]:
    """In the order of the text, without the warnings that the program allows by `# gnn: allow CODE`."""
    allowed = allowed_codes(source) if any(d.severity == "warning" for d in diagnostics) else frozenset()
    kept = [d for d in diagnostics if d.severity == "error" or d.code not in allowed]
    return tuple(sorted(kept, key=lambda d: (d.span.start, d.code)))
