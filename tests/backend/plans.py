"""Small plans for the tests of the backend: one of every kind by hand, and random ones by hypothesis.

Structure is drawn by hypothesis, so that failures shrink; the numbers come from a seeded generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphnn_compiler.topology.csr import Csr, csr_from_pairs
from graphnn_compiler.topology.plan import (
    ACTIVATIONS,
    Activation,
    Apply,
    Arithmetic,
    BatchNorm,
    Clause,
    Combination,
    Concat,
    Constant,
    DenseClause,
    Dropout,
    EdgePart,
    Input,
    Layer,
    LayerNorm,
    Mean,
    Parameter,
    Plan,
    Ref,
    RowNormalize,
    SparseClause,
    TensorExpr,
    Units,
    Weights,
)

PY = pytensor.compile.mode.Mode("py", None)
"""No compilation beyond the kernels, no rewrites: quick, and it sees every formula as it was written."""

SMOOTH = ("linear", "gelu", "silu", "softplus", "tanh", "sigmoid", "softmax")


@dataclass
class Case:
    """A plan with parameter values and inputs."""

    plan: Plan
    values: dict[str, NDArray]
    inputs: dict[str, NDArray]


def units(n: int, channels: int | None = None) -> Units:
    """n anonymous units, with a channel axis unless `channels` is None."""
    return Units(np.arange(n), channels or 1, channels is not None)


def random_csr(rng: np.random.Generator, n_sources: int, n_targets: int) -> Csr:
    """Each pair with probability one half."""
    row, column = np.nonzero(rng.random((n_targets, n_sources)) < 0.5)
    return csr_from_pairs(row, column, (n_targets, n_sources))


def clause(
    rng: np.random.Generator,
    kind: str,
    owner: str,
    source: str,
    ends: tuple[Units, Units],
    *,
    label: str | None = None,
    n_parts: int = 1,
    coefficients: bool = False,
) -> tuple[Clause, list[Parameter]]:
    """A clause from one set of units to another. Its kind: "dense" or "sparse", weights mode, a mix, "bases"."""
    form, mode, *rest = kind.split()
    mix = next((word for word in rest if word != "bases"), "full")
    (n_s, c_in), (n_t, c_out) = ((len(end), end.channels) for end in ends)
    label = label or source
    name = f"{owner}.{label}.weights"
    one = {"full": (c_in, c_out), "diagonal": (c_in,), "scalar": ()}[mix]
    block = () if c_in == c_out == 1 else one
    if form == "dense":
        every = {"full": (n_s * c_in, n_t * c_out), "diagonal": (c_in, n_s, n_t), "scalar": (n_s, n_t)}[mix]
        shape: tuple[int, ...] = every if mode == "per_edge" else one
        coefficient = 0.7 if coefficients else 1.0
        if mode == "fixed":
            return DenseClause(label, source, Weights("fixed", value=-1.3), coefficient), []
        return DenseClause(label, source, Weights(mode, name, mix=mix), coefficient), [Parameter(name, shape)]
    structures = [random_csr(rng, n_s, n_t) for _ in range(n_parts)]
    n_edges = sum(csr.n_edges for csr in structures)
    n_groups = n_edges if mode == "per_edge" else 3
    parts, first = [], 0
    for csr in structures:
        groups = None
        if mode == "per":
            groups = rng.integers(0, n_groups, csr.n_edges).astype(np.int32)
        elif mode == "per_edge" and n_parts > 1:
            groups = np.arange(first, first + csr.n_edges, dtype=np.int32)
        first += csr.n_edges
        parts.append(EdgePart(csr, rng.normal(size=csr.n_edges) if coefficients else None, groups))
    if mode == "fixed":
        return SparseClause(label, source, tuple(parts), Weights("fixed", value=1.7)), []
    shape = one if mode == "shared" else (n_groups, *block)
    group_values = np.arange(n_groups) if mode == "per" else None
    if "bases" in rest:
        several = f"{owner}.{label}.coefficients"
        weights = Weights(mode, name, group_values=group_values, mix=mix, coefficients=several)
        return SparseClause(label, source, tuple(parts), weights), [
            Parameter(name, (2, *block)),
            Parameter(several, (3, 2)),
        ]
    weights = Weights(mode, name, group_values=group_values, mix=mix)
    return SparseClause(label, source, tuple(parts), weights), [Parameter(name, shape)]


def batch_norm(owner: str, shape: tuple[int, ...]) -> tuple[BatchNorm, list[Parameter]]:
    """A batch norm of each unit or each channel, as the shape says."""
    norm = BatchNorm(*(f"{owner}.{name}" for name in ("gain", "shift", "running_mean", "running_variance")))
    trained = [Parameter(norm.gain, shape, kind="gain"), Parameter(norm.shift, shape, kind="shift")]
    return norm, [*trained, *(Parameter(name, shape, False, "state") for name in (norm.mean, norm.variance))]


def finished(rng: np.random.Generator, plan: Plan, batch: Sequence[int | None]) -> Case:
    """The plan with random values; `batch` is the batch length of each input, None for no batch axis."""
    values = {one.name: rng.uniform(-1, 1, one.shape).astype(plan.dtype) for one in plan.parameters}
    for layer in plan.layers:
        if layer.batchnorm is not None:
            values[layer.batchnorm.variance] = 1.5 + values[layer.batchnorm.variance]
    inputs = {}
    for node, length in zip(plan.inputs, batch, strict=True):
        shape = node.units.shape if length is None else (length, *node.units.shape)
        inputs[node.name] = rng.normal(size=shape).astype(plan.dtype)
    return Case(plan, values, inputs)


SPARSE_KINDS = (
    "sparse per_edge", "sparse shared", "sparse per", "sparse per bases", "sparse fixed",
    "sparse per_edge diagonal", "sparse shared diagonal", "sparse per diagonal", "sparse per diagonal bases",
    "sparse per_edge scalar", "sparse shared scalar", "sparse per scalar", "sparse per scalar bases",
)  # fmt: skip
KINDS = (
    *SPARSE_KINDS, "dense per_edge", "dense shared", "dense fixed",
    "dense per_edge diagonal", "dense shared diagonal", "dense per_edge scalar", "dense shared scalar",
)  # fmt: skip


def needs_equal_channels(kind: str) -> bool:
    """Whether a clause of this kind has as many channels in as out."""
    return bool({"fixed", "diagonal", "scalar"} & set(kind.split()))


def single_clause(
    kind: str, c_in: int | None, c_out: int | None, *, seed: int = 0, dtype: Any = "float64", n_parts: int = 1
) -> Case:
    """x -> y by one clause with coefficients and a bias, tanh; a batch of 3."""
    rng = np.random.default_rng(seed)
    ends = units(5, c_in), units(4, c_out)
    one, parameters = clause(rng, kind, "y", "x", ends, coefficients=True, n_parts=n_parts)
    bias = Parameter("y.bias", ends[1].shape, kind="bias")
    layer = Layer("y", ends[1], Combination((one,), "y.bias"), activation=Activation("tanh"), output=True)
    plan = Plan(1, dtype, (Input("x", ends[0]),), (layer,), (*parameters, bias))
    return finished(rng, plan, [3])


def every_clause(c_in: int | None, c_out: int | None, *, seed: int = 0, dtype: Any = "float64") -> Case:
    """One layer per kind of clause over one input, with coefficients and two parts for blocks; a batch of 3."""
    rng = np.random.default_rng(seed)
    layers, parameters = [], []
    plain = c_in is None
    for i, kind in enumerate(KINDS):
        ends = units(5, c_in), units(4, c_in if needs_equal_channels(kind) else c_out)
        one, new = clause(rng, kind, f"y{i}", "x", ends, coefficients=not plain, n_parts=1 if plain else 2)
        layers.append(Layer(f"y{i}", ends[1], Combination((one,)), output=True))
        parameters += new
    return finished(rng, Plan(1, dtype, (Input("x", units(5, c_in)),), tuple(layers), tuple(parameters)), [3])


# ------------------------------------------------------------------ random plans


@st.composite
def cases(draw: Any, dtype: str | None = None, activations: Sequence[str] = ACTIVATIONS) -> Case:
    """Random networks of one or two inputs and up to three layers; the last layer, at least, is an output."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    shapes = st.builds(units, st.integers(1, 4), st.sampled_from([None, 1, 2, 3]))
    inputs = [Input(f"x{i}", draw(shapes)) for i in range(draw(st.integers(1, 2)))]
    nodes = {node.name: node.units for node in inputs}
    layers: list[Layer] = []
    parameters: list[Parameter] = []
    for i in range(draw(st.integers(1, 3))):
        name = f"h{i}"
        if draw(st.integers(0, 3)) == 0:
            body, shape = draw(_expressions(nodes, activations))
        else:
            shape = draw(shapes)
            body, new = draw(_combinations(rng, name, nodes, shape))
            parameters += new
        axis = draw(st.sampled_from(["channels", "units"]))
        activation = Activation(draw(st.sampled_from(activations)), axis)
        norm, dropout = draw(st.sampled_from(["none", "layer", "batch"])), draw(st.sampled_from([0.0, 0.5]))
        batchnorm = None
        if norm == "batch":
            batchnorm, new = batch_norm(name, draw(st.sampled_from([shape.shape, (shape.channels,)])))
            parameters += new
        layers.append(Layer(name, shape, body, norm == "layer", activation, dropout, output=True, batchnorm=batchnorm))
        # what follows an exp would soon overflow
        if activation.name != "exp":
            nodes[name] = shape
    dtype = dtype or draw(st.sampled_from(["float32", "float64"]))
    batch = draw(st.sampled_from([0, 1, 5]))
    lengths = [draw(st.sampled_from([None, batch])) for _ in inputs]
    return finished(rng, Plan(1, dtype, tuple(inputs), tuple(layers), tuple(parameters)), lengths)


@st.composite
def _combinations(
    draw: Any, rng: np.random.Generator, name: str, nodes: dict[str, Units], target: Units
) -> tuple[Combination, list[Parameter]]:
    clauses, parameters = [], []
    for i in range(draw(st.integers(1, 3))):
        source = draw(st.sampled_from(sorted(nodes)))
        kinds = [k for k in KINDS if not needs_equal_channels(k) or nodes[source].channels == target.channels]
        one, new = clause(
            rng,
            draw(st.sampled_from(kinds)),
            name,
            source,
            (nodes[source], target),
            label=f"c{i}",
            n_parts=draw(st.integers(1, 2)),
            coefficients=draw(st.booleans()),
        )
        clauses.append(one)
        parameters += new
    shapes = [None, target.shape, (target.channels,)]
    bias = draw(st.sampled_from(shapes))
    if bias is not None:
        parameters.append(Parameter(f"{name}.bias", bias, kind="bias"))
    return Combination(tuple(clauses), None if bias is None else f"{name}.bias"), parameters


STEPS = ("apply", "constant", "other", "concat", "drop", "row", "norm", "units", "channels")


@st.composite
def _expressions(draw: Any, nodes: dict[str, Units], activations: Sequence[str]) -> tuple[TensorExpr, Units]:
    """An expression that neither overflows nor divides by little, and the units it is on."""
    bounded = [name for name in activations if name != "exp"]
    name = draw(st.sampled_from(sorted(nodes)))
    expr: TensorExpr = Ref(name)
    n, channels = len(nodes[name]), nodes[name].channels
    for step in draw(st.lists(st.sampled_from(STEPS), max_size=5)):
        fitting = [k for k, u in sorted(nodes.items()) if len(u) == n and (u.channels in (1, channels))]
        axis = draw(st.sampled_from(["channels", "units"]))
        if step == "apply":
            expr = Apply(Activation(draw(st.sampled_from(bounded)), axis), expr)
        elif step == "constant":
            expr = Arithmetic(draw(st.sampled_from("+-*/")), expr, Constant(2.5))
        elif step == "other" and fitting:
            tame = Apply(Activation("exp"), Apply(Activation("tanh"), Ref(draw(st.sampled_from(fitting)))))
            expr = Arithmetic(draw(st.sampled_from("+-*/")), expr, tame)
        elif step == "concat" and fitting and channels < 4:
            other = draw(st.sampled_from(fitting))
            expr, channels = Concat((Ref(other), expr)), channels + nodes[other].channels
        elif step == "drop":
            expr = Dropout(expr, 0.25)
        elif step == "row":
            expr = RowNormalize(Apply(Activation("softplus"), Apply(Activation("tanh"), expr)))
        elif step == "norm":
            expr = LayerNorm(expr)
        elif step == "units":
            expr, n = Mean(expr, "units"), 1
        elif step == "channels":
            expr, channels = Mean(expr, "channels"), 1
    return expr, units(n, channels if channels > 1 or draw(st.booleans()) else None)
