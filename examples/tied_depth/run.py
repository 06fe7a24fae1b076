"""Build the network at several depths with the same weights, and see how far a source is heard in each.

python run.py
"""

from pathlib import Path

import numpy as np

import graphnn_compiler as gnn

MODEL = Path(__file__).parent / "model.gnn"

weights = None
for steps in (1, 2, 4):
    # the mesh is small: functions that start soon are worth more than fast ones
    net = gnn.build(MODEL, params={"steps": steps}, dtype="float64", mode="FAST_COMPILE")
    if weights is None:
        weights = net.weights
        names = [name for name in weights if name.startswith("h.") and name.endswith(".weights")]
        print(f"{sum(value.size for value in weights.values())} numbers; those of a step are", *names, sep="\n  ")
    net.set_weights(weights)  # tied steps have the same parameters, whatever their number
    nodes = net.plan.units["rhs"].keys
    silence = np.zeros(len(nodes))
    source = np.where(nodes == "r0c0", 1.0, 0.0)
    heard = np.count_nonzero(net(source) != net(silence))
    print(f"{steps} steps, {len(net.plan.layers)} layers: a source in the corner is heard by {heard} nodes")
