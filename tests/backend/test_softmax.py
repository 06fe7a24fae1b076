"""Softmax of single precision: its errors against long double, its derivatives, and what is not a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from plans import PY

from graphnn_compiler.backend.activations import CHANNELS, UNITS, activate
from graphnn_compiler.backend.mode import DirectSum, network_mode
from graphnn_compiler.backend.powers import power_of_difference
from graphnn_compiler.topology.plan import Activation

Function = Callable[..., Any]
AXES = {"units": UNITS, "channels": CHANNELS}


def node_major(name: str, dtype: str = "float32") -> Any:
    return pt.tensor(name, dtype=dtype, shape=(None, None, None))


def compiled(mode: Any) -> Function:
    """x -> its softmax over units and that over channels."""
    x = node_major("x")
    return pytensor.function(
        [x], [activate(Activation("softmax", axis), x) for axis in ("units", "channels")], mode=mode
    )


IN_BLOCKS = compiled(network_mode())


@pytest.fixture(scope="module")
def by_numba() -> Function:
    return compiled("NUMBA")


def exact(rows: NDArray) -> NDArray:
    wide = rows.astype(np.longdouble)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def largest_error(function: Function, rows: NDArray) -> float:
    """Over both axes, of (samples, classes), in units in the last place; that of a denormal is the smallest number."""
    over_units = function(np.ascontiguousarray(rows.T)[:, :, np.newaxis])[0][:, :, 0].T
    over_channels = function(rows[:, np.newaxis, :])[1][:, 0]
    wanted = exact(rows)
    unit = np.spacing(wanted.astype(np.float32))
    return max(float((abs(found - wanted) / unit).max()) for found in (over_units, over_channels))


def drawn(kind: str, seed: int, shape: tuple[int, int]) -> NDArray:
    rng = np.random.default_rng(seed)
    match kind:
        case "wide":
            rows = rng.uniform(-80, 80, shape)
        case "narrow":
            rows = rng.normal(0, 1, shape)
        case "ties":
            rows = rng.integers(-2, 3, shape) * 17.3
        case _:  # one huge
            rows = rng.normal(0, 3, shape)
            rows[:, -1] += 60
    return rows.astype(np.float32)


KINDS = ("wide", "narrow", "ties", "one huge")


@settings(max_examples=60)
@given(st.sampled_from(KINDS), st.integers(2, 10), st.integers(0, 10**6))
def test_few_classes_are_within_four_units_in_the_last_place(kind: str, n_classes: int, seed: int) -> None:
    assert largest_error(IN_BLOCKS, drawn(kind, seed, (400, n_classes))) <= 3.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n_samples", "n_classes"), [(30, 1_000), (2, 100_000)])
def test_many_classes_are_within_four_units_in_the_last_place(kind: str, n_samples: int, n_classes: int) -> None:
    assert largest_error(IN_BLOCKS, drawn(kind, 0, (n_samples, n_classes))) <= 3.5


@pytest.mark.parametrize("kind", KINDS)
def test_by_numba_too(by_numba: Function, kind: str) -> None:
    for shape in [(5_000, 3), (2_000, 10), (30, 1_000), (1, 100_000)]:
        assert largest_error(by_numba, drawn(kind, 1, shape)) <= 4


@pytest.mark.parametrize("mode", ["blocks", "numba"])
def test_what_is_not_finite(mode: str, by_numba: Function) -> None:
    function = IN_BLOCKS if mode == "blocks" else by_numba
    nan, inf = np.nan, np.inf
    rows = [[nan, 0, 1], [inf, 0, 1], [-inf, 0, 0], [-inf] * 3, [3e38, -3e38, 3e38], [1e-40, 0, -0.0]]
    wanted = np.array([[nan] * 3, [nan] * 3, [0, 0.5, 0.5], [nan] * 3, [0.5, 0, 0.5], [1 / 3] * 3], np.float32)
    x = np.array(rows, np.float32)
    over_units, over_channels = function(x.T[:, :, np.newaxis])[0][:, :, 0].T, function(x[:, np.newaxis, :])[1][:, 0]
    np.testing.assert_array_equal(over_units, wanted)
    np.testing.assert_array_equal(over_channels, wanted)


# ------------------------------------------------------------------ derivatives


def slope(rows: NDArray, weights: NDArray) -> NDArray:
    """The gradient of the sum of softmax(rows) * weights."""
    shares = exact(rows)
    return np.asarray(shares * (weights - (weights * shares).sum(axis=1, keepdims=True)))


@pytest.mark.parametrize("axis", ["units", "channels"])
def test_first_and_second_derivatives(axis: Any) -> None:
    x, by, along = node_major("x"), node_major("by"), node_major("along")
    first = pytensor.grad((activate(Activation("softmax", axis), x) * by).sum(), x)
    second = pytensor.grad((first * along).sum(), x)
    rng = np.random.default_rng(3)
    rows, weights, direction = (rng.normal(0, 2, (6, 5)).astype(np.float32) for _ in range(3))

    def placed(values: NDArray) -> NDArray:
        return values.T[:, :, np.newaxis] if axis == "units" else values[:, np.newaxis, :]

    function = pytensor.function([x, by, along], [first, second], mode=network_mode())
    found = function(placed(rows), placed(weights), placed(direction))
    step = 1e-6 * direction.astype(np.longdouble)
    curvature = (slope(rows + step, weights) - slope(rows - step, weights)) / 2e-6
    np.testing.assert_allclose(found[0], placed(slope(rows, weights)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1], placed(curvature), rtol=1e-5, atol=1e-6)


def test_the_gradient_is_right_by_finite_differences() -> None:
    rows, weights = np.random.default_rng(4).normal(size=(2, 3, 5))
    step = 1e-6
    for i, j in np.ndindex(rows.shape):
        moved = np.zeros_like(rows)
        moved[i, j] = step
        difference = ((exact(rows + moved) - exact(rows - moved)) * weights).sum() / (2 * step)
        assert float(difference) == pytest.approx(float(slope(rows, weights)[i, j]), rel=1e-7, abs=1e-10)


# ------------------------------------------------------------------ its parts


def test_the_power_of_a_difference_in_every_linker() -> None:
    x, m = pt.fvector("x"), pt.fvector("m")
    power = power_of_difference(x, m)
    slopes = pytensor.grad(power.sum(), [x, m])
    a, b = np.random.default_rng(5).uniform(-40, 40, (2, 1_000)).astype(np.float32)
    wanted = np.exp(a.astype(np.longdouble) - b).astype(np.float32)
    modes = [PY, network_mode(), *([pytensor.compile.mode.Mode("c", None)] if pytensor.config.cxx else [])]
    for mode in modes:
        found, by_x, by_m = pytensor.function([x, m], [power, *slopes], mode=mode)(a, b)
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, wanted, rtol=2**-23)
        np.testing.assert_array_equal(by_x, found)
        np.testing.assert_array_equal(by_m, -found)


@pytest.mark.parametrize("shape", [(7, 5), (40_000, 3), (3, 40_000), (0, 4)])
def test_sums_are_taken_in_double_precision_without_a_copy(shape: tuple[int, int]) -> None:
    x = pt.fmatrix("x")
    function = pytensor.function([x], [x.sum(axis=0), x.sum(axis=1, keepdims=True), x.sum()], mode=network_mode())
    made = [node for node in function.maker.fgraph.toposort() if isinstance(node.op, DirectSum)]
    assert len(made) == 2
    points = np.random.default_rng(6).normal(1e4, 1, shape).astype(np.float32)
    wide = points.astype(np.float64)
    for found, wanted in zip(function(points), (wide.sum(0), wide.sum(1, keepdims=True), wide.sum()), strict=True):
        assert found.dtype == "float32"
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=2**-23)
