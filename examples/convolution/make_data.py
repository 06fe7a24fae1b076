"""Write the data of this example: bars.npz. Needs NumPy.

    python make_data.py [-o FOLDER]

Each image holds one bar, 6 pixels long, at a random place, on noise: lying, standing or slanting.
"""

import argparse
from pathlib import Path

import numpy as np

SIDE, LENGTH, IMAGES = 12, 6, 180
DIRECTIONS = ((0, 1), (1, 0), (1, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write bars.npz.")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="FOLDER")
    folder = parser.parse_args().output
    random = np.random.default_rng(0)
    kinds = np.arange(IMAGES) % len(DIRECTIONS)
    images = random.integers(0, 80, (IMAGES, SIDE, SIDE))
    for image, kind in zip(images, kinds, strict=True):
        down, right = DIRECTIONS[kind]
        row, column = (random.integers(0, SIDE - step * (LENGTH - 1)) for step in (down, right))
        along = np.arange(LENGTH)
        image[row + down * along, column + right * along] = 255
    pixels = (images / 255).astype(np.float32).round(3).reshape(IMAGES, SIDE * SIDE)
    np.savez_compressed(folder / "bars.npz", x=pixels, truth=kinds)


if __name__ == "__main__":
    main()
