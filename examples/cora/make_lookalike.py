"""Write a small folder of data in the form of Cora, drawn at random: papers that cite mostly papers of their topic.

    python make_lookalike.py [--papers N] [--words N] [--seed S] [-o FOLDER]

The graph is a planted partition: a pair of one topic is joined with probability INSIDE / N, another with OUTSIDE / N.
Each topic prefers its own tenth of the words. The files are edges.csv (source, target), nodes.csv (id, label, split)
and features.npz (a SciPy CSR matrix of zeros and ones, papers x words).
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import scipy.sparse as sp

TOPICS = 7
INSIDE, OUTSIDE = 22.0, 1.0
WORDS_A_PAPER, OWN_WORDS = 18, 0.35


def draw_edges(topic: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Pairs (source, target), source < target."""
    n = len(topic)
    likely = np.where(topic[:, None] == topic, INSIDE / n, OUTSIDE / n)
    return np.argwhere(np.triu(random.random((n, n)) < likely, k=1))


def draw_words(topic: np.ndarray, n_words: int, random: np.random.Generator) -> sp.csr_matrix:
    """Each word of a paper is one of its topic's own tenth of the vocabulary, or any word at all."""
    own = n_words // 10
    count = (len(topic), WORDS_A_PAPER)
    from_topic = topic[:, None] * own + random.integers(own, size=count)
    chosen = np.where(random.random(count) < OWN_WORDS, from_topic, random.integers(n_words, size=count))
    dense = np.zeros((len(topic), n_words), dtype=np.float32)
    np.put_along_axis(dense, chosen, 1.0, axis=1)
    return sp.csr_matrix(dense)


def draw_split(topic: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Five training papers of each topic; of the others a third for validation, two thirds for the test."""
    split = np.where(random.random(len(topic)) < 1 / 3, "val", "test").astype("<U5")
    for one in range(TOPICS):
        split[random.permutation(np.flatnonzero(topic == one))[:5]] = "train"
    return split


def write_csv(path: Path, header: list[str], *columns: np.ndarray) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(zip(*(column.tolist() for column in columns), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a random folder of data in the form of Cora.")
    parser.add_argument("--papers", type=int, default=420)
    parser.add_argument("--words", type=int, default=1433)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("data"), metavar="FOLDER")
    wishes = parser.parse_args()
    random = np.random.default_rng(wishes.seed)
    topic = random.permutation(np.arange(wishes.papers) % TOPICS)
    edges = draw_edges(topic, random)
    folder = wishes.output
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "edges.csv", ["source", "target"], edges[:, 0], edges[:, 1])
    write_csv(folder / "nodes.csv", ["id", "label", "split"], np.arange(len(topic)), topic, draw_split(topic, random))
    sp.save_npz(folder / "features.npz", draw_words(topic, wishes.words, random))


if __name__ == "__main__":
    main()
