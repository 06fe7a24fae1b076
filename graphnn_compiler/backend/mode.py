"""How a network is compiled where nothing else is asked for: PyTensor's rewrites, machine code for the edges, NumPy.

The loops over edges are compiled once per machine; everything else runs in NumPy, whose functions are compiled already.
So a network is ready in the time of PyTensor's rewrites, and its elementwise functions run in vector instructions.
Not for: the loops (`kernels`), the elementwise functions (`elementwise`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import OPT_FAST_RUN, Mode
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import GraphRewriter, dfs_rewriter, node_rewriter
from pytensor.link.basic import PerformLinker
from pytensor.scalar.basic import ScalarOp
from pytensor.tensor.blas import Dot22, Dot22Scalar, Gemm
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Sum
from pytensor.tensor.rewriting.ofg import inline_ofg_node

from graphnn_compiler.backend.elementwise import Expression
from graphnn_compiler.backend.memory import keep_freed_arrays
from graphnn_compiler.backend.turning import Turn

BEFORE_FUSION, AFTER_ALL_OTHERS = 47.0, 1000.0
"""Where rewrites stand in a mode: PyTensor fuses elementwise Ops at 49, and its last positions are below 150."""

FEW = 2**14
"""Numbers of which NumPy makes a copy in less time than it takes to begin to convert them piece by piece."""


@node_rewriter([OpFromGraph])  # type: ignore[untyped-decorator]
def _inlined(fgraph: Any, node: Apply) -> list[Variable]:
    """A graph in a graph becomes a part of it: it would be compiled by itself, in PyTensor's default mode."""
    outputs: list[Variable] = inline_ofg_node(node)
    return outputs


class BlockedElemwise(Op):  # type: ignore[misc] # PyTensor's types are not checked, see pyproject.toml
    """What an `Elemwise` computes, by `elementwise`. It has no gradient: it is made after all gradients."""

    __props__ = ("scalar_op", "input_dtypes", "inplace")

    def __init__(
        self, scalar_op: ScalarOp, input_dtypes: tuple[str, ...], inplace: tuple[tuple[int, int], ...]
    ) -> None:
        """`inplace` are pairs of an output and the input whose memory it takes."""
        self.scalar_op = scalar_op
        self.input_dtypes = input_dtypes
        self.inplace = inplace
        self.destroy_map = {output: [source] for output, source in inplace}

    @cached_property
    def expression(self) -> Expression:
        return Expression(self.scalar_op, self.input_dtypes)

    def make_node(self, *inputs: Any) -> Apply:
        raise AssertionError("it is made from the node of an Elemwise")

    def perform(self, node: Apply, inputs: Sequence[NDArray], output_storage: list[list[Any]]) -> None:
        if any(one.shape != inputs[0].shape for one in inputs):
            Elemwise._check_runtime_broadcast(node, inputs)
        taken = dict(self.inplace)
        targets = [inputs[taken[number]] if number in taken else None for number in range(len(output_storage))]
        for storage, result in zip(output_storage, self.expression(inputs, targets), strict=True):
            storage[0] = result


class _TurnsAsViews(GraphRewriter):  # type: ignore[misc]
    """A `Turn` that only matrix products read becomes a view: BLAS reads a transposed matrix where it lies."""

    def apply(self, fgraph: Any) -> None:
        for node in fgraph.toposort():
            if isinstance(node.op, Turn) and all(
                _only_in_products(fgraph, *client) for client in _clients(fgraph, node)
            ):
                view = node.inputs[0].dimshuffle(1, 0, 2)
                fgraph.replace_all_validate([(node.outputs[0], view)], reason="turn as a view")


def _clients(fgraph: Any, node: Apply) -> list[tuple[Apply, int]]:
    clients: list[tuple[Apply, int]] = fgraph.clients[node.outputs[0]]
    return clients


def _only_in_products(fgraph: Any, node: Apply, position: int) -> bool:
    """Whether a use of a (M, N, 1) is as one operand of matrix products, without its last axis."""
    if isinstance(node.op, DimShuffle) and len(node.op.new_order) == 2:
        return all(_only_in_products(fgraph, *client) for client in _clients(fgraph, node))
    operands = {Dot22: (0, 1), Dot22Scalar: (0, 1), Gemm: (2, 3)}.get(type(node.op), ())
    return position in operands


class _InBlocks(GraphRewriter):  # type: ignore[misc]
    """Every `Elemwise` becomes a `BlockedElemwise`."""

    def apply(self, fgraph: Any) -> None:
        for node in fgraph.toposort():
            if isinstance(node.op, Elemwise):
                dtypes = tuple(str(one.type.dtype) for one in node.inputs)
                op = BlockedElemwise(node.op.scalar_op, dtypes, tuple(sorted(node.op.inplace_pattern.items())))
                new = Apply(op, node.inputs, [one.type() for one in node.outputs])
                fgraph.replace_all_validate(zip(node.outputs, new.outputs, strict=True), reason="in blocks")


class DirectSum(Op):  # type: ignore[misc]
    """The `Sum` of float32 along one axis in double precision, without a copy of the whole array in double precision.

    It has no gradient: it is made after all gradients.
    """

    __props__ = ("axis",)

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def make_node(self, *inputs: Any) -> Apply:
        raise AssertionError("it is made from the node of a Sum")

    def perform(self, node: Apply, inputs: Sequence[NDArray], output_storage: list[list[Any]]) -> None:
        (x,) = inputs
        numbers = x if x.size > FEW else x.astype(np.float64)
        total = np.add.reduce(numbers, axis=self.axis, dtype=np.float64)
        with np.errstate(over="ignore"):
            output_storage[0][0] = np.asarray(total, dtype=np.float32)


class _SumsDirectly(GraphRewriter):  # type: ignore[misc]
    """A `Sum` that `DirectSum` can compute becomes one. Along several axes NumPy may be slower without the copy."""

    def apply(self, fgraph: Any) -> None:
        for node in fgraph.toposort():
            if isinstance(node.op, Sum) and _is_direct(node):
                axes = range(node.inputs[0].type.ndim) if node.op.axis is None else node.op.axis
                new = Apply(DirectSum(next(iter(axes))), node.inputs, [node.outputs[0].type()])
                fgraph.replace_all_validate([(node.outputs[0], new.outputs[0])], reason="sum directly")


def _is_direct(node: Apply) -> bool:
    (x,), (total,) = node.inputs, node.outputs
    types = x.type.dtype, node.op.acc_dtype, total.type.dtype
    return types == ("float32", "float64", "float32") and x.type.ndim - total.type.ndim == 1


@cache
def network_mode() -> Mode:
    """A mode for `pytensor.function`: no compiler runs but for the loops over edges, and those are cached."""
    keep_freed_arrays()
    # recognised ones, such as softmax, are graphs in graphs
    mode = Mode(PerformLinker(), OPT_FAST_RUN).excluding("symbolic_op_recognition")
    return mode.register(
        (dfs_rewriter(_inlined), BEFORE_FUSION),
        (_TurnsAsViews(), AFTER_ALL_OTHERS),
        (_SumsDirectly(), AFTER_ALL_OTHERS),
        (_InBlocks(), AFTER_ALL_OTHERS + 1),
    )
