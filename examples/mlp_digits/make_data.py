"""Write the data of this example: the digits and the graph of their pixels. Needs scikit-learn.

    python make_data.py [-o FOLDER]

The digits are those of the UCI repository, "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, 1998,
CC BY 4.0), in the part of 1,797 images that scikit-learn ships.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

SIDE = 8
FORWARD = [(0, 1), (1, -1), (1, 0), (1, 1)]  # half of the eight neighbours: each pair is listed once


def write_pixels(folder: Path) -> None:
    """pixel_nodes.csv, the pixels row by row; pixels.csv, the pairs of pixels that touch."""
    pixels = [(row, column) for row in range(SIDE) for column in range(SIDE)]
    write_csv(folder / "pixel_nodes.csv", ["pixel", "row", "column"], [[name(*it), *it] for it in pixels])
    steps = [((row, column), (row + down, column + right)) for row, column in pixels for down, right in FORWARD]
    write_csv(folder / "pixels.csv", ["source", "target"], [[name(*a), name(*b)] for a, b in steps if b in pixels])


def name(row: int, column: int) -> str:
    return f"r{row}c{column}"


def write_csv(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])


def write_digits(folder: Path) -> None:
    """digits.npz, by the names of the program: x, float32 (1797, 64) from 0 to 1; truth, int64 (1797,)."""
    digits = load_digits()
    x = (digits.data / 16).astype(np.float32)
    np.savez_compressed(folder / "digits.npz", x=x, truth=digits.target.astype(np.int64))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write pixels.csv, pixel_nodes.csv and digits.npz.")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="FOLDER")
    folder = parser.parse_args().output
    write_pixels(folder)
    write_digits(folder)


if __name__ == "__main__":
    main()
