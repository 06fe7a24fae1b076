"""Transposition of the first two axes of an array, in tiles that fit the nearest cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.primitives import N_PIECES, compiled, flat, in_both

TILE = 32
"""Rows and columns that are turned together: 32 rows of 32 float32 are 64 cache lines."""


def _make_turn(dtype: str) -> Any:
    @compiled
    def turn(piece: Any, turned: Any, x: Any, n_rows: Any, n_columns: Any, channels: Any) -> None:
        tile, pieces, one = np.uintp(TILE), np.uintp(N_PIECES), np.uintp(1)
        n_tiles = (n_columns + tile - one) // tile
        first, last = piece * n_tiles // pieces * tile, min((piece + one) * n_tiles // pieces * tile, n_columns)
        for column in range(first, last, tile):
            column_end = min(column + tile, last)
            for row in range(np.uintp(0), n_rows, tile):
                row_end = min(row + tile, n_rows)
                for j in range(column, column_end):
                    for i in range(row, row_end):
                        for c in range(channels):
                            turned[(j * n_rows + i) * channels + c] = x[(i * n_columns + j) * channels + c]

    return turn


TURN = Loop("turn", "ffnnn", _make_turn)
_turn_call = TURN.call


@in_both
def turned(x: Any) -> Any:
    """x (M, N, C) of any strides -> contiguous (N, M, C)."""
    m, n, channels = x.shape
    result = np.empty(x.size, x.dtype)
    # pieces are bands of the longer axis; moving a number costs about as much as a dozen multiplications
    _turn_call((result, flat(x), m, n, channels), N_PIECES, 12 * x.size)
    return result.reshape(n, m, channels)
