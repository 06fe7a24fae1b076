"""Program text and places in it.

Input: a file, a string or standard input. Output: a `Source`, and `Span`s that every later stage carries
so that an error can point at the characters that caused it. Not for: reading data files, rendering errors.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """The text of one program and where it came from.

    `name` is what errors show; `folder` is what relative paths in the program are relative to.
    """

    name: str
    text: str = field(repr=False)
    folder: Path = field(default_factory=Path, compare=False)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0] + [i + 1 for i, character in enumerate(self.text) if character == "\n"]

    def line_column(self, offset: int) -> tuple[int, int]:
        """The 1-based line and column (in characters) of a character offset."""
        line = bisect.bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line_text(self, line: int) -> str:
        """The text of a 1-based line, without its line ending."""
        start = self._line_starts[line - 1]
        end = self._line_starts[line] - 1 if line < len(self._line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r")

    def whole(self) -> Span:
        """The span of the first character: the place of errors about the program as a whole."""
        return Span(self, 0, 0)


@dataclass(frozen=True)
class Span:
    """The half-open range of characters `start .. end` of a source."""

    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.line_column(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.line_column(self.start)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of the other."""
        return Span(self.source, self.start, other.end)


@dataclass(frozen=True)
class DataPlace:
    """A place in a data file: the file as the program names it, and a 1-based line where one is known."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"
