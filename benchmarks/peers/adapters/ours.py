"""This project's sparse dot as one compiled PyTensor function; inputs are shared variables, outputs are borrowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor
from numpy.typing import NDArray

from graphnn_compiler.backend.csr_dot import edge_dot
from graphnn_compiler.backend.kernels.primitives import fresh
from graphnn_compiler.backend.mode import network_mode
from graphnn_compiler.backend.structure import EdgeStructure
from graphnn_compiler.topology.csr import Csr
from peers.layer import Layer
from peers.problem import Problem

LAYOUT = "units x batch"


def version() -> str:
    return f"this project on PyTensor {pytensor.__version__}"


def symbolic_layer(problem: Problem, w: Any, b: Any, x: Any) -> Any:
    """y (units, batch, 1) of w (E,), b (units,) and x (units, batch, 1)."""
    csr = Csr(problem.indptr, problem.indices, (problem.units, problem.units))
    structure = EdgeStructure(csr, None, None, problem.n_edges)
    return edge_dot(w, x, structure, bias=b)


def layer(problem: Problem) -> Layer:
    w, b = (pytensor.shared(array, borrow=True, shape=array.shape) for array in (problem.weights, problem.bias))
    signals = (aligned(problem.x)[:, :, None], aligned(problem.gy)[:, :, None])
    x, gy = (pytensor.shared(array, borrow=True, shape=(problem.units, None, 1)) for array in signals)
    y = symbolic_layer(problem, w, b, x)
    gradients = pytensor.grad(None, [w, b, x], known_grads={y: gy})
    forward = pytensor.function([], pytensor.Out(y, borrow=True), mode=network_mode())
    results = [pytensor.Out(result, borrow=True) for result in (y, *gradients)]
    both = pytensor.function([], results, mode=network_mode())
    return Layer(forward, both, without_channels)


def aligned(signal: NDArray) -> NDArray:
    """A copy that begins with a cache line, as do the values of a network inside."""
    copy: NDArray = fresh(signal.size, signal.dtype).reshape(signal.shape)
    copy[...] = signal
    return copy


def without_channels(results: Any) -> list[NDArray]:
    return [array[:, :, 0] if array.ndim == 3 else array for array in map(np.asarray, results)]


FORMULATIONS: dict[str, Callable[[Problem], Any]] = {"edge_dot": layer}
