"""e^(x - m) of single precision, as one operation of PyTensor that does not round x - m.

Input: numbers x and m of one dtype. Output: e^(x - m) in that dtype, with its gradient, for every linker. As the two
operations of PyTensor, the rounding of x - m would cost |x - m| units of 2^-24: dozens of units in the last place of a
small share. Not for: sums and quotients (see `activations`), how NumPy computes it a block at a time (`elementwise`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.scalar as ps
from pytensor.graph.basic import Apply, Variable
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key
from pytensor.tensor.elemwise import Elemwise

from graphnn_compiler.backend.compiled_ops import Formula, WithFormula
from graphnn_compiler.backend.layout import Tensor


class PowerOfDifference(WithFormula, ps.basic.BinaryScalarOp):  # type: ignore[misc] # PyTensor's types are not checked
    """e^(x - m) of float32: difference and power in double precision, rounded once; within 0.51 ulp.

    An infinite power is an infinity, NaN and infinity less infinity are NaN.
    """

    def impl(self, x: Any, m: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.float32(np.exp(np.float64(x) - np.float64(m)))

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        slope = cotangents[0] * outputs[0]
        return [slope, -slope]

    def formula(self, node: Apply) -> Formula:
        return "power_of_difference", {}

    def c_code(self, node: Apply, name: str, inputs: Sequence[str], outputs: Sequence[str], sub: Any) -> str:
        """Needed by PyTensor in every mode: it fuses only what could be written in C."""
        return f"{outputs[0]} = (npy_float32) exp((npy_float64) {inputs[0]} - (npy_float64) {inputs[1]});"

    def c_code_cache_version(self) -> tuple[int, ...]:
        return (1,)


@register_funcify_and_cache_key(PowerOfDifference)  # type: ignore[untyped-decorator]
def _numba_function(op: PowerOfDifference, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    @numba_njit  # type: ignore[untyped-decorator]
    def power_of_difference(x: Any, m: Any) -> Any:
        return np.float32(np.exp(np.float64(x) - np.float64(m)))

    return power_of_difference, "power_of_difference:1"


_of_numbers = PowerOfDifference(ps.upcast_out, name="power_of_difference")


def power_of_difference(x: Tensor, m: Tensor) -> Tensor:
    """e^(x - m) of variables that broadcast, both float32."""
    return Elemwise(_of_numbers)(x, m)
