"""Write the data of this example: kg.csv, things.csv and one_hot.npy. Needs NumPy.

    python make_data.py [-o FOLDER]

A made-up country of three regions: 12 cities, 24 companies in the cities, 60 people who work at the companies, live
anywhere, and know each other. What language people speak is that of the region of the company that they work at.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

LANGUAGES = ("Alban", "Borish", "Cadian")
CITIES, COMPANIES, PEOPLE = 12, 24, 60


def main() -> None:
    parser = argparse.ArgumentParser(description="Write kg.csv, things.csv and one_hot.npy.")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="FOLDER")
    folder = parser.parse_args().output
    random = np.random.default_rng(0)
    seat, employer = random.integers(CITIES, size=COMPANIES), np.arange(PEOPLE) % COMPANIES
    facts = [(f"company{k}", "located_in", f"city{city}") for k, city in enumerate(seat)]
    facts += [(f"person{k}", "works_at", f"company{company}") for k, company in enumerate(employer)]
    facts += [(f"person{k}", "lives_in", f"city{city}") for k, city in enumerate(random.integers(CITIES, size=PEOPLE))]
    friends = {tuple(random.choice(PEOPLE, 2, replace=False).tolist()) for _ in range(90)}
    facts += [(f"person{a}", "knows", f"person{b}") for a, b in sorted(friends)]
    things = [(f"city{k}", "city", "", "") for k in range(CITIES)]
    things += [(f"company{k}", "company", "", "") for k in range(COMPANIES)]
    for k, company in enumerate(employer):
        things.append((f"person{k}", "person", LANGUAGES[seat[company] % 3], "train" if k % 5 else "test"))
    for name, header, rows in (
        ("kg.csv", ("head", "relation", "tail"), facts),
        ("things.csv", ("id", "kind", "language", "split"), things),
    ):
        with (folder / name).open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    np.save(folder / "one_hot.npy", np.eye(len(things), dtype=np.float32))


if __name__ == "__main__":
    main()
