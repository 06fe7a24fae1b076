"""PyTorch on the CPU: every way that its documentation offers for a trainable sparse product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from peers.layer import Layer
from peers.problem import Problem

LAYOUT = "units x batch, or batch x units where it says so"
Formula = Callable[[Any, Any, Any], Any]
"""w (E,), b (units,), x -> y; x and y in one layout."""


def version() -> str:
    return f"PyTorch {torch.__version__}"


def long(array: NDArray) -> Any:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))


def embedding_bag(problem: Problem) -> Formula:
    indices, offsets = torch.from_numpy(problem.indices), torch.from_numpy(problem.indptr)

    def formula(w: Any, b: Any, x: Any) -> Any:
        sums = functional.embedding_bag(indices, x, offsets, mode="sum", per_sample_weights=w, include_last_offset=True)
        return sums + b[:, None]

    return formula


def padded(problem: Problem) -> Formula:
    position, there = problem.padded()
    source, position, mask = long(problem.indices[position]), long(position), torch.from_numpy(there)

    def formula(w: Any, b: Any, x: Any) -> Any:
        values = torch.where(mask, w[position], 0.0)
        return (x[source] * values[:, :, None]).sum(1) + b[:, None]

    return formula


def padded_batch_major(problem: Problem) -> Formula:
    position, there = problem.padded()
    source, position, mask = long(problem.indices[position]), long(position), torch.from_numpy(there)

    def formula(w: Any, b: Any, x: Any) -> Any:
        values = torch.where(mask, w[position], 0.0)
        return (x[:, source] * values).sum(2) + b

    return formula


def index_add(problem: Problem) -> Formula:
    rows, source = long(problem.rows), long(problem.indices)

    def formula(w: Any, b: Any, x: Any) -> Any:
        return torch.zeros_like(x).index_add(0, rows, x[source] * w[:, None]) + b[:, None]

    return formula


def segment_reduce(problem: Problem) -> Formula:
    offsets, source = long(problem.indptr), long(problem.indices)

    def formula(w: Any, b: Any, x: Any) -> Any:
        return torch.segment_reduce(x[source] * w[:, None], "sum", offsets=offsets, unsafe=True) + b[:, None]

    return formula


def sparse_csr(problem: Problem) -> Formula:
    shape = (problem.units, problem.units)
    indptr, indices = torch.from_numpy(problem.indptr), torch.from_numpy(problem.indices)

    def formula(w: Any, b: Any, x: Any) -> Any:
        return torch.sparse_csr_tensor(indptr, indices, w, shape) @ x + b[:, None]

    return formula


def sparse_coo(problem: Problem) -> Formula:
    shape = (problem.units, problem.units)
    pairs = torch.stack([long(problem.rows), long(problem.indices)])

    def formula(w: Any, b: Any, x: Any) -> Any:
        matrix = torch.sparse_coo_tensor(pairs, w, shape, is_coalesced=True)
        return torch.sparse.mm(matrix, x) + b[:, None]

    return formula


def of_formula(
    make: Callable[[Problem], Formula], *, compiled: bool = False, batch_first: bool = False
) -> Callable[[Problem], Layer]:
    """The layer of a formula: autograd gives its gradients, `torch.compile` translates it where `compiled`."""

    def layer(problem: Problem) -> Layer:
        formula = make(problem)
        function = torch.compile(formula, dynamic=False) if compiled else formula
        w, b = (torch.from_numpy(array).requires_grad_() for array in (problem.weights, problem.bias))
        signals = (np.ascontiguousarray(array.T if batch_first else array) for array in (problem.x, problem.gy))
        plain_x, gy = (torch.from_numpy(array) for array in signals)
        x = plain_x.clone().requires_grad_()

        def forward() -> Any:
            with torch.no_grad():
                return function(w, b, plain_x)

        def both() -> Any:
            y = function(w, b, x)
            return (y.detach(), *torch.autograd.grad(y, (w, b, x), gy))

        def numpy(results: Any) -> list[NDArray]:
            arrays = [result.detach().to_dense().numpy() for result in results]
            return [array.T if batch_first and array.ndim == 2 else array for array in arrays]

        return Layer(forward, both, numpy)

    return layer


FORMULATIONS: dict[str, Callable[[Problem], Any]] = {
    "embedding_bag": of_formula(embedding_bag),
    "padded gather, compiled": of_formula(padded, compiled=True),
    "padded gather, compiled, batch x units": of_formula(padded_batch_major, compiled=True, batch_first=True),
    "index_add": of_formula(index_add),
    "index_add, compiled": of_formula(index_add, compiled=True),
    "segment_reduce": of_formula(segment_reduce),
    "sparse CSR": of_formula(sparse_csr),
    "sparse COO": of_formula(sparse_coo),
}
