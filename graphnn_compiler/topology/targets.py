"""Targets, losses and metrics to their resolved form: shapes, class vocabularies, the units they are over.

Input: `TargetModel`s and `ObjectiveModel`s, and the layers of the plan. Output: `Target`s and `Objective`s. A target
without a shape takes the one that its comparisons ask for. Not for: computing losses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count, listed
from graphnn_compiler.model.rejection import Refused, reject
from graphnn_compiler.model.types import ComparedModel, ObjectiveModel, PenaltyModel, TargetModel
from graphnn_compiler.topology import columns
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.comparisons import OF_DECISIONS, RANGES, number_outside
from graphnn_compiler.topology.data import Data
from graphnn_compiler.topology.graph import Column, NodeSet, distinct, is_string
from graphnn_compiler.topology.plan import (
    Compared,
    DType,
    Layer,
    Objective,
    Penalty,
    ScalarExpr,
    Sum,
    Target,
    Weighted,
)
from graphnn_compiler.topology.rules.align import place_units
from graphnn_compiler.topology.samples import fitting, target_column
from graphnn_compiler.topology.sets import Sets

_MISSING_CLASS = -1


@dataclass(frozen=True)
class _Use:
    """What one comparison asks of its target: `n_classes` is None for values."""

    term: ComparedModel
    shape: tuple[int, ...]
    n_classes: int | None


def _words(shape: tuple[int, ...]) -> str:
    """The shape of a target, a batch axis aside."""
    match shape:
        case ():
            return "one class a sample"
        case (units,):
            return f"one value for each of {count(units, 'unit')}"
        case (units, *rest):
            return f"{units:,} x {' x '.join(f'{side:,}' for side in rest)} values"
    raise AssertionError(shape)


class Targets:
    """Resolves the targets and objectives of one model."""

    def __init__(
        self, sets: Sets, data: Data, layers: Mapping[str, Layer], nodes: Mapping[str, NodeSet], dtype: DType
    ) -> None:
        self.sets = sets
        self.data = data
        self.layers = layers
        self.nodes = nodes
        self.dtype = dtype
        self._refused = Refused()

    # -------------------------------------------------------------- objectives

    def objective(self, model: ObjectiveModel) -> Objective:
        terms = [self._weighted(factor, term) for factor, term in model.terms]
        return Objective(model.name, model.kind, terms[0] if len(terms) == 1 else Sum(tuple(terms)))

    def _weighted(self, factor: float, term: ComparedModel | PenaltyModel) -> ScalarExpr:
        if isinstance(term, PenaltyModel):
            value: ScalarExpr = Penalty(term.name, term.parameters)
        else:
            value = Compared(term.name, term.layer, term.target, self._on(term), term.delta)
        return value if factor == 1 else Weighted(factor, value)

    def _on(self, term: ComparedModel) -> NDArray[np.int64] | None:
        """The rising positions of the units that a comparison is over."""
        if term.on is None:
            return None
        chosen = self.sets.nodes(term.on)
        layer = self.nodes[term.layer]
        with located(term.on.span):
            place = place_units(chosen, layer)
        strange = np.flatnonzero(place < 0)
        if len(strange):
            some = listed([f"`{key}`" for key in chosen.keys[strange[:3]]])
            message = f"{count(len(strange), 'node')} of `on` are no units of `{term.layer}` (first: {some})"
            help = f"choose among the units of `{term.layer}`, as in `on = units({term.layer})[..]`"
            with self._refused.once(term):
                reject("E415", message, term.on.span, help=help)
        return np.sort(place).astype(np.int64)

    # -------------------------------------------------------------- targets

    def target(self, model: TargetModel, objectives: Sequence[ObjectiveModel]) -> Target:
        terms = [term for objective in objectives for _, term in objective.terms]
        uses = [self._use(t, terms) for t in terms if isinstance(t, ComparedModel) and t.target == model.name]
        if not uses:
            if model.shape is None:
                help = "compare it with a layer in a loss or metric, or remove it"
                reject("E417", f"nothing says which shape target `{model.name}` has", model.span, help=help)
            units = self.sets.nodes(model.shape.units)
            shape = (len(units), model.shape.channels) if model.shape.channel_axis else (len(units),)
            return Target(model.name, shape)
        first = uses[0]
        for other in uses[1:]:
            if (other.shape, other.n_classes) != (first.shape, first.n_classes):
                message = f"target `{model.name}` is compared with layers that ask for different shapes or classes"
                reject("E412", message, other.term.span, related=[(first.term.span, "the first comparison")])
        self._check_declared(model, first)
        if model.default is None:
            return Target(model.name, first.shape, first.n_classes)
        return self._with_data(model, uses)

    def _use(self, term: ComparedModel, terms: Sequence[object]) -> _Use:
        layer = self.layers[term.layer]
        binary = any(
            isinstance(other, ComparedModel) and other.name == "binary_cross_entropy" and other.target == term.target
            for other in terms
        )
        classes = term.name == "cross_entropy" or (
            term.name in OF_DECISIONS and not binary and layer.activation.name != "sigmoid"
        )
        if not classes:
            return _Use(term, layer.units.shape, None)
        if layer.units.channel_axis:
            return _Use(term, (len(layer.units),), layer.units.channels)
        return _Use(term, (), len(layer.units))

    def _check_declared(self, model: TargetModel, use: _Use) -> None:
        if model.shape is None:
            return
        units = len(self.sets.nodes(model.shape.units))
        declared = (units, model.shape.channels) if model.shape.channel_axis else (units,)
        if declared != use.shape:
            message = f"target `{model.name}` is declared as {_words(declared)}, and this needs {_words(use.shape)}"
            place = (use.term.span, "needed here")
            reject("E412", message, model.shape.span, help="leave the shape out", related=[place])

    # -------------------------------------------------------------- default data

    def _with_data(self, model: TargetModel, uses: Sequence[_Use]) -> Target:
        assert model.default is not None
        first = uses[0]
        if not first.shape:
            help = f"give `{model.name}` its data when you call the network"
            message = f"`{first.term.layer}` has one class a sample, and `{model.name}` has data for each unit"
            reject("E412", message, model.default.span, help=help)
        nodes = self.nodes[first.term.layer]
        column = target_column(model.default, self.data, self.sets, nodes)
        if first.n_classes is None:
            return Target(model.name, first.shape, default=self._values(model, column, first, uses))
        coded, classes = self._classes(model, column, first)
        self._require_present(model, coded == _MISSING_CLASS, nodes, uses)
        n_classes = first.n_classes if classes is None else len(classes)  # a layer may tell more apart than are named
        return Target(model.name, first.shape, n_classes, classes, coded)

    def _values(self, model: TargetModel, column: Column, use: _Use, uses: Sequence[_Use]) -> NDArray:
        assert model.default is not None
        if columns.kind(column) == "string":
            message = f"target `{model.name}` is text, and `{use.term.name}` needs numbers"
            help = "names of classes are compared by `cross_entropy` and `accuracy`"
            place = (use.term.span, "compared here")
            reject("E412", message, model.default.span, help=help, related=[place])
        values = fitting(column.values, self.dtype, f"target `{model.name}`", model.default.span)
        if values.ndim == 1 and use.shape == (len(values), 1):
            values = values[:, None]
        if values.shape != use.shape:
            message = f"the data of target `{model.name}` is {_words(values.shape)}, and this needs {_words(use.shape)}"
            reject("E412", message, model.default.span, related=[(use.term.span, "needed here")])
        missing = np.zeros(len(values), bool) if column.missing is None else column.missing
        values = np.where(missing.reshape(-1, *(1,) * (values.ndim - 1)), np.asarray(np.nan, self.dtype), values)
        absent = np.isnan(values).reshape(len(values), -1).any(axis=1)
        self._require_present(model, absent, self.nodes[use.term.layer], uses)
        self._require_range(model, values, uses)
        return values

    def _classes(self, model: TargetModel, column: Column, use: _Use) -> tuple[NDArray[np.int64], NDArray | None]:
        """Class numbers 0 .. C-1 as they are; anything else coded by sorted distinct values."""
        assert model.default is not None
        assert use.n_classes is not None
        present = np.ones(len(column.values), bool) if column.missing is None else ~column.missing
        values = column.values
        if values.ndim != 1 or values.dtype.kind == "f":
            message = f"target `{model.name}` has no class numbers or names, one a unit"
            reject("E412", message, model.default.span)
        coded = np.full(len(values), _MISSING_CLASS, dtype=np.int64)
        if not is_string(values) and values.dtype.kind == "i":
            known = values[present]
            if not len(known) or (known.min() >= 0 and known.max() < use.n_classes):
                coded[present] = known
                return coded, None
        found, _, codes = distinct(values[present])
        if len(found) > use.n_classes:
            some = listed([f"`{value}`" for value in found[:3]] + ["..."] * (len(found) - 3))
            message = f"target `{model.name}` has {len(found)} classes ({some}), `{use.term.layer}` {use.n_classes}"
            reject("E412", message, model.default.span, related=[(use.term.span, "compared here")])
        coded[present] = codes
        return coded, found.astype(np.int64) if found.dtype.kind == "b" else found

    def _require_range(self, model: TargetModel, values: NDArray, uses: Sequence[_Use]) -> None:
        """Refuse values that a loss cannot take, such as negative counts, where it looks."""
        for use in uses:
            name, on = use.term.name, self._on(use.term)
            n_wrong = number_outside(name, values if on is None else values[on])
            if n_wrong:
                assert model.default is not None
                wrong = f"{count(n_wrong, 'value')} {RANGES[name].others}"
                message = f"`{name}` takes {RANGES[name].takes}, and target `{model.name}` has {wrong}"
                reject("E412", message, model.default.span, related=[(use.term.span, "compared here")])

    def _require_present(
        self, model: TargetModel, absent: NDArray[np.bool_], nodes: NodeSet, uses: Sequence[_Use]
    ) -> None:
        """Refuse missing targets where a comparison looks."""
        for use in uses:
            on = self._on(use.term)
            looked = np.flatnonzero(absent) if on is None else on[absent[on]]
            if len(looked):
                assert model.default is not None
                some = listed([f"`{key}`" for key in nodes.keys[looked[:3]]])
                message = f"target `{model.name}` is missing for {count(len(looked), 'unit')} (first: {some})"
                help = "say with `on =` which units are compared"
                reject("E134", message, model.default.span, help=help, related=[(use.term.span, "compared here")])
