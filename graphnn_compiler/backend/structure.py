"""The constant part of a sum along edges, as resident variables, with the order in which loops walk its rows.

Input: CSR arrays, coefficients and groups of a plan. Output: `EdgeStructure`. Not for: sums, gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytensor
from numpy.typing import NDArray
from pytensor.graph.basic import Variable
from pytensor.tensor.type_other import NoneConst

from graphnn_compiler.backend.kernels.primitives import N_PIECES
from graphnn_compiler.backend.kernels.windows import SORTED_TOGETHER
from graphnn_compiler.topology.csr import Csr


@dataclass(frozen=True, eq=False, repr=False)
class EdgeStructure:
    """The constant part of a sum along edges; its identity is its equality.

    `csr` has a row per destination (T) and a column per source (S); edge e is its stored entry e. `coefficients` c(e)
    has shape (E,) and dtype float32 or float64 (None: all ones); a sum casts it to its own dtype. `groups` g(e) has
    shape (E,) and an integer dtype, and names the weight, or weight block, of every edge out of `n_groups` (None: edge
    e has weight e, and `n_groups` is E). The arrays are used in place: do not change them. TypeError or ValueError if
    they do not fit together; the caller has verified `csr`.
    """

    csr: Csr
    coefficients: NDArray | None
    groups: NDArray | None
    n_groups: int

    def __post_init__(self) -> None:
        n_edges = self.csr.n_edges
        if self.coefficients is not None:
            _check_edge_array("coefficients", self.coefficients, n_edges)
            if self.coefficients.dtype not in (np.float32, np.float64):
                raise TypeError(f"coefficients are float32 or float64, not {self.coefficients.dtype}")
        if self.groups is None:
            if self.n_groups != n_edges:
                raise ValueError(f"{n_edges} edges with a weight each have {n_edges} groups, not {self.n_groups}")
            return
        _check_edge_array("groups", self.groups, n_edges)
        if self.groups.dtype.kind not in "iu":
            raise TypeError(f"groups are integers, not {self.groups.dtype}")
        if n_edges and (self.groups.min() < 0 or self.groups.max() >= self.n_groups):
            raise ValueError(f"a group is outside 0 .. {self.n_groups - 1}")

    def arrays(self, dtype: str, *, transposed: bool = False) -> tuple[Variable, ...]:
        """`indptr`, `indices`, `coefficients`, `groups`, `order`, `bounds` as variables, for numbers of this dtype.

        As they stand they are for sums into destinations; transposed for sums into sources, entry k then being edge
        `permutation[k]`. The last two say how a loop walks the rows: chunk i has the rows bounds[i] .. bounds[i + 1],
        which `order` permutes, see `row_order`. Coefficients or groups that are not there are None.
        """
        orientation = self._backward if transposed else self._forward
        indptr, indices, coefficients, *others = orientation
        if coefficients is not None and coefficients.type.dtype != dtype:
            key = dtype, transposed
            if key not in self._cast_coefficients:
                cast = coefficients.get_value(borrow=True).astype(dtype)
                self._cast_coefficients[key] = _resident(cast, coefficients.name)
            coefficients = self._cast_coefficients[key]
        return tuple(NoneConst if one is None else one for one in (indptr, indices, coefficients, *others))

    @cached_property
    def _cast_coefficients(self) -> dict[tuple[str, bool], Variable]:
        return {}

    @cached_property
    def _forward(self) -> tuple[Variable | None, ...]:
        csr = self.csr
        return (
            _resident(csr.indptr, "indptr"),
            _resident(csr.indices, "indices"),
            _resident(self.coefficients, "coefficients"),
            _resident(self.groups, "groups", csr.indices.dtype),
            *_walk(csr, ""),
        )

    @cached_property
    def _backward(self) -> tuple[Variable | None, ...]:
        transpose, permutation = self.csr.transpose, self.csr.permutation
        coefficients, groups = self.coefficients, self.groups
        return (
            _resident(transpose.indptr, "indptr_transposed"),
            _resident(transpose.indices, "indices_transposed"),
            _resident(None if coefficients is None else coefficients[permutation], "coefficients_transposed"),
            _resident(
                permutation if groups is None else groups[permutation], "groups_transposed", transpose.indices.dtype
            ),
            *_walk(transpose, "_transposed"),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> EdgeStructure:
        return self  # constant, and its identity is what tells Ops apart

    def __repr__(self) -> str:
        destinations, sources = self.csr.shape
        return f"EdgeStructure({sources} -> {destinations} units, {self.csr.n_edges} edges, {self.n_groups} groups)"


def _check_edge_array(name: str, array: NDArray, n_edges: int) -> None:
    if array.shape != (n_edges,):
        raise ValueError(f"{name} has shape {array.shape}, not ({n_edges},)")


def _resident(array: NDArray | None, name: str, dtype: Any = None) -> Variable | None:
    """A shared variable over the array itself: one copy in memory however many functions use it.

    Not a constant: PyTensor hashes constants, and the numba linker builds them into the machine code.
    """
    if array is None:
        return None
    array = np.ascontiguousarray(array, dtype)
    return pytensor.shared(array, name=name, borrow=True, shape=array.shape)


def _walk(csr: Csr, suffix: str) -> tuple[Variable | None, Variable | None]:
    bounds = chunk_bounds(csr.indptr)
    return _resident(row_order(csr.indptr, bounds), f"order{suffix}"), _resident(bounds, f"bounds{suffix}")


def chunk_bounds(indptr: NDArray) -> NDArray[np.int64]:
    """The first row of each chunk, and the number of rows: int64, (chunks + 1,), rising. Chunks have equal work.

    The work of a row is its edges and 1. There are up to `N_PIECES` chunks, none of them empty.
    """
    n_rows = len(indptr) - 1
    work = indptr.astype(np.int64) + np.arange(n_rows + 1)
    cuts = np.linspace(0, work[-1], N_PIECES + 1)
    return np.unique(np.concatenate([[0], np.searchsorted(work, cuts[1:-1]), [n_rows]])).astype(np.int64)


def row_order(indptr: NDArray, bounds: NDArray[np.int64]) -> NDArray:
    """All rows, every `SORTED_TOGETHER` rows of a chunk in order of their degree, in the dtype of `indptr`: (rows,).

    Runs of equal degree make the ends of rows predictable.
    """
    degrees = np.diff(indptr)
    rows = np.arange(len(degrees), dtype=np.int64)
    if not len(rows) or degrees.min() == degrees.max():
        return rows.astype(indptr.dtype)
    first = np.repeat(bounds[:-1], np.diff(bounds))
    sorted_together = first + (rows - first) // SORTED_TOGETHER * SORTED_TOGETHER
    return np.lexsort((degrees, sorted_together)).astype(indptr.dtype)
