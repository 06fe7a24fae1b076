"""Losses and metrics of a network over data of any length.

Input: a plan, arrays, and a function that computes means and outputs of a batch. Output: every loss and metric.
Means of batches are put together by their shares of the samples, which is the mean of all of them; scores are computed
from the outputs of all samples. Not for: compiling; printing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import GnnError, Problem
from graphnn_compiler.evaluation.batches import batches, number_of_samples
from graphnn_compiler.evaluation.pairs import target_of
from graphnn_compiler.evaluation.scores import require_libraries, score
from graphnn_compiler.topology.comparisons import OF_DECISIONS, SCORES, compared
from graphnn_compiler.topology.plan import Compared, Penalty, Plan, ScalarExpr, Sum, Weighted

Arrays: TypeAlias = dict[str, NDArray]
Run: TypeAlias = Callable[[Arrays, Arrays], Sequence[NDArray]]
"""From the inputs and targets of a batch to the means and then the layers of `Parts`."""


@dataclass(frozen=True)
class Parts:
    """What is computed of every batch: means and penalties, and the outputs of layers."""

    means: tuple[Compared | Penalty, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Measured:
    """Every loss and metric by name, the number of samples (None without a batch axis), outputs and targets by name."""

    values: dict[str, float]
    n_samples: int | None
    outputs: Arrays
    targets: Arrays


def parts_of(plan: Plan, *, tables: bool) -> Parts:
    """The parts of a plan's losses and metrics; with `tables`, the outputs that confusion matrices count as well."""
    leaves = [leaf for goal in plan.objectives for leaf in _leaves(goal.value)]
    means = [leaf for leaf in leaves if isinstance(leaf, Penalty) or leaf.name not in SCORES]
    comparisons = [leaf for leaf in leaves if isinstance(leaf, Compared)]
    layers = [one.layer for one in comparisons if one.name in SCORES or (tables and decides(plan, one))]
    return Parts(tuple(dict.fromkeys(means)), tuple(dict.fromkeys(layers)))


def decides(plan: Plan, one: Compared) -> bool:
    """Whether a comparison is with classes, or with values that are 0 or 1."""
    return target_of(plan, one).n_classes is not None or one.name in (*OF_DECISIONS, "binary_cross_entropy")


def measure(
    plan: Plan, parts: Parts, run: Run, inputs: Arrays, targets: Arrays, batch_size: int | None = None
) -> Measured:
    """The losses and metrics over all samples, `batch_size` of them at a time.

    GnnError (E552) before anything is computed where a metric needs a library that is not installed, ValueError for a
    batch size below 1.
    """
    _require_libraries(plan)
    totals = [0.0] * len(parts.means)
    pieces: dict[str, list[NDArray]] = {name: [] for name in parts.layers}
    for batch in batches(plan, inputs, targets, batch_size):
        results = run(batch.inputs, batch.targets)
        for k in range(len(totals)):
            totals[k] += batch.share * float(results[k])
        for name, piece in zip(parts.layers, results[len(totals) :], strict=True):
            pieces[name].append(np.asarray(piece))
    outputs = {name: joined(several, len(plan.units[name].shape)) for name, several in pieces.items()}
    truths = {it.name: targets.get(it.name, it.default) for it in plan.targets}
    known = {name: truth for name, truth in truths.items() if truth is not None}
    means = dict(zip(parts.means, totals, strict=True))
    values = {goal.name: _value(plan, goal.value, means, outputs, known) for goal in plan.objectives}
    return Measured(values, number_of_samples(plan, inputs, targets), outputs, known)


def joined(pieces: Sequence[NDArray], sample_ndim: int) -> NDArray:
    """The outputs of several batches as one array; those without a batch axis are the same in each."""
    return np.concatenate(pieces) if len(pieces) > 1 and pieces[0].ndim > sample_ndim else pieces[0]


def _leaves(expr: ScalarExpr) -> list[Compared | Penalty]:
    match expr:
        case Compared() | Penalty():
            return [expr]
        case Weighted(term=term):
            return _leaves(term)
        case Sum(terms=terms):
            return [leaf for term in terms for leaf in _leaves(term)]
        case _:
            assert_never(expr)


def _value(
    plan: Plan, expr: ScalarExpr, means: Mapping[Compared | Penalty, float], outputs: Arrays, targets: Arrays
) -> float:
    match expr:
        case Compared() if expr.name in SCORES:
            return score(plan, expr, outputs[expr.layer], targets[expr.target])
        case Compared() | Penalty():
            return means[expr]
        case Weighted(factor=factor, term=term):
            return factor * _value(plan, term, means, outputs, targets)
        case Sum(terms=terms):
            return math.fsum(_value(plan, term, means, outputs, targets) for term in terms)
        case _:
            assert_never(expr)


def _require_libraries(plan: Plan) -> None:
    problems = []
    for name in dict.fromkeys(one.name for goal in plan.objectives for one in compared(goal.value)):
        try:
            if name in SCORES:
                require_libraries(name)
        except Problem as problem:
            problems.append(problem.about(plan.provenance.source_name or "the network"))
    if problems:
        raise GnnError(problems)
