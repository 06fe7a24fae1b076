"""SciPy: one CSR product forward; backward by hand over a transpose made beforehand. One thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from peers.layer import Layer, plain
from peers.problem import Problem

LAYOUT = "units x batch"
CHUNK = 1 << 12
"""Edges whose rows are gathered at a time: they stay in the cache."""


def version() -> str:
    return f"SciPy {scipy.__version__}"


def layer(problem: Problem, chunk: int) -> Layer:
    shape = (problem.units, problem.units)
    matrix = csr_matrix((problem.weights, problem.indices, problem.indptr), shape=shape)
    indptr, targets, edge = problem.transpose()
    transpose = csr_matrix((problem.weights[edge], targets, indptr), shape=shape)
    rows, x, gy, bias = problem.rows, problem.x, problem.gy, problem.bias[:, None]

    def forward() -> NDArray:
        y: NDArray = matrix @ x
        y += bias
        return y

    def both() -> tuple[NDArray, ...]:
        transpose.data[:] = matrix.data[edge]
        gw = np.empty(len(rows), x.dtype)
        for start in range(0, len(rows), chunk):
            part = slice(start, start + chunk)
            np.einsum("eb,eb->e", gy[rows[part]], x[problem.indices[part]], out=gw[part])
        return forward(), gw, gy.sum(axis=1), transpose @ gy

    return Layer(forward, both, plain)


FORMULATIONS: dict[str, Callable[[Problem], Any]] = {
    "csr, edges in chunks": lambda problem: layer(problem, CHUNK),
    "csr, all edges expanded": lambda problem: layer(problem, problem.n_edges),
}
