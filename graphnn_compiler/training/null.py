"""What the wiring of a network is worth: its scores beside those of null models, whose edges are shuffled.

Input: a network and its null models, or how their trainings ended. Output: `NullReport`. Not for: shuffling edges
(`topology.null_models`), printing, files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnn_compiler.diagnostics import count
from graphnn_compiler.topology.plan import Combination, Plan, SparseClause
from graphnn_compiler.training.history import History
from graphnn_compiler.training.loop import fit
from graphnn_compiler.training.refusals import require
from graphnn_compiler.training.stopping import is_lower_better

if TYPE_CHECKING:
    from graphnn_compiler.network import Network

REPORT_FORMAT_VERSION = 1


@dataclass(frozen=True)
class NullScore:
    """A score of the network, `real`, and of each null model; `lower` says whether less of it is better."""

    name: str
    lower: bool
    real: float
    null: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean of the null models."""
        return float(np.mean(self.null))

    @property
    def deviation(self) -> float:
        """The standard deviation of the null models, with N - 1; NaN of a single one."""
        return float(np.std(self.null, ddof=1)) if len(self.null) > 1 else math.nan

    @property
    def difference(self) -> float:
        """The network's score less the mean of the null models."""
        return self.real - self.mean

    @property
    def as_good(self) -> int:
        """How many null models are at least as good as the network."""
        return sum(one <= self.real if self.lower else one >= self.real for one in self.null)

    @property
    def p(self) -> float:
        """One-sided: (1 + as_good) / (1 + N), NaN where a score is not a number.

        B. Phipson and G. Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics and
        Molecular Biology 9, 2010; A. Davison and D. Hinkley, "Bootstrap methods and their application", 1997.
        """
        if not np.isfinite([self.real, *self.null]).all():
            return math.nan
        return (1 + self.as_good) / (1 + len(self.null))


@dataclass(frozen=True)
class NullReport:
    """The scores of a network and of `n_models` null models, as their trainings ended.

    `moved` is the share of the edges of the null models, all that are no dense products, which the network lacks.
    """

    n_models: int
    n_edges: int
    moved: float
    scores: tuple[NullScore, ...]

    def __getitem__(self, name: str) -> NullScore:
        """A score by name. KeyError for another."""
        found = {score.name: score for score in self.scores}
        if name not in found:
            raise KeyError(f"there is no score `{name}`, but {', '.join(found)}")
        return found[name]

    def data(self) -> dict[str, Any]:
        """JSON-ready; a number that is not finite is null."""
        return {
            "format_version": REPORT_FORMAT_VERSION,
            "null_models": self.n_models,
            "edges": self.n_edges,
            "moved": self.moved,
            "scores": [_score_data(score) for score in self.scores],
        }

    def __str__(self) -> str:
        """A table."""
        head = ("score", "network", "null models", "deviation", "difference", "p")
        rows = [head, *(_row(score) for score in self.scores)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(row[k].rjust(widths[k]) for k in range(1, len(head)))])
            for row in rows
        ]
        models = count(self.n_models, "null model")
        title = f"{models}: {100 * self.moved:.1f} % of {count(self.n_edges, 'edge')} moved"
        note = f"p: (1 + null models at least as good) / {1 + self.n_models}"
        return "\n".join([title, "", *lines, "", note]) + "\n"


def compare(
    make: Callable[[int], Network], n_models: int, inputs: Any = None, targets: Any = None, **options: Any
) -> NullReport:
    """Train the network `make(0)` and the null models `make(1)` .. `make(n_models)` alike, and compare their scores.

    `make` is such as `lambda k: gnn.build("model.gnn", null=k)`. Data and options are those of `fit`; a checkpoint, and
    who is told of epochs and steps, are the network's alone. All have the same order of samples and the same validation
    samples, by the seed. Scores are those of `Epoch.scores` for the weights that each training ends with.
    """
    require(n_models > 0, f"a comparison takes 1 null model or more, not {n_models}")
    network = make(0)
    history = fit(network, inputs, targets, **options)
    alone = ("checkpoint", "every", "resume", "on_epoch", "on_step")
    common = {name: value for name, value in options.items() if name not in alone}
    ended, moved = [], []
    for number in range(1, n_models + 1):
        null = make(number)
        moved.append(share_moved(network.plan, null.plan))
        ended.append(fit(null, inputs, targets, **common))
    return null_report(network.plan, history, ended, moved)


def null_report(plan: Plan, history: History, ended: Sequence[History], moved: Sequence[float]) -> NullReport:
    """The report of trainings that have ended; `moved` is the `share_moved` of each null model."""
    scores = tuple(
        NullScore(name, is_lower_better(plan, name), real, tuple(one.final.scores[name] for one in ended))
        for name, real in history.final.scores.items()
    )
    return NullReport(len(ended), sum(map(len, _pairs(plan))), float(np.mean(moved)), scores)


def share_moved(plan: Plan, null: Plan) -> float:
    """The share of a null model's edges that the network lacks, as pairs of units of a clause."""
    pairs = list(zip(_pairs(null), _pairs(plan), strict=True))
    n_edges = sum(len(found) for found, _ in pairs)
    return float(sum(int(np.sum(~np.isin(found, known))) for found, known in pairs) / max(1, n_edges))


def _pairs(plan: Plan) -> list[np.ndarray]:
    """The edges of each clause that has a list of them, as numbers of pairs of units."""
    clauses = [it for layer in plan.layers if isinstance(layer.body, Combination) for it in layer.body.clauses]
    return [
        np.concatenate([part.csr.rows.astype(np.int64) * part.csr.shape[1] + part.csr.indices for part in clause.parts])
        for clause in clauses
        if isinstance(clause, SparseClause)
    ]


def _score_data(score: NullScore) -> dict[str, Any]:
    return {
        "name": score.name,
        "better": "less" if score.lower else "more",
        "network": _finite(score.real),
        "null": [_finite(value) for value in score.null],
        "mean": _finite(score.mean),
        "deviation": _finite(score.deviation),
        "difference": _finite(score.difference),
        "at_least_as_good": score.as_good,
        "p": _finite(score.p),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _row(score: NullScore) -> tuple[str, ...]:
    values = (f"{score.real:.4g}", f"{score.mean:.4g}", f"{score.deviation:.2g}", f"{score.difference:+.4g}")
    return (score.name, *values, f"{score.p:.4f}")
