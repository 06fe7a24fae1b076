"""Tomorrow's boardings at the stops of a city: from stops nearby and well connected, from whole districts, and back.

Printed for Theano from model.gnn; edges and weights are in pooled_stops.npz beside this
file.

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
    "heard.today.weights": (6, 12),
    "heard.own.weights": (6, 12),
    "heard.bias": (12,),
    "tomorrow.joined.weights": (24, 6),
    "tomorrow.bias": (6,),
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


def forward(p, today=None, masks=None):
    """The outputs and what losses need, by name; with masks, those of training."""
    today = tt.cast(p["today.data"] if today is None else today, "float32")  # (120, 6)
    today_to_heard = sparse.CSR(
        p["heard.today.scale"],
        p["heard.today.indices"],
        p["heard.today.indptr"],
        (120, 120),
    )
    heard = tt.dot(
        sparse.structured_dot(today_to_heard, today),
        p["heard.today.weights"],
    )
    # (120, 12)
    heard = relu(heard + tt.dot(today, p["heard.own.weights"]) + p["heard.bias"])
    today_to_pooled = sparse.CSR(
        p["pooled.today.scale"],
        p["pooled.today.indices"],
        p["pooled.today.indptr"],
        (6, 120),
    )
    pooled = sparse.structured_dot(today_to_pooled, today)  # (6, 6)
    pooled_to_back = sparse.CSR(
        np.ones(120, "float32"),
        p["back.pooled.indices"],
        p["back.pooled.indptr"],
        (120, 6),
    )
    back = sparse.structured_dot(pooled_to_back, pooled)  # (120, 6)
    # (120, 24)
    joined = dropout(tt.concatenate([heard, back, today], axis=-1), 0.1, masks)
    # (120, 6)
    tomorrow = tt.dot(joined, p["tomorrow.joined.weights"]) + p["tomorrow.bias"]
    return {"tomorrow": tomorrow}


def loss(p, layers, truth=None):
    """cost = mse(tomorrow, truth, on = 82 of 120 units) + 0.0001 *
    l2(heard.today.weights, heard.own.weights)
    """
    truth = tt.cast(p["truth.data"] if truth is None else truth, "float32")  # (120, 6)
    penalized = ["heard.today.weights", "heard.own.weights"]
    cost = ((layers["tomorrow"][p["cost.on"]] - truth[p["cost.on"]]) ** 2).mean()
    return cost + np.float32(0.0001) * sum((p[name] ** 2).sum() for name in penalized)


def metrics(p, layers, truth=None):
    """off = mae(tomorrow, truth, on = 38 of 120 units)"""
    truth = tt.cast(p["truth.data"] if truth is None else truth, "float32")  # (120, 6)
    off = abs(layers["tomorrow"][p["off.on"]] - truth[p["off.on"]]).mean()
    return {"off": off}


def updates(p, cost, rate, masks=()):
    """A step of gradient descent, as pairs for a compiled function."""
    weights = [p[name] for name in TRAINABLE]
    slopes = theano.grad(cost, weights)
    rate = np.float32(rate)
    return [(w, w - rate * slopes[i]) for i, w in enumerate(weights)] + list(masks)
