"""Write a small hierarchy of pathways in the form of Reactome, drawn at random, and samples of its proteins.

    python make_data.py [--proteins N] [--seed S] [-o FOLDER]

A pathway is named by its place: W2.1.3 is the third child of W2.1. One in six has a second parent elsewhere, on the
level of its own parent, so that the hierarchy is no tree. Some branches are short, some are deep, and some pathways
have no protein. In half of the samples, group 1, there is more of the proteins of one pathway and of all below it. Some
proteins were not measured in some samples. Files: pathway_edges.csv, protein_pathway.csv, samples.csv.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

TOPS, DEEPEST = 6, 6
MOST_CHILDREN = 3
SAMPLES, NOT_MEASURED = 80, 0.1
ACTIVE, RISE = "W2", 0.8
SECOND_PARENT, WITHOUT_PROTEINS = 1 / 6, 1 / 5


def draw_pathways(random: np.random.Generator) -> tuple[list[str], list[tuple[str, str]]]:
    """All pathways, parents before their children, and the pairs (parent, child)."""
    level = [f"W{number}" for number in range(1, TOPS + 1)]
    pathways, pairs = list(level), []
    for depth in range(2, DEEPEST + 1):
        below = []
        for parent in level:
            # a pathway of the upper levels always has children, a deeper one more and more rarely
            n_children = int(random.integers(1 if depth < 3 else 0, MOST_CHILDREN + 1))
            children = [f"{parent}.{number}" for number in range(1, n_children + 1)]
            pairs += [(parent, child) for child in children]
            pairs += [(str(random.choice(level)), child) for child in children if random.random() < SECOND_PARENT]
            below += children
        pathways += below
        level = [pathway for pathway in below if random.random() < 0.7]
    return pathways, sorted(set(pairs))


def draw_annotations(pathways: list[str], n_proteins: int, random: np.random.Generator) -> list[tuple[str, str]]:
    """The pairs (protein, pathway): one to four pathways a protein."""
    annotated = [pathway for pathway in pathways if random.random() >= WITHOUT_PROTEINS]
    pairs = []
    for number in range(1, n_proteins + 1):
        chosen = random.choice(len(annotated), size=int(random.integers(1, 5)), replace=False)
        pairs += [(f"P{number:03}", annotated[place]) for place in sorted(chosen)]
    return pairs


def draw_samples(annotations: list[tuple[str, str]], random: np.random.Generator) -> list[tuple[str, ...]]:
    """The header and the rows: a sample, its group, and logarithms of amounts; an empty cell is missing."""
    proteins = sorted({protein for protein, _ in annotations})
    active = {protein for protein, pathway in annotations if pathway.split(".")[0] == ACTIVE}
    risen = np.array([protein in active for protein in proteins])
    means, spread = random.uniform(15, 28, len(proteins)), random.uniform(0.3, 1.5, len(proteins))
    rows = [("sample", "group", *proteins)]
    for number in range(SAMPLES):
        group = number % 2
        values = means + spread * (random.standard_normal(len(proteins)) + RISE * group * risen)
        measured = random.random(len(proteins)) >= NOT_MEASURED
        cells = [f"{value:.2f}" if known else "" for value, known in zip(values, measured, strict=True)]
        rows.append((f"S{number + 1:02}", str(group), *cells))
    return rows


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a random hierarchy of pathways, and proteins in them.")
    parser.add_argument("--proteins", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="FOLDER")
    wishes = parser.parse_args()
    random = np.random.default_rng(wishes.seed)
    pathways, pairs = draw_pathways(random)
    write_csv(wishes.output / "pathway_edges.csv", ["parent", "child"], pairs)
    annotations = draw_annotations(pathways, wishes.proteins, random)
    write_csv(wishes.output / "protein_pathway.csv", ["protein", "pathway"], annotations)
    header, *samples = draw_samples(annotations, random)
    write_csv(wishes.output / "samples.csv", header, samples)


if __name__ == "__main__":
    main()
