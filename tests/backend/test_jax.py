"""The JAX linker computes what the compiled loops do: every form of an Op with two derivatives, whole networks."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from kernel_cases import Edges, draw_edges, edges_of
from numpy.typing import NDArray
from plans import PY

import graphnn_compiler as gnn
from graphnn_compiler.backend import jax_formulas
from graphnn_compiler.backend.activations import reseed
from graphnn_compiler.backend.csr_dot import aggregate, edge_dot

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


def with_derivatives(edges: Edges, dtype: str, batch: int = 5) -> tuple[list[Any], list[Any], list[NDArray]]:
    """Arguments, results and values: sums of every form, their gradients and the gradients of those."""
    rng = np.random.default_rng(1)
    n = edges.structure.n_groups
    arguments: list[Any] = []
    values: list[NDArray] = []
    results: list[Any] = []

    def argument(*shape: int) -> Any:
        arguments.append(pt.tensor(dtype=dtype, shape=(None,) * len(shape)))
        values.append(rng.standard_normal(shape).astype(dtype))
        return arguments[-1]

    def differentiated(y: Any, *by: Any) -> None:
        first = pytensor.grad(pt.sqr(y).sum(), list(by))
        results.extend([y, *first, *pytensor.grad(sum(pt.sqr(one).sum() for one in first), list(by))])

    targets, sources = edges.shape
    x, bias = argument(sources, batch, 3), argument(targets)
    differentiated(aggregate(x, edges.structure, bias, "tanh"), x, bias)
    for activation in ("linear", "relu", "sigmoid"):
        w, x, bias = argument(n), argument(sources, batch, 1), argument(targets)
        differentiated(edge_dot(w, x, edges.structure, bias, activation), w, x, bias)
    for shape in ((n, 3), (n, 2, 3)):
        w, x = argument(*shape), argument(sources, batch, shape[1])
        differentiated(edge_dot(w, x, edges.structure), w, x)
    return arguments, results, values


@pytest.mark.parametrize(
    ("dtype", "coefficients", "n_groups", "waiting", "at_once"),
    [
        ("float32", True, 4, 1000, 1 << 24),  # few groups; rows are worked through by the number of their edge
        ("float64", False, None, 0, 1 << 24),  # rows are added up at once
        ("float64", True, 300, 1000, 64),  # blocks are looked up in pieces, the last one not full
    ],
)
def test_ops_and_their_derivatives_equal_the_loops(
    monkeypatch: pytest.MonkeyPatch, dtype: str, coefficients: bool, n_groups: int | None, waiting: int, at_once: int
) -> None:
    monkeypatch.setattr(jax_formulas, "WAITING", waiting)
    monkeypatch.setattr(jax_formulas, "NUMBERS_AT_ONCE", at_once)
    arguments, results, values = with_derivatives(draw_edges(3, coefficients=coefficients, n_groups=n_groups), dtype)
    got = pytensor.function(arguments, results, mode="JAX")(*values)
    for value, right in zip(got, pytensor.function(arguments, results, mode=PY)(*values), strict=True):
        assert value.dtype == dtype
        np.testing.assert_allclose(value, right, rtol=0, atol=TOLERANCE[dtype] * (1 + np.abs(right).max()))


@pytest.mark.parametrize("waiting", [0, 4])
def test_infinite_numbers_stay_in_the_rows_that_hear_them(monkeypatch: pytest.MonkeyPatch, waiting: int) -> None:
    monkeypatch.setattr(jax_formulas, "WAITING", waiting)
    # the first edge, which rows with one edge name while they wait, has an infinite source
    edges = edges_of(np.array([0, 0, 1]), np.array([0, 1, 1]), (3, 2), np.random.default_rng(0))
    y = aggregate(pt.constant(np.array([[[np.inf]], [[2.0]]])), edges.structure)
    np.testing.assert_array_equal(pytensor.function([], y, mode="JAX")()[:, 0, 0], [np.inf, 2, 0])


def test_nothing_to_add_up() -> None:
    arguments, results, values = [], [], []
    for edges, batch in ((edges_of(*np.zeros((2, 0), int), (3, 2), np.random.default_rng(0)), 2), (draw_edges(1), 0)):
        for shape in ((), (2, 3)):
            x, w = pt.tensor3(dtype="float64"), pt.tensor(dtype="float64", shape=(None,) * (1 + len(shape)))
            y = edge_dot(w, x, edges.structure)
            arguments += [x, w]
            results += [y, *pytensor.grad(y.sum(), [w, x])]
            values += [
                np.ones((edges.shape[1], batch, *(shape[:1] or (1,)))),
                np.ones((edges.structure.n_groups, *shape)),
            ]
    expected = pytensor.function(arguments, results, mode=PY)(*values)
    for value, right in zip(pytensor.function(arguments, results, mode="JAX")(*values), expected, strict=True):
        assert value.shape == right.shape
        assert not np.asarray(value).any()


def test_float64_is_not_made_float32_in_silence() -> None:
    x = pt.tensor3(dtype="float64")
    y = aggregate(x, draw_edges(1).structure)
    pytensor.function([x], y, mode="JAX")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(TypeError) as caught:
            pytensor.function([x], y, mode="JAX")
    finally:
        jax.config.update("jax_enable_x64", before)
    said = "JAX computes in float32 as it is set, and this is float64: set its option jax_enable_x64"
    assert str(caught.value) == said


# ------------------------------------------------------------------ whole networks

CONVOLUTION = """gnn 1
input x[6]
target kind
layer h[5, 3] { from x via all activation = tanh batchnorm = true }
layer u[5, 4] {
  from h via offset(-1..1) { weights = per(edge.offset) }
  from h via same as self { weights = shared }
  activation = gelu
}
repeat r = u times 2 tied {
  layer m[5, 4] { from r via offset(-1..1) as near { mix = diagonal } activation = relu }
  next r = gru(r, m)
}
layer e[5] { from r via same activation = sigmoid }
output y[3] { from e via random(in_degree = 2, seed = 1) activation = softmax }
loss cost = cross_entropy(y, kind) + 0.01 * l2(u.h.weights)
"""
SPARSE = """gnn 1
input x[9]
target t[4]
layer h[7] { from x via random(in_degree = 2..4, seed = 1) activation = tanh }
layer g[7] { from h via random(in_degree = 3, seed = 2) activation = relu from x via same as skip { weights = shared } }
output y[4] { from g via random(in_degree = 3, seed = 3) }
loss cost = mse(y, t)
"""
BATCH_NORM = """gnn 1
input x[3]
output y[3] { from x via same batchnorm = true bias = per_unit }
"""


def test_a_training_in_float32_equals_that_in_the_default_mode() -> None:
    rng = np.random.default_rng(0)
    x, kinds = rng.standard_normal((8, 6)), np.arange(8) % 3
    nets = [gnn.build(CONVOLUTION, seed=1, mode=mode) for mode in (PY, "JAX")]
    for net in nets:
        net.fit(x, kinds, epochs=2, batch=4, seed=1)
    expected, got = (net.weights | {"y": net(x)} | net.evaluate(x, kinds) for net in nets)
    assert expected.keys() == got.keys()
    for name, value in got.items():
        assert isinstance(value, float) or (type(value) is np.ndarray and value.dtype == np.float32)
        np.testing.assert_allclose(value, expected[name], rtol=2e-4, atol=2e-5, err_msg=name)
    assert nets[1](x[:0]).shape == (0, 3)
    nets[1](x)[0] = 0  # results may be written to


@pytest.mark.filterwarnings("ignore:Skipping Assert")  # PyTensor's own mode says so of lengths that must be equal
def test_gradients_of_a_sparse_network_in_the_mode_of_pytensor() -> None:
    net = gnn.build(SPARSE, seed=1, dtype="float64")
    x, t = pt.matrix("x", dtype="float64"), pt.matrix("t", dtype="float64")
    cost = net.objective("cost", x, t)
    results = [net.symbolic(x), cost, *pytensor.grad(cost, [x, *net.trainable])]
    rng = np.random.default_rng(0)
    values = rng.standard_normal((6, 9)), rng.standard_normal((6, 4))
    expected = pytensor.function([x, t], results, mode=net.mode)(*values)
    moved = {one: one - slope for one, slope in zip(net.trainable, results[3:], strict=True)}
    before = net.weights
    got = pytensor.function([x, t], results, updates=moved, mode="JAX")(*values)
    for value, right in zip(got, expected, strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-12, atol=1e-14)
    for one, slope in zip(net.trainable, expected[3:], strict=True):
        assert type(net.weights[one.name]) is np.ndarray
        np.testing.assert_allclose(net.weights[one.name], before[one.name] - slope, rtol=1e-12, atol=1e-14)


def test_masks_are_drawn_from_numpy_generators() -> None:
    net = gnn.build("gnn 1\ninput x[3000]\noutput y = dropout(x, 0.25)\n", dtype="float64", mode="JAX")
    x = pt.matrix("x", dtype="float64")
    y = net.symbolic(x, training=True)
    updates = net.state_updates(y)
    (state,) = updates
    draw = pytensor.function([x], [y, pytensor.grad(y.sum(), x)], updates=updates, mode=net.mode)
    given = np.random.default_rng(0).uniform(1, 2, (2, 3000))

    def masks(seed: int) -> list[NDArray]:
        reseed(state, seed)
        drawn = [draw(given) for _ in range(2)]
        for value, slope in drawn:
            np.testing.assert_allclose(value, np.where(slope, given / 0.75, 0), rtol=1e-12)
            np.testing.assert_allclose(slope, (value != 0) / 0.75, rtol=1e-12)
        assert isinstance(state.get_value(borrow=True), np.random.Generator)
        return [value != 0 for value, _ in drawn]

    first, again, other = masks(5), masks(5), masks(6)
    np.testing.assert_array_equal(first, again)
    for mask in (*first, *other):
        assert abs(mask.mean() - 0.75) < 0.03
    for one, another in ((first[0], first[1]), (first[0], other[0]), (first[0][:1], first[0][1:])):
        assert 0.55 < np.mean(one == another) < 0.7  # 0.625 where they are independent


def test_a_batch_norm_refuses_a_single_value() -> None:
    net = gnn.build(BATCH_NORM, mode="JAX")
    x = pt.matrix("x", dtype="float32")
    normed = pytensor.function([x], net.symbolic(x, training=True), mode=net.mode)
    assert normed(np.eye(3, dtype=np.float32)).shape == (3, 3)
    with pytest.raises(ValueError, match="the batch norm of layer `y` takes statistics of two values or more"):
        normed(np.ones((1, 3), np.float32))


# ------------------------------------------------------------------ JAX is optional

OPTIONAL = """
import sys
import numpy as np
import graphnn_compiler as gnn

program = "gnn 1\\ninput x[3]\\noutput y[3] { from x via offset(-1..1) }"
gnn.build(program)(np.ones(3))
print("jax" in sys.modules)
sys.modules["jax"] = None  # as if it were not installed
try:
    gnn.build(program, mode="JAX")(np.ones(3))
except ImportError as error:
    print(error)
"""


def test_jax_is_loaded_for_its_mode_only_and_said_to_be_missing() -> None:
    run = subprocess.run([sys.executable, "-c", OPTIONAL], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        "False",
        "the mode JAX needs JAX, which is not installed: pip install 'graphnn-compiler[jax]'",
    ]
