"""Finite differences on every path of the kernels, as networks take them: their own mode, all rewrites on.

A sum of y is linear in the weights, in the bias and in x, so that a central difference of any length is its derivative
but for rounding. It is taken along one random direction through all numbers of an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from kernel_cases import Edges, draw_edges, edges_of
from numpy.typing import NDArray

from graphnn_compiler.backend.csr_dot import edge_dot
from graphnn_compiler.backend.kernels import primitives, windows
from graphnn_compiler.backend.kernels.primitives import PARALLEL_FROM
from graphnn_compiler.backend.kernels.windows import ANY_COLUMNS, SORTED_BELOW
from graphnn_compiler.backend.mode import network_mode

TOLERANCE = {"float32": 2e-4, "float64": 1e-11}
WIDTHS = sorted({0, 85, 149, SORTED_BELOW - 1, SORTED_BELOW + 1} | {k * n for n in ANY_COLUMNS for k in (1, 2, 3)})
"""Every tile once, twice and after wider ones, and remainders of several tiles."""

PATHS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "usual": lambda patch: None,
    "results past the caches": lambda patch: patch.setattr(primitives, "HELD_BY_CACHE", 0),
    "rows fetched ahead": lambda patch: patch.setattr(windows, "HELD_BY_CACHE", 0),
}


def compiled(edges: Edges, dtype: str) -> tuple[Any, Any]:
    """Functions of weights, bias, x and a factor for each number of y: y times factors summed up, and its gradients."""
    w, b = pt.vector("w", dtype=dtype), pt.vector("b", dtype=dtype)
    x, factors = pt.tensor3("x", dtype=dtype), pt.tensor3("factors", dtype=dtype)
    y = edge_dot(w, x, edges.structure, bias=b)
    total = (y.astype("float64") * factors.astype("float64")).sum()
    given = [w, b, x, factors]
    gradients = pytensor.function(given, pytensor.grad(total, [w, b, x]), mode=network_mode())
    return pytensor.function(given, total, mode=network_mode()), gradients


def check_gradients(edges: Edges, functions: tuple[Any, Any], width: int, dtype: str, *, strided: bool = False) -> None:
    """The gradients by weights, bias and x, each along a random direction."""
    total, gradients = functions
    rng = np.random.default_rng(width)
    targets, sources = edges.shape

    def drawn(*shape: int) -> NDArray:
        if strided:  # every other number of something larger, the axes in another order
            larger = rng.standard_normal([2 * n for n in reversed(shape)]).astype(dtype)
            return larger.T[(slice(None, None, 2),) * len(shape)]
        return rng.standard_normal(shape).astype(dtype)

    point = [drawn(edges.structure.n_groups), drawn(targets), drawn(sources, width, 1)]
    factors = drawn(targets, width, 1)
    for position, gradient in enumerate(gradients(*point, factors)):
        direction = drawn(*point[position].shape)

        def moved(step: int, position: int = position, direction: NDArray = direction) -> float:
            return float(total(*(p + step * direction if i == position else p for i, p in enumerate(point)), factors))

        terms = gradient.astype(float) * direction
        scale = max(np.sqrt((terms**2).sum()), abs(moved(0)), 1.0)
        assert abs((moved(1) - moved(-1)) / 2 - terms.sum()) <= TOLERANCE[dtype] * scale, (width, position)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shared", [False, True], ids=["a weight per edge", "shared weights"])
@pytest.mark.parametrize("path", PATHS)
def test_every_tile_and_remainder(monkeypatch: pytest.MonkeyPatch, path: str, shared: bool, dtype: str) -> None:
    PATHS[path](monkeypatch)
    edges = draw_edges(31, coefficients=shared, n_groups=4 if shared else None)
    assert edges.structure.csr.in_degree.min() == edges.structure.csr.out_degree.min() == 0
    functions = compiled(edges, dtype)
    for width in WIDTHS:
        check_gradients(edges, functions, width, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_that_are_not_contiguous(dtype: str) -> None:
    edges = draw_edges(32)
    functions = compiled(edges, dtype)
    for width in (1, 5, SORTED_BELOW + 1):
        check_gradients(edges, functions, width, dtype, strided=True)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (0, 3), (3, 0)])
@pytest.mark.parametrize("density", [0.0, 1.0])
def test_one_unit_or_none(shape: tuple[int, int], density: float) -> None:
    rows, columns = np.nonzero(np.random.default_rng(33).random(shape) < density)
    edges = edges_of(rows, columns, shape, np.random.default_rng(33))
    functions = compiled(edges, "float64")
    for width in (1, 5, SORTED_BELOW + 1):
        check_gradients(edges, functions, width, "float64")


@cache
def large(width: int) -> Edges:
    """As many edges as two threads are used for, at this width."""
    n = int((1.5 * PARALLEL_FROM / width / 4) ** 0.5) * 4
    return draw_edges(34, (n, n), 0.25)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [1, 2, SORTED_BELOW - 1, SORTED_BELOW, 64, 80])
@pytest.mark.usefixtures("threads")
def test_one_and_two_threads(monkeypatch: pytest.MonkeyPatch, width: int, path: str, dtype: str) -> None:
    PATHS[path](monkeypatch)
    edges = large(width)
    assert len(edges.rows) * width > PARALLEL_FROM
    check_gradients(edges, compiled(edges, dtype), width, dtype)
