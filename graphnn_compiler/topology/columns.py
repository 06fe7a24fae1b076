"""Values of column expressions: predicates, keys, coefficients and asserts over arrays.

Input: a `ColumnExpr` and an environment that knows the columns. Output: a `Column`, one value a node or edge (or one
for all, shape ()). A comparison with a missing value is false, `!=` included; arithmetic with one is missing. Not
for: random draws (see `start_values`), which columns exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.model.columns import (
    AGGREGATES,
    ColumnExpr,
    ColumnRef,
    Draw,
    Interval,
    Measure,
    Members,
    Operation,
    Value,
)
from graphnn_compiler.model.rejection import Rejected, reject
from graphnn_compiler.source import Span
from graphnn_compiler.topology.graph import Column, is_string, string_array

Kind = Literal["number", "string", "truth value"]

_ARITHMETIC: dict[str, Callable[[NDArray, NDArray], NDArray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.mod,
}
_COMPARISONS: dict[str, Callable[[NDArray, NDArray], NDArray]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_FUNCTIONS: dict[str, Callable[[NDArray], NDArray]] = {
    "neg": np.negative,
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "ceil": np.ceil,
}
_REDUCTIONS: dict[str, Callable[[NDArray], np.generic]] = {"max": np.max, "min": np.min, "mean": np.mean, "sum": np.sum}
_SAFE_PRODUCT = 2.0**62


class Environment(Protocol):
    """What a column expression may refer to; raises Problem for what is not there."""

    def column(self, reference: ColumnRef) -> Column:
        """The values of a column, shape (n,)."""

    def shadowed(self, name: str) -> bool:
        """Whether a bare name that the program declares is a column here, too."""

    def measure(self, measure: Measure) -> Column:
        """The value of a function of an edge or node set."""


def kind(column: Column) -> Kind:
    """The kind of a column's values."""
    if is_string(column.values):
        return "string"
    return "truth value" if column.values.dtype == np.bool_ else "number"


def evaluate(expr: ColumnExpr, environment: Environment) -> Column:
    """The value of an expression. Refuses kinds that do not go together, at the place that is wrong."""
    match expr:
        case Value():
            return _constant(expr, environment)
        case ColumnRef():
            with located(expr.span):
                return environment.column(expr)
        case Measure():
            with located(expr.span):
                return environment.measure(expr)
        case Operation(operator=operator):
            return _operation(operator, expr, environment)
        case Members() | Interval():
            raise AssertionError("the right side of `in` is evaluated with it")
        case Draw():
            reject("E133", "a random draw can only be added to and multiplied by columns", expr.span)


@contextmanager
def located(span: Span) -> Iterator[None]:
    """Turn a Problem inside the block into a refusal at a span."""
    try:
        yield
    except Problem as problem:
        raise Rejected(problem.at(span)) from None


def _constant(expr: Value, environment: Environment) -> Column:
    if expr.name is not None and environment.shadowed(expr.name):
        reject(
            "E130",
            f"`{expr.name}` is both a name of the program and a column here",
            expr.span,
            help=f"write `node.{expr.name}` or `edge.{expr.name}` for the column, or rename the other",
        )
    if isinstance(expr.value, str):
        return Column(string_array(expr.value))
    return Column(np.asarray(expr.value))


def truth(expr: ColumnExpr, environment: Environment, n: int) -> NDArray[np.bool_]:
    """The value of a condition for each of n nodes or edges; missing counts as false."""
    column = _typed(expr, environment, "truth value", "a condition")
    values = column.values if column.missing is None else column.values & ~column.missing
    return np.broadcast_to(values, (n,))


def numbers(expr: ColumnExpr, environment: Environment, n: int, what: str, keys: Callable[[], NDArray]) -> NDArray:
    """The value of a numeric expression, float64 (n,). Refuses missing values; `keys` names the nodes or edges."""
    column = _typed(expr, environment, "number", what)
    require_complete(column, what, expr.span, keys)
    return np.broadcast_to(column.values.astype(np.float64), (n,))


def require_complete(column: Column, what: str, span: Span, keys: Callable[[], NDArray]) -> None:
    """Refuse a column with missing values, with a count and the first three keys."""
    if column.missing is None or not column.missing.any():
        return
    where = np.flatnonzero(column.missing)
    first = ", ".join(str(key) for key in keys()[where[:3]])
    reject(
        "E134",
        f"{what} is missing in {count(len(where), 'place')} (first: {first})",
        span,
        help="fill the data, or say what stands for a missing value with `default(edge.x, 1)`",
    )


def _typed(expr: ColumnExpr, environment: Environment, wanted: Kind, what: str) -> Column:
    column = evaluate(expr, environment)
    if kind(column) != wanted:
        message = f"{what} must be a {wanted}, and this is a {kind(column)}"
        reject("E132", message, expr.span, notes=_strange_cell(expr, column) if wanted == "number" else ())
    return column


def _strange_cell(expr: ColumnExpr, column: Column) -> list[str]:
    """Of a text column that should hold numbers, the first value that keeps it from doing so."""
    if not isinstance(expr, ColumnRef) or not is_string(column.values):
        return []
    values = column.values if column.missing is None else column.values[~column.missing]
    first = next((str(value) for value in values if not _says_number(str(value))), None)
    return [] if first is None else [f"`{expr.name}` holds `{first}`, which is no number"]


def _says_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _missing(*columns: Column) -> NDArray[np.bool_] | None:
    masks = [column.missing for column in columns if column.missing is not None]
    return reduce(np.logical_or, masks) if masks else None


# ------------------------------------------------------------------ operations


def _operation(operator: str, expr: Operation, environment: Environment) -> Column:
    if operator in _COMPARISONS:
        return _comparison(operator, expr, environment)
    if operator in ("in", "not in"):
        return _membership(operator, expr, environment)
    if operator in ("and", "or", "not"):
        return _logic(operator, expr, environment)
    if operator in _FUNCTIONS:
        inner = _typed(expr.arguments[0], environment, "number", f"the argument of `{_shown(operator)}`")
        with np.errstate(all="ignore"):  # what is not finite is reported where a finite value is needed
            return Column(np.asarray(_FUNCTIONS[operator](inner.values)), inner.missing)
    if operator in AGGREGATES:
        return _aggregate(operator, expr, environment)
    match operator:
        case "missing":
            inner = evaluate(expr.arguments[0], environment)
            return Column(np.zeros(inner.values.shape, bool) if inner.missing is None else inner.missing)
        case "default":
            return _default(expr, environment)
        case "if":
            return _conditional(expr, environment)
        case _:
            return _arithmetic(operator, expr, environment)


def _shown(operator: str) -> str:
    return "-" if operator == "neg" else operator


def _arithmetic(operator: str, expr: Operation, environment: Environment) -> Column:
    if operator == "+":
        texts = [evaluate(part, environment) for part in expr.arguments]
        if all(kind(text) == "string" for text in texts):
            return Column(np.strings.add(texts[0].values, texts[1].values), _missing(*texts))
    left, right = (_typed(part, environment, "number", f"an operand of `{operator}`") for part in expr.arguments)
    missing = _missing(left, right)
    if operator in ("//", "%") and np.any(right.values == 0):
        reject("E124", f"this cannot be computed: division by zero in {_zeros(right)}", expr.arguments[1].span)
    first, second = left.values, right.values
    with np.errstate(all="ignore"):  # what is not finite is reported where a finite value is needed
        if operator == "**":
            return Column(np.asarray(np.power(first.astype(np.float64), second.astype(np.float64))), missing)
        function = _ARITHMETIC[operator]
        if operator in "+-*" and first.dtype.kind == second.dtype.kind == "i":
            approximate = np.abs(function(first.astype(np.float64), second.astype(np.float64)))
            if approximate.size and approximate.max() > _SAFE_PRODUCT:
                first, second = first.astype(np.float64), second.astype(np.float64)
        return Column(np.asarray(function(first, second)), missing)


def _zeros(column: Column) -> str:
    return count(int(np.count_nonzero(column.values == 0)), "place")


def _comparison(operator: str, expr: Operation, environment: Environment) -> Column:
    left, right = (evaluate(part, environment) for part in expr.arguments)
    if kind(left) != kind(right):
        message = f"`{operator}` compares a {kind(left)} with a {kind(right)}"
        help = "a column is text if one of its cells is no number" if "string" in (kind(left), kind(right)) else None
        sides = zip(expr.arguments, (left, right), (right, left), strict=True)
        notes = [note for part, one, other in sides if kind(other) == "number" for note in _strange_cell(part, one)]
        reject("E132", message, expr.span, help=help, notes=notes)
    return Column(_present(_COMPARISONS[operator](left.values, right.values), left, right))


def _present(truth: NDArray[np.bool_], *columns: Column) -> NDArray[np.bool_]:
    missing = _missing(*columns)
    return np.asarray(truth if missing is None else truth & ~missing)


def _membership(operator: str, expr: Operation, environment: Environment) -> Column:
    left, group = evaluate(expr.arguments[0], environment), expr.arguments[1]
    if isinstance(group, Interval):
        low, high = (_typed(end, environment, "number", "an end of the range") for end in (group.low, group.high))
        if kind(left) != "number":
            reject("E132", f"`{operator}` a range needs a number, and this is a {kind(left)}", expr.span)
        inside = (low.values <= left.values) & (left.values <= high.values)
    else:
        assert isinstance(group, Members)
        inside = np.zeros(left.values.shape, dtype=bool)
        for value in group.values:
            inside = inside | _equal(left, Value(value, span=group.span), expr, environment)
    return Column(_present(inside if operator == "in" else ~inside, left))


def _equal(left: Column, value: Value, expr: Operation, environment: Environment) -> NDArray[np.bool_]:
    right = evaluate(value, environment)
    if kind(left) != kind(right):
        message = f"the list holds a {kind(right)}, and it is asked for a {kind(left)}"
        reject("E132", message, expr.arguments[1].span)
    return np.asarray(left.values == right.values)


def _logic(operator: str, expr: Operation, environment: Environment) -> Column:
    columns = [_typed(part, environment, "truth value", f"an operand of `{operator}`") for part in expr.arguments]
    values = [column.values if column.missing is None else column.values & ~column.missing for column in columns]
    if operator == "not":
        return Column(np.logical_not(values[0]))
    return Column(np.asarray(values[0] & values[1] if operator == "and" else values[0] | values[1]))


def _aggregate(operator: str, expr: Operation, environment: Environment) -> Column:
    inner = _typed(expr.arguments[0], environment, "number", f"the argument of `{operator}`")
    values = np.atleast_1d(inner.values if inner.missing is None else inner.values[~inner.missing])
    if not len(values):
        reject("E124", f"this cannot be computed: `{operator}` of nothing", expr.span)
    return Column(np.asarray(_REDUCTIONS[operator](values)))


def _default(expr: Operation, environment: Environment) -> Column:
    first, second = (evaluate(part, environment) for part in expr.arguments)
    if kind(first) != kind(second):
        reject("E132", f"`default` joins a {kind(first)} and a {kind(second)}", expr.span)
    if first.missing is None:
        return first
    return Column(np.where(first.missing, second.values, first.values), _both_missing(first, second))


def _both_missing(first: Column, second: Column) -> NDArray[np.bool_] | None:
    assert first.missing is not None
    return None if second.missing is None else first.missing & second.missing


def _conditional(expr: Operation, environment: Environment) -> Column:
    condition = _typed(expr.arguments[0], environment, "truth value", "the condition")
    then, otherwise = (evaluate(part, environment) for part in expr.arguments[1:])
    if kind(then) != kind(otherwise):
        reject("E132", f"the two results are a {kind(then)} and a {kind(otherwise)}", expr.span)
    chosen = np.where(condition.values, then.values, otherwise.values)
    masks = [np.zeros((), bool) if column.missing is None else column.missing for column in (then, otherwise)]
    missing = np.where(condition.values, *masks)
    return Column(chosen, np.broadcast_to(missing, chosen.shape) if missing.any() else None)
