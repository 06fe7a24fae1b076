"""Write a random edge file: each neuron hears 2 to 6 distinct others, drawn from the whole layer.

python make_data.py [--units N] [--seed S] [-o FILE]
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

LEAST, MOST = 2, 6


def draw(n_units: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sources and targets, int64, sorted by target. Numbers of sources are uniform in 2..6, sources distinct.

    Each unit draws MOST sources with replacement; rows in which one stands twice are drawn again.
    """
    random = np.random.default_rng(seed)
    drawn = random.integers(n_units, size=(n_units, MOST))
    while len(again := np.flatnonzero((np.diff(np.sort(drawn, axis=1)) == 0).any(axis=1))):
        drawn[again] = random.integers(n_units, size=(len(again), MOST))
    kept = np.arange(MOST) < random.integers(LEAST, MOST + 1, size=n_units)[:, None]
    return drawn[kept], np.nonzero(kept)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a random edge file with columns source and target.")
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("edges.csv"), metavar="FILE")
    wishes = parser.parse_args()
    if wishes.units < MOST:
        parser.error(f"--units is at least {MOST}")
    source, target = draw(wishes.units, wishes.seed)
    pa.csv.write_csv(pa.table({"source": source, "target": target}), wishes.output)


if __name__ == "__main__":
    main()
