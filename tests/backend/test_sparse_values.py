"""Data that is mostly zeros: the same numbers as from a dense array, out of the nonzeros alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytensor
import pytest
from numpy.typing import NDArray
from plans import PY, units
from pytensor.compile.mode import Mode
from pytensor.graph.traversal import applys_between
from pytensor.tensor.random.op import RandomVariable

import graphnn_compiler as gnn
from graphnn_compiler.backend import reference
from graphnn_compiler.backend.csr_dot import EdgeDot, EdgeGradients, EdgeOuter
from graphnn_compiler.backend.sparse_values import SPARSE_UP_TO, sparse_default
from graphnn_compiler.topology.plan import Input, Scaling

RNG = np.random.default_rng(4)
PAPERS, WORDS = 6, 24
EDGES = ([0, 1, 2, 3, 4, 5, 0], [1, 2, 3, 4, 5, 0, 3])

PROGRAM = """gnn 1
param drop: float = 0.0
edges near = sym(table("bound")) | same
input bag[6, 24] = read("bag.npy")
layer scaled = dropout(row_normalize(bag), drop)
layer hidden[6, 5] { from scaled via near { weights = shared, norm = row }  activation = tanh }
layer bent = dropout(row_normalize(dropout(tanh(2 * bag / 3), drop)), drop) { activation = softsign, dropout = drop }
layer own[6, 5] { from bent via same { weights = shared } }
layer other[6, 2] { from bent via near { weights = per_edge }  from bag via near as too { weights = shared } }
output y[6, 3] { from hidden via all as a { weights = shared }  from own via same as b  from other via same as c }
output dropped = scaled
output plain[6, 24] { from scaled via same { weights = fixed(1) }  bias = none }
output sums[6, 2] { from scaled via same { weights = shared }  bias = none }
target truth[6, 3]
loss cost = mse(y, truth) + 0.01 * l2(hidden.weights)
"""
TRUTH = RNG.normal(size=(PAPERS, 3))


def bags() -> NDArray[np.float64]:
    """Ten numbers, one paper without any, one whose sum is 0."""
    bag = np.zeros((PAPERS, WORDS))
    bag[[0, 0, 1, 1, 2, 4, 4, 4], [0, 23, 3, 7, 7, 1, 2, 9]] = RNG.uniform(0.5, 2, 8)
    bag[5, :2] = 1.5, -1.5
    return bag


BAG = bags()


def built(folder: Path, bag: NDArray = BAG, dtype: str = "float64", mode: Any = PY, **params: Any) -> gnn.Network:
    np.save(folder / "bag.npy", bag)
    (folder / "model.gnn").write_text(PROGRAM, encoding="utf-8")
    data = {"near": EDGES}
    return gnn.build(folder / "model.gnn", data=data, params=params, dtype=dtype, mode=mode, seed=7)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> gnn.Network:
    """Without dropout."""
    return built(tmp_path_factory.mktemp("sparse"))


@pytest.fixture(scope="module")
def dropped(tmp_path_factory: pytest.TempPathFactory) -> gnn.Network:
    """With dropout at a rate of 0.25."""
    return built(tmp_path_factory.mktemp("dropped"), drop=0.25)


def check_outputs(net: gnn.Network, tolerance: float) -> None:
    expected = reference.evaluate(net.plan, net.weights, {})
    for name, value in net().items():  # type: ignore[union-attr]
        np.testing.assert_allclose(value, expected[name], rtol=tolerance, atol=tolerance, err_msg=name)


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_values_are_those_of_the_reference(dtype: str, tolerance: float, tmp_path: Path) -> None:
    net = built(tmp_path, dtype=dtype)
    check_outputs(net, tolerance)
    assert all(value.dtype == dtype for value in net().values())  # type: ignore[union-attr]
    expected = reference.objective(net.plan, net.weights, {}, {"truth": TRUTH})["cost"]
    assert net.evaluate(targets=TRUTH)["cost"] == pytest.approx(expected, rel=tolerance)


def test_data_without_any_number(tmp_path: Path) -> None:
    net = built(tmp_path, np.zeros((PAPERS, WORDS)))
    assert isinstance(net.applied({}, training=False).sparse["bag"].values, np.ndarray)
    check_outputs(net, 1e-12)


def test_one_unit_is_scaled_as_the_network_was_told(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", [[0.0] * 8 + [2.0, 6.0] + [0.0] * 8])
    text = 'gnn 1\ninput x[1, 18] = read("x.npy")\noutput y[1, 2] { from x via same { weights = shared } }\n'
    text += "target t[1, 2]\nloss cost = mse(y, t)\n"
    (tmp_path / "one.gnn").write_text(text, encoding="utf-8")
    net = gnn.build(tmp_path / "one.gnn", dtype="float64", mode=PY)
    start = net.weights["y.x.weights"]
    np.testing.assert_allclose(net(), [2 * start[8] + 6 * start[9]])
    net.fit(targets=np.ones((1, 2)), epochs=1, scale={"x": "row_normalize"})
    trained = net.weights
    np.testing.assert_allclose(
        net(), [0.25 * trained["y.x.weights"][8] + 0.75 * trained["y.x.weights"][9] + trained["y.bias"]]
    )
    np.testing.assert_array_equal(trained["y.x.weights"][:8], start[:8])


# ------------------------------------------------------------------ gradients and training


def slopes(net: gnn.Network, inputs: Any) -> dict[str, NDArray]:
    """Those of the loss by all that it depends on."""
    loss, parameters = net.loss(inputs, TRUTH, training=False), [one for one in net.trainable if "sums" not in one.name]
    found = pytensor.function([], pytensor.grad(loss, parameters), mode=PY)()
    return {one.name: slope for one, slope in zip(parameters, found, strict=True)}


def test_slopes_are_differences_and_those_of_dense_data(net: gnn.Network) -> None:
    found, dense = slopes(net, None), slopes(net, {"bag": BAG})
    for name, slope in found.items():
        np.testing.assert_allclose(slope, dense[name], rtol=1e-9, atol=1e-12, err_msg=name)
    name, step = "hidden.scaled.weights", 1e-6
    for place in [(0, 0), (7, 2), (12, 1), (23, 4)]:
        costs = []
        for move in (step, -step):
            moved = net.weights[name]
            moved[place] += move
            costs.append(reference.objective(net.plan, net.weights | {name: moved}, {}, {"truth": TRUTH})["cost"])
        assert found[name][place] == pytest.approx((costs[0] - costs[1]) / (2 * step), rel=1e-5, abs=1e-9)


def test_training_is_that_of_dense_data(net: gnn.Network) -> None:
    start, trained = net.weights, []
    for inputs in (None, {"bag": BAG}):
        net.set_weights(start)
        net.fit(inputs, TRUTH, epochs=3)
        trained.append(net.weights)
    net.set_weights(start)
    for name, weights in trained[0].items():
        np.testing.assert_allclose(weights, trained[1][name], rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_training_with_dropout_is_repeated_and_resumed(dropped: gnn.Network, tmp_path: Path) -> None:
    start, trained, path = dropped.weights, [], tmp_path / "course.gnnz"
    for epochs, options in [(4, {}), (2, {"checkpoint": path}), (4, {"checkpoint": path, "resume": True})]:
        if "resume" not in options:
            dropped.set_weights(start)
        dropped.fit(targets=TRUTH, epochs=epochs, **options)
        trained.append(dropped.weights)
    dropped.set_weights(start)
    assert any(not np.array_equal(trained[0][name], trained[1][name]) for name in start)
    for name in start:
        np.testing.assert_array_equal(trained[0][name], trained[2][name])


# ------------------------------------------------------------------ dropout


def test_all_who_read_a_value_see_one_mask(dropped: gnn.Network) -> None:
    variables = dropped.symbolic(training=True)
    names = ["dropped", "plain", "sums"]
    chosen = [variables[name] for name in names]
    function = pytensor.function([], chosen, updates=dropped.state_updates(*chosen), mode=PY)
    whole = reference.evaluate(dropped.plan, dropped.weights, {})["scaled"]
    assert np.count_nonzero(whole) == 10 - 2  # those of the paper whose sum is 0 are 0
    kept = np.zeros(0)
    for _ in range(100):
        scaled, plain, sums = function()
        np.testing.assert_allclose(scaled, np.where(scaled == 0, 0, whole / 0.75), rtol=1e-12)
        np.testing.assert_array_equal(plain, scaled)
        np.testing.assert_allclose(sums, scaled @ dropped.weights["sums.scaled.weights"], rtol=1e-12, atol=1e-14)
        kept = np.append(kept, scaled[whole != 0] != 0)
    assert abs(kept.mean() - 0.75) < 0.05
    assert len({tuple(mask) for mask in kept.reshape(100, -1)}) > 20


def test_only_the_nonzeros_are_computed_with(dropped: gnn.Network) -> None:
    sums = dropped.symbolic(training=True)["sums"]
    weights = dropped.parameters["sums.scaled.weights"]
    slope = pytensor.grad((sums**2).sum(), weights)
    function = pytensor.function([], [sums, slope], mode=Mode("py", "fast_run"))
    made = [one for node in function.maker.fgraph.toposort() for one in node.outputs if hasattr(one.type, "shape")]
    assert max(int(np.prod(one.type.shape)) for one in made) < PAPERS * WORDS
    operations = [node.op for node in function.maker.fgraph.toposort()]
    assert not any(isinstance(op, EdgeGradients | EdgeOuter) for op in operations)
    assert sum(isinstance(op, EdgeDot) for op in operations) == 4
    (mask,) = (node for node in applys_between([], [sums]) if isinstance(node.op, RandomVariable))
    assert mask.outputs[1].type.shape == (10,)


# ------------------------------------------------------------------ what is sparse


def matrix(n_nonzeros: int) -> NDArray[np.float64]:
    array = np.zeros((4, 8))
    array.reshape(-1)[:: 32 // n_nonzeros][:n_nonzeros] = np.arange(1, n_nonzeros + 1)
    return array


def test_up_to_an_eighth_is_sparse() -> None:
    assert SPARSE_UP_TO == 1 / 8
    here = units(4, 8)
    found = sparse_default(Input("x", here, matrix(4)), "float32")
    assert found is not None
    assert (found.values.dtype, found.values.tolist()) == ("float32", [1, 2, 3, 4])
    assert sparse_default(Input("x", here, matrix(5)), "float32") is None
    assert sparse_default(Input("x", here), "float32") is None
    assert sparse_default(Input("x", here, np.zeros((2, 4, 8))), "float32") is None
    assert sparse_default(Input("x", units(4), np.zeros(4)), "float32") is None
    assert sparse_default(Input("x", units(4, 1), np.zeros((4, 1))), "float32") is None


def test_scaling_by_mean_and_deviation_keeps_no_zeros() -> None:
    here, ones = units(4, 8), np.ones((4, 8))
    assert sparse_default(Input("x", here, matrix(4), scaling=Scaling("standardize", ones, ones)), "float64") is None
    array = matrix(3)
    array[0, 3] = np.nan
    found = sparse_default(Input("x", here, array[:, ::-1], 9 * ones, Scaling("row_normalize")), "float64")
    assert found is not None
    assert found.structure.csr.indices.tolist() == [4, 7, 5, 3]
    np.testing.assert_allclose(found.values, [0.9, 0.1, 1, 1])
