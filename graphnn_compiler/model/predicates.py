"""Expressions over columns: what stands in brackets, in clause options, in asserts.

Input: syntax. Output: a `ColumnExpr`. A name that the program declares is the program's; in brackets every other
name is a column. Not for: evaluating; whether a column exists (only the data knows).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from graphnn_compiler.diagnostics import did_you_mean
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model import scalars
from graphnn_compiler.model.columns import (
    AGGREGATES,
    FUNCTIONS,
    MEASURES,
    ColumnExpr,
    ColumnRef,
    ColumnScope,
    Draw,
    Interval,
    Measure,
    Members,
    Operation,
    Value,
)
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind
from graphnn_compiler.model.values import NODE_TYPES, kind_of

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

Context = Literal["node", "edge", "clause", "init", "assert"]

_SCOPES: dict[Context, tuple[ColumnScope, ...]] = {
    "node": ("node",),
    "edge": ("edge", "src", "dst"),
    "clause": ("edge", "src", "dst"),
    "init": ("edge", "src", "dst"),
    "assert": (),
}
_DISTRIBUTIONS = ("normal", "uniform")
_BOOLEAN = {"==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or", "not", "missing"}


class Predicates:
    """Turns syntax into column expressions in one context.

    `node` and `edge` are brackets, `clause` the options scale, per and norm, `init` that option, `assert` the
    statement.
    """

    def __init__(self, expressions: Expressions, context: Context) -> None:
        self.expressions = expressions
        self.context = context

    def condition(self, expr: syntax.Expr) -> ColumnExpr:
        """A column expression that is true or false for each node or edge."""
        column = self.column(expr)
        truth = isinstance(column, Operation) and column.operator in (*_BOOLEAN, "if")
        truth |= isinstance(column, Value) and isinstance(column.value, bool)
        # a bare column may hold truth values; a lone measure is `acyclic(..)`
        if truth or isinstance(column, ColumnRef | Measure):
            return column
        help = f"compare it with something, as in `{expr.span.text} > 0`"
        reject("E110", "a condition is needed here, one that is true or false", expr.span, help=help)

    def column(self, expr: syntax.Expr) -> ColumnExpr:
        """Any column expression."""
        match expr:
            case syntax.Name():
                return self._name(expr)
            case syntax.Number(value=value) | syntax.String(value=value) | syntax.Boolean(value=value):
                return Value(value, span=expr.span)
            case syntax.Unary(operator=operator, operand=operand):
                return self._unary(operator, operand, expr)
            case syntax.Binary(operator=operator, left=left, right=right):
                return self._binary(operator, left, right, expr)
            case syntax.Compare():
                return self._compare(expr)
            case syntax.Conditional(condition=condition, then=then, otherwise=otherwise):
                arguments = (self.condition(condition), self.column(then), self.column(otherwise))
                return Operation("if", arguments, span=expr.span)
            case syntax.Member():
                return self._member(expr)
            case syntax.Select():
                return self._select(expr)
            case syntax.Call():
                return self._call(expr)
            case _:
                return self._constant(expr)

    # -------------------------------------------------------------- names

    @property
    def _columns_bare(self) -> bool:
        return self.context in ("node", "edge")

    def _name(self, expr: syntax.Name) -> ColumnExpr:
        scope = self.expressions.scope
        if expr.id in _SCOPES[self.context]:
            message = f"`{expr.id}` stands for a whole {expr.id} here"
            reject("E110", message, expr.span, help=f"name a column, as in `{expr.id}.weight`")
        if expr.id in scope or not (self._columns_bare or self.context in ("clause", "init")):
            return self._constant(expr)
        if self._columns_bare:
            return ColumnRef(self.context, expr.id, span=expr.span)  # type: ignore[arg-type]  # node or edge
        help = did_you_mean(
            expr.id, scope.known, f"a column is written `edge.{expr.id}`, `src.{expr.id}` or `dst.{expr.id}`"
        )
        reject("E100", f"unknown name `{expr.id}`", expr.span, help=help)

    def _constant(self, expr: syntax.Expr) -> Value:
        value = self.expressions.value(expr)
        if not isinstance(value, int | float | bool | str):
            bare = self._columns_bare and isinstance(expr, syntax.Name)
            help = f"a column of that name is written `{self.context}.{expr.span.text}`" if bare else None
            reject("E110", f"a constant or a column is needed here, not {kind_of(value)}", expr.span, help=help)
        return Value(value, expr.id if isinstance(expr, syntax.Name) else None, span=expr.span)

    def _reference(self, base: syntax.Expr) -> ColumnScope | None:
        """The scope that `src` in `src.x` names, if `base` is one."""
        if isinstance(base, syntax.Name) and base.id in ("node", "edge", "src", "dst"):
            if base.id in _SCOPES[self.context]:
                return base.id
            where = {"node": "in the brackets of a node set"}.get(
                base.id, "where edges are: in brackets or clause options"
            )
            reject("E115", f"`{base.id}` has a meaning only {where}", base.span)
        return None

    def _member(self, expr: syntax.Member) -> ColumnExpr:
        scope = self._reference(expr.base)
        return ColumnRef(scope, expr.name, span=expr.span) if scope else self._constant(expr)

    def _select(self, expr: syntax.Select) -> ColumnExpr:
        scope = self._reference(expr.base)
        if scope is None:
            return self._constant(expr)
        if not isinstance(expr.index, syntax.String):
            reject("E110", "a column in brackets is a string", expr.index.span, help=f'as in `{scope}["p-value"]`')
        return ColumnRef(scope, expr.index.value, span=expr.span)

    # -------------------------------------------------------------- operators

    def _unary(self, operator: str, operand: syntax.Expr, expr: syntax.Unary) -> ColumnExpr:
        if operator == "~":
            help = "write `not`" if self._columns_bare else None
            reject("E110", "`~` reverses edge sets; it has no meaning for columns", expr.span, help=help)
        if operator == "not":
            return Operation("not", (self.condition(operand),), span=expr.span)
        inner = self.column(operand)
        if isinstance(inner, Value) and scalars.is_number(inner.value):
            return Value(-inner.value, span=expr.span)  # type: ignore[operator]  # a number
        return Operation("neg", (inner,), span=expr.span)

    def _binary(self, operator: str, left: syntax.Expr, right: syntax.Expr, expr: syntax.Expr) -> ColumnExpr:
        if operator in ("|", "&", "@"):
            word = {"|": "or", "&": "and"}.get(operator)
            help = f"write `{word}`, and put comparisons in parentheses if needed" if word else None
            reject("E110", f"`{operator}` joins edge sets; it has no meaning for columns", expr.span, help=help)
        if operator in ("and", "or"):
            return Operation(operator, (self.condition(left), self.condition(right)), span=expr.span)
        first, second = self.column(left), self.column(right)
        if isinstance(first, Value) and isinstance(second, Value):
            return Value(self._folded(operator, first, second, expr), span=expr.span)
        return Operation(operator, (first, second), span=expr.span)

    def _folded(self, operator: str, left: Value, right: Value, expr: syntax.Expr) -> int | float:
        for side in (left, right):
            if not scalars.is_number(side.value):
                reject("E110", f"`{operator}` needs numbers, not {kind_of(side.value)}", side.span)
        try:
            return scalars.arithmetic(operator, left.value, right.value)  # type: ignore[arg-type]  # numbers
        except ArithmeticError as error:
            reject("E124", f"this cannot be computed: {error}", expr.span)

    def _compare(self, expr: syntax.Compare) -> ColumnExpr:
        left = self.column(expr.left)
        if expr.operator not in ("in", "not in"):
            return Operation(expr.operator, (left, self.column(expr.right)), span=expr.span)
        right = expr.right
        if isinstance(right, syntax.Range):
            group: ColumnExpr = Interval(self.column(right.low), self.column(right.high), span=right.span)
        else:
            group = self._members(right)
        return Operation(expr.operator, (left, group), span=expr.span)

    def _members(self, expr: syntax.Expr) -> ColumnExpr:
        from_program = self.expressions.value(expr)
        if not isinstance(from_program, tuple):
            reject("E110", f"`in` needs a list or a range, not {kind_of(from_program)}", expr.span)
        for item in from_program:
            if not isinstance(item, int | float | bool | str):
                reject("E110", f"a list in a condition holds constants, not {kind_of(item)}", expr.span)
        return Members(from_program, span=expr.span)

    # -------------------------------------------------------------- functions

    def _call(self, expr: syntax.Call) -> ColumnExpr:
        name = expr.function.id if isinstance(expr.function, syntax.Name) else ""
        if name in FUNCTIONS:
            return self._function(name, expr)
        if name in _DISTRIBUTIONS and self.context == "init":
            first, second = ("mean", "std") if name == "normal" else ("low", "high")
            bound = bind(expr, Signature(name, (first, second), required=2))
            return Draw(name, self.column(bound[first].value), self.column(bound[second].value), span=expr.span)  # type: ignore[arg-type]
        if name in MEASURES and self.context in ("assert", "node"):
            return self._measure(name, expr)
        if name in AGGREGATES and self.context == "assert":
            bound = bind(expr, Signature(name, ("x",), required=1))
            return Operation(name, (self.column(bound["x"].value),), span=expr.span)
        if name in _DISTRIBUTIONS:
            help = f"a fixed coefficient is a number or a column; random start values are `init = {expr.span.text}`"
            reject("E115", f"`{name}` draws random numbers, which has a meaning only in `init`", expr.span, help=help)
        return self._constant(expr)

    def _function(self, name: str, expr: syntax.Call) -> ColumnExpr:
        words = ("x", "otherwise") if FUNCTIONS[name] == 2 else ("x",)
        bound = bind(expr, Signature(name, words, required=len(words)))
        arguments = tuple(self.column(bound[word].value) for word in words)
        if name in scalars.FUNCTIONS and isinstance(arguments[0], Value) and scalars.is_number(arguments[0].value):
            try:
                return Value(scalars.apply_function(name, arguments[0].value), span=expr.span)  # type: ignore[arg-type]
            except ArithmeticError as error:
                reject("E124", f"this cannot be computed: {error}", expr.span)
        return Operation(name, arguments, span=expr.span)

    def _measure(self, name: str, expr: syntax.Call) -> ColumnExpr:
        bound = bind(expr, Signature(name, ("set",), required=1))
        argument = bound["set"].value
        what = f"the argument of `{name}`"
        value = self.expressions.value(argument)
        if name == "count" and isinstance(value, NODE_TYPES):
            return Measure(name, value, span=expr.span)
        return Measure(name, self.expressions.bound_edges(argument, what), span=expr.span)
