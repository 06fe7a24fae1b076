"""A multilayer perceptron on 8 x 8 handwritten digits, with one more layer that a graph wires.

Printed for PyTensor from model.gnn; edges and weights are in mlp_digits.npz beside this
file.

    p = parameters()
    layers = forward(p, x)
    cost = loss(p, layers, truth)
    steps = updates(p, cost, 0.1)
    step = pytensor.function([x, truth], cost, updates=steps)
"""

from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor import sparse

FILE = Path(__file__).with_suffix(".npz")
SHAPES = {
    "hidden.x.weights": (64, 64),
    "hidden.bias": (64,),
    "wired.hidden.weights": (484,),
    "wired.bias": (64,),
    "label.wired.weights": (64, 10),
    "label.bias": (10,),
}
TRAINABLE = list(SHAPES)


def parameters(file=FILE):
    """All that the file holds, as shared variables by name: weights, edges and data."""
    with np.load(file, allow_pickle=False) as arrays:
        p = {name: pytensor.shared(arrays[name], name=name) for name in arrays.files}
    for name, shape in SHAPES.items():
        if p[name].get_value(borrow=True).shape != shape:
            raise ValueError(f"{name} in {file} is not of shape {shape}")
    return p


def save(p, file):
    """Write what `parameters` reads, with the values that the weights have now."""
    np.savez(file, **{name: variable.get_value() for name, variable in p.items()})


def softmax(z, axis=-1):
    """Without its maximum z has the same softmax, and exp cannot overflow."""
    powers = pt.exp(z - z.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - pt.log(pt.exp(z).sum(axis=-1, keepdims=True))


def cross_entropy(logits, truth):
    """The mean of -log softmax at the true classes, of (rows, classes) and (rows,)."""
    return -log_softmax(logits)[pt.arange(truth.shape[0]), truth].mean()


def forward(p, x):
    """The outputs, and what losses and metrics work from, by name."""
    x = pt.cast(x, "float32")  # (batch, 64)
    hidden = pt.tanh(pt.dot(x, p["hidden.x.weights"]) + p["hidden.bias"])  # (batch, 64)
    hidden_to_wired = sparse.CSR(
        p["wired.hidden.weights"],
        p["wired.hidden.indices"],
        p["wired.hidden.indptr"],
        (64, 64),
    )
    wired = sparse.structured_dot(hidden_to_wired, hidden.T).T + p["wired.bias"]
    wired = pt.tanh(wired)  # (batch, 64)
    label_logits = pt.dot(wired, p["label.wired.weights"]) + p["label.bias"]
    label = softmax(label_logits)  # (batch, 10)
    return {"label": label, "label.logits": label_logits}


def loss(p, layers, truth):
    """cost = cross_entropy(label, truth) + 0.0001 * l2(hidden.x.weights,
    wired.hidden.weights, label.wired.weights)
    """
    truth = pt.cast(truth, "int64")  # (batch,)
    penalized = ["hidden.x.weights", "wired.hidden.weights", "label.wired.weights"]
    cost = cross_entropy(layers["label.logits"], truth)
    return cost + np.float32(0.0001) * sum((p[name] ** 2).sum() for name in penalized)


def metrics(p, layers, truth):
    """acc = accuracy(label, truth)"""
    truth = pt.cast(truth, "int64")  # (batch,)
    acc = pt.eq(layers["label"].argmax(axis=-1), truth).mean()
    return {"acc": acc}


def updates(p, cost, rate):
    """A step of gradient descent, as pairs for a compiled function."""
    weights = [p[name] for name in TRAINABLE]
    slopes = pytensor.grad(cost, weights)
    rate = np.float32(rate)
    return [(w, w - rate * slopes[i]) for i, w in enumerate(weights)]
