"""The gradient of what is fused with a sparse dot: y = f(z), z = bias + sum.

Input: the value y and its cotangent, node-major. Output: the cotangent of z and that of the bias. f' is a function of
y for every f here (`FUSED`): tanh' = 1 - y^2, sigmoid' = y (1 - y), and so on. Not for: other activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable

from graphnn_compiler.backend.compiled_ops import CompiledOp, Formula
from graphnn_compiler.backend.kernels.activations import LEAKY_SLOPE
from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.slopes import SLOPES, slopes_of, sums_over_batch


def slopes(y: Variable, gy: Variable, activation: str, *, with_bias: bool) -> tuple[Variable, Variable]:
    """The cotangents of z (T, B, C) and of the bias (T,), the latter disconnected where there is none."""
    if activation == "linear":
        return gy, BatchSum()(gy) if with_bias else disconnected_type()
    gz, g_bias = Slopes(activation)(y, gy)
    return gz, g_bias if with_bias else disconnected_type()


class BatchSum(CompiledOp):
    """(T, B, C) -> its sums over batch and channels, (T,)."""

    __props__ = ()

    def make_node(self, gy: Variable) -> Apply:
        return Apply(self, [gy], [pt.tensor(dtype=gy.type.dtype, shape=(gy.type.shape[0],))])

    def infer_shape(self, *arguments: Any) -> list[tuple[Any, ...]]:
        return [(arguments[-1][0][0],)]

    def kernel(self, node: Apply) -> tuple[str, Any, tuple[Loop, ...]]:
        return "sums_over_batch", sums_over_batch, (SLOPES,)

    def formula(self, node: Apply) -> Formula:
        return "batch_sum", {}

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        return [pt.zeros_like(inputs[0]) + cotangents[0].dimshuffle(0, "x", "x")]


class Slopes(CompiledOp):
    """y = f(z) and its cotangent gy, both (T, B, C) -> gz = f'(z) gy, and its sums over batch and channels, (T,)."""

    __props__ = ("activation",)

    def __init__(self, activation: str) -> None:
        self.activation = activation

    def make_node(self, y: Variable, gy: Variable) -> Apply:
        sums = pt.tensor(dtype=y.type.dtype, shape=(y.type.shape[0],))
        return Apply(self, [y, gy], [y.type(), sums])

    def infer_shape(self, *arguments: Any) -> list[tuple[Any, ...]]:
        shape = arguments[-1][0]
        return [shape, (shape[0],)]

    def kernel(self, node: Apply) -> tuple[str, Any, tuple[Loop, ...]]:
        return f"slopes:{self.activation}", slopes_of(self.activation), (SLOPES,)

    def formula(self, node: Apply) -> Formula:
        return "slopes", {"activation": self.activation}

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        y, gy = inputs
        slope, curvature = _derivatives(self.activation, y)
        by_gz, by_sums = (None if isinstance(one.type, DisconnectedType) else one for one in cotangents)
        spread = None if by_sums is None else by_sums.dimshuffle(0, "x", "x")
        both = spread if by_gz is None else by_gz if spread is None else by_gz + spread
        return [both * gy * curvature, both * slope]


def _derivatives(activation: str, y: Variable) -> tuple[Variable, Variable]:
    """f'(z) as a function of y, and the derivative of that function."""
    zero, one = (pt.constant(number, dtype=y.dtype) for number in (0, 1))
    match activation:
        case "relu":
            return pt.switch(y <= zero, zero, one), zero
        case "leaky_relu":
            return pt.switch(y <= zero, pt.constant(LEAKY_SLOPE, dtype=y.dtype), one), zero
        case "tanh":
            return one - y * y, -(y + y)
        case "sigmoid":
            return y * (one - y), one - (y + y)
        case _:
            raise ValueError(f"`{activation}` is not fused")
