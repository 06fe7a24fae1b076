"""100,000 neurons in each of three layers; a neuron hears 2 to 6 given neurons of the layer before it.

Printed for Theano from model.gnn; edges and weights are in seed_100k.npz beside this
file.

    p = parameters()
    layers = forward(p, x)
    cost = loss(p, layers, truth)
    steps = updates(p, cost, 0.1)
    step = theano.function([x, truth], cost, updates=steps)
"""

from pathlib import Path

import numpy as np
import theano
import theano.tensor as tt
from theano import sparse

FILE = Path(__file__).with_suffix(".npz")
SHAPES = {
    "first.x.weights": (3955,),
    "first.bias": (1000,),
    "second.first.weights": (3955,),
    "second.bias": (1000,),
    "label.second.weights": (1000, 10),
    "label.bias": (10,),
}
TRAINABLE = list(SHAPES)


def parameters(file=FILE):
    """All that the file holds, as shared variables by name: weights, edges and data."""
    with np.load(file, allow_pickle=False) as arrays:
        p = {name: theano.shared(arrays[name], name=name) for name in arrays.files}
    for name, shape in SHAPES.items():
        if p[name].get_value(borrow=True).shape != shape:
            raise ValueError(f"{name} in {file} is not of shape {shape}")
    return p


def save(p, file):
    """Write what `parameters` reads, with the values that the weights have now."""
    np.savez(file, **{name: variable.get_value() for name, variable in p.items()})


def softmax(z, axis=-1):
    """Without its maximum z has the same softmax, and exp cannot overflow."""
    powers = tt.exp(z - z.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - tt.log(tt.exp(z).sum(axis=-1, keepdims=True))


def cross_entropy(logits, truth):
    """The mean of -log softmax at the true classes, of (rows, classes) and (rows,)."""
    return -log_softmax(logits)[tt.arange(truth.shape[0]), truth].mean()


def forward(p, x):
    """The outputs, and what losses and metrics work from, by name."""
    x = tt.cast(x, "float32")  # (batch, 1000)
    x_to_first = sparse.CSR(
        p["first.x.weights"],
        p["first.x.indices"],
        p["first.x.indptr"],
        (1000, 1000),
    )
    # (batch, 1000)
    first = tt.tanh(sparse.structured_dot(x_to_first, x.T).T + p["first.bias"])
    first_to_second = sparse.CSR(
        p["second.first.weights"],
        p["first.x.indices"],
        p["first.x.indptr"],
        (1000, 1000),
    )
    second = sparse.structured_dot(first_to_second, first.T).T + p["second.bias"]
    second = tt.tanh(second)  # (batch, 1000)
    label_logits = tt.dot(second, p["label.second.weights"]) + p["label.bias"]
    label = softmax(label_logits)  # (batch, 10)
    return {"label": label, "label.logits": label_logits}


def loss(p, layers, truth):
    """cost = cross_entropy(label, truth)"""
    truth = tt.cast(truth, "int64")  # (batch,)
    return cross_entropy(layers["label.logits"], truth)


def updates(p, cost, rate):
    """A step of gradient descent, as pairs for a compiled function."""
    weights = [p[name] for name in TRAINABLE]
    slopes = theano.grad(cost, weights)
    rate = np.float32(rate)
    return [(w, w - rate * slopes[i]) for i, w in enumerate(weights)]
