"""Python expressions and statements as text, laid out as `ruff format` leaves them.

Input: expressions made of names, calls and operators. Output: lines of at most `WIDTH` characters wherever there is a
place to break them. What is broken is broken at the commas of a call, one argument a line with a comma after the last:
formatters keep that whatever the width they are set to. Not for: what the expressions mean.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

WIDTH = 88
"""The default of ruff and Black: the text is to be pasted into other people's projects."""

INDENT = "    "
_SUM, _PRODUCT, _SIGN, _ATOM = range(4)
_LEVELS = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT}


@dataclass(frozen=True, eq=False)
class Code:
    """An expression on one line, and how tightly it binds.

    `parts` are the expressions in it that could be variables of their own; `of` makes it anew from others. A call also
    has a `head`, what stands before its parenthesis, if the arguments are all its parts.
    """

    text: str
    level: int = _ATOM
    parts: tuple[Code, ...] = ()
    of: Callable[..., Code] | None = None
    head: str | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def tight(self) -> str:
        """The text as something that `.name` or `[index]` may follow."""
        return self.text if self.level == _ATOM else f"({self.text})"

    @property
    def is_compound(self) -> bool:
        return bool(self.parts)

    def method(self, name: str, *arguments: Code | str) -> Code:
        made = call(f"{self.tight}.{name}", *arguments)
        if not self.is_compound:
            return made
        return Code(made.text, _ATOM, (self,), lambda receiver: receiver.method(name, *arguments))

    def attribute(self, name: str) -> Code:
        return self._with(lambda receiver: f"{receiver.tight}.{name}")

    def item(self, index: str) -> Code:
        return self._with(lambda receiver: f"{receiver.tight}[{index}]")

    def negative(self) -> Code:
        inner = self.text if self.level >= _SIGN else f"({self.text})"
        return Code(f"-{inner}", _SIGN, (self,) if self.is_compound else (), lambda part: part.negative())

    def _with(self, suffixed: Callable[[Code], str]) -> Code:
        parts = (self,) if self.is_compound else ()
        return Code(suffixed(self), _ATOM, parts, lambda receiver: receiver._with(suffixed))


def atom(text: str) -> Code:
    """A name, a subscript, a number or anything else that needs no parentheses around it."""
    return Code(text)


def call(head: str, *arguments: Code | str) -> Code:
    parts = tuple(Code(argument) if isinstance(argument, str) else argument for argument in arguments)
    text = f"{head}({', '.join(part.text for part in parts)})"
    return Code(text, _ATOM, parts, lambda *others: call(head, *others), head)


def infix(left: Code, operator: str, right: Code) -> Code:
    """`left operator right` with the parentheses that it needs: operators bind and group as Python's do."""
    level = _LEVELS[operator]
    first = left.text if left.level >= level else f"({left.text})"
    second = right.text if right.level > level else f"({right.text})"
    text = f"{first} {operator} {second}"
    return Code(text, level, (left, right), lambda one, other: infix(one, operator, other))


def tuple_of(items: Sequence[object]) -> str:
    return f"({', '.join(map(str, items))}{',' if len(items) == 1 else ''})"


def key(name: str) -> str:
    """A string literal as `ruff format` leaves it."""
    escapes = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    quote = "'" if name.count('"') > name.count("'") else '"'
    signs = (escapes.get(c) or (c if c.isprintable() else repr(c)[1:-1]) for c in name)
    return f"{quote}{''.join(chr(92) + c if c == quote else c for c in signs)}{quote}"


# ------------------------------------------------------------------ statements


def fits(start: str, value: Code) -> bool:
    """Whether a statement of a function's body stands on one line: a start such as `y =` or `return`, and a value."""
    return len(INDENT) + len(start) + 1 + len(value.text) <= WIDTH


def argument_fits(value: Code) -> bool:
    """Whether it stands on a line of its own as an argument of a call in a function's body."""
    return 2 * len(INDENT) + len(value.text) + 1 <= WIDTH


def statement(start: str, value: Code) -> list[str]:
    """`start value` in a function's body, a call with its arguments on lines of their own if it is too long."""
    if fits(start, value) or value.head is None:
        return [f"{INDENT}{start} {value.text}"]
    return [f"{INDENT}{start} {value.head}(", *(f"{2 * INDENT}{part.text}," for part in value.parts), f"{INDENT})"]


def commented(lines: list[str], comment: str) -> list[str]:
    """Lines of one statement with a comment behind it, or above it where it does not fit."""
    if len(lines) == 1 and len(lines[0]) + len(comment) + 4 <= WIDTH:
        return [f"{lines[0]}  # {comment}"]
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    return [f"{indent}# {comment}", *lines]


def sequence(start: str, items: Iterable[str], end: str, depth: int = 0) -> list[str]:
    """A literal with an item a line: `start`, the items with commas, `end`."""
    return [f"{INDENT * depth}{start}", *(f"{INDENT * (depth + 1)}{item}," for item in items), f"{INDENT * depth}{end}"]


def printable(text: str) -> str:
    """The text on one line, without characters that an editor would not show."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.expandtabs(4))


# ------------------------------------------------------------------ names


class Names:
    """Gives every thing of the program a variable name of its own."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def new(self, name: str) -> str:
        """`up.1.coarse` becomes `up_1_coarse`; a name that is taken gets a number."""
        base = identifier(name)
        found, number = base, 2
        while found in self._taken:
            found, number = f"{base}_{number}", number + 1
        self._taken.add(found)
        return found


def identifier(name: str) -> str:
    """A name of the program as a Python identifier in lower case."""
    text = re.sub(r"\W+", "_", name).lower()
    text = text if text.isidentifier() else f"n_{text}".rstrip("_") or "n"
    return f"{text}_" if keyword.iskeyword(text) or keyword.issoftkeyword(text) else text
