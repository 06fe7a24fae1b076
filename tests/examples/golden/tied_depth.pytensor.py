"""One graph layer, applied again and again with the same weights, spreads a source over a mesh.

Printed for PyTensor from model.gnn; edges and weights are in tied_depth.npz beside this
file.

    p = parameters()
    layers = forward(p, rhs)
    cost = loss(p, layers, truth)
    steps = updates(p, cost, 0.1)
    step = pytensor.function([rhs, truth], cost, updates=steps)
"""

from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor import sparse

FILE = Path(__file__).with_suffix(".npz")
SHAPES = {
    "start.lift.x.weights": (1, 6),
    "start.lift.bias": (6,),
    "h.msg.h.weights": (4, 6, 6),
    "h.msg.start.weights": (6, 6),
    "h.msg.bias": (6,),
    "h.gru.reset.m.weights": (6, 6),
    "h.gru.reset.h.weights": (6, 6),
    "h.gru.reset.bias": (6,),
    "h.gru.update.m.weights": (6, 6),
    "h.gru.update.h.weights": (6, 6),
    "h.gru.update.bias": (6,),
    "h.gru.new.m.weights": (6, 6),
    "h.gru.new.h.weights": (6, 6),
    "h.gru.new.bias": (6,),
    "solution.inner.h.weights": (6, 8),
    "solution.inner.bias": (8,),
    "solution.outer.inner.weights": (8, 1),
    "solution.outer.bias": (1,),
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


def edge_sums(edges, x):
    """A (T, S) matrix times every sample and channel of x: (B, S, C) -> (B, T, C)."""
    n_samples, n_sources, n_channels = x.shape[0], x.shape[1], x.shape[2]
    columns = x.dimshuffle(1, 0, 2).reshape((n_sources, n_samples * n_channels))
    sums = sparse.structured_dot(edges, columns)
    return sums.reshape((sums.shape[0], n_samples, n_channels)).dimshuffle(1, 0, 2)


def forward(p, rhs):
    """The outputs, and what losses and metrics work from, by name."""
    rhs = pt.cast(rhs, "float32")  # (batch, 36)
    start_lift = pt.shape_padright(rhs) * p["start.lift.x.weights"][0]
    start_lift = pt.tanh(start_lift + p["start.lift.bias"])  # (batch, 36, 6)
    start = start_lift  # (batch, 36, 6)
    h_to_h_1_msg_by_group = sparse.CSR(
        p["h.1.msg.h.by_group.scale"],
        p["h.1.msg.h.by_group.indices"],
        p["h.1.msg.h.by_group.indptr"],
        (144, 36),
    )
    h_to_h_1_msg_sums = edge_sums(h_to_h_1_msg_by_group, start)
    h_to_h_1_msg_sums = h_to_h_1_msg_sums.reshape((start.shape[0], 36, 24))
    h_1_msg = pt.dot(h_to_h_1_msg_sums, p["h.msg.h.weights"].reshape((24, 6)))
    h_1_msg = h_1_msg + pt.dot(start, p["h.msg.start.weights"]) + p["h.msg.bias"]
    h_1_msg = pt.tanh(h_1_msg)  # (batch, 36, 6)
    h_1_gru_reset = pt.dot(h_1_msg, p["h.gru.reset.m.weights"])
    h_1_gru_reset = h_1_gru_reset + pt.dot(start, p["h.gru.reset.h.weights"])
    h_1_gru_reset = pt.sigmoid(h_1_gru_reset + p["h.gru.reset.bias"])  # (batch, 36, 6)
    h_1_gru_update = pt.dot(h_1_msg, p["h.gru.update.m.weights"])
    h_1_gru_update = h_1_gru_update + pt.dot(start, p["h.gru.update.h.weights"])
    # (batch, 36, 6)
    h_1_gru_update = pt.sigmoid(h_1_gru_update + p["h.gru.update.bias"])
    h_1_gru_kept = h_1_gru_reset * start  # (batch, 36, 6)
    h_1_gru_new = pt.dot(h_1_msg, p["h.gru.new.m.weights"])
    h_1_gru_new = h_1_gru_new + pt.dot(h_1_gru_kept, p["h.gru.new.h.weights"])
    h_1_gru_new = pt.tanh(h_1_gru_new + p["h.gru.new.bias"])  # (batch, 36, 6)
    # (batch, 36, 6)
    h_1_gru_state = h_1_gru_update * start + (1 - h_1_gru_update) * h_1_gru_new
    h_to_h_2_msg_sums = edge_sums(h_to_h_1_msg_by_group, h_1_gru_state)
    h_to_h_2_msg_sums = h_to_h_2_msg_sums.reshape((h_1_gru_state.shape[0], 36, 24))
    h_2_msg = pt.dot(h_to_h_2_msg_sums, p["h.msg.h.weights"].reshape((24, 6)))
    h_2_msg = h_2_msg + pt.dot(start, p["h.msg.start.weights"]) + p["h.msg.bias"]
    h_2_msg = pt.tanh(h_2_msg)  # (batch, 36, 6)
    h_2_gru_reset = pt.dot(h_2_msg, p["h.gru.reset.m.weights"])
    h_2_gru_reset = h_2_gru_reset + pt.dot(h_1_gru_state, p["h.gru.reset.h.weights"])
    h_2_gru_reset = pt.sigmoid(h_2_gru_reset + p["h.gru.reset.bias"])  # (batch, 36, 6)
    h_2_gru_update = pt.dot(h_2_msg, p["h.gru.update.m.weights"])
    h_2_gru_update = h_2_gru_update + pt.dot(h_1_gru_state, p["h.gru.update.h.weights"])
    # (batch, 36, 6)
    h_2_gru_update = pt.sigmoid(h_2_gru_update + p["h.gru.update.bias"])
    h_2_gru_kept = h_2_gru_reset * h_1_gru_state  # (batch, 36, 6)
    h_2_gru_new = pt.dot(h_2_msg, p["h.gru.new.m.weights"])
    h_2_gru_new = h_2_gru_new + pt.dot(h_2_gru_kept, p["h.gru.new.h.weights"])
    h_2_gru_new = pt.tanh(h_2_gru_new + p["h.gru.new.bias"])  # (batch, 36, 6)
    # (batch, 36, 6)
    h_2_gru_state = h_2_gru_update * h_1_gru_state + (1 - h_2_gru_update) * h_2_gru_new
    solution_inner = pt.dot(h_2_gru_state, p["solution.inner.h.weights"])
    # (batch, 36, 8)
    solution_inner = pt.tanh(solution_inner + p["solution.inner.bias"])
    solution_outer = pt.dot(solution_inner, p["solution.outer.inner.weights"])[:, :, 0]
    solution_outer = solution_outer + p["solution.outer.bias"][0]  # (batch, 36)
    solution = solution_outer  # (batch, 36)
    return {"solution": solution}


def loss(p, layers, truth):
    """cost = mse(solution, truth) + 1e-05 * l2(h.msg.h.weights)"""
    truth = pt.cast(truth, "float32")  # (batch, 36)
    cost = ((layers["solution"] - truth) ** 2).mean()
    return cost + np.float32(1e-05) * (p["h.msg.h.weights"] ** 2).sum()


def updates(p, cost, rate):
    """A step of gradient descent, as pairs for a compiled function."""
    weights = [p[name] for name in TRAINABLE]
    slopes = pytensor.grad(cost, weights)
    rate = np.float32(rate)
    return [(w, w - rate * slopes[i]) for i, w in enumerate(weights)]
