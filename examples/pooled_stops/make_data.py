"""Write the data of this example: stops.csv, trips.csv, today.csv and tomorrow.csv of an invented city.

    python make_data.py [-o FOLDER]

Tomorrow's boardings at a stop are half its own, a third of the mean of its district and a sixth of what its busiest
connections bring, plus some chance.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

DISTRICTS = ("harbour", "mill", "old town", "park", "station", "university")
SLOTS = ("h06", "h09", "h12", "h15", "h18", "h21")
STOPS, DEPOTS, LINKS = 120, 4, 6


def write(path: Path, header: list[str], rows: list[list]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the four tables of an invented city.")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="FOLDER")
    folder = parser.parse_args().output
    random = np.random.default_rng(7)

    centres = random.uniform(500, 3500, (len(DISTRICTS), 2))
    district = random.integers(0, len(DISTRICTS), STOPS + DEPOTS)
    places = (centres[district] + random.normal(0, 350, (STOPS + DEPOTS, 2))).round().astype(int)
    names = [f"s{number:03}" for number in range(STOPS)] + [f"depot{number}" for number in range(DEPOTS)]
    kinds = ["stop"] * STOPS + ["depot"] * DEPOTS
    splits = random.choice(["train", "test"], STOPS + DEPOTS, p=[0.7, 0.3])
    stops = zip(names, kinds, [DISTRICTS[d] for d in district], *places.T.tolist(), splits.tolist(), strict=True)
    write(folder / "stops.csv", ["id", "kind", "district", "x", "y", "split"], [list(stop) for stop in stops])

    trips = np.zeros((STOPS + DEPOTS, STOPS + DEPOTS), dtype=int)  # [from, to]
    for target in range(STOPS + DEPOTS):
        others = np.delete(np.arange(STOPS + DEPOTS), target)
        trips[random.choice(others, LINKS, replace=False), target] = 1 + random.geometric(0.05, LINKS)
    rows = [[names[a], names[b], int(trips[a, b])] for a, b in np.argwhere(trips)]
    write(folder / "trips.csv", ["from", "to", "trips"], rows)

    busy = random.normal(0, 1, (len(DISTRICTS), len(SLOTS)))
    today = (busy[district] + random.normal(0, 1, (STOPS + DEPOTS, len(SLOTS))))[:STOPS]
    means = np.array([today[district[:STOPS] == d].mean(axis=0) for d in range(len(DISTRICTS))])
    heard = trips[:STOPS, :STOPS].T / trips[:STOPS, :STOPS].sum(axis=0)[:, None]
    tomorrow = today / 2 + means[district[:STOPS]] / 3 + heard @ today / 6 + random.normal(0, 0.1, today.shape)
    for file, table in (("today.csv", today), ("tomorrow.csv", tomorrow)):
        numbers = [[f"{value:.2f}" for value in row] for row in table]
        write(folder / file, ["id", *SLOTS], [[name, *row] for name, row in zip(names, numbers, strict=False)])


if __name__ == "__main__":
    main()
