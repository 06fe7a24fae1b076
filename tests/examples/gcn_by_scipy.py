"""The two-layer GCN straight from the formula of Kipf & Welling (2017, equation 9), in NumPy and SciPy alone.

    S = D^-1/2 (A + I) D^-1/2,   Z = softmax(S relu(S X W0 + b0) W1 + b1)

with rows of X that sum to 1, dropout off; the loss is the mean cross entropy over the training papers plus
2.5e-4 * sum(W0^2). It reads the data folder by itself.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

FIRST, FIRST_BIAS = "hidden.scaled.weights", "hidden.bias"
SECOND, SECOND_BIAS = "topic.hidden.weights", "topic.bias"


@dataclass(frozen=True)
class Gcn:
    """The data of one network in float64: S (N, N), X with normed rows (N, words), labels (N,), splits (N,)."""

    propagation: sp.csr_matrix
    features: sp.csr_matrix
    labels: NDArray
    splits: NDArray

    def logits(self, weights: dict[str, NDArray]) -> NDArray:
        """(N, topics)."""
        hidden = self.propagation @ (self.features @ weights[FIRST]) + weights[FIRST_BIAS]
        return self.propagation @ (np.maximum(hidden, 0) @ weights[SECOND]) + weights[SECOND_BIAS]

    def size_of_logits(self, weights: dict[str, NDArray]) -> NDArray:
        """(N, topics): the logits with every term of every sum replaced by its absolute value."""
        hidden = self.propagation @ (self.features @ np.abs(weights[FIRST])) + np.abs(weights[FIRST_BIAS])
        return self.propagation @ (hidden @ np.abs(weights[SECOND])) + np.abs(weights[SECOND_BIAS])

    def probabilities(self, weights: dict[str, NDArray]) -> NDArray:
        """(N, topics)."""
        raised = np.exp(_shifted(self.logits(weights)))
        return raised / raised.sum(axis=1, keepdims=True)

    def loss(self, weights: dict[str, NDArray]) -> float:
        chosen = np.flatnonzero(self.splits == "train")
        logits = _shifted(self.logits(weights)[chosen])
        likely = logits[np.arange(len(chosen)), self.labels[chosen]] - np.log(np.exp(logits).sum(axis=1))
        return float(-likely.mean() + 2.5e-4 * np.sum(weights[FIRST] ** 2))

    def accuracy(self, weights: dict[str, NDArray], split: str) -> float:
        hits = self.logits(weights).argmax(axis=1) == self.labels
        return float(hits[self.splits == split].mean())


def _shifted(logits: NDArray) -> NDArray:
    return logits - logits.max(axis=1, keepdims=True)


def read_gcn(folder: Path) -> Gcn:
    """The network of a data folder: edges.csv, nodes.csv with ids 0 .. N-1 in order, features.npz."""
    with (folder / "nodes.csv").open(newline="", encoding="utf-8") as stream:
        papers = list(csv.DictReader(stream))
    n = len(papers)
    assert [paper["id"] for paper in papers] == [str(k) for k in range(n)]
    pairs = np.loadtxt(folder / "edges.csv", delimiter=",", skiprows=1, dtype=np.int64)
    half = sp.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n)).tocsr()
    adjacency = half + half.T + sp.identity(n, format="csr")
    scale = sp.diags(1 / np.sqrt(np.asarray(adjacency.sum(axis=1)).ravel()))
    words = sp.csr_matrix(sp.load_npz(folder / "features.npz"), dtype=np.float64)
    counts = np.asarray(words.sum(axis=1)).ravel()
    normed = sp.diags(np.divide(1, counts, out=np.zeros(n), where=counts > 0)) @ words
    labels = np.array([int(paper["label"]) for paper in papers])
    splits = np.array([paper["split"] for paper in papers])
    return Gcn(sp.csr_matrix(scale @ adjacency @ scale), sp.csr_matrix(normed), labels, splits)
