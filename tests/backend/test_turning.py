"""Turns between batch-first and node-major against NumPy's transposition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graphnn_compiler.backend.kernels import primitives
from graphnn_compiler.backend.kernels.primitives import N_PIECES, PARALLEL_FROM
from graphnn_compiler.backend.kernels.turning import TILE, turned

LENGTHS = st.integers(0, 3 * TILE + 1) | st.sampled_from([TILE, 4 * TILE, 1000])


@given(LENGTHS, LENGTHS, st.sampled_from([1, 1, 1, 3]), st.sampled_from([np.float32, np.float64]), st.booleans())
@example(TILE, 3 * TILE * N_PIECES, 1, np.float32, True)
@example(3 * TILE * N_PIECES, TILE, 1, np.float32, True)
@example(5, 3 * TILE * N_PIECES + 3, 2, np.float64, False)
def test_any_shape(m: int, n: int, channels: int, dtype: Any, past_cache: bool) -> None:
    x = np.arange(m * n * channels, dtype=dtype).reshape(m, n, channels)
    with pytest.MonkeyPatch.context() as patch:
        if past_cache:
            patch.setattr(primitives, "HELD_BY_CACHE", 0)
        result = turned(x)
    assert result.dtype == dtype
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, x.swapaxes(0, 1))


def test_an_array_that_is_not_contiguous() -> None:
    x = np.arange(4.0 * 40 * 50).reshape(40, 4, 50).transpose(0, 2, 1)[::2, 1:, ::2]
    np.testing.assert_array_equal(turned(x), x.swapaxes(0, 1))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("shape", [(48, 3001), (3001, 48), (300, 500)])
def test_on_one_and_two_threads(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal((*shape, 1)).astype(np.float32)
    assert 12 * x.size > PARALLEL_FROM
    np.testing.assert_array_equal(turned(x), x.swapaxes(0, 1))
