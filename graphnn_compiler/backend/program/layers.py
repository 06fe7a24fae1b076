"""Layers as statements: clauses and expressions, then norms, activation and dropout.

Input: a layer and the values of the layers before it. Output: statements that end in a variable of the layer's name,
and its logits where a loss works from them. Not for: losses, the file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from graphnn_compiler.backend.program.block import Block
from graphnn_compiler.backend.program.clauses import Clauses
from graphnn_compiler.backend.program.code import Code, atom, fits, infix, tuple_of
from graphnn_compiler.backend.program.printer import Printer
from graphnn_compiler.backend.program.values import Value, as_in, shape_text, with_channels
from graphnn_compiler.backend.symbolic import last_activation
from graphnn_compiler.topology.plan import (
    Activation,
    Apply,
    Arithmetic,
    BatchNorm,
    Combination,
    Concat,
    Constant,
    Dropout,
    Layer,
    LayerNorm,
    Mean,
    Ref,
    RowNormalize,
    TensorExpr,
    Units,
)

OWN_FUNCTIONS = ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softsign")
"""The activations that are functions of the program; the others are operations of the target."""


class Layers:
    """Prints the layers of one program into the body of its forward function."""

    def __init__(self, printer: Printer, clauses: Clauses, block: Block, with_logits: frozenset[str]) -> None:
        self._printer = printer
        self._clauses = clauses
        self._block = block
        self._with_logits = with_logits
        self.values: dict[str, Value] = {}
        self.logits: dict[str, Code] = {}

    def layer(self, layer: Layer) -> None:
        """The statements of a layer; `values` holds its variable afterwards."""
        name = self._block.new(layer.name)
        units, last = layer.units, last_activation(layer)
        batched = any(self.values[source].batched for source in layer.sources)
        x = self._body(layer, name, last)
        x = self._spread(as_in(self._printer, x, units.channel_axis) if x.n_units else x, units)
        if layer.batchnorm is not None:
            x = self._batch_norm(layer.batchnorm, self._as(name, x))
        if layer.layernorm:
            x = self._channelwise("layer_norm", x)
        shape = shape_text(units.shape, batched)
        if layer.name in self._with_logits and last.name != "linear":
            logits = self._block.new(f"{layer.name}.logits")
            self.logits[layer.name] = self._block.set(logits, x.code)
            x = x.of(self.logits[layer.name])
        elif not fits(f"{name} =", self._finished(x, last, layer.dropout).code):
            x = self._as(name, x)
        variable = self._block.set(name, self._finished(x, last, layer.dropout).code, shape)
        self.values[layer.name] = replace(x, code=variable, n_units=len(units), channels=units.channels)

    def skip(self, layer: Layer, batched: bool) -> None:
        """Take a layer that cannot be printed as given, so that those after it are looked at too."""
        units = layer.units
        variable = atom(self._block.new(layer.name))
        self.values[layer.name] = Value(variable, batched, units.channel_axis, len(units), units.channels)

    def _finished(self, x: Value, last: Activation, rate: float) -> Value:
        y = self._activated(last, x)
        return y.of(self._printer.dropout(y.code, rate)) if rate else y

    def _as(self, name: str, x: Value) -> Value:
        return x if x.code.text == name else x.of(self._block.set(name, x.code))

    # -------------------------------------------------------------- bodies

    def _body(self, layer: Layer, name: str, last: Activation) -> Value:
        if isinstance(layer.body, Combination):
            return self._combination(layer, layer.body, name)
        peeled = isinstance(layer.body, Apply) and last is layer.body.function
        return self._expression(layer.body.operand if peeled and isinstance(layer.body, Apply) else layer.body)

    def _combination(self, layer: Layer, body: Combination, name: str) -> Value:
        """The clauses one after another, each added to those before it, and the bias."""
        total: Value | None = None
        for clause in body.clauses:
            term = self._clauses.clause(layer.name, clause, self.values[clause.source], layer.units)
            if total is None:
                total = term
                continue
            total = self._as(name, total)
            if not fits(f"{name} =", infix(total.code, "+", term.code)) and term.code.is_compound:
                term = term.of(self._block.named(f"{name}_{clause.label}", term.code))
            total = _sum(total, term)
        bias = None if body.bias is None else self._bias(layer, body.bias)
        if total is None:
            return bias or Value(self._printer.number(0), False, False, 0, 1)
        if bias is None:
            return total
        if not fits(f"{name} =", infix(total.code, "+", bias.code)):
            total = self._as(name, total)
        return _sum(total, bias)

    def _batch_norm(self, norm: BatchNorm, x: Value) -> Value:
        """The norm over the axes in front of those of its parameters."""
        shape = self._printer.plan.parameter[norm.gain].shape
        of_channels = shape == (1,) and not x.channel_axis and x.n_units != 1
        wide = with_channels(self._printer, x) if of_channels else x
        axes = list(map(str, range(wide.rank - len(shape))))
        y = wide.of(self._printer.batch_norm(wide.code, norm.parameters, axes[0] if len(axes) == 1 else tuple_of(axes)))
        return as_in(self._printer, y, x.channel_axis)

    def _bias(self, layer: Layer, parameter: str) -> Value:
        shape, units = self._printer.plan.parameter[parameter].shape, layer.units
        code = self._printer.array(parameter)
        if units.channel_axis:
            return Value(code, False, True, shape[0] if len(shape) == 2 else 0, units.channels)
        if shape == (1,) and len(units) != 1:
            return Value(code.item("0"), False, False, 0, 1)
        return Value(code, False, False, len(units), 1)

    def _spread(self, x: Value, units: Units) -> Value:
        """x over all units and channels, where it has one of either or is a number."""
        if x.n_units == len(units) and x.channels == units.channels:
            return x
        if x.rank == 1 and not x.n_units:
            code = self._printer.op("alloc", self._number(x), *map(str, units.shape))
        else:
            zeros = atom(f'np.zeros({tuple_of(units.shape)}, "{self._printer.plan.dtype}")')
            code = infix(self._broadcasting(x, units.channels).code, "+", zeros)
        return replace(x, code=code, channel_axis=units.channel_axis, n_units=len(units), channels=units.channels)

    def _number(self, x: Value) -> Code:
        return self._printer.op("cast", x.code, f'"{self._printer.plan.dtype}"')

    # -------------------------------------------------------------- activations

    def _activated(self, activation: Activation, x: Value) -> Value:
        match activation.name:
            case "linear":
                return x
            case "softmax":
                return self._softmax(activation, x)
            case name if name in OWN_FUNCTIONS:
                return x.of(self._printer.function(name, x.code))
            case name:
                return x.of(self._printer.op(name, x.code))

    def _softmax(self, activation: Activation, x: Value) -> Value:
        if activation.axis == "channels":
            return self._channelwise("softmax", x)
        last = x.units_axis == x.rank - 1
        return x.of(self._printer.function("softmax", x.code, *([] if last else [f"axis={x.units_axis}"])))

    def _channelwise(self, function: str, x: Value) -> Value:
        """A function of the last axis, applied to the channels."""
        wide = with_channels(self._printer, x)
        y = wide.of(self._printer.function(function, wide.code))
        return as_in(self._printer, y, x.channel_axis)

    # -------------------------------------------------------------- expressions

    def _expression(self, expr: TensorExpr) -> Value:
        match expr:
            case Ref(layer=name):
                return self.values[name]
            case Constant(value=value):
                return Value(self._printer.number(value), False, False, 0, 1)
            case Apply(function=function, operand=operand):
                return self._activated(function, self._array(self._expression(operand)))
            case Arithmetic(operator=operator, left=left, right=right):
                return self._arithmetic(operator, self._expression(left), self._expression(right))
            case Concat(operands=several):
                return self._concatenated([self._array(self._expression(operand)) for operand in several])
            case Dropout(operand=operand, rate=rate):
                x = self._array(self._expression(operand))
                return x.of(self._printer.dropout(x.code, rate)) if rate else x
            case RowNormalize(operand=operand):
                return self._channelwise("row_normalize", self._array(self._expression(operand)))
            case LayerNorm(operand=operand):
                return self._channelwise("layer_norm", self._array(self._expression(operand)))
            case Mean(operand=operand, axis=axis):
                return self._mean(self._array(self._expression(operand)), axis)
            case _:
                assert_never(expr)

    def _array(self, x: Value) -> Value:
        """x as an array where it is a number."""
        if x.n_units:
            return x
        code = self._printer.op("alloc", self._number(x), "1")
        return Value(code, False, False, 1, 1)

    def _arithmetic(self, operator: str, left: Value, right: Value) -> Value:
        if left.n_units and right.n_units and left.channel_axis != right.channel_axis:
            left, right = with_channels(self._printer, left), with_channels(self._printer, right)
        channels = max(left.channels, right.channels)
        sides = [self._broadcasting(side, channels) if side.n_units else side for side in (left, right)]
        return replace(
            left if left.n_units else right,
            code=infix(sides[0].code, operator, sides[1].code),
            batched=left.batched or right.batched,
            n_units=max(left.n_units, right.n_units),
            channels=channels,
        )

    def _broadcasting(self, x: Value, channels: int) -> Value:
        """x with a last axis that broadcasts, where it has one channel and others have more."""
        if not x.channel_axis or x.channels == channels:
            return x
        return x.of(self._printer.op("broadcast", x.code, str(x.rank - 1)))

    def _concatenated(self, several: list[Value]) -> Value:
        """The channels one after another; values without a batch are repeated for that of the others."""
        wide = [with_channels(self._printer, one) for one in several]
        batch = next((one for one in wide if one.batched), None)
        if batch is not None and not all(one.batched for one in wide):
            length = self._block.named("n_samples", batch.code.attribute("shape").item("0"))
            wide = [one if one.batched else self._repeated(one, length) for one in wide]
        code = self._printer.op("concatenate", f"[{', '.join(one.code.text for one in wide)}]", "axis=-1")
        return replace(wide[0], code=code, channels=sum(one.channels for one in wide))

    def _repeated(self, x: Value, n_samples: Code) -> Value:
        code = self._printer.op("alloc", x.code, n_samples, str(x.n_units), str(x.channels))
        return replace(x, code=code, batched=True)

    def _mean(self, x: Value, axis: str) -> Value:
        if axis == "units":
            return replace(x, code=x.code.method("mean", f"axis={x.units_axis}", "keepdims=True"), n_units=1)
        return (
            replace(x, code=x.code.method("mean", "axis=-1"), channel_axis=False, channels=1) if x.channel_axis else x
        )


def _sum(left: Value, right: Value) -> Value:
    """Of two values in the axes of one layer; either may be the same for all units."""
    return replace(
        left,
        code=infix(left.code, "+", right.code),
        batched=left.batched or right.batched,
        n_units=max(left.n_units, right.n_units),
    )
