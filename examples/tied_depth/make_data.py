"""Write the mesh and some solved problems on it.

python make_data.py [-o FOLDER]

mesh.csv: the edges of a 6 x 6 grid, both ways, with the side of the target that each comes from. problems.npz: `rhs`
and `truth`, (96, 36) float32 in the order in which nodes appear in mesh.csv: truth solves (I + L) u = rhs, where L is
the Laplacian of the grid and each right-hand side has three sources.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

SIZE, PROBLEMS, SOURCES = 6, 96, 3
SIDES = {"left": (0, -1), "right": (0, 1), "above": (-1, 0), "below": (1, 0)}

parser = argparse.ArgumentParser(description="Write mesh.csv and problems.npz.")
parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, metavar="FOLDER")
folder = parser.parse_args().output

edges = [
    (f"r{row + down}c{column + right}", f"r{row}c{column}", side)
    for row in range(SIZE)
    for column in range(SIZE)
    for side, (down, right) in SIDES.items()
    if 0 <= row + down < SIZE and 0 <= column + right < SIZE
]
with (folder / "mesh.csv").open("w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([("from", "to", "side"), *edges])

nodes = list(dict.fromkeys(node for source, target, _ in edges for node in (source, target)))
place = {node: k for k, node in enumerate(nodes)}
laplacian = np.zeros((len(nodes), len(nodes)))
for source, target, _ in edges:
    laplacian[place[target], place[target]] += 1
    laplacian[place[target], place[source]] -= 1

random = np.random.default_rng(0)
rhs = np.zeros((PROBLEMS, len(nodes)))
for problem in rhs:
    problem[random.choice(len(nodes), SOURCES, replace=False)] = random.choice([-1, 1], SOURCES)
truth = np.linalg.solve(np.eye(len(nodes)) + laplacian, rhs.T).T
np.savez(folder / "problems.npz", rhs=rhs.astype(np.float32), truth=truth.astype(np.float32).round(5))
