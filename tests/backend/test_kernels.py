"""Every path of the kernels against sums edge by edge in float64, and against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numba
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_cases import Edges, activated, draw_edges, edges_of, slope
from numpy.typing import NDArray
from pytensor.compile.mode import Mode
from pytensor.gradient import verify_grad

from graphnn_compiler.backend import csr_dot
from graphnn_compiler.backend.csr_dot import EdgeDot, EdgeGradients, EdgeOuter, aggregate, edge_dot
from graphnn_compiler.backend.kernels import blocks, numbers, primitives, windows
from graphnn_compiler.backend.kernels import number_gradients as backward
from graphnn_compiler.backend.kernels.activations import FUSED
from graphnn_compiler.backend.kernels.lanes import LINE_BYTES
from graphnn_compiler.backend.kernels.primitives import (
    HELD_BY_CACHE,
    N_PIECES,
    PARALLEL_FROM,
    fresh,
    passes_cache,
    pays_in_parallel,
)
from graphnn_compiler.backend.kernels.slopes import slopes_of, sums_over_batch
from graphnn_compiler.backend.kernels.windows import (
    ANY_COLUMNS,
    SORTED_BELOW,
    SORTED_TOGETHER,
    WINDOW,
    walks_by_degree,
)
from graphnn_compiler.backend.slopes import BatchSum, Slopes
from graphnn_compiler.backend.structure import chunk_bounds, row_order

PYTHON = Mode(linker="py", optimizer=None)
REWRITTEN = Mode(linker="py", optimizer="fast_run")
WIDTHS = (0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 20, 31, 32, 33, 63, 64, 65, 80, 85, 149)
TYPES = [(np.float32, np.int32), (np.float64, np.int32), (np.float64, np.int64)]
SHAPES = [(0, 0), (0, 3), (3, 0), (1, 1), (1, 40), (40, 1), (6, 5)]


def values(rng: np.random.Generator, dtype: Any, *shape: int) -> NDArray:
    return rng.standard_normal(shape).astype(dtype)


def assert_close(value: NDArray, right: NDArray, dtype: Any) -> None:
    assert value.dtype == dtype
    tolerance = 3e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(value, right, rtol=tolerance, atol=tolerance)


def number_gradients(edges: Edges, weights: NDArray, x: NDArray, gy: NDArray) -> Any:
    kernel = backward.number_gradients if edges.structure.groups is None else backward.shared_number_gradients
    return kernel(weights, x, gy, *edges.arrays(x.dtype), *edges.arrays(x.dtype, transposed=True))


def check_numbers(edges: Edges, width: int, dtype: Any, *, weighted: bool, biased: bool) -> None:
    """Forward, backward and along the transpose, over a number of columns that are divided into batch and channels."""
    rng = np.random.default_rng(width)
    channels = 5 if width and width % 5 == 0 else 1
    (targets, sources), batch = edges.shape, width // channels
    x, gy = values(rng, dtype, sources, batch, channels), values(rng, dtype, targets, batch, channels)
    weights = values(rng, dtype, edges.structure.n_groups) if weighted else None
    bias = values(rng, dtype, targets) if biased else None
    dot, forward = numbers.number_dot("linear"), edges.arrays(dtype)
    assert_close(dot(weights, bias, x, *forward), edges.dot(weights, bias, x), dtype)
    if weights is None:
        gx = dot(None, None, gy, *edges.arrays(dtype, transposed=True))
        assert_close(gx, edges.by_x(None, gy), dtype)
        return
    by_weights, by_x = edges.by_weights(x, gy, 1), edges.by_x(weights, gy)
    sums, gx = number_gradients(edges, weights, x, gy)
    assert_close(sums, by_weights, dtype)
    assert_close(gx, by_x, dtype)
    assert_close(dot(weights, None, gy, *edges.arrays(dtype, transposed=True)), by_x, dtype)
    outer = backward.number_outer(x, gy, *forward, np.array(edges.structure.n_groups))
    assert_close(outer, by_weights, dtype)


def test_the_widths_take_every_tile_with_every_remainder() -> None:
    """What the list of widths is for: a width that changes a tile or the threshold changes the list."""
    assert {SORTED_BELOW - 1, SORTED_BELOW, SORTED_BELOW + 1} <= set(WIDTHS)
    taken = set()
    for width in WIDTHS:
        rest = width
        for tile in ANY_COLUMNS:
            taken.add((tile, min(rest // tile, 2)))
            rest %= tile
    largest, *others = ANY_COLUMNS
    assert taken == {(largest, n) for n in (0, 1, 2)} | {(tile, n) for tile in others for n in (0, 1)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("biased", [False, True])
def test_results_that_go_past_the_caches(monkeypatch: pytest.MonkeyPatch, dtype: Any, biased: bool) -> None:
    """Whatever their size here; a width that fills no whole lines takes the ordinary path beside them."""
    monkeypatch.setattr(primitives, "HELD_BY_CACHE", 0)
    edges = draw_edges(20, coefficients=biased, n_groups=3 if biased else None)
    for width in (1, 16, 17, 32, 48, 64, 80, 96, 112, 128, 144):
        assert passes_cache(np.empty(width, dtype), width) == (width % 16 == 0)
        check_numbers(edges, width, dtype, weighted=True, biased=biased)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("grouped", [False, True])
def test_narrow_rows_out_of_arrays_that_no_cache_holds(
    monkeypatch: pytest.MonkeyPatch, dtype: Any, grouped: bool
) -> None:
    """Whatever their size here: rows are walked as they stand, and fetched ahead."""
    edges = draw_edges(21, coefficients=grouped, n_groups=3 if grouped else None)
    assert walks_by_degree(0, SORTED_BELOW - 1) == 1
    assert walks_by_degree(0, SORTED_BELOW) == 0
    monkeypatch.setattr(windows, "HELD_BY_CACHE", 0)
    assert walks_by_degree(0, 1) == 0
    for width in range(SORTED_BELOW):
        check_numbers(edges, width, dtype, weighted=True, biased=grouped)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fresh_arrays_begin_with_a_cache_line(dtype: Any) -> None:
    arrays = [fresh(size, dtype) for size in (0, 1, 7, 1000, 10**6)]
    assert [array.size for array in arrays] == [0, 1, 7, 1000, 10**6]
    assert {array.ctypes.data % LINE_BYTES for array in arrays if array.size} == {0}
    assert all(array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable for array in arrays)


def test_only_large_results_go_past_the_caches() -> None:
    rows = HELD_BY_CACHE // (4 * 64)
    assert passes_cache(np.empty((rows, 64), np.float32), 64) == 1
    assert passes_cache(np.empty((rows - 1, 64), np.float32), 64) == 0


KINDS = [  # of edges: with weights, with a bias, with coefficients, groups
    (True, False, False, None),
    (True, True, True, None),
    (True, False, True, 3),
    (True, True, False, 2),
    (False, True, True, None),
    (False, False, False, None),
]


@pytest.mark.parametrize(
    ("dtype", "index_dtype", "weighted", "biased", "coefficients", "n_groups"),
    [(*types, *kind) for types in TYPES for kind in (KINDS if types[1] == np.int32 else KINDS[1:3])],
)
def test_every_width(
    dtype: Any, index_dtype: Any, weighted: bool, biased: bool, coefficients: bool, n_groups: int | None
) -> None:
    edges = draw_edges(1, coefficients=coefficients, n_groups=n_groups, index_dtype=index_dtype)
    assert edges.structure.csr.in_degree.min() == 0
    assert edges.structure.csr.out_degree.min() == 0
    for width in WIDTHS:
        check_numbers(edges, width, dtype, weighted=weighted, biased=biased)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", [0.0, 1.0])
def test_numbers_of_few_units_or_no_edges(shape: tuple[int, int], density: float) -> None:
    everything = np.nonzero(np.full(shape, density > 0))
    edges = edges_of(*everything, shape, np.random.default_rng(2), True, 2)
    for width in (0, 1, 3, SORTED_BELOW - 1, SORTED_BELOW, 65):
        check_numbers(edges, width, np.float64, weighted=True, biased=True)


# ------------------------------------------------------------------ blocks and diagonals


def check_blocks(edges: Edges, batch: int, channels: tuple[int, ...], dtype: Any) -> None:
    """One number of channels makes diagonals, two make blocks."""
    rng = np.random.default_rng(3)
    diagonal = len(channels) == 1
    dot, outer = (blocks.diagonal_dot, blocks.diagonal_outer) if diagonal else (blocks.block_dot, blocks.block_outer)
    weights = values(rng, dtype, edges.structure.n_groups, *channels)
    x = values(rng, dtype, edges.shape[1], batch, channels[0])
    gy = values(rng, dtype, edges.shape[0], batch, channels[-1])
    assert_close(dot(weights, None, x, *edges.arrays(dtype)), edges.dot(weights, None, x), dtype)
    turned = weights if diagonal else weights.transpose(0, 2, 1).copy()
    gx = dot(turned, None, gy, *edges.arrays(dtype, transposed=True))
    assert_close(gx, edges.by_x(weights, gy), dtype)
    sums = outer(x, gy, *edges.arrays(dtype), np.array(edges.structure.n_groups))
    assert_close(sums, edges.by_weights(x, gy, 1 + len(channels)), dtype)


@pytest.mark.parametrize(
    ("dtype", "index_dtype", "coefficients", "n_groups"),
    [(np.float32, np.int32, True, 3), (np.float64, np.int32, False, None), (np.float64, np.int64, True, 3)],
)
def test_blocks_and_diagonals(dtype: Any, index_dtype: Any, coefficients: bool, n_groups: int | None) -> None:
    edges = draw_edges(4, (9, 8), coefficients=coefficients, n_groups=n_groups, index_dtype=index_dtype)
    for batch in (0, 1, 2, 17):
        for channels in ((1,), (5,), (16,), (1, 1), (1, 4), (4, 1), (3, 17)):
            check_blocks(edges, batch, channels, dtype)


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_and_diagonals_of_few_units_or_no_edges(shape: tuple[int, int]) -> None:
    for density in (False, True):
        edges = edges_of(*np.nonzero(np.full(shape, density)), shape, np.random.default_rng(5), True, 2)
        for channels in ((2,), (2, 3)):
            check_blocks(edges, 2, channels, np.float64)


# ------------------------------------------------------------------ how arguments lie in memory


def layouts(array: NDArray) -> Iterator[NDArray]:
    """The same numbers, strided in several ways, the last not to be written to."""
    yield np.asfortranarray(array)
    yield np.repeat(array, 2, axis=0)[::2]
    yield array[::-1].copy()[::-1]
    if array.ndim == 3:
        yield array.transpose(1, 0, 2).copy().transpose(1, 0, 2)
    locked = array.copy()
    locked.flags.writeable = False
    yield locked


@pytest.mark.parametrize("channels", [(), (2,), (2, 3)])
def test_inputs_that_are_not_contiguous_give_the_same_bits(channels: tuple[int, ...]) -> None:
    edges = draw_edges(6, coefficients=True, n_groups=3)
    rng = np.random.default_rng(6)
    weights, bias = values(rng, np.float64, 3, *channels), values(rng, np.float64, edges.shape[0])
    c_in, c_out = (channels[0], channels[-1]) if channels else (1, 1)
    x, gy = values(rng, np.float64, edges.shape[1], 5, c_in), values(rng, np.float64, edges.shape[0], 5, c_out)
    fused = {"bias": bias, "activation": "tanh"} if not channels else {}
    w_, x_, gy_ = pt.tensor(dtype="float64", shape=(None,) * weights.ndim), pt.dtensor3(), pt.dtensor3()
    y_ = edge_dot(w_, x_, edges.structure, **fused)
    gradients = pytensor.grad(None, [w_, x_], known_grads={y_: gy_})
    f = pytensor.function([w_, x_, gy_], [y_, *gradients], mode=PYTHON)
    right = f(weights, x, gy)
    for w, a, b in zip(layouts(weights), layouts(x), layouts(gy), strict=False):
        for value, expected in zip(f(w, a, b), right, strict=True):
            np.testing.assert_array_equal(value, expected)


def test_arguments_are_not_written_to() -> None:
    edges = draw_edges(7, n_groups=3)
    rng = np.random.default_rng(7)
    arguments = values(rng, np.float64, 3), values(rng, np.float64, 19, 40, 1), values(rng, np.float64, 23, 40, 1)
    copies = [one.copy() for one in arguments]
    number_gradients(edges, *arguments)
    numbers.number_dot("relu")(arguments[0], None, arguments[1], *edges.arrays(np.float64))
    slopes_of("relu")(arguments[2], arguments[2])
    for one, copy in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(one, copy)


# ------------------------------------------------------------------ fused bias and activation

SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300, 1e-30, 50.0, -50.0, 0.3, -0.3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", FUSED)
def test_fused_activations_of_all_kinds_of_numbers(activation: str, dtype: Any) -> None:
    """Special numbers as bias of empty rows and along edges; each stays in its own row and column."""
    n = len(SPECIAL)
    special = np.where(np.abs(SPECIAL) == 1e300, np.sign(SPECIAL) * 1e38, SPECIAL) if dtype == np.float32 else SPECIAL
    special = special.astype(dtype)
    rows = np.arange(n, 2 * n)  # the first n rows are empty
    edges = edges_of(rows, np.arange(n), (2 * n, n), np.random.default_rng(8))
    bias = np.concatenate([special, np.zeros(n, dtype)])
    for width in (1, 3, 21, 33, 70):
        x = np.full((n, width, 1), dtype(0.25))
        x[:, width // 2, 0] = special
        weights = np.ones(n, dtype)
        y = numbers.number_dot(activation)(weights, bias, x, *edges.arrays(dtype))
        z = np.zeros((2 * n, width, 1), dtype)
        z[:n], z[n:] = special[:, None, None], x
        assert_close(y, activated(activation, z.astype(float)), dtype)
        gy = np.random.default_rng(width).standard_normal(z.shape).astype(dtype)
        gz = slope(activation, z.astype(float)) * gy
        if activation != "linear":
            value, sums = slopes_of(activation)(y, gy)
            assert_close(value, gz, dtype)
            assert_close(sums, gz.sum(axis=(1, 2)), dtype)
        assert_close(sums_over_batch(gy), gy.sum(axis=(1, 2), dtype=float), dtype)


@pytest.mark.parametrize("activation", FUSED)
def test_slopes_let_through_what_is_no_number(activation: str) -> None:
    y, gy = np.full((4, 3, 1), 0.5), np.ones((4, 3, 1))
    gy[:3, 1, 0] = np.nan, np.inf, -np.inf
    z = {"linear": 0.5, "tanh": np.arctanh(0.5), "sigmoid": 0.0}.get(activation, 0.5)
    expected = slope(activation, np.full(y.shape, z)) * gy
    sums = expected.sum(axis=(1, 2))
    if activation == "linear":
        np.testing.assert_allclose(sums_over_batch(gy), sums)
        return
    for value, right in zip(slopes_of(activation)(y, gy), (expected, sums), strict=True):
        np.testing.assert_allclose(value, right)


@pytest.mark.parametrize("n_rows", [0, 1, N_PIECES - 1, N_PIECES, 3 * N_PIECES + 5])
@pytest.mark.parametrize("width", [0, 1, 7, 9000])
def test_slopes_and_sums_of_any_size(n_rows: int, width: int) -> None:
    rng = np.random.default_rng(9)
    gy, z = values(rng, np.float64, n_rows, width, 1), values(rng, np.float64, n_rows, width, 1)
    assert_close(sums_over_batch(gy), gy.sum(axis=(1, 2)), np.float64)
    gz, sums = slopes_of("tanh")(np.tanh(z), gy)
    expected = (1 - np.tanh(z) ** 2) * gy
    assert_close(gz, expected, np.float64)
    assert_close(sums, expected.sum(axis=(1, 2)), np.float64)


def test_a_value_and_its_gradient_of_two_shapes_are_refused() -> None:
    edges = draw_edges(10)
    with pytest.raises(ValueError, match="differ in shape"):
        slopes_of("tanh")(np.ones((2, 3, 1)), np.ones((2, 4, 1)))
    weights, x, gy = np.ones(edges.structure.n_groups), np.ones((19, 2, 1)), np.ones((23, 3, 1))
    with pytest.raises(ValueError, match="differ in batch or channels"):
        number_gradients(edges, weights, x, gy)
    with pytest.raises(ValueError, match="differ in batch or channels"):
        backward.number_outer(x, gy, *edges.arrays(np.float64), np.array(edges.structure.n_groups))


# ------------------------------------------------------------------ gradients of every Op


def joined(parts: Any) -> Any:
    return pt.concatenate([part.flatten() for part in parts])


def check_first_and_second_derivatives(function: Callable[..., Any], points: list[NDArray]) -> None:
    """Of the sum of squares too, so that second derivatives of a linear function are no zeros."""

    def gradients(*variables: Any) -> Any:
        return joined(pytensor.grad((function(*variables) ** 2).sum(), list(variables)))

    for one in (function, gradients):
        verify_grad(one, points, rng=np.random.default_rng(0), mode=PYTHON)


@pytest.fixture
def small() -> Edges:
    return draw_edges(11, (4, 5), 0.4, coefficients=True, n_groups=3)


@pytest.mark.parametrize("which", ["both", "by weights", "by x"])
@pytest.mark.parametrize(("width", "n_groups"), [(1, 3), (2, None), (5, 3)])
def test_derivatives_of_both_gradients(which: str, width: int, n_groups: int | None) -> None:
    edges = draw_edges(11, (4, 5), 0.4, coefficients=True, n_groups=n_groups)
    rng = np.random.default_rng(11)
    weights, x, gy = (values(rng, float, *s) for s in ((edges.structure.n_groups,), (5, width, 1), (4, width, 1)))

    def both(w_: Any, x_: Any, gy_: Any) -> Any:
        return csr_dot._gradients(w_, x_, gy_, edges.structure)

    match which:
        case "both":
            check_first_and_second_derivatives(lambda w_, x_, gy_: joined(both(w_, x_, gy_)), [weights, x, gy])
        case "by weights":
            check_first_and_second_derivatives(lambda x_, gy_: both(pt.constant(weights), x_, gy_)[0], [x, gy])
        case _:
            check_first_and_second_derivatives(lambda w_, gy_: both(w_, pt.constant(x), gy_)[1], [weights, gy])


@pytest.mark.parametrize("form", ["numbers", "diagonals", "blocks"])
def test_derivatives_of_outer_sums_and_transposed_dots(form: Any, small: Edges) -> None:
    rng = np.random.default_rng(12)
    c_in, c_out = {"numbers": (1, 1), "diagonals": (2, 2), "blocks": (2, 3)}[form]
    x, gy = values(rng, float, 5, 2, c_in), values(rng, float, 4, 2, c_out)
    weights = values(rng, float, 3, *{"numbers": (), "diagonals": (c_in,), "blocks": (c_out, c_in)}[form])
    check_first_and_second_derivatives(lambda x_, gy_: csr_dot._outer(x_, gy_, small.structure, form), [x, gy])
    check_first_and_second_derivatives(
        lambda w_, gy_: csr_dot._dot(w_, gy_, small.structure, transposed=True), [weights, gy]
    )


@pytest.mark.parametrize("activation", FUSED)
def test_derivatives_of_fused_dots(activation: str, small: Edges) -> None:
    rng = np.random.default_rng(13)
    weights, bias, x = values(rng, float, 3), values(rng, float, 4), values(rng, float, 5, 3, 1)
    assert np.abs(small.dot(weights, bias, x)).min() > 1e-3  # no kink within a step
    check_first_and_second_derivatives(
        lambda w_, b_, x_: edge_dot(w_, x_, small.structure, b_, activation), [weights, bias, x]
    )
    check_first_and_second_derivatives(lambda b_, x_: aggregate(x_, small.structure, b_, activation), [bias, x])


@pytest.mark.parametrize("used", [slice(0, 1), slice(1, 2), slice(0, 2)], ids=["gradient", "sums", "both"])
@pytest.mark.parametrize("activation", FUSED[1:])
def test_derivatives_of_slopes(activation: str, used: slice) -> None:
    rng = np.random.default_rng(14)
    y, gy = rng.uniform(0.2, 0.9, (3, 2, 1)) * rng.choice([-1, 1], (3, 2, 1)), values(rng, float, 3, 2, 1)
    check_first_and_second_derivatives(lambda y_, gy_: joined(Slopes(activation)(y_, gy_)[used]), [y, gy])


def test_derivatives_of_sums_over_the_batch() -> None:
    check_first_and_second_derivatives(lambda gy_: BatchSum()(gy_), [values(np.random.default_rng(15), float, 3, 4, 2)])


@pytest.mark.parametrize("n_groups", [None, 3])
def test_only_the_gradient_that_is_used(n_groups: int | None) -> None:
    edges = draw_edges(16, n_groups=n_groups, coefficients=True)
    rng = np.random.default_rng(16)
    weights, x, gy = (values(rng, float, *s) for s in ((edges.structure.n_groups,), (19, 6, 1), (23, 6, 1)))
    w_, x_, gy_ = pt.dvector(), pt.dtensor3(), pt.dtensor3()
    y_ = edge_dot(w_, x_, edges.structure)
    g_weights, gx = pytensor.grad(None, [w_, x_], known_grads={y_: gy_})
    right = edges.by_weights(x, gy, 1), edges.by_x(weights, gy)
    for outputs, expected, left in (
        ([g_weights, gx], right, EdgeGradients),
        ([g_weights], right[:1], EdgeOuter),
        ([gx], right[1:], EdgeDot),
    ):
        f = pytensor.function([w_, x_, gy_], outputs, mode=REWRITTEN, on_unused_input="ignore")
        ours = [n.op for n in f.maker.fgraph.apply_nodes if isinstance(n.op, EdgeGradients | EdgeOuter | EdgeDot)]
        assert [type(op) for op in ours] == [left]
        assert left is not EdgeDot or ours[0].transposed
        for value, one in zip(f(weights, x, gy), expected, strict=True):
            assert_close(value, one, np.float64)


# ------------------------------------------------------------------ threads


@pytest.fixture(scope="module")
def large() -> Edges:
    """600,000 edges between 200,000 and 150,000 units, many of them without edges: chunks of several windows."""
    rng = np.random.default_rng(17)
    shape = 200_000, 150_000
    pairs = np.unique(rng.integers(0, shape[0] * shape[1], 600_000))
    edges = edges_of(pairs // shape[1], pairs % shape[1], shape, rng, True, 1000)
    for csr in (edges.structure.csr, edges.structure.csr.transpose):
        bounds = chunk_bounds(csr.indptr)
        assert len(bounds) - 1 == N_PIECES
        assert np.diff(bounds).max() > WINDOW
        assert csr.in_degree.min() == 0
    return edges


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread only")
@pytest.mark.parametrize(("width", "n_groups"), [(1, None), (5, 1000), (SORTED_BELOW + 1, None)])
def test_one_and_two_threads_give_the_same_bits(width: int, n_groups: int | None, large: Edges) -> None:
    edges = large if n_groups else edges_of(large.rows, large.columns, large.shape, np.random.default_rng(18))
    if width > SORTED_BELOW:  # chunks of no windows, so few rows will do
        edges = draw_edges(18, (400, 300), 0.2, coefficients=True)
    rng = np.random.default_rng(18)
    weights = values(rng, np.float32, edges.structure.n_groups)
    bias, x = values(rng, np.float32, edges.shape[0]), values(rng, np.float32, edges.shape[1], width, 1)
    gy = values(rng, np.float32, edges.shape[0], width, 1)
    assert len(edges.rows) * width > PARALLEL_FROM

    def all_of_it() -> list[NDArray]:
        y = numbers.number_dot("tanh")(weights, bias, x, *edges.arrays("float32"))
        gz, g_bias = slopes_of("tanh")(y, gy)
        outer = backward.number_outer(x, gz, *edges.arrays("float32"), np.array(edges.structure.n_groups))
        return [y, gz, g_bias, sums_over_batch(gz), outer, *number_gradients(edges, weights, x, gz)]

    found = {}
    before = numba.get_num_threads()
    pays = numba.njit(lambda n_products: pays_in_parallel(n_products))
    try:
        for n_threads in (1, 2):
            numba.set_num_threads(n_threads)
            assert pays(PARALLEL_FROM) == (n_threads == 2)
            found[n_threads] = all_of_it()
    finally:
        numba.set_num_threads(before)
    for one, two in zip(found[1], found[2], strict=True):
        np.testing.assert_array_equal(one, two)
    z = edges.dot(weights, bias, x)
    gz = (1 - np.tanh(z) ** 2) * gy
    expected = [np.tanh(z), gz, gz.sum(axis=(1, 2)), gz.sum(axis=(1, 2)), by := edges.by_weights(x, gz, 1), by]
    for value, right in zip(found[2], [*expected, edges.by_x(weights, gz)], strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-4, atol=3e-4)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread only")
@pytest.mark.parametrize("channels", [(8,), (4, 5)])
def test_blocks_and_diagonals_on_two_threads_give_the_same_bits(channels: tuple[int, ...]) -> None:
    edges = draw_edges(19, (300, 200), 0.3)
    rng = np.random.default_rng(19)
    weights = values(rng, np.float32, edges.structure.n_groups, *channels)
    x, gy = values(rng, np.float32, 200, 9, channels[0]), values(rng, np.float32, 300, 9, channels[-1])
    assert len(edges.rows) * x[0].size > PARALLEL_FROM
    dot, outer = (
        (blocks.diagonal_dot, blocks.diagonal_outer) if len(channels) == 1 else (blocks.block_dot, blocks.block_outer)
    )
    found = []
    before = numba.get_num_threads()
    try:
        for n_threads in (1, 2):
            numba.set_num_threads(n_threads)
            arrays = edges.arrays("float32")
            found.append([dot(weights, None, x, *arrays), outer(x, gy, *arrays, np.array(len(edges.rows)))])
    finally:
        numba.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
    assert_close(found[1][0], edges.dot(weights, None, x), np.float32)
    assert_close(found[1][1], edges.by_weights(x, gy, 1 + len(channels)), np.float32)


# ------------------------------------------------------------------ how rows are walked


@st.composite
def row_pointers(draw: st.DrawFn) -> NDArray:
    """Of up to 5,000 rows of degrees that are alike, or hardly."""
    n_rows, largest = draw(st.integers(0, 5000)), draw(st.sampled_from([0, 1, 3, 200, 10**6]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    degrees = (largest * rng.random(n_rows) ** draw(st.sampled_from([1, 8, 60]))).round().astype(int)
    dtype = draw(st.sampled_from([np.int32, np.int64])) if degrees.sum() < 2**31 else np.int64
    return np.concatenate([[0], np.cumsum(degrees)]).astype(dtype)


@given(row_pointers())
@example(np.zeros(1, np.int32))
@example(np.arange(3 * WINDOW * N_PIECES, dtype=np.int64) // 2)
def test_chunks_cover_all_rows_with_about_equal_work(indptr: NDArray) -> None:
    bounds = chunk_bounds(indptr)
    n_rows = len(indptr) - 1
    assert bounds.dtype == np.int64
    assert bounds[0] == 0
    assert bounds[-1] == n_rows
    assert (np.diff(bounds) > 0).all()
    assert len(bounds) - 1 <= N_PIECES
    work = np.diff(indptr).astype(int) + 1
    if n_rows:
        shares = np.add.reduceat(work, bounds[:-1])
        assert shares.sum() == work.sum()
        assert shares.max() <= work.sum() / N_PIECES + work.max()


@given(row_pointers())
@example(np.zeros(1, np.int32))
@example((np.arange(3 * SORTED_TOGETHER * N_PIECES, dtype=np.int64) ** 2 % 97).cumsum())
def test_rows_are_sorted_by_degree_within_windows(indptr: NDArray) -> None:
    bounds = chunk_bounds(indptr)
    order, degrees = row_order(indptr, bounds), np.diff(indptr)
    assert order.dtype == indptr.dtype
    seen = 0
    for first, last in pairwise(bounds):
        for begin in range(first, last, SORTED_TOGETHER):
            end = min(begin + SORTED_TOGETHER, last)
            np.testing.assert_array_equal(np.sort(order[begin:end]), np.arange(begin, end))
            assert (np.diff(degrees[order[begin:end]]) >= 0).all()
            seen += end - begin
    assert seen == len(degrees) == len(order)
    assert WINDOW % SORTED_TOGETHER == 0  # else a window would hold rows of another one
