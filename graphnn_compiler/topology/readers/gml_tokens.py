"""The tokens of a GML file, read line by line.

Input: the lines. Output: names, numbers, texts and brackets, each with its line. Not for: what they mean (`gml`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.source import DataPlace

_TOKEN = re.compile(
    r"""[ \t\r\n\f\v]*(?:
      (?P<name>[A-Za-z_][0-9A-Za-z_.-]*)
    | (?P<real>[+-]?(?:INF|NAN|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]+)?|[0-9]+[Ee][+-]?[0-9]+)(?![0-9A-Za-z_.]))
    | (?P<integer>[+-]?[0-9]+(?![0-9A-Za-z_.]))
    | (?P<text>"[^"]*")
    | (?P<open>\[)
    | (?P<close>\])
    | (?P<comment>\#.*)
    | (?P<begun>")
    | (?P<end>$)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ENTITY = re.compile(r"&(?:[0-9A-Za-z]+|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_LONGEST_INTEGER = 25


class Token(NamedTuple):
    """A piece of the file. `value` is the name, the number, the text without its quotes, or the bracket."""

    kind: Literal["name", "number", "text", "open", "close"]
    value: str | int | float
    line: int


def tokens(lines: Iterable[str], shown: str) -> Iterator[Token]:
    """The tokens in order; E226 at a character that begins none, or at a text that never ends."""
    numbered = enumerate(lines, start=1)
    for line, rest in numbered:
        text, position, began = rest, 0, line
        while True:
            match = _TOKEN.match(text, position)
            if match is None:
                # of characters that are space elsewhere, but not in GML, nothing would be left by `split`
                (wrong, *_) = text[position:].split() or [ascii(text[position:].strip(" \t\r\n"))]
                raise syntax_problem(shown, began, f"`{wrong[:20]}` is no part of GML")
            kind, position = str(match.lastgroup), match.end()
            if kind in ("end", "comment"):
                break
            if kind == "begun":
                value, text, position, last = _long_text(text[position:], numbered, shown, began)
                yield Token("text", _unescaped(value), began)
                began = last
                continue
            yield _token(kind, match[kind], began, shown)


def _token(kind: str, written: str, line: int, shown: str) -> Token:
    if kind == "text":
        return Token("text", _unescaped(written[1:-1]), line)
    if kind == "real":
        return Token("number", float(written), line)
    if kind == "integer":
        if len(written) > _LONGEST_INTEGER:
            raise syntax_problem(shown, line, f"`{written[:20]}..` is beyond 64-bit integers")
        return Token("number", int(written), line)
    return Token("name" if kind == "name" else "open" if kind == "open" else "close", written, line)


def _long_text(start: str, numbered: Iterator[tuple[int, str]], shown: str, began: int) -> tuple[str, str, int, int]:
    """A text that goes on beyond its line; its last line, where it ends there, and the number of that line."""
    parts = [start]
    for number, line in numbered:
        end = line.find('"')
        if end >= 0:
            return "".join([*parts, line[:end]]), line, end + 1, number
        parts.append(line)
    raise syntax_problem(shown, began, "a quote is never closed")


def _unescaped(text: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def syntax_problem(shown: str, line: int | None, what: str) -> Problem:
    """E226: what is wrong, and where."""
    return Problem(
        "E226",
        f"`{shown}` is not well-formed GML",
        help="a GML file is `graph [ node [ id 0 ] .. edge [ source 0 target 0 ] .. ]`",
        places=[(DataPlace(shown, line), what)],
    )
