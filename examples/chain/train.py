"""Train the network with plain PyTensor on 200 samples, then silence the long wires and see what they were worth.

python train.py [--steps N]
"""

import argparse
from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt

import graphnn_compiler as gnn

RATE, MOMENTUM, BATCH, KNOWN = 0.06, 0.9, 40, 200
FOLDER = Path(__file__).parent

parser = argparse.ArgumentParser(description="Learn the answers of a row of cells.")
parser.add_argument("--steps", type=int, default=400)
steps = parser.parse_args().steps

pytensor.config.floatX = "float32"  # numbers such as RATE are then float32, as the network is
net = gnn.build(FOLDER / "model.gnn", seed=0)
x, truth = pt.matrix("x"), pt.matrix("truth")
loss = net.loss(x, truth)
updates = net.state_updates(loss)  # the running statistics of the batch norm
for weights, slope in zip(net.trainable, pytensor.grad(loss, net.trainable), strict=True):
    velocity = pytensor.shared(np.zeros_like(weights.get_value()))
    updates[velocity] = MOMENTUM * velocity - RATE * slope
    updates[weights] = weights + updates[velocity]
step = pytensor.function([x, truth], loss, updates=updates, mode=net.mode)

with np.load(FOLDER / "rates.npz") as rates:
    data = rates["x"], rates["y"]
known, unseen = [array[:KNOWN] for array in data], [array[KNOWN:] for array in data]
random = np.random.default_rng(0)
for count in range(1, steps + 1):
    rows = random.choice(KNOWN, BATCH, replace=False)
    cost = step(*(array[rows] for array in known))
    if count % 100 == 0:
        print(f"step {count}: cost {cost:.3f}")

wired = np.unique(net.edges("heard", "far").target_keys)
answers = net(unseen[0])
net.set_weights({"heard.far.weights": 0 * net.weights["heard.far.weights"]})
for name, found in (("with the long wires", answers), ("without them", net(unseen[0]))):
    errors = np.abs(found - unseen[1])[:, wired].mean()
    print(f"mean absolute error at the {len(wired)} cells with long wires, {name}: {errors:.3f}")
