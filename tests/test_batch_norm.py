"""Batch norm against the formulas of the paper, in NumPy alone, from the text of a program to a saved model.

S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift",
ICML 2015: algorithm 1 in training, the moving averages of algorithm 2 (with the unbiased variance) outside of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from numpy.typing import NDArray
from pytensor.compile.mode import Mode
from pytensor.graph.replace import clone_replace

import graphnn_compiler as gnn

PYTHON = Mode(linker="py", optimizer=None)

# name -> the declarations, the axes of (B, U, C) that the statistics are over, and the shape of gain and shift
LAYERS: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
    "a number a unit": ("input x[4]\noutput y[4] { from x via one_to_one  batchnorm = true }", (0,), (4,)),
    "units with channels": (
        "input x[4, 3]\noutput y[4, 3] { from x via same { weights = shared }  bias = per_unit  batchnorm = true }",
        (0,),
        (4, 3),
    ),
    "channels": (
        "input x[4, 3]\noutput y[4, 3] { from x via same { weights = shared }  batchnorm = true }",
        (0, 1),
        (3,),
    ),
    "one channel": (
        "input x[4]\noutput y[4] { from x via same { weights = shared }  bias = per_channel  batchnorm = true }",
        (0, 1),
        (1,),
    ),
    "an expression": ("input x[4, 3]\noutput y = 2 * x { batchnorm = true }", (0, 1), (3,)),
    "an expression of units": ("input x[4]\noutput y = 2 * x { batchnorm = true }", (0,), (4,)),
}
CASES = pytest.mark.parametrize("name", LAYERS)


class Case:
    """A network of one layer with batch norm, with random values, and data of another mean and spread."""

    def __init__(self, name: str, dtype: Any = "float64", mode: Any = PYTHON) -> None:
        text, self.axes, self.shape = LAYERS[name]
        self.net = gnn.build(f"gnn 1\n{text}\n", seed=1, dtype=dtype, mode=mode)
        self.rng = np.random.default_rng(3)
        self.channels = self.net.plan.units["x"].channels
        self.net.set_weights(
            {
                "y.gain": self.rng.uniform(0.5, 2, self.shape),
                "y.shift": self.rng.normal(size=self.shape),
                "y.running_mean": self.rng.normal(size=self.shape),
                "y.running_variance": self.rng.uniform(0.5, 2, self.shape),
            }
        )
        self.x = self.rng.normal(2, 3, (5, *self.net.plan.units["x"].shape)).astype(dtype)

    def broadcast(self, of: NDArray) -> NDArray:
        return of.reshape(-1 if 1 not in self.axes else 1, self.channels)

    def sums(self, x: NDArray, weights: dict[str, NDArray]) -> NDArray:
        """What the norm is applied to, (B, U, C)."""
        wide = x.reshape(*x.shape[:2], self.channels).astype(np.float64)
        if "y.x.weights" not in weights:
            return 2 * wide
        w = weights["y.x.weights"]
        return wide * w[:, None] if w.shape == (4,) else wide @ w

    def normed(self, x: NDArray, weights: dict[str, NDArray], training: bool) -> NDArray:
        """The layer by the formula, in the shape of x."""
        z = self.sums(x, weights)
        mean, variance = z.mean(self.axes, keepdims=True), z.var(self.axes, keepdims=True)
        if not training:
            mean, variance = (self.broadcast(weights[f"y.running_{name}"]) for name in ("mean", "variance"))
        gain, shift = self.broadcast(weights["y.gain"]), self.broadcast(weights["y.shift"])
        return (gain * (z - mean) / np.sqrt(variance + 1e-5) + shift).reshape(x.shape)

    def statistics(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Mean and unbiased variance of the sums, in the shape of the parameters."""
        z = self.sums(x, self.net.weights)
        size = np.prod([z.shape[axis] for axis in self.axes])
        return z.mean(self.axes).reshape(self.shape), (z.var(self.axes) * size / (size - 1)).reshape(self.shape)

    def variable(self) -> Any:
        return pt.tensor("x", dtype=self.net.plan.dtype, shape=(None, *self.net.plan.units["x"].shape))

    def step(self) -> Any:
        """A function of x: the value in training, after which the running statistics have moved on."""
        x = self.variable()
        y = self.net.symbolic(x, training=True)
        return pytensor.function([x], y, updates=self.net.state_updates(y), mode=PYTHON)


@CASES
def test_training_takes_the_statistics_of_the_batch(name: str) -> None:
    case = Case(name)
    expected = case.normed(case.x, case.net.weights, training=True)
    np.testing.assert_allclose(case.step()(case.x), expected, rtol=1e-12, atol=1e-12)


@CASES
def test_a_call_uses_the_running_statistics(name: str) -> None:
    case = Case(name)
    expected = case.normed(case.x, case.net.weights, training=False)
    np.testing.assert_allclose(case.net(case.x), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(case.net(case.x[0]), expected[0], rtol=1e-12, atol=1e-12)
    assert case.net(case.x[:0]).shape == (0, *case.x.shape[1:])


@CASES
def test_a_step_moves_the_running_statistics_and_nothing_else(name: str) -> None:
    case = Case(name)
    before = case.net.weights
    case.step()(case.x)
    after = case.net.weights
    for kind, found in zip(("mean", "variance"), case.statistics(case.x), strict=True):
        changed = f"y.running_{kind}"
        np.testing.assert_allclose(after.pop(changed), 0.9 * before.pop(changed) + 0.1 * found, rtol=1e-12)
    assert all(np.array_equal(after[name], before[name]) for name in before)


@CASES
def test_gradients_in_training(name: str) -> None:
    """Of a random projection, by every trained parameter and the input, against differences of the formula."""
    case = Case(name)
    direction = case.rng.normal(size=case.x.shape)
    x = case.variable()
    cost = (case.net.symbolic(x, training=True) * direction).sum()
    wanted = [*case.net.trainable, x]
    slopes = pytensor.function([x], pytensor.grad(cost, wanted), mode=PYTHON)(case.x)
    point = {**case.net.weights, "x": case.x}
    assert {one.name for one in wanted} == {one for one in point if "running" not in one}
    for variable, slope in zip(wanted, slopes, strict=True):
        for k in range(slope.size):
            step = np.zeros(slope.shape)
            step.flat[k] = 1e-6
            ahead, behind = ({**point, variable.name: point[variable.name] + sign * step} for sign in (1, -1))
            sides = [np.sum(case.normed(at["x"], at, training=True) * direction) for at in (ahead, behind)]
            assert slope.flat[k] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-5, abs=1e-6), variable.name


@pytest.mark.parametrize("name", ["units with channels", "channels"])
def test_in_the_mode_of_every_day_and_single_precision(name: str) -> None:
    case = Case(name, "float32", mode=None)
    x = case.variable()
    y = case.net.symbolic(x, training=True)
    slopes = pytensor.grad(pt.sqr(y).sum(), case.net.trainable)
    assert {one.dtype for one in (y, *slopes)} == {"float32"}
    expected = case.normed(case.x, case.net.weights, training=True)
    wanted = [0.9 * case.net.weights[f"y.running_{kind}"] + 0.1 * found
              for kind, found in zip(("mean", "variance"), case.statistics(case.x), strict=True)]  # fmt: skip
    found, *_ = pytensor.function([x], [y, *slopes], updates=case.net.state_updates(*slopes), mode=case.net.mode)(
        case.x
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    for kind, statistic in zip(("mean", "variance"), wanted, strict=True):
        np.testing.assert_allclose(case.net.weights[f"y.running_{kind}"], statistic, rtol=1e-5)
    np.testing.assert_allclose(case.net(case.x), case.normed(case.x, case.net.weights, training=False), rtol=1e-4)


@CASES
def test_the_running_statistics_become_those_of_the_data_and_are_saved(name: str, tmp_path: Path) -> None:
    case = Case(name)
    data = case.rng.normal(-1, 2, (400, *case.x.shape[1:])) * np.linspace(1, 2, 4).reshape(4, *[1] * (case.x.ndim - 2))
    step = case.step()
    for _ in range(12):
        for batch in np.array_split(case.rng.permutation(data), 10):
            step(batch)
    mean, variance = case.statistics(data)
    weights = case.net.weights
    spread = np.sqrt(variance)
    assert np.all(np.abs(weights["y.running_mean"] - mean) < 0.2 * spread)
    assert np.all(np.abs(weights["y.running_variance"] / variance - 1) < 0.3)
    case.net.save(tmp_path / "net.gnnz")
    again = gnn.load(tmp_path / "net.gnnz", mode=PYTHON)
    assert all(np.array_equal(again.weights[one], weights[one]) for one in weights)
    np.testing.assert_array_equal(again(case.x), case.net(case.x))
    again.save(tmp_path / "again.gnnz")
    assert (tmp_path / "again.gnnz").read_bytes() == (tmp_path / "net.gnnz").read_bytes()


def test_the_same_batch_again_and_again_leaves_its_own_statistics() -> None:
    case = Case("channels")
    step = case.step()
    for _ in range(300):
        step(case.x)
    mean, variance = case.statistics(case.x)
    np.testing.assert_allclose(case.net.weights["y.running_mean"], mean, rtol=1e-10)
    np.testing.assert_allclose(case.net.weights["y.running_variance"], variance, rtol=1e-10)


# ------------------------------------------------------------------ in programs

TIED = """gnn 1
input x[6, 2]
repeat h = x times 3 tied {
  layer m[6, 2] { from h via same { weights = shared }  batchnorm = true  activation = tanh }
  next h = m
}
output y = h
target t
loss cost = mse(y, t) + 0.1 * l2(h.m.gain, h.m.shift)
"""


def test_tied_steps_share_gain_and_shift_and_have_statistics_of_their_own() -> None:
    net = gnn.build(TIED, seed=2, dtype="float64", mode=PYTHON)
    states = [f"h.{step}.m.running_{kind}" for step in (1, 2, 3) for kind in ("mean", "variance")]
    assert sorted(net.parameters) == sorted(["h.m.gain", "h.m.h.weights", "h.m.shift", *states])
    x, t = pt.dtensor3("x"), pt.dtensor3("t")
    loss = net.loss(x, t)
    step = pytensor.function([x, t], loss, updates=net.state_updates(loss), mode=PYTHON)
    points = np.random.default_rng(0).normal(size=(7, 6, 2))
    for _ in range(300):
        step(points, points)
    weights, h = net.weights, points
    for k in (1, 2, 3):
        z = h @ weights["h.m.h.weights"]
        mean, variance = z.mean((0, 1)), z.var((0, 1))
        np.testing.assert_allclose(weights[f"h.{k}.m.running_mean"], mean, atol=1e-8)
        np.testing.assert_allclose(weights[f"h.{k}.m.running_variance"], variance * 42 / 41, rtol=1e-8)
        h = np.tanh(weights["h.m.gain"] * (z - mean) / np.sqrt(variance + 1e-5) + weights["h.m.shift"])


def test_the_function_makes_a_layer_with_parameters_of_its_own() -> None:
    text = "gnn 1\ninput x[4, 2]\nlayer a = batchnorm(2 * x)\noutput y = relu(batchnorm(a) + batchnorm(x))\n"
    net = gnn.build(text, dtype="float64", mode=PYTHON)
    made = ("a.normed", "y.batchnorm.normed", "y.batchnorm_2.normed")
    assert {layer.name for layer in net.plan.layers if layer.batchnorm} == set(made)
    assert {name for name in net.parameters if name.endswith("gain")} == {f"{name}.gain" for name in made}
    x = np.random.default_rng(1).normal(3, 2, (9, 4, 2))
    v = pt.dtensor3("x")
    found = pytensor.function([v], net.symbolic(v, training=True), mode=PYTHON)(x)

    def norm(z: NDArray) -> NDArray:
        return (z - z.mean((0, 1))) / np.sqrt(z.var((0, 1)) + 1e-5)

    np.testing.assert_allclose(found, np.maximum(norm(norm(2 * x)) + norm(x), 0), rtol=1e-10, atol=1e-10)


def test_start_values_and_what_is_trained() -> None:
    net = gnn.build("gnn 1\ninput x[3, 2]\noutput y[3, 2] { from x via same  batchnorm = true  trainable = false }\n")
    starts = {"y.gain": 1, "y.shift": 0, "y.running_mean": 0, "y.running_variance": 1}
    assert {name: set(net.weights[name].tolist()) for name in starts} == {name: {v} for name, v in starts.items()}
    assert net.trainable == []
    assert "y.bias" not in net.parameters
    net = gnn.build("gnn 1\ninput x[3, 2]\noutput y[3, 2] { from x via same  batchnorm = true }\n")
    assert [one.name for one in net.trainable] == ["y.x.weights", "y.gain", "y.shift"]


def test_in_python() -> None:
    x = gnn.Input("x", units=4, channels=3)
    y = gnn.Output("y", units=4, channels=3, batchnorm=True).connect(x, via=gnn.same, weights="shared")
    written = gnn.build(f"gnn 1\n{LAYERS['channels'][0]}\n", seed=1)
    assert {name: v.tolist() for name, v in gnn.build(y, seed=1).weights.items()} == {
        name: v.tolist() for name, v in written.weights.items()
    }
    assert "layer r = batchnorm(x)" in str(gnn.Program(gnn.Layer("r", gnn.batchnorm(x))))


# ------------------------------------------------------------------ too little data, other graphs


def test_statistics_need_two_values() -> None:
    case = Case("a number a unit")
    with pytest.raises(ValueError, match=r"layer `y` takes statistics of two values .* no batched input reaches it"):
        case.net.symbolic(pt.dvector("x"), training=True)
    step = case.step()
    before = case.net.weights
    for few in (0, 1):
        with pytest.raises(ValueError, match=r"of two values or more in training, and gets none or one from this"):
            step(case.x[:few])
    assert all(np.array_equal(case.net.weights[name], before[name]) for name in before)
    step(case.x[:2])


def test_one_sample_will_do_where_it_has_several_units() -> None:
    case = Case("channels")
    x = pt.dmatrix("x")
    y = pytensor.function([x], case.net.symbolic(x, training=True), mode=PYTHON)(case.x[0])
    np.testing.assert_allclose(y, case.normed(case.x[:1], case.net.weights, training=True)[0], rtol=1e-10)


def test_updates_are_found_where_variables_were_replaced() -> None:
    case = Case("channels")
    x, z = case.variable(), case.variable()
    y = clone_replace(case.net.symbolic(x, training=True), {x: 3 * z})
    updates = case.net.state_updates(y)
    assert {one.name for one in updates} == {"y.running_mean", "y.running_variance"}
    wanted = 0.9 * case.net.weights["y.running_mean"] + 0.1 * case.statistics(3 * case.x)[0]
    pytensor.function([z], y, updates=updates, mode=PYTHON)(case.x)
    np.testing.assert_allclose(case.net.weights["y.running_mean"], wanted, rtol=1e-12)


def test_outside_of_training_nothing_moves() -> None:
    case = Case("channels")
    x = case.variable()
    assert case.net.state_updates(case.net.symbolic(x)) == {}
