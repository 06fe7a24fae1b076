"""The plan: everything a backend needs to know about a network, and nothing about how it was written.

Input: made by `resolve`, or read back from an archive. Output: read by the backends, `inspect` and the archive.
Layers stand in order of computation. Not for: parameter values (they travel beside the plan, by parameter name),
names of files, the language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

# the expressions over layers are the model's own; backends find them here, beside the rest of the plan
from graphnn_compiler.model.comparisons import ComparisonName as ComparisonName
from graphnn_compiler.model.tensors import ACTIVATIONS as ACTIVATIONS
from graphnn_compiler.model.tensors import LINEAR as LINEAR
from graphnn_compiler.model.tensors import Activation as Activation
from graphnn_compiler.model.tensors import ActivationName as ActivationName
from graphnn_compiler.model.tensors import Apply as Apply
from graphnn_compiler.model.tensors import Arithmetic as Arithmetic
from graphnn_compiler.model.tensors import Axis as Axis
from graphnn_compiler.model.tensors import Concat as Concat
from graphnn_compiler.model.tensors import Constant as Constant
from graphnn_compiler.model.tensors import Dropout as Dropout
from graphnn_compiler.model.tensors import LayerNorm as LayerNorm
from graphnn_compiler.model.tensors import Mean as Mean
from graphnn_compiler.model.tensors import Ref as Ref
from graphnn_compiler.model.tensors import RowNormalize as RowNormalize
from graphnn_compiler.model.tensors import TensorExpr as TensorExpr
from graphnn_compiler.model.tensors import operands as operands
from graphnn_compiler.model.tensors import references as references
from graphnn_compiler.topology.csr import Csr
from graphnn_compiler.topology.scaling import Scaling as Scaling

DType = Literal["float32", "float64"]
WeightMode = Literal["per_edge", "shared", "per", "fixed"]
Mix = Literal["full", "diagonal", "scalar"]
ParameterKind = Literal["weights", "bias", "gain", "shift", "state"]

# ------------------------------------------------------------------ units and parameters


@dataclass(frozen=True, eq=False)
class Units:
    """What a layer's values stand on: `keys` (int64 or strings, shape (U,)) and the number of channels.

    Without a channel axis (`channel_axis` false, `channels` 1) arrays are (U,) or (B, U), else (U, C) or (B, U, C).
    """

    keys: NDArray
    channels: int = 1
    channel_axis: bool = False

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return (len(self), self.channels) if self.channel_axis else (len(self),)


@dataclass(frozen=True)
class Parameter:
    """A trainable or frozen array. `kind` says what it is, for regularisers and reports.

    One of the kind `state` is never trainable: it follows the data in training.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool = True
    kind: ParameterKind = "weights"

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


# ------------------------------------------------------------------ clauses


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a clause: a parameter (by name), or the constant `value` where the mode is `fixed`.

    W is a C_in x C_out block, diag(w) or w * I as `mix` says; the last two have C_in = C_out = C. `block` is what is
    stored of one: (C_in, C_out), (C,), or () for w * I and wherever C_in = C_out = 1. Shape of the parameter: per_edge
    (E, *block); shared (C_in, C_out), (C,) or (); per (G, *block), where `group_values` (shape (G,)) holds the value of
    the sharing key of each group. In a dense clause per_edge is (S * C_in, T * C_out), (C, S, T) or (S, T).

    With `coefficients`, a parameter a of shape (G, B), the mode is per, `parameter` holds B bases V of shape
    (B, *block), and group g has the block sum over b of a[g, b] V[b]: the basis decomposition of Schlichtkrull et al.,
    "Modeling relational data with graph convolutional networks", ESWC 2018, equation 3.
    """

    mode: WeightMode
    parameter: str | None = None
    value: float = 1.0
    group_values: NDArray | None = None
    mix: Mix = "full"
    coefficients: str | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that it reads."""
        return tuple(name for name in (self.parameter, self.coefficients) if name is not None)


def block_shape(mix: Mix, c_in: int, c_out: int) -> tuple[int, ...]:
    """The shape in which one weight block among several is stored."""
    if mix == "scalar" or c_in == c_out == 1:
        return ()
    return (c_in,) if mix == "diagonal" else (c_in, c_out)


@dataclass(frozen=True, eq=False)
class EdgePart:
    """Edges of a clause among which no pair stands twice, as one CSR matrix (rows = targets).

    `coefficients` (float64, (E,)) are c(e), None for all ones. `groups` (integers, (E,)) is the weight block that
    each stored entry uses: None where entry k uses block k (per edge), or where one block serves all (shared, fixed).
    """

    csr: Csr
    coefficients: NDArray[np.float64] | None = None
    groups: NDArray[np.integer] | None = None


@dataclass(frozen=True, eq=False)
class SparseClause:
    """`from source via edges`: one part, or one part a relation where a pair has several.

    `left_out` counts edges of the graph whose ends are no units of the source or the layer. `relations` names the
    relation of each part, None in a clause without relations or where a single part holds all of them.
    """

    label: str
    source: str
    parts: tuple[EdgePart, ...]
    weights: Weights
    left_out: int = 0
    relations: tuple[str | None, ...] | None = None

    @property
    def n_edges(self) -> int:
        return sum(part.csr.n_edges for part in self.parts)


@dataclass(frozen=True, eq=False)
class DenseClause:
    """`from source via all`: every pair, with one constant coefficient. Never an edge list."""

    label: str
    source: str
    weights: Weights
    coefficient: float = 1.0


Clause: TypeAlias = SparseClause | DenseClause

# ------------------------------------------------------------------ inputs, layers, targets


@dataclass(frozen=True, eq=False)
class Input:
    """A free input. `default` has the shape of one sample (shared by the batch) or a batch axis in front.

    Where there is `fill` (float64, the shape of one sample), NaN stands for a missing value and becomes that; then
    `scaling` is applied. Layers read the result.
    """

    name: str
    units: Units
    default: NDArray | None = None
    fill: NDArray[np.float64] | None = None
    scaling: Scaling | None = None


@dataclass(frozen=True, eq=False)
class Combination:
    """Sum of the clauses plus the bias parameter (by name), if any: (U,), (U, C) per unit, (C,) per channel."""

    clauses: tuple[Clause, ...]
    bias: str | None = None


@dataclass(frozen=True)
class BatchNorm:
    """gain * (x - mean) / sqrt(variance + 1e-5) + shift, by the names of four parameters (Ioffe & Szegedy 2015).

    All have one shape, and the statistics are over every axis that it lacks: with the layer's own shape, (U,) or
    (U, C), they are over the batch; with (C,) over batch and units. In training, mean and variance are those of the
    batch, and `mean` and `variance`, of the kind `state`, follow them; otherwise they are `mean` and `variance`.
    """

    gain: str
    shift: str
    mean: str
    variance: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that it reads."""
        return (self.gain, self.shift, self.mean, self.variance)


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: its linear part (or expression), then batch norm or layer norm, activation, dropout."""

    name: str
    units: Units
    body: Combination | TensorExpr
    layernorm: bool = False
    activation: Activation = LINEAR
    dropout: float = 0.0
    output: bool = False
    batchnorm: BatchNorm | None = None

    @property
    def normed(self) -> bool:
        """Whether a norm stands between its sum or expression and its activation."""
        return self.layernorm or self.batchnorm is not None

    @property
    def sources(self) -> tuple[str, ...]:
        """The inputs and layers it reads."""
        if isinstance(self.body, Combination):
            return tuple(clause.source for clause in self.body.clauses)
        return tuple(references(self.body))


@dataclass(frozen=True, eq=False)
class Target:
    """What a loss compares with. Class targets are integers 0 .. C-1, coded by position in `classes`.

    `shape` is that of one sample: () or (U,) for classes, that of the compared layer for values. `default` is coded
    (int64) for classes, of the plan's dtype for values, -1 / NaN where a value is missing outside every `on`.
    """

    name: str
    shape: tuple[int, ...]
    n_classes: int | None = None
    classes: NDArray | None = None
    default: NDArray | None = None


# ------------------------------------------------------------------ losses and metrics


@dataclass(frozen=True, eq=False)
class Compared:
    """`name(layer, target, on = units)`: a mean over the batch and the units at positions `on` (None: all).

    Scores, which are none, are of all samples together (see `evaluation.scores`). `delta` is of the Huber loss.
    """

    name: ComparisonName
    layer: str
    target: str
    on: NDArray[np.int64] | None = None
    delta: float = 1.0


@dataclass(frozen=True)
class Penalty:
    """l1 = sum |w|, l2 = sum w^2 over the named parameters."""

    name: Literal["l1", "l2"]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Weighted:
    """`factor * term`."""

    factor: float
    term: ScalarExpr


@dataclass(frozen=True)
class Sum:
    terms: tuple[ScalarExpr, ...]


ScalarExpr: TypeAlias = Compared | Penalty | Weighted | Sum


@dataclass(frozen=True)
class Objective:
    """A named loss or metric."""

    name: str
    kind: Literal["loss", "metric"]
    value: ScalarExpr


# ------------------------------------------------------------------ the plan


@dataclass(frozen=True)
class Provenance:
    """Where a plan came from: SHA-256 digests are of the bytes read, in hexadecimal."""

    source_name: str
    source_sha256: str
    files: Mapping[str, str]
    params: Mapping[str, int | float | bool | str]
    seed: int
    versions: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Plan:
    """A resolved network."""

    edition: int
    dtype: DType
    inputs: tuple[Input, ...]
    layers: tuple[Layer, ...]
    parameters: tuple[Parameter, ...]
    targets: tuple[Target, ...] = ()
    objectives: tuple[Objective, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance("", "", {}, {}, 0, {}))

    @cached_property
    def units(self) -> dict[str, Units]:
        """The units of every input and layer, by name."""
        inputs = {node.name: node.units for node in self.inputs}
        return inputs | {layer.name: layer.units for layer in self.layers}

    @cached_property
    def layer(self) -> dict[str, Layer]:
        """Every layer by name."""
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def parameter(self) -> dict[str, Parameter]:
        """Every parameter by name."""
        return {parameter.name: parameter for parameter in self.parameters}

    @property
    def outputs(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.output)
