"""Train on the people whose language is known, with plain PyTensor, and test on the others.

python train.py [--steps N]
"""

import argparse
from pathlib import Path

import pytensor

import graphnn_compiler as gnn

pytensor.config.floatX = "float32"  # numbers are then float32, as the network is

parser = argparse.ArgumentParser(description="Learn which language people speak.")
parser.add_argument("--steps", type=int, default=200)
steps = parser.parse_args().steps

net = gnn.build(Path(__file__).parent / "model.gnn", seed=0)
loss = net.loss()  # every input and target has its data: nothing is left to be given
slopes = pytensor.grad(loss, net.trainable)
updates = [(w, w - 1.0 * slope) for w, slope in zip(net.trainable, slopes, strict=True)]
step = pytensor.function([], loss, updates=updates, mode=net.mode)
for count in range(1, steps + 1):
    cost = step()
    if count % 50 == 0:
        print(f"step {count:3}: cost {cost:.3f}")
found = net.evaluate()
print(f"train accuracy {found['train']:.3f}, test accuracy {found['test']:.3f}")
