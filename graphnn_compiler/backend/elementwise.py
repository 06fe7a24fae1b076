"""Elementwise expressions computed by NumPy, a block that fits the cache at a time.

Input: a scalar Op of PyTensor, `Composite` included, and arrays. Output: arrays. NumPy's functions run in vector
instructions and need no compilation; in blocks, what stands between two of them never reaches the memory.
Not for: sums over an axis, deciding which expressions are fused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pytensor.scalar as ps
from numpy.typing import NDArray
from pytensor.graph.basic import Constant, Variable
from pytensor.scalar.basic import ScalarOp
from pytensor.tensor.utils import import_func_from_string

from graphnn_compiler.backend.kernels.primitives import fresh
from graphnn_compiler.backend.powers import PowerOfDifference

BLOCK_BYTES = 2**16
"""Of one array: the handful that an expression holds at once fits the second-level cache."""

Compute: TypeAlias = Callable[[Sequence[Any], NDArray], None]
"""Takes the arguments and an array for the result, which shares memory with no argument."""


# ------------------------------------------------------------------ one operation


def _call(ufunc: np.ufunc) -> Compute:
    def compute(arguments: Sequence[Any], out: NDArray) -> None:
        if out.dtype == np.bool_:
            ufunc(*arguments, out=out)
        else:  # told the type, NumPy does not compute small integers in half precision
            ufunc(*arguments, out=out, dtype=out.dtype, casting="unsafe")

    return compute


def _chain(ufunc: np.ufunc) -> Compute:
    def compute(arguments: Sequence[Any], out: NDArray) -> None:
        np.copyto(out, arguments[0], casting="unsafe")
        for one in arguments[1:]:
            ufunc(out, one, out=out, casting="unsafe")

    return compute


def _cast(arguments: Sequence[Any], out: NDArray) -> None:
    np.copyto(out, arguments[-1], casting="unsafe")


def _switch(arguments: Sequence[Any], out: NDArray) -> None:
    """Bit by bit, which takes a third of the time of NumPy's own selections: b ^ ((a ^ b) & mask)."""
    condition, *both = arguments
    if out.itemsize not in (4, 8):
        np.copyto(out, np.where(condition, *both), casting="unsafe")
        return
    integer = np.dtype(f"i{out.itemsize}")
    chosen, otherwise = (np.asarray(one, dtype=out.dtype).view(integer) for one in both)
    mask = np.negative(np.asarray(condition, dtype=np.bool_).view(np.int8), dtype=integer)
    bits = out.view(integer)
    np.bitwise_xor(chosen, otherwise, out=bits)
    np.bitwise_and(bits, mask, out=bits)
    np.bitwise_xor(bits, otherwise, out=bits)


def _power_of_minus_abs(x: Any, like: NDArray) -> NDArray:
    """e^-|x|."""
    power = np.empty_like(like)
    np.absolute(x, out=power, casting="unsafe")
    np.negative(power, out=power)
    np.exp(power, out=power)
    return power


def _sigmoid(arguments: Sequence[Any], out: NDArray) -> None:
    """1 / (1 + e^-x) as e^min(x, 0) / (1 + e^-|x|), where nothing overflows or cancels."""
    (x,) = arguments
    power = _power_of_minus_abs(x, out)
    np.add(power, 1, out=power)
    np.minimum(x, 0, out=out, casting="unsafe")
    np.exp(out, out=out)
    np.divide(out, power, out=out)


def _softplus(arguments: Sequence[Any], out: NDArray) -> None:
    """log(1 + e^x) as max(x, 0) + log(1 + e^-|x|)."""
    (x,) = arguments
    power = _power_of_minus_abs(x, out)
    np.log1p(power, out=power)
    np.maximum(x, 0, out=out, casting="unsafe")
    np.add(out, power, out=out)


def _power_of_difference(arguments: Sequence[Any], out: NDArray) -> None:
    """e^(x - m) in double precision; the arguments are converted first, which NumPy's own conversion is slower at."""
    x, m = arguments
    wide = np.empty(out.shape, np.float64)
    np.copyto(wide, x)
    np.subtract(wide, np.asarray(m, dtype=np.float64), out=wide)
    np.exp(wide, out=wide)
    np.copyto(out, wide, casting="unsafe")


_SPECIAL: dict[type[ScalarOp], Compute] = {
    ps.Add: _chain(np.add),
    ps.Mul: _chain(np.multiply),
    ps.Cast: _cast,
    ps.Identity: _cast,
    ps.Second: _cast,
    ps.Switch: _switch,
    type(ps.sigmoid): _sigmoid,
    type(ps.softplus): _softplus,
    PowerOfDifference: _power_of_difference,
}


def _compute(op: ScalarOp) -> Compute:
    """How an operation is computed; one that NumPy and SciPy lack, number by number as PyTensor does it."""
    if type(op) in _SPECIAL:
        return _SPECIAL[type(op)]
    name, n_inputs, n_outputs = getattr(op, "nfunc_spec", None) or ("", 0, 0)
    function = import_func_from_string(name) if (n_inputs, n_outputs) == (op.nin, 1) else None
    if isinstance(function, np.ufunc):
        return _call(function)
    by_number = np.frompyfunc(op.impl, op.nin, 1)
    return lambda arguments, out: np.copyto(out, by_number(*arguments), casting="unsafe")


# ------------------------------------------------------------------ an expression of many


@dataclass(frozen=True)
class _Step:
    """`compute` of the values at the places `arguments`, into a scratch array of `dtype` that is then at `result`.

    `free` are the places whose scratch arrays nothing reads after this step.
    """

    compute: Compute
    arguments: tuple[int, ...]
    result: int
    dtype: np.dtype
    free: tuple[int, ...]


class Expression:
    """A scalar Op as steps over numbered places: the inputs, then the constants, then a result for each step."""

    def __init__(self, op: ScalarOp, input_dtypes: Sequence[str]) -> None:
        """`input_dtypes` are those of the arrays."""
        inputs, outputs, nodes = _inner_graph(op, input_dtypes)
        places: dict[Variable, int] = {variable: place for place, variable in enumerate(inputs)}
        self._n_inputs = len(inputs)
        self._constants: list[NDArray] = []
        for variable in (one for node in nodes for one in node.inputs if isinstance(one, Constant)):
            if variable not in places:
                places[variable] = len(places)
                self._constants.append(np.asarray(variable.data, dtype=variable.type.dtype))
        first_result = len(places)
        last_use = {variable: number for number, node in enumerate(nodes) for variable in node.inputs}
        steps = []
        for number, node in enumerate(nodes):
            places[node.outputs[0]] = len(places)
            done = {one for one in node.inputs if last_use[one] == number and one not in outputs}
            free = tuple(places[one] for one in done if places[one] >= first_result)
            arguments, dtype = tuple(places[one] for one in node.inputs), np.dtype(node.outputs[0].type.dtype)
            steps.append(_Step(_compute(node.op), arguments, len(places) - 1, dtype, free))
        self._steps = tuple(steps)
        self._outputs = tuple((places[one], np.dtype(one.type.dtype)) for one in outputs)

    def __call__(self, inputs: Sequence[NDArray], targets: Sequence[NDArray | None]) -> list[NDArray]:
        """The outputs; each is written into its target, which may be an input of the results' shape, or a new array."""
        shape = np.broadcast(*inputs).shape if len(inputs) > 1 else inputs[0].shape
        # a target may be an input that a later step reads: what is computed for it is written when all is computed
        new = {place: number for number, (place, _) in enumerate(self._outputs) if targets[number] is None}
        results = [
            fresh(math.prod(shape), dtype).reshape(shape) if target is None else target
            for target, (_, dtype) in zip(targets, self._outputs, strict=True)
        ]
        scratch: _Scratch = {}
        with np.errstate(all="ignore"):
            for block in _blocks([*inputs, *results], shape):
                self._compute(block[: self._n_inputs], block[self._n_inputs :], new, scratch)
        return results

    def _compute(
        self, inputs: Sequence[NDArray], results: Sequence[NDArray], new: dict[int, int], scratch: _Scratch
    ) -> None:
        shape = results[0].shape
        values: dict[int, NDArray] = dict(enumerate([*inputs, *self._constants]))
        for step in self._steps:
            spare = scratch.setdefault((shape, step.dtype), [])
            if step.result in new:
                out = results[new[step.result]]
            else:
                out = spare.pop() if spare else np.empty(shape, step.dtype)
            step.compute([values[place] for place in step.arguments], out)
            values[step.result] = out
            for place in step.free:
                scratch[shape, values[place].dtype].append(values.pop(place))
        for (place, _), result in zip(self._outputs, results, strict=True):
            if result is not values[place]:
                np.copyto(result, values[place])


_Scratch: TypeAlias = dict[tuple[tuple[int, ...], np.dtype], list[NDArray]]
"""Arrays that nothing reads any more, by shape and type."""


def _inner_graph(op: ScalarOp, input_dtypes: Sequence[str]) -> tuple[list[Variable], list[Variable], list[Any]]:
    if isinstance(op, ps.Composite):
        # a node whose result is several outputs stands several times in PyTensor's order
        return list(op.fgraph.inputs), list(op.fgraph.outputs), list(dict.fromkeys(op.fgraph.toposort()))
    node = op.make_node(*(ps.get_scalar_type(dtype)() for dtype in input_dtypes))
    return list(node.inputs), list(node.outputs), [node]


def _blocks(arrays: Sequence[NDArray], shape: tuple[int, ...]) -> Iterator[Sequence[NDArray]]:
    """The arrays, cut along one axis so that no piece has more than `BLOCK_BYTES`; axes of length 1 stay whole."""
    item = max(one.itemsize for one in arrays)
    n_numbers = math.prod(shape)
    if n_numbers * item <= BLOCK_BYTES:
        if n_numbers:
            yield arrays
        return
    whole = [one.size == 1 or (one.shape == shape and one.flags.c_contiguous) for one in arrays]
    if all(whole):  # one long row
        arrays = [one.reshape(-1) for one in arrays]
        shape = (n_numbers,)
    axis = int(np.argmax(shape))
    step = max(1, BLOCK_BYTES * shape[axis] // (n_numbers * item))
    for start in range(0, shape[axis], step):
        index = (slice(None),) * axis + (slice(start, start + step),)
        yield [one[index] if one.shape[axis] > 1 else one for one in arrays]
