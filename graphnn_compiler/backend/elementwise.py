"""Rewrites that give PyTensor's numba linker the float32 functions of `float32` and the loops of `arrays32`.

Input: a function's graph, late in its compilation, when gradients have been taken and formulas simplified. Output: the
graph with `exp`, `expm1`, `tanh`, `sigmoid`, `softplus`, `erfc`, GELU and softmax of float32 replaced by functions that
run in vector lanes, and what they read made row-major, without which they would not. Graphs of other linkers and
values of other dtypes are left alone, and so are functions that have nothing to do with a network: the rewrite acts
where a variable that `mark` has marked is an input, or in every graph under `mode.including("float32_everywhere")`.
Not for: formulas (see `activations`), gradients: what it adds appears after they are taken.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, ClassVar

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.features import ReplaceValidate
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import GraphRewriter, copy_stack_trace
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key
from pytensor.scalar.basic import Composite, Exp, Expm1, Mul, ScalarOp, Sub, Tanh, UnaryScalarOp, exp, same_out
from pytensor.scalar.math import Erfc, Sigmoid, Softplus, erfc
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Max
from pytensor.tensor.special import Softmax

from graphnn_compiler.backend import arrays32, float32

# ------------------------------------------------------------------ functions of one number


class Exp32(Exp):  # type: ignore[misc] # PyTensor's types are not checked, see pyproject.toml
    """`Exp` of float32; value, gradient and C code are inherited, here and below."""


class Expm132(Expm1):  # type: ignore[misc]
    """`Expm1` of float32."""


class Tanh32(Tanh):  # type: ignore[misc]
    """`Tanh` of float32."""


class Sigmoid32(Sigmoid):  # type: ignore[misc]
    """`Sigmoid` of float32."""


class Softplus32(Softplus):  # type: ignore[misc]
    """`Softplus` of float32."""


class Erfc32(Erfc):  # type: ignore[misc]
    """`Erfc` of float32."""


class Gelu32(UnaryScalarOp):  # type: ignore[misc]
    """x Phi(x) of float32 (Hendrycks and Gimpel 2016)."""

    def impl(self, x: Any) -> Any:
        return np.float32(0.5 * float(x) * math.erfc(-float(x) * math.sqrt(0.5)))

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        (x,), (gy,) = inputs, cotangents
        distribution = np.float32(0.5) * erfc(np.float32(-math.sqrt(0.5)) * x)
        density = np.float32(1 / math.sqrt(2 * math.pi)) * exp(np.float32(-0.5) * x * x)
        return [gy * (distribution + x * density)]

    def c_code(self, node: Apply, name: str, inputs: Sequence[str], outputs: Sequence[str], sub: Any) -> str:
        (x,), (y,) = inputs, outputs  # PyTensor fuses only what has C code, whatever the linker
        return f"{y} = (float)(0.5 * {x} * erfc(-{math.sqrt(0.5)!r} * {x}));"


_FAST: dict[type[ScalarOp], ScalarOp] = {
    Exp: Exp32(same_out),
    Expm1: Expm132(same_out),
    Tanh: Tanh32(same_out),
    Sigmoid: Sigmoid32(same_out),
    Softplus: Softplus32(same_out),
    Erfc: Erfc32(same_out),
}
_GELU = Gelu32(same_out)

_COMPILED: dict[type[ScalarOp], Any] = {
    Exp32: float32.exp32,
    Expm132: float32.expm1_32,
    Tanh32: float32.tanh32,
    Sigmoid32: float32.sigmoid32,
    Softplus32: float32.softplus32,
    Erfc32: float32.erfc32,
    Gelu32: float32.gelu32,
}

# the texts are part of the key in PyTensor's disk cache, so that an edited function is compiled anew
_DIGEST = sha256((inspect.getsource(float32) + inspect.getsource(arrays32)).encode()).hexdigest()


def _numba_function(op: ScalarOp, node: Apply | None = None, **kwargs: Any) -> tuple[Any, str]:
    function = _COMPILED[type(op)]
    return function, f"{function.__name__}:{_DIGEST}"


for _kind in _COMPILED:
    register_funcify_and_cache_key(_kind)(_numba_function)

# ------------------------------------------------------------------ arrays


class Softmax32(Op):  # type: ignore[misc]
    """e^x / sum e^x along one axis of a float32 variable, of its shape."""

    __props__ = ("axis",)

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def make_node(self, x: Variable) -> Apply:
        if x.type.dtype != "float32":
            raise TypeError(f"this softmax is of float32, not {x.type.dtype}")
        return Apply(self, [x], [x.type()])

    def infer_shape(self, *arguments: Any) -> list[tuple[Any, ...]]:
        return list(arguments[-1])  # older versions of PyTensor pass a function graph in front

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        (y,), (gy,) = outputs, cotangents
        return [y * (gy - (gy * y).sum(axis=self.axis, keepdims=True))]

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = arrays32.softmax_along(self.axis)(inputs[0])


class RowMajor(Op):  # type: ignore[misc]
    """x in C order: x itself, or a copy where its strides are others.

    PyTensor's loops run in vector lanes where the compiler knows their arrays to be in C order, which those made by
    `dimshuffle` or a slice are not known to be even when they are.
    """

    __props__ = ()
    view_map: ClassVar[dict[int, list[int]]] = {0: [0]}

    def make_node(self, x: Variable) -> Apply:
        return Apply(self, [x], [x.type()])

    def infer_shape(self, *arguments: Any) -> list[tuple[Any, ...]]:
        return list(arguments[-1])

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        return list(cotangents)

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.ascontiguousarray(inputs[0])


def _numba_softmax(op: Softmax32, node: Apply | None = None, **kwargs: Any) -> tuple[Any, str]:
    return arrays32.softmax_along(op.axis), f"softmax:{op.axis}:{_DIGEST}"


def _numba_row_major(op: RowMajor, node: Apply | None = None, **kwargs: Any) -> tuple[Any, str]:
    return arrays32.compiled_row_major, f"row_major:{_DIGEST}"


register_funcify_and_cache_key(Softmax32)(_numba_softmax)
register_funcify_and_cache_key(RowMajor)(_numba_row_major)


# ------------------------------------------------------------------ rewrites


def mark(variable: Variable) -> Variable:
    """The variable, marked as a network's own: functions it is an input of are rewritten."""
    variable.tag.float32_functions = True
    return variable


class _Functions(GraphRewriter):  # type: ignore[misc]
    """Puts the functions of this module in place of PyTensor's; before loops are fused."""

    def __init__(self, everywhere: bool) -> None:
        super().__init__()
        self.everywhere = everywhere

    def add_requirements(self, fgraph: FunctionGraph) -> None:
        fgraph.attach_feature(ReplaceValidate())

    def apply(self, fgraph: FunctionGraph) -> None:
        marked = any(getattr(variable.tag, "float32_functions", False) for variable in fgraph.inputs)
        if not (marked or self.everywhere):
            return
        for node in fgraph.toposort():
            found = _fast(node) if node in fgraph.apply_nodes else None
            if found is not None:
                copy_stack_trace(node.outputs, found)
                fgraph.replace_validate(node.outputs[0], found, reason="float32_functions")


def _fast(node: Apply) -> Variable | None:
    """What computes a node's float32 output faster, None if nothing here does."""
    if any(variable.type.dtype != "float32" for variable in (*node.inputs, *node.outputs)):
        return None
    if isinstance(node.op, Softmax):
        return _softmax(node)
    if not isinstance(node.op, Elemwise):
        return None
    if isinstance(node.op.scalar_op, Mul):
        return _gelu(node)
    op = _FAST.get(type(node.op.scalar_op))
    return None if op is None else Elemwise(op)(*node.inputs)


def _softmax(node: Apply) -> Variable | None:
    (x,) = node.inputs
    axes = range(x.type.ndim) if node.op.axis is None else node.op.axis
    if len(axes) != 1:
        return None
    if isinstance(_scalar_op(x), Sub) and _is_maximum(x.owner.inputs[1], x.owner.inputs[0], axes[0]):
        x = x.owner.inputs[0]  # softmax subtracts it itself, and more exactly
    return Softmax32(axes[0])(x)


def _is_maximum(variable: Variable, x: Variable, axis: int) -> bool:
    """Whether a variable is the maximum of x along the axis, the axis kept with length 1."""
    kept = variable.owner
    if kept is None or not isinstance(kept.op, DimShuffle):
        return False
    order = tuple(range(axis)) + ("x",) + tuple(range(axis, x.type.ndim - 1))
    reduced = kept.inputs[0].owner
    if kept.op.new_order != order or reduced is None or reduced.inputs != [x]:
        return False
    return isinstance(reduced.op, Max) and tuple(reduced.op.axis or range(x.type.ndim)) == (axis,)


def _gelu(product: Apply) -> Variable | None:
    """A product of c, x and erfc(-x / sqrt 2) as a product of 2 c and gelu(x), which is exact where erfc is tiny."""
    for tail in product.inputs:
        if not isinstance(_scalar_op(tail), Erfc):
            continue
        scale, factors = _taken_apart(tail.owner.inputs[0])
        around, others = _taken_apart(product.outputs[0])
        if not math.isclose(scale, -math.sqrt(0.5), rel_tol=1e-6) or not factors:
            continue
        others.remove(tail)
        if any(others.count(factor) < factors.count(factor) for factor in factors):
            continue
        for factor in factors:
            others.remove(factor)
        value = Elemwise(_GELU)(factors[0] if len(factors) == 1 else pt.mul(*factors))
        if around != 0.5:
            others.append(pt.constant(np.full((1,) * value.type.ndim, 2 * around, np.float32)))
        return pt.mul(value, *others) if others else value
    return None


def _taken_apart(variable: Variable) -> tuple[float, list[Variable]]:
    """A product as a number and the factors that are none."""
    factors = variable.owner.inputs if isinstance(_scalar_op(variable), Mul) else [variable]
    numbers = [_number(factor) for factor in factors]
    scale = math.prod(number for number in numbers if number is not None)
    return scale, [factor for factor, number in zip(factors, numbers, strict=True) if number is None]


def _scalar_op(variable: Variable) -> ScalarOp | None:
    """The scalar function that a variable is the value of, elementwise."""
    owner = variable.owner
    return owner.op.scalar_op if owner is not None and isinstance(owner.op, Elemwise) else None


def _number(variable: Variable) -> float | None:
    return float(variable.data.item()) if isinstance(variable, Constant) and variable.data.size == 1 else None


class _InRows(GraphRewriter):  # type: ignore[misc]
    """Makes the arguments of loops with a function of this module row-major; when loops are fused."""

    def add_requirements(self, fgraph: FunctionGraph) -> None:
        fgraph.attach_feature(ReplaceValidate())

    def apply(self, fgraph: FunctionGraph) -> None:
        made: dict[Variable, Variable] = {}
        for node in fgraph.toposort():
            if not (isinstance(node.op, Elemwise) and _runs_in_lanes(node.op.scalar_op)):
                continue
            for position, variable in enumerate(node.inputs):
                if _is_strided(variable):
                    rows = made.setdefault(variable, RowMajor()(variable))
                    fgraph.change_node_input(node, position, rows, reason="float32_rows")


def _runs_in_lanes(op: ScalarOp) -> bool:
    if isinstance(op, Composite):
        return any(_runs_in_lanes(node.op) for node in op.fgraph.apply_nodes)
    return type(op) in _COMPILED


def _is_strided(variable: Variable) -> bool:
    """Whether a variable's strides may be other than those of C order, and matter."""
    if all(variable.type.broadcastable) or isinstance(variable, Constant):
        return False
    return variable.owner is None or not isinstance(variable.owner.op, (Elemwise, Softmax32))


EVERYWHERE = "float32_everywhere"
"""What `mode.including` takes to rewrite every graph."""

_BEFORE_FUSION, _AFTER_FUSION = 48.5, 49.2
optdb.register("float32_functions", _Functions(everywhere=False), "numba", position=_BEFORE_FUSION)
optdb.register(EVERYWHERE, _Functions(everywhere=True), position=_BEFORE_FUSION)
optdb.register("float32_rows", _InRows(), "numba", position=_AFTER_FUSION)
