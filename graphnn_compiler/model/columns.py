"""Expressions over columns of nodes and edges: predicates, sharing keys, coefficients, start values, asserts.

Output of the checker; evaluated over arrays once the data is read. Not for: evaluating.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from graphnn_compiler.source import Span

if TYPE_CHECKING:
    from graphnn_compiler.model.types import EdgeExpr, NodeExpr

ColumnScope = Literal["node", "edge", "src", "dst"]
Scalar: TypeAlias = int | float | bool | str

FUNCTIONS = {"abs": 1, "exp": 1, "log": 1, "sqrt": 1, "floor": 1, "ceil": 1, "default": 2, "missing": 1}
"""Elementwise functions over columns and how many arguments each takes."""

AGGREGATES = ("max", "min", "mean", "sum")
"""Functions of a column that give one number; for asserts."""

MEASURES = ("count", "in_degree", "out_degree", "acyclic", "depth", "height")
"""Functions of an edge set (`count` also of a node set), for asserts and node predicates."""

DEGREES = ("degree", "in_degree", "out_degree")
STRUCTURE = ("component", "depth", "height")
COMPUTED = ("index", "key", *DEGREES, *STRUCTURE)
"""Node columns that need no data column of that name; all but the first two only of the nodes of a graph."""


@dataclass(frozen=True)
class _ColumnNode:
    span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Value(_ColumnNode):
    """A constant; `name` is the program's name for it where it was written as a name."""

    value: Scalar
    name: str | None = None


@dataclass(frozen=True)
class Members(_ColumnNode):
    """The right side of `in`: a list of constants."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class Interval(_ColumnNode):
    """The right side of `in`: `low .. high`, both included."""

    low: ColumnExpr
    high: ColumnExpr


@dataclass(frozen=True)
class ColumnRef(_ColumnNode):
    """A column of the scope's node or edge."""

    scope: ColumnScope
    name: str


@dataclass(frozen=True)
class Operation(_ColumnNode):
    """An operator or function of `FUNCTIONS` or `AGGREGATES`, elementwise over its arguments.

    Operators: + - * / // % ** neg, == != < <= > >=, in, not in, and, or, not, and if (condition, then, otherwise).
    """

    operator: str
    arguments: tuple[ColumnExpr, ...]


@dataclass(frozen=True)
class Measure(_ColumnNode):
    """A function of `MEASURES` of an edge set or a node set."""

    function: str
    argument: EdgeExpr | NodeExpr


@dataclass(frozen=True)
class Draw(_ColumnNode):
    """One random number per weight: normal(mean, std) or uniform(low, high)."""

    distribution: Literal["normal", "uniform"]
    first: ColumnExpr
    second: ColumnExpr


ColumnExpr: TypeAlias = Value | Members | Interval | ColumnRef | Operation | Measure | Draw


def parts(expr: ColumnExpr) -> tuple[ColumnExpr, ...]:
    """The direct sub-expressions."""
    match expr:
        case Operation(arguments=arguments):
            return arguments
        case Interval(low=low, high=high):
            return (low, high)
        case Draw(first=first, second=second):
            return (first, second)
        case Value() | Members() | ColumnRef() | Measure():
            return ()


def walk(expr: ColumnExpr) -> Iterator[ColumnExpr]:
    """Every sub-expression, the expression itself first."""
    yield expr
    for part in parts(expr):
        yield from walk(part)
