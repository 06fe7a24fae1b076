"""How many units and channels an expression over layers has.

Input: an expression and the plan that it stands in. Output: its size, or ValueError where operands do not fit. Not
for: combinations of clauses (`verification`), values.
"""

from __future__ import annotations

import math

from graphnn_compiler.topology.consistency import require
from graphnn_compiler.topology.plan import (
    ACTIVATIONS,
    Activation,
    Apply,
    Arithmetic,
    Concat,
    Constant,
    Dropout,
    LayerNorm,
    Mean,
    Plan,
    Ref,
    RowNormalize,
    TensorExpr,
)


def expression_units(expr: TensorExpr, plan: Plan) -> tuple[int, int]:
    """The (number of units, number of channels) of an expression; a constant alone has (1, 1).

    Raises ValueError where operands do not fit each other or a name is unknown.
    """
    units, channels = _inferred(expr, plan)
    return (1 if units is None else units), channels


def verify_activation(place: str, activation: Activation) -> None:
    """Raise ValueError unless the activation and its axis exist."""
    require(activation.name in ACTIVATIONS, f"{place}: there is no activation `{activation.name}`")
    require(activation.axis in ("channels", "units"), f"{place}: there is no axis `{activation.axis}`")


def verify_rate(place: str, rate: float) -> None:
    """Raise ValueError unless a dropout rate is in [0, 1)."""
    require(0 <= rate < 1, f"{place}: dropout rate {rate} is not in 0 <= rate < 1")


def _inferred(expr: TensorExpr, plan: Plan) -> tuple[int | None, int]:
    """(units, channels), where None stands for the units of a constant, which fit any."""
    match expr:
        case Constant(value=value):
            require(math.isfinite(value), f"a constant is {value}")
            return None, 1
        case Ref(layer=name):
            require(name in plan.units, f"there is no layer `{name}`")
            return len(plan.units[name]), plan.units[name].channels
        case Apply(function=function, operand=operand):
            verify_activation(function.name, function)
            return _inferred(operand, plan)
        case Dropout(operand=operand, rate=rate):
            verify_rate("dropout", rate)
            return _inferred(operand, plan)
        case RowNormalize(operand=operand) | LayerNorm(operand=operand):
            return _inferred(operand, plan)
        case Mean(operand=operand, axis=axis):
            units, channels = _inferred(operand, plan)
            return (1, channels) if axis == "units" else (units, 1)
        case Arithmetic(operator=operator, left=left, right=right):
            return _broadcast(operator, _inferred(left, plan), _inferred(right, plan))
        case Concat(operands=several):
            return _concatenated([_inferred(operand, plan) for operand in several])


def _broadcast(operator: str, left: tuple[int | None, int], right: tuple[int | None, int]) -> tuple[int | None, int]:
    require(operator in ("+", "-", "*", "/"), f"there is no operator `{operator}`")
    units = {left[0], right[0]} - {None}
    require(len(units) <= 1, f"`{operator}` between {left[0]} and {right[0]} units")
    channels = {left[1], right[1]} - {1}
    require(len(channels) <= 1, f"`{operator}` between {left[1]} and {right[1]} channels")
    return (units.pop() if units else None), (channels.pop() if channels else 1)


def _concatenated(shapes: list[tuple[int | None, int]]) -> tuple[int | None, int]:
    units = {shape[0] for shape in shapes}
    require(len(units) == 1 and None not in units, "`concat` needs operands of equal units and no constants")
    return units.pop(), sum(shape[1] for shape in shapes)
