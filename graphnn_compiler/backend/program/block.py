"""The body of a function while it is printed, and the arrays that the program reads from its file.

Input: assignments and arrays. Output: lines, and arrays by name, each content once. Not for: what is computed.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.backend.program.code import (
    Code,
    Names,
    argument_fits,
    atom,
    commented,
    fits,
    printable,
    statement,
)


class Block:
    """Statements of one function, in order."""

    def __init__(self, names: Names) -> None:
        self.lines: list[str] = []
        self._names = names

    def new(self, name: str) -> str:
        """A variable's name of its own for something of the program."""
        return self._names.new(name)

    def set(self, name: str, code: Code, comment: str | None = None) -> Code:
        """`name = code`, what is too long taken apart into several statements."""
        code = self._short(name, code)
        lines = statement(f"{name} =", code)
        self.lines += lines if comment is None else commented(lines, comment)
        return atom(name)

    def give(self, code: Code) -> None:
        """`return code`."""
        self.lines += statement("return", self._short("result", code, start="return"))

    def _short(self, name: str, code: Code, start: str | None = None) -> Code:
        """The code with variables for parts of it, until it fits; long names may keep it from fitting."""
        start = start or f"{name} ="
        while not fits(start, code) and code.of is not None:
            parts = list(code.parts)
            if code.head is not None:
                places = [i for i, part in enumerate(parts) if part.is_compound and not argument_fits(part)]
            else:
                places = [i for i, part in enumerate(parts) if part.is_compound]
            if not places:
                break
            place = places[0]
            others = " ".join(part.text for part in parts[place + 1 :])
            free = place == 0 and code.head is None and start != "return" and not _mentions(others, name)
            parts[place] = self.set(name, parts[place]) if free else self.named(name, parts[place])
            code = code.of(*parts)
        return code

    def named(self, hint: str, code: Code) -> Code:
        """A new variable for an expression."""
        return self.set(self._names.new(hint), code)

    def say(self, comment: str) -> None:
        self.lines += [f"    # {printable(line)}".rstrip() for line in comment.splitlines()]


class Arrays:
    """What the file of a program holds."""

    def __init__(self) -> None:
        self.by_name: dict[str, NDArray] = {}
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def keep(self, name: str, array: NDArray) -> None:
        """An array that stands under its own name whatever others hold."""
        self.by_name[name] = array

    def add(self, name: str, array: NDArray, *, numbered: bool = False) -> str:
        """The name under which the content stands: this one, or that of an equal array before it.

        Where the name is another's, it is `numbered`, or ValueError.
        """
        content = np.ascontiguousarray(array)
        known = (content.dtype.str, content.shape, hashlib.sha256(content.data).digest())
        if known in self._names:
            return self._names[known]
        if name in self.by_name and not numbered:
            raise ValueError(f"two arrays are named {name}")
        found = next(free for free in _candidates(name) if free not in self.by_name)
        self._names[known], self.by_name[found] = found, content
        return found


def _candidates(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}.{number}" for number in itertools.count(2))


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}\b", text) is not None
