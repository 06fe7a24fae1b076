"""Train the two-layer GCN as Kipf & Welling did: Adam at 0.01, dropout, all papers in each step.

python train.py [--data FOLDER] [--epochs N] [--seed S]
"""

import argparse
from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt

import graphnn_compiler as gnn

RATE, DECAY, DECAY_SQUARE, TINY = 0.01, 0.9, 0.999, 1e-8
FOLDER = Path(__file__).parent

parser = argparse.ArgumentParser(description="Train the GCN and print its test accuracy.")
parser.add_argument("--data", type=Path, default=FOLDER / "data", metavar="FOLDER")
parser.add_argument("--epochs", type=int, default=200)
parser.add_argument("--seed", type=int, default=0)
wishes = parser.parse_args()


def adam(cost, weights):
    """The updates of one step of Adam (Kingma & Ba 2015, arXiv:1412.6980)."""
    time = pytensor.shared(np.float32(0))
    updates = {time: time + 1}
    for variable, slope in zip(weights, pytensor.grad(cost, weights), strict=True):
        mean, square = (pytensor.shared(np.zeros_like(variable.get_value())) for _ in range(2))
        updates[mean] = DECAY * mean + (1 - DECAY) * slope
        updates[square] = DECAY_SQUARE * square + (1 - DECAY_SQUARE) * slope**2
        unbiased = updates[mean] / (1 - DECAY ** updates[time])
        spread = pt.sqrt(updates[square] / (1 - DECAY_SQUARE ** updates[time]))
        updates[variable] = variable - RATE * unbiased / (spread + TINY)
    return updates


pytensor.config.floatX = "float32"
net = gnn.build(FOLDER / "model.gnn", params={"data": str(wishes.data)}, seed=wishes.seed)
loss = net.loss(training=True)  # dropout is on; its masks are drawn anew in each step by `state_updates`
step = pytensor.function([], loss, updates=adam(loss, net.trainable) | net.state_updates(loss), mode=net.mode)
for epoch in range(1, wishes.epochs + 1):
    cost = step()
    if epoch % 50 == 0:
        print(f"epoch {epoch:3}: cost {cost:.3f}")

found = net.evaluate()
print(f"validation accuracy {found['val']:.3f}, test accuracy {found['test']:.3f}")
