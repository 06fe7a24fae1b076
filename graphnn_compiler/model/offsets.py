"""The call `offset(..)` to a range of steps, a list of steps, or a list of steps in several dimensions.

Input: syntax. Output: an edge expression. Not for: which pairs lie so far apart (only the data knows the units).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind
from graphnn_compiler.model.types import Offset, Stencil
from graphnn_compiler.model.values import NumberRange, Value
from graphnn_compiler.source import Span

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

_GRID = "as in `offset([[0, 1], [1, 0]], shape = [28, 28])`"


def offset(expressions: Expressions, expr: syntax.Call) -> Offset | Stencil:
    """`offset(a..b)`, `offset([a, b, ..])` or `offset([[a, b], ..], shape = [n, m])`, each with `wrap =`."""
    bound = bind(expr, Signature("offset", ("offsets",), ("wrap", "shape"), required=1))
    wrap = expressions.boolean(bound["wrap"].value, "`wrap`") if "wrap" in bound else False
    value, place = expressions.value(bound["offsets"].value), bound["offsets"].span
    if isinstance(value, tuple):
        shape = expressions.value(bound["shape"].value) if "shape" in bound else None
        return _stencil(value, shape, wrap, place, bound["shape"].span if "shape" in bound else place, expr.span)
    if "shape" in bound:
        reject("E336", "`shape` goes with a list of offsets, one number a dimension", place, help=_GRID)
    low, high = (value.low, value.high) if isinstance(value, NumberRange) else (value, value)
    if type(low) is not int or type(high) is not int:
        help = "as in `offset(-2..2)` or `offset([-2, 0, 2])`"
        reject("E107", "`offset` needs a whole number, a range or a list of them", place, help=help)
    if low > high:
        help = f"write it as `offset({high}..{low})`, lowest first"
        reject("E302", f"the range of offsets `{low}..{high}` is empty", place, help=help)
    return Offset(low, high, wrap, span=expr.span)


def _stencil(
    items: tuple[Value, ...], shape: Value, wrap: bool, place: Span, shape_place: Span, whole: Span
) -> Stencil:
    if not items:
        reject("E302", "the list of offsets is empty", place, help="name at least one, as in `offset([-1, 1])`")
    if shape is None:
        if not all(_is_step(item) for item in items):
            nested = any(isinstance(item, tuple) for item in items)
            help = f"offsets in several dimensions need `shape`, {_GRID}" if nested else "as in `offset([-2, 0, 2])`"
            reject("E336", "a list of offsets without `shape` holds whole numbers", place, help=help)
        return Stencil(tuple((item,) for item in items), None, wrap, span=whole)
    sides = shape if isinstance(shape, tuple) else ()
    if not sides or not all(type(side) is int and side >= 1 for side in sides):
        message = "`shape` is a list of the number of units along each dimension, each at least 1"
        reject("E336", message, shape_place, help=_GRID)
    for item in items:
        if not isinstance(item, tuple) or len(item) != len(sides) or not all(map(_is_step, item)):
            message = f"each offset is a list of {len(sides)} whole numbers here, one for each number of `shape`"
            reject("E336", message, place, help=_GRID)
    return Stencil(items, sides, wrap, span=whole)


def _is_step(value: Value) -> bool:
    """Whether a value is a whole number that a column of offsets can hold."""
    return type(value) is int and abs(value) < 2**63
