"""What each edge of a clause adds to a number that depends on the sums of its targets.

Input: what the sources say, (S, B, C_in), and slopes in the sums of the targets, (T, B, C_out). Output: (E, B). Edge e
from s to t with the block W adds c(e) * x[s] W to the sum of t, and so c(e) * x[s] W . slope[t] to the number, to first
order. For a weight of its own, w, this is w times the slope in w. Not for: compiling; means over samples.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.edges import Edges
from graphnn_compiler.topology.plan import SparseClause, block_shape

_NUMBERS = 1 << 22
"""As many numbers are gathered for the edges at a time: 32 MiB of float64."""


class EdgeShares:
    """The edges of a clause with their weights; `weights` holds the parameters by name."""

    def __init__(
        self, edges: Edges, clause: SparseClause, channels: tuple[int, int], weights: Mapping[str, NDArray]
    ) -> None:
        spec = clause.weights
        block = block_shape(spec.mix, *channels)
        self._columns = edges.indices
        self._rows = np.repeat(np.arange(len(edges.indptr) - 1), np.diff(edges.indptr))
        self._coefficients = edges.coefficients
        self._ndim = 0 if spec.parameter is None else len(block)
        self._common: NDArray | None = None
        self._blocks: NDArray | None = None
        if spec.parameter is None:
            self._common = np.asarray(spec.value)
        elif spec.mode == "shared":
            self._common = weights[spec.parameter].reshape(block)
        else:
            self._blocks = edges.weights

    def __len__(self) -> int:
        return len(self._columns)

    def __call__(self, said: NDArray, slopes: NDArray) -> NDArray[np.float64]:
        """The share of every edge in every sample, (E, B), in canonical order."""
        x = said if self._common is None else _times(said, self._common, self._ndim)
        n_samples = slopes.shape[1]
        result = np.empty((len(self), n_samples))
        step = max(1, _NUMBERS // max(1, n_samples * (x.shape[2] + slopes.shape[2])))
        for start in range(0, len(self), step):
            part = slice(start, start + step)
            heard = x[self._columns[part]]
            if self._blocks is not None:
                heard = _times(heard, self._blocks[part], self._ndim)
            products = np.einsum("ebc,ebc->eb", heard, slopes[self._rows[part]], dtype=np.float64)
            result[part] = self._coefficients[part, None] * products
        return result


def _times(x: NDArray, blocks: NDArray, ndim: int) -> NDArray:
    """(N, B, C_in) times N blocks, or one for all: full ones (`ndim` 2), diagonal ones (1), single numbers (0)."""
    if ndim < 2:
        blocks = blocks[..., None, :] if ndim == 1 else blocks[..., None, None]
    product: NDArray = np.matmul(x, blocks) if ndim == 2 else x * blocks
    return product
