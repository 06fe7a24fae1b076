"""A plan as text: every node of the IR, on one screen for a small model, the same text for the same plan.

Input: a plan. Output: text for `--emit plan`, golden tests and bug reports. Not for: reading back (the archive does
that), tables for people (`plan_summary`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count
from graphnn_compiler.topology.plan import (
    Activation,
    Apply,
    Arithmetic,
    Clause,
    Combination,
    Compared,
    Concat,
    Constant,
    DenseClause,
    Dropout,
    EdgePart,
    Input,
    Layer,
    LayerNorm,
    Mean,
    Parameter,
    Penalty,
    Plan,
    Ref,
    RowNormalize,
    ScalarExpr,
    SparseClause,
    Sum,
    Target,
    TensorExpr,
    Units,
    Weighted,
    Weights,
)
from graphnn_compiler.topology.plan_summary import in_degrees, preparation

_SHOWN_KEYS = 3
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}


def dump(plan: Plan) -> str:
    """The text of a plan: inputs, layers with their clauses, parameters, targets, objectives; one ends each line."""
    lines = [f"plan, edition {plan.edition}, {plan.dtype}, seed {plan.provenance.seed}"]
    lines += ["", *(_input_line(source) for source in plan.inputs)]
    for layer in plan.layers:
        lines += ["", *_layer_lines(layer, plan)]
    if plan.parameters:
        lines += ["", *_parameter_lines(plan.parameters)]
    if plan.targets:
        lines += ["", *(_target_line(target) for target in plan.targets)]
    if plan.objectives:
        lines += ["", *(f"{it.kind} {it.name} = {scalar_text(it.value, plan)}" for it in plan.objectives)]
    return "\n".join(lines) + "\n"


# ------------------------------------------------------------------ expressions


def formula(expr: TensorExpr) -> str:
    """An expression over layers as it would be written in a program."""
    match expr:
        case Ref(layer=name):
            return name
        case Constant(value=value):
            return _number(value)
        case Apply(function=function, operand=operand):
            axis = f", axis = {function.axis}" if function.name == "softmax" else ""
            return f"{function.name}({formula(operand)}{axis})"
        case Arithmetic(operator=operator, left=left, right=right):
            return f"{_operand(left, operator, tight=False)} {operator} {_operand(right, operator, tight=True)}"
        case Concat(operands=several):
            return f"concat({', '.join([formula(operand) for operand in several])})"
        case Dropout(operand=operand, rate=rate):
            return f"dropout({formula(operand)}, {_number(rate)})"
        case RowNormalize(operand=operand):
            return f"row_normalize({formula(operand)})"
        case LayerNorm(operand=operand):
            return f"layernorm({formula(operand)})"
        case Mean(operand=operand, axis=axis):
            return f"mean({formula(operand)}, axis = {axis})"


def _operand(expr: TensorExpr, operator: str, *, tight: bool) -> str:
    """An operand, in parentheses where the tree would not be read back from the text without them."""
    text = formula(expr)
    if isinstance(expr, Constant):
        return f"({text})" if text.startswith("-") and tight else text
    if not isinstance(expr, Arithmetic):
        return text
    inner, outer = _PRECEDENCE[expr.operator], _PRECEDENCE[operator]
    return f"({text})" if inner < outer or (tight and inner == outer) else text


def scalar_text(expr: ScalarExpr, plan: Plan) -> str:
    """A loss or metric as it would be written in a program, with the number of units for a selection."""
    match expr:
        case Compared(name=name, layer=layer, target=target, on=on, delta=delta):
            total = count(len(plan.units[layer]), "unit")
            selected = "" if on is None else f", on = {len(on):,} of {total}"
            bend = f", delta = {_number(delta)}" if name == "huber" else ""
            return f"{name}({layer}, {target}{selected}{bend})"
        case Penalty(name=name, parameters=parameters):
            return f"{name}({', '.join(parameters)})"
        case Weighted(factor=factor, term=term):
            inner = scalar_text(term, plan)
            return f"{_number(factor)} * ({inner})" if isinstance(term, Sum) else f"{_number(factor)} * {inner}"
        case Sum(terms=terms):
            written = [(scalar_text(term, plan), isinstance(term, Sum)) for term in terms]
            return " + ".join([f"({text})" if nested else text for text, nested in written])


# ------------------------------------------------------------------ layers


def _layer_lines(layer: Layer, plan: Plan) -> Iterator[str]:
    word = "output" if layer.output else "layer"
    yield f"{word} {layer.name} {_units_text(layer.units)}"
    if isinstance(layer.body, Combination):
        for clause in layer.body.clauses:
            yield from _clause_lines(clause, plan, layer.units)
        if layer.body.bias is not None:
            yield f"    bias {_parameter_text(layer.body.bias, plan)}"
    else:
        yield f"    = {formula(layer.body)}"
    steps = []
    if layer.batchnorm is not None:
        yield f"    batchnorm {', '.join(_parameter_text(name, plan) for name in layer.batchnorm.parameters)}"
        steps.append("batchnorm")
    if layer.layernorm:
        steps.append("layernorm")
    if layer.activation.name != "linear":
        steps.append(_activation_text(layer.activation))
    if layer.dropout:
        steps.append(f"dropout {_number(layer.dropout)}")
    if steps:
        yield f"    then {', '.join(steps)}"


def _clause_lines(clause: Clause, plan: Plan, target: Units) -> Iterator[str]:
    head = f"    from {clause.source}" + ("" if clause.label == clause.source else f" as {clause.label}")
    if isinstance(clause, DenseClause):
        edges = len(plan.units[clause.source]) * len(target)
        yield f"{head} via all: {count(edges, 'pair')}, coefficient {_number(clause.coefficient)}"
        yield f"        weights {_weights_text(clause.weights, plan)}"
        return
    degrees = in_degrees(clause, len(target))
    spread = f"{degrees.min()}..{degrees.max()}, mean {_number(degrees.mean())}" if len(degrees) else "none"
    left_out = f", left out {clause.left_out:,}" if clause.left_out else ""
    yield f"{head}: {count(clause.n_edges, 'edge')}, in-degree {spread}{left_out}"
    yield f"        weights {_weights_text(clause.weights, plan)}"
    for part, name in zip(clause.parts, _part_names(clause), strict=True):
        yield f"        {name}coefficients {_coefficients_text(part)}, groups {_groups_text(part)}"


def _part_names(clause: SparseClause) -> list[str]:
    if clause.relations is None:
        several = len(clause.parts) > 1
        return [f"part {k}, {count(p.csr.n_edges, 'edge')}: " if several else "" for k, p in enumerate(clause.parts)]
    named = zip(clause.parts, clause.relations, strict=True)
    return [f"{_relation_text(name)}, {count(part.csr.n_edges, 'edge')}: " for part, name in named]


def _relation_text(name: str | None) -> str:
    return "without relation" if name is None else f"relation {name!r}"


def _weights_text(weights: Weights, plan: Plan) -> str:
    if weights.parameter is None:
        return f"{weights.mode} {_number(weights.value)}"
    groups = "" if weights.group_values is None else f" key {_values_text(weights.group_values)} in"
    mix = "" if weights.mix == "full" else f", {weights.mix}"
    bases = "" if weights.coefficients is None else f" by {_parameter_text(weights.coefficients, plan)}"
    return f"{weights.mode}{groups} {_parameter_text(weights.parameter, plan)}{bases}{mix}"


def _parameter_text(name: str, plan: Plan) -> str:
    return f"{name} {plan.parameter[name].shape}"


def _coefficients_text(part: EdgePart) -> str:
    if part.coefficients is None or len(part.coefficients) == 0:
        return "none"
    low, high = float(part.coefficients.min()), float(part.coefficients.max())
    return f"constant {_number(low)}" if low == high else f"{_number(low)}..{_number(high)}"


def _groups_text(part: EdgePart) -> str:
    if part.groups is None or len(part.groups) == 0:
        return "none"
    return f"{part.groups.min()}..{part.groups.max()}"


def _activation_text(activation: Activation) -> str:
    return f"softmax over {activation.axis}" if activation.name == "softmax" else activation.name


# ------------------------------------------------------------------ inputs, parameters, targets


def _input_line(source: Input) -> str:
    prepared = "".join(f", {said}" for said in preparation(source))
    return f"input {source.name} {_units_text(source.units)}{_default_text(source.default)}{prepared}"


def _default_text(default: NDArray | None) -> str:
    return "" if default is None else f", default {default.dtype} {default.shape}"


def _units_text(units: Units) -> str:
    channels = f", {count(units.channels, 'channel')}" if units.channel_axis else ""
    return f"[{count(len(units), 'unit')}{channels}], keys {_values_text(units.keys)}"


def _values_text(values: NDArray) -> str:
    """The range of consecutive integers, else the first few values and how many there are more."""
    n = len(values)
    if n == 0:
        return "none"
    if n > 1 and values.dtype == np.int64 and bool(np.all(values[1:] - values[:-1] == 1)):
        return f"{values[0]}..{values[-1]}"
    shown = [repr(value) for value in values[:_SHOWN_KEYS].tolist()]
    return " ".join(shown) + (f" and {n - _SHOWN_KEYS:,} more" if n > _SHOWN_KEYS else "")


def _parameter_lines(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    for parameter in parameters:
        frozen = "" if parameter.trainable or parameter.kind == "state" else ", frozen"
        yield f"parameter {parameter.name} {parameter.shape}, {parameter.kind}{frozen}"


def _target_line(target: Target) -> str:
    classes = "values" if target.n_classes is None else count(target.n_classes, "class", "classes")
    names = "" if target.classes is None else f" {_values_text(target.classes)}"
    return f"target {target.name} {target.shape}, {classes}{names}{_default_text(target.default)}"


def _number(value: float) -> str:
    return f"{value:.6g}"
