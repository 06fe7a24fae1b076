"""The CSR sparse dot against dense sums, SciPy and finite differences, in every linker that is at hand."""

from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.gradient import DisconnectedType, verify_grad
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.graph.utils import MissingInputError
from pytensor.link.numba.dispatch.basic import numba_funcify_and_cache_key

from graphnn_compiler.backend.csr_dot import EdgeDot, EdgeOuter, aggregate, edge_dot
from graphnn_compiler.backend.structure import EdgeStructure
from graphnn_compiler.topology.csr import Csr, csr_from_pairs

PYTHON = Mode(linker="py", optimizer=None)
REWRITTEN = Mode(linker="py", optimizer="fast_run")
COMPILED = [
    pytest.param("NUMBA", id="numba"),
    pytest.param("CVM", id="cvm", marks=pytest.mark.skipif(not pytensor.config.cxx, reason="no C++ compiler")),
]


@dataclass(frozen=True)
class Case:
    """A drawn edge set as plain lists of edges, and the structure made of it."""

    rows: NDArray
    columns: NDArray
    structure: EdgeStructure

    @property
    def shape(self) -> tuple[int, int]:
        return self.structure.csr.shape

    @property
    def factors(self) -> NDArray:
        c = self.structure.coefficients
        return np.ones(len(self.rows)) if c is None else c

    @property
    def weight_of_edge(self) -> NDArray:
        g = self.structure.groups
        return np.arange(len(self.rows)) if g is None else g


def make_case(
    seed: int,
    shape: tuple[int, int] = (5, 7),
    density: float = 0.4,
    *,
    coefficients: bool = False,
    n_groups: int | None = None,
    index_dtype: Any = np.int32,
) -> Case:
    rng = np.random.default_rng(seed)
    rows, columns = np.nonzero(rng.random(shape) < density)
    made = csr_from_pairs(rows, columns, shape)
    csr = Csr(made.indptr.astype(index_dtype), made.indices.astype(index_dtype), shape)
    csr.verify()
    c = rng.standard_normal(len(rows)) if coefficients else None
    g = None if n_groups is None else rng.integers(0, n_groups, len(rows))
    return Case(rows, columns, EdgeStructure(csr, c, g, len(rows) if n_groups is None else n_groups))


def draw_values(case: Case, batch: int, channels: tuple[int, int] | None, seed: int) -> tuple[NDArray, NDArray]:
    rng = np.random.default_rng(seed + 1)
    n_groups, c_in = case.structure.n_groups, 1 if channels is None else channels[0]
    return rng.standard_normal((n_groups, *(channels or ()))), rng.standard_normal((case.shape[1], batch, c_in))


def dense_blocks(case: Case, weights: NDArray) -> NDArray:
    """(T, S, C_in, C_out): the matrix that the edges stand for, written entry by entry."""
    blocks = weights if weights.ndim == 3 else weights[:, None, None]
    matrix = np.zeros((*case.shape, *blocks.shape[1:]))
    for t, s, c, g in zip(case.rows, case.columns, case.factors, case.weight_of_edge, strict=True):
        matrix[t, s] += c * blocks[g]
    return matrix


def dense_dot(case: Case, weights: NDArray, x: NDArray) -> NDArray:
    return np.einsum("tsij,sbi->tbj", dense_blocks(case, weights), x)


def dense_gradients(case: Case, weights: NDArray, x: NDArray, gy: NDArray) -> tuple[NDArray, NDArray]:
    """The gradients of <gy, y> by weights and x, edge by edge."""
    gw, gx = np.zeros(weights.shape), np.zeros(x.shape)
    for t, s, c, g in zip(case.rows, case.columns, case.factors, case.weight_of_edge, strict=True):
        gw[g] += (c * x[s].T @ gy[t]).reshape(weights.shape[1:])
        gx[s] += c * gy[t] @ weights[g].reshape(x.shape[2], gy.shape[2]).T
    return gw, gx


def symbols(weights: NDArray, x: NDArray) -> tuple[Any, Any]:
    return pt.tensor("w", dtype=weights.dtype, shape=(None,) * weights.ndim), pt.tensor3("x", dtype=x.dtype)


def check_against_dense(case: Case, weights: NDArray, x: NDArray, mode: Any, rtol: float) -> None:
    w_, x_ = symbols(weights, x)
    y_ = edge_dot(w_, x_, case.structure)
    gy_ = pt.tensor3("gy", dtype=x.dtype)
    f = pytensor.function([w_, x_, gy_], [y_, *pytensor.grad((gy_ * y_).sum(), [w_, x_])], mode=mode)
    expected = dense_dot(case, weights, x)
    gy = np.random.default_rng(9).standard_normal(expected.shape).astype(x.dtype)
    got = f(weights, x, gy)
    for value, right in zip(got, (expected, *dense_gradients(case, weights, x, gy)), strict=True):
        assert value.dtype == x.dtype
        np.testing.assert_allclose(value, right, rtol=rtol, atol=rtol)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    density=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    batch=st.integers(0, 3),
    channels=st.sampled_from([None, (1, 1), (1, 3), (3, 1), (2, 4)]),
    extras=st.sampled_from([(False, None), (True, 1), (True, 3)]),  # few, as every combination is compiled
)
def test_dot_and_gradients_equal_the_dense_sums(
    seed: int,
    shape: tuple[int, int],
    density: float,
    batch: int,
    channels: tuple[int, int] | None,
    extras: tuple[bool, int | None],
) -> None:
    case = make_case(seed, shape, density, coefficients=extras[0], n_groups=extras[1])
    weights, x = draw_values(case, batch, channels, seed)
    check_against_dense(case, weights, x, PYTHON, 1e-12)


@pytest.mark.parametrize("mode", COMPILED)
@pytest.mark.parametrize("channels", [None, (2, 3)])
def test_compiled_dot_and_gradients_equal_the_dense_sums(mode: str, channels: tuple[int, int] | None) -> None:
    case = make_case(3, (20, 30), 0.1, coefficients=True, n_groups=4)
    weights, x = (a.astype(np.float32) for a in draw_values(case, 5, channels, 3))
    check_against_dense(case, weights, x, mode, 2e-5)


def test_int64_indices() -> None:
    case = make_case(4, index_dtype=np.int64)
    assert case.structure.arrays("float64")[1].type.dtype == "int64"
    check_against_dense(case, *draw_values(case, 2, None, 4), PYTHON, 1e-12)


@pytest.mark.parametrize("batch", [1, 9])
def test_scalar_dot_and_aggregate_equal_scipy(batch: int) -> None:
    rng = np.random.default_rng(7)
    matrix = scipy.sparse.random(400, 300, 0.02, format="csr", random_state=rng)
    matrix.sort_indices()
    csr = Csr(matrix.indptr, matrix.indices, matrix.shape)
    weights, x = matrix.data.astype(np.float32), rng.standard_normal((300, batch, 1)).astype(np.float32)
    expected = matrix.astype(np.float32) @ x[:, :, 0]
    x_ = pt.tensor3("x", dtype="float32")
    by_weights = edge_dot(weights, x_, EdgeStructure(csr, None, None, csr.n_edges))
    by_coefficients = aggregate(x_, EdgeStructure(csr, matrix.data, None, csr.n_edges))
    for value in pytensor.function([x_], [by_weights, by_coefficients], mode=PYTHON)(x):
        np.testing.assert_allclose(value[:, :, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("mode", "coefficients"), [("NUMBA", True), (PYTHON, False), (PYTHON, True)])
def test_aggregate_and_its_gradient_keep_channels_apart(mode: Any, coefficients: bool) -> None:
    case = make_case(5, coefficients=coefficients)
    x = draw_values(case, 2, (3, 1), 5)[1]
    matrix = dense_blocks(case, np.ones(len(case.rows)))[:, :, 0, 0]
    x_ = pt.tensor3("x", dtype="float64")
    y_ = aggregate(x_, case.structure)
    y, gx = pytensor.function([x_], [y_, pytensor.grad((y_**2).sum(), x_)], mode=mode)(x)
    np.testing.assert_allclose(y, np.einsum("ts,sbi->tbi", matrix, x), rtol=1e-12)
    np.testing.assert_allclose(gx, 2 * np.einsum("ts,tbi->sbi", matrix, y), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", [None, (2, 3)])
@pytest.mark.parametrize("n_groups", [None, 2])
def test_first_and_second_derivatives_by_finite_differences(channels: Any, n_groups: int | None) -> None:
    case = make_case(11, (3, 4), 0.5, coefficients=True, n_groups=n_groups)
    weights, x = draw_values(case, 2, channels, 11)

    def value(w_: Any, x_: Any) -> Any:
        return pt.tanh(edge_dot(w_, x_, case.structure))

    def gradients(w_: Any, x_: Any) -> Any:
        parts = pytensor.grad(value(w_, x_).sum(), [w_, x_])
        return pt.concatenate([part.flatten() for part in parts])

    for function in (value, gradients):
        verify_grad(function, [weights, x], rng=np.random.default_rng(0), mode=PYTHON)


def test_hessian_vector_product_of_a_tied_two_layer_network() -> None:
    """One weight vector in two layers: the gradients of both meet, and the product is compared with differences."""
    case = make_case(13, (6, 6), 0.4, n_groups=3)
    weights, x = draw_values(case, 3, None, 13)
    w_, v_ = pt.dvectors("w", "v")
    hidden = pt.tanh(edge_dot(w_, x, case.structure))
    loss = (edge_dot(w_, hidden, case.structure) ** 2).sum()
    gradient = pytensor.grad(loss, w_)
    f = pytensor.function([w_, v_], [gradient, pytensor.grad((gradient * v_).sum(), w_)], mode=REWRITTEN)
    v, step = np.array([0.3, -1.0, 0.5]), 1e-5
    expected = (f(weights + step * v, v)[0] - f(weights - step * v, v)[0]) / (2 * step)
    np.testing.assert_allclose(f(weights, v)[1], expected, rtol=1e-6)


@pytest.mark.parametrize("blocks", [False, True])
def test_structure_is_disconnected(blocks: bool) -> None:
    case = make_case(17, coefficients=True, n_groups=2)
    w_, x_ = symbols(*draw_values(case, 1, (1, 1) if blocks else None, 17))
    y_ = edge_dot(w_, x_, case.structure)
    gw_ = pytensor.grad(y_.sum(), w_)
    coefficients = case.structure.arrays("float64")[2]
    for output in (y_, gw_):
        assert coefficients in ancestors([output])
        gradient = pytensor.grad(
            output.sum(), coefficients, disconnected_inputs="ignore", return_disconnected="disconnected"
        )
        assert isinstance(gradient.type, DisconnectedType)


@pytest.mark.parametrize("mode", ["NUMBA", PYTHON])
def test_strided_inputs(mode: Any) -> None:
    case = make_case(19, n_groups=2)
    weights, x = draw_values(case, 4, (3, 2), 19)
    batch_major, wide = x.transpose(1, 0, 2).copy(), np.repeat(weights, 2, axis=2)
    x_, w_ = pt.dtensor3s("x", "w")
    y_ = edge_dot(w_[:, ::-1, ::2], x_.transpose(1, 0, 2)[:, ::-1, ::-1], case.structure)
    f = pytensor.function([w_, x_], y_, mode=mode)
    expected = dense_dot(case, weights[:, ::-1], x[:, ::-1, ::-1])
    np.testing.assert_allclose(f(wide, batch_major), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(f(wide, np.asfortranarray(batch_major)), expected, rtol=1e-12, atol=1e-12)


def test_equal_calls_give_equal_bits() -> None:
    case = make_case(23, (50, 60), 0.3, coefficients=True, n_groups=5)
    weights, x = (a.astype(np.float32) for a in draw_values(case, 33, None, 23))
    w_, x_ = symbols(weights, x)
    y_ = edge_dot(w_, x_, case.structure)
    f = pytensor.function([w_, x_], [y_, *pytensor.grad((y_**2).sum(), [w_, x_])])
    first = f(weights, x)
    for _ in range(3):
        shifted = np.empty(x.size + 1, x.dtype)[1:].reshape(x.shape)  # another alignment
        shifted[...] = x
        assert all(np.array_equal(a, b) for a, b in zip(first, f(weights, shifted), strict=True))


def test_only_equal_structures_merge() -> None:
    a, b = (make_case(29, (4, 4), density) for density in (1.0, 1.0))
    turned = Case(b.rows, b.columns, EdgeStructure(b.structure.csr, np.arange(16.0), None, 16))
    x = draw_values(a, 2, None, 29)[1]
    x_ = pt.dtensor3("x")
    outputs = [aggregate(x_, case.structure) for case in (a, a, b, turned)]
    f = pytensor.function([x_], outputs)
    assert sum(isinstance(node.op, EdgeDot) for node in f.maker.fgraph.apply_nodes) == 3
    for value, case in zip(f(x), (a, a, b, turned), strict=True):
        np.testing.assert_allclose(value, dense_dot(case, np.ones(16), x), rtol=1e-12, atol=1e-12)


def test_gradients_survive_clones_copies_and_inner_graphs() -> None:
    """Newer versions of PyTensor take no inner graph that reads shared variables, and say so."""
    case = make_case(31, coefficients=True)
    weights, x = draw_values(case, 2, None, 31)
    w_, x_ = symbols(weights, x)
    y_ = edge_dot(w_, x_, case.structure)
    clone = clone_replace(y_, {i: i.clone() for i in y_.owner.inputs if i.name == "indices"})
    outputs = [y_, clone]
    try:
        outputs.append(OpFromGraph([w_, x_], [y_])(w_, x_))
    except MissingInputError as refusal:
        assert "implicitly depends on shared variable" in str(refusal)  # noqa: PT017 - not every version refuses
    gy = np.ones((case.shape[0], 2, 1))
    expected = dense_gradients(case, weights, x, gy)
    for output in outputs:
        f = pytensor.function([w_, x_], pytensor.grad(output.sum(), [w_, x_]), mode=PYTHON)
        functions = [f, copy.deepcopy(f)] if output is y_ else [f]
        for value, right in zip([v for g in functions for v in g(weights, x)], expected * len(functions), strict=True):
            np.testing.assert_allclose(value, right, rtol=1e-12, atol=1e-12)


def test_arrays_are_shared_and_the_transpose_waits_for_a_gradient() -> None:
    drawn = make_case(37, coefficients=True, n_groups=2).structure
    assert drawn.groups is not None
    structure = EdgeStructure(drawn.csr, drawn.coefficients, drawn.groups.astype(drawn.csr.indices.dtype), 2)
    case = Case(drawn.csr.rows, drawn.csr.indices, structure)
    w_, x_ = symbols(*draw_values(case, 1, None, 37))
    y_ = edge_dot(w_, x_, structure)
    pytensor.function([w_, x_], y_, mode=PYTHON)
    assert "_transposed" not in vars(structure.csr)
    originals = (structure.csr.indptr, structure.csr.indices, structure.coefficients, structure.groups)
    for variable, array in zip(structure.arrays("float64")[:4], originals, strict=True):
        assert variable.get_value(borrow=True) is array
    pytensor.grad(y_.sum(), w_)
    assert "_transposed" in vars(structure.csr)
    assert copy.deepcopy(structure) is structure


def test_cache_key_does_not_depend_on_the_structure() -> None:
    nodes = []
    for seed in (41, 42):
        case = make_case(seed)
        nodes.append(edge_dot(*symbols(*draw_values(case, 1, None, seed)), case.structure).owner)
    keys = [numba_funcify_and_cache_key(node.op, node=node)[1] for node in nodes]
    assert keys[0] == keys[1]
    blocks = edge_dot(pt.dtensor3("w"), pt.dtensor3("x"), case.structure).owner
    assert numba_funcify_and_cache_key(blocks.op, node=blocks)[1] != keys[0]


def test_static_and_inferred_shapes() -> None:
    case = make_case(43, (5, 7), n_groups=3)
    w_ = pt.tensor("w", dtype="float64", shape=(3, 2, 4))
    x_ = pt.tensor("x", dtype="float64", shape=(7, 1, None))
    y_ = edge_dot(w_, x_, case.structure)
    gw_, gx_ = pytensor.grad(y_.sum(), [w_, x_])
    assert (y_.type.shape, gw_.type.shape, gx_.type.shape) == ((5, 1, 4), (3, 2, 4), (7, 1, 2))
    x_ = pt.dtensor3("x")
    scalars = pt.dvector("v")
    y_ = edge_dot(scalars, x_, case.structure)
    assert y_.type.shape == (5, None, 1)
    gv_ = pytensor.grad((y_**2).sum(), scalars)
    f = pytensor.function([scalars, x_], [y_.shape, gv_.shape])
    assert not any(isinstance(node.op, EdgeDot | EdgeOuter) for node in f.maker.fgraph.apply_nodes)
    assert [list(shape) for shape in f(np.ones(3), np.ones((7, 6, 1)))] == [[5, 6, 1], [3]]


def test_upcast_of_weights_and_values() -> None:
    case = make_case(47)
    assert edge_dot(pt.fvector(), pt.dtensor3(), case.structure).dtype == "float64"
    assert edge_dot(pt.fvector(), pt.ftensor3(), case.structure).dtype == "float32"


def test_wrong_arguments_are_refused_when_the_graph_is_built() -> None:
    case = make_case(53, (5, 7), n_groups=3)
    structure = case.structure
    with pytest.raises(ValueError, match="x has shape"):
        edge_dot(pt.dvector(), pt.tensor(dtype="float64", shape=(5, None, 1)), structure)
    with pytest.raises(ValueError, match="weights has shape"):
        edge_dot(np.ones(4), pt.dtensor3(), structure)
    with pytest.raises(ValueError, match="x has shape"):
        edge_dot(np.ones((3, 2, 2)), pt.tensor(dtype="float64", shape=(7, None, 1)), structure)
    with pytest.raises(TypeError, match="x has 2 dimensions, not 3"):
        edge_dot(np.ones(3), pt.dmatrix(), structure)
    with pytest.raises(TypeError, match="1 to 3"):
        edge_dot(np.ones((3, 1, 1, 1)), pt.dtensor3(), structure)
    with pytest.raises(TypeError, match="int64"):
        aggregate(pt.ltensor3(), structure)


@pytest.mark.parametrize("mode", ["NUMBA", PYTHON])
def test_wrong_sizes_are_refused_at_a_call(mode: Any) -> None:
    case = make_case(59, (5, 7), n_groups=3)
    w_, x_ = pt.dtensor3s("w", "x")
    f = pytensor.function([w_, x_], edge_dot(w_, x_, case.structure), mode=mode)
    for w_shape, x_shape in (((3, 2, 2), (6, 1, 2)), ((2, 2, 2), (7, 1, 2)), ((3, 2, 2), (7, 1, 1))):
        with pytest.raises((AssertionError, ValueError)):
            f(np.ones(w_shape), np.ones(x_shape))


def test_structures_that_do_not_fit_are_refused() -> None:
    csr = make_case(61).structure.csr
    n = csr.n_edges
    with pytest.raises(ValueError, match="groups, not"):
        EdgeStructure(csr, None, None, n + 1)
    with pytest.raises(ValueError, match="coefficients has shape"):
        EdgeStructure(csr, np.ones(n + 1), None, n)
    with pytest.raises(TypeError, match="coefficients are"):
        EdgeStructure(csr, np.ones(n, int), None, n)
    with pytest.raises(ValueError, match="a group is outside"):
        EdgeStructure(csr, None, np.full(n, 2), 2)
    with pytest.raises(ValueError, match="a group is outside"):
        EdgeStructure(csr, None, np.full(n, -1), 2)
    with pytest.raises(TypeError, match="groups are integers"):
        EdgeStructure(csr, None, np.zeros(n), 2)


MEMORY_PROGRAM = """
import resource
import numpy as np, pytensor, pytensor.tensor as pt
from graphnn_compiler.backend.csr_dot import edge_dot
from graphnn_compiler.backend.mode import network_mode
from graphnn_compiler.backend.structure import EdgeStructure
from graphnn_compiler.topology.csr import csr_from_pairs

def run(n_units, batch):
    pairs = np.unique(np.random.default_rng(0).integers(0, n_units**2, 4 * n_units))
    csr = csr_from_pairs(pairs // n_units, pairs % n_units, (n_units, n_units))
    w, x, gy = pt.fvector(), pt.ftensor3(), pt.ftensor3()
    y = edge_dot(w, x, EdgeStructure(csr, None, None, csr.n_edges))
    f = pytensor.function([w, x, gy], [y, *pytensor.grad(None, [w, x], known_grads={y: gy})], mode=network_mode())
    f(np.ones(csr.n_edges, "float32"), np.ones((n_units, batch, 1), "float32"), np.ones((n_units, batch, 1), "float32"))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

run(100, 32)  # imports and compilation are no part of the measure
start = peak()
run(100_000, 128)
print(peak() - start)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the unit of ru_maxrss is that of Linux")
def test_memory_is_that_of_arguments_and_results() -> None:
    """100,000 units, 400,000 edges, batch 128: a layer takes 51 MB, an array of edges times batch 205 MB."""
    done = subprocess.run([sys.executable, "-c", MEMORY_PROGRAM], capture_output=True, text=True, check=True)
    layer = 100_000 * 128 * 4
    assert int(done.stdout) < 6 * layer  # x, y and the gradients of both; the rest is for the structure and the weights
