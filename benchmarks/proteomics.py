"""How well a pathway network tells two groups of patients apart, beside logistic regression on the same folds.

    python benchmarks/proteomics.py --data FOLDER [--seeds N] [--folds K] [--measured SHARE] [--null N]

FOLDER holds `pathway_edges.csv` and `protein_pathway.csv`, as in examples/reactome_levels, and `samples.csv`: the
sample, its group (1 or 2), then a column for each protein, whose empty cells were not measured.

The network is that example's, with two lines changed: the score hears the pathways of every level, not of the highest
alone (P-NET too lets every level predict), and weights decay faster, for few samples. Both models are trained on the
same samples of each fold, with the same proteins: those that were measured in at least a share of the samples.
Missing values become the mean, and proteins are standardized, by what is trained on alone. The score is the balanced
accuracy on the fold that was left out, averaged over the folds of a stratified cross-validation, for each seed anew.
`--null N` cross-validates N null models too, whose edges are shuffled with the degrees kept, on the folds of seed 0.
Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import graphnn_compiler as gnn
from graphnn_compiler.training import Adam

PROGRAM = Path(__file__).parents[1] / "examples" / "reactome_levels" / "model.gnn"

CHANGES = {
    "output score[1] { from l1 via all  activation": "output score[1] {\n  from l4 via all\n  from l3 via all\n"
    "  from l2 via all\n  from l1 via all\n  activation",
    "1e-4 * l2(": "3e-3 * l2(",
}


@dataclass(frozen=True)
class Samples:
    """`values[k, p]` of sample k and protein `proteins[p]`, NaN where it was not measured; groups 0 and 1."""

    proteins: list[str]
    values: NDArray[np.float64]
    groups: NDArray[np.int64]

    def of(self, proteins: list[str]) -> NDArray[np.float64]:
        """The columns of these proteins."""
        places = {name: place for place, name in enumerate(self.proteins)}
        return self.values[:, [places[name] for name in proteins]]


def read_samples(path: Path) -> Samples:
    with path.open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    values = np.array([[float(cell) if cell else np.nan for cell in row[2:]] for row in rows])
    return Samples(header[2:], values, np.array([int(row[1]) for row in rows]) - 1)


def write_tables(data: Path, folder: Path, proteins: set[str]) -> None:
    """The hierarchy, and the annotations of some proteins, for the program to read."""
    (folder / "pathway_edges.csv").write_bytes((data / "pathway_edges.csv").read_bytes())
    lines = (data / "protein_pathway.csv").read_text(encoding="utf-8").splitlines()
    kept = [lines[0], *(line for line in lines[1:] if line.split(",")[0] in proteins)]
    (folder / "protein_pathway.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")


def network(folder: Path, seed: int, null: int = 0) -> gnn.Network:
    text = PROGRAM.read_text(encoding="utf-8")
    for old, new in CHANGES.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gnn.GnnWarning)
        return gnn.build(text, params={"data": str(folder)}, seed=seed, null=null)


def pathway_score(
    net: gnn.Network, x: NDArray, y: NDArray, train: NDArray, test: NDArray, settings: argparse.Namespace
) -> float:
    net.fit(
        x[train],
        y[train, None],
        epochs=settings.epochs,
        batch=settings.batch,
        optimiser=Adam(settings.rate),
        missing="mean",
        scale={"x": "standardize"},
    )
    score = np.asarray(net(x[test]))[:, 0]
    return float(balanced_accuracy_score(y[test], score > 0.5))


def regression_score(x: NDArray, y: NDArray, train: NDArray, test: NDArray) -> float:
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(x[train], y[train])
    return float(balanced_accuracy_score(y[test], model.predict(x[test])))


def main() -> None:
    parser = argparse.ArgumentParser(description="Cross-validate a pathway network and logistic regression.")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--measured", type=float, default=0.2, metavar="SHARE")
    parser.add_argument("--null", type=int, default=0, metavar="N")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.003)
    settings = parser.parse_args()
    samples = read_samples(settings.data / "samples.csv")
    often = np.mean(~np.isnan(samples.values), axis=0) >= settings.measured
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tables(settings.data, folder, {it for it, kept in zip(samples.proteins, often, strict=True) if kept})
        compare(folder, samples, settings)


def folds_of(samples: Samples, seed: int, settings: argparse.Namespace) -> list[tuple[NDArray, NDArray]]:
    folds = StratifiedKFold(settings.folds, shuffle=True, random_state=seed)
    return list(folds.split(samples.values, samples.groups))


def cross_validated(folder: Path, samples: Samples, seed: int, settings: argparse.Namespace, null: int = 0) -> float:
    """The balanced accuracy of the network, or of a null model, averaged over the folds of a seed."""
    scores = []
    for train, test in folds_of(samples, seed, settings):
        net = network(folder, seed, null)
        x = samples.of(net.plan.inputs[0].units.keys.tolist())
        scores.append(pathway_score(net, x, samples.groups, train, test, settings))
    return statistics.mean(scores)


def compare(folder: Path, samples: Samples, settings: argparse.Namespace) -> None:
    start, found = time.perf_counter(), {"pathways": [], "regression": []}
    x = samples.of(network(folder, 0).plan.inputs[0].units.keys.tolist())
    for seed in range(settings.seeds):
        found["pathways"].append(cross_validated(folder, samples, seed, settings))
        folds = folds_of(samples, seed, settings)
        found["regression"].append(statistics.mean(regression_score(x, samples.groups, *fold) for fold in folds))
        print(f"seed {seed}: " + ", ".join(f"{name} {several[-1]:.4f}" for name, several in found.items()), flush=True)
    if settings.null:
        numbers = range(1, settings.null + 1)
        found["null models"] = [cross_validated(folder, samples, 0, settings, number) for number in numbers]
    for name, several in found.items():
        spread = statistics.stdev(several) if len(several) > 1 else 0.0
        print(f"{name}: mean {statistics.mean(several):.4f}, standard deviation {spread:.4f}")
    if settings.null:
        as_good = sum(score >= found["pathways"][0] for score in found["null models"])
        print(f"null models at least as good on the folds of seed 0: {as_good} of {settings.null}")
    print(f"{x.shape[1]} proteins, {len(x)} samples, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
