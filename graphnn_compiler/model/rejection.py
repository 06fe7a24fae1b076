"""How the checker refuses: one exception inside the stage, collected where checking can go on.

A statement is one unit of checking: the first refusal ends it, the next statement is checked all the same.
Not for: leaving the stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from graphnn_compiler.diagnostics import Diagnostic, Related
from graphnn_compiler.source import Span


class Rejected(Exception):
    """Carries one diagnostic to the nearest `collecting`; None where the cause was already reported."""

    def __init__(self, diagnostic: Diagnostic | None) -> None:
        super().__init__(diagnostic)
        self.diagnostic = diagnostic


def reject(
    code: str,
    message: str,
    span: Span,
    *,
    help: str | None = None,
    notes: Sequence[str] = (),
    related: Sequence[tuple[Span, str]] = (),
) -> NoReturn:
    """Refuse the statement that is being checked."""
    places = tuple(Related(place, label) for place, label in related)
    raise Rejected(Diagnostic(code, message, span, help, tuple(notes), places))


class Refused:
    """Parts of a model whose refusal was already reported; each is reported once, however often it is used."""

    def __init__(self) -> None:
        self._parts: dict[int, object] = {}

    @contextmanager
    def once(self, part: object) -> Iterator[None]:
        """Let a refusal in the block out; from then on refuse the part without a word and without trying again."""
        if id(part) in self._parts:
            raise Rejected(None)
        try:
            yield
        except Rejected:
            self._parts[id(part)] = part
            raise


@contextmanager
def collecting(into: list[Diagnostic]) -> Iterator[None]:
    """Turn a refusal inside the block into an entry of `into`, and go on after the block."""
    try:
        yield
    except Rejected as rejected:
        if rejected.diagnostic is not None:
            into.append(rejected.diagnostic)
