"""Numbers of all samples together: F1, AUC, R2, correlations and their like, by scikit-learn's and SciPy's functions.

Input: a comparison, the outputs of its layer for all samples, its target. Output: a float; NaN where the number is not
defined or a value is not finite. Not for: means over samples, which are computed in the graph.

Classes. F1 is that of the second class where there are two, else the mean over classes. AUC and average precision are
those of the second class where there are two, else the mean of each class against the rest. All units selected count
as rows of one table.

Values. The score of every unit and channel over the samples, and the mean over these (scikit-learn's `macro` and
`uniform_average`); without a batch axis, of every channel over the units.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.evaluation.pairs import (
    Floats,
    class_pairs,
    probabilities,
    target_of,
    threshold,
    value_pairs,
)
from graphnn_compiler.topology.plan import Compared, Layer, Plan

_OF_SCIPY = ("pearson", "spearman")


def require_libraries(name: str) -> None:
    """Problem E552 where the library of a score is not installed."""
    if name not in _OF_SCIPY:
        _metrics(name)


def score(plan: Plan, compared: Compared, outputs: NDArray, truth: NDArray) -> float:
    """The score of outputs, as the network gives them, against a target, as `target_array` gives it.

    Warnings of the libraries, which say that a number is not defined or that a class is absent, are not passed on: the
    number that comes with them is the answer. Problem E552 where scikit-learn is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if target_of(plan, compared).n_classes is not None:
            pairs = class_pairs(plan, compared, outputs, truth)
            return _of_classes(compared.name, plan.layer[compared.layer], pairs.truth, pairs.outputs)
        wanted, found = value_pairs(plan, compared, outputs, truth)
        return _of_values(compared.name, plan.layer[compared.layer], wanted, found)


# ------------------------------------------------------------------ classes


def _of_classes(name: str, layer: Layer, truth: NDArray, rows: NDArray) -> float:
    if len(truth) == 0 or not np.all(np.isfinite(rows)):
        return float("nan")
    metrics, n_classes = _metrics(name), rows.shape[1]
    match name:
        case "balanced_accuracy":
            return float(metrics.balanced_accuracy_score(truth, rows.argmax(axis=1)))
        case "f1":
            average = "binary" if n_classes == 2 else "macro"
            return float(metrics.f1_score(truth, rows.argmax(axis=1), average=average, zero_division=0.0))
        case "auc":
            return _class_auc(metrics, truth, probabilities(layer, rows))
        case "average_precision":
            shares = probabilities(layer, rows)
            if n_classes == 2:
                return float(metrics.average_precision_score(truth, shares[:, 1]))
            one_of_them = truth[:, None] == np.arange(n_classes)
            return float(metrics.average_precision_score(one_of_them, shares, average="macro"))
    raise ValueError(f"`{name}` does not compare with class numbers")


def _class_auc(metrics: Any, truth: NDArray, shares: Floats) -> float:
    """NaN where a class is absent: its area is not defined, and so is no mean over classes."""
    n_classes = shares.shape[1]
    if n_classes < 2 or len(np.unique(truth)) < n_classes:
        return float("nan")
    if n_classes == 2:
        return float(metrics.roc_auc_score(truth, shares[:, 1]))
    return float(metrics.roc_auc_score(truth, shares, multi_class="ovr", average="macro", labels=np.arange(n_classes)))


# ------------------------------------------------------------------ values


def _of_values(name: str, layer: Layer, wanted: Floats, found: Floats) -> float:
    if wanted.size == 0 or not (np.all(np.isfinite(wanted)) and np.all(np.isfinite(found))):
        return float("nan")
    if name == "r2":
        return float(_metrics(name).r2_score(wanted, found))
    if name in _OF_SCIPY:
        return _mean_of_columns(_correlation(name), wanted, found)
    true, metrics = wanted > 0.5, _metrics(name)
    if name == "auc":
        one = metrics.roc_auc_score
        return _mean_of_columns(lambda t, y: one(t, y) if t.min() < t.max() else float("nan"), true, found)
    if name == "average_precision":
        return _mean_of_columns(metrics.average_precision_score, true, found)
    said = found > threshold(layer)
    if name == "balanced_accuracy":
        return _mean_of_columns(metrics.balanced_accuracy_score, true, said)
    if name == "f1":
        return _mean_of_columns(lambda t, y: metrics.f1_score(t, y, zero_division=0.0), true, said)
    raise ValueError(f"`{name}` does not compare with values")


def _mean_of_columns(one: Callable[[NDArray, NDArray], float], wanted: NDArray, found: NDArray) -> float:
    return float(np.mean([one(wanted[:, k], found[:, k]) for k in range(wanted.shape[1])]))


def _correlation(name: str) -> Callable[[NDArray, NDArray], float]:
    """A coefficient of SciPy; NaN for fewer than two samples and for values that are all equal."""
    from scipy import stats

    coefficient = MappingProxyType({"pearson": stats.pearsonr, "spearman": stats.spearmanr})[name]
    return lambda t, y: float(coefficient(t, y).statistic) if len(t) > 1 else float("nan")


def _metrics(name: str) -> Any:
    try:
        from sklearn import metrics
    except ModuleNotFoundError as error:
        if error.name != "sklearn":
            raise
        help = "install it, as in `pip install 'graphnn-compiler[metrics]'`, or remove the metric"
        raise Problem("E552", f"`{name}` needs scikit-learn, which is not installed", help=help) from None
    return metrics
