"""Batch-first to node-major and back, as an Op of its own.

A transposed view would be copied by every Op that reads it, and by a slow loop. Two turns after each other cancel.
Not for: axes other than the first two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.rewriting.basic import node_rewriter
from pytensor.tensor.rewriting.basic import register_canonicalize, register_specialize

from graphnn_compiler.backend.compiled_ops import CompiledOp, Formula
from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.turning import TURN, turned


def swap_units_and_batch(x: Variable) -> Variable:
    """x (M, N, C), float32 or float64 -> (N, M, C); no work where M or N is known to be 1."""
    m, n, channels = x.type.shape
    if m == 1 or n == 1:
        return pt.specify_shape(x.reshape((x.shape[1], x.shape[0], x.shape[2])), (n, m, channels))
    return Turn()(x)


class Turn(CompiledOp):
    """x (M, N, C) -> contiguous (N, M, C)."""

    __props__ = ()

    def make_node(self, x: Variable) -> Apply:
        m, n, channels = x.type.shape
        return Apply(self, [x], [pt.tensor(dtype=x.type.dtype, shape=(n, m, channels))])

    def infer_shape(self, *arguments: Any) -> list[tuple[Any, ...]]:
        m, n, channels = arguments[-1][0]
        return [(n, m, channels)]

    def kernel(self, node: Apply) -> tuple[str, Any, tuple[Loop, ...]]:
        return "turned", turned, (TURN,)

    def formula(self, node: Apply) -> Formula:
        return "turned", {}

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        return [Turn()(cotangents[0])]


@register_canonicalize  # type: ignore[untyped-decorator]
@register_specialize  # type: ignore[untyped-decorator]
@node_rewriter([Turn])  # type: ignore[untyped-decorator]
def turns_cancel(fgraph: Any, node: Apply) -> Any:
    """Turn(Turn(x)) is x."""
    inner = node.inputs[0].owner
    return [inner.inputs[0]] if inner is not None and isinstance(inner.op, Turn) else None
