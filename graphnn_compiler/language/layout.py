"""Documents that stand on one line where they fit, else on several, after Wadler's "A prettier printer" (2003).

Input: a document, made of strings, tuples of documents and the classes here. Output: rows of text. Not for: what the
text means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

INDENT = 2


@dataclass(frozen=True)
class Line:
    """A new line in a group that is broken, else `flat`."""

    flat: str = " "


@dataclass(frozen=True)
class Break:
    """A new line in any case, which breaks every group around it; after an empty line if `blank`."""

    blank: bool = False


@dataclass(frozen=True)
class Comment:
    """A comment at the end of a line, which must end after it. It does not count as width."""

    text: str


@dataclass(frozen=True)
class Either:
    """One text in a group on one line, another in a broken one."""

    flat: str
    broken: str


@dataclass(frozen=True)
class Nest:
    """A document whose lines are indented by one more step."""

    doc: Doc


@dataclass(frozen=True)
class Group:
    """A document that stands on one line if it fits with what follows it, else is broken."""

    doc: Doc


Doc: TypeAlias = str | Line | Break | Comment | Either | Nest | Group | tuple["Doc", ...]


class Row(NamedTuple):
    """One line of text without its ending, and the comment after it."""

    text: str
    comment: str | None = None


class _Piece(NamedTuple):
    """A document that is to be laid out, at an indentation, on one line or not."""

    doc: Doc
    indent: int
    flat: bool


def rows(doc: Doc, width: int) -> list[Row]:
    """The rows of a document; none is longer than `width` where the document has a place to break it."""
    done: list[Row] = []
    text, comment = "", None
    pending = [_Piece(doc, 0, False)]
    while pending:
        piece = pending.pop()
        match piece.doc:
            case str(word):
                text += word
            case Comment(text=words):
                comment = words
            case Either(flat=word, broken=broken):
                text += word if piece.flat else broken
            case Nest(doc=inner):
                pending.append(_Piece(inner, piece.indent + INDENT, piece.flat))
            case Group(doc=inner):
                flat = piece.flat or _fits(inner, width - len(text), pending)
                pending.append(_Piece(inner, piece.indent, flat))
            case Line(flat=blank) if piece.flat:
                text += blank
            case Line() | Break():
                done.append(Row(text.rstrip(), comment))
                if piece.doc == Break(blank=True):
                    done.append(Row(""))
                text, comment = " " * piece.indent, None
            case tuple(parts):
                pending += [_Piece(part, piece.indent, piece.flat) for part in reversed(parts)]
    done.append(Row(text.rstrip(), comment))
    return done


def _fits(doc: Doc, space: int, rest: Sequence[_Piece]) -> bool:
    """Whether a document on one line, and what follows it up to the first place that may break, is in the space."""
    inside: list[Doc] = [doc]
    while space >= 0 and inside:
        match inside.pop():
            case str(word) | Either(flat=word) | Line(flat=word):
                space -= len(word)
            case Break() | Comment():
                return False
            case Nest(doc=inner) | Group(doc=inner):
                inside.append(inner)
            case tuple(parts):
                inside += reversed(parts)
    return _fits_after(space, rest)


def _fits_after(space: int, rest: Sequence[_Piece]) -> bool:
    following = len(rest)
    outside: list[Doc] = []
    while space >= 0:
        if not outside:
            if following == 0:
                return True
            following -= 1
            outside.append(rest[following].doc)
        match outside.pop():
            case str(word) | Either(broken=word):
                space -= len(word)
            case Line() | Break() | Comment():
                return True
            case Nest(doc=inner) | Group(doc=inner):
                outside.append(inner)
            case tuple(parts):
                outside += reversed(parts)
    return False
