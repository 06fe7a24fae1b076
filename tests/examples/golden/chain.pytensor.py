"""Cells in a row: each hears 2 to 6 cells near it, drawn at random, and some hear one far away, by a listed wire.

Printed for PyTensor from model.gnn; edges and weights are in chain.npz beside this
file.

    p = parameters()
    masks = []
    layers = forward(p, x, masks=masks)
    cost = loss(p, layers, truth)
    steps = updates(p, cost, 0.1, masks)
    step = pytensor.function([x, truth], cost, updates=steps)
"""

from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor import sparse

FILE = Path(__file__).with_suffix(".npz")
SHAPES = {
    "heard.near.weights": (389,),
    "heard.far.weights": (24,),
    "heard.gain": (100,),
    "heard.shift": (100,),
    "heard.running_mean": (100,),
    "heard.running_variance": (100,),
    "smooth.heard.weights": (5,),
    "smooth.bias": (1,),
    "answer.smooth.weights": (100,),
    "answer.heard.weights": (100,),
    "answer.bias": (100,),
}
TRAINABLE = [
    "heard.near.weights",
    "heard.far.weights",
    "heard.gain",
    "heard.shift",
    "smooth.heard.weights",
    "smooth.bias",
    "answer.smooth.weights",
    "answer.heard.weights",
    "answer.bias",
]


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


def leaky_relu(z):
    return pt.switch(z <= 0, np.float32(0.01) * z, z)


def batch_norm(x, gain, shift, mean, variance, axis, masks):
    """Ioffe & Szegedy 2015; with a list for masks, of the batch itself.

    The running mean and variance follow those of the batch.
    """
    if masks is not None:
        now = x.mean(axis=axis)
        spread = ((x - now) ** 2).mean(axis=axis)
        size = pt.cast(x.size // now.size, x.dtype)
        for old, new in [(mean, now), (variance, spread * size / (size - 1))]:
            masks.append((old, np.float32(0.9) * old + np.float32(0.1) * new))
        mean, variance = now, spread
    return (x - mean) * (gain / pt.sqrt(variance + np.float32(1e-05))) + shift


def forward(p, x, masks=None):
    """The outputs and what losses need, by name; with masks, those of training."""
    x = pt.cast(x, "float32")  # (batch, 100)
    near_to_heard = sparse.CSR(
        p["heard.near.weights"],
        p["heard.near.indices"],
        p["heard.near.indptr"],
        (100, 100),
    )
    far_to_heard = sparse.CSR(
        p["heard.far.weights"],
        p["heard.far.indices"],
        p["heard.far.indptr"],
        (100, 100),
    )
    heard = sparse.structured_dot(near_to_heard, x.T).T
    heard = heard + sparse.structured_dot(far_to_heard, x.T).T
    heard = batch_norm(
        heard,
        p["heard.gain"],
        p["heard.shift"],
        p["heard.running_mean"],
        p["heard.running_variance"],
        0,
        masks,
    )
    heard = leaky_relu(heard)  # (batch, 100)
    heard_to_smooth = sparse.CSR(
        p["smooth.heard.weights"][p["smooth.heard.entries"]],
        p["smooth.heard.indices"],
        p["smooth.heard.indptr"],
        (100, 100),
    )
    smooth = sparse.structured_dot(heard_to_smooth, heard.T).T + p["smooth.bias"][0]
    smooth = leaky_relu(smooth)  # (batch, 100)
    answer = smooth * p["answer.smooth.weights"]
    # (batch, 100)
    answer = answer + heard * p["answer.heard.weights"] + p["answer.bias"]
    return {"answer": answer}


def loss(p, layers, truth):
    """cost = mse(answer, truth)"""
    truth = pt.cast(truth, "float32")  # (batch, 100)
    return ((layers["answer"] - truth) ** 2).mean()


def metrics(p, layers, truth):
    """off = mae(answer, truth)"""
    truth = pt.cast(truth, "float32")  # (batch, 100)
    off = abs(layers["answer"] - truth).mean()
    return {"off": off}


def updates(p, cost, rate, masks=()):
    """A step of gradient descent, as pairs for a compiled function."""
    weights = [p[name] for name in TRAINABLE]
    slopes = pytensor.grad(cost, weights, disconnected_inputs="ignore")
    rate = np.float32(rate)
    return [(w, w - rate * slopes[i]) for i, w in enumerate(weights)] + list(masks)
