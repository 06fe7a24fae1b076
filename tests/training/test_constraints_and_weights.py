"""Constraints hold after every step; frozen parameters stay; weights of samples and classes count as they should."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt
import pytest
from numpy.typing import NDArray
from pytensor.gradient import verify_grad
from pytensor.graph.replace import graph_replace
from trained import CLASSES, INTERPRETED, POINTS, START, T, X, by_numpy, dropped, linear, steps

import graphnn_compiler as gnn
from graphnn_compiler.training import SGD, KeepSign, NonNegative, Sign
from graphnn_compiler.training.constraints import Constraint

W, B = "y.x.weights", "y.bias"


# ------------------------------------------------------------------ constraints


def after_each_step(net: gnn.Network, number: int, **options: object) -> list[dict[str, NDArray]]:
    found: list[dict[str, NDArray]] = []
    steps(net, number, on_epoch=lambda epoch: found.append(net.weights), **options)
    return found


SIGNS = np.array([[1, -1], [0, 1], [-1, 0]])
PROJECTIONS: list[tuple[Constraint, Callable[[NDArray], NDArray]]] = [
    (NonNegative(), lambda w: np.maximum(w, 0)),
    (KeepSign(), lambda w: np.where(np.sign(START[W]) == np.sign(w), w, 0)),
    (Sign(-1), lambda w: np.minimum(w, 0)),
    (Sign(SIGNS), lambda w: np.where(SIGNS * w < 0, 0, w)),
]


@pytest.mark.parametrize(("constraint", "projection"), PROJECTIONS, ids=[type(one).__name__ for one, _ in PROJECTIONS])
def test_each_step_ends_in_a_projection(constraint: Constraint, projection: Callable[[NDArray], NDArray]) -> None:
    free = after_each_step(linear(), 1, optimiser=SGD(0.5))
    bound = after_each_step(linear(), 20, optimiser=SGD(0.5), constraints={"y.weights": constraint})
    np.testing.assert_allclose(bound[0][W], projection(free[0][W]))
    np.testing.assert_allclose(bound[0][B], free[0][B])
    for weights in bound:
        np.testing.assert_array_equal(weights[W], projection(weights[W]))
    by_hand = by_numpy(lambda w, g, memory, t: projection(w - 0.5 * g) if w.shape == (3, 2) else w - 0.5 * g, 20)
    np.testing.assert_allclose(bound[-1][W], by_hand[W], atol=1e-12)
    assert np.any(bound[-1][W] == 0), "the constraint did nothing"


def test_signs_by_edge() -> None:
    text = 'gnn 1 # gnn: allow W210\nedges wires = table("wires.csv")\ninput x[3]\n'
    text += "output y[3] { from x via wires  bias = none }\n"
    pairs = np.array([0, 0, 1]), np.array([1, 2, 2])
    net = gnn.build(text + "target t\nloss c = mse(y, t)\n", data={"wires": pairs}, mode=INTERPRETED)
    net.set_weights({"y.weights": {(0, 1): 1.0, (0, 2): 1.0, (1, 2): -1.0}})
    truth = np.array([[0, -5.0, -5.0], [0, 0, 5.0], [0, 0, 0]])
    signs = Sign({(0, 1): 1, (1, 2): -1})
    net.fit(np.eye(3), truth, epochs=200, optimiser=SGD(0.5), constraints={"y.weights": signs})
    (both, free, other) = (net.edges("y").to_scipy()[target, source] for source, target in ((0, 1), (0, 2), (1, 2)))
    assert (both, other) == (0, 0)
    assert free < -4
    with pytest.raises(ValueError, match="has no edge 1 -> 0"):
        net.fit(np.eye(3), truth, constraints={"y.weights": Sign({(1, 0): 1})})


def test_a_weight_that_starts_at_zero_is_free_to_take_either_sign() -> None:
    net = linear()
    net.set_weights({W: np.zeros((3, 2))})
    steps(net, 1, optimiser=SGD(0.5), constraints={W: KeepSign()})
    assert (net.weights[W] > 0).any()
    assert (net.weights[W] < 0).any()


def test_frozen_parameters_stay() -> None:
    net = linear()
    steps(net, 5, frozen=["y.weights"])
    np.testing.assert_array_equal(net.weights[W], START[W])
    assert not np.array_equal(net.weights[B], START[B])


REFUSED: list[tuple[dict[str, object], type[Exception], str]] = [
    ({"frozen": ["y.wights"]}, KeyError, "there is no parameter `y.wights`; did you mean `y.x.weights`?"),
    ({"frozen": "y.bias"}, TypeError, "`frozen` is a sequence of names, not one name"),
    (
        {"frozen": [W, B]},
        ValueError,
        "no loss depends on a parameter that may move, so that there is nothing to train",
    ),
    (
        {"frozen": [W], "constraints": {W: NonNegative()}},
        ValueError,
        "parameter `y.x.weights` has a constraint and does not move",
    ),
    (
        {"constraints": {W: Sign([1, 1])}},
        ValueError,
        "the signs of parameter `y.x.weights` have shape (3, 2), not (2,)",
    ),
]


@pytest.mark.parametrize(("options", "kind", "message"), REFUSED)
def test_refusals(options: dict[str, object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        steps(linear(), 1, **options)
    assert caught.value.args[0] == message


def test_signs_are_signs() -> None:
    with pytest.raises(ValueError, match=r"^signs are 1, -1 or 0$"):
        Sign([0.5])


# ------------------------------------------------------------------ weights of samples

COUNTS = np.array([1.0, 0, 2, 0.5, 1, 3, 0, 1])


@pytest.mark.parametrize("shape", [(8,), (8, 2)])
def test_weights_of_samples(shape: tuple[int, ...]) -> None:
    counts = COUNTS if shape == (8,) else np.arange(16.0).reshape(8, 2)
    every = np.broadcast_to(counts.reshape(8, -1), (8, 2))

    def weighted(weights: dict[str, NDArray]) -> dict[str, NDArray]:
        off = 2 * every * (X @ weights[W] + weights[B] - T) / every.sum()
        return {W: X.T @ off, B: off.sum(axis=0)}

    net = linear()
    history = steps(net, 20, optimiser=SGD(0.1), weights={"t": counts})
    for name, expected in by_numpy(lambda w, g, memory, t: w - 0.1 * g, 20, weighted).items():
        np.testing.assert_allclose(net.weights[name], expected, atol=1e-12)
    first = np.sum(every * (X @ START[W] + START[B] - T) ** 2) / every.sum()
    assert history["loss"][0] == pytest.approx(first)


def test_weights_follow_their_samples_through_shuffled_batches() -> None:
    """A weight of 0 takes a sample out, and one of 2 is as good as having it twice."""
    net, without = linear(), linear()
    others = np.arange(8) != 3
    net.fit(X, T, epochs=2, batch=1, optimiser="sgd", weights={"t": others.astype(float)}, shuffle=False)
    without.fit(X[others], T[others], epochs=2, batch=1, optimiser="sgd", shuffle=False)
    np.testing.assert_array_equal(net.weights[W], without.weights[W])
    doubled, twice = linear(), linear()
    order = np.array([0, 1, 2, 3, 3, 4, 5, 6, 7])
    doubled.fit(X, T, epochs=3, batch=8, optimiser="sgd", weights={"t": np.where(np.arange(8) == 3, 2.0, 1.0)})
    twice.fit(X[order], T[order], epochs=3, batch=9, optimiser="sgd")
    np.testing.assert_allclose(doubled.weights[W], twice.weights[W], atol=1e-12)


def test_weights_of_classes() -> None:
    """A class that counts three times is as good as three copies of its samples; "balanced" finds such numbers."""
    present = np.bincount(CLASSES)
    assert len(set(present)) > 1
    balanced = {k: len(CLASSES) / (3 * n) for k, n in enumerate(present.tolist())}
    nets = [gnn.build(DENSE, dtype="float64", mode=INTERPRETED) for _ in range(3)]
    for net, weights in zip(nets, (balanced, "balanced", np.array([balanced[k] for k in CLASSES])), strict=True):
        net.fit(POINTS, CLASSES, epochs=3, batch=8, weights={"truth": weights})
    for net in nets[1:]:
        np.testing.assert_allclose(net.weights["label.x.weights"], nets[0].weights["label.x.weights"], atol=1e-12)
    plain = gnn.build(DENSE, dtype="float64", mode=INTERPRETED)
    plain.fit(POINTS, CLASSES, epochs=3, batch=8)
    assert not np.allclose(plain.weights["label.x.weights"], nets[0].weights["label.x.weights"], atol=1e-6)


DENSE = """\
gnn 1
input x[3]
output label[3] { from x via all  activation = softmax }
target truth
loss cost = cross_entropy(label, truth)
"""

GRAPH = """\
gnn 1
input x[4]
output label[4, 3] { from x via all  activation = softmax }
target truth
loss cost = cross_entropy(label, truth)
"""


def test_weights_of_units() -> None:
    """Classes of units, whose weights have the shape of the target."""
    net = gnn.build(GRAPH, dtype="float64", mode=INTERPRETED)
    x, truth = np.arange(4.0), np.array([0, 2, 1, 1])
    counts = np.array([1.0, 0, 2, 0.5])
    logits = np.log(np.asarray(net(x)))
    expected = -np.sum(counts * logits[np.arange(4), truth]) / counts.sum()
    assert net.fit(x, truth, epochs=1, weights={"truth": counts})["loss"][0] == pytest.approx(expected)


LOSSES = """\
gnn 1
input x[3]
layer h[2] { from x via all  activation = tanh }
output number[2] { from h via all as n }
output chance[2] { from h via all  activation = sigmoid }
output kind[3] { from h via all  activation = softmax }
target n
target c
target k
loss a = mse(number, n)
loss b = mae(number, n)
loss d = binary_cross_entropy(chance, c)
loss e = cross_entropy(kind, k) + 0.1 * l1(h.weights) + 0.1 * l2(h.weights)
"""


def test_slopes_of_weighted_losses_pass_finite_differences() -> None:
    """By the input and by the weights, for weights of samples and weights of values."""
    net = gnn.build(LOSSES, dtype="float64", mode=INTERPRETED)
    counts = np.linspace(0.1, 2, 5)
    weights = {"n": np.linspace(0, 1, 10).reshape(5, 2), "c": counts, "k": counts}
    targets = {"n": T[:5], "c": (T[:5] > 0).astype(float), "k": CLASSES[:5]}
    matrix = net.parameters["h.x.weights"]

    def losses(points: pt.TensorVariable) -> pt.TensorVariable:
        given = {name: pt.constant(array) for name, array in weights.items()}
        return pt.stack(net.objectives(["a", "b", "d", "e"], points, targets, False, given))

    def by_weights(values: pt.TensorVariable) -> pt.TensorVariable:
        return graph_replace(losses(pt.constant(POINTS[:5])), {matrix: values}, strict=True)

    random = np.random.default_rng(0)
    verify_grad(losses, [POINTS[:5]], rng=random, mode=INTERPRETED, abs_tol=1e-6, rel_tol=1e-6)
    verify_grad(by_weights, [matrix.get_value()], rng=random, mode=INTERPRETED, abs_tol=1e-6, rel_tol=1e-6)


WRONG: list[tuple[dict[str, object], str]] = [
    ({"u": COUNTS}, "there is no target `u`; known: `t`"),
    ({"t": COUNTS[1:]}, "the weights of target `t` have shape (8, 2) or (8,), not (7,)"),
    ({"t": -COUNTS}, "the weights of target `t` are finite numbers from 0 on, and some are above 0"),
    ({"t": 0 * COUNTS}, "the weights of target `t` are finite numbers from 0 on, and some are above 0"),
    ({"t": {0: 2.0}}, "the weights of target `t` are given by class, and its values are no classes"),
]


@pytest.mark.parametrize(("weights", "message"), WRONG)
def test_wrong_weights(weights: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        steps(linear(), 1, weights=weights)


def test_wrong_weights_of_classes() -> None:
    with pytest.raises(ValueError, match=r"^target `truth` has no class `7`$"):
        dropped().fit(POINTS, CLASSES, weights={"truth": {7: 1.0}})
    with pytest.raises(ValueError, match=r"^the weights of target `truth` are numbers or 'balanced', not 'even'$"):
        dropped().fit(POINTS, CLASSES, weights={"truth": "even"})
