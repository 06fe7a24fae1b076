"""Calls of the rules that look at columns: `within`, `nearest`, `match`, `pairs`, `top`, `group`.

Input: a call. Output: a part of the model. Not for: evaluating; the table of all functions (`functions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NoReturn, get_args

from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.column_rules import Group, Match, Metric, Nearest, Pairs, Top, Within
from graphnn_compiler.model.columns import ColumnExpr, ColumnRef, Operation, walk
from graphnn_compiler.model.predicates import Predicates
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind, choice

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

_METRICS: tuple[str, ...] = get_args(Metric)
_LIMIT = 10_000_000


def within(expressions: Expressions, expr: syntax.Call) -> Within:
    """`within(r, at = [x, y], metric = ..)`."""
    bound = bind(expr, Signature("within", ("radius",), ("at", "metric"), required=1))
    radius = expressions.number(bound["radius"].value, "the radius")
    if radius < 0:
        reject("E107", f"the radius must be 0 or more, not {radius}", bound["radius"].span)
    metric = _metric(expressions, bound)
    return Within(float(radius), _at(expressions, bound, metric, expr), metric, span=expr.span)


def nearest(expressions: Expressions, expr: syntax.Call) -> Nearest:
    """`nearest(k, at = [x, y], metric = .., shortfall = error | all)`."""
    bound = bind(expr, Signature("nearest", ("k",), ("at", "metric", "shortfall"), required=1))
    k = _positive(expressions, bound["k"], "the number of sources")
    metric = _metric(expressions, bound)
    shortfall = _word(expressions, bound, "shortfall", ("error", "all"))
    return Nearest(k, _at(expressions, bound, metric, expr), metric, shortfall, span=expr.span)  # type: ignore[arg-type]  # one of the two words


def match(expressions: Expressions, expr: syntax.Call) -> Match:
    """`match(src.a == dst.b and ..)`."""
    condition = bind(expr, Signature("match", ("condition",), required=1))["condition"].value
    predicate = Predicates(expressions, "edge").condition(condition)
    return Match(tuple(_equation(part) for part in _conjuncts(predicate)), span=expr.span)


def pairs(expressions: Expressions, expr: syntax.Call) -> Pairs:
    """`pairs(condition, limit = 1e7)`."""
    bound = bind(expr, Signature("pairs", ("condition",), ("limit",), required=1))
    limit = _positive(expressions, bound["limit"], "`limit`") if "limit" in bound else _LIMIT
    predicate = Predicates(expressions, "edge").condition(bound["condition"].value)
    return Pairs(predicate, limit, span=expr.span)


def top(expressions: Expressions, expr: syntax.Call) -> Top:
    """`top(R, k, by = edge.w, per = dst | src)`."""
    bound = bind(expr, Signature("top", ("edges", "k"), ("by", "per"), required=2))
    edges = expressions.bound_edges(bound["edges"].value, "the first argument of `top`")
    k = _positive(expressions, bound["k"], "the number of edges")
    by = Predicates(expressions, "edge").column(_required(bound, "by", expr, "`by = edge.weight`"))
    return Top(edges, k, by, _word(expressions, bound, "per", ("dst", "src")), span=expr.span)  # type: ignore[arg-type]  # one of the two words


def group(expressions: Expressions, expr: syntax.Call) -> Group:
    """`group(N, by = column)`."""
    bound = bind(expr, Signature("group", ("nodes",), ("by",), required=1))
    nodes = expressions.nodes(bound["nodes"].value, "the first argument of `group`")
    by = Predicates(expressions, "node").column(_required(bound, "by", expr, "`by = district`"))
    return Group(nodes, by, span=expr.span)


# ------------------------------------------------------------------ arguments


def _required(bound: Mapping[str, syntax.Argument], name: str, expr: syntax.Call, example: str) -> syntax.Expr:
    if name not in bound:
        reject("E109", f"`{expr.function.span.text}` lacks `{name}`", expr.span, help=f"as in {example}")
    return bound[name].value


def _positive(expressions: Expressions, argument: syntax.Argument, what: str) -> int:
    value = expressions.number(argument.value, what)
    if value < 1 or value != int(value):
        reject("E107", f"{what} must be a whole number, at least 1, not {value}", argument.span)
    return int(value)


def _word(expressions: Expressions, bound: Mapping[str, syntax.Argument], name: str, choices: tuple[str, ...]) -> str:
    """The choice that an argument names; the first one by default."""
    if name not in bound:
        return choices[0]
    value = bound[name].value
    return choice(expressions.string(value, f"`{name}`"), choices, f"`{name}`", value.span)


def _metric(expressions: Expressions, bound: Mapping[str, syntax.Argument]) -> Metric:
    return _word(expressions, bound, "metric", _METRICS)  # type: ignore[return-value]  # one of the metrics


def _at(
    expressions: Expressions, bound: Mapping[str, syntax.Argument], metric: Metric, expr: syntax.Call
) -> tuple[ColumnExpr, ...]:
    value = _required(bound, "at", expr, "`at = [x, y]`, the columns that hold coordinates")
    if not isinstance(value, syntax.ListExpr) or not value.items:
        reject("E110", "`at` needs a list of one or more columns", value.span, help="as in `at = [x, y]`")
    if metric == "haversine" and len(value.items) != 2:
        message = f"`haversine` is a distance between places on the globe, and `at` lists {len(value.items)} columns"
        reject("E324", message, value.span, help="give it two, in degrees, the longitude first: `at = [lon, lat]`")
    predicates = Predicates(expressions, "node")
    return tuple(predicates.column(item) for item in value.items)


# ------------------------------------------------------------------ equations


def _conjuncts(predicate: ColumnExpr) -> Iterator[ColumnExpr]:
    if isinstance(predicate, Operation) and predicate.operator == "and":
        for part in predicate.arguments:
            yield from _conjuncts(part)
    else:
        yield predicate


def _equation(part: ColumnExpr) -> tuple[ColumnExpr, ColumnExpr]:
    """What is of the source and what is of the destination in `left == right`."""
    if not isinstance(part, Operation) or part.operator != "==":
        _no_equation(part, "this is no equation")
    left, right = part.arguments
    ends = [{ref.scope for ref in walk(side) if isinstance(ref, ColumnRef)} for side in (left, right)]
    if any("edge" in end for end in ends):
        _no_equation(part, "pairs that are yet to be found have no edge columns")
    if ends == [{"src"}, {"dst"}]:
        return left, right
    if ends == [{"dst"}, {"src"}]:
        return right, left
    _no_equation(part, "one side must be about `src` alone, the other about `dst` alone")


def _no_equation(part: ColumnExpr, why: str) -> NoReturn:
    message = f"`match` takes equations between source and destination, and {why}"
    help = "as in `match(src.a == dst.b and src.c == dst.d)`; any other condition goes into `pairs(..)`"
    reject("E325", message, part.span, help=help)
