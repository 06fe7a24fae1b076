"""Options of clauses and layers: `name = value` pairs to parts of the model.

A new option costs an entry in one of the two tables and a function. Not for: what options mean together (layers.py);
which edges share weights (weight_options.py).
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
from graphnn_compiler.model.signatures import Signature, choice
from graphnn_compiler.model.tensors import ACTIVATIONS, LINEAR, Activation
from graphnn_compiler.model.types import BiasMode, NamedInit, NodeExpr
from graphnn_compiler.model.weight_options import arguments, word

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

CLAUSE_OPTIONS = ("weights", "mix", "init", "scale", "norm", "trainable")
EXPRESSION_OPTIONS = ("activation", "batchnorm", "layernorm", "dropout")
LAYER_OPTIONS = ("bias", *EXPRESSION_OPTIONS, "trainable")
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


# ------------------------------------------------------------------ clause options


def init(expressions: Expressions, expr: syntax.Expr) -> NamedInit | ColumnExpr:
    """`init = glorot | he | lecun | orthogonal | zeros`, or an expression over edge, src and dst."""
    if isinstance(expr, syntax.Name) and expr.id not in expressions.scope:
        if expr.id in _INITS:
            return expr.id  # type: ignore[return-value]  # one of _INITS
        help = did_you_mean(expr.id, (*_INITS, "normal", "uniform"))
        if help:
            reject("E107", f"`init` cannot be `{expr.id}`", expr.span, help=help)
    return Predicates(expressions, "init").column(expr)


# ------------------------------------------------------------------ layer options


def activation(expressions: Expressions, expr: syntax.Expr, channel_axis: bool, units: NodeExpr | None) -> Activation:
    """`activation = relu`, `softmax`, `softmax(axis = units)`, `none`, .., or a constant that is one of these words."""
    name = word(expr)
    if isinstance(expr, syntax.Name) and expr.id in expressions.scope and name not in ACTIVATIONS:
        name = expressions.string(expr, "`activation`")
    if name == "none":
        return LINEAR
    choice(name or expr.span.text, ACTIVATIONS, "`activation`", expr.span)
    bound = arguments(expr, Signature(name, (), ("axis",) if name == "softmax" else ()))
    if name != "softmax":
        return Activation(name)  # type: ignore[arg-type]  # one of ACTIVATIONS
    written = expressions.string(bound["axis"].value, "`axis`") if "axis" in bound else None
    return Activation("softmax", softmax_axis(written, channel_axis, units, expr.span))


def bias(expr: syntax.Expr) -> BiasMode:
    """`bias = per_channel | per_unit | none`."""
    written = word(expr) or expr.span.text
    return choice(written, get_args(BiasMode), "`bias`", expr.span)  # type: ignore[return-value]  # one of BiasMode


def norms(
    expressions: Expressions, given: Mapping[str, syntax.Expr], mode: BiasMode
) -> tuple[BiasMode, BiasMode, bool]:
    """`bias`, `batchnorm` and `layernorm` of a layer whose bias is `mode`, as far as the first two go together.

    With `batchnorm = true` the mode is that of its statistics, its gain and its shift, which takes the bias's place.
    """
    layernorm = "layernorm" in given and expressions.boolean(given["layernorm"], "`layernorm`")
    if "batchnorm" not in given or not expressions.boolean(given["batchnorm"], "`batchnorm`"):
        return mode, "none", layernorm
    span = given["batchnorm"].span
    if layernorm:
        related = [(given["layernorm"].span, "the other norm")]
        help = "drop one of them; two norms are written as two layers"
        reject("E426", "a layer has one norm, `batchnorm` or `layernorm`", span, help=help, related=related)
    if mode == "none":
        related = [(given["bias"].span, "no bias here")]
        help = "leave `bias` out: with `batchnorm` there is a shift, and no bias beside it"
        message = "`batchnorm` needs to know what its statistics are of: `per_channel` or `per_unit`"
        reject("E425", message, span, help=help, related=related)
    return "none", mode, False
