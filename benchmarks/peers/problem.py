"""The sparse layer that every peer computes: a seeded graph, parameters, one batch, and what SciPy makes of them.

Input: numbers of units and samples, a seed. Output: arrays in a folder, which workers load: one graph, whatever version
of NumPy they have. Runs under Python 3.8 and later with NumPy alone; `write_reference` needs SciPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 2, 6
RESULTS = ("y", "gw", "gb", "gx")
TOLERANCE = 3e-5
"""Of the largest entry of an array: float32 sums in any order stay far below it."""


@dataclass(frozen=True)
class Problem:
    """y = A x + b and its gradients for a given gy; all arrays node-major.

    indptr (units + 1,) and indices (E,), int32; weights (E,), bias (units,), x and gy (units, batch), float32.
    """

    indptr: NDArray
    indices: NDArray
    weights: NDArray
    bias: NDArray
    x: NDArray
    gy: NDArray

    @property
    def units(self) -> int:
        return len(self.indptr) - 1

    @property
    def batch(self) -> int:
        return int(self.x.shape[1])

    @property
    def n_edges(self) -> int:
        return len(self.indices)

    @property
    def rows(self) -> NDArray:
        """The row of every edge, int32 (E,)."""
        return np.repeat(np.arange(self.units, dtype=np.int32), np.diff(self.indptr))

    @property
    def ideal_bytes(self) -> int:
        """x, gy, y, gx; w, b and their gradients; the structure once."""
        signals = 4 * self.x.nbytes
        parameters = 2 * (self.weights.nbytes + self.bias.nbytes)
        return signals + parameters + self.indptr.nbytes + self.indices.nbytes

    def transpose(self) -> tuple[NDArray, NDArray, NDArray]:
        """indptr (units + 1,), rows (E,) and edge numbers (E,) of the transpose, int32."""
        edge = np.argsort(self.indices, kind="stable").astype(np.int32)
        indptr = np.zeros(self.units + 1, np.int32)
        np.cumsum(np.bincount(self.indices, minlength=self.units), out=indptr[1:])
        return indptr, self.rows[edge], edge

    def padded(self) -> tuple[NDArray, NDArray]:
        """Positions (units, MOST) of every row's edges among all edges, and whether one is there.

        Empty places have position 0.
        """
        position = self.indptr[:-1, None] + np.arange(MOST, dtype=np.int32)
        there = position < self.indptr[1:, None]
        return np.where(there, position, 0), there


def draw(units: int, batch: int, seed: int) -> Problem:
    """In-degree uniform in 2..6 (at most `units`), distinct sources, normal values. The graph is of (units, seed)."""
    random = np.random.default_rng([seed, units])
    most = min(MOST, units)
    drawn = random.integers(units, size=(units, most), dtype=np.int32)
    while len(again := np.flatnonzero((np.diff(np.sort(drawn, axis=1)) == 0).any(axis=1))):
        drawn[again] = random.integers(units, size=(len(again), most), dtype=np.int32)
    degree = random.integers(min(LEAST, most), most + 1, size=units)
    kept = np.arange(most) < degree[:, None]
    drawn[~kept] = units  # past every source, so that sorting leaves the kept ones in front
    indices = np.sort(drawn, axis=1)[kept]
    indptr = np.zeros(units + 1, np.int32)
    np.cumsum(degree, out=indptr[1:])
    numbers = {
        "weights": random.standard_normal(len(indices), dtype=np.float32) / 2,
        "bias": random.standard_normal(units, dtype=np.float32),
        "x": random.standard_normal((units, batch), dtype=np.float32),
        "gy": random.standard_normal((units, batch), dtype=np.float32),
    }
    return Problem(indptr, indices, **numbers)


def write(folder: Path, problem: Problem) -> None:
    folder.mkdir(parents=True)
    for name, array in vars(problem).items():
        np.save(folder / f"{name}.npy", array)


def read(folder: Path) -> Problem:
    return Problem(**{name: np.load(folder / f"{name}.npy") for name in Problem.__dataclass_fields__})


def write_reference(folder: Path, problem: Problem) -> None:
    """What SciPy makes of the problem in float64, as float32: y, gx (units, batch), gw (E,), gb (units,)."""
    from scipy.sparse import csr_array

    shape = (problem.units, problem.units)
    matrix = csr_array((problem.weights.astype(np.float64), problem.indices, problem.indptr), shape=shape)
    x, gy = problem.x.astype(np.float64), problem.gy.astype(np.float64)
    gw = np.empty(problem.n_edges)
    rows = problem.rows
    for start in range(0, problem.n_edges, 1 << 16):
        part = slice(start, start + (1 << 16))
        gw[part] = np.einsum("eb,eb->e", gy[rows[part]], x[problem.indices[part]])
    results = {"y": matrix @ x + problem.bias[:, None], "gw": gw, "gb": gy.sum(axis=1), "gx": matrix.T @ gy}
    for name in RESULTS:
        np.save(folder / f"reference_{name}.npy", results[name].astype(np.float32))


def deviations(folder: Path, results: dict[str, NDArray]) -> dict[str, float]:
    """The largest difference of every result from the reference, as a part of the reference's largest entry."""
    found = {}
    for name, array in results.items():
        expected = np.load(folder / f"reference_{name}.npy", mmap_mode="r")
        if array.shape != expected.shape:
            raise ValueError(f"{name} has shape {array.shape}, not {expected.shape}")
        found[name] = float(np.max(np.abs(array - expected)) / np.max(np.abs(expected)))
    return found
