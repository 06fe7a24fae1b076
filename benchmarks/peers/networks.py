"""The whole networks that are compared: their data, start values and rates, as files for the workers.

    wired   x[784] - dense, tanh - sparse, tanh - dense, softmax: cross entropy
    deep    four sparse layers in a row, each with tanh: mean square from a target
    gcn     examples/cora: two graph convolutions, dropout, weight decay: cross entropy of some papers

Runs under Python 3.8 and later with NumPy alone; the papers are drawn by the example's own script, under the Python
that runs the benchmark.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peers.problem import draw

RATE = {"wired": 0.02, "deep": 2.0, "gcn": 0.2}
"""Of stochastic gradient descent."""
PIXELS, CLASSES, DEPTH = 784, 10, 4
PAPERS, WORDS, WIDTH, TOPICS = 2708, 1433, 16, 7
"""The sizes of Cora."""
EXAMPLE = Path(__file__).parents[2] / "examples" / "cora"


def write(folder: Path, name: str, units: int, batch: int, seed: int) -> None:
    """`arrays.npz`: data and start values of a network; for `gcn` also the folder `data` (units: papers)."""
    folder.mkdir(parents=True)
    random = np.random.default_rng([seed, units])
    arrays = {"wired": wired, "deep": deep, "gcn": gcn}[name](random, units, batch, seed)
    np.savez(folder / "arrays.npz", **arrays)
    if name == "gcn":
        script = str(EXAMPLE / "make_lookalike.py")
        sizes = ["--papers", str(units), "--words", str(WORDS), "--seed", str(seed)]
        subprocess.run([sys.executable, script, *sizes, "-o", str(folder / "data")], check=True)


def read(folder: Path) -> dict[str, NDArray]:
    return load(folder / "arrays.npz")


def load(path: Path) -> dict[str, NDArray]:
    with np.load(path) as arrays:
        return dict(arrays)


def difference(values: NDArray, expected: NDArray, start: NDArray) -> float:
    """The largest difference, as a part of the largest change that training made to the expected values."""
    return float(np.max(np.abs(values - expected)) / np.max(np.abs(expected - start)))


def normal(random: np.random.Generator, *shape: int, scale: float = 1.0) -> NDArray:
    return scale * random.standard_normal(shape, dtype=np.float32)


def sparse(number: int, units: int, seed: int) -> dict[str, NDArray]:
    graph = draw(units, 1, seed + number)
    return {
        f"indptr_{number}": graph.indptr,
        f"indices_{number}": graph.indices,
        f"weights_{number}": graph.weights,
        f"bias_{number}": graph.bias / 10,
    }


def wired(random: np.random.Generator, units: int, batch: int, seed: int) -> dict[str, NDArray]:
    return {
        "x": random.random((batch, PIXELS), dtype=np.float32),
        "truth": random.integers(CLASSES, size=batch),
        "first": normal(random, PIXELS, units, scale=0.05),
        "first_bias": normal(random, units, scale=0.1),
        **sparse(0, units, seed),
        "last": normal(random, units, CLASSES, scale=0.01),
        "last_bias": np.zeros(CLASSES, np.float32),
    }


def deep(random: np.random.Generator, units: int, batch: int, seed: int) -> dict[str, NDArray]:
    arrays = {"x": normal(random, batch, units), "truth": np.tanh(normal(random, batch, units))}
    for number in range(DEPTH):
        arrays |= sparse(number, units, seed)
    return arrays


def gcn(random: np.random.Generator, units: int, batch: int, seed: int) -> dict[str, NDArray]:
    return {
        "weights_0": normal(random, WORDS, WIDTH, scale=0.1),
        "bias_0": np.zeros(WIDTH, np.float32),
        "weights_1": normal(random, WIDTH, TOPICS, scale=0.3),
        "bias_1": np.zeros(TOPICS, np.float32),
    }
