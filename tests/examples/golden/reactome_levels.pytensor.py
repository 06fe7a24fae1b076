"""Proteins -> four levels of a pathway hierarchy -> one score, cut the way P-NET and BINN cut Reactome.

Printed for PyTensor from model.gnn; edges and weights are in reactome_levels.npz beside
this file.

    p = parameters()
    layers = forward(p, x)
    cost = loss(p, layers, group)
    steps = updates(p, cost, 0.1)
    step = pytensor.function([x, group], cost, updates=steps)
"""

from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor import sparse

FILE = Path(__file__).with_suffix(".npz")
SHAPES = {
    "l4.x.weights": (242,),
    "l4.bias": (39,),
    "l3.l4.weights": (45,),
    "l3.bias": (26,),
    "l2.l3.weights": (30,),
    "l2.bias": (15,),
    "l1.l2.weights": (19,),
    "l1.bias": (6,),
    "score.l1.weights": (6, 1),
    "score.bias": (1,),
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


def binary_cross_entropy(logits, truth):
    return (pt.softplus(logits) - logits * truth).mean()


def forward(p, x):
    """The outputs, and what losses and metrics work from, by name."""
    x = pt.cast(x, "float32")  # (batch, 112)
    x_to_l4 = sparse.CSR(
        p["l4.x.weights"],
        p["l4.x.indices"],
        p["l4.x.indptr"],
        (39, 112),
    )
    l4 = pt.tanh(sparse.structured_dot(x_to_l4, x.T).T + p["l4.bias"])  # (batch, 39)
    l4_to_l3 = sparse.CSR(
        p["l3.l4.weights"],
        p["l3.l4.indices"],
        p["l3.l4.indptr"],
        (26, 39),
    )
    l3 = pt.tanh(sparse.structured_dot(l4_to_l3, l4.T).T + p["l3.bias"])  # (batch, 26)
    l3_to_l2 = sparse.CSR(
        p["l2.l3.weights"],
        p["l2.l3.indices"],
        p["l2.l3.indptr"],
        (15, 26),
    )
    l2 = pt.tanh(sparse.structured_dot(l3_to_l2, l3.T).T + p["l2.bias"])  # (batch, 15)
    l2_to_l1 = sparse.CSR(
        p["l1.l2.weights"],
        p["l1.l2.indices"],
        p["l1.l2.indptr"],
        (6, 15),
    )
    l1 = pt.tanh(sparse.structured_dot(l2_to_l1, l2.T).T + p["l1.bias"])  # (batch, 6)
    score_logits = pt.dot(l1, p["score.l1.weights"]) + p["score.bias"]
    score = pt.sigmoid(score_logits)  # (batch, 1)
    return {"score": score, "score.logits": score_logits}


def loss(p, layers, group):
    """cost = binary_cross_entropy(score, group) + 0.0001 * l2(l4.x.weights,
    l3.l4.weights, l2.l3.weights, l1.l2.weights)
    """
    group = pt.cast(group, "float32")  # (batch, 1)
    penalized = ["l4.x.weights", "l3.l4.weights", "l2.l3.weights", "l1.l2.weights"]
    cost = binary_cross_entropy(layers["score.logits"], group)
    return cost + np.float32(0.0001) * sum((p[name] ** 2).sum() for name in penalized)


def metrics(p, layers, group):
    """hits = accuracy(score, group)"""
    group = pt.cast(group, "float32")  # (batch, 1)
    hits = pt.eq(layers["score"] > 0.5, group > 0.5).mean()
    return {"hits": hits}


def updates(p, cost, rate):
    """A step of gradient descent, as pairs for a compiled function."""
    weights = [p[name] for name in TRAINABLE]
    slopes = pytensor.grad(cost, weights)
    rate = np.float32(rate)
    return [(w, w - rate * slopes[i]) for i, w in enumerate(weights)]
