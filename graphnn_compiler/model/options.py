"""Options of clauses and layers: `name = value` pairs to parts of the model.

A new option costs an entry in one of the two tables and a function. Not for: what options mean together (layers.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, get_args

from graphnn_compiler.diagnostics import Diagnostic, did_you_mean
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.columns import ColumnExpr
from graphnn_compiler.model.layer_expressions import softmax_axis
from graphnn_compiler.model.predicates import Predicates
from graphnn_compiler.model.rejection import collecting, reject
from graphnn_compiler.model.signatures import Signature, bind, choice
from graphnn_compiler.model.tensors import ACTIVATIONS, LINEAR, Activation
from graphnn_compiler.model.types import NamedInit, NodeExpr, NormSpec, WeightsSpec

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

CLAUSE_OPTIONS = ("weights", "mix", "init", "scale", "norm", "trainable")
LAYER_OPTIONS = ("bias", "activation", "batchnorm", "layernorm", "dropout", "trainable")
_MODES = ("per_edge", "shared")
_NORMS = ("none", "row", "col", "symmetric")
_INITS: tuple[str, ...] = get_args(NamedInit)


def by_name(
    options: Sequence[syntax.Option], allowed: tuple[str, ...], what: str, problems: list[Diagnostic]
) -> dict[str, syntax.Expr]:
    """The options by name; unknown and repeated ones become diagnostics and are left out."""
    found: dict[str, syntax.Option] = {}
    for option in options:
        with collecting(problems):
            if option.name not in allowed:
                help = did_you_mean(option.name, allowed, f"{what} has the options {', '.join(allowed)}")
                reject("E105", f"{what} has no option `{option.name}`", option.name_span, help=help)
            if option.name in found:
                first = found[option.name].name_span
                message = f"option `{option.name}` is given twice"
                reject("E106", message, option.name_span, related=[(first, "first given here")])
            found[option.name] = option
    return {name: option.value for name, option in found.items()}


def _word(expr: syntax.Expr) -> str:
    """The word of a choice: `row` of `row`, of `row(..)`; `none` of `none`; empty for anything else."""
    match expr:
        case syntax.Name(id=word) | syntax.Call(function=syntax.Name(id=word)):
            return word
        case syntax.NoneValue():
            return "none"
        case _:
            return ""


def _arguments(expr: syntax.Expr, signature: Signature) -> Mapping[str, syntax.Argument]:
    return bind(expr, signature) if isinstance(expr, syntax.Call) else {}


# ------------------------------------------------------------------ clause options


def weights(expressions: Expressions, expr: syntax.Expr) -> WeightsSpec:
    """`weights = per_edge | shared | per(key) | fixed(v)`."""
    word = _word(expr)
    if word == "same_as":
        reject("E112", "`same_as` is part of the language but not compiled yet", expr.span)
    if word == "per" and isinstance(expr, syntax.Call):
        bound = bind(expr, Signature("per", ("key",), ("bases",), 1))
        if "bases" in bound:
            reject("E112", "`bases` is part of the language but not compiled yet", bound["bases"].span)
        return WeightsSpec("per", key=Predicates(expressions, "clause").column(bound["key"].value), span=expr.span)
    if word == "fixed" and isinstance(expr, syntax.Call):
        value = bind(expr, Signature("fixed", ("value",), required=1))["value"].value
        return WeightsSpec("fixed", value=float(expressions.number(value, "the fixed weight")), span=expr.span)
    if word not in _MODES or isinstance(expr, syntax.Call):
        help = did_you_mean(word, (*_MODES, "per", "fixed"), "it is `per_edge`, `shared`, `per(..)` or `fixed(..)`")
        reject("E107", f"`weights` cannot be `{expr.span.text}`", expr.span, help=help)
    return WeightsSpec(word, span=expr.span)  # type: ignore[arg-type]  # one of _MODES


def norm(expressions: Expressions, expr: syntax.Expr) -> NormSpec:
    """`norm = none | row | col | symmetric`, the last three with `(per = key)` and `(abs = true)`."""
    kind = choice(_word(expr) or expr.span.text, _NORMS, "`norm`", expr.span)
    bound = _arguments(expr, Signature(kind, (), ("per", "abs")))
    if "per" in bound:
        reject("E112", "`per` in a norm is part of the language but not compiled yet", bound["per"].span)
    absolute = expressions.boolean(bound["abs"].value, "`abs`") if "abs" in bound else False
    return NormSpec(kind, absolute=absolute, span=expr.span)  # type: ignore[arg-type]  # one of _NORMS


def init(expressions: Expressions, expr: syntax.Expr) -> NamedInit | ColumnExpr:
    """`init = glorot | he | lecun | orthogonal | zeros`, or an expression over edge, src and dst."""
    if isinstance(expr, syntax.Name) and expr.id not in expressions.scope:
        if expr.id in _INITS:
            return expr.id  # type: ignore[return-value]  # one of _INITS
        help = did_you_mean(expr.id, (*_INITS, "normal", "uniform"))
        if help:
            reject("E107", f"`init` cannot be `{expr.id}`", expr.span, help=help)
    return Predicates(expressions, "init").column(expr)


def mix(expr: syntax.Expr) -> None:
    """`mix = full`; the other values are not compiled yet."""
    word = choice(_word(expr) or expr.span.text, ("full", "diagonal", "scalar"), "`mix`", expr.span)
    if word != "full":
        reject("E112", f"`mix = {word}` is part of the language but not compiled yet", expr.span)


# ------------------------------------------------------------------ layer options


def activation(expressions: Expressions, expr: syntax.Expr, channel_axis: bool, units: NodeExpr | None) -> Activation:
    """`activation = relu`, `softmax`, `softmax(axis = units)`, `none`, .."""
    word = _word(expr)
    if word == "none":
        return LINEAR
    choice(word or expr.span.text, ACTIVATIONS, "`activation`", expr.span)
    bound = _arguments(expr, Signature(word, (), ("axis",) if word == "softmax" else ()))
    if word != "softmax":
        return Activation(word)  # type: ignore[arg-type]  # one of ACTIVATIONS
    written = expressions.string(bound["axis"].value, "`axis`") if "axis" in bound else None
    return Activation("softmax", softmax_axis(written, channel_axis, units, expr.span))


def bias(expr: syntax.Expr) -> str:
    """`bias = per_channel | per_unit | none`."""
    return choice(_word(expr) or expr.span.text, ("per_channel", "per_unit", "none"), "`bias`", expr.span)


def no_batchnorm(expressions: Expressions, expr: syntax.Expr) -> None:
    """`batchnorm = false`; true is not compiled yet."""
    if expressions.boolean(expr, "`batchnorm`"):
        reject("E112", "`batchnorm` is part of the language but not compiled yet", expr.span)
