"""A syntax tree as indented text, one node a line.

Input: a `Program` (or any node). Output: text such as `LayerDecl kind='layer' name='hidden'  3:1`; a child stands under
its parent, after the name of the field that holds it. Not for: reading back; canonical program text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from graphnn_compiler.language.nodes import Program
from graphnn_compiler.source import Source, Span


def dump(program: Program) -> str:
    """The tree of a program as text, with the line and column where each node starts."""
    lines = []
    waiting: list[tuple[int, str, Any]] = [(0, "", program)]
    while waiting:
        depth, label, node = waiting.pop()
        lines.append("  " * depth + label + _line(node))
        waiting += [(depth + 1, name, child) for name, child in reversed(list(_children(node)))]
    return "\n".join(lines) + "\n"


def _line(node: Any) -> str:
    scalars = [f"{name}={value!r}" for name, value in _fields(node) if not _is_tree(value) and value is not None]
    span = getattr(node, "span", None)
    place = f"  {span.line}:{span.column}" if isinstance(span, Span) else ""
    return " ".join([type(node).__name__, *scalars]) + place


def _fields(node: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(node):
        value = getattr(node, field.name)
        if not isinstance(value, (Span, Source)):
            yield field.name, value


def _is_tree(value: Any) -> bool:
    if isinstance(value, tuple):
        return not value or hasattr(value[0], "span")
    return hasattr(value, "span")


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    for name, value in _fields(node):
        if not _is_tree(value):
            continue
        if isinstance(value, tuple):
            yield from ((f"{name}[{i}]: ", item) for i, item in enumerate(value))
        else:
            yield f"{name}: ", value
