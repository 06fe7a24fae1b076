"""Mistakes that show in single words and signs, before any grammar: strings, numbers, foreign operators, depth.

Input: a source and its tokens (see `tokens`). Output: diagnostics in order of place. Not for: the order of words.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterator, Sequence

from graphnn_compiler.diagnostics import Diagnostic, Related
from graphnn_compiler.language.tokens import CLOSERS, STARTERS, Token
from graphnn_compiler.source import Source, Span

MAX_NESTING = 200
_LARGEST_INTEGER = 2**63 - 1
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_SIMPLE_ESCAPES = frozenset("nt\\\"'")
_FOREIGN_WORDS = {"True": "true", "False": "false", "None": "none"}
_FOREIGN_SIGNS = {"&": ("&&", "and"), "|": ("||", "or")}
_OPERAND_WORDS = frozenset({"true", "false", "none"})


def _span(source: Source, token: Token) -> Span:
    return Span(source, token.start, token.end)


def lexical_mistakes(source: Source, tokens: Sequence[Token]) -> Iterator[Diagnostic]:
    """Every mistake that shows in the tokens (given without comments)."""
    nesting, refused = 0, False
    for i, token in enumerate(tokens):
        previous = tokens[i - 1] if i else None
        adjacent = previous if previous and previous.end == token.start else None
        match token.kind:
            case "unknown":
                if adjacent is None or adjacent.kind != "unknown":
                    yield _unknown(source, token)
            case "open_string":
                yield _open_string(source, token)
            case "string":
                yield from _escapes(source, token)
            case "integer" | "real":
                yield from _number(source, token, adjacent)
            case "name" | "keyword":
                yield from _word(source, token, previous, adjacent)
                if token.indent == 0 and token.text in STARTERS:
                    nesting, refused = 0, False
            case "sign":
                nesting = max(0, nesting + (token.text in CLOSERS) - (token.text in CLOSERS.values()))
                if nesting > MAX_NESTING and not refused:
                    refused = True
                    yield too_deep(_span(source, token))
                yield from _sign(source, token, adjacent)


def too_deep(span: Span) -> Diagnostic:
    """The refusal of what nests deeper than every later stage can walk."""
    return Diagnostic(
        "E013",
        f"the program nests deeper than {MAX_NESTING} levels here",
        span,
        help="name parts of it with `let`, `nodes` or `edges`; every operator of a chain `a + b + c` is a level too",
    )


def _unknown(source: Source, token: Token) -> Diagnostic:
    span = _span(source, token)
    if token.text == "!":
        return Diagnostic("E009", "`!` is no operator of this language", span, help="write `not`")
    shown = f"`{token.text}`" if token.text.isprintable() and token.text != "`" else f"U+{ord(token.text):04X}"
    helps = {
        ";": "statements and options need no separator",
        "^": "powers are written `a ** b`",
        "“": 'strings stand between straight quotes: `"`',
        "”": 'strings stand between straight quotes: `"`',
        "?": "a condition is written `a if condition else b`",
    }
    return Diagnostic("E002", f"the character {shown} has no meaning here", span, help=helps.get(token.text))


def _open_string(source: Source, token: Token) -> Diagnostic:
    help = f"add `{token.text[0]}` at its end; a string ends on the line where it starts"
    return Diagnostic("E003", "this string is not closed", _span(source, token), help=help)


def _escapes(source: Source, token: Token) -> Iterator[Diagnostic]:
    for match in _ESCAPE.finditer(token.text):
        letter = match.group(1)
        if letter in _SIMPLE_ESCAPES:
            continue
        span = Span(source, token.start + match.start(), token.start + match.end())
        if len(letter) == 1:
            help = r"known are \n, \t, \\, \", \' and \uXXXX; a backslash itself is written \\"
            yield Diagnostic("E012", f"unknown escape `\\{letter}` in a string", span, help=help)
        elif 0xD800 <= int(letter[1:], 16) <= 0xDFFF:
            help = "write the character itself; programs are UTF-8"
            yield Diagnostic("E012", f"`\\{letter}` is half of a character", span, help=help)


def _number(source: Source, token: Token, adjacent: Token | None) -> Iterator[Diagnostic]:
    digits = token.text.replace("_", "")
    too_large = (
        len(digits) > 19 or int(digits) > _LARGEST_INTEGER if token.kind == "integer" else math.isinf(float(digits))
    )
    if too_large:
        limit = f"{_LARGEST_INTEGER:,}".replace(",", "_") if token.kind == "integer" else "1.79e308"
        shown = Span(source, token.start, min(token.end, token.start + 40))
        yield Diagnostic("E011", "this number is too large", shown, help=f"the largest is {limit}")
    if adjacent is not None and adjacent.text == ".":
        span = _span(source, adjacent).to(_span(source, token))
        help = f"write `0.{token.text[:40]}`; an item is `a[0]`, a range `a..b`"
        yield Diagnostic("E017", "a number starts with a digit", span, help=help)


def _word(source: Source, token: Token, previous: Token | None, adjacent: Token | None) -> Iterator[Diagnostic]:
    if adjacent is not None and adjacent.kind in ("integer", "real"):
        span = _span(source, adjacent).to(_span(source, token))
        help = "numbers are written `12`, `100_000`, `0.5` or `1e-4`; a name does not start with a digit"
        yield Diagnostic("E017", "this is neither a number nor a name", span, help=help)
    elif token.text in _FOREIGN_WORDS and (previous is None or previous.text != "."):
        right = _FOREIGN_WORDS[token.text]
        span = _span(source, token)
        yield Diagnostic("E010", f"`{token.text}` is no word of this language", span, help=f"did you mean `{right}`?")


def _sign(source: Source, token: Token, adjacent: Token | None) -> Iterator[Diagnostic]:
    if adjacent is None:
        return
    span = _span(source, adjacent).to(_span(source, token))
    if token.text == "." and adjacent.kind == "integer":
        help = f"write `{adjacent.text[:40]}.0`, or `a..b` for a range"
        yield Diagnostic("E017", "a number does not end in a point", span, help=help)
    elif token.text in _FOREIGN_SIGNS and adjacent.text == token.text:
        wrong, right = _FOREIGN_SIGNS[token.text]
        yield Diagnostic("E009", f"`{wrong}` is no operator of this language", span, help=f"write `{right}`")


# ------------------------------------------------------------------ a lint


def _ends_operand(token: Token) -> bool:
    if token.kind == "keyword":
        return token.text in _OPERAND_WORDS
    return token.kind in ("name", "integer", "real", "string") or token.text in (")", "]")


def glued_operators(source: Source, tokens: Sequence[Token], values: Sequence[tuple[int, int]]) -> Iterator[Diagnostic]:
    """Warn of signs that look like the start of something new but continue an option's value: `d -0.5`, `f [1]`.

    `values` are the ranges of characters of the values of options.
    """
    starts = [token.start for token in tokens]
    for low, high in values:
        nesting = 0
        for i in range(bisect.bisect_left(starts, low) + 1, bisect.bisect_left(starts, high)):
            before, token = tokens[i - 1], tokens[i]
            if nesting == 0 and before.end < token.start and _ends_operand(before):
                yield from _glued(source, before, token, tokens[i + 1 : i + 2])
            nesting += (token.text in CLOSERS) - (token.text in CLOSERS.values())


def _glued(source: Source, before: Token, token: Token, following: Sequence[Token]) -> Iterator[Diagnostic]:
    related = (Related(_span(source, before), "this goes on"),)
    span = _span(source, token)
    if token.text == "-" and following and following[0].start == token.end:
        message = "this `-` subtracts from the value before it, but is written like a sign"
        yield Diagnostic("W010", message, span, help="put a blank after it too, or none before it", related=related)
    elif token.text in ("(", "["):
        message = f"this `{token.text}` belongs to the value before it, but stands apart from it"
        yield Diagnostic("W010", message, span, help="remove the blank before it", related=related)
