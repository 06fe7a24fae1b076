"""Scores against their definitions, written out with loops and counts; and what they are where they are not defined."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from graphnn_compiler.evaluation.scores import score
from graphnn_compiler.topology.comparisons import SCORES
from graphnn_compiler.topology.plan import (
    Activation,
    Compared,
    Input,
    Layer,
    Objective,
    Plan,
    Ref,
    Target,
    Units,
)


def plan_of(layer: Layer, target: Target) -> Plan:
    objectives = tuple(Objective(name, "metric", Compared(name, "y", "t")) for name in SCORES)
    return Plan(1, "float64", (Input("x", layer.units),), (layer,), (), (target,), objectives)


def classes(n_classes: int, activation: str = "softmax") -> Plan:
    """One class a sample, the classes being units."""
    units = Units(np.arange(n_classes), 1, False)
    layer = Layer("y", units, Ref("x"), activation=Activation(activation, "units"), output=True)
    return plan_of(layer, Target("t", (), n_classes))


def of_nodes(n_units: int, n_classes: int) -> Plan:
    """A class for each unit, the classes being channels."""
    units = Units(np.arange(n_units), n_classes, True)
    layer = Layer("y", units, Ref("x"), activation=Activation("softmax"), output=True)
    return plan_of(layer, Target("t", (n_units,), n_classes))


def values(n_units: int, activation: str = "linear") -> Plan:
    layer = Layer("y", Units(np.arange(n_units), 1, False), Ref("x"), activation=Activation(activation), output=True)
    return plan_of(layer, Target("t", (n_units,)))


def found(plan: Plan, name: str, outputs: object, truth: object, on: list[int] | None = None) -> float:
    compared = Compared(name, "y", "t", None if on is None else np.array(on))  # type: ignore[arg-type]
    return score(plan, compared, np.asarray(outputs), np.asarray(truth))


# ------------------------------------------------------------------ definitions


def area(truth: np.ndarray, ranked: np.ndarray) -> float:
    """The share of pairs (one true, one false) that are in the right order; ties count half."""
    above = [float(a > b) + 0.5 * float(a == b) for a in ranked[truth == 1] for b in ranked[truth == 0]]
    return sum(above) / len(above)


def average_precision(truth: np.ndarray, ranked: np.ndarray) -> float:
    """The sum over thresholds of precision times the step in recall."""
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(ranked.tolist()), reverse=True):
        said = ranked >= threshold
        recall = (truth[said] == 1).sum() / (truth == 1).sum()
        total += (truth[said] == 1).mean() * (recall - recall_before)
        recall_before = recall
    return total


def f1(truth: np.ndarray, said: np.ndarray) -> float:
    both = np.sum((truth == 1) & (said == 1))
    return float(2 * both / (np.sum(truth == 1) + np.sum(said == 1)))


def balanced(truth: np.ndarray, said: np.ndarray) -> float:
    return float(np.mean([(said[truth == one] == one).mean() for one in np.unique(truth)]))


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / math.sqrt((a**2).sum() * (b**2).sum()))


def ranks(a: np.ndarray) -> np.ndarray:
    return np.array([np.sum(a < one) + (np.sum(a == one) + 1) / 2 for one in a])


def softmax(rows: np.ndarray) -> np.ndarray:
    powers = np.exp(rows)
    return powers / powers.sum(axis=-1, keepdims=True)


RNG = np.random.default_rng(3)
LOGITS2, LOGITS4 = RNG.normal(size=(40, 2)), RNG.normal(size=(40, 4)).round(1)
TRUTH2, TRUTH4 = RNG.integers(0, 2, 40), RNG.integers(0, 4, 40)
REAL, SAID = RNG.normal(size=(12, 3)).round(1), RNG.normal(size=(12, 3)).round(1)
BITS = RNG.integers(0, 2, (12, 3)).astype(float)


@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_two_classes(activation: str) -> None:
    plan, shares = classes(2, activation), softmax(LOGITS2)
    outputs = shares if activation == "softmax" else LOGITS2
    said = shares.argmax(axis=1)
    assert found(plan, "auc", outputs, TRUTH2) == pytest.approx(area(TRUTH2, shares[:, 1]))
    expected = average_precision(TRUTH2, shares[:, 1])
    assert found(plan, "average_precision", outputs, TRUTH2) == pytest.approx(expected)
    assert found(plan, "f1", outputs, TRUTH2) == pytest.approx(f1(TRUTH2, said))
    assert found(plan, "balanced_accuracy", outputs, TRUTH2) == pytest.approx(balanced(TRUTH2, said))


@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_several_classes_are_each_against_the_rest(activation: str) -> None:
    plan, shares = classes(4, activation), softmax(LOGITS4)
    outputs = shares if activation == "softmax" else LOGITS4
    said = shares.argmax(axis=1)

    def of_each(one: Callable[[np.ndarray, np.ndarray], float], ranked: bool) -> float:
        sides = [shares[:, k] if ranked else said == k for k in range(4)]
        return float(np.mean([one(k == TRUTH4, side) for k, side in enumerate(sides)]))

    assert found(plan, "auc", outputs, TRUTH4) == pytest.approx(of_each(area, True))
    assert found(plan, "average_precision", outputs, TRUTH4) == pytest.approx(of_each(average_precision, True))
    assert found(plan, "f1", outputs, TRUTH4) == pytest.approx(of_each(f1, False))
    assert found(plan, "balanced_accuracy", outputs, TRUTH4) == pytest.approx(balanced(TRUTH4, said))


def test_classes_of_units_count_as_rows_of_one_table() -> None:
    plan = of_nodes(3, 4)
    shares, truth = softmax(RNG.normal(size=(12, 3, 4))), RNG.integers(0, 4, (12, 3))
    chosen = [0, 2]
    rows, wanted = shares[:, chosen].reshape(-1, 4), truth[:, chosen].reshape(-1)
    for name in ("balanced_accuracy", "f1", "auc", "average_precision"):
        blurred = np.where(np.isin(np.arange(3), chosen), truth, -1)  # what lies outside `on` never matters
        assert found(plan, name, shares, blurred, chosen) == pytest.approx(found(classes(4), name, rows, wanted))
    one_graph = found(plan, "f1", shares[0], truth[0])
    assert one_graph == pytest.approx(found(plan, "f1", shares[:1], truth[:1]))
    repeated = found(plan, "f1", shares, truth[0])  # a target without a batch axis is that of every sample
    assert repeated == pytest.approx(found(plan, "f1", shares, np.broadcast_to(truth[0], truth.shape)))


OF_REALS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "pearson": pearson,
    "spearman": lambda a, b: pearson(ranks(a), ranks(b)),
    "r2": lambda t, y: float(1 - ((t - y) ** 2).sum() / ((t - t.mean()) ** 2).sum()),
}
OF_BITS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "auc": area,
    "average_precision": average_precision,
    "f1": lambda t, y: f1(t, y > 0.5),
    "balanced_accuracy": lambda t, y: balanced(t, y > 0.5),
}


@pytest.mark.parametrize("name", [*OF_REALS, *OF_BITS])
def test_values_are_scored_unit_by_unit(name: str) -> None:
    one = OF_REALS.get(name) or OF_BITS[name]
    truth, plan = (REAL, values(3)) if name in OF_REALS else (BITS, values(3, "sigmoid"))
    expected = [one(truth[:, k], SAID[:, k]) for k in range(3)]
    assert found(plan, name, SAID, truth) == pytest.approx(np.mean(expected))
    assert found(plan, name, SAID, truth, [2]) == pytest.approx(expected[2])
    # without a batch axis the units are the samples
    alone = values(12) if name in OF_REALS else values(12, "sigmoid")
    assert found(alone, name, SAID[:, 0], truth[:, 0]) == pytest.approx(expected[0])


def test_a_linear_layer_says_one_above_logit_zero() -> None:
    bits = np.array([[0.0], [1.0], [1.0]])
    assert found(values(1), "f1", [[-0.1], [0.1], [0.2]], bits) == 1
    assert found(values(1, "sigmoid"), "f1", [[0.4], [0.1], [0.6]], bits) == pytest.approx(2 / 3)


NAN = math.nan
UNDEFINED = [
    ("auc", classes(2), softmax(LOGITS2), np.zeros(40, int), NAN),  # one class
    ("auc", classes(4), softmax(LOGITS4), TRUTH4 % 3, NAN),  # a class is absent
    ("auc", values(1, "sigmoid"), SAID[:, :1], np.ones((12, 1)), NAN),
    ("average_precision", classes(2), softmax(LOGITS2), np.zeros(40, int), 0),
    ("f1", classes(2), softmax(LOGITS2), np.zeros(40, int), 0),
    ("balanced_accuracy", classes(4), np.eye(4)[[0, 1, 3]], [0, 1, 1], 0.75),  # over the classes that are there
    ("pearson", values(1), np.ones((12, 1)), REAL[:, :1], NAN),  # a constant prediction
    ("spearman", values(1), np.ones((12, 1)), REAL[:, :1], NAN),
    ("pearson", values(1), [[1.0]], [[2.0]], NAN),  # one sample
    ("r2", values(1), [[1.0]], [[2.0]], NAN),
    ("r2", values(1), [[1.0], [2.0]], [[3.0], [3.0]], 0),  # a constant target, as scikit-learn has it
    ("auc", classes(2), [[1.0, 2.0]], [0], NAN),
]


@pytest.mark.parametrize(("name", "plan", "outputs", "truth", "expected"), UNDEFINED)
def test_what_is_not_defined(name: str, plan: Plan, outputs: object, truth: object, expected: float) -> None:
    assert found(plan, name, outputs, truth) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", SCORES)
def test_nothing_and_what_is_not_finite(name: str) -> None:
    assert math.isnan(found(values(2), name, np.zeros((0, 2)), np.zeros((0, 2))))
    assert math.isnan(found(values(2), name, [[1, NAN], [2, 3]], [[1, 0], [0, 1]]))
    assert math.isnan(found(values(2), name, [[1, 2], [2, 3]], [[1, 0], [0, NAN]]))
    if name not in ("r2", "pearson", "spearman"):
        assert math.isnan(found(classes(2), name, np.zeros((0, 2)), np.zeros(0, int)))
        assert math.isnan(found(classes(2), name, [[NAN, 1]], [1]))
    else:
        with pytest.raises(ValueError, match="does not compare with class numbers"):
            found(classes(2), name, [[0.5, 0.5]], [1])
