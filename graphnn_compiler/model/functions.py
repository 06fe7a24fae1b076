"""The built-in functions: connectivity rules, node sets, arithmetic. One entry each in `FUNCTIONS`.

Input: a call. Output: a constant or a part of the model. Not for: functions over layers (`relu`), over columns
(`missing`), losses, options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from graphnn_compiler.diagnostics import did_you_mean
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model import column_rule_calls, distance_calls, scalars
from graphnn_compiler.model.offsets import offset
from graphnn_compiler.model.random_functions import random, shuffled
from graphnn_compiler.model.reads import table
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind
from graphnn_compiler.model.types import EdgeEnds, InputModel, IntegerUnits, LayerModel, Sym
from graphnn_compiler.model.values import Block, Value, kind_of

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

Function = Callable[["Expressions", syntax.Call], Value]

_ANOTHER_EDITION = {
    "attention": "attention",
    "max_aggregate": "max aggregation",
    "sample": "neighbour sampling",
}


def call(expressions: Expressions, expr: syntax.Call) -> Value:
    """The value of a call of a block or of a built-in function."""
    callee = expressions.callee(expr.function)
    if isinstance(callee, Block):
        return expressions.emission.expand(expressions, callee, expr)
    if not isinstance(expr.function, syntax.Name):
        reject("E108", "only a function's name can be called", expr.function.span)
    name = expr.function.id
    if name in FUNCTIONS:
        return FUNCTIONS[name](expressions, expr)
    if name in expressions.emission.functions:
        return expressions.emission.functions[name](expressions, expr)
    if name in _ANOTHER_EDITION:
        reject("E113", f"{_ANOTHER_EDITION[name]} is not part of edition 1", expr.span)
    if name in expressions.scope:
        reject("E108", f"`{name}` is {kind_of(expressions.scope.lookup(expr.function))}, not a function", expr.span)
    if name == "read":
        help = 'as in `graph g = read("edges.csv")` or `input x[g.nodes] = read("x.npz")`'
        reject("E108", "`read` gives a declaration its data and stands alone after its `=`", expr.span, help=help)
    reject("E108", f"unknown function `{name}`", expr.function.span, help=did_you_mean(name, FUNCTIONS))


# ------------------------------------------------------------------ connectivity rules


def _sym(expressions: Expressions, expr: syntax.Call) -> Sym:
    argument = bind(expr, Signature("sym", ("edges",), required=1))["edges"].value
    return Sym(expressions.bound_edges(argument, "the argument of `sym`"), span=expr.span)


# ------------------------------------------------------------------ node sets


def _range(expressions: Expressions, expr: syntax.Call) -> IntegerUnits:
    size = expressions.integer(bind(expr, Signature("range", ("size",), required=1))["size"].value, "the size")
    if size < 1:
        reject("E411", f"`range` needs at least 1 unit, not {size}", expr.span)
    return IntegerUnits(size, span=expr.span)


def _ends(expressions: Expressions, expr: syntax.Call) -> EdgeEnds:
    assert isinstance(expr.function, syntax.Name)
    side = expr.function.id
    argument = bind(expr, Signature(side, ("edges",), required=1))["edges"].value
    edges = expressions.bound_edges(argument, f"the argument of `{side}`")
    return EdgeEnds(edges, side, span=expr.span)  # type: ignore[arg-type]  # one of the two names in FUNCTIONS


def _layer_argument(expressions: Expressions, expr: syntax.Call) -> InputModel | LayerModel:
    assert isinstance(expr.function, syntax.Name)
    name = expr.function.id
    argument = bind(expr, Signature(name, ("layer",), required=1))["layer"].value
    value = expressions.value(argument)
    if not isinstance(value, InputModel | LayerModel):
        reject("E110", f"the argument of `{name}` must be an input or a layer, not {kind_of(value)}", argument.span)
    return value


def _units(expressions: Expressions, expr: syntax.Call) -> Value:
    layer = _layer_argument(expressions, expr)
    if layer.shape is None:
        help = f"give `{layer.name}` a shape, as in `layer {layer.name}[..] = ..`"
        reject("E405", f"the units of `{layer.name}` follow from its expression", expr.span, help=help)
    return layer.shape.units


def _channels(expressions: Expressions, expr: syntax.Call) -> int:
    layer = _layer_argument(expressions, expr)
    return layer.shape.channels if isinstance(layer, InputModel) else layer.channels


# ------------------------------------------------------------------ numbers


def _elementwise(expressions: Expressions, expr: syntax.Call) -> int | float:
    assert isinstance(expr.function, syntax.Name)
    name = expr.function.id
    argument = bind(expr, Signature(name, ("x",), required=1))["x"].value
    try:
        return scalars.apply_function(name, expressions.number(argument, f"the argument of `{name}`"))
    except ArithmeticError as error:
        reject("E124", f"this cannot be computed: {error}", expr.span)


def _extreme(expressions: Expressions, expr: syntax.Call) -> int | float:
    assert isinstance(expr.function, syntax.Name)
    name = expr.function.id
    if not expr.arguments or any(argument.name for argument in expr.arguments):
        reject("E109", f"`{name}` takes one or more numbers", expr.span)
    numbers = [expressions.number(argument.value, f"an argument of `{name}`") for argument in expr.arguments]
    return min(numbers) if name == "min" else max(numbers)


FUNCTIONS: Mapping[str, Function] = {
    "within": column_rule_calls.within,
    "nearest": column_rule_calls.nearest,
    "match": column_rule_calls.match,
    "pairs": column_rule_calls.pairs,
    "top": column_rule_calls.top,
    "group": column_rule_calls.group,
    "hops": distance_calls.hops,
    "walks": distance_calls.walks,
    "closure": distance_calls.closure,
    "levels": distance_calls.levels,
    "random": random,
    "shuffled": shuffled,
    "offset": offset,
    "sym": _sym,
    "table": table,
    "range": _range,
    "sources": _ends,
    "targets": _ends,
    "units": _units,
    "channels": _channels,
    "min": _extreme,
    "max": _extreme,
    **dict.fromkeys(scalars.FUNCTIONS, _elementwise),
}
