"""PyTensor's own sparse product, `sparse.CSR` with `structured_dot`, under two of its linkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytensor
import pytensor.sparse as sparse

from peers.layer import Layer, plain
from peers.problem import Problem

LAYOUT = "units x batch"


def version() -> str:
    return f"PyTensor {pytensor.__version__}"


def layer(problem: Problem, mode: str) -> Layer:
    w, b, x, gy = (
        pytensor.shared(array, borrow=True) for array in (problem.weights, problem.bias, problem.x, problem.gy)
    )
    shape = (problem.units, problem.units)
    y = sparse.structured_dot(sparse.CSR(w, problem.indices, problem.indptr, shape), x) + b[:, None]
    gradients = pytensor.grad(None, [w, b, x], known_grads={y: gy})
    forward = pytensor.function([], pytensor.Out(y, borrow=True), mode=mode)
    both = pytensor.function([], [pytensor.Out(result, borrow=True) for result in (y, *gradients)], mode=mode)
    return Layer(forward, both, plain)


NUMBA: dict[str, Callable[[Problem], Any]] = {"structured_dot, numba linker": lambda problem: layer(problem, "NUMBA")}
C: dict[str, Callable[[Problem], Any]] = {"structured_dot, C linker": lambda problem: layer(problem, "CVM")}
FORMULATIONS = {**NUMBA, **C}
