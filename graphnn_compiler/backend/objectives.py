"""Losses and metrics of a plan as PyTensor scalars.

Input: an applied network, its parameters, and the targets as batch-first variables. Output: one variable of shape ()
and the plan's dtype per loss or metric. Every comparison is the mean over the batch, the units selected by `on`, and
(for values) the channels; with weights, sum of w l over sum of w. What a target holds outside `on` is never read.
Not for: class names, compiling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

import numpy as np
import pytensor.tensor as pt

from graphnn_compiler.backend.activations import CHANNELS, constant, shifted
from graphnn_compiler.backend.layout import Tensor, to_node_major
from graphnn_compiler.backend.symbolic import Applied, last_activation
from graphnn_compiler.topology.comparisons import FROM_LOGITS, SCORES, works_from
from graphnn_compiler.topology.plan import Compared, Layer, Penalty, Plan, ScalarExpr, Sum, Target, Weighted


def scalar(
    expr: ScalarExpr,
    applied: Applied,
    parameters: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    weights: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """The value of a loss or metric.

    `targets`: by name, batch-first; class numbers of any integer type, values of the plan's dtype. `weights`: by name
    of the target, of its shape or (B,), what each sample counts in the mean. ValueError where a loss has no logits to
    work from (`without_logits`), and for scores, which `evaluation.scores` computes from arrays.
    """
    match expr:
        case Compared():
            return _compared(expr, applied, targets[expr.target], (weights or {}).get(expr.target))
        case Penalty(name=name, parameters=names):
            power = pt.abs if name == "l1" else pt.sqr
            return sum((power(parameters[parameter]).sum() for parameter in names), start=_zero(applied.plan))
        case Weighted(factor=factor, term=term):
            value = scalar(term, applied, parameters, targets, weights)
            return constant(factor, value) * value
        case Sum(terms=several):
            return sum(
                (scalar(term, applied, parameters, targets, weights) for term in several), start=_zero(applied.plan)
            )
        case _:
            assert_never(expr)


def without_logits(layer: Layer, loss: str) -> str | None:
    """Why `loss` has no logits of a layer to work from, if so. The checker refuses such programs with E414."""
    last = last_activation(layer)
    matching = FROM_LOGITS.get(loss)
    if matching is None or last.name == "linear":
        return None
    over_classes = last.name != "softmax" or (last.axis == "channels") == layer.units.channel_axis
    if last.name == matching and over_classes and layer.dropout == 0:
        return None
    found = f"{last.name} over {last.axis}" if last.name == "softmax" else last.name
    dropped = " and dropout after it" if layer.dropout else ""
    return f"`{loss}` works from {works_from(loss)}, and layer `{layer.name}` ends in {found}{dropped}"


def _zero(plan: Plan) -> Tensor:
    return pt.constant(np.zeros((), dtype=plan.dtype))


def _compared(expr: Compared, applied: Applied, target: Tensor, weights: Tensor | None) -> Tensor:
    layer = applied.plan.layer[expr.layer]
    declared = next(one for one in applied.plan.targets if one.name == expr.target)
    problem = without_logits(layer, expr.name)
    if problem is not None:
        raise ValueError(problem)
    if expr.name in SCORES:
        raise ValueError(f"`{expr.name}` is computed from arrays, by `Network.evaluate`, and is no variable")
    value = (
        applied.logits if expr.name in FROM_LOGITS and last_activation(layer).name != "linear" else applied.values
    )[expr.layer]
    if declared.n_classes is None:
        wanted = to_node_major(target.astype(applied.plan.dtype), layer.units)
        of_each = _of_values(expr, layer, _selected(value, expr), _selected(wanted, expr))
    else:
        rows = value if layer.units.channel_axis else value.dimshuffle(2, 1, 0)
        of_each = _of_classes(expr, _selected(rows, expr), _classes(declared, target, expr))
    if weights is None:
        return of_each.mean()
    counted = _spread_weights(weights, declared, target, expr)
    total = counted.mean()
    # a batch may hold none of the samples that count: it then says nothing, not 0 / 0
    return (of_each * counted).mean() / pt.switch(pt.eq(total, constant(0, total)), constant(1, total), total)


def _spread_weights(weights: Tensor, declared: Target, target: Tensor, expr: Compared) -> Tensor:
    """Weights, of the shape of a target or one a sample, as (U or 1, B or 1, C or 1), the selected units only."""
    ndim, batched = len(declared.shape), target.type.ndim > len(declared.shape)
    if batched and weights.type.ndim == 1:
        return weights.dimshuffle("x", 0, "x")
    first = 1 if batched else 0
    order: tuple[Any, ...] = (first if ndim else "x", 0 if batched else "x", first + 1 if ndim == 2 else "x")
    spread = weights.dimshuffle(*order)
    return _selected(spread, expr) if ndim else spread


def _selected(rows: Tensor, expr: Compared) -> Tensor:
    return rows if expr.on is None else rows[pt.constant(expr.on)]


def _classes(declared: Target, target: Tensor, expr: Compared) -> Tensor:
    """Class numbers as (U or 1, B or 1, 1), the selected units only."""
    per_unit = len(declared.shape) == 1
    batched = target.type.ndim > len(declared.shape)
    order: tuple[Any, ...] = ((1,) if batched else (0,)) if per_unit else ("x",)
    classes = target.astype("int64").dimshuffle(*order, 0 if batched else "x", "x")
    return _selected(classes, expr) if per_unit else classes


def _of_classes(expr: Compared, rows: Tensor, classes: Tensor) -> Tensor:
    """The comparison of each of (U, B, classes) with its class number, (U or 1, B or 1, 1)."""
    if expr.name == "accuracy":
        found = rows.argmax(axis=CHANNELS, keepdims=True)
        return pt.eq(found, classes).astype(rows.dtype)
    if expr.name != "cross_entropy":
        raise ValueError(f"`{expr.name}` does not compare with class numbers")
    logits = shifted(rows, CHANNELS)
    numbers = pt.constant(np.arange(rows.type.shape[CHANNELS]))
    at_class = pt.switch(pt.eq(numbers, classes), logits, constant(0, logits)).sum(axis=CHANNELS)
    return (pt.log(pt.exp(logits).sum(axis=CHANNELS)) - at_class)[..., np.newaxis]


def _of_values(expr: Compared, layer: Layer, value: Tensor, wanted: Tensor) -> Tensor:
    """The comparison of each number of two (U, B, C)."""
    match expr.name:
        case "mse":
            return pt.sqr(value - wanted)
        case "mae":
            return pt.abs(value - wanted)
        case "huber":
            return _huber(value - wanted, expr.delta)
        case "binary_cross_entropy":
            return pt.softplus(value) - value * wanted
        case "poisson":
            return pt.exp(value) - value * wanted
        case "accuracy":
            # a linear layer holds logits, as it does for the binary cross entropy: probability 0.5 is logit 0
            threshold = constant(0 if last_activation(layer).name == "linear" else 0.5, value)
            return pt.eq(value > threshold, wanted > constant(0.5, value)).astype(value.dtype)
        case "cross_entropy":
            raise ValueError(f"`{expr.name}` compares with class numbers, and target `{expr.target}` holds values")
        case _:  # scores were refused before
            raise ValueError(f"`{expr.name}` is no mean")


def _huber(distance: Tensor, delta: float) -> Tensor:
    """Huber 1964, "Robust estimation of a location parameter", with the straight lines made to touch the square.

    With c = min(|r|, delta) the loss is c (|r| - c / 2), which is r^2 / 2 inside and delta (|r| - delta / 2) outside.
    """
    size = pt.abs(distance)
    inside = pt.minimum(size, constant(delta, size))
    return inside * (size - constant(0.5, size) * inside)
