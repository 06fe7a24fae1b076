"""Importances of units and of edges, over samples.

Input: a network, samples, the number that is to be explained. Output: `UnitImportance`, `EdgeImportance`. Not for:
training, files.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnn_compiler.arguments import by_name, check_batches, unknown, value_array
from graphnn_compiler.diagnostics import count, listed
from graphnn_compiler.edges import clause_of
from graphnn_compiler.evaluation.batches import batch_size_for, batches, number_of_samples
from graphnn_compiler.importance.choice import Choice, choice, reached_from
from graphnn_compiler.importance.edge_shares import EdgeShares
from graphnn_compiler.importance.results import EdgeImportance, Method, UnitImportance
from graphnn_compiler.importance.slopes import Line, line
from graphnn_compiler.topology.plan import Plan, SparseClause

if TYPE_CHECKING:
    from graphnn_compiler.network import Network

Baseline: TypeAlias = str | ArrayLike | Mapping[str, ArrayLike]
_NUMBERS = 1 << 24
"""As many shares of edges are held at a time: 128 MiB of float64."""


def unit_importance(
    network: Network,
    inputs: Any = None,
    layer: str | None = None,
    *,
    of: str | None = None,
    key: Any = None,
    unit: Any = None,
    method: Method = "gradient",
    baseline: Baseline = "zero",
    steps: int = 50,
    batch_size: int | None = None,
) -> UnitImportance:
    """How much each unit of `layer` (an input or a layer; the only input if left out) adds to a number of the network.

    That number is the value of the layer `of` (the only output if left out), as the network gives it with dropout off,
    at `key`: a class where it is compared with classes, else a channel's number where it has channels, else the key of
    a unit. With channels it is the value at `unit`, or the sum over all units. Inputs are as `Network.evaluate` takes
    them. Importances are computed for each sample and averaged.

    * "gradient": value times slope, a dF/da: K. Simonyan et al., "Deep inside convolutional networks", ICLR 2014,
      take the slope, A. Shrikumar et al., "Not just a black box", 2016, the product.
    * "integrated": integrated gradients (M. Sundararajan, A. Taly and Q. Yan, "Axiomatic attribution for deep
      networks", ICML 2017, equation 1), along the straight line from the baseline to the sample, by the midpoint rule
      in `steps` steps. Of a layer it is its conductance, the integral of dF/da da along that line (K. Dhamdhere,
      M. Sundararajan and Q. Yan, "How important is a neuron?", ICLR 2019), with the differences of a step in the place
      of da (A. Shrikumar, J. Su and A. Kundaje, "Computationally efficient measures of internal neuron importance",
      2018). Over all inputs it sums to F(x) - F(baseline), and so it does over the units of a layer that every path
      passes. `baseline` is "zero", "mean" (of the samples), or arrays as for `inputs`, without a batch axis.

    ValueError for a name, key or option that cannot be, and where `layer` does not reach what is explained.
    """
    plan = network.plan
    chosen = choice(plan, of, key, unit)
    name = _unit_layer(plan, layer)
    _require_reached(plan, f"`{name}`", name, chosen)
    samples = _Samples.of(network, inputs, baseline, method, steps)
    on_line = line(network, chosen, name, name, of_sum=False, inputs=samples.inputs)
    units = plan.units[name]
    totals = _accumulated(
        samples, on_line, operator.mul, batch_size_for(plan, batch_size), (len(units), units.channels)
    )
    mean, mean_abs = (total if units.channel_axis else total[:, 0] for total in (totals.mean, totals.mean_abs))
    return UnitImportance(
        chosen.name, method, totals.n_samples, totals.score, mean, mean_abs, *totals.path, name, units.keys
    )


def edge_importance(
    network: Network,
    layer: str,
    label: str | None = None,
    inputs: Any = None,
    *,
    of: str | None = None,
    key: Any = None,
    unit: Any = None,
    method: Method = "gradient",
    baseline: Baseline = "zero",
    steps: int = 50,
    batch_size: int | None = None,
) -> EdgeImportance:
    """How much each edge into `layer`, along the clause `label` (or the only one), adds to a number of the network.

    The importance of the edge s -> t is c(e) x[s] W . dF/dz[t], where z are the sums of the layer: what the edge says
    times the slope in what its target hears. Where the edge has a weight w of its own that is w dF/dw (the relevance of
    M. Mozer and P. Smolensky, "Skeletonization", NIPS 1988; with the loss in the place of F the connection sensitivity
    of N. Lee, T. Ajanthan and P. Torr, "SNIP", ICLR 2019); where edges share a weight their importances sum to it. With
    "integrated", the changes of x along the line from the baseline take the place of x, step by step, as in
    `unit_importance`, whose other arguments are the same.

    KeyError for an unknown layer or clause; ValueError for a clause of all pairs, and as in `unit_importance`.
    """
    plan = network.plan
    chosen = choice(plan, of, key, unit)
    edges = network.edges(layer, label)
    clause = clause_of(plan.layer[layer], label)
    assert isinstance(clause, SparseClause)
    _require_reached(plan, f"layer `{layer}`", layer, chosen)
    samples = _Samples.of(network, inputs, baseline, method, steps)
    on_line = line(network, chosen, clause.source, layer, of_sum=True, inputs=samples.inputs)
    channels = plan.units[clause.source].channels, plan.units[layer].channels
    shares = EdgeShares(edges, clause, channels, network.weights)
    size = min(batch_size_for(plan, batch_size), max(1, _NUMBERS // max(1, len(edges))))
    totals = _accumulated(samples, on_line, shares, size, (len(edges),))
    return EdgeImportance(
        *(chosen.name, method, totals.n_samples, totals.score, totals.mean, totals.mean_abs, *totals.path),
        *(layer, clause.label, edges.source_keys, edges.target_keys, edges.relations),
    )


# ------------------------------------------------------------------ over samples


@dataclass(frozen=True, eq=False)
class _Samples:
    """All inputs, with a batch axis in all or in none; where the line begins; the steps (0: no line)."""

    plan: Plan
    inputs: dict[str, NDArray]
    start: dict[str, NDArray]
    n_steps: int

    @classmethod
    def of(cls, network: Network, inputs: Any, baseline: Baseline, method: str, steps: int) -> _Samples:
        if method not in ("gradient", "integrated"):
            raise ValueError(unknown("method", method, ("gradient", "integrated")))
        if operator.index(steps) < 1:
            raise ValueError(f"the line has at least 1 step, not {steps}")
        plan = network.plan
        arrays = _arrays(plan, inputs)
        if method == "gradient":
            return cls(plan, arrays, {name: _zero(plan, name) for name in arrays}, 0)
        return cls(plan, arrays, _start(plan, arrays, baseline), operator.index(steps))

    def parts(self, size: int) -> Iterator[tuple[list[NDArray], list[NDArray]]]:
        """Where the line begins and ends, for some samples at a time."""
        for batch in batches(self.plan, self.inputs, None, size):
            ends = [np.ascontiguousarray(batch.inputs[name]) for name in self.inputs]
            starts = [self.start[name] for name in self.inputs]
            yield [np.broadcast_to(a, b.shape).copy() for a, b in zip(starts, ends, strict=True)], ends


@dataclass(eq=False)
class _Totals:
    """Sums over the samples so far; `path` are the score at the baseline and the gap, or two Nones."""

    mean: NDArray[np.float64]
    mean_abs: NDArray[np.float64]
    n_samples: int = 0
    score: float = 0.0
    path: tuple[float | None, float | None] = (None, None)


Shares: TypeAlias = Callable[[NDArray, NDArray], NDArray]
"""From values, or changes of values, and slopes to importances, (.., B, ..) with the samples as second axis."""


def _accumulated(samples: _Samples, on_line: Line, shares: Shares, size: int, shape: tuple[int, ...]) -> _Totals:
    totals = _Totals(np.zeros(shape), np.zeros(shape))
    began, climbed = 0.0, 0.0
    for start, end in samples.parts(size):
        score, value = on_line.at(1.0, start, end)
        if samples.n_steps == 0:
            found = shares(value, on_line.slopes_at(1.0, start, end)[0])
        else:
            first, before = on_line.at(0.0, start, end)
            found, climb = _along(samples.n_steps, on_line, shares, start, end, before)
            began, climbed = began + float(first.sum(dtype=np.float64)), climbed + climb
        totals.mean += found.sum(axis=1, dtype=np.float64)
        totals.mean_abs += np.abs(found).sum(axis=1, dtype=np.float64)
        totals.n_samples += len(score)
        totals.score += float(score.sum(dtype=np.float64))
    for total in (totals.mean, totals.mean_abs):
        total /= totals.n_samples
    totals.score /= totals.n_samples
    if samples.n_steps:
        began, climbed = began / totals.n_samples, climbed / totals.n_samples
        totals.path = began, totals.score - began - climbed
    return totals


def _along(
    n_steps: int, on_line: Line, shares: Shares, start: list[NDArray], end: list[NDArray], before: NDArray
) -> tuple[NDArray, float]:
    """The sum over the steps of change times slope in the middle, and that of the slopes along the line."""
    found, climb = np.zeros(()), 0.0
    for step in range(n_steps):
        slope, along = on_line.slopes_at((step + 0.5) / n_steps, start, end)
        after = on_line.at((step + 1) / n_steps, start, end)[1]
        found = found + shares(after - before, slope)
        climb += along / n_steps
        before = after
    return found, climb


# ------------------------------------------------------------------ arguments


def _arrays(plan: Plan, inputs: Any) -> dict[str, NDArray]:
    """Every input, that of the program where none is given. ValueError where there is no sample."""
    defaults = {node.name: node.default for node in plan.inputs if node.default is not None}
    given = {**defaults, **by_name(inputs, [node.name for node in plan.inputs], defaults, "input")}
    arrays = {
        node.name: value_array(f"input `{node.name}`", given[node.name], node.units.shape, plan.dtype)
        for node in plan.inputs
    }
    batched = {name: len(array) for name, array in arrays.items() if array.ndim > len(plan.units[name].shape)}
    check_batches(batched)
    if not batched:
        return arrays
    n_samples = number_of_samples(plan, arrays, None)
    if not n_samples:
        raise ValueError("there are no samples")
    return {name: np.broadcast_to(array, (n_samples, *plan.units[name].shape)) for name, array in arrays.items()}


def _start(plan: Plan, arrays: dict[str, NDArray], baseline: Baseline) -> dict[str, NDArray]:
    if isinstance(baseline, str):
        if baseline not in ("zero", "mean"):
            raise ValueError(unknown("baseline", baseline, ("zero", "mean")))
        return {name: _zero(plan, name) if baseline == "zero" else _mean(plan, name, a) for name, a in arrays.items()}
    given = by_name(baseline, list(arrays), (), "baseline of input")
    start = {}
    for name, value in given.items():
        label, shape = f"the baseline of `{name}`", plan.units[name].shape
        start[name] = value_array(label, value, shape, plan.dtype)
        if start[name].ndim > len(shape):
            raise ValueError(f"{label} is one for all samples, of shape {shape}")
    return start


def _zero(plan: Plan, name: str) -> NDArray:
    return np.zeros(plan.units[name].shape, dtype=plan.dtype)


def _mean(plan: Plan, name: str, array: NDArray) -> NDArray:
    batched = array.ndim > len(plan.units[name].shape)
    return array.mean(axis=0, dtype=np.float64).astype(plan.dtype) if batched else array


def _unit_layer(plan: Plan, layer: str | None) -> str:
    names = [node.name for node in plan.inputs]
    if layer is None:
        if len(names) != 1:
            raise ValueError(f"the network has {count(len(names), 'input')}: name one, {listed(names, 5)}")
        return names[0]
    if layer not in plan.units:
        raise ValueError(unknown("input or layer", layer, plan.units))
    return layer


def _require_reached(plan: Plan, what: str, name: str, chosen: Choice) -> None:
    if name not in reached_from(plan, chosen.layer.name):
        raise ValueError(f"{what} does not reach `{chosen.layer.name}`: nothing there depends on it")
