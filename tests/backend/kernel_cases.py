"""Edge sets for tests of kernels, and sums over them edge by edge in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.backend.structure import EdgeStructure
from graphnn_compiler.topology.csr import Csr, csr_from_pairs

LEAKY_SLOPE = 0.01


@dataclass(frozen=True)
class Edges:
    """A drawn edge set as plain arrays with an entry per edge, and the structure made of it."""

    rows: NDArray
    columns: NDArray
    factors: NDArray
    weight_of_edge: NDArray
    structure: EdgeStructure

    @property
    def shape(self) -> tuple[int, int]:
        return self.structure.csr.shape

    def arrays(self, dtype: Any, *, transposed: bool = False) -> tuple[NDArray | None, ...]:
        """What kernels take of an orientation."""
        variables = self.structure.arrays(str(np.dtype(dtype)), transposed=transposed)
        return tuple(v.get_value(borrow=True) if hasattr(v, "get_value") else None for v in variables)

    def dot(self, weights: NDArray | None, bias: NDArray | None, x: NDArray) -> NDArray:
        """Weights (groups,), (groups, C), (groups, C_in, C_out) or None; x (S, B, C_in) -> (T, B, C_out)."""
        terms = x.astype(float)[self.columns] * self.factors[:, None, None]
        if weights is not None:
            terms = np.einsum("ebi,eij->ebj", terms, self._blocks(weights, x.shape[2]))
        y = np.zeros((self.shape[0], *terms.shape[1:]))
        y += 0 if bias is None else bias.astype(float)[:, None, None]
        np.add.at(y, self.rows, terms)
        return y

    def by_weights(self, x: NDArray, gy: NDArray, ndim: int) -> NDArray:
        x_e, gy_e = x.astype(float)[self.columns] * self.factors[:, None, None], gy.astype(float)[self.rows]
        per_edge = np.einsum(("ebi,ebi->e", "ebi,ebi->ei", "ebi,ebj->eij")[ndim - 1], x_e, gy_e)
        sums = np.zeros((self.structure.n_groups, *per_edge.shape[1:]))
        np.add.at(sums, self.weight_of_edge, per_edge)
        return sums

    def by_x(self, weights: NDArray | None, gy: NDArray) -> NDArray:
        terms = gy.astype(float)[self.rows] * self.factors[:, None, None]
        if weights is not None:
            terms = np.einsum("ebj,eij->ebi", terms, self._blocks(weights, gy.shape[2]))
        gx = np.zeros((self.shape[1], *terms.shape[1:]))
        np.add.at(gx, self.columns, terms)
        return gx

    def _blocks(self, weights: NDArray, channels: int) -> NDArray:
        """(E, C_in, C_out): each edge's block, whatever the form of the weights."""
        of_edge = weights.astype(float)[self.weight_of_edge]
        if weights.ndim == 3:
            return of_edge
        return of_edge.reshape(len(of_edge), 1 if weights.ndim == 1 else channels, 1) * np.eye(channels)


def draw_edges(
    seed: int,
    shape: tuple[int, int] = (23, 19),
    density: float = 0.25,
    *,
    coefficients: bool = False,
    n_groups: int | None = None,
    index_dtype: Any = np.int32,
) -> Edges:
    """Rows of very different degree; about a third of all rows and of all columns are empty."""
    rng = np.random.default_rng(seed)
    chance = density * rng.integers(0, 3, (shape[0], 1)) * rng.integers(0, 3, (1, shape[1]))
    return edges_of(*np.nonzero(rng.random(shape) < chance), shape, rng, coefficients, n_groups, index_dtype)


def edges_of(
    rows: NDArray,
    columns: NDArray,
    shape: tuple[int, int],
    rng: np.random.Generator,
    coefficients: bool = False,
    n_groups: int | None = None,
    index_dtype: Any = np.int32,
) -> Edges:
    """The pairs, sorted and distinct, with drawn coefficients and groups."""
    made = csr_from_pairs(rows, columns, shape)
    csr = Csr(made.indptr.astype(index_dtype), made.indices.astype(index_dtype), shape)
    csr.verify()
    n = len(rows)
    c = rng.standard_normal(n) if coefficients else None
    g = None if n_groups is None else rng.integers(0, n_groups, n)
    structure = EdgeStructure(csr, c, g, n if n_groups is None else n_groups)
    return Edges(rows, columns, np.ones(n) if c is None else c, np.arange(n) if g is None else g, structure)


def activated(activation: str, z: NDArray) -> NDArray:
    with np.errstate(over="ignore", invalid="ignore"):
        match activation:
            case "relu":
                return np.where(z <= 0, 0, z)
            case "leaky_relu":
                return np.where(z <= 0, LEAKY_SLOPE * z, z)
            case "tanh":
                return np.tanh(z)
            case "sigmoid":
                return 1 / (1 + np.exp(-z))
    return z


def slope(activation: str, z: NDArray) -> NDArray:
    """The derivative of the activation at z."""
    with np.errstate(over="ignore", invalid="ignore"):
        match activation:
            case "relu":
                return np.where(z <= 0, 0.0, 1.0)
            case "leaky_relu":
                return np.where(z <= 0, LEAKY_SLOPE, 1.0)
            case "tanh":
                return 1 - np.tanh(z) ** 2
            case "sigmoid":
                return 1 / (1 + np.exp(-z)) * (1 - 1 / (1 + np.exp(-z)))
    return np.ones_like(z)
