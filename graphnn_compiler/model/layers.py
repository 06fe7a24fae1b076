"""Declarations of inputs, targets, layers and outputs, to their checked form with every default filled.

Input: syntax and the names declared so far. Output: `InputModel`, `TargetModel`, `LayerModel`. Not for: whether units
and edges fit together (only the data knows).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnn_compiler.diagnostics import Diagnostic
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model import options, weight_options
from graphnn_compiler.model.columns import ColumnExpr, ColumnRef, walk
from graphnn_compiler.model.emission import Path
from graphnn_compiler.model.layer_expressions import LayerExpressions, Tensor, dropout_rate
from graphnn_compiler.model.predicates import Predicates
from graphnn_compiler.model.reads import array_read
from graphnn_compiler.model.rejection import Rejected, collecting, reject
from graphnn_compiler.model.tensors import LINEAR, Ref
from graphnn_compiler.model.types import (
    All,
    BiasMode,
    ClauseModel,
    InputModel,
    LayerModel,
    NodeColumn,
    NodeExpr,
    NormSpec,
    Read,
    Shape,
    TargetModel,
)
from graphnn_compiler.model.values import Block, kind_of

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions


class Layers:
    """Elaborates declarations in one scope; problems inside a declaration are all collected."""

    def __init__(self, expressions: Expressions, problems: list[Diagnostic]) -> None:
        self.expressions = expressions
        self.problems = problems

    # -------------------------------------------------------------- shapes, inputs, targets

    def shape(self, shape: syntax.Shape) -> Shape:
        units = self.expressions.nodes(shape.units, "the units of a shape")
        if shape.channels is None:
            return Shape(units, span=shape.span)
        channels = self.expressions.integer(shape.channels, "the number of channels")
        if channels < 1:
            reject("E411", f"the number of channels must be at least 1, not {channels}", shape.channels.span)
        return Shape(units, channels, True, span=shape.span)

    def input(self, decl: syntax.InputDecl) -> InputModel:
        options.by_name(decl.options, (), "an input", self.problems)
        shape = self.shape(decl.shape)
        default = array_read(self.expressions, decl.value, decl.name, "input") if decl.value else None
        return InputModel(decl.name, shape, default, span=decl.name_span)

    def target(self, decl: syntax.TargetDecl) -> TargetModel:
        options.by_name(decl.options, (), "a target", self.problems)
        shape = self.shape(decl.shape) if decl.shape else None
        return TargetModel(decl.name, shape, self._target_data(decl), span=decl.name_span)

    def _target_data(self, decl: syntax.TargetDecl) -> Read | NodeColumn | None:
        if decl.value is None:
            return None
        if isinstance(decl.value, syntax.Call):
            return array_read(self.expressions, decl.value, decl.name, "target")
        value = self.expressions.value(decl.value)
        if not isinstance(value, NodeColumn):
            help = 'as in `target t = g.nodes.label` or `target t = read("t.npz")`'
            reject(
                "E110", f"a target's data is a node column or a file, not {kind_of(value)}", decl.value.span, help=help
            )
        return value

    # -------------------------------------------------------------- layers with clauses

    def layer(self, decl: syntax.LayerDecl) -> LayerModel:
        before = len(self.problems)
        if decl.shape is None:
            help = f"as in `{decl.kind} {decl.name}[g.nodes] {{ .. }}`"
            reject("E405", f"`{decl.name}` needs units", decl.name_span, help=help)
        if not decl.clauses:
            help = "add a clause, as in `from x via all`"
            reject("E401", f"nothing connects to `{decl.name}`", decl.name_span, help=help)
        shape = self.shape(decl.shape)
        given = options.by_name(decl.options, options.LAYER_OPTIONS, "a layer", self.problems)
        frozen = False
        with collecting([]):  # what is wrong with it is reported with the other options
            frozen = "trainable" in given and not self.expressions.boolean(given["trainable"], "`trainable`")
        path = self.expressions.base.child(decl.name)
        clauses: list[ClauseModel] = []
        labels: dict[str, syntax.Clause] = {}
        for clause in decl.clauses:
            with collecting(self.problems):
                clauses.append(self._clause(path, clause, shape, labels, not frozen, clauses))
        layer = self._with_options(decl, shape, given, clauses)
        if len(self.problems) > before or len(clauses) < len(decl.clauses):
            raise Rejected(None)
        return layer

    def _with_options(
        self, decl: syntax.LayerDecl, shape: Shape, given: dict[str, syntax.Expr], clauses: list[ClauseModel]
    ) -> LayerModel:
        shares = all(clause.weights.mode != "per_edge" for clause in clauses)
        bias: BiasMode = "per_channel" if shares or shape.channel_axis else "per_unit"
        with collecting(self.problems):
            bias = options.bias(given["bias"]) if "bias" in given else bias
        common = self._common_options(given, shape.channel_axis, shape.units, bias)
        path = self.expressions.base.child(decl.name)
        return LayerModel(
            path.name,
            shape,
            tuple(clauses),
            channels=shape.channels,
            channel_axis=shape.channel_axis,
            output=decl.kind == "output",
            parameters_of=path.parameters,
            span=decl.name_span,
            **common,  # type: ignore[arg-type]  # the fields that _common_options names
        )

    def _common_options(
        self, given: dict[str, syntax.Expr], channel_axis: bool, units: NodeExpr | None, bias: BiasMode
    ) -> dict[str, object]:
        """bias, the norms, activation, dropout and trainable, as fields of a LayerModel.

        `bias` is the mode of the bias, or of what takes its place.
        """
        fields: dict[str, object] = {"activation": LINEAR}
        with collecting(self.problems):
            if "activation" in given:
                fields["activation_span"] = given["activation"].span
                fields["activation"] = options.activation(self.expressions, given["activation"], channel_axis, units)
        with collecting(self.problems):
            fields["bias"], fields["batchnorm"], fields["layernorm"] = options.norms(self.expressions, given, bias)
        with collecting(self.problems):
            if "trainable" in given:
                fields["trainable"] = self.expressions.boolean(given["trainable"], "`trainable`")
        with collecting(self.problems):
            if "dropout" in given:
                fields["dropout"] = dropout_rate(self.expressions, given["dropout"])
        return fields

    # -------------------------------------------------------------- clauses

    def _clause(
        self,
        layer: Path,
        clause: syntax.Clause,
        shape: Shape,
        labels: dict[str, syntax.Clause],
        trainable: bool,
        before: list[ClauseModel],
    ) -> ClauseModel:
        label = clause.label or self._label_of(clause.source)
        self._unique_label(label, clause, labels)
        expressions = self.expressions
        source = self._source(clause.source, expressions.free_path(layer, f"{label}_input"))
        expressions.declaring = layer.child(label).parameters
        rule = expressions.edges(clause.rule, "the rule after `via`")
        given = options.by_name(clause.options, options.CLAUSE_OPTIONS, "a clause", self.problems)
        weights = weight_options.weights(expressions, given, layer, before, clause.span)
        normed = weight_options.norm(expressions, given["norm"]) if "norm" in given else NormSpec(span=clause.span)
        scale = Predicates(expressions, "clause").column(given["scale"]) if "scale" in given else None
        init_span = given["init"].span if "init" in given else clause.span
        init = options.init(expressions, given["init"]) if "init" in given else "glorot"
        if "trainable" in given:
            trainable &= expressions.boolean(given["trainable"], "`trainable`")
        if weights.mode == "fixed" and "init" in given:
            reject("E413", "fixed weights have no start value", init_span, help="use `scale`, or drop `init`")
        model = ClauseModel(
            source.name, rule, label, weights, normed, init, init_span, scale, trainable, span=clause.span
        )
        self._check_channels(model, source, shape)
        return model

    def _source(self, expr: syntax.Expr, path: Path) -> InputModel | LayerModel:
        """The layer after `from`; an expression over layers becomes a layer of its own at `path`."""
        if not isinstance(expr, syntax.Name | syntax.Member | syntax.Number):
            return named_layer(self.expressions, expr, path, "the source after `from`")
        value = self.expressions.value(expr)
        if not isinstance(value, InputModel | LayerModel):
            reject("E110", f"`from` needs an input or a layer, not {kind_of(value)}", expr.span)
        return value

    def _label_of(self, source: syntax.Expr) -> str:
        """The label of a clause without `as`: the name of its source, or of the block that makes it."""
        match source:
            case syntax.Name(id=name) | syntax.Member(name=name):
                return name
            case syntax.Call(function=function) if isinstance(self.expressions.callee(function), Block):
                return self._label_of(function)
        help = "name the clause after its rule, as in `from relu(h + x) via near as mixed`"
        reject("E143", "a source that has no name needs a label", source.span, help=help)

    def _unique_label(self, label: str, clause: syntax.Clause, labels: dict[str, syntax.Clause]) -> None:
        place = clause.label_span or clause.source.span
        if label in ("weights", "bias"):
            reject(
                "E402", f"a clause cannot be labelled `{label}`, which names parameters", place, help="add `as NAME`"
            )
        if label in labels:
            first = labels[label].label_span or labels[label].source.span
            message = f"two clauses of this layer are labelled `{label}`"
            reject(
                "E402", message, place, help="give one of them a name with `as NAME`", related=[(first, "the first")]
            )
        labels[label] = clause

    def _check_channels(self, clause: ClauseModel, source: InputModel | LayerModel, shape: Shape) -> None:
        c_in = channels_of(source)
        if clause.weights.mode == "fixed" and c_in != shape.channels:
            message = f"fixed weights cannot turn {c_in} channels into {shape.channels}"
            reject("E407", message, clause.weights.span, help="use `weights = shared`, or equal numbers of channels")
        if clause.weights.mix != "full" and c_in != shape.channels:
            message = f"weights with `mix = {clause.weights.mix}` cannot turn {c_in} channels into {shape.channels}"
            reject("E420", message, clause.span, help="use `mix = full`, or equal numbers of channels")
        if not isinstance(clause.rule, All):
            return
        if clause.norm.per is not None:
            help = "list the pairs, as a table or with a rule"
            reject("E408", "`per` needs edges, and `all` never becomes an edge list", clause.norm.span, help=help)
        if clause.weights.mode == "per":
            help = "use `per_edge` or `shared`, or list the pairs, as a table or with a rule"
            reject("E408", "`per` needs edges, and `all` never becomes an edge list", clause.weights.span, help=help)
        for name, expr in (("scale", clause.scale), ("init", clause.init)):
            if expr is not None and not isinstance(expr, str):
                _require_constant(expr, name)

    # -------------------------------------------------------------- layers as expressions

    def expression(self, decl: syntax.LayerExprDecl) -> LayerModel:
        before = len(self.problems)
        shape = self.shape(decl.shape) if decl.shape else None
        builder = LayerExpressions(self.expressions)
        tensor = builder.layer(decl.value, f"the value of `{decl.name}`")
        given = options.by_name(decl.options, options.EXPRESSION_OPTIONS, "an expression layer", self.problems)
        channels, channel_axis = self._declared_channels(decl, shape, tensor)
        mode: BiasMode = "per_channel" if channel_axis else "per_unit"
        common = self._common_options(given, channel_axis, shape.units if shape else tensor.units, mode)
        common["bias"] = "none"
        if len(self.problems) > before:
            raise Rejected(None)
        if shape is None and tensor.units is not None:
            shape = Shape(tensor.units, channels, channel_axis, span=decl.value.span)
        path = self.expressions.base.child(decl.name)
        return LayerModel(
            path.name,
            shape,
            value=tensor.expr,
            reference_spans=builder.reference_spans,
            channels=channels,
            channel_axis=channel_axis,
            output=decl.kind == "output",
            parameters_of=path.parameters,
            span=decl.name_span,
            **common,  # type: ignore[arg-type]  # the fields that _common_options names
        )

    def _declared_channels(self, decl: syntax.LayerExprDecl, shape: Shape | None, tensor: Tensor) -> tuple[int, bool]:
        if shape is None:
            return tensor.channels, tensor.channel_axis
        if shape.channels != tensor.channels:
            message = f"`{decl.name}` is declared with {shape.channels} channels, its expression has {tensor.channels}"
            reject("E403", message, decl.value.span, related=[(shape.span, "declared here")])
        return shape.channels, shape.channel_axis


def named_layer(expressions: Expressions, expr: syntax.Expr, path: Path, what: str) -> InputModel | LayerModel:
    """The value of an expression over layers: the layer that it names, else a new one at a path."""
    builder = LayerExpressions(expressions)
    tensor = builder.layer(expr, what)
    if isinstance(tensor.expr, Ref):
        return expressions.emission.nodes[tensor.expr.layer]
    shape = None
    if tensor.units is not None:
        shape = Shape(tensor.units, tensor.channels, tensor.channel_axis, span=expr.span)
    layer = LayerModel(
        path.name,
        shape,
        value=tensor.expr,
        reference_spans=builder.reference_spans,
        channels=tensor.channels,
        channel_axis=tensor.channel_axis,
        parameters_of=path.parameters,
        span=expr.span,
    )
    expressions.emission.add(layer)
    return layer


def channels_of(layer: InputModel | LayerModel) -> int:
    """The channels of an input or a layer."""
    return layer.shape.channels if isinstance(layer, InputModel) else layer.channels


def _require_constant(expr: ColumnExpr, option: str) -> None:
    for part in walk(expr):
        if isinstance(part, ColumnRef):
            help = "list the pairs, as a table or with a rule"
            message = f"`all` never becomes an edge list, so its `{option}` cannot use columns"
            reject("E408", message, part.span, help=help)
