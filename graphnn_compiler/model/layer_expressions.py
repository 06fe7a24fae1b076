"""Expressions over layers: `relu(f + x)`, `concat(a, b)`, `mean(h, axis = units)`.

Input: syntax. Output: a `TensorExpr`, its channels, and where it names which layers. Whether the units of two
operands agree only the data knows; their channels are checked here. Not for: layers with clauses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphnn_compiler.diagnostics import did_you_mean
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model import scalars
from graphnn_compiler.model.functions import FUNCTIONS
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind, choice
from graphnn_compiler.model.tensors import (
    ACTIVATIONS,
    Activation,
    ActivationName,
    Apply,
    Arithmetic,
    Axis,
    Concat,
    Constant,
    Dropout,
    LayerNorm,
    Mean,
    Ref,
    RowNormalize,
    TensorExpr,
)
from graphnn_compiler.model.types import InputModel, IntegerUnits, LayerModel, NodeExpr
from graphnn_compiler.model.values import Block, kind_of
from graphnn_compiler.source import Span

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions


@dataclass(frozen=True)
class Tensor:
    """An expression over layers and what is known of its value without data.

    `units` is None where only the data knows, `channels` is 0 for a bare number.
    """

    expr: TensorExpr
    channels: int
    channel_axis: bool
    units: NodeExpr | None


def softmax_axis(written: str | None, channel_axis: bool, units: NodeExpr | None, span: Span) -> Axis:
    """The axis of a softmax: channels where they are declared, else units, which must be said of a graph's nodes."""
    if written is not None:
        return choice(written, ("channels", "units"), "`axis`", span)  # type: ignore[return-value]  # one of the two
    if channel_axis:
        return "channels"
    if isinstance(units, IntegerUnits):
        return "units"
    reject(
        "E406",
        "this softmax would run over all units, and has no channels to run over",
        span,
        help="declare channels, as in `[nodes, 7]`, or write `softmax(axis = units)` if that is meant",
    )


class LayerExpressions:
    """Builds one expression; `reference_spans` says where it names which layer first."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.reference_spans: dict[str, Span] = {}

    def build(self, expr: syntax.Expr) -> Tensor:
        """The value of a layer's expression."""
        match expr:
            case syntax.Call(function=syntax.Name(id=name)) if name in LAYER_FUNCTIONS or name in ACTIVATIONS:
                return LAYER_FUNCTIONS.get(name, LayerExpressions._activation)(self, expr)
            case syntax.Binary(operator="+" | "-" | "*" | "/" as operator, left=left, right=right):
                first, second = self.build(left), self.build(right)
                if not (first.channels or second.channels):
                    return self._named_or_number(expr)
                if operator == "/" and second.expr == Constant(0.0):
                    reject("E124", "this cannot be computed: division by zero", expr.span)
                return self._joined(Arithmetic(operator, first.expr, second.expr), first, second, expr)
            case syntax.Unary(operator="-", operand=operand):
                inner = self.build(operand)
                negated = Arithmetic("*", Constant(-1.0), inner.expr)
                return Tensor(negated, inner.channels, inner.channel_axis, inner.units)
            case _:
                return self._named_or_number(expr)

    def layer(self, expr: syntax.Expr, what: str) -> Tensor:
        """An expression that is not a bare number."""
        tensor = self.build(expr)
        if not tensor.channels:
            reject("E110", f"{what} must be a layer, not a number", expr.span)
        return tensor

    def _named_or_number(self, expr: syntax.Expr) -> Tensor:
        if isinstance(expr, syntax.Call) and isinstance(expr.function, syntax.Name):
            self._known_function(expr.function)
        value = self.expressions.value(expr)
        if scalars.is_number(value):
            return Tensor(Constant(float(value)), 0, False, None)
        if isinstance(value, InputModel):
            self.reference_spans.setdefault(value.name, expr.span)
            shape = value.shape
            return Tensor(Ref(value.name), shape.channels, shape.channel_axis, shape.units)
        if isinstance(value, LayerModel):
            self.reference_spans.setdefault(value.name, expr.span)
            units = value.shape.units if value.shape else None
            return Tensor(Ref(value.name), value.channels, value.channel_axis, units)
        reject("E110", f"a layer is needed here, not {kind_of(value)}", expr.span)

    def _known_function(self, name: syntax.Name) -> None:
        if name.id in self.expressions.scope or name.id in self.expressions.emission.functions:
            return
        known = (*LAYER_FUNCTIONS, *ACTIVATIONS, *self.expressions.emission.functions)
        near = did_you_mean(name.id, known)
        if near and name.id not in FUNCTIONS:
            reject("E108", f"unknown function `{name.id}`", name.span, help=near)

    def _joined(self, expr: TensorExpr, first: Tensor, second: Tensor, place: syntax.Expr) -> Tensor:
        wide = max(first.channels, second.channels)
        if any(tensor.channels not in (0, 1, wide) for tensor in (first, second)):
            message = f"the operands have {first.channels} and {second.channels} channels"
            reject("E403", message, place.span, help="equal numbers, or one channel, can be joined elementwise")
        units = first.units if first.units is not None else second.units
        return Tensor(expr, wide, first.channel_axis or second.channel_axis, units)

    # -------------------------------------------------------------- functions

    def _activation(self, expr: syntax.Call) -> Tensor:
        assert isinstance(expr.function, syntax.Name)
        name: ActivationName = expr.function.id  # type: ignore[assignment]  # one of ACTIVATIONS
        bound = bind(expr, Signature(name, ("layer",), ("axis",) if name == "softmax" else (), 1))
        inner = self.layer(bound["layer"].value, f"the argument of `{name}`")
        function = Activation(name)
        if name == "softmax":
            axis = self._word(bound, "axis")
            function = Activation(name, softmax_axis(axis, inner.channel_axis, inner.units, expr.span))
        return Tensor(Apply(function, inner.expr), inner.channels, inner.channel_axis, inner.units)

    def _word(self, bound: Mapping[str, syntax.Argument], name: str) -> str | None:
        return self.expressions.string(bound[name].value, f"`{name}`") if name in bound else None

    def _concat(self, expr: syntax.Call) -> Tensor:
        if not expr.arguments or any(argument.name for argument in expr.arguments):
            reject("E109", "`concat` takes one or more layers", expr.span)
        tensors = [self.layer(argument.value, "an argument of `concat`") for argument in expr.arguments]
        channels = sum(tensor.channels for tensor in tensors)
        units = next((tensor.units for tensor in tensors if tensor.units is not None), None)
        return Tensor(Concat(tuple(tensor.expr for tensor in tensors)), channels, True, units)

    def _dropout(self, expr: syntax.Call) -> Tensor:
        bound = bind(expr, Signature("dropout", ("layer", "rate"), required=2))
        inner = self.layer(bound["layer"].value, "the first argument of `dropout`")
        rate = dropout_rate(self.expressions, bound["rate"].value)
        return Tensor(Dropout(inner.expr, rate), inner.channels, inner.channel_axis, inner.units)

    def _row_normalize(self, expr: syntax.Call) -> Tensor:
        inner = self._only_argument(expr)
        return Tensor(RowNormalize(inner.expr), inner.channels, inner.channel_axis, inner.units)

    def _layernorm(self, expr: syntax.Call) -> Tensor:
        inner = self._only_argument(expr)
        return Tensor(LayerNorm(inner.expr), inner.channels, inner.channel_axis, inner.units)

    def _only_argument(self, expr: syntax.Call) -> Tensor:
        assert isinstance(expr.function, syntax.Name)
        name = expr.function.id
        bound = bind(expr, Signature(name, ("layer",), required=1))
        return self.layer(bound["layer"].value, f"the argument of `{name}`")

    def _mean(self, expr: syntax.Call) -> Tensor:
        bound = bind(expr, Signature("mean", ("layer",), ("axis",), 1))
        inner = self.layer(bound["layer"].value, "the argument of `mean`")
        axis = choice(self._word(bound, "axis") or "units", ("units", "channels"), "`axis`", expr.span)
        if axis == "units":
            return Tensor(
                Mean(inner.expr, "units"), inner.channels, inner.channel_axis, IntegerUnits(1, span=expr.span)
            )
        return Tensor(Mean(inner.expr, "channels"), 1, False, inner.units)


def is_layer_expression(expressions: Expressions, expr: syntax.Expr) -> bool:
    """Whether an expression, by its form and the names in it, is one over layers."""
    match expr:
        case syntax.Name(id=name):
            value = expressions.scope.lookup(expr) if name in expressions.scope else None
            return isinstance(value, InputModel | LayerModel)
        case syntax.Binary(operator="+" | "-" | "*" | "/", left=left, right=right):
            return is_layer_expression(expressions, left) or is_layer_expression(expressions, right)
        case syntax.Unary(operator="-", operand=operand):
            return is_layer_expression(expressions, operand)
        case syntax.Call(function=syntax.Name(id=name)) if name in LAYER_FUNCTIONS or name in ACTIVATIONS:
            return any(is_layer_expression(expressions, argument.value) for argument in expr.arguments)
        case syntax.Call(function=function):
            makes = isinstance(function, syntax.Name) and function.id in expressions.emission.functions
            return makes or isinstance(expressions.callee(function), Block)
    return False


def dropout_rate(expressions: Expressions, expr: syntax.Expr) -> float:
    """A dropout rate: the probability, in [0, 1), with which a value is left out."""
    rate = expressions.number(expr, "the dropout rate")
    if not 0 <= rate < 1:
        reject("E410", f"the dropout rate must be at least 0 and below 1, not {rate}", expr.span)
    return float(rate)


LAYER_FUNCTIONS: Mapping[str, Callable[[LayerExpressions, syntax.Call], Tensor]] = {
    "concat": LayerExpressions._concat,
    "dropout": LayerExpressions._dropout,
    "row_normalize": LayerExpressions._row_normalize,
    "layernorm": LayerExpressions._layernorm,
    "mean": LayerExpressions._mean,
}
