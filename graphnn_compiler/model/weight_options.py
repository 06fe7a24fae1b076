"""The clause options `weights`, `mix` and `norm`: which edges share weights, of which form, divided by which sums.

Input: option values as syntax, and the clauses that came before. Output: `WeightsSpec` and `NormSpec`. Not for: start
values; whether shared edges and groups agree (only the data knows).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from graphnn_compiler.diagnostics import did_you_mean, listed
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.emission import Path
from graphnn_compiler.model.predicates import Predicates
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind, choice
from graphnn_compiler.model.types import ClauseModel, LayerModel, NormSpec, WeightsSpec
from graphnn_compiler.model.values import kind_of
from graphnn_compiler.source import Span

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

Options = Mapping[str, syntax.Expr]

_MODES = ("per_edge", "shared")
_NORMS = ("none", "row", "col", "symmetric")
_MIXES = ("full", "diagonal", "scalar")


def word(expr: syntax.Expr) -> str:
    """The word of a choice: `row` of `row`, of `row(..)`; `none` of `none`; empty for anything else."""
    match expr:
        case syntax.Name(id=name) | syntax.Call(function=syntax.Name(id=name)):
            return name
        case syntax.NoneValue():
            return "none"
        case _:
            return ""


def arguments(expr: syntax.Expr, signature: Signature) -> Mapping[str, syntax.Argument]:
    """The arguments of a choice that is written as a call; none of a bare word."""
    return bind(expr, signature) if isinstance(expr, syntax.Call) else {}


# ------------------------------------------------------------------ weights and mix


def weights(
    expressions: Expressions, given: Options, layer: Path, before: Sequence[ClauseModel], clause: Span
) -> WeightsSpec:
    """The weights of a clause of `layer`, in which the clauses `before` precede it.

    `weights = per_edge | shared | per(key) | per(key, bases = B) | fixed(v) | same_as(layer.label)`.
    """
    expr = given.get("weights")
    if isinstance(expr, syntax.Call) and word(expr) == "same_as":
        return _same_as(expressions, given, expr, layer, before)
    spec = WeightsSpec(span=clause) if expr is None else _own(expressions, expr)
    mix = _mix(given["mix"]) if "mix" in given else "full"
    return spec if spec.mode == "fixed" else replace(spec, mix=mix)  # type: ignore[arg-type]  # one of _MIXES


def _own(expressions: Expressions, expr: syntax.Expr) -> WeightsSpec:
    name = word(expr)
    if name == "per" and isinstance(expr, syntax.Call):
        bound = bind(expr, Signature("per", ("key",), ("bases",), 1))
        bases = _bases(expressions, bound["bases"].value) if "bases" in bound else None
        key = Predicates(expressions, "clause").column(bound["key"].value)
        return WeightsSpec("per", key=key, bases=bases, span=expr.span)
    if name == "fixed" and isinstance(expr, syntax.Call):
        value = bind(expr, Signature("fixed", ("value",), required=1))["value"].value
        return WeightsSpec("fixed", value=float(expressions.number(value, "the fixed weight")), span=expr.span)
    if name not in _MODES or isinstance(expr, syntax.Call):
        known = (*_MODES, "per", "fixed", "same_as")
        help = did_you_mean(name, known, "it is `per_edge`, `shared`, `per(..)`, `fixed(..)` or `same_as(..)`")
        reject("E107", f"`weights` cannot be `{expr.span.text}`", expr.span, help=help)
    return WeightsSpec(name, span=expr.span)  # type: ignore[arg-type]  # one of _MODES


def _bases(expressions: Expressions, expr: syntax.Expr) -> int:
    number = expressions.integer(expr, "the number of bases")
    if number < 1:
        reject("E411", f"the number of bases must be at least 1, not {number}", expr.span)
    return number


def _mix(expr: syntax.Expr) -> str:
    return choice(word(expr) or expr.span.text, _MIXES, "`mix`", expr.span)


def _same_as(
    expressions: Expressions, given: Options, expr: syntax.Call, layer: Path, before: Sequence[ClauseModel]
) -> WeightsSpec:
    for option in ("init", "mix", "trainable"):
        if option in given:
            message = f"weights that are those of another clause have no `{option}` of their own"
            reject("E423", message, given[option].span, help=f"write `{option}` where the weights are made")
    argument = bind(expr, Signature("same_as", ("clause",), required=1))["clause"].value
    stem, owner = _owner(expressions, argument, layer, before)
    if owner.weights.mode == "fixed":
        reject("E419", f"the weights of `{stem}` are fixed, not a parameter", argument.span)
    return replace(owner.weights, same_as=owner.weights.same_as or stem, span=expr.span)


def _owner(
    expressions: Expressions, expr: syntax.Expr, layer: Path, before: Sequence[ClauseModel]
) -> tuple[str, ClauseModel]:
    """The clause that `layer.label` names, or `layer` where it has one clause, with its place in parameter names."""
    base, label = (expr.base, expr.name) if isinstance(expr, syntax.Member) else (expr, None)
    if not isinstance(base, syntax.Name):
        help = "as in `weights = same_as(h.x)`, which names the clause `x` of the layer `h`"
        reject("E419", "`same_as` needs a clause of a layer", expr.span, help=help)
    if label is not None and base.id == layer.parameters.rpartition(".")[2]:
        clauses, path = before, layer.parameters
    else:
        value = expressions.value(base)
        if not isinstance(value, LayerModel):
            reject("E419", f"`same_as` needs a clause of a layer, and `{base.id}` is {kind_of(value)}", base.span)
        clauses, path = value.clauses, value.parameters_of
    found = [clause for clause in clauses if label in (None, clause.label)]
    if len(found) != 1:
        labels = [clause.label for clause in clauses]
        known = f"its clauses are {listed(f'`{base.id}.{one}`' for one in labels)}" if labels else None
        message = f"`{base.id}` has no clause `{label}` before this one" if label else f"`{base.id}` has not one clause"
        reject("E419", message, expr.span, help=did_you_mean(label or "", labels, known))
    return f"{path}.{found[0].label}", found[0]


# ------------------------------------------------------------------ norm


def norm(expressions: Expressions, expr: syntax.Expr) -> NormSpec:
    """`norm = none | row | col | symmetric`, the last three with `(per = key)` and `(abs = true)`."""
    kind = choice(word(expr) or expr.span.text, _NORMS, "`norm`", expr.span)
    bound = arguments(expr, Signature(kind, (), () if kind == "none" else ("per", "abs")))
    per = Predicates(expressions, "clause").column(bound["per"].value) if "per" in bound else None
    absolute = expressions.boolean(bound["abs"].value, "`abs`") if "abs" in bound else False
    return NormSpec(kind, per, absolute, span=expr.span)  # type: ignore[arg-type]  # one of _NORMS
