"""A network small enough to compute by hand, its data, and a way to train it that starts at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pytensor.compile.mode import Mode

import graphnn_compiler as gnn
from graphnn_compiler.training import History

INTERPRETED = Mode(linker="py", optimizer=None)
"""Functions that start at once: speed is not the point here."""

LINEAR = """\
gnn 1
input x[3]
output y[2] { from x via all  bias = per_unit }
target t
loss cost = mse(y, t)
metric off = mae(y, t)
"""

DROPPED = """\
gnn 1
input x[3]
layer h[4] { from x via all  batchnorm = true  activation = tanh  dropout = 0.4 }
output label[3] { from h via all  activation = softmax }
target truth
loss cost = cross_entropy(label, truth) + 0.01 * l2(h.weights)
metric acc = accuracy(label, truth)
"""

RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((8, 3))
T = RANDOM.standard_normal((8, 2))
START = {"y.x.weights": RANDOM.standard_normal((3, 2)), "y.bias": RANDOM.standard_normal(2)}

POINTS = RANDOM.standard_normal((23, 3))
CLASSES = np.argmax(POINTS + 0.3 * RANDOM.standard_normal((23, 3)), axis=1)


def linear(text: str = LINEAR) -> gnn.Network:
    """y = x W + b with the start values above, in float64."""
    net = gnn.build(text, dtype="float64", mode=INTERPRETED)
    net.set_weights(START)
    return net


def dropped() -> gnn.Network:
    """A classifier with everything that changes in a step: dropout, batch norm."""
    return gnn.build(DROPPED, dtype="float64", seed=3, mode=INTERPRETED)


def steps(net: gnn.Network, number: int, **options: object) -> History:
    """Full-batch steps on X and T."""
    return net.fit(X, T, epochs=number, batch=len(X), **options)  # type: ignore[no-any-return]


def slopes(weights: dict[str, NDArray]) -> dict[str, NDArray]:
    """The slopes of mean((x W + b - t)^2), by hand."""
    off = X @ weights["y.x.weights"] + weights["y.bias"] - T
    return {"y.x.weights": 2 / off.size * X.T @ off, "y.bias": 2 / off.size * off.sum(axis=0)}


Update = Callable[[NDArray, NDArray, dict[str, NDArray], int], NDArray]


def by_numpy(
    update: Update,
    number: int,
    slopes_of: Callable[[dict[str, NDArray]], dict[str, NDArray]] = slopes,
) -> dict[str, NDArray]:
    """The parameters after so many steps of an update rule that gets w, g, its own memory, and t from 1 on."""
    weights = {name: array.copy() for name, array in START.items()}
    memories: dict[str, dict[str, NDArray]] = {name: {} for name in weights}
    for t in range(1, number + 1):
        found = slopes_of(weights)
        weights = {name: update(w, found[name], memories[name], t) for name, w in weights.items()}
    return weights
