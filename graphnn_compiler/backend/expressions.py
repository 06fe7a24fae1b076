"""Tensor expressions of a plan as PyTensor expressions: what a layer is that is not made of clauses.

Input: an expression and the node-major values (units, batch, channels) of what it names. Output: a variable of that
layout, with one unit, one channel or a number where these broadcast. Not for: clauses, the activation of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import add, mul, sub, truediv
from typing import assert_never

import pytensor.tensor as pt

from graphnn_compiler.backend.activations import (
    CHANNELS,
    UNITS,
    Drops,
    activate,
    axis_number,
    layer_norm,
    row_normalize,
)
from graphnn_compiler.backend.layout import Tensor, batch_length
from graphnn_compiler.topology.plan import (
    Apply,
    Arithmetic,
    Concat,
    Constant,
    Dropout,
    LayerNorm,
    Mean,
    Ref,
    RowNormalize,
    TensorExpr,
)

OPERATORS = {"+": add, "-": sub, "*": mul, "/": truediv}


def expression(expr: TensorExpr, values: Mapping[str, Tensor], drops: Drops, dtype: str) -> Tensor:
    """The value of an expression; its numbers are of `dtype`."""

    def inner(operand: TensorExpr) -> Tensor:
        return expression(operand, values, drops, dtype)

    match expr:
        case Ref(layer=name):
            return values[name]
        case Constant(value=value):
            return pt.constant(value, dtype=dtype)
        case Apply(function=function, operand=operand):
            return activate(function, inner(operand))
        case Arithmetic(operator=operator, left=left, right=right):
            return OPERATORS[operator](inner(left), inner(right))
        case Concat(operands=several):
            return _concatenated([inner(operand) for operand in several])
        case Dropout(operand=operand, rate=rate):
            return drops(inner(operand), rate)
        case RowNormalize(operand=operand):
            return row_normalize(inner(operand))
        case LayerNorm(operand=operand):
            return layer_norm(inner(operand))
        case Mean(operand=operand, axis=axis):
            return inner(operand).mean(axis=axis_number(axis), keepdims=True)
        case _:
            assert_never(expr)


def _concatenated(parts: list[Tensor]) -> Tensor:
    """The channels of (U, 1 or B, C) variables one after another; batches of 1 are repeated where another has B."""
    longest = next((part for part in parts if part.type.shape[1] != 1), parts[0])
    spread = [
        pt.alloc(part, part.type.shape[UNITS], batch_length(longest), part.type.shape[CHANNELS])
        if part.type.shape[1] == 1 != longest.type.shape[1]
        else part
        for part in parts
    ]
    return pt.concatenate(spread, axis=CHANNELS)
