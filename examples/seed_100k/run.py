"""Build the network and run it forward and backward once, on a batch of 32; print sizes, times and peak memory.

python run.py [--batch N]
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt

import graphnn_compiler as gnn

parser = argparse.ArgumentParser(description="One forward and one backward pass of 100,000 neurons a layer.")
parser.add_argument("--batch", type=int, default=32)
batch = parser.parse_args().batch

started = time.perf_counter()
net = gnn.build(Path(__file__).parent / "model.gnn", seed=0)
print(f"{net} built in {time.perf_counter() - started:.2f} s")

x, truth = pt.fmatrix("x"), pt.lvector("truth")
forward = pytensor.function([x], net.symbolic(x), mode=net.mode)
loss = net.loss(x, truth)
backward = pytensor.function([x, truth], [loss, *pytensor.grad(loss, [x, *net.trainable])], mode=net.mode)

random = np.random.default_rng(0)
n_units = len(net.plan.units["x"])
signal = random.standard_normal((batch, n_units), dtype=np.float32)
classes = random.integers(10, size=batch)
for name, function, given in [("forward", forward, [signal]), ("backward", backward, [signal, classes])]:
    function(*given)  # the first call compiles machine code
    started = time.perf_counter()
    function(*given)
    print(f"{name} pass of {batch} samples in {1000 * (time.perf_counter() - started):.1f} ms")

# Linux counts in KiB, macOS in bytes
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(f"peak memory {peak / 2**20:.0f} MiB")
