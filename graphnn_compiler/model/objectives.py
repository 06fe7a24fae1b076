"""Losses and metrics: sums of factors times comparisons and penalties.

Input: syntax and the names declared so far. Output: an `ObjectiveModel`. Not for: computing them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NoReturn

from graphnn_compiler.diagnostics import did_you_mean, listed
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.comparisons import COMPARISONS, LOSSES
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind
from graphnn_compiler.model.types import (
    ClauseModel,
    ComparedModel,
    LayerModel,
    ObjectiveModel,
    PenaltyModel,
    TargetModel,
)
from graphnn_compiler.model.values import kind_of

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

Terms = tuple[tuple[float, ComparedModel | PenaltyModel], ...]

_PENALTIES = ("l1", "l2")


class Objectives:
    """Elaborates `loss` and `metric` statements in one scope."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions

    def objective(self, decl: syntax.LossDecl | syntax.MetricDecl) -> ObjectiveModel:
        terms = self._terms(decl.value)
        kind: Literal["loss", "metric"] = "loss" if isinstance(decl, syntax.LossDecl) else "metric"
        for _, term in terms if kind == "loss" else ():
            if isinstance(term, ComparedModel) and term.name not in LOSSES:
                help = f"a `metric` reports it; losses are {', '.join(LOSSES)}"
                reject("E427", f"`{term.name}` has no gradient, so training cannot lower it", term.span, help=help)
        return ObjectiveModel(decl.name, kind, terms, span=decl.name_span)

    def _terms(self, expr: syntax.Expr) -> Terms:
        match expr:
            case syntax.Binary(operator="+", left=left, right=right):
                return self._terms(left) + self._terms(right)
            case syntax.Binary(operator="-", left=left, right=right):
                return self._terms(left) + _scaled(self._terms(right), -1.0)
            case syntax.Binary(operator="*", left=left, right=right):
                if _calls_objective(left):
                    left, right = right, left
                return _scaled(self._terms(right), self._factor(left))
            case syntax.Binary(operator="/", left=left, right=right):
                divisor = self._factor(right)
                if divisor == 0:
                    reject("E124", "this cannot be computed: division by zero", expr.span)
                return _scaled(self._terms(left), 1 / divisor)
            case syntax.Unary(operator="-", operand=operand):
                return _scaled(self._terms(operand), -1.0)
            case syntax.Call(function=syntax.Name(id=name)):
                return ((1.0, self._term(name, expr)),)
            case _:
                help = "as in `cross_entropy(y, truth) + 1e-4 * l2(h.weights)`"
                reject("E409", "a loss or metric is a sum of functions of layers", expr.span, help=help)

    def _factor(self, expr: syntax.Expr) -> float:
        if _calls_objective(expr):
            reject("E409", "losses cannot be multiplied by each other, only by numbers", expr.span)
        return float(self.expressions.number(expr, "the factor of a loss"))

    def _term(self, name: str, expr: syntax.Call) -> ComparedModel | PenaltyModel:
        if name in COMPARISONS:
            return self._compared(name, expr)
        if name in _PENALTIES:
            return self._penalty(name, expr)
        known = (*COMPARISONS, *_PENALTIES)
        help = did_you_mean(name, known, f"there are {', '.join(known)}")
        reject("E108", f"unknown loss or metric `{name}`", expr.function.span, help=help)

    def _compared(self, name: str, expr: syntax.Call) -> ComparedModel:
        named = ("on", "delta") if name == "huber" else ("on",)
        bound = bind(expr, Signature(name, ("layer", "target"), named, 2))
        layer = self.expressions.value(bound["layer"].value)
        if not isinstance(layer, LayerModel):
            reject("E110", f"`{name}` needs a layer, not {kind_of(layer)}", bound["layer"].span)
        target = self.expressions.value(bound["target"].value)
        if not isinstance(target, TargetModel):
            help = "declare it, as in `target truth`"
            reject("E110", f"`{name}` needs a target, not {kind_of(target)}", bound["target"].span, help=help)
        on = self.expressions.nodes(bound["on"].value, "`on`") if "on" in bound else None
        delta = self._delta(bound["delta"].value) if "delta" in bound else 1.0
        return ComparedModel(name, layer.name, target.name, on, delta, span=expr.span)  # type: ignore[arg-type]  # known

    def _delta(self, expr: syntax.Expr) -> float:
        """Where the Huber loss goes over from the square to the straight line."""
        delta = float(self.expressions.number(expr, "`delta`"))
        if not (delta > 0 and math.isfinite(delta)):
            reject("E428", f"`delta` must be above 0 and finite, not {delta:g}", expr.span)
        return delta

    def _penalty(self, name: str, expr: syntax.Call) -> PenaltyModel:
        if not expr.arguments or any(argument.name for argument in expr.arguments):
            help = f"as in `{name}(h.weights)`"
            reject("E109", f"`{name}` takes the parameters of one or more layers", expr.span, help=help)
        names = tuple(self._parameter(argument.value) for argument in expr.arguments)
        return PenaltyModel(name, names, span=expr.span)  # type: ignore[arg-type]  # in _PENALTIES

    def _parameter(self, expr: syntax.Expr) -> str:
        """The full name of `layer.weights`, `layer.label.weights`, `layer.bias`, or of another parameter.

        `layer` may be the path of one that a block or a repeat made, without the numbers of tied steps.
        """
        match expr:
            case syntax.Member(base=base, name="weights" | "bases" | "coefficients"):
                return self._of_clause(base, expr)
            case syntax.Member(base=base, name="bias" | "gain" | "shift" as kind):
                if layer := self._made_at(_path(base)):
                    return self._of_layer(layer, kind, expr)
                if isinstance(base, syntax.Name):
                    return self._of_layer(self._layer(base), kind, expr)
        self._no_parameter(expr)

    def _of_clause(self, base: syntax.Expr, expr: syntax.Member) -> str:
        """The full name of a parameter of `layer` or `layer.label`."""
        if layer := self._made_at(_path(base)):
            return self._only_weights(layer, expr)
        match base:
            case syntax.Member(base=inner, name=label) if layer := self._made_at(_path(inner)):
                return self._weights(layer, label, expr)
            case syntax.Member(base=syntax.Name() as name, name=label):
                return self._weights(self._layer(name), label, expr)
            case syntax.Name():
                return self._only_weights(self._layer(base), expr)
        self._no_parameter(expr)

    def _no_parameter(self, expr: syntax.Expr) -> NoReturn:
        help = "as in `h.weights`, `h.label.weights` or `h.bias`"
        if isinstance(expr, syntax.Member):
            help = did_you_mean(expr.name, ("weights", "bias", "gain", "shift"), help) or help
        reject("E418", "a penalty needs parameters", expr.span, help=help)

    def _made_at(self, path: str) -> LayerModel | None:
        """The layer that a block or a repeat made at a path, which has a dot in it."""
        nodes = self.expressions.emission.nodes.values() if "." in path else ()
        made = (node for node in nodes if isinstance(node, LayerModel) and node.parameters_of == path)
        return next(made, None)

    def _only_weights(self, layer: LayerModel, expr: syntax.Member) -> str:
        if len(layer.clauses) > 1:
            labels = listed(f"`{layer.parameters_of}.{clause.label}.{expr.name}`" for clause in layer.clauses)
            message = f"`{layer.parameters_of}` has several clauses, so `.{expr.name}` is ambiguous"
            reject("E418", message, expr.span, help=f"name one of {labels}")
        return self._weights(layer, layer.clauses[0].label if layer.clauses else "", expr)

    def _of_layer(self, layer: LayerModel, kind: str, expr: syntax.Expr) -> str:
        """The full name of a bias, gain or shift."""
        has = ("bias",) if layer.bias != "none" else ("gain", "shift") if layer.batchnorm != "none" else ()
        if kind not in has:
            owned = listed(f"`{layer.parameters_of}.{name}`" for name in has)
            help = f"it has {owned}" if owned else None
            reject("E418", f"`{layer.parameters_of}` has no {kind}", expr.span, help=help)
        return f"{layer.parameters_of}.{kind}"

    def _layer(self, name: syntax.Name) -> LayerModel:
        layer = self.expressions.value(name)
        if not isinstance(layer, LayerModel):
            reject("E110", f"only layers have parameters; `{name.id}` is {kind_of(layer)}", name.span)
        return layer

    def _weights(self, layer: LayerModel, label: str, expr: syntax.Member) -> str:
        for clause in layer.clauses:
            if clause.label == label:
                if clause.weights.mode == "fixed":
                    message = f"the weights of `{layer.parameters_of}.{label}` are fixed, not a parameter"
                    reject("E418", message, expr.span)
                return self._weights_of(clause, f"{layer.parameters_of}.{label}", expr)
        labels = [clause.label for clause in layer.clauses]
        help = did_you_mean(
            label, labels, f"its clauses are {listed(f'`{one}`' for one in labels)}" if labels else None
        )
        reject(
            "E418",
            f"`{layer.parameters_of}` has no {f'clause `{label}`' if label else 'weights'}",
            expr.span,
            help=help,
        )

    @staticmethod
    def _weights_of(clause: ClauseModel, stem: str, expr: syntax.Member) -> str:
        kinds = ("weights",) if clause.weights.bases is None else ("bases", "coefficients")
        if expr.name not in kinds:
            help = "it has " + " and ".join(f"`{stem}.{kind}`" for kind in kinds)
            reject("E418", f"`{stem}` has no parameter `{expr.name}`", expr.span, help=help)
        return f"{clause.weights.same_as or stem}.{expr.name}"


def _path(expr: syntax.Expr) -> str:
    """`a.b.c` as text; empty for anything else than names and dots."""
    names: list[str] = []
    while isinstance(expr, syntax.Member):
        names.append(expr.name)
        expr = expr.base
    return ".".join([expr.id, *reversed(names)]) if isinstance(expr, syntax.Name) else ""


def _scaled(terms: Terms, factor: float) -> Terms:
    return tuple((factor * weight, term) for weight, term in terms)


def _calls_objective(expr: syntax.Expr) -> bool:
    match expr:
        case syntax.Call(function=syntax.Name(id=name)):
            return name in (*COMPARISONS, *_PENALTIES)
        case syntax.Binary(left=left, right=right):
            return _calls_objective(left) or _calls_objective(right)
        case syntax.Unary(operand=operand):
            return _calls_objective(operand)
        case _:
            return False
