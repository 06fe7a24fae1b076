"""Time and memory of examples/seed_100k, stage by stage, as a Markdown table.

    python benchmarks/seed_100k.py [--units N] [--batch N] [--rounds N]

Check, build and first calls run once; forward and backward are medians of rounds that alternate with the same
network's forward pass in SciPy CSR and NumPy. Only ratios within one run compare: other work on the machine moves all
figures. Memory is the largest resident set of this process up to the end of the stage.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from scipy.special import softmax

import graphnn_compiler as gnn

SCIPY = "SciPy forward"
EXAMPLE = Path(__file__).parents[1] / "examples" / "seed_100k"


@dataclass(frozen=True)
class Row:
    """A stage: seconds, and the peak memory so far in MiB; None where the figure is not of this program."""

    stage: str
    seconds: float
    peak: float | None


def peak_mib() -> float:
    """Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def seconds(action: Callable[[], Any]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def once(stage: str, action: Callable[[], Any]) -> tuple[Row, Any]:
    started = time.perf_counter()
    result = action()
    return Row(stage, time.perf_counter() - started, peak_mib()), result


def scipy_forward(net: gnn.Network, x: NDArray) -> Callable[[], NDArray]:
    """The network's forward pass in SciPy and NumPy: x (batch, units) -> probabilities (batch, 10)."""
    first, second = (net.edges(layer).to_scipy() for layer in ("first", "second"))
    values = net.weights

    def forward() -> NDArray:
        hidden = np.tanh(first @ x.T + values["first.bias"][:, None])
        hidden = np.tanh(second @ hidden + values["second.bias"][:, None])
        probabilities: NDArray = softmax(hidden.T @ values["label.second.weights"] + values["label.bias"], axis=1)
        return probabilities

    return forward


def measure(folder: Path, units: int, batch: int, rounds: int) -> list[Row]:
    program = EXAMPLE / "model.gnn"
    params: dict[str, int | str] = {"units": units, "wires": str(folder / "edges.csv")}
    checked, problems = once("check (no data)", lambda: gnn.check(program, params=params))
    assert not problems
    built, net = once("build", lambda: gnn.build(program, params=params))

    x, truth = pt.fmatrix("x"), pt.lvector("truth")
    forward = pytensor.function([x], net.symbolic(x), mode=net.mode)
    loss = net.loss(x, truth)
    backward = pytensor.function([x, truth], [loss, *pytensor.grad(loss, [x, *net.trainable])], mode=net.mode)
    random = np.random.default_rng(0)
    signal = random.standard_normal((batch, units), dtype=np.float32)
    classes = random.integers(10, size=batch)
    first, output = once("first forward call", lambda: forward(signal))
    again, _ = once("first forward + backward call", lambda: backward(signal, classes))

    peak = peak_mib()  # SciPy has not run yet
    reference = scipy_forward(net, signal)
    np.testing.assert_allclose(output, reference(), rtol=1e-3)
    actions = {
        "forward": lambda: forward(signal),
        "forward + backward": lambda: backward(signal, classes),
        SCIPY: reference,
    }
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times[name].append(seconds(action))
    medians = [Row(name, statistics.median(taken), None if name == SCIPY else peak) for name, taken in times.items()]
    return [checked, built, first, again, *medians]


def table(rows: list[Row]) -> str:
    reference = rows[-1].seconds
    lines = ["| stage | ms | of SciPy forward | peak memory, MiB |", "|---|---:|---:|---:|"]
    for row in rows:
        peak = "" if row.peak is None else f"{row.peak:,.0f}"
        lines.append(f"| {row.stage} | {1000 * row.seconds:,.1f} | {row.seconds / reference:,.2f} | {peak} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure examples/seed_100k stage by stage.")
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=15)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        maker = [
            sys.executable,
            str(EXAMPLE / "make_data.py"),
            "--units",
            str(wishes.units),
            "-o",
            f"{folder}/edges.csv",
        ]
        subprocess.run(maker, check=True)
        rows = measure(Path(folder), wishes.units, wishes.batch, wishes.rounds)
    print(f"{wishes.units:,} units a layer, batch {wishes.batch}, float32, PyTensor {pytensor.__version__}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
