"""A program's text as flat tokens, and what can be read off them without a grammar.

Input: the text, and the pattern that the parser derives from the grammar's terminals. Output: tokens, the ranges of the
statements (so that a bad one can be set aside), doc comments. Never fails, whatever the text. Not for: the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

STARTERS = frozenset({
    "assert", "block", "edges", "gnn", "graph", "import", "input", "layer", "let", "loss", "metric", "next", "nodes",
    "output", "param", "repeat", "return", "target",
})  # fmt: skip
CLOSERS = {"(": ")", "[": "]", "{": "}"}
_WITH_STATEMENTS = frozenset({"repeat", "block"})


class Token(NamedTuple):
    """`kind` is name, keyword, integer, real, string, sign, comment, open_string or unknown.

    `indent` is the number of characters before the token if it is the first on its line.
    """

    kind: str
    text: str
    start: int
    indent: int | None

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def scan(pattern: re.Pattern[str], text: str) -> list[Token]:
    """The tokens of a text in order, comments among them; `pattern` has one named group per kind."""
    tokens = []
    line_start, first = 0, True
    for match in pattern.finditer(text):
        kind = str(match.lastgroup)
        start, value = match.start(), match.group()
        if kind == "blank":
            if "\n" in value:
                line_start, first = start + value.rindex("\n") + 1, True
            continue
        tokens.append(Token(kind, value, start, start - line_start if first else None))
        first = False
    return tokens


def without_comments(tokens: Iterable[Token]) -> list[Token]:
    return [token for token in tokens if token.kind != "comment"]


def open_brackets(tokens: Iterable[Token]) -> list[Token]:
    """The brackets that are open after these tokens, outermost first; closing ones that fit none are passed over."""
    opened: list[Token] = []
    for token in tokens:
        if token.kind != "sign":
            continue
        if token.text in CLOSERS:
            opened.append(token)
        elif opened and token.text == CLOSERS[opened[-1].text]:
            opened.pop()
    return opened


# ------------------------------------------------------------------ statements


@dataclass(frozen=True)
class Extent:
    """The range of characters `start .. end` of one statement, and its first word."""

    start: int
    end: int
    head: str


@dataclass
class _Opened:
    """A statement or a bracket whose end has not been met."""

    token: Token
    body: bool  # a brace that holds statements
    indent: int  # of the statement it belongs to


def _balanced(tokens: Iterable[Token]) -> bool:
    opened: list[str] = []
    for token in tokens:
        if token.kind != "sign":
            continue
        if token.text in CLOSERS:
            opened.append(CLOSERS[token.text])
        elif token.text in CLOSERS.values() and (not opened or opened.pop() != token.text):
            return False
    return not opened


class _Extents:
    """Finds statements: keywords outside all brackets or in the body of a `repeat` or `block`.

    Where brackets do not balance, a keyword that starts a line no deeper than the open statement ends that statement.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._trust_brackets = _balanced(tokens)
        self._brackets: list[_Opened] = []
        self._open: list[tuple[Token, int]] = []  # statements, and how many brackets were open where they start
        self.found: list[Extent] = []

    def run(self) -> list[Extent]:
        for i, token in enumerate(self._tokens):
            if self._starts_statement(i):
                self._begin(i)
            elif token.kind == "sign" and token.text in CLOSERS:
                self._open_bracket(token)
            elif token.kind == "sign" and self._brackets and token.text == CLOSERS[self._brackets[-1].token.text]:
                self._brackets.pop()
                self._end(i, len(self._brackets) + 1)
        self._end(len(self._tokens), 0)
        return sorted(self.found, key=lambda extent: (extent.start, -extent.end))

    def _starts_statement(self, i: int) -> bool:
        token = self._tokens[i]
        if i == 0:
            return True
        if token.kind != "keyword" or token.text not in STARTERS:
            return False
        before = self._tokens[i - 1]
        named_before = before.kind == "keyword" and before.text in STARTERS and token.indent is None
        if before.text in (".", ":") or named_before or (i + 1 < len(self._tokens) and self._tokens[i + 1].text == "="):
            return False
        if not self._brackets or self._brackets[-1].body:
            return True
        return not self._trust_brackets and token.indent is not None and token.indent <= self._brackets[-1].indent

    def _begin(self, i: int) -> None:
        token = self._tokens[i]
        while self._brackets and not self._brackets[-1].body:
            self._brackets.pop()
        if not self._trust_brackets and token.indent is not None:
            while self._brackets and token.indent <= self._brackets[-1].indent:
                self._brackets.pop()
        self._end(i, len(self._brackets))
        self._open.append((token, len(self._brackets)))

    def _open_bracket(self, token: Token) -> None:
        head, depth = self._open[-1] if self._open else (token, 0)
        body = token.text == "{" and head.text in _WITH_STATEMENTS and depth == len(self._brackets)
        self._brackets.append(_Opened(token, body, head.indent or 0))

    def _end(self, i: int, depth: int) -> None:
        """Close the statements that start inside `depth` or more brackets before token `i`."""
        while self._open and self._open[-1][1] >= depth:
            head, _ = self._open.pop()
            self.found.append(Extent(head.start, self._tokens[i - 1].end, head.text))


def extents(tokens: Sequence[Token]) -> list[Extent]:
    """The statements of a program (tokens without comments), nested ones after the one that holds them."""
    return _Extents(tokens).run()


# ------------------------------------------------------------------ doc comments


def doc_comments(tokens: Sequence[Token], text: str) -> tuple[str | None, dict[int, str]]:
    """The doc comment of the file, and those of tokens by the offset where the token starts.

    The first block of doc comments is the file's if it stands before the first statement and a blank line, another
    block after a blank line, or an import follows it; it may stand before or after the edition line.
    """
    blocks: list[list[str]] = []
    by_start: dict[int, str] = {}
    of_file: str | None = None
    before_first, after_blank, previous = True, True, ""
    for i, token in enumerate(tokens):
        if token.kind == "comment":
            if token.text.startswith("##"):
                if after_blank or not blocks:
                    blocks.append([])
                blocks[-1].append(token.text[2:].removeprefix(" ").rstrip())
                following = tokens[i + 1].start if i + 1 < len(tokens) else len(text)
                after_blank = text.count("\n", token.end, following) > 1
            continue
        if token.text == "gnn" or previous == "gnn":
            previous = token.text
            continue
        if before_first and blocks and (after_blank or len(blocks) > 1 or token.text == "import"):
            of_file = "\n".join(blocks.pop(0))
        if blocks:
            by_start[token.start] = "\n".join(line for block in blocks for line in block)
        before_first, blocks = False, []
    if before_first and blocks:
        of_file = "\n".join(line for block in blocks for line in block)
    return of_file, by_start
