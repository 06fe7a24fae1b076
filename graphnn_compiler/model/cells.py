"""The recurrent cells `gru(h, m)` and `lstm(h, c, m)` as layers: one cell a unit, its weights shared by all units.

Input: a call. Output: the layers that hold the new state. Units of the state and the message are joined by key and
have to be the same. With W, U matrices and b a bias (0 at the start), all trained, sigma the logistic function and `*`
elementwise:

* `gru`, Cho et al., "Learning phrase representations using RNN encoder-decoder" (EMNLP 2014), with biases:
  r = sigma(W_r m + U_r h + b_r), z = sigma(W_z m + U_z h + b_z), g = tanh(W m + U (r * h) + b),
  h' = z * h + (1 - z) * g.
* `lstm`, Hochreiter and Schmidhuber, "Long short-term memory" (Neural Computation 1997), with the forget gate of Gers,
  Schmidhuber and Cummins (2000): i, f, o = sigma(W m + U h + b) each with their own, g = tanh(W_g m + U_g h + b_g),
  c' = f * c + i * g, h' = o * tanh(c').

Not for: recurrence (`repeats`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.emission import Path
from graphnn_compiler.model.layers import channels_of, named_layer
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind
from graphnn_compiler.model.tensors import Activation, Apply, Arithmetic, Constant, Ref, TensorExpr, references
from graphnn_compiler.model.types import (
    ClauseModel,
    InputModel,
    LayerModel,
    NormSpec,
    Same,
    Shape,
    WeightsSpec,
)

if TYPE_CHECKING:
    from graphnn_compiler.model.emission import Function
    from graphnn_compiler.model.expressions import Expressions

_GRU = Signature("gru", ("h", "m"), required=2)
_LSTM = Signature("lstm", ("h", "c", "m"), required=3)
_SIGMOID, _TANH = Activation("sigmoid"), Activation("tanh")


def gru(expressions: Expressions, call: syntax.Call) -> LayerModel:
    """The state after a step of a gated recurrent unit, with state `h` and message `m`."""
    cell = _Cell(expressions, call, _GRU)
    reset, update = cell.gate("reset", _SIGMOID), cell.gate("update", _SIGMOID)
    kept = cell.value("kept", _product(reset, cell.arguments["h"]))
    new = cell.gate("new", _TANH, h=kept)
    still_new = Arithmetic("-", Constant(1.0), Ref(update.name))
    old = _product(update, cell.arguments["h"])
    return cell.value("state", Arithmetic("+", old, Arithmetic("*", still_new, Ref(new.name))))


def lstm(expressions: Expressions, call: syntax.Call) -> tuple[LayerModel, LayerModel]:
    """State and cell after a step of long short-term memory, with state `h`, cell `c` and message `m`."""
    cell = _Cell(expressions, call, _LSTM)
    inputs, forget, output = (cell.gate(name, _SIGMOID) for name in ("input", "forget", "output"))
    new = cell.gate("new", _TANH)
    kept = _product(forget, cell.arguments["c"])
    memory = cell.value("cell", Arithmetic("+", kept, _product(inputs, new)))
    shown = Arithmetic("*", Ref(output.name), Apply(_TANH, Ref(memory.name)))
    return cell.value("state", shown), memory


def _product(left: LayerModel | InputModel, right: LayerModel | InputModel) -> TensorExpr:
    return Arithmetic("*", Ref(left.name), Ref(right.name))


def _two_values(expressions: Expressions, call: syntax.Call) -> NoReturn:
    help = "write `next h, c = lstm(h, c, m)` in a `repeat` with the states h and c"
    reject("E150", "`lstm` gives two layers, the state and the cell", call.span, help=help)


FUNCTIONS: Mapping[str, Function] = {"gru": gru, "lstm": _two_values}
"""The functions that make layers, where one layer is wanted."""


class _Cell:
    """The layers of one cell, at the path of its call."""

    def __init__(self, expressions: Expressions, call: syntax.Call, signature: Signature) -> None:
        self._emission = expressions.emission
        self._span = call.span
        given = bind(call, signature)
        self._path: Path = expressions.call_path(call, signature.name)
        self.arguments: dict[str, LayerModel | InputModel] = {}
        for name in signature.positional:
            expr, at = given[name].value, self._path.child(name)
            with expressions.declaring_at(at, expr):
                what = f"the argument `{name}` of `{signature.name}`"
                self.arguments[name] = named_layer(expressions, expr, at, what)
        state = self.arguments["h"]
        if state.shape is None:
            reject("E405", f"the units of `{state.name}` follow from its expression", given["h"].span)
        self._shape: Shape = state.shape
        memory = self.arguments.get("c", state)
        if channels_of(memory) != self._shape.channels:
            message = f"the state has {self._shape.channels} channels, the cell {channels_of(memory)}"
            reject("E403", message, call.span, help="give them equally many")

    def gate(self, name: str, activation: Activation, **instead: LayerModel) -> LayerModel:
        """activation(W m + U h + b); `instead` replaces one of the two."""
        sources = {label: self.arguments[label] for label in ("m", "h")} | instead
        clauses = tuple(self._clause(label, source) for label, source in sources.items())
        return self._add(name, clauses=clauses, bias="per_channel", activation=activation)

    def value(self, name: str, expr: TensorExpr) -> LayerModel:
        """An elementwise part of the cell."""
        return self._add(name, value=expr, reference_spans=dict.fromkeys(references(expr), self._span))

    def _clause(self, label: str, source: LayerModel | InputModel) -> ClauseModel:
        span = self._span
        return ClauseModel(
            source.name,
            self._emission.interned(Same(span=span)),
            label,
            WeightsSpec("shared", span=span),
            NormSpec(span=span),
            init="glorot",
            init_span=span,
            scale=None,
            trainable=True,
            one_each=True,
            span=span,
        )

    def _add(self, name: str, **parts: Any) -> LayerModel:
        path = self._path.child(name)
        layer = LayerModel(
            path.name,
            self._shape,
            channels=self._shape.channels,
            channel_axis=self._shape.channel_axis,
            parameters_of=path.parameters,
            span=self._span,
            **parts,
        )
        self._emission.add(layer)
        return layer
