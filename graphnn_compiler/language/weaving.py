"""The comments and empty lines of a text, for a printer that passes through its tree in order.

Input: the text and its tokens. Output: each comment once, when the printer comes to its place. Not for: where comments
are printed.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from graphnn_compiler.language.layout import Doc
from graphnn_compiler.language.tokens import Token

_BETWEEN = " \t\f\r,"


class OwnLine(NamedTuple):
    """A comment that gets a line of its own; `blank` if an empty line stands before it."""

    text: str
    blank: bool


class Weaver:
    """Hands out comments in the order of the text."""

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self._text = text
        self._code = [token for token in tokens if token.kind != "comment"]
        self._comments = [token for token in tokens if token.kind == "comment"]
        self._next = 0
        self._lifted: list[OwnLine] = []

    def before(self, offset: float = math.inf) -> list[OwnLine]:
        """The comments that start before an offset and have not been handed out."""
        found = []
        while self._next < len(self._comments) and self._comments[self._next].start < offset:
            comment = self._comments[self._next]
            found.append(OwnLine(comment.text.rstrip(), self.blank_before(comment.start)))
            self._next += 1
        return found

    def lift(self, offset: int) -> None:
        """Set aside the comments before an offset, for the line on which the innermost `around` starts."""
        self._lifted += self.before(offset)

    def around(self, end: int, build: Callable[[], Doc]) -> tuple[Doc, list[OwnLine]]:
        """What `build` makes of the text up to `end`, and the comments in that text that found no place there."""
        outer = len(self._lifted)
        doc = build()
        self.lift(end)
        found = [comment._replace(blank=False) for comment in self._lifted[outer:]]
        del self._lifted[outer:]
        return doc, found

    def after(self, end: int, *, docs: bool = True, past: str = "") -> str | None:
        """The comment that stands on the same line behind what ends at `end`; doc comments only if `docs`.

        Blanks, commas and the characters `past` may stand between.
        """
        if self._next == len(self._comments):
            return None
        comment = self._comments[self._next]
        between = self._text[end : comment.start] if comment.start >= end else "."
        if between.strip(_BETWEEN + past) or (comment.text.startswith("##") and not docs):
            return None
        self._next += 1
        return comment.text.rstrip()

    def blank_before(self, offset: int) -> bool:
        """Whether an empty line stands before an offset at which a token or comment starts."""
        start = offset
        while start > 0 and self._text[start - 1].isspace():
            start -= 1
        return self._text.count("\n", start, offset) > 1

    def on_one_line(self, start: int, end: int) -> bool:
        """Whether a stretch of the text has no line ending in it."""
        return "\n" not in self._text[start:end]

    def brace_after(self, offset: int) -> int:
        """Where the first `{` after an offset stands."""
        index = bisect.bisect_left(self._code, offset, key=lambda token: token.start)
        return next((token.start for token in islice(self._code, index, None) if token.text == "{"), offset)

    def keyword_before(self, word: str, offset: int) -> int:
        """Where the last keyword `word` before an offset starts."""
        index = bisect.bisect_left(self._code, offset, key=lambda token: token.start)
        while index > 0 and self._code[index - 1].text != word:
            index -= 1
        return self._code[index - 1].start if index else offset

    def first_code(self) -> tuple[Token, Token]:
        """The first two tokens that are no comments."""
        return self._code[0], self._code[1]
