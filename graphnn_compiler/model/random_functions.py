"""The calls `random(..)` and `shuffled(..)` to the random edge sets of a model.

Input: syntax. Output: an edge expression with the name of its random stream. Not for: drawing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model import scalars
from graphnn_compiler.model.columns import ColumnExpr, ColumnRef, Value
from graphnn_compiler.model.predicates import Predicates
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind, choice
from graphnn_compiler.model.types import EdgeExpr, RandomDegree, RandomPairs, Shuffled
from graphnn_compiler.model.values import NumberRange

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

_KEEP = ("in_degree", "both_degrees", "count")


def random(expressions: Expressions, expr: syntax.Call) -> RandomDegree | RandomPairs:
    """`random(in_degree = ..)` or `random(p = ..)`."""
    bound = bind(expr, Signature("random", (), ("in_degree", "p", "among", "seed", "shortfall")))
    if "p" in bound:
        return _pairs(expressions, expr, bound)
    if "in_degree" not in bound:
        help = "as in `random(in_degree = 2..6)` or `random(p = 0.1)`"
        reject("E109", "`random` lacks `in_degree` or `p`", expr.span, help=help)
    shortfall = bound.get("shortfall")
    word = expressions.string(shortfall.value, "`shortfall`") if shortfall else "error"
    return RandomDegree(
        _degree(expressions, bound["in_degree"].value),
        _among(expressions, bound),
        _seed(expressions, bound),
        expressions.stream_name(),
        choice(word, ("error", "all"), "`shortfall`", shortfall.value.span if shortfall else expr.span),  # type: ignore[arg-type]
        span=expr.span,
    )


def _among(expressions: Expressions, bound: Mapping[str, syntax.Argument]) -> EdgeExpr | None:
    return expressions.edges(bound["among"].value, "`among`") if "among" in bound else None


def _seed(expressions: Expressions, bound: Mapping[str, syntax.Argument]) -> int | None:
    return expressions.integer(bound["seed"].value, "`seed`") if "seed" in bound else None


def _degree(expressions: Expressions, expr: syntax.Expr) -> int | tuple[int, int] | ColumnRef:
    node = isinstance(expr, syntax.Name) and expr.id not in expressions.scope
    if node or isinstance(expr, syntax.Member):
        column = Predicates(expressions, "node").column(expr)
        if isinstance(column, ColumnRef):
            return column
    value = expressions.value(expr)
    low, high = (value.low, value.high) if isinstance(value, NumberRange) else (value, value)
    if type(low) is not int or type(high) is not int or min(low, high) < 0:
        help = "as in `in_degree = 4`, `in_degree = 2..6` or the name of a node column"
        reject("E107", "`in_degree` must be a whole number or a range of them, not negative", expr.span, help=help)
    if low > high:
        help = f"write it as `{high}..{low}`, lowest first"
        reject("E307", f"the range of in-degrees `{low}..{high}` is empty", expr.span, help=help)
    return (low, high) if isinstance(value, NumberRange) else low


def _pairs(expressions: Expressions, expr: syntax.Call, bound: Mapping[str, syntax.Argument]) -> RandomPairs:
    for other in ("in_degree", "shortfall"):
        if other in bound:
            reject("E109", f"`random` takes `p` or `{other}`, not both", bound[other].span)
    among, place = _among(expressions, bound), bound["p"].value.span
    p = _probability(Predicates(expressions, "clause").column(bound["p"].value))
    if among is None and not isinstance(p, float):
        help = "name the candidates, as in `among = g.edges`, or give one number for all pairs"
        reject("E332", "a probability that differs from pair to pair needs `among`", place, help=help)
    return RandomPairs(p, among, _seed(expressions, bound), expressions.stream_name(), span=expr.span)


def _probability(column: ColumnExpr) -> float | ColumnExpr:
    """A number, checked, or an expression for the data to decide."""
    if not isinstance(column, Value) or not scalars.is_number(column.value):
        return column
    p = float(column.value)
    if not 0 <= p <= 1:
        help = "write a number from 0 to 1"
        reject("E333", f"the probability is not between 0 and 1: {column.value}", column.span, help=help)
    return p


def shuffled(expressions: Expressions, expr: syntax.Call) -> Shuffled:
    """`shuffled(R, keep = ..)`."""
    bound = bind(expr, Signature("shuffled", ("edges",), ("keep", "seed"), required=1))
    if "keep" not in bound:
        help = "as in `shuffled(g.edges, keep = in_degree)`; it may be `in_degree`, `both_degrees` or `count`"
        reject("E109", "`shuffled` lacks `keep`", expr.span, help=help)
    word = expressions.string(bound["keep"].value, "`keep`")
    return Shuffled(
        expressions.bound_edges(bound["edges"].value, "the argument of `shuffled`"),
        choice(word, _KEEP, "`keep`", bound["keep"].value.span),  # type: ignore[arg-type]  # one of _KEEP
        _seed(expressions, bound),
        expressions.stream_name(),
        span=expr.span,
    )
