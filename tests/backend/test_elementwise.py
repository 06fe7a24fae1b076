"""Elementwise expressions in blocks against PyTensor's own computation, and the errors of single precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor
import pytensor.scalar as ps
import pytensor.tensor as pt
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from plans import PY
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.io import In

from graphnn_compiler.backend import elementwise
from graphnn_compiler.backend.activations import activate
from graphnn_compiler.backend.mode import BlockedElemwise, network_mode
from graphnn_compiler.topology.plan import Activation

LONG = 3 * elementwise.BLOCK_BYTES // 4 + 5  # float32: three blocks and a rest
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30, 1e-30, 60.0, -60.0, 0.3, -0.3])

UNARY: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(pt, name) for name in ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "sqrt")},
    **{name: getattr(pt, name) for name in ("sqr", "abs", "sign", "neg", "floor", "ceil", "round", "isnan", "isinf")},
    **{name: getattr(pt, name) for name in ("erf", "erfc", "reciprocal", "sin", "gammaln")},
    "square of a sum": lambda x: (x + x * 2 + 1) ** 2,
    "to integers": lambda x: pt.switch(pt.isnan(x) | pt.isinf(x) | (abs(x) > 1e9), 0, x).astype("int32"),
    "clip": lambda x: pt.clip(x, -0.5, 0.5),
}


def same(found: NDArray, wanted: NDArray, dtype: str) -> None:
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=1e-6 if dtype == "float32" else 1e-13, atol=0)


def blocked(function: Any) -> list[Any]:
    return [node for node in function.maker.fgraph.toposort() if isinstance(node.op, BlockedElemwise)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_number(name: str, dtype: str) -> None:
    x = pt.vector("x", dtype=dtype)
    points = np.concatenate([SPECIAL, np.random.default_rng(0).normal(0, 3, 40)]).astype(dtype)
    function = pytensor.function([x], UNARY[name](x), mode=network_mode())
    assert blocked(function)
    with np.errstate(all="ignore"):
        wanted = pytensor.function([x], UNARY[name](x), mode=PY)(points)
    same(function(points), wanted, dtype)


def test_operations_of_integers_and_booleans() -> None:
    i, j, k = pt.bvector("i"), pt.lvector("j"), pt.vector("k", dtype="bool")
    results = [
        i + i,
        i * j,
        i / j,
        j // 3,
        j % 3,
        j**2,
        i & j,
        i | 3,
        i ^ j,
        ~k,
        k & (i > 0),
        pt.eq(i, j),
        pt.neq(i, 3),
    ]
    results += [pt.maximum(i, j), pt.minimum(i, 2), pt.switch(k, i, j), i.astype("float32") / 3, abs(i), -j, k * 2.5]
    given = [np.arange(-5, 6, dtype=np.int8), np.arange(1, 12), np.arange(11) % 2 == 0]
    found = pytensor.function([i, j, k], results, mode=network_mode())(*given)
    for one, wanted in zip(found, pytensor.function([i, j, k], results, mode=PY)(*given), strict=True):
        assert one.dtype == wanted.dtype
        np.testing.assert_allclose(one, wanted, rtol=1e-7)


SHAPES = [
    ((LONG,), (LONG,)),
    ((LONG,), (1,)),
    ((300, 200), (1, 200)),
    ((300, 200), (300, 1)),
    ((3, 40_000, 2), (3, 1, 2)),
    ((2, 3, 20_000), (1, 1, 1)),
    ((1, 70_000), (2, 1)),
    ((0, 5), (1, 5)),
    ((), ()),
]


@pytest.mark.parametrize(("one", "other"), SHAPES)
def test_blocks_and_broadcasting(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.uniform(0.5, 2, shape).astype(np.float32) for shape in (one, other))
    x = pt.tensor("x", dtype="float32", shape=tuple(1 if n == 1 else None for n in one))
    y = pt.tensor("y", dtype="float32", shape=tuple(1 if n == 1 else None for n in other))
    expression = pt.switch(x > y, pt.exp(-x) * y, pt.log(y) / (x + 1)) + y * 3
    function = pytensor.function([x, y], [expression, expression * x], mode=network_mode())
    wanted = np.where(a > b, np.exp(-a) * b, np.log(b) / (a + 1)) + b * 3
    found = function(a, b)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1], wanted * a, rtol=1e-5, atol=1e-6)


def test_arrays_that_are_not_contiguous() -> None:
    a = np.random.default_rng(2).normal(size=(500, 300)).astype(np.float32)
    x, y = pt.fmatrix("x"), pt.fmatrix("y")
    function = pytensor.function([x, y], pt.tanh(x) * y - x, mode=network_mode())
    np.testing.assert_allclose(function(a.T, a.T[:, ::-1]), np.tanh(a.T) * a.T[:, ::-1] - a.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [7, LONG])
def test_an_input_that_is_overwritten_is_read_first(n: int) -> None:
    x, y = pt.fvector("x"), pt.fvector("y")
    a, b = np.linspace(-1, 1, n, dtype=np.float32), np.linspace(1, 2, n, dtype=np.float32)
    outputs = [x * y + x, pt.exp(x) - y]
    function = pytensor.function([In(x, mutable=True, borrow=True), y], outputs, mode=network_mode())
    assert any(node.op.destroy_map for node in blocked(function))
    wanted = a * b + a, np.exp(a) - b
    for found, one in zip(function(a.copy(), b), wanted, strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-6, atol=1e-6)


def test_lengths_that_were_not_declared_to_broadcast_are_refused() -> None:
    x, y = pt.fvector("x"), pt.fvector("y")
    function = pytensor.function([x, y], pt.exp(x) * y, mode=network_mode())
    with pytest.raises(ValueError, match="Runtime broadcasting not allowed"):
        function(np.ones(3, np.float32), np.ones(1, np.float32))
    with pytest.raises(ValueError, match="shape mismatch"):
        function(np.ones(3, np.float32), np.ones(2, np.float32))


OPERATIONS: list[Callable[[Any, Any], Any]] = [
    *(lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, lambda a, b: pt.switch(a > b, b, a * 2)),
    *(lambda a, b: pt.tanh(a), lambda a, b: pt.exp(-abs(a)) + b, lambda a, b: pt.maximum(a, b) * a),
    *(lambda a, b: pt.sigmoid(a * b), lambda a, b: a / (1 + b * b), lambda a, b: a.astype("float64")),
]


@given(
    choices=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12),
    n=st.sampled_from([1, 9, LONG // 2]),
)
def test_random_expressions(choices: list[tuple[int, int, int]], n: int) -> None:
    rng = np.random.default_rng(n)
    values: list[Any] = [pt.fvector("x"), pt.fvector("y"), pt.fscalar("s")]
    for operation, i, j in choices:
        values.append(OPERATIONS[operation](values[i % len(values)], values[j % len(values)]))
    given = [rng.normal(size=n).astype(np.float32), rng.normal(size=n).astype(np.float32), np.float32(0.7)]
    outputs = values[-1:] + values[3:4]
    found = pytensor.function(values[:3], outputs, mode=network_mode(), on_unused_input="ignore")(*given)
    wanted = pytensor.function(values[:3], outputs, mode=PY, on_unused_input="ignore")(*given)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------ single precision

STEP = 1009  # every so many of the 2^32 floats: 4.3 million, denormals, infinities and NaN among them
ERRORS: dict[str, tuple[Callable[[Any], Any], Callable[[NDArray], NDArray]]] = {
    "exp": (pt.exp, np.exp),
    "tanh": (pt.tanh, np.tanh),
    "sigmoid": (pt.sigmoid, scipy.special.expit),
    "softplus": (pt.softplus, lambda x: np.logaddexp(0, x)),
    "gelu": (lambda x: activate(Activation("gelu"), x), lambda x: x * scipy.special.ndtr(x)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_single_precision_is_within_four_units_in_the_last_place(name: str) -> None:
    expression, exact = ERRORS[name]
    x = pt.fvector("x")
    points = np.arange(0, 2**32, STEP).astype(np.uint32).view(np.float32)
    found = pytensor.function([x], expression(x), mode=network_mode())(points)
    with np.errstate(all="ignore"):
        wanted = exact(points.astype(np.float64))
        rounded = wanted.astype(np.float32)
        unit = np.spacing(np.minimum(abs(rounded), np.float32(1e38))).astype(np.float64)
        errors = abs(found - wanted) / unit
    errors[(found == rounded) | (np.isnan(found) & np.isnan(wanted))] = 0
    assert np.max(errors) <= 4


def test_graphs_in_graphs_are_computed_as_parts_of_the_whole() -> None:
    x = pt.fmatrix("x")
    inner = pt.fmatrix("inner")
    squared = OpFromGraph([inner], [OpFromGraph([inner], [inner * inner + 1])(inner) * 2])
    outputs = [squared(x), pt.special.softmax(x, axis=1), pt.einsum("ij,ij->i", x, x)]
    function = pytensor.function([x], outputs, mode=network_mode())
    assert not [node for node in function.maker.fgraph.toposort() if isinstance(node.op, OpFromGraph)]
    points = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    wanted = 2 * (points**2 + 1), scipy.special.softmax(points, axis=1), (points**2).sum(axis=1)
    for found, one in zip(function(points), wanted, strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-5)


def test_a_result_may_be_several_outputs() -> None:
    x = ps.float64("x")
    once = ps.exp(x) + 1
    expression = elementwise.Expression(ps.Composite([x], [once, ps.exp(x), once]), ["float64"])
    points = np.linspace(-1, 1, 5)
    found = expression([points], [None, None, None])
    wanted = [np.exp(points) + 1, np.exp(points), np.exp(points) + 1]
    for one, other in zip(found, wanted, strict=True):
        same(one, other, "float64")
