"""What is wrong with a program or its data, as values.

A `Diagnostic` cannot be made without a place in the program. Code that does not know the program (a reader, a
connectivity rule) raises a `Problem`, and the stage that called it gives it a span with `Problem.at`. The API's
edge raises one `GnnError` that carries every diagnostic. Not for: deciding what is an error; printing.
"""

from __future__ import annotations

import difflib
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphnn_compiler.source import DataPlace, Source, Span

JSON_FORMAT_VERSION = 1
_LONGEST_EXCERPT = 160


@dataclass(frozen=True)
class Related:
    """A second place that has to do with an error, and what it has to do with it."""

    place: Span | DataPlace
    label: str


@dataclass(frozen=True)
class Diagnostic:
    """One error (`E...`) or lint (`W...`) at one place of the program."""

    code: str
    message: str
    span: Span
    help: str | None = None
    notes: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()

    @property
    def severity(self) -> str:
        return "warning" if self.code.startswith("W") else "error"

    def __str__(self) -> str:
        return render(self)


class Problem(Exception):
    """A refusal by code that does not know the program text; `at` makes it a diagnostic.

    Never leaves the package: the stage that calls such code catches it and adds the span.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        help: str | None = None,
        notes: Sequence[str] = (),
        places: Sequence[tuple[DataPlace, str]] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help
        self.notes = tuple(notes)
        self.places = tuple(places)

    def at(self, span: Span, related: Iterable[Related] = ()) -> Diagnostic:
        """This problem as a diagnostic at a span of the program."""
        places = tuple(Related(place, label) for place, label in self.places)
        return Diagnostic(self.code, self.message, span, self.help, self.notes, places + tuple(related))

    def about(self, file: str) -> Diagnostic:
        """This problem as a diagnostic about a file that is no program, such as a saved model: no line is shown."""
        elsewhere = [Related(place, label) for place, label in self.places if place != DataPlace(file)]
        span = Source(file, "").whole()
        return Diagnostic(self.code, self.message, span, self.help, self.notes, tuple(elsewhere))


class GnnError(Exception):
    """Raised at the API's edge; `diagnostics` holds every error that was found."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(render(d) for d in diagnostics))
        self.diagnostics = tuple(diagnostics)


def _display_width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)


def _printable(text: str) -> str:
    """The text with control characters made visible, so that what data files hold cannot steer a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _window(text: str, start: int, end: int) -> tuple[str, int, int]:
    """A long line cut to what is around `start .. end`; the cut text and where the range is in it."""
    if len(text) <= _LONGEST_EXCERPT:
        return text, start, end
    first = max(0, min(start - _LONGEST_EXCERPT // 2, len(text) - _LONGEST_EXCERPT))
    last = first + _LONGEST_EXCERPT
    before, after = "... " if first else "", " ..." if last < len(text) else ""
    shift = len(before) - first
    return before + text[first:last] + after, start + shift, min(end, last) + shift


def _excerpt(span: Span, mark: str, label: str = "") -> list[str]:
    """The source line of a span with a caret line under it, as `  12 | text`."""
    line, column = span.source.line_column(span.start)
    whole = span.source.line_text(line).replace("\t", " ")
    end = max(column, min(column - 1 + span.end - span.start, len(whole)))
    text, start, end = _window(whole, column - 1, end)
    text = _printable(text)
    lead, width = _display_width(text[:start]), max(1, _display_width(text[start:end]))
    number = str(line)
    pad = " " * len(number)
    under = f" {pad} | {' ' * lead}{mark * width} {label}".rstrip()
    return [f" {pad} |", f" {number} | {text}".rstrip(), under]


def render(diagnostic: Diagnostic) -> str:
    """The text of a diagnostic: code, message, place, source line with carets, related places, help, notes."""
    span = diagnostic.span
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    if span.source.text:
        lines += [f"  --> {span.source.name}:{span.line}:{span.column}", *_excerpt(span, "^")]
    else:
        lines.append(f"  --> {span.source.name}")
    for related in diagnostic.related:
        place = related.place
        if isinstance(place, Span):
            lines.append(f"  --> {place.source.name}:{place.line}:{place.column}")
            lines += _excerpt(place, "-", related.label)
        else:
            lines.append(f"  --> {place}: {related.label}")
    if diagnostic.help:
        lines.append(f"  = help: {diagnostic.help}")
    lines += [f"  = note: {note}" for note in diagnostic.notes]
    return "\n".join(_printable(line) for line in lines) + "\n"


def _place_json(place: Span | DataPlace) -> dict[str, Any]:
    if isinstance(place, DataPlace):
        return {"file": place.file, "line": place.line}
    end_line, end_column = place.source.line_column(place.end)
    return {
        "file": place.source.name,
        "line": place.line,
        "column": place.column,
        "end_line": end_line,
        "end_column": end_column,
    }


def to_json(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """The diagnostics as JSON-ready data."""
    return {
        "format_version": JSON_FORMAT_VERSION,
        "diagnostics": [
            {
                "code": d.code,
                "severity": d.severity,
                "message": d.message,
                "place": _place_json(d.span),
                "related": [{"place": _place_json(r.place), "label": r.label} for r in d.related],
                "help": d.help,
                "notes": list(d.notes),
            }
            for d in diagnostics
        ],
    }


def did_you_mean(name: str, candidates: Iterable[str], otherwise: str | None = None) -> str | None:
    """A help text that names the closest candidate, else `otherwise`."""
    close = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else otherwise


def listed(items: Iterable[object], limit: int = 3) -> str:
    """Up to `limit` items, separated by commas, and how many more there are."""
    items = list(items)
    shown = ", ".join(str(item) for item in items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit:,} more"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 edge`, `2,000 edges`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def size_text(n_bytes: int | float) -> str:
    """A number of bytes in the largest binary unit that keeps it at one or more."""
    power = min(int(math.log(n_bytes, 1024)), 5) if n_bytes >= 1 else 0
    if power == 0:
        return f"{int(n_bytes)} bytes"
    return f"{n_bytes / 1024**power:.1f} {('KiB', 'MiB', 'GiB', 'TiB', 'PiB')[power - 1]}"
