"""What to set aside after a syntax error, so that the rest of the program can be read.

Input: a `Surprise` and the ranges of the statements. Output: ranges of text. Not for: messages.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphnn_compiler.language.mistakes import Surprise
from graphnn_compiler.language.tokens import CLOSERS, STARTERS, Extent, Token


def innermost(statements: Sequence[Extent], position: int) -> Extent:
    """The innermost statement at a position; a `return` is set aside only with its block, which needs one."""
    around = [extent for extent in statements if extent.start <= position < extent.end]
    if len(around) > 1 and around[-1].head == "return":
        return around[-2]
    return around[-1] if around else statements[-1]


def to_blame(surprise: Surprise, following: Sequence[Token], statements: Sequence[Extent]) -> list[Extent]:
    """The text to set aside: mostly the statement of the token, or the one before it that it cuts short."""
    token, opened = surprise.token, surprise.opened
    complete = len(surprise.accepted & STARTERS) > 2
    if token is not None and surprise.starts_statement and complete and not surprise.unclosed:
        return [extent for extent in statements if extent.start == token.start]
    if token is not None and not surprise.starts_statement:
        own = innermost(statements, token.start)
        if complete and token.indent is not None:
            own = Extent(token.start, min(own.end, _end_of_lines(following)), token.text)
        return [own]
    if token is None and opened:
        return [innermost(statements, opened[0].start)]
    culprit = opened[-1] if opened else surprise.before[-1] if surprise.before else token
    blamed = [innermost(statements, culprit.start)] if culprit is not None else []
    if token is not None and token.indent is None:
        blamed.append(innermost(statements, token.start))
    return blamed


def _end_of_lines(tokens: Sequence[Token]) -> int:
    """Where text that starts with the first token, a word that is no keyword, ends by its brackets and indentation."""
    nesting = 0
    indent = tokens[0].indent or 0
    for i, token in enumerate(tokens):
        if i and nesting <= 0 and token.indent is not None and token.indent <= indent:
            return tokens[i - 1].end
        nesting += (token.text in CLOSERS) - (token.text in CLOSERS.values())
    return tokens[-1].end
