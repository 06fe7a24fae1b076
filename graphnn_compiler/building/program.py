"""Declarations to a program: which belong to it, in which order, under which names.

Input: outputs, losses and whatever else is to stand in the program. Output: its text, and the objects bound to names.
Not for: compiling; the text goes the way of every other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import count

from graphnn_compiler.building.declarations import Declaration, Statement
from graphnn_compiler.building.expressions import NOWHERE, Expr
from graphnn_compiler.language.nodes import Program as Tree
from graphnn_compiler.language.printer import canonical
from graphnn_compiler.source import Source

EDITION = 1


class Program:
    """A program of the given statements and of every declaration that they use, in an order in which it can be read.

    `str(program)` is its canonical `.gnn` text. `gnn.build` and `gnn.check` take a program as they take a file; errors
    are about this text. Paths are relative to the working folder.
    """

    def __init__(self, *statements: Statement) -> None:
        for statement in statements:
            if not isinstance(statement, Statement):
                raise TypeError(f"a program is made of layers, losses and other statements, not {statement!r}")
        self._statements = _in_order(statements)

    @cached_property
    def _names(self) -> dict[int, str]:
        declarations = [statement for statement in self._statements if isinstance(statement, Declaration)]
        names = {id(it): it._name for it in declarations if it._name is not None}
        taken = set(names.values())
        for prefix in {it._prefix for it in declarations}:
            free = (name for name in (f"{prefix}{i}" for i in count(1)) if name not in taken)
            nameless = (it for it in declarations if it._name is None and it._prefix == prefix)
            names |= {id(it): name for it, name in zip(nameless, free, strict=False)}
        return names

    @cached_property
    def text(self) -> str:
        """The canonical text of the program."""
        statements = tuple(statement._statement(self._names) for statement in self._statements)
        return canonical(Tree(NOWHERE.source, EDITION, statements))

    @property
    def source(self) -> Source:
        """The text as what is compiled."""
        return Source("<program>", self.text)

    @property
    def data(self) -> Mapping[str, object]:
        """The objects that were given in place of files, by the names of their declarations."""
        declarations = (statement for statement in self._statements if isinstance(statement, Declaration))
        return {self._names[id(it)]: it._data for it in declarations if it._data is not None}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Program of {len(self._statements)} statements>"


def program_of(value: Program | Statement) -> Program:
    """The program itself, or that of a single output."""
    return value if isinstance(value, Program) else Program(value)


def _in_order(roots: tuple[Statement, ...]) -> list[Statement]:
    """The statements and all that they use, each after what it uses. ValueError where one uses itself."""
    placed: dict[int, Statement] = {}
    open_: dict[int, Statement] = {}
    pending = list(reversed(roots))
    while pending:
        statement = pending[-1]
        if id(statement) in open_ or id(statement) in placed:
            pending.pop()
            if open_.pop(id(statement), None) is not None:
                placed[id(statement)] = statement
            continue
        open_[id(statement)] = statement
        for used in reversed(list(_declarations(statement))):
            if id(used) in open_:
                raise ValueError(f"{used!r} is made from itself")
            pending.append(used)
    return list(placed.values())


def _declarations(statement: Statement) -> Iterator[Declaration]:
    """The declarations that a statement names, in the order of its text."""
    pending = list(reversed(statement._used()))
    while pending:
        expr: Expr = pending.pop()
        if isinstance(expr, Declaration):
            yield expr
        pending += reversed(expr._parts)
