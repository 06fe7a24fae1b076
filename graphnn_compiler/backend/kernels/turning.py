"""Transposition of the first two axes of an array, in tiles that fit the nearest cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.primitives import N_PIECES, compiled, flat, fresh, in_both

TILE = 64
"""Rows and columns that are turned together: 64 rows of 64 float32 are 16 KiB."""


@compiled
def _turn_numbers(turned: Any, x: Any, rows: Any, columns: Any, sizes: Any) -> None:
    """One tile of single channels: rows and columns are its first and last."""
    n_rows, n_columns, _ = sizes
    for j in range(columns[0], columns[1]):
        to = j * n_rows
        for i in range(rows[0], rows[1]):
            turned[to + i] = x[i * n_columns + j]


@compiled
def _turn_channels(turned: Any, x: Any, rows: Any, columns: Any, sizes: Any) -> None:
    n_rows, n_columns, channels = sizes
    for j in range(columns[0], columns[1]):
        for i in range(rows[0], rows[1]):
            to, source = (j * n_rows + i) * channels, (i * n_columns + j) * channels
            for c in range(channels):
                turned[to + c] = x[source + c]


def _make_turn(dtype: str) -> Any:
    @compiled
    def turn(piece: Any, turned: Any, x: Any, n_rows: Any, n_columns: Any, channels: Any) -> None:
        tile, pieces, one = np.uintp(TILE), np.uintp(N_PIECES), np.uintp(1)
        n_tiles = (n_columns + tile - one) // tile
        first, last = piece * n_tiles // pieces * tile, min((piece + one) * n_tiles // pieces * tile, n_columns)
        sizes = n_rows, n_columns, channels
        for column in range(first, last, tile):
            columns = column, min(column + tile, last)
            for row in range(np.uintp(0), n_rows, tile):
                rows = row, min(row + tile, n_rows)
                if channels == one:
                    _turn_numbers(turned, x, rows, columns, sizes)
                else:
                    _turn_channels(turned, x, rows, columns, sizes)

    return turn


TURN = Loop("turn", "ffnnn", _make_turn)
_turn_call = TURN.call


@in_both
def turned(x: Any) -> Any:
    """x (M, N, C) of any strides -> contiguous (N, M, C)."""
    m, n, channels = x.shape
    result = fresh(x.size, x.dtype)
    # pieces are bands of the longer axis; moving a number costs about as much as a dozen multiplications
    _turn_call((result, flat(x), m, n, channels), N_PIECES, 12 * x.size)
    return result.reshape(n, m, channels)
