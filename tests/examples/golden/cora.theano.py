"""Two-layer graph convolution (Kipf & Welling 2017, arXiv:1609.02907) for papers that cite each other.

Printed for Theano from model.gnn; edges and weights are in cora.npz beside this file.

    p = parameters()
    masks = []
    layers = forward(p, masks=masks)
    cost = loss(p, layers)
    steps = updates(p, cost, 0.1, masks)
    step = theano.function([], cost, updates=steps)
"""

from pathlib import Path

import numpy as np
import theano
import theano.tensor as tt
from theano import sparse
from theano.tensor.shared_randomstreams import RandomStreams

FILE = Path(__file__).with_suffix(".npz")
SHAPES = {
    "hidden.scaled.weights": (60, 16),
    "hidden.bias": (16,),
    "topic.hidden.weights": (16, 7),
    "topic.bias": (7,),
}
TRAINABLE = list(SHAPES)
SEED = 0


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


def dropout(x, rate, masks):
    """Values are kept with probability 1 - rate and divided by it; nothing without masks."""
    if masks is None:
        return x
    random = RandomStreams(SEED + len(masks))
    kept = random.binomial(x.shape, p=1 - rate)
    masks.extend(random.updates())
    return tt.switch(kept, x / np.asarray(1 - rate, x.dtype), 0)


def relu(z):
    return tt.switch(z <= 0, 0, z)


def softmax(z, axis=-1):
    """Without its maximum z has the same softmax, and exp cannot overflow."""
    powers = tt.exp(z - z.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def row_normalize(x):
    """The channels of each unit divided by their sum; a zero sum gives 0."""
    total = x.sum(axis=-1, keepdims=True)
    empty = tt.eq(total, 0)
    return tt.switch(empty, 0, x / tt.switch(empty, 1, total))


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - tt.log(tt.exp(z).sum(axis=-1, keepdims=True))


def cross_entropy(logits, truth):
    """The mean of -log softmax at the true classes, of (rows, classes) and (rows,)."""
    return -log_softmax(logits)[tt.arange(truth.shape[0]), truth].mean()


def forward(p, bag=None, masks=None):
    """The outputs and what losses need, by name; with masks, those of training."""
    bag = tt.cast(p["bag.data"] if bag is None else bag, "float32")  # (140, 60)
    scaled = dropout(row_normalize(bag), 0.5, masks)  # (140, 60)
    scaled_to_hidden = sparse.CSR(
        p["hidden.scaled.scale"],
        p["hidden.scaled.indices"],
        p["hidden.scaled.indptr"],
        (140, 140),
    )
    hidden = sparse.structured_dot(
        scaled_to_hidden,
        tt.dot(scaled, p["hidden.scaled.weights"]),
    )
    hidden = dropout(relu(hidden + p["hidden.bias"]), 0.5, masks)  # (140, 16)
    topic = sparse.structured_dot(
        scaled_to_hidden,
        tt.dot(hidden, p["topic.hidden.weights"]),
    )
    topic_logits = topic + p["topic.bias"]
    topic = softmax(topic_logits)  # (140, 7)
    return {"topic": topic, "topic.logits": topic_logits}


def loss(p, layers, truth=None):
    """cost = cross_entropy(topic, truth, on = 35 of 140 units) + 0.00025 *
    l2(hidden.scaled.weights)
    """
    truth = tt.cast(p["truth.data"] if truth is None else truth, "int64")  # (140,)
    cost = cross_entropy(layers["topic.logits"][p["cost.on"]], truth[p["cost.on"]])
    return cost + np.float32(0.00025) * (p["hidden.scaled.weights"] ** 2).sum()


def metrics(p, layers, truth=None):
    """val = accuracy(topic, truth, on = 26 of 140 units)
    test = accuracy(topic, truth, on = 79 of 140 units)
    """
    truth = tt.cast(p["truth.data"] if truth is None else truth, "int64")  # (140,)
    val = tt.eq(layers["topic"][p["val.on"]].argmax(axis=-1), truth[p["val.on"]]).mean()
    test = tt.eq(layers["topic"][p["test.on"]].argmax(axis=-1), truth[p["test.on"]])
    test = test.mean()
    return {"val": val, "test": test}


def updates(p, cost, rate, masks=()):
    """A step of gradient descent, as pairs for a compiled function."""
    weights = [p[name] for name in TRAINABLE]
    slopes = theano.grad(cost, weights)
    rate = np.float32(rate)
    return [(w, w - rate * slopes[i]) for i, w in enumerate(weights)] + list(masks)
