"""Refusing arguments of a training that cannot be meant.

Input: a condition and what to say. Output: nothing, or ValueError. Not for: files, programs.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphnn_compiler.arguments import unknown


def require(condition: bool, message: str) -> None:
    """ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def require_choice(what: str, name: str, known: Iterable[str]) -> None:
    """ValueError, with the nearest name, unless `name` is one of those known."""
    known = list(known)
    require(name in known, unknown(what, name, known))
