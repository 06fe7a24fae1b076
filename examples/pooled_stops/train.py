"""Train the network with plain PyTensor, then compare it with the guess that tomorrow will be like today.

python train.py [--steps N]
"""

import argparse
from pathlib import Path

import numpy as np
import pytensor

import graphnn_compiler as gnn

RATE, MOMENTUM = 0.05, 0.9
FOLDER = Path(__file__).parent

parser = argparse.ArgumentParser(description="Forecast tomorrow's boardings.")
parser.add_argument("--steps", type=int, default=300)
steps = parser.parse_args().steps

pytensor.config.floatX = "float32"  # numbers such as RATE are then float32, as the network is
net = gnn.build(FOLDER / "model.gnn", seed=0)
loss = net.loss(training=True)  # every input and target has its data; dropout is on
updates = net.state_updates(loss)
for weights, slope in zip(net.trainable, pytensor.grad(loss, net.trainable), strict=True):
    velocity = pytensor.shared(np.zeros_like(weights.get_value()))
    updates[velocity] = MOMENTUM * velocity - RATE * slope
    updates[weights] = weights + updates[velocity]
step = pytensor.function([], loss, updates=updates, mode=net.mode)

for count in range(1, steps + 1):
    cost = step()
    if count % 100 == 0:
        print(f"step {count}: cost {cost:.3f}")

days = [
    np.loadtxt(FOLDER / f"{day}.csv", delimiter=",", skiprows=1, usecols=range(1, 7)) for day in ("today", "tomorrow")
]
unseen = np.loadtxt(FOLDER / "stops.csv", delimiter=",", skiprows=1, usecols=5, dtype=str)[: len(days[0])] == "test"
as_today = np.abs(days[1] - days[0])[unseen].mean()
print(f"mean absolute error at {unseen.sum()} stops it was not trained on: {net.evaluate()['off']:.3f}")
print(f"of the guess that tomorrow will be like today: {as_today:.3f}")
