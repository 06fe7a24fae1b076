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

from graphnn_compiler.backend import arrays32, float32

STEP = 1009  # every so many of the 2^32 floats: 4.3 million, denormals, infinities and NaN among them


def silu(x: NDArray) -> NDArray:
    return np.where(x < -745, -0.0, x * scipy.special.expit(x))


def gelu(x: NDArray) -> NDArray:
    return np.where(x < -40, -0.0, x * scipy.special.ndtr(x))


def gelu_slope(x: NDArray) -> NDArray:
    size = np.minimum(np.abs(x), 40)
    return scipy.special.ndtr(x) + np.copysign(size, x) * np.exp(-(size**2) / 2) / math.sqrt(2 * math.pi)


def softplus(x: NDArray) -> NDArray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def elu(x: NDArray) -> NDArray:
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


EXACT: dict[str, tuple[Any, Callable[[NDArray], NDArray], float]] = {
    "exp": (float32.exp32, np.exp, 1.1),
    "expm1": (float32.expm1_32, np.expm1, 1.7),
    "elu": (float32.elu32, elu, 1.7),
    "tanh": (float32.tanh32, np.tanh, 2.5),
    "sigmoid": (float32.sigmoid32, scipy.special.expit, 2.2),
    "silu": (float32.silu32, silu, 3),
    "softplus": (float32.softplus32, softplus, 3.5),
    "erfc": (float32.erfc32, scipy.special.erfc, 4),
    "normal_cdf": (float32.normal_cdf32, scipy.special.ndtr, 4),
    "gelu": (float32.gelu32, gelu, 4),
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


@given(st.floats(width=32, allow_nan=False))
def test_tanh_is_odd_and_bounded(x: float) -> None:
    assert float32.tanh32(np.float32(-x)) == -float32.tanh32(np.float32(x))
    assert abs(float32.tanh32(np.float32(x))) <= 1


def test_the_slope_of_gelu() -> None:
    """Its error is absolute: the slope has a zero at -0.75, near which no relative error can be small."""
    x = np.arange(0, 2**32, STEP).astype(np.uint32).view(np.float32)
    x = x[~np.isnan(x)]
    with np.errstate(under="ignore"):
        wanted = gelu_slope(x.astype(np.float64))
    found = over(float32.gelu_slope32, x)
    assert np.abs(found - wanted).max() < 2e-7


# ------------------------------------------------------------------ arrays

SHAPES = [(1, 10, 64), (3, 5, 7), (1, 3000, 1), (100, 7, 1), (9, 63, 1), (9, 64, 1), (8, 4, 1), (70, 1, 1)]
SHAPES += [(2, 0, 3), (0, 3, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [0.1, 10, 60])
def test_softmax(shape: tuple[int, int, int], scale: float) -> None:
    x = np.random.default_rng(0).normal(0, scale, shape).astype(np.float32)
    found = arrays32.softmax(x)
    assert found.shape == shape
    if x.size:
        assert errors(found, scipy.special.softmax(x.astype(np.float64), axis=1)).max() <= 4


@pytest.mark.parametrize("axis", range(3))
def test_softmax_along_every_axis_of_a_strided_array(axis: int) -> None:
    x = np.random.default_rng(0).normal(0, 3, (5, 12, 7)).astype(np.float32).transpose(2, 0, 1)[::-1, :, ::2]
    exact = scipy.special.softmax(x.astype(np.float64), axis=axis)
    assert errors(arrays32.softmax_along(axis)(x), exact).max() <= 4


@pytest.mark.parametrize("n_columns", [3, 70])
@pytest.mark.parametrize("in_rows", [True, False])
def test_softmax_of_lines_without_a_value(n_columns: int, in_rows: bool) -> None:
    x = np.random.default_rng(0).normal(size=(10, n_columns)).astype(np.float32)
    x[0, 1] = np.nan
    x[1, 2] = np.inf
    x[2] = -np.inf
    x[3, 0] = -np.inf
    found = arrays32.softmax(x[:, :, None])[:, :, 0] if in_rows else arrays32.softmax(x.T[None].copy())[0].T
    assert np.isnan(found[:3]).all()
    assert found[3, 0] == 0
    np.testing.assert_allclose(found[3:], scipy.special.softmax(x[3:].astype(np.float64), axis=1), rtol=1e-6)


STRIDED = {
    "vector": np.arange(20.0)[::3],
    "matrix": np.arange(40 * 33, dtype=np.float32).reshape(40, 33).T,
    "columns": np.arange(40 * 33, dtype=np.float32).reshape(40, 33, 1).transpose(1, 0, 2),
    "planes": np.arange(5 * 17 * 18).reshape(5, 17, 18).transpose(2, 0, 1),
    "reversed": np.arange(6.0).reshape(2, 3)[::-1],
    "broadcast": np.broadcast_to(np.arange(3.0), (4, 3)),
    "four axes": np.arange(24.0).reshape(1, 2, 3, 4).transpose(3, 1, 0, 2),
    "empty": np.zeros((3, 0, 2)).transpose(2, 0, 1),
}


@pytest.mark.parametrize("name", STRIDED)
def test_strided_arrays_are_copied_to_rows(name: str) -> None:
    found = arrays32.compiled_row_major(STRIDED[name])
    np.testing.assert_array_equal(found, STRIDED[name])
    assert found.flags.c_contiguous


def test_arrays_in_rows_are_not_copied() -> None:
    @numba.njit
    def of_slice(x: NDArray) -> NDArray:
        return arrays32.row_major(x[1:3, ::1])  # a slice whose layout is not known before it runs

    x = np.arange(20.0).reshape(5, 4)
    found = of_slice(x)
    assert np.shares_memory(found, x)
    np.testing.assert_array_equal(found, x[1:3])
