"""Write the data of this example: long_wires.csv and rates.npz of an invented row of cells.

    python make_data.py [-o FOLDER]

A cell answers with the mean rate of the cells up to three places away; one with a long wire adds the rate of the cell
at its other end, times the strength of the wire, of which the table holds a rough measurement.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

CELLS, WIRES, SAMPLES, NEAR = 100, 24, 240, 8


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the wires and the rates of an invented row of cells.")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="FOLDER")
    folder = parser.parse_args().output
    random = np.random.default_rng(11)

    pairs = [(a, b) for a in range(CELLS) for b in range(CELLS) if abs(a - b) > NEAR]
    chosen = [pairs[k] for k in random.choice(len(pairs), WIRES, replace=False)]
    strengths = random.uniform(0.5, 1.5, WIRES)
    measured = strengths + random.normal(0, 0.2, WIRES)
    with (folder / "long_wires.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = [[pre, post, f"{w:.2f}"] for (pre, post), w in zip(chosen, measured, strict=True)]
        csv.writer(stream, lineterminator="\n").writerows([["pre", "post", "w0"], *rows])

    noise = random.normal(size=(SAMPLES, CELLS + 6))
    smooth = sum(noise[:, k : k + CELLS] for k in range(7)) / np.sqrt(7)
    rates = np.exp(smooth / 2)
    wide = np.pad(rates, ((0, 0), (3, 3)), mode="edge")
    answers = sum(wide[:, k : k + CELLS] for k in range(7)) / 7
    for (pre, post), strength in zip(chosen, strengths, strict=True):
        answers[:, post] += strength * rates[:, pre]
    answers += random.normal(0, 0.05, answers.shape)
    np.savez_compressed(folder / "rates.npz", x=rates.round(2).astype("float32"), y=answers.round(2).astype("float32"))


if __name__ == "__main__":
    main()
