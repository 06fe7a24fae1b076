"""A checked model as text: every name, shape, rule and option, defaults filled in; the same text for the same model.

Input: a `Model`. Output: text for `--emit model` and golden tests, in the words of the language. A set of nodes or
edges that stands in several places is written once, as `$1 = ..`, and named there. Paths are as the program gives them.
Not for: reading back; canonical program text; anything that only the data says.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphnn_compiler.model.expression_text import ExpressionText, literal
from graphnn_compiler.model.tensors import Activation
from graphnn_compiler.model.types import (
    ClauseModel,
    ComparedModel,
    InputModel,
    LayerModel,
    Model,
    NodeColumn,
    NormSpec,
    ObjectiveModel,
    PenaltyModel,
    Read,
    Shape,
    TargetModel,
    WeightsSpec,
)


def dump(model: Model) -> str:
    """The text of a model: parameters, data, shared sets, inputs, layers, targets, objectives, asserts."""
    counted = ExpressionText()
    _Dump(model, counted).text()
    return _Dump(model, ExpressionText(counted.repeated)).text()


class _Dump:
    def __init__(self, model: Model, text: ExpressionText) -> None:
        self._model = model
        self._text = text

    def text(self) -> str:
        """All sections, with an empty line between them; shared sets are numbered as the others come to name them."""
        model = self._model
        inputs = [self._input(node) for node in model.inputs]
        layers = [list(self._layer(layer)) for layer in model.layers]
        after = [
            [self._target(target) for target in model.targets],
            [self._objective(objective) for objective in model.objectives],
            [self._assert(check.message, self._text.column(check.condition)) for check in model.asserts],
        ]
        params = [f"param {name} = {literal(value)}" for name, value in model.params.items()]
        sections = [[f"model, edition {model.edition}"], params, [_read(read) for read in model.reads.values()]]
        sections += [self._text.shared, inputs, *layers, *after]
        return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"

    # -------------------------------------------------------------- inputs and layers

    def _input(self, node: InputModel) -> str:
        default = "" if node.default is None else f" = {self._default(node.default)}"
        return f"input {node.name}{self._shape(node.shape)}{default}"

    def _default(self, default: Read | NodeColumn) -> str:
        if isinstance(default, Read):
            return f"read {default.name}"
        return self._text.member(default.nodes, default.column)

    def _shape(self, shape: Shape | None) -> str:
        if shape is None:
            return ""
        channels = f", {shape.channels}" if shape.channel_axis else ""
        return f"[{self._text.nodes(shape.units)}{channels}]"

    def _layer(self, layer: LayerModel) -> Iterator[str]:
        kind = "output" if layer.output else "layer"
        value = "" if layer.value is None else f" = {self._text.tensor(layer.value)}"
        yield f"{kind} {layer.name}{self._shape(layer.shape)}{value}"
        yield f"    channels = {layer.channels}{', without an axis' if not layer.channel_axis else ''}"
        if layer.parameters_of != layer.name:
            yield f"    parameters of {layer.parameters_of}"
        for clause in layer.clauses:
            yield from self._clause(clause)
        yield f"    bias = {layer.bias}"
        yield f"    batchnorm = {literal(False) if layer.batchnorm == 'none' else layer.batchnorm}"
        yield f"    layernorm = {literal(layer.layernorm)}"
        yield f"    activation = {_activation(layer.activation)}"
        yield f"    dropout = {literal(layer.dropout)}"
        yield f"    trainable = {literal(layer.trainable)}"

    def _clause(self, clause: ClauseModel) -> Iterator[str]:
        yield f"    from {clause.source} via {self._text.edges(clause.rule)} as {clause.label}"
        yield f"        weights = {self._weights(clause.weights)}"
        if clause.weights.mode != "fixed":
            yield f"        mix = {clause.weights.mix}"
        if clause.weights.mode != "fixed" and clause.weights.same_as is None:
            yield f"        init = {clause.init if isinstance(clause.init, str) else self._text.column(clause.init)}"
        yield f"        scale = {'1' if clause.scale is None else self._text.column(clause.scale)}"
        yield f"        norm = {self._norm(clause.norm)}"
        yield f"        trainable = {literal(clause.trainable)}"

    def _weights(self, weights: WeightsSpec) -> str:
        if weights.mode == "fixed":
            return f"fixed({literal(weights.value)})"
        shared = "" if weights.same_as is None else f"same_as({weights.same_as}), "
        bases = "" if weights.bases is None else f", bases = {weights.bases}"
        key = "" if weights.key is None else f"({self._text.column(weights.key)}{bases})"
        return f"{shared}{weights.mode}{key}"

    def _norm(self, norm: NormSpec) -> str:
        options = [] if norm.per is None else [f"per = {self._text.column(norm.per)}"]
        options += ["abs = true"] if norm.absolute else []
        return f"{norm.kind}({', '.join(options)})" if options else norm.kind

    # -------------------------------------------------------------- targets, objectives, asserts

    def _target(self, target: TargetModel) -> str:
        default = "" if target.default is None else f" = {self._default(target.default)}"
        return f"target {target.name}{self._shape(target.shape)}{default}"

    def _objective(self, objective: ObjectiveModel) -> str:
        terms = []
        for factor, term in objective.terms:
            times = "" if factor == 1 else f"{literal(factor)} * "
            terms.append(times + (self._compared(term) if isinstance(term, ComparedModel) else _penalty(term)))
        return f"{objective.kind} {objective.name} = {' + '.join(terms)}"

    def _compared(self, term: ComparedModel) -> str:
        selected = "" if term.on is None else f", on = {self._text.nodes(term.on)}"
        bend = f", delta = {literal(term.delta)}" if term.name == "huber" else ""
        return f"{term.name}({term.layer}, {term.target}{selected}{bend})"

    def _assert(self, message: str | None, condition: str) -> str:
        return f"assert {condition}" + ("" if message is None else f", {literal(message)}")


def _read(read: Read) -> str:
    options = [f"{name} = {literal(value)}" for name, value in read.options.items()]
    nodes = [] if read.nodes is None else [f"nodes = {literal(read.nodes.shown)}"]
    return f"read {read.name}: {', '.join([literal(read.file.shown), *nodes, *options])}"


def _penalty(term: PenaltyModel) -> str:
    return f"{term.name}({', '.join(term.parameters)})"


def _activation(activation: Activation) -> str:
    return f"softmax(axis = {activation.axis})" if activation.name == "softmax" else activation.name
