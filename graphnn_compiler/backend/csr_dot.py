"""The CSR sparse dot as PyTensor Ops: sums along edges, with gradients of every order.

Input: node-major variables of shape (units, batch, channels), float32 or float64, weights, and the constant
`EdgeStructure` of an edge set. Output: node-major variables. Two Ops suffice for derivatives of every order, as the
sum over all edges e = (s -> t) of c_e G[t] . (x[s] @ W[g_e]) is linear in each of W, x and G: `EdgeDot` is its
derivative by G and, along the transposed structure, by x; `EdgeOuter` is its derivative by W. Not for: choosing weights
or layouts, plans, the loops themselves (`kernels`).

Memory: nothing here or in the kernels is larger than the arguments and the result, a strided argument's contiguous
copy apart: no array has an entry per edge and sample, or per pair of units.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal, TypeAlias

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key
from pytensor.tensor.type_other import NoneConst, NoneTypeT

from graphnn_compiler.backend import kernels
from graphnn_compiler.topology.csr import Csr

Form: TypeAlias = Literal["numbers", "diagonals", "blocks"]
"""What a weight is: a number, the C numbers of a diagonal, or a C_in x C_out block."""


@dataclass(frozen=True, eq=False, repr=False)
class EdgeStructure:
    """The constant part of a sum along edges; its identity is its equality.

    `csr` has a row per destination (T) and a column per source (S); edge e is its stored entry e. `coefficients` c(e)
    has shape (E,) and dtype float32 or float64 (None: all ones); a sum casts it to its own dtype. `groups` g(e) has
    shape (E,) and an integer dtype, and names the weight, or weight block, of every edge out of `n_groups` (None: edge
    e has weight e, and `n_groups` is E). The arrays are used in place: do not change them. TypeError or ValueError if
    they do not fit together; the caller has verified `csr`.
    """

    csr: Csr
    coefficients: NDArray | None
    groups: NDArray | None
    n_groups: int

    def __post_init__(self) -> None:
        n_edges = self.csr.n_edges
        if self.coefficients is not None:
            _check_edge_array("coefficients", self.coefficients, n_edges)
            if self.coefficients.dtype not in (np.float32, np.float64):
                raise TypeError(f"coefficients are float32 or float64, not {self.coefficients.dtype}")
        if self.groups is None:
            if self.n_groups != n_edges:
                raise ValueError(f"{n_edges} edges with a weight each have {n_edges} groups, not {self.n_groups}")
            return
        _check_edge_array("groups", self.groups, n_edges)
        if self.groups.dtype.kind not in "iu":
            raise TypeError(f"groups are integers, not {self.groups.dtype}")
        if n_edges and (self.groups.min() < 0 or self.groups.max() >= self.n_groups):
            raise ValueError(f"a group is outside 0 .. {self.n_groups - 1}")

    @cached_property
    def forward(self) -> tuple[Variable, ...]:
        """`indptr`, `indices`, `coefficients`, `groups` as variables, for sums into destinations."""
        csr = self.csr
        return (
            _resident(csr.indptr, "indptr"),
            _resident(csr.indices, "indices"),
            _resident(self.coefficients, "coefficients"),
            _resident(self.groups, "groups"),
        )

    @cached_property
    def backward(self) -> tuple[Variable, ...]:
        """The same for sums into sources: entry k of the transpose is edge `permutation[k]`."""
        transpose, permutation = self.csr.transpose, self.csr.permutation
        coefficients, groups = self.coefficients, self.groups
        return (
            _resident(transpose.indptr, "indptr_transposed"),
            _resident(transpose.indices, "indices_transposed"),
            _resident(None if coefficients is None else coefficients[permutation], "coefficients_transposed"),
            _resident(permutation if groups is None else groups[permutation], "groups_transposed"),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> EdgeStructure:
        return self  # constant, and its identity is what tells Ops apart

    def __repr__(self) -> str:
        destinations, sources = self.csr.shape
        return f"EdgeStructure({sources} -> {destinations} units, {self.csr.n_edges} edges, {self.n_groups} groups)"


def _check_edge_array(name: str, array: NDArray, n_edges: int) -> None:
    if array.shape != (n_edges,):
        raise ValueError(f"{name} has shape {array.shape}, not ({n_edges},)")


def _resident(array: NDArray | None, name: str) -> Variable:
    """A shared variable over the array itself: one copy in memory however many functions use it.

    Not a constant: PyTensor hashes constants, and the numba linker builds them into the machine code.
    """
    if array is None:
        return NoneConst
    array = np.ascontiguousarray(array)
    return pytensor.shared(array, name=name, borrow=True, shape=array.shape)


class _EdgeOp(Op):  # type: ignore[misc] # PyTensor's types are not checked, see pyproject.toml
    """What the two Ops have in common: the structure, and inputs of which only the first two are differentiable.

    The index arrays are inputs, so that compiled code does not depend on them; the structure is a property as well,
    compared by identity. So two structures are never merged, whatever stands in for the index variables in a clone of
    the graph, and a gradient finds the other orientation, which is made when the first gradient asks for it. The price:
    a gradient through `scan`, whose inner graph admits no new shared variables, is refused by PyTensor; unroll instead.
    """

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[position < 2 and not _absent(variable)] for position, variable in enumerate(node.inputs)]

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = _kernel(node)(*inputs)


class EdgeDot(_EdgeOp):
    """y[t] = sum over the edges e = (s -> t) of c_e x[s] @ W[g_e]; transposed, edges lead from t to s.

    Inputs: W (n_groups,), (n_groups, C) for diagonals, (n_groups, C_in, C_out) or None for ones, x, and one orientation
    of the structure.
    """

    __props__ = ("structure", "transposed")

    def __init__(self, structure: EdgeStructure, *, transposed: bool) -> None:
        self.structure = structure
        self.transposed = transposed

    @property
    def n_units_out(self) -> int:
        return self.structure.csr.shape[1 if self.transposed else 0]

    def make_node(self, weights: Variable, x: Variable, *arrays: Variable) -> Apply:
        channels = weights.type.shape[2] if _in_blocks(weights) else x.type.shape[2]
        shape = (self.n_units_out, x.type.shape[1], channels)
        return Apply(self, [weights, x, *arrays], [pt.tensor(dtype=x.type.dtype, shape=shape)])

    def infer_shape(self, *arguments: Any) -> list[tuple[Any, ...]]:
        node, shapes = arguments[-2:]  # older versions of PyTensor pass a function graph in front
        channels = shapes[0][2] if _in_blocks(node.inputs[0]) else shapes[1][2]
        return [(self.n_units_out, shapes[1][1], channels)]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        weights, x, *arrays = inputs
        (gy,) = cotangents
        gx = _dot(_turned(weights), gy, self.structure, transposed=not self.transposed)
        constant = [disconnected_type() for _ in arrays]
        if _absent(weights):
            return [disconnected_type(), gx, *constant]
        form = _form(weights)
        if self.transposed:  # x lives on the destinations, and every block is the transpose of its forward one
            return [_turned(_outer(gy, x, self.structure, form)), gx, *constant]
        return [_outer(x, gy, self.structure, form), gx, *constant]


class EdgeOuter(_EdgeOp):
    """S[g] = sum over the edges e = (s -> t) of group g of c_e x[s]^T @ gy[t], the product summed over the batch.

    Inputs: x (S, B, C_in), gy (T, B, C_out), the forward orientation of the structure, n_groups. Output: (n_groups,
    C_in, C_out) of `blocks`, their diagonals (n_groups, C), or `numbers` (n_groups,) where C_in = C_out = 1.
    """

    __props__ = ("structure", "form")

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


def aggregate(x: Any, structure: EdgeStructure) -> Variable:
    """y[t, b, :] = sum over the edges e = (s -> t) of c_e x[s, b, :].

    x (S, B, C), float32 or float64 -> y (T, B, C) of its dtype. TypeError and ValueError as `edge_dot`.
    """
    x = _float_variable(x)
    return _dot(NoneConst, x, structure, transposed=False)


def edge_dot(weights: Any, x: Any, structure: EdgeStructure) -> Variable:
    """y[t, b, :] = sum over the edges e = (s -> t) of c_e x[s, b, :] @ W[g_e].

    weights (n_groups, C_in, C_out), (n_groups, C) where all W are diagonal, or (n_groups,) where C_in = C_out = 1;
    x (S, B, C_in) -> y (T, B, C_out). The dtype is the upcast of the two. TypeError if it is neither float32 nor
    float64, or for a wrong number of dimensions;
    ValueError if a known size does not fit. Sizes not known yet are checked at every call (AssertionError, ValueError).
    """
    weights, x = pt.as_tensor_variable(weights), pt.as_tensor_variable(x)
    dtype = np.promote_types(weights.dtype, x.dtype)
    weights, x = _float_variable(weights.astype(dtype)), _float_variable(x.astype(dtype))
    if weights.ndim not in (1, 2, 3):
        raise TypeError(f"weights have 1 to 3 dimensions, not {weights.ndim}")
    return _dot(weights, x, structure, transposed=False)


def _dot(weights: Variable, x: Variable, structure: EdgeStructure, *, transposed: bool) -> Variable:
    destinations, sources = structure.csr.shape
    if _absent(weights):
        channels = None
    else:
        weights = _sized("weights", weights, (structure.n_groups, *[None] * (weights.ndim - 1)))
        channels = 1 if _form(weights) == "numbers" else weights.type.shape[1]
    x = _sized("x", x, (destinations if transposed else sources, None, channels))
    arrays = structure.backward if transposed else structure.forward
    return EdgeDot(structure, transposed=transposed)(weights, x, *arrays)


def _outer(x: Variable, gy: Variable, structure: EdgeStructure, form: Form) -> Variable:
    destinations, sources = structure.csr.shape
    channels = 1 if form == "numbers" else None
    x = _sized("x", x, (sources, None, channels))
    gy = _sized("gy", gy, (destinations, None, channels))
    n_groups = pt.constant(structure.n_groups, dtype="int64")
    return EdgeOuter(structure, form)(x, gy, *structure.forward, n_groups)


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


def _kernel(node: Apply) -> Any:
    weights = node.inputs[0]
    if isinstance(node.op, EdgeOuter):
        outers = {"numbers": kernels.scalar_outer, "diagonals": kernels.diagonal_outer, "blocks": kernels.block_outer}
        return outers[node.op.form]
    dots = {"numbers": kernels.scalar_dot, "diagonals": kernels.diagonal_dot, "blocks": kernels.block_dot}
    return dots["numbers" if _absent(weights) else _form(weights)]


# The text of the kernels is part of their key in PyTensor's disk cache, so that an edited kernel is compiled anew.
# Structures are not: a kernel depends on the types of its inputs only, which numba itself adds to the key.
_KERNELS_DIGEST = sha256(inspect.getsource(kernels).encode()).hexdigest()


def _numba_kernel(op: _EdgeOp, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    kernel = _kernel(node)
    return kernel, f"{kernel.__name__}:{_KERNELS_DIGEST}"


register_funcify_and_cache_key(_EdgeOp)(_numba_kernel)
