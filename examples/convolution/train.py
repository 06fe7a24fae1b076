"""Train the network with plain PyTensor on two thirds of the images, and test it on the others.

python train.py [--epochs N]
"""

import argparse
from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt

import graphnn_compiler as gnn

pytensor.config.floatX = "float32"  # numbers such as RATE are then float32, as the network is

BATCH, RATE, MOMENTUM = 20, 0.1, 0.9
FOLDER = Path(__file__).parent

parser = argparse.ArgumentParser(description="Train the network on 120 images, test it on 60.")
parser.add_argument("--epochs", type=int, default=30)
epochs = parser.parse_args().epochs

with np.load(FOLDER / "bars.npz") as bars:
    images, kinds = bars["x"], bars["truth"]
training, test = np.arange(120), np.arange(120, 180)

net = gnn.build(FOLDER / "model.gnn", seed=1)
x, truth = pt.matrix("x"), pt.lvector("truth")
loss = net.loss(x, truth)
updates = {}
for weights, slope in zip(net.trainable, pytensor.grad(loss, net.trainable), strict=True):
    velocity = pytensor.shared(np.zeros_like(weights.get_value()))
    updates[velocity] = MOMENTUM * velocity - RATE * slope
    updates[weights] = weights + updates[velocity]
step = pytensor.function([x, truth], loss, updates=updates, mode=net.mode)

random = np.random.default_rng(1)
for epoch in range(1, epochs + 1):
    random.shuffle(training)
    costs = [step(images[some], kinds[some]) for some in np.array_split(training, len(training) // BATCH)]
    if epoch in (1, epochs) or epoch % 10 == 0:
        print(f"epoch {epoch:2}: mean cost {np.mean(costs):.3f}")
print(f"test accuracy {net.evaluate(images[test], kinds[test])['acc']:.3f} on {len(test)} images")
