"""A relational graph convolution (Schlichtkrull et al. 2018) that learns which language people speak.

Printed for Theano from model.gnn; edges and weights are in relational.npz beside this
file.

    p = parameters()
    layers = forward(p)
    cost = loss(p, layers)
    steps = updates(p, cost, 0.1)
    step = theano.function([], cost, updates=steps)
"""

from pathlib import Path

import numpy as np
import theano
import theano.tensor as tt
from theano import sparse

FILE = Path(__file__).with_suffix(".npz")
SHAPES = {
    "hidden.said.bases": (2, 96, 12),
    "hidden.said.coefficients": (4, 2),
    "hidden.heard.bases": (2, 96, 12),
    "hidden.heard.coefficients": (4, 2),
    "hidden.itself.weights": (96, 12),
    "hidden.bias": (12,),
    "language.said.bases": (2, 12, 3),
    "language.said.coefficients": (4, 2),
    "language.heard.bases": (2, 12, 3),
    "language.heard.coefficients": (4, 2),
    "language.itself.weights": (12, 3),
    "language.bias": (3,),
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


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - tt.log(tt.exp(z).sum(axis=-1, keepdims=True))


def cross_entropy(logits, truth):
    """The mean of -log softmax at the true classes, of (rows, classes) and (rows,)."""
    return -log_softmax(logits)[tt.arange(truth.shape[0]), truth].mean()


def forward(p, name=None):
    """The outputs, and what losses and metrics work from, by name."""
    name = tt.cast(p["name.data"] if name is None else name, "float32")  # (96, 96)
    said_to_hidden_by_group = sparse.CSR(
        p["hidden.said.by_group.scale"],
        p["hidden.said.by_group.indices"],
        p["hidden.said.by_group.indptr"],
        (384, 96),
    )
    said_to_hidden_sums = sparse.structured_dot(said_to_hidden_by_group, name)
    said_to_hidden_sums = said_to_hidden_sums.reshape((96, 384))
    said_to_hidden_weights = tt.dot(
        p["hidden.said.coefficients"],
        p["hidden.said.bases"].reshape((2, 1152)),
    )
    said_to_hidden_weights = said_to_hidden_weights.reshape((384, 12))
    heard_to_hidden_by_group = sparse.CSR(
        p["hidden.heard.by_group.scale"],
        p["hidden.heard.by_group.indices"],
        p["hidden.heard.by_group.indptr"],
        (384, 96),
    )
    heard_to_hidden_sums = sparse.structured_dot(heard_to_hidden_by_group, name)
    heard_to_hidden_sums = heard_to_hidden_sums.reshape((96, 384))
    heard_to_hidden_weights = tt.dot(
        p["hidden.heard.coefficients"],
        p["hidden.heard.bases"].reshape((2, 1152)),
    )
    heard_to_hidden_weights = heard_to_hidden_weights.reshape((384, 12))
    hidden = tt.dot(said_to_hidden_sums, said_to_hidden_weights)
    hidden = hidden + tt.dot(heard_to_hidden_sums, heard_to_hidden_weights)
    # (96, 12)
    hidden = relu(hidden + tt.dot(name, p["hidden.itself.weights"]) + p["hidden.bias"])
    said_to_language_sums = sparse.structured_dot(said_to_hidden_by_group, hidden)
    said_to_language_sums = said_to_language_sums.reshape((96, 48))
    said_to_language_weights = tt.dot(
        p["language.said.coefficients"],
        p["language.said.bases"].reshape((2, 36)),
    )
    said_to_language_weights = said_to_language_weights.reshape((48, 3))
    heard_to_language_sums = sparse.structured_dot(heard_to_hidden_by_group, hidden)
    heard_to_language_sums = heard_to_language_sums.reshape((96, 48))
    heard_to_language_weights = tt.dot(
        p["language.heard.coefficients"],
        p["language.heard.bases"].reshape((2, 36)),
    )
    heard_to_language_weights = heard_to_language_weights.reshape((48, 3))
    language = tt.dot(said_to_language_sums, said_to_language_weights)
    language = language + tt.dot(heard_to_language_sums, heard_to_language_weights)
    language = language + tt.dot(hidden, p["language.itself.weights"])
    language_logits = language + p["language.bias"]
    language = softmax(language_logits)  # (96, 3)
    return {"language": language, "language.logits": language_logits}


def loss(p, layers, spoken=None):
    """cost = cross_entropy(language, spoken, on = 48 of 96 units) + 0.0005 *
    l2(hidden.said.bases, hidden.heard.bases, hidden.itself.weights)
    """
    spoken = tt.cast(p["spoken.data"] if spoken is None else spoken, "int64")  # (96,)
    penalized = ["hidden.said.bases", "hidden.heard.bases", "hidden.itself.weights"]
    cost = cross_entropy(layers["language.logits"][p["cost.on"]], spoken[p["cost.on"]])
    return cost + np.float32(0.0005) * sum((p[name] ** 2).sum() for name in penalized)


def metrics(p, layers, spoken=None):
    """train = accuracy(language, spoken, on = 48 of 96 units)
    test = accuracy(language, spoken, on = 12 of 96 units)
    """
    spoken = tt.cast(p["spoken.data"] if spoken is None else spoken, "int64")  # (96,)
    train = tt.eq(
        layers["language"][p["cost.on"]].argmax(axis=-1),
        spoken[p["cost.on"]],
    )
    train = train.mean()
    test = tt.eq(layers["language"][p["test.on"]].argmax(axis=-1), spoken[p["test.on"]])
    test = test.mean()
    return {"train": train, "test": test}


def updates(p, cost, rate):
    """A step of gradient descent, as pairs for a compiled function."""
    weights = [p[name] for name in TRAINABLE]
    slopes = theano.grad(cost, weights)
    rate = np.float32(rate)
    return [(w, w - rate * slopes[i]) for i, w in enumerate(weights)]
