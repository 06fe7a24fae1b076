"""A convolutional network on 12 x 12 images, in which a convolution is an edge set like any other.

Printed for Theano from model.gnn; edges and weights are in convolution.npz beside this
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
    "strokes.x.weights": (9, 1, 4),
    "strokes.bias": (4,),
    "shapes.strokes.weights": (9, 4, 8),
    "shapes.bias": (8,),
    "kind.pooled.weights": (8, 3),
    "kind.bias": (3,),
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


def relu(z):
    return tt.switch(z <= 0, 0, z)


def softmax(z, axis=-1):
    """Without its maximum z has the same softmax, and exp cannot overflow."""
    powers = tt.exp(z - z.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def edge_sums(edges, x):
    """A (T, S) matrix times every sample and channel of x: (B, S, C) -> (B, T, C)."""
    n_samples, n_sources, n_channels = x.shape[0], x.shape[1], x.shape[2]
    columns = x.dimshuffle(1, 0, 2).reshape((n_sources, n_samples * n_channels))
    sums = sparse.structured_dot(edges, columns)
    return sums.reshape((sums.shape[0], n_samples, n_channels)).dimshuffle(1, 0, 2)


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - tt.log(tt.exp(z).sum(axis=-1, keepdims=True))


def cross_entropy(logits, truth):
    """The mean of -log softmax at the true classes, of (rows, classes) and (rows,)."""
    return -log_softmax(logits)[tt.arange(truth.shape[0]), truth].mean()


def forward(p, x):
    """The outputs, and what losses and metrics work from, by name."""
    x = tt.cast(x, "float32")  # (batch, 144)
    x_to_strokes_by_group = sparse.CSR(
        np.ones(1156, "float32"),
        p["strokes.x.by_group.indices"],
        p["strokes.x.by_group.indptr"],
        (1296, 144),
    )
    x_to_strokes_sums = sparse.structured_dot(x_to_strokes_by_group, x.T).T
    x_to_strokes_sums = x_to_strokes_sums.reshape((x.shape[0], 144, 9))
    strokes = tt.dot(x_to_strokes_sums, p["strokes.x.weights"].reshape((9, 4)))
    strokes = relu(strokes + p["strokes.bias"])  # (batch, 144, 4)
    strokes_to_shapes_sums = edge_sums(x_to_strokes_by_group, strokes)
    strokes_to_shapes_sums = strokes_to_shapes_sums.reshape((strokes.shape[0], 144, 36))
    shapes = tt.dot(
        strokes_to_shapes_sums,
        p["shapes.strokes.weights"].reshape((36, 8)),
    )
    shapes = relu(shapes + p["shapes.bias"])  # (batch, 144, 8)
    pooled = shapes.mean(axis=1, keepdims=True)  # (batch, 1, 8)
    kind = tt.dot(pooled.reshape((pooled.shape[0], 8)), p["kind.pooled.weights"])
    kind_logits = kind + p["kind.bias"]
    kind = softmax(kind_logits)  # (batch, 3)
    return {"kind": kind, "kind.logits": kind_logits}


def loss(p, layers, truth):
    """cost = cross_entropy(kind, truth) + 0.0001 * l2(strokes.x.weights,
    shapes.strokes.weights)
    """
    truth = tt.cast(truth, "int64")  # (batch,)
    penalized = ["strokes.x.weights", "shapes.strokes.weights"]
    cost = cross_entropy(layers["kind.logits"], truth)
    return cost + np.float32(0.0001) * sum((p[name] ** 2).sum() for name in penalized)


def metrics(p, layers, truth):
    """acc = accuracy(kind, truth)"""
    truth = tt.cast(truth, "int64")  # (batch,)
    acc = tt.eq(layers["kind"].argmax(axis=-1), truth).mean()
    return {"acc": acc}


def updates(p, cost, rate):
    """A step of gradient descent, as pairs for a compiled function."""
    weights = [p[name] for name in TRAINABLE]
    slopes = theano.grad(cost, weights)
    rate = np.float32(rate)
    return [(w, w - rate * slopes[i]) for i, w in enumerate(weights)]
