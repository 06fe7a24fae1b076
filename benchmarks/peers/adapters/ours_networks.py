"""Whole networks as programs of this project, trained through PyTensor as its examples do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray

import graphnn_compiler as gnn
from peers.layer import Training
from peers.networks import DEPTH, EXAMPLE, RATE, WORDS, read

WIRED = """gnn 1
edges wires = table("bound")
input x[784]
layer hidden[{units}] {{ from x via all  activation = tanh }}
layer wired[{units}] {{ from hidden via wires  activation = tanh }}
output label[10] {{ from wired via all  activation = softmax }}
target truth
loss cost = cross_entropy(label, truth)
"""
DEEP = """gnn 1
input x[{units}]
layer h0[{units}] {{ from x via table("bound") as only  activation = tanh }}
layer h1[{units}] {{ from h0 via table("bound") as only  activation = tanh }}
layer h2[{units}] {{ from h1 via table("bound") as only  activation = tanh }}
layer h3[{units}] {{ from h2 via table("bound") as only  activation = tanh }}
output y = h3
target truth[{units}]
loss cost = mse(y, truth)
"""


def pairs(arrays: Mapping[str, NDArray], number: int) -> tuple[NDArray, NDArray]:
    """Sources and targets of a sparse layer, in the order of its weights."""
    indptr = arrays[f"indptr_{number}"]
    return arrays[f"indices_{number}"], np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def training(
    net: gnn.Network, name: str, given: Mapping[str, NDArray], names: Mapping[str, str], start: Mapping[str, NDArray]
) -> Training:
    """`given`: inputs and targets of every step; `names`: parameter of the network -> array of `start`."""
    net.set_weights({parameter: start[array] for parameter, array in names.items()})
    x = pt.fmatrix("x") if "x" in given else None
    truth = pt.TensorType(str(given["truth"].dtype), (None,) * given["truth"].ndim)("truth") if given else None
    loss = net.loss(x, truth, training=True)
    slopes = pytensor.grad(loss, net.trainable)
    updates = {one: one - np.float32(RATE[name]) * slope for one, slope in zip(net.trainable, slopes, strict=True)}
    variables = [x, truth] if given else []
    function = pytensor.function(variables, loss, updates=updates | net.state_updates(loss), mode=net.mode)
    arguments = [given["x"], given["truth"]] if given else []
    return Training(
        lambda: float(function(*arguments)),
        lambda: {array: net.weights[parameter] for parameter, array in names.items()},
    )


def wired(folder: Path, drop: float) -> Training:
    arrays = read(folder)
    program = WIRED.format(units=len(arrays["first_bias"]))
    net = gnn.build(program, data={"wires": pairs(arrays, 0)})
    names = {
        "hidden.x.weights": "first",
        "hidden.bias": "first_bias",
        "wired.hidden.weights": "weights_0",
        "wired.bias": "bias_0",
        "label.wired.weights": "last",
        "label.bias": "last_bias",
    }
    return training(net, "wired", arrays, names, arrays)


def deep(folder: Path, drop: float) -> Training:
    arrays = read(folder)
    program = DEEP.format(units=len(arrays["bias_0"]))
    net = gnn.build(program, data={f"h{number}.only": pairs(arrays, number) for number in range(DEPTH)})
    names = {f"h{number}.only.weights": f"weights_{number}" for number in range(DEPTH)}
    names |= {f"h{number}.bias": f"bias_{number}" for number in range(DEPTH)}
    return training(net, "deep", arrays, names, arrays)


def gcn(folder: Path, drop: float) -> Training:
    params: dict[str, Any] = {"data": str(folder / "data"), "words": WORDS, "drop": drop}
    net = gnn.build(EXAMPLE / "model.gnn", params=params)
    names = {
        "hidden.scaled.weights": "weights_0",
        "hidden.bias": "bias_0",
        "topic.hidden.weights": "weights_1",
        "topic.bias": "bias_1",
    }
    return training(net, "gcn", {}, names, read(folder))


NETWORKS: dict[str, dict[str, Callable[[Path, float], Training]]] = {
    "wired": {"program": wired},
    "deep": {"program": deep},
    "gcn": {"program": gcn},
}
