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

from graphnn_compiler.diagnostics import Diagnostic, GnnError
from graphnn_compiler.language.imports import load_imports
from graphnn_compiler.language.lexical import MAX_NESTING
from graphnn_compiler.language.nodes import LayerDecl, LayerExprDecl, Program
from graphnn_compiler.language.parser import allowed_codes, parse
from graphnn_compiler.model.elaborate import check
from graphnn_compiler.model.parameters import Given
from graphnn_compiler.model.types import Model
from graphnn_compiler.source import Source

if TYPE_CHECKING:
    from graphnn_compiler.backend.program.module import Comments, Module
    from graphnn_compiler.backend.program.targets import TargetName
    from graphnn_compiler.topology.resolve import Build, Resolution, Resolver


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a program becomes beside its text and its data files.

    `params` are values of the program's `param`s, `data` objects that replace its reads by declared name; the seed is
    that of every random rule and start value without one of its own. `max_edges` limits each edge set, `max_bytes`
    the parameters and edge arrays of the whole network. `null` is the number of a null model, whose edges are shuffled
    and keep what `null_keep` says; 0 is the network itself.
    """

    params: Mapping[str, Given] = field(default_factory=dict)
    data: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"
    max_edges: int | None = None
    max_bytes: int | None = None
    null: int = 0
    null_keep: Literal["both_degrees", "in_degree"] = "both_degrees"


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
        imports, found = load_imports(program)
        problems = [*problems, *found]
    if program is not None and not _errors(problems):
        model, found = _nested(source, lambda: check(program, params, imports))
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
    from graphnn_compiler.topology.resolve import resolve

    checked = analyse(source, settings.params)
    if checked.model is None:
        return Compiled(checked, None, checked.diagnostics)
    model, build = checked.model, _build(settings)
    resolution, found = _nested(source, lambda: resolve(model, build))
    return Compiled(checked, resolution, _in_order([*checked.diagnostics, *found], source))


def author_comments(checked: Checked) -> Comments:
    """The doc comments of a program, and of its layers outside blocks and repeats."""
    from graphnn_compiler.backend.program.module import Comments

    if checked.program is None:
        return Comments()
    layers = [one for one in checked.program.statements if isinstance(one, LayerDecl | LayerExprDecl)]
    return Comments(checked.program.doc, {layer.name: layer.doc for layer in layers if layer.doc is not None})


def printed(compiled: Compiled, target: TargetName, name: str) -> Module:
    """A compiled program as a stand-alone module of that name. GnnError, at its place, for what the target lacks."""
    from graphnn_compiler.backend.program.module import Unprintable, print_module

    model, resolution = compiled.checked.model, compiled.resolution
    assert model is not None
    assert resolution is not None
    try:
        return print_module(resolution.plan, resolution.values, target, name, author_comments(compiled.checked))
    except Unprintable as refusal:
        spans = {layer.name: layer.span for layer in model.layers} | {goal.name: goal.span for goal in model.objectives}
        found = [problem.at(spans[owner]) for owner, problem in refusal.problems]
        raise GnnError(_in_order(found, model.source)) from None


def trace(source: Source, settings: Settings) -> tuple[Resolver | None, tuple[Diagnostic, ...]]:
    """As `compile_plan`, but with every set that was found on the way; None beside at least one error."""
    from graphnn_compiler.topology.resolve import Resolver

    checked = analyse(source, settings.params)
    if checked.model is None:
        return None, checked.diagnostics
    resolver = Resolver(checked.model, _build(settings))

    def run() -> tuple[Resolver | None, list[Diagnostic]]:
        resolver.run()
        return (None if _errors(resolver.problems) else resolver), resolver.problems

    done, found = _nested(source, run)
    return done, _in_order([*checked.diagnostics, *found], source)


def _build(settings: Settings) -> Build:
    from graphnn_compiler.topology.clauses import Limits
    from graphnn_compiler.topology.null_models import NullModel
    from graphnn_compiler.topology.resolve import Build

    null = NullModel(settings.null, settings.null_keep) if settings.null else None
    given = {"max_edges": settings.max_edges, "max_bytes": settings.max_bytes}
    limits = Limits(**{name: limit for name, limit in given.items() if limit is not None})
    return Build(settings.data, settings.seed, settings.dtype, limits, null)


def _errors(diagnostics: Sequence[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def _in_order(diagnostics: Sequence[Diagnostic], source: Source) -> tuple[Diagnostic, ...]:
    """In the order of the text, without the warnings that a file allows by `# gnn: allow CODE`.

    Of several with one code at one place the first is kept: there a repeat or a block makes the same several times.
    """
    allowed = {d.span.source: allowed_codes(d.span.source) for d in diagnostics if d.severity == "warning"}
    kept = [d for d in diagnostics if d.severity == "error" or d.code not in allowed[d.span.source]]
    first = {(d.code, d.span): d for d in reversed(kept)}
    of_file = list(dict.fromkeys([source, *(d.span.source for d in kept)]))
    return tuple(sorted(first.values(), key=lambda d: (of_file.index(d.span.source), d.span.start, d.code)))
