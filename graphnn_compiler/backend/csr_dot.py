"""The CSR sparse dot as PyTensor Ops: sums along edges, with gradients of every order.

Input: node-major variables of shape (units, batch, channels), float32 or float64, weights, and the constant
`EdgeStructure` of an edge set. Output: node-major variables. Two Ops suffice for derivatives of every order, as the
sum over all edges e = (s -> t) of c_e G[t] . (x[s] @ W[g_e]) is linear in each of W, x and G: `EdgeDot` is its
derivative by G and, along the transposed structure, by x; `EdgeOuter` is its derivative by W. `EdgeGradients` is the
last two in one pass. Not for: choosing weights or layouts, plans, the loops themselves (`kernels`).

Memory: nothing here or in the kernels is larger than the arguments and the result, a strided argument's contiguous
copy apart: no array has an entry per edge and sample, or per pair of units.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any, Literal, TypeAlias

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.rewriting.basic import node_rewriter
from pytensor.tensor.rewriting.basic import register_specialize
from pytensor.tensor.type_other import NoneConst, NoneTypeT

from graphnn_compiler.backend.compiled_ops import CompiledOp, Formula
from graphnn_compiler.backend.kernels import blocks, number_gradients, numbers
from graphnn_compiler.backend.kernels.activations import FUSED
from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.slopes import slopes
from graphnn_compiler.backend.structure import EdgeStructure

Form: TypeAlias = Literal["numbers", "diagonals", "blocks"]
"""What a weight is: a number, the C numbers of a diagonal, or a C_in x C_out block."""


class _EdgeOp(CompiledOp):
    """What the Ops have in common: the structure, of whose arrays nothing is differentiated.

    The index arrays are inputs, so that compiled code does not depend on them; the structure is a property as well,
    compared by identity. So two structures are never merged, whatever stands in for the index variables in a clone of
    the graph, and a gradient finds the other orientation, which is made when the first gradient asks for it. The price:
    a gradient through `scan`, whose inner graph admits no new shared variables, is refused by PyTensor; unroll instead.
    """

    structure: EdgeStructure
    n_differentiable: int

    def index_dtype(self, node: Apply) -> str:
        return str(self.structure.csr.indices.dtype)

    @property
    def loops_of_groups(self) -> tuple[Loop, ...]:
        """What adds up the edges of a group, where edges share weights that are numbers."""
        return () if self.structure.groups is None else (number_gradients.GROUP_SUMS,)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [
            [position < self.n_differentiable and not _absent(variable)]
            for position, variable in enumerate(node.inputs)
        ]


class EdgeDot(_EdgeOp):
    """y[t] = f(bias[t] + sum over the edges e = (s -> t) of c_e x[s] @ W[g_e]); transposed, edges lead from t to s.

    Inputs: W (n_groups,), (n_groups, C) for diagonals, (n_groups, C_in, C_out) or None for ones, bias (T,) or None, x,
    and one orientation of the structure. A bias and an activation f other than linear stand beside numbers or ones
    only.
    """

    __props__ = ("structure", "transposed", "activation")
    n_differentiable = 3

    def __init__(self, structure: EdgeStructure, *, transposed: bool, activation: str = "linear") -> None:
        self.structure = structure
        self.transposed = transposed
        self.activation = activation

    @property
    def n_units_out(self) -> int:
        return self.structure.csr.shape[1 if self.transposed else 0]

    def make_node(self, weights: Variable, bias: Variable, x: Variable, *arrays: Variable) -> Apply:
        channels = weights.type.shape[2] if _in_blocks(weights) else x.type.shape[2]
        shape = (self.n_units_out, x.type.shape[1], channels)
        return Apply(self, [weights, bias, x, *arrays], [pt.tensor(dtype=x.type.dtype, shape=shape)])

    def infer_shape(self, *arguments: Any) -> list[tuple[Any, ...]]:
        node, shapes = arguments[-2:]  # older versions of PyTensor pass a function graph in front
        channels = shapes[0][2] if _in_blocks(node.inputs[0]) else shapes[2][2]
        return [(self.n_units_out, shapes[2][1], channels)]

    def kernel(self, node: Apply) -> tuple[str, Any, tuple[Loop, ...]]:
        weights = node.inputs[0]
        if _absent(weights) or _form(weights) == "numbers":
            return f"number_dot:{self.activation}", numbers.number_dot(self.activation), (numbers.DOT,)
        if _form(weights) == "diagonals":
            return "diagonal_dot", blocks.diagonal_dot, (blocks.DIAGONAL_DOT,)
        return "block_dot", blocks.block_dot, (blocks.BLOCK_DOT,)

    def formula(self, node: Apply) -> Formula:
        csr = self.structure.csr.transpose if self.transposed else self.structure.csr
        return "edge_dot", {"csr": csr, "activation": self.activation}

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        weights, bias, x, *arrays = inputs
        gy, g_bias = slopes(outputs[0], cotangents[0], self.activation, with_bias=not _absent(bias))
        constant = [disconnected_type() for _ in arrays]
        if not _absent(weights) and _form(weights) == "numbers" and not self.transposed:
            g_weights, gx = _gradients(weights, x, gy, self.structure)
            return [g_weights, g_bias, gx, *constant]
        gx = _dot(_turned(weights), gy, self.structure, transposed=not self.transposed)
        if _absent(weights):
            return [disconnected_type(), g_bias, gx, *constant]
        form = _form(weights)
        if self.transposed:  # x lives on the destinations, and every block is the transpose of its forward one
            return [_turned(_outer(gy, x, self.structure, form)), g_bias, gx, *constant]
        return [_outer(x, gy, self.structure, form), g_bias, gx, *constant]


class EdgeOuter(_EdgeOp):
    """S[g] = sum over the edges e = (s -> t) of group g of c_e x[s]^T @ gy[t], the product summed over the batch.

    Inputs: x (S, B, C_in), gy (T, B, C_out), the forward orientation of the structure, n_groups. Output: (n_groups,
    C_in, C_out) of `blocks`, their diagonals (n_groups, C), or `numbers` (n_groups,) where C_in = C_out = 1.
    """

    __props__ = ("structure", "form")
    n_differentiable = 2

    def __init__(self, structure: EdgeStructure, form: Form) -> None:
        self.structure = structure
        self.form = form

    def make_node(self, x: Variable, gy: Variable, *arrays: Variable) -> Apply:
        shape = (self.structure.n_groups, *self._block((x.type.shape[2], gy.type.shape[2])))
        return Apply(self, [x, gy, *arrays], [pt.tensor(dtype=x.type.dtype, shape=shape)])

    def infer_shape(self, *arguments: Any) -> list[tuple[Any, ...]]:
        shapes = arguments[-1]
        return [(self.structure.n_groups, *self._block((shapes[0][2], shapes[1][2])))]

    def _block(self, channels: tuple[Any, Any]) -> tuple[Any, ...]:
        """The shape of one group's weight."""
        return {"numbers": (), "diagonals": channels[:1], "blocks": channels}[self.form]

    def kernel(self, node: Apply) -> tuple[str, Any, tuple[Loop, ...]]:
        match self.form:
            case "numbers":
                return "number_outer", number_gradients.number_outer, (number_gradients.OUTER, *self.loops_of_groups)
            case "diagonals":
                return "diagonal_outer", blocks.diagonal_outer, (blocks.DIAGONAL_OUTER,)
            case _:
                return "block_outer", blocks.block_outer, (blocks.BLOCK_OUTER,)

    def formula(self, node: Apply) -> Formula:
        return "edge_outer", {"csr": self.structure.csr, "form": self.form, "n_groups": self.structure.n_groups}

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        x, gy, *arrays = inputs
        (weights,) = cotangents  # they stand where the weights of an `EdgeDot` stand
        return [
            _dot(_turned(weights), gy, self.structure, transposed=True),
            _dot(weights, x, self.structure, transposed=False),
            *(disconnected_type() for _ in arrays),
        ]


class EdgeGradients(_EdgeOp):
    """Both gradients of a dot whose weights are numbers, by the weights and by x, in one pass over the edges.

    Inputs: W (n_groups,), x (S, B, C), gy (T, B, C), the forward and the backward orientation of the structure.
    Outputs: S[g] = sum over the edges e = (s -> t) of group g of c_e <x[s], gy[t]>, shape (n_groups,), and
    gx[s] = sum over the edges of c_e w[g_e] gy[t], shape (S, B, C).
    """

    __props__ = ("structure",)

    def __init__(self, structure: EdgeStructure) -> None:
        self.structure = structure

    def make_node(self, weights: Variable, x: Variable, gy: Variable, *arrays: Variable) -> Apply:
        sums = pt.tensor(dtype=x.type.dtype, shape=(self.structure.n_groups,))
        return Apply(self, [weights, x, gy, *arrays], [sums, pt.tensor(dtype=x.type.dtype, shape=x.type.shape)])

    def infer_shape(self, *arguments: Any) -> list[tuple[Any, ...]]:
        return [(self.structure.n_groups,), arguments[-1][1]]

    def kernel(self, node: Apply) -> tuple[str, Any, tuple[Loop, ...]]:
        gradients = number_gradients.GRADIENTS, number_gradients.SCATTER, number_gradients.MERGE
        loops = (*gradients, *self.loops_of_groups)
        if self.structure.groups is None:
            return "number_gradients", number_gradients.number_gradients, loops
        return "shared_number_gradients", number_gradients.shared_number_gradients, loops

    def formula(self, node: Apply) -> Formula:
        return "edge_gradients", {"csr": self.structure.csr, "n_groups": self.structure.n_groups}

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False, True], [True, False], [True, True], *([False, False] for _ in node.inputs[3:])]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        weights, x, gy, *arrays = inputs
        by_sums, by_gx = (None if isinstance(one.type, DisconnectedType) else one for one in cotangents)
        g_weights = disconnected_type() if by_gx is None else _outer(by_gx, gy, self.structure, "numbers")
        g_x = disconnected_type() if by_sums is None else _dot(by_sums, gy, self.structure, transposed=True)
        terms = [] if by_sums is None else [_dot(by_sums, x, self.structure, transposed=False)]
        if by_gx is not None:
            terms.append(_dot(weights, by_gx, self.structure, transposed=False))
        return [g_weights, g_x, reduce(add, terms), *(disconnected_type() for _ in arrays)]


@register_specialize  # type: ignore[untyped-decorator]
@node_rewriter([EdgeGradients])  # type: ignore[untyped-decorator]
def only_the_gradient_that_is_used(fgraph: Any, node: Apply) -> Any:
    """Half of `EdgeGradients` where nothing uses the other half, as below a first layer or frozen weights."""
    sums, gx = node.outputs
    weights, x, gy = node.inputs[:3]
    if not fgraph.clients[gx]:
        return {sums: _outer(x, gy, node.op.structure, "numbers")}
    if not fgraph.clients[sums]:
        return {gx: _dot(weights, gy, node.op.structure, transposed=True)}
    return None


def aggregate(x: Any, structure: EdgeStructure, bias: Any = None, activation: str = "linear") -> Variable:
    """y[t, b, :] = f(bias[t] + sum over the edges e = (s -> t) of c_e x[s, b, :]).

    x (S, B, C), float32 or float64 -> y (T, B, C) of its dtype; bias and f as in `edge_dot`. TypeError and ValueError
    as there.
    """
    x = _float_variable(x)
    return _dot(NoneConst, x, structure, transposed=False, bias=bias, activation=activation)


def edge_dot(weights: Any, x: Any, structure: EdgeStructure, bias: Any = None, activation: str = "linear") -> Variable:
    """y[t, b, :] = f(bias[t] + sum over the edges e = (s -> t) of c_e x[s, b, :] @ W[g_e]).

    weights (n_groups, C_in, C_out), (n_groups, C) where all W are diagonal, or (n_groups,) where C_in = C_out = 1;
    x (S, B, C_in) -> y (T, B, C_out). The dtype is the upcast of the two. A bias (T,), of that dtype, and an activation
    f out of `FUSED` are for weights (n_groups,) only, and cost no pass of their own. TypeError if the dtype is neither
    float32 nor float64, or for a wrong number of dimensions; ValueError if a known size or an activation does not fit.
    Sizes not known yet are checked at every call (AssertionError, ValueError).
    """
    weights, x = pt.as_tensor_variable(weights), pt.as_tensor_variable(x)
    dtype = np.promote_types(weights.dtype, x.dtype)
    weights, x = _float_variable(weights.astype(dtype)), _float_variable(x.astype(dtype))
    if weights.ndim not in (1, 2, 3):
        raise TypeError(f"weights have 1 to 3 dimensions, not {weights.ndim}")
    if weights.ndim != 1 and (bias is not None or activation != "linear"):
        raise ValueError("a bias or an activation is fused with weights that are numbers only")
    return _dot(weights, x, structure, transposed=False, bias=bias, activation=activation)


def _dot(
    weights: Variable,
    x: Variable,
    structure: EdgeStructure,
    *,
    transposed: bool,
    bias: Any = None,
    activation: str = "linear",
) -> Variable:
    if activation not in FUSED:
        raise ValueError(f"`{activation}` is none of the activations that are fused: {', '.join(FUSED)}")
    destinations, sources = structure.csr.shape
    if _absent(weights):
        channels = None
    else:
        weights = _sized("weights", weights, (structure.n_groups, *[None] * (weights.ndim - 1)))
        channels = 1 if _form(weights) == "numbers" else weights.type.shape[1]
    x = _sized("x", x, (destinations if transposed else sources, None, channels))
    start = NoneConst if bias is None else _sized("bias", pt.as_tensor_variable(bias), (destinations,))
    if bias is not None and start.dtype != x.dtype:
        raise TypeError(f"the bias is {start.dtype}, not {x.dtype}")
    arrays = structure.arrays(x.dtype, transposed=transposed)
    return EdgeDot(structure, transposed=transposed, activation=activation)(weights, start, x, *arrays)


def _gradients(weights: Variable, x: Variable, gy: Variable, structure: EdgeStructure) -> list[Variable]:
    """Those by the weights, which are numbers, and by x."""
    destinations, _ = structure.csr.shape
    gy = _sized("gy", gy, (destinations, None, None))
    forward, backward = structure.arrays(x.dtype), structure.arrays(x.dtype, transposed=True)
    sums_and_gx: list[Variable] = EdgeGradients(structure)(weights, x, gy, *forward, *backward)
    return sums_and_gx


def _outer(x: Variable, gy: Variable, structure: EdgeStructure, form: Form) -> Variable:
    destinations, sources = structure.csr.shape
    channels = 1 if form == "numbers" else None
    x = _sized("x", x, (sources, None, channels))
    gy = _sized("gy", gy, (destinations, None, channels))
    n_groups = pt.constant(structure.n_groups, dtype="int64")
    return EdgeOuter(structure, form)(x, gy, *structure.arrays(x.dtype), n_groups)


def _absent(variable: Variable) -> bool:
    return isinstance(variable.type, NoneTypeT)


def _form(weights: Variable) -> Form:
    return ("numbers", "diagonals", "blocks")[weights.type.ndim - 1]


def _in_blocks(weights: Variable) -> bool:
    return not _absent(weights) and _form(weights) == "blocks"


def _turned(weights: Variable) -> Variable:
    """Every block transposed; single numbers and absent weights are their own transpose."""
    return weights.transpose(0, 2, 1) if _in_blocks(weights) else weights


def _float_variable(value: Any) -> Variable:
    variable = pt.as_tensor_variable(value)
    if variable.dtype not in ("float32", "float64"):
        raise TypeError(f"the sparse dot is of float32 or float64, not {variable.dtype}")
    return variable


def _sized(name: str, variable: Variable, shape: tuple[int | None, ...]) -> Variable:
    """The variable with these sizes known, and checked at every call where they were not: kernels trust the indices."""
    if variable.ndim != len(shape):
        raise TypeError(f"{name} has {variable.ndim} dimensions, not {len(shape)}")
    known = variable.type.shape
    if any(size not in (None, wanted) for size, wanted in zip(known, shape, strict=True) if wanted is not None):
        raise ValueError(f"{name} has shape {known}, not {shape}")
    return pt.specify_shape(variable, shape)
