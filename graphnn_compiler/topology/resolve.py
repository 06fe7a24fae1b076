"""Model and data to plan: `resolve` is the stage's one function.

Input: a checked model, the objects of `data=`, a seed, limits. Output: a `Resolution`: the plan and the start values
of its parameters, or None beside at least one error; and every diagnostic. Layers are resolved in the order of the
text; one that is refused does not stop those that do not need it. Not for: backends.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Diagnostic, count, did_you_mean
from graphnn_compiler.model.binding import bound
from graphnn_compiler.model.rejection import Rejected, collecting, reject
from graphnn_compiler.model.types import BiasMode, EdgeExpr, InputModel, LayerModel, Model, NodeExpr, Read, Shape
from graphnn_compiler.topology import findings
from graphnn_compiler.topology.clauses import Clauses, Limits, Side
from graphnn_compiler.topology.data import Data
from graphnn_compiler.topology.graph import NodeSet, integer_units
from graphnn_compiler.topology.null_models import NullModel, Rewiring
from graphnn_compiler.topology.plan import (
    Arithmetic,
    BatchNorm,
    Combination,
    Concat,
    DType,
    Input,
    Layer,
    Mean,
    Parameter,
    Plan,
    Provenance,
    Ref,
    Target,
    TensorExpr,
    Units,
    operands,
)
from graphnn_compiler.topology.samples import input_default
from graphnn_compiler.topology.sets import Sets
from graphnn_compiler.topology.targets import Targets
from graphnn_compiler.topology.tied import TiedClauses
from graphnn_compiler.topology.verification import verify

_VERSIONS = ("graphnn-compiler", "numpy", "scipy", "pyarrow", "pytensor")


@dataclass(frozen=True, eq=False)
class Resolution:
    """A plan and the start values of its parameters, by name."""

    plan: Plan
    values: Mapping[str, NDArray]


@dataclass(frozen=True)
class Build:
    """How a model is resolved: everything that is not in the text. `data` replaces reads by declared name.

    With `null`, its edges are shuffled, and start values are drawn by the sum of `seed` and the null model's number.
    """

    data: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0
    dtype: DType = "float32"
    limits: Limits = field(default_factory=Limits)
    null: NullModel | None = None

    @property
    def start_seed(self) -> int:
        """The seed of start values."""
        return self.seed + (0 if self.null is None else self.null.number)


def resolve(model: Model, build: Build) -> tuple[Resolution | None, list[Diagnostic]]:
    """The plan of a model, with its data."""
    resolver = Resolver(model, build)
    resolver.run()
    if any(problem.severity == "error" for problem in resolver.problems):
        return None, resolver.problems
    resolution = Resolution(resolver.plan(), resolver.values)
    verify(resolution.plan, resolution.values)
    return resolution, resolver.problems


class Resolver:
    """One resolution and what it found on the way: `run` fills the sets, the sides of layers, and the problems."""

    def __init__(self, model: Model, build: Build) -> None:
        self.model = model
        self.build = build
        self.problems: list[Diagnostic] = []
        self.data = Data(build.data)
        self.sets = Sets(self.data, build.seed, build.limits.max_edges)
        lent = frozenset(it.weights.same_as for layer in model.layers for it in layer.clauses if it.weights.same_as)
        self.rewiring = None if build.null is None else Rewiring(build.null.keep, build.start_seed)
        self.clauses = Clauses(self.sets, build.start_seed, build.dtype, build.limits, lent, self.rewiring)
        self.tied = TiedClauses(self.clauses)
        self.biased: dict[str, Side] = {}
        self.sides: dict[str, Side] = {}
        self.inputs: list[Input] = []
        self.layers: dict[str, Layer] = {}
        self.parameters: list[Parameter] = []
        self.values: dict[str, NDArray] = {}
        self.targets: list[Target] = []
        self.objectives: list = []

    def run(self) -> None:
        with collecting(self.problems):
            self._check_bound_data()
        for declared in self.model.sets:
            with collecting(self.problems):
                self._evaluate(declared)
        for check in self.model.asserts:
            with collecting(self.problems):
                findings.check_assert(check, self.sets)
        for node in self.model.inputs:
            with collecting(self.problems):
                self.inputs.append(self._input(node))
        for layer in self.model.layers:
            with collecting(self.problems):
                self.layers[layer.name] = self._layer(layer)
        if not any(problem.severity == "error" for problem in self.problems):
            self._objectives()
        if self.rewiring is not None and not any(problem.severity == "error" for problem in self.problems):
            with collecting(self.problems):
                findings.require_rewired(self.rewiring, self.model.source.whole())

    def _evaluate(self, declared: Read | NodeExpr | EdgeExpr) -> None:
        """A declared set is right or wrong whether a layer uses it or not; an open one has no units to be right on."""
        if isinstance(declared, Read):
            self.data.graph(declared)
        elif isinstance(declared, NodeExpr):
            self.sets.nodes(declared)
        elif bound(declared):
            self.sets.bound_edges(declared)

    def plan(self) -> Plan:
        """The plan of a model that was resolved without errors."""
        return Plan(
            self.model.edition,
            self.build.dtype,
            tuple(self.inputs),
            tuple(self.layers.values()),
            tuple(self.parameters),
            tuple(self.targets),
            tuple(self.objectives),
            self._provenance(),
        )

    def _provenance(self) -> Provenance:
        text = self.model.source.text.encode()
        versions = {name: metadata.version(name) for name in _VERSIONS}
        versions["python"] = ".".join(str(part) for part in sys.version_info[:3])
        return Provenance(
            self.model.source.name,
            hashlib.sha256(text).hexdigest(),
            dict(sorted({**self.data.files, **self.model.imports}.items())),
            dict(self.model.params),
            self.build.seed,
            versions,
        )

    def _check_bound_data(self) -> None:
        for name in self.build.data:
            if name not in self.model.reads:
                known = list(self.model.reads)
                otherwise = "it reads " + ", ".join(known) if known else "it reads no data"
                help = did_you_mean(name, known, otherwise)
                reject(
                    "E250",
                    f"`data` binds `{name}`, which the program does not read",
                    self.model.source.whole(),
                    help=help,
                )

    # -------------------------------------------------------------- inputs and layers

    def _side(self, shape: Shape) -> Side:
        nodes = self.sets.nodes(shape.units)
        return Side(nodes, Units(nodes.keys, shape.channels, shape.channel_axis))

    def _input(self, node: InputModel) -> Input:
        side = self.sides[node.name] = self._side(node.shape)
        default = None
        if node.default is not None:
            default = input_default(node.default, self.data, side.nodes, side.units, self.build.dtype)
        return Input(node.name, side.units, default)

    def _layer(self, layer: LayerModel) -> Layer:
        needs = [clause.source for clause in layer.clauses] or list(layer.reference_spans)
        if any(name not in self.sides for name in needs):
            raise Rejected(None)  # the cause is already reported
        body: Combination | TensorExpr
        if layer.value is not None:
            side, body = self._expression(layer, layer.value), layer.value
        else:
            assert layer.shape is not None
            side = self._side(layer.shape)
            body = self._combination(layer, side)
        self.sides[layer.name] = side
        batchnorm = self._batchnorm(layer, side)
        return Layer(
            layer.name, side.units, body, layer.layernorm, layer.activation, layer.dropout, layer.output, batchnorm
        )

    def _combination(self, layer: LayerModel, side: Side) -> Combination:
        resolved = []
        for clause in layer.clauses:
            with collecting(self.problems):
                resolved.append(self.tied.resolve(layer, clause, self.sides[clause.source], side))
        if len(resolved) < len(layer.clauses):
            raise Rejected(None)
        for part in resolved:
            for parameter, values in part.started:
                self._add(parameter, values)
        bias = self._bias(layer, side)
        combination = Combination(tuple(part.clause for part in resolved), bias)
        said = {(problem.code, problem.span) for problem in self.problems}
        found = findings.lints(layer, combination, side.nodes)
        self.problems += [lint for lint in found if (lint.code, lint.span) not in said]
        return combination

    def _bias(self, layer: LayerModel, side: Side) -> str | None:
        return None if layer.bias == "none" else self._of_layer(layer, "bias", layer.bias, side, 0.0)

    def _batchnorm(self, layer: LayerModel, side: Side) -> BatchNorm | None:
        mode = layer.batchnorm
        if mode == "none":
            return None
        gain, shift = self._of_layer(layer, "gain", mode, side, 1.0), self._of_layer(layer, "shift", mode, side, 0.0)
        # steps of a tied repeat see values of other sizes, so that each has statistics of its own: Cooijmans et al.,
        # "Recurrent batch normalization", ICLR 2017, section 3
        names = f"{layer.name}.running_mean", f"{layer.name}.running_variance"
        for name, start in zip(names, (0.0, 1.0), strict=True):
            state = Parameter(name, _shape(mode, side.units), trainable=False, kind="state")
            self._add(state, np.full(state.shape, start, dtype=self.build.dtype))
        return BatchNorm(gain, shift, *names)

    def _of_layer(
        self, layer: LayerModel, kind: Literal["bias", "gain", "shift"], mode: BiasMode, side: Side, start: float
    ) -> str:
        """The name of a parameter of each unit or each channel, which tied steps have in common."""
        name = f"{layer.parameters_of}.{kind}"
        first = self.biased.setdefault(name, side)
        if mode == "per_unit" and not first.nodes.same_units(side.nodes):
            message = f"two steps of a tied repeat have other units, so they cannot share a {kind} of each unit"
            reject("E155", message, layer.span, help="write `untied`, or `bias = per_channel`")
        shape = _shape(mode, side.units)
        self._add(Parameter(name, shape, layer.trainable, kind), np.full(shape, start, dtype=self.build.dtype))
        return name

    def _add(self, parameter: Parameter, values: NDArray) -> None:
        """A parameter with its start values; tied layers come with it several times."""
        if parameter.name in self.values:
            return
        self.parameters.append(parameter)
        self.values[parameter.name] = values

    # -------------------------------------------------------------- expression layers

    def _expression(self, layer: LayerModel, value: TensorExpr) -> Side:
        nodes = self._units_of(value, layer)
        assert nodes is not None
        if layer.shape is not None:
            declared = self.sets.nodes(layer.shape.units)
            if not declared.same_units(nodes):
                sizes = f"{count(len(declared), 'unit')}, and its expression has {len(nodes):,}"
                if len(declared) == len(nodes):
                    sizes = "units with other keys, or in another order, than its expression has"
                message = f"`{layer.name}` is declared with {sizes}"
                reject("E404", message, layer.shape.span, help="leave the shape out, or connect with `via same`")
            nodes = declared
        return Side(nodes, Units(nodes.keys, layer.channels, layer.channel_axis))

    def _units_of(self, expr: TensorExpr, layer: LayerModel) -> NodeSet | None:
        """The units of an expression, None of a constant. Refuses operands with other units, or another order."""
        if isinstance(expr, Ref):
            return self.sides[expr.layer].nodes
        found = [self._units_of(operand, layer) for operand in operands(expr)]
        if isinstance(expr, Mean) and expr.axis == "units":
            return integer_units(1)
        if isinstance(expr, Arithmetic | Concat):
            self._require_same([nodes for nodes in found if nodes is not None], expr, layer)
        return next((nodes for nodes in found if nodes is not None), None)

    def _require_same(self, sets: list[NodeSet], expr: TensorExpr, layer: LayerModel) -> None:
        for other in sets[1:]:
            if sets[0].same_units(other):
                continue
            sizes = f"{len(sets[0]):,} and {len(other):,} units"
            if len(sets[0]) == len(other):
                sizes = f"{len(other):,} units each, with other keys or in another order"
            span = list(layer.reference_spans.values())[-1]
            help = "units are joined by key: use a layer with a `from .. via same` clause for each"
            reject("E404", f"the operands in `{layer.name}` have {sizes}", span, help=help)

    # -------------------------------------------------------------- targets, losses, metrics

    def _objectives(self) -> None:
        nodes = {name: side.nodes for name, side in self.sides.items()}
        targets = Targets(self.sets, self.data, self.layers, nodes, self.build.dtype)
        for objective in self.model.objectives:
            with collecting(self.problems):
                self.objectives.append(targets.objective(objective))
        for target in self.model.targets:
            with collecting(self.problems):
                self.targets.append(targets.target(target, self.model.objectives))


def _shape(mode: BiasMode, units: Units) -> tuple[int, ...]:
    """The shape of a parameter of each unit, or of each channel."""
    return units.shape if mode == "per_unit" else (units.channels,)
