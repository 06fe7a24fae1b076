"""Build examples/seed_100k and compute its first outputs; print seconds of the build, and of both.

python -m peers.first_result EDGES UNITS
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

started = time.perf_counter()

import numpy as np  # noqa: E402 # imports count

import graphnn_compiler as gnn  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "seed_100k"


def main() -> None:
    units = int(sys.argv[2])
    net = gnn.build(EXAMPLE / "model.gnn", params={"wires": sys.argv[1], "units": units}, seed=0)
    built = time.perf_counter() - started
    outputs = net(np.zeros((32, units), dtype=np.float32))
    assert np.allclose(outputs, 0.1)
    print(built, time.perf_counter() - started)


if __name__ == "__main__":
    main()
