"""Expressions over layers: what `layer g = relu(f + x)` computes.

Output of the checker, read by every later stage as it stands. Values stand on units and channels; there is no batch
axis here. Not for: clauses (they are of the model and of the plan), places in the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Axis = Literal["channels", "units"]
ActivationName = Literal[
    "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "tanh", "sigmoid", "exp",
    "softmax",
]  # fmt: skip
ACTIVATIONS: tuple[str, ...] = get_args(ActivationName)


@dataclass(frozen=True)
class Activation:
    """An elementwise function, or softmax over `axis`."""

    name: ActivationName = "linear"
    axis: Axis = "channels"


LINEAR = Activation()


@dataclass(frozen=True)
class Ref:
    """The value of an input or an earlier layer."""

    layer: str


@dataclass(frozen=True)
class Constant:
    value: float


@dataclass(frozen=True)
class Apply:
    """`function(operand)` for an activation function."""

    function: Activation
    operand: TensorExpr


@dataclass(frozen=True)
class Arithmetic:
    """Elementwise `left operator right` on equal units; one channel and constants broadcast."""

    operator: Literal["+", "-", "*", "/"]
    left: TensorExpr
    right: TensorExpr


@dataclass(frozen=True)
class Concat:
    """The channels of the operands, one after another."""

    operands: tuple[TensorExpr, ...]


@dataclass(frozen=True)
class Dropout:
    """Inverted dropout: in training each value is kept with probability 1 - rate and divided by it."""

    operand: TensorExpr
    rate: float


@dataclass(frozen=True)
class RowNormalize:
    """Each unit's channels divided by their sum; a zero sum gives 0."""

    operand: TensorExpr


@dataclass(frozen=True)
class LayerNorm:
    """(x - mean) / sqrt(variance + 1e-5) over each unit's channels (Ba, Kiros & Hinton 2016, without gain and bias)."""

    operand: TensorExpr


@dataclass(frozen=True)
class Mean:
    """The mean over units (one unit is left) or over channels (one channel is left)."""

    operand: TensorExpr
    axis: Axis


TensorExpr: TypeAlias = Ref | Constant | Apply | Arithmetic | Concat | Dropout | RowNormalize | LayerNorm | Mean


def operands(expr: TensorExpr) -> tuple[TensorExpr, ...]:
    """The direct operands of an expression."""
    match expr:
        case Ref() | Constant():
            return ()
        case Arithmetic(left=left, right=right):
            return (left, right)
        case Concat(operands=several):
            return several
        case Apply(operand=one) | Dropout(operand=one) | RowNormalize(operand=one) | LayerNorm(operand=one):
            return (one,)
        case Mean(operand=one):
            return (one,)


def references(expr: TensorExpr) -> Iterator[str]:
    """The layers that an expression reads, left to right."""
    if isinstance(expr, Ref):
        yield expr.layer
    for operand in operands(expr):
        yield from references(operand)
