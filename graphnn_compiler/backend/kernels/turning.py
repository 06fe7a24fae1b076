"""Transposition of the first two axes of an array, in tiles that fit the nearest cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnn_compiler.backend.kernels.lanes import LINE_BYTES, turn_square, turn_square_past_cache, wait_for_stores
from graphnn_compiler.backend.kernels.native import Loop
from graphnn_compiler.backend.kernels.primitives import N_PIECES, compiled, flat, fresh, in_both, passes_cache

TILE = 32
"""Rows and columns that are turned together: 32 rows of 32 float32 are 4 KiB."""


def _tile(turn: Any, n: int) -> Any:
    """The function for a tile of single channels; `turn` does its squares of n x n, n numbers being a cache line."""

    @compiled
    def turn_tile(turned: Any, x: Any, rows: Any, columns: Any, sizes: Any) -> None:
        """rows and columns are its first and last."""
        n_rows, n_columns, _ = sizes
        side = np.uintp(n)
        last_row = rows[0] + (rows[1] - rows[0]) // side * side
        last_column = columns[0] + (columns[1] - columns[0]) // side * side
        for j in range(columns[0], last_column, side):
            for i in range(rows[0], last_row, side):
                turn(turned, j * n_rows + i, n_rows, x, i * n_columns + j, n_columns, n)
        for j in range(columns[0], columns[1]):
            for i in range(last_row if j < last_column else rows[0], rows[1]):
                turned[j * n_rows + i] = x[i * n_columns + j]

    return turn_tile


@compiled
def _turn_channels(turned: Any, x: Any, rows: Any, columns: Any, sizes: Any) -> None:
    n_rows, n_columns, channels = sizes
    for j in range(columns[0], columns[1]):
        for i in range(rows[0], rows[1]):
            to, source = (j * n_rows + i) * channels, (i * n_columns + j) * channels
            for c in range(channels):
                turned[to + c] = x[source + c]


def _make_turn(dtype: str) -> Any:
    n = LINE_BYTES // np.dtype(dtype).itemsize
    turn_tile, turn_tile_past_cache = _tile(turn_square, n), _tile(turn_square_past_cache, n)

    @compiled
    def turn(piece: Any, turned: Any, x: Any, n_rows: Any, n_columns: Any, channels: Any, past_cache: Any) -> None:
        tile, pieces, zero, one = np.uintp(TILE), np.uintp(N_PIECES), np.uintp(0), np.uintp(1)
        longer = max(n_rows, n_columns)
        n_tiles = (longer + tile - one) // tile
        band = piece * n_tiles // pieces * tile, min((piece + one) * n_tiles // pieces * tile, longer)
        all_rows, all_columns = ((zero, n_rows), band) if n_columns == longer else (band, (zero, n_columns))
        sizes = n_rows, n_columns, channels
        for column in range(all_columns[0], all_columns[1], tile):
            columns = column, min(column + tile, all_columns[1])
            for row in range(all_rows[0], all_rows[1], tile):
                rows = row, min(row + tile, all_rows[1])
                if channels != one:
                    _turn_channels(turned, x, rows, columns, sizes)
                elif past_cache:
                    turn_tile_past_cache(turned, x, rows, columns, sizes)
                else:
                    turn_tile(turned, x, rows, columns, sizes)
        wait_for_stores()

    return turn


TURN = Loop("turn", "ffnnnn", _make_turn)
_turn_call = TURN.call


@in_both
def turned(x: Any) -> Any:
    """x (M, N, C) of any strides -> contiguous (N, M, C)."""
    m, n, channels = x.shape
    result = fresh(x.size, x.dtype)
    # pieces are bands of the longer axis; moving a number costs about as much as a dozen multiplications
    _turn_call((result, flat(x), m, n, channels, passes_cache(result, m)), N_PIECES, 12 * x.size)
    return result.reshape(n, m, channels)
