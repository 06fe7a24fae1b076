"""A two-layer graph convolution (Kipf & Welling 2017) that splits Zachary's karate club, told of two members only.

Printed for PyTensor from model.gnn; edges and weights are in karate.npz beside this
file.

    p = parameters()
    layers = forward(p)
    cost = loss(p, layers)
    steps = updates(p, cost, 0.1)
    step = pytensor.function([], cost, updates=steps)
"""

from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor import sparse

FILE = Path(__file__).with_suffix(".npz")
SHAPES = {
    "hidden.who.weights": (34, 8),
    "hidden.bias": (8,),
    "side.hidden.weights": (8, 2),
    "side.bias": (2,),
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


def relu(z):
    return pt.switch(z <= 0, 0, z)


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


def forward(p, who=None):
    """The outputs, and what losses and metrics work from, by name."""
    who = pt.cast(p["who.data"] if who is None else who, "float32")  # (34, 34)
    who_to_hidden = sparse.CSR(
        p["hidden.who.scale"],
        p["hidden.who.indices"],
        p["hidden.who.indptr"],
        (34, 34),
    )
    hidden = sparse.structured_dot(who_to_hidden, pt.dot(who, p["hidden.who.weights"]))
    hidden = relu(hidden + p["hidden.bias"])  # (34, 8)
    side = sparse.structured_dot(
        who_to_hidden,
        pt.dot(hidden, p["side.hidden.weights"]),
    )
    side_logits = side + p["side.bias"]
    side = softmax(side_logits)  # (34, 2)
    return {"side": side, "side.logits": side_logits}


def loss(p, layers, joined=None):
    """cost = cross_entropy(side, joined, on = 2 of 34 units)"""
    joined = pt.cast(p["joined.data"] if joined is None else joined, "int64")  # (34,)
    return cross_entropy(layers["side.logits"][p["cost.on"]], joined[p["cost.on"]])


def metrics(p, layers, joined=None):
    """agreement = accuracy(side, joined)"""
    joined = pt.cast(p["joined.data"] if joined is None else joined, "int64")  # (34,)
    agreement = pt.eq(layers["side"].argmax(axis=-1), joined).mean()
    return {"agreement": agreement}


def updates(p, cost, rate):
    """A step of gradient descent, as pairs for a compiled function."""
    weights = [p[name] for name in TRAINABLE]
    slopes = pytensor.grad(cost, weights)
    rate = np.float32(rate)
    return [(w, w - rate * slopes[i]) for i, w in enumerate(weights)]
