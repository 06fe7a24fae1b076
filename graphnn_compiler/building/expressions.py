"""Expressions of the language, recorded by Python's own operators.

Input: operators, calls, attributes and items on `Expr`s. Output: syntax nodes, once every declaration has its name.
Not for: types, meaning; nothing is checked but what could not be written down.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NoReturn

from graphnn_compiler.building.words import COLUMN_SCOPES, CONDITIONS
from graphnn_compiler.language import nodes as n
from graphnn_compiler.language.parser import tokens
from graphnn_compiler.source import Source, Span

NOWHERE = Span(Source("<program>", ""), 0, 0)

Names = Mapping[int, str]
"""The name of each declaration, by its `id`."""


class Expr:
    """An expression of a program: a word, a declaration, or what operators make of them.

    The operators are those of the language. Of conditions and columns, `&`, `|` and `~` are its `and`, `or` and `not`,
    and `x.isin(..)` is its `in`. An attribute is a member (`roads.nodes`), an item is a filter, relation or subscript.
    """

    __array_ufunc__ = None  # NumPy's numbers leave operators to us
    __hash__ = None  # type: ignore[assignment]  # `==` does not say whether two are equal

    def __init__(self, make: Callable[..., n.Expr], *parts: Expr, condition: bool = False) -> None:
        self._make = make
        self._parts = parts
        self._condition = condition

    def _syntax(self, names: Names) -> n.Expr:
        """The expression as syntax. Without recursion: Python's loops make long chains, which the parser judges."""
        done: list[n.Expr] = []
        pending: list[tuple[Expr, bool]] = [(self, False)]
        while pending:
            expr, ready = pending.pop()
            if expr._parts and not ready:
                pending.append((expr, True))
                pending += [(part, False) for part in reversed(expr._parts)]
                continue
            first = len(done) - len(expr._parts)
            done[first:] = [expr._node(names, done[first:])]
        return done[0]

    def _node(self, names: Names, parts: Sequence[n.Expr]) -> n.Expr:
        return self._make(*parts)

    # -------------------------------------------------------------- members, items

    def __getattr__(self, name: str) -> Expr:
        if name.startswith("_"):
            raise AttributeError(name)
        column = isinstance(self, Word) and self._word in COLUMN_SCOPES
        return Expr(lambda base: n.Member(base, name, NOWHERE, span=NOWHERE), self, condition=column)

    def __getitem__(self, index: object) -> Expr:
        if isinstance(index, slice | tuple):
            raise TypeError("an item of an expression is one condition, string or number")
        column = isinstance(self, Word) and self._word in COLUMN_SCOPES
        return Expr(lambda base, item: n.Select(base, item, span=NOWHERE), self, expression(index), condition=column)

    def isin(self, values: object) -> Expr:
        """The condition `self in values`, of a list or of `between(low, high)`."""
        return _compared("in", self, values)

    # -------------------------------------------------------------- what Python asks of values

    def __bool__(self) -> bool:
        raise TypeError(
            "an expression of a program is not true or false in Python: write `&`, `|` and `~` for `and`, `or` and "
            "`not`, with each comparison in parentheses, `.isin(..)` for `in`, and no `a < b < c`"
        )

    def __iter__(self) -> Iterator[NoReturn]:
        raise TypeError("an expression of a program has no items to go through")

    def __contains__(self, value: object) -> bool:
        raise TypeError("`in` is written `x.isin(..)`")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of a .gnn program>"

    # -------------------------------------------------------------- operators

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]  # recorded, not computed
        return _compared("==", self, other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]  # recorded, not computed
        return _compared("!=", self, other)

    def __lt__(self, other: object) -> Expr:
        return _compared("<", self, other)

    def __le__(self, other: object) -> Expr:
        return _compared("<=", self, other)

    def __gt__(self, other: object) -> Expr:
        return _compared(">", self, other)

    def __ge__(self, other: object) -> Expr:
        return _compared(">=", self, other)

    def __and__(self, other: object) -> Expr:
        return _joined("&", "and", self, other)

    def __or__(self, other: object) -> Expr:
        return _joined("|", "or", self, other)

    def __invert__(self) -> Expr:
        return _unary("not" if self._condition else "~", self, condition=self._condition)

    def __neg__(self) -> Expr:
        return _unary("-", self)

    def __add__(self, other: object) -> Expr:
        return _binary("+", self, other)

    def __radd__(self, other: object) -> Expr:
        return _binary("+", other, self)

    def __sub__(self, other: object) -> Expr:
        return _binary("-", self, other)

    def __rsub__(self, other: object) -> Expr:
        return _binary("-", other, self)

    def __mul__(self, other: object) -> Expr:
        return _binary("*", self, other)

    def __rmul__(self, other: object) -> Expr:
        return _binary("*", other, self)

    def __truediv__(self, other: object) -> Expr:
        return _binary("/", self, other)

    def __rtruediv__(self, other: object) -> Expr:
        return _binary("/", other, self)

    def __floordiv__(self, other: object) -> Expr:
        return _binary("//", self, other)

    def __rfloordiv__(self, other: object) -> Expr:
        return _binary("//", other, self)

    def __mod__(self, other: object) -> Expr:
        return _binary("%", self, other)

    def __rmod__(self, other: object) -> Expr:
        return _binary("%", other, self)

    def __matmul__(self, other: object) -> Expr:
        return _binary("@", self, other)

    def __pow__(self, other: object) -> Expr:
        return _binary("**", self, other)

    def __rpow__(self, other: object) -> Expr:
        return _binary("**", other, self)


class Word(Expr):
    """A word of the language: a rule, a choice, or a function to call."""

    def __init__(self, word: str) -> None:
        super().__init__(lambda: n.Name(word, span=NOWHERE))
        self._word = word

    def __call__(self, *positional: object, **named: object) -> Expr:
        return call(self._word, *positional, **named)

    def __repr__(self) -> str:
        return f"<word {self._word} of .gnn programs>"


# ------------------------------------------------------------------ expressions of values, operators, calls


def expression(value: object) -> Expr:
    """A Python value as an expression: numbers, strings, paths, truth values, None, lists. TypeError for others."""
    match value:
        case Expr():
            return value
        case None:
            return Expr(lambda: n.NoneValue(span=NOWHERE))
        case bool():
            return Expr(lambda: n.Boolean(value, span=NOWHERE))
        case str() | os.PathLike():
            text = os.fspath(value)
            return Expr(lambda: n.String(text, span=NOWHERE))
        case numbers.Real():
            return _number(int(value) if isinstance(value, numbers.Integral) else float(value))
        case list() | tuple():
            return Expr(lambda *items: n.ListExpr(items, span=NOWHERE), *map(expression, value))
    raise TypeError(f"a value of type `{type(value).__name__}` cannot stand in a program")


def _number(value: int | float) -> Expr:
    if not math.isfinite(value):
        raise ValueError(f"the number {value} cannot stand in a program")
    size = Expr(lambda: n.Number(abs(value), span=NOWHERE))
    return _unary("-", size) if math.copysign(1, value) < 0 else size


def option(value: object) -> Expr:
    """The value of an option, where a string is a word: `weights="shared"`."""
    if not isinstance(value, str):
        return expression(value)
    return expression(None) if value == "none" else Word(declared_name(value))


def declared_name(name: str) -> str:
    """The name, if it can be one in a program, else ValueError."""
    if [(token.kind, token.text) for token in tokens(Source("<name>", name))] != [("name", name)]:
        raise ValueError(f"`{name}` cannot be a name in a program")
    return name


def call(function: str, *positional: object, **named: object) -> Expr:
    """`function(positional, .., name = value, ..)`."""
    labels = [*(None for _ in positional), *named]

    def make(*values: n.Expr) -> n.Call:
        arguments = (n.Argument(label, value, span=NOWHERE) for label, value in zip(labels, values, strict=True))
        return n.Call(n.Name(function, span=NOWHERE), tuple(arguments), span=NOWHERE)

    values: Iterable[object] = (*positional, *named.values())
    return Expr(make, *map(expression, values), condition=function in CONDITIONS)


def between(low: object, high: object) -> Expr:
    """The range `low .. high`, both ends included."""
    return Expr(lambda a, b: n.Range(a, b, span=NOWHERE), expression(low), expression(high))


def where(condition: object, then: object, otherwise: object) -> Expr:
    """`then if condition else otherwise`."""
    parts = map(expression, (condition, then, otherwise))
    return Expr(lambda test, a, b: n.Conditional(test, a, b, span=NOWHERE), *parts)


def _unary(operator: Literal["-", "~", "not"], operand: Expr, condition: bool = False) -> Expr:
    return Expr(lambda inner: n.Unary(operator, inner, span=NOWHERE), operand, condition=condition)


def _binary(operator: Any, left: object, right: object, condition: bool = False) -> Expr:
    sides = (expression(left), expression(right))
    return Expr(lambda a, b: n.Binary(operator, a, b, span=NOWHERE), *sides, condition=condition)


def _joined(sign: str, word: str, left: Expr, right: object) -> Expr:
    """`and` or `or` where one side is a condition, else the operator of sets."""
    other = expression(right)
    condition = left._condition or other._condition
    return _binary(word if condition else sign, left, other, condition)


def _compared(operator: Any, left: Expr, right: object) -> Expr:
    return Expr(lambda a, b: n.Compare(operator, a, b, span=NOWHERE), left, expression(right), condition=True)
