"""The float32 functions and loops against float64 SciPy, over all exponents and at the edges."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphnn_compiler.backend import float32

STEP = 1009  # every so many of the 2^32 floats: 4.3 million, denormals, infinities and NaN among them


EXACT: dict[str, tuple[Any, Callable[[NDArray], NDArray], float]] = {
    "exp": (float32.exp32, np.exp, 1.1),
    "tanh": (float32.tanh32, np.tanh, 2.5),
    "sigmoid": (float32.sigmoid32, scipy.special.expit, 2.5),
}
EVERY_FUNCTION = pytest.mark.parametrize("name", EXACT)


def over(function: Any, x: NDArray, fastmath: Any = False) -> NDArray:
    """The function of every element, in a loop compiled with the given flags."""

    @numba.njit(error_model="numpy", fastmath=fastmath)
    def loop(x: NDArray, y: NDArray) -> None:
        for i in range(x.size):
            y[i] = function(x[i])

    y = np.empty_like(x)
    loop(x, y)
    return y


def errors(found: NDArray, exact: NDArray) -> NDArray:
    """Errors in ulp of the exact result; 0 where both are NaN or round to the same."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = exact.astype(np.float32)
    largest = np.nextafter(np.finfo(np.float32).max, np.float32(0))  # whose spacing is finite, and the same
    ulp = np.spacing(np.minimum(np.abs(rounded), largest)).astype(np.float64)
    with np.errstate(invalid="ignore"):
        distance = np.abs(found.astype(np.float64) - exact) / ulp
    return np.where((found == rounded) | (np.isnan(found) & np.isnan(exact)), 0, distance)


@EVERY_FUNCTION
def test_errors_are_within_the_bounds(name: str) -> None:
    function, exact, bound = EXACT[name]
    x = np.arange(0, 2**32, STEP).astype(np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        wanted = exact(x.astype(np.float64))
    found = errors(over(function, x), wanted)
    assert not np.isnan(found).any()
    assert found.max() <= bound, (found.max(), x[found.argmax()])


@EVERY_FUNCTION
def test_the_flags_of_the_caller_change_nothing(name: str) -> None:
    x = np.random.default_rng(0).normal(0, 20, 10_007).astype(np.float32)
    plain = over(EXACT[name][0], x)
    for fastmath in (True, {"contract", "reassoc", "nsz"}):
        np.testing.assert_array_equal(over(EXACT[name][0], x, fastmath).view(np.int32), plain.view(np.int32))


@EVERY_FUNCTION
def test_loops_run_in_vector_lanes(name: str) -> None:
    """A loop of the function holds a vector of floats or more in the compiler's own intermediate form."""
    function = EXACT[name][0]

    @numba.njit("void(float32[::1], float32[::1])", error_model="numpy")
    def loop(x: NDArray, y: NDArray) -> None:
        for i in range(x.size):
            y[i] = function(x[i])

    (text,) = loop.inspect_llvm().values()
    assert " x float>" in text


INFINITE, TINY = math.inf, 1e-45
EDGES: dict[str, list[tuple[float, float]]] = {
    "exp": [(-INFINITE, 0.0), (INFINITE, INFINITE), (0.0, 1.0), (-0.0, 1.0), (88.8, INFINITE), (-104.0, 0.0)],
    "expm1": [(-INFINITE, -1.0), (INFINITE, INFINITE), (-0.0, -0.0), (0.0, 0.0), (TINY, TINY), (-TINY, -TINY)],
    "elu": [(-INFINITE, -1.0), (INFINITE, INFINITE), (-0.0, -0.0), (0.0, 0.0), (-TINY, -TINY)],
    "tanh": [(-INFINITE, -1.0), (INFINITE, 1.0), (-0.0, -0.0), (0.0, 0.0), (TINY, TINY), (-TINY, -TINY), (9.1, 1.0)],
    "sigmoid": [(-INFINITE, 0.0), (INFINITE, 1.0), (0.0, 0.5), (-0.0, 0.5)],
    "silu": [(-INFINITE, -0.0), (INFINITE, INFINITE), (-0.0, -0.0), (0.0, 0.0)],
    "softplus": [(-INFINITE, 0.0), (INFINITE, INFINITE)],
    "erfc": [(-INFINITE, 2.0), (INFINITE, 0.0), (0.0, 1.0), (-0.0, 1.0)],
    "normal_cdf": [(-INFINITE, 0.0), (INFINITE, 1.0), (0.0, 0.5), (-0.0, 0.5)],
    "gelu": [(-INFINITE, -0.0), (INFINITE, INFINITE), (-0.0, -0.0), (0.0, 0.0)],
}


@EVERY_FUNCTION
def test_edges(name: str) -> None:
    x, wanted = np.array(EDGES[name], dtype=np.float32).T
    found = over(EXACT[name][0], np.ascontiguousarray(x))
    np.testing.assert_array_equal(found, wanted)
    if name != "gelu":  # whose limit at -inf comes out as +0
        np.testing.assert_array_equal(np.signbit(found), np.signbit(wanted))
    assert np.isnan(over(EXACT[name][0], np.array([np.nan], dtype=np.float32))).all()


_tanh = numba.njit(lambda x: float32.tanh32(x))


@given(st.floats(width=32, allow_nan=False))
def test_tanh_is_odd_and_bounded(x: float) -> None:
    assert _tanh(np.float32(-x)) == -_tanh(np.float32(x))
    assert abs(_tanh(np.float32(x))) <= 1


# ------------------------------------------------------------------ arrays
