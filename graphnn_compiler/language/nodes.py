"""The syntax tree: frozen dataclasses, each with its span; names are still strings.

Input: nothing. Output: the node types that the builder makes, the checker reads and the printer prints.
Not for: defaults, types, meaning. Two nodes are equal if they say the same, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from graphnn_compiler.source import Source, Span


@dataclass(frozen=True, kw_only=True)
class _Node:
    span: Span = field(compare=False, repr=False)


# ------------------------------------------------------------------ expressions


@dataclass(frozen=True)
class Name(_Node):
    id: str


@dataclass(frozen=True)
class Number(_Node):
    value: int | float


@dataclass(frozen=True)
class String(_Node):
    value: str


@dataclass(frozen=True)
class Boolean(_Node):
    value: bool


@dataclass(frozen=True)
class NoneValue(_Node):
    pass


@dataclass(frozen=True)
class ListExpr(_Node):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Range(_Node):
    """`low .. high`, both ends included."""

    low: Expr
    high: Expr


@dataclass(frozen=True)
class Unary(_Node):
    operator: Literal["-", "~", "not"]
    operand: Expr


@dataclass(frozen=True)
class Binary(_Node):
    operator: Literal["|", "&", "+", "-", "*", "/", "//", "%", "@", "**", "and", "or"]
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Compare(_Node):
    operator: Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Conditional(_Node):
    """`then if condition else otherwise`."""

    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True)
class Member(_Node):
    """`base.name`; `name_span` covers the name alone."""

    base: Expr
    name: str
    name_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Argument(_Node):
    """An argument of a call; positional if `name` is None."""

    name: str | None
    value: Expr
    name_span: Span | None = field(compare=False, repr=False, default=None)


@dataclass(frozen=True)
class Call(_Node):
    function: Expr
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Select(_Node):
    """`base[index]`: a filter, a relation or a subscript."""

    base: Expr
    index: Expr


Expr: TypeAlias = (
    Name | Number | String | Boolean | NoneValue | ListExpr | Range | Unary | Binary | Compare | Conditional
    | Member | Call | Select
)  # fmt: skip


# ------------------------------------------------------------------ statements


@dataclass(frozen=True, kw_only=True)
class _Statement(_Node):
    doc: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Named(_Statement):
    name: str
    name_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Option(_Node):
    """`name = value` of a clause, a layer or an input."""

    name: str
    value: Expr
    name_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Shape(_Node):
    """`[units]` or `[units, channels]`."""

    units: Expr
    channels: Expr | None


@dataclass(frozen=True, kw_only=True)
class ImportAs(_Statement):
    path: str
    name: str
    name_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class ImportedName(_Node):
    name: str
    alias: str | None


@dataclass(frozen=True, kw_only=True)
class ImportNames(_Statement):
    path: str
    names: tuple[ImportedName, ...]


@dataclass(frozen=True, kw_only=True)
class Param(_Named):
    """`param name: type in allowed = default`."""

    type: str
    type_span: Span = field(compare=False, repr=False)
    allowed: Expr | None
    default: Expr | None


@dataclass(frozen=True, kw_only=True)
class Let(_Named):
    value: Expr


@dataclass(frozen=True, kw_only=True)
class GraphDecl(_Named):
    value: Expr


@dataclass(frozen=True, kw_only=True)
class NodesDecl(_Named):
    value: Expr


@dataclass(frozen=True)
class Domain(_Node):
    """`: sources -> targets`."""

    sources: Expr
    targets: Expr


@dataclass(frozen=True, kw_only=True)
class EdgesDecl(_Named):
    domain: Domain | None
    value: Expr


@dataclass(frozen=True, kw_only=True)
class InputDecl(_Named):
    shape: Shape
    value: Expr | None
    options: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class TargetDecl(_Named):
    shape: Shape | None
    value: Expr | None
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Clause(_Node):
    """`from source via rule as label { options }`."""

    source: Expr
    rule: Expr
    label: str | None
    label_span: Span | None = field(compare=False, repr=False)
    options: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class LayerDecl(_Named):
    """A `layer` or `output` with clauses in braces."""

    kind: Literal["layer", "output"]
    shape: Shape | None
    clauses: tuple[Clause, ...]
    options: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class LayerExprDecl(_Named):
    """A `layer` or `output` given by an expression over other layers."""

    kind: Literal["layer", "output"]
    shape: Shape | None
    value: Expr
    options: tuple[Option, ...]


@dataclass(frozen=True)
class State(_Node):
    """`name = start` in the head of a `repeat`."""

    name: str
    start: Expr


@dataclass(frozen=True, kw_only=True)
class Next(_Statement):
    names: tuple[str, ...]
    value: Expr


@dataclass(frozen=True, kw_only=True)
class Repeat(_Statement):
    """`repeat h = start times n tied { .. }`; `variable` and `range` for `for v in a..b`."""

    states: tuple[State, ...]
    times: Expr | None
    variable: str | None
    range: Expr | None
    tied: bool
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Formal(_Node):
    name: str
    type: str | None
    default: Expr | None


@dataclass(frozen=True, kw_only=True)
class BlockDecl(_Named):
    formals: tuple[Formal, ...]
    body: tuple[Statement, ...]
    result: Expr


@dataclass(frozen=True, kw_only=True)
class LossDecl(_Named):
    value: Expr


@dataclass(frozen=True, kw_only=True)
class MetricDecl(_Named):
    value: Expr


@dataclass(frozen=True, kw_only=True)
class AssertStmt(_Statement):
    condition: Expr
    message: str | None


Statement: TypeAlias = (
    ImportAs | ImportNames | Param | Let | GraphDecl | NodesDecl | EdgesDecl | InputDecl | TargetDecl | LayerDecl
    | LayerExprDecl | Repeat | Next | BlockDecl | LossDecl | MetricDecl | AssertStmt
)  # fmt: skip


@dataclass(frozen=True)
class Program:
    """A parsed file; `edition` is None where the file does not say."""

    source: Source = field(compare=False, repr=False)
    edition: int | None
    statements: tuple[Statement, ...]
    doc: str | None = None


def names(expr: Expr) -> Iterator[Name]:
    """Every name in an expression, left to right."""
    pending: list[Expr] = [expr]
    while pending:
        part = pending.pop()
        if isinstance(part, Name):
            yield part
        pending += reversed(operands(part))


def operands(expr: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions of an expression, left to right."""
    match expr:
        case Name() | Number() | String() | Boolean() | NoneValue():
            return ()
        case ListExpr(items=items):
            return items
        case Range(low=low, high=high):
            return (low, high)
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right) | Compare(left=left, right=right):
            return (left, right)
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            return (then, condition, otherwise)
        case Member(base=base):
            return (base,)
        case Call(function=function, arguments=arguments):
            return (function, *(argument.value for argument in arguments))
        case Select(base=base, index=index):
            return (base, index)
