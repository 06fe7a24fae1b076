"""The checked model: names resolved, defaults filled, every part with the span it came from.

Output of the checker, input of `topology.resolve`. Nothing here has seen a data file. A declared node or edge set
is one object wherever its name is used, so that it is evaluated once. Not for: syntax, edge lists, backends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from graphnn_compiler.model.column_rules import Group, GroupMembers, OpenColumnRule, Top
from graphnn_compiler.model.columns import ColumnExpr
from graphnn_compiler.model.distance_rules import DistanceRule, LevelNodes
from graphnn_compiler.model.objective_types import AssertModel as AssertModel
from graphnn_compiler.model.objective_types import ComparedModel as ComparedModel
from graphnn_compiler.model.objective_types import NodeColumn as NodeColumn
from graphnn_compiler.model.objective_types import ObjectiveModel as ObjectiveModel
from graphnn_compiler.model.objective_types import PenaltyModel as PenaltyModel
from graphnn_compiler.model.objective_types import TargetModel as TargetModel
from graphnn_compiler.model.tensors import LINEAR, Activation, TensorExpr
from graphnn_compiler.source import Source, Span


@dataclass(frozen=True, eq=False)
class _Spanned:
    span: Span = field(kw_only=True, repr=False)


# ------------------------------------------------------------------ data


@dataclass(frozen=True)
class DataPath:
    """A data file: where it is, and how the program names it."""

    path: Path
    shown: str


@dataclass(frozen=True, eq=False)
class Read(_Spanned):
    """`read(..)` or `table(..)` of a declared name; `options` holds what was written, checked for type.

    `data=` of the Python API replaces the file by an object under the declared name.
    """

    name: str
    file: DataPath
    options: Mapping[str, str | bool]
    nodes: DataPath | None = None


# ------------------------------------------------------------------ node sets


@dataclass(frozen=True, eq=False)
class GraphNodes(_Spanned):
    """`g.nodes`; or one side of a graph read from a matrix that is not square."""

    graph: Read
    side: Literal["nodes", "sources", "targets"] = "nodes"


@dataclass(frozen=True, eq=False)
class IntegerUnits(_Spanned):
    """Anonymous units 0 .. size-1."""

    size: int


@dataclass(frozen=True, eq=False)
class FilteredNodes(_Spanned):
    base: NodeExpr
    predicate: ColumnExpr


@dataclass(frozen=True, eq=False)
class EdgeEnds(_Spanned):
    """The units of a bound edge set with an edge out (`sources`) or in (`targets`)."""

    edges: EdgeExpr
    side: Literal["sources", "targets"]


NodeExpr: TypeAlias = GraphNodes | IntegerUnits | FilteredNodes | EdgeEnds | Group | LevelNodes


# ------------------------------------------------------------------ edge sets


@dataclass(frozen=True, eq=False)
class GraphEdges(_Spanned):
    graph: Read


@dataclass(frozen=True, eq=False)
class Table(_Spanned):
    """`table(..)`: keys that are no unit of its domain are an error unless `drop`."""

    data: Read
    drop: bool


@dataclass(frozen=True, eq=False)
class All(_Spanned):
    pass


@dataclass(frozen=True, eq=False)
class Same(_Spanned):
    pass


@dataclass(frozen=True, eq=False)
class OneToOne(_Spanned):
    pass


@dataclass(frozen=True, eq=False)
class Offset(_Spanned):
    low: int
    high: int
    wrap: bool


@dataclass(frozen=True, eq=False)
class Stencil(_Spanned):
    """`offset([..])`: steps along the units; vectors of steps where the units fill `shape` in C order."""

    offsets: tuple[tuple[int, ...], ...]
    shape: tuple[int, ...] | None
    wrap: bool


@dataclass(frozen=True, eq=False)
class RandomDegree(_Spanned):
    """`random(in_degree = ..)`: a number, an inclusive range, or a column of the destination.

    `stream` names the draws; it is the declared name of the edge set, or the path of the clause.
    """

    degree: int | tuple[int, int] | ColumnExpr
    among: EdgeExpr | None
    seed: int | None
    stream: str
    shortfall: Literal["error", "all"]


@dataclass(frozen=True, eq=False)
class RandomPairs(_Spanned):
    """`random(p = ..)`: a number, or an expression over the columns of the candidates in `among`."""

    p: float | ColumnExpr
    among: EdgeExpr | None
    seed: int | None
    stream: str


@dataclass(frozen=True, eq=False)
class Shuffled(_Spanned):
    """`shuffled(R, keep = ..)`: a random edge set on the units of a bound one."""

    base: EdgeExpr
    keep: Literal["in_degree", "both_degrees", "count"]
    seed: int | None
    stream: str


@dataclass(frozen=True, eq=False)
class Sym(_Spanned):
    base: EdgeExpr


@dataclass(frozen=True, eq=False)
class Reverse(_Spanned):
    base: EdgeExpr


@dataclass(frozen=True, eq=False)
class EdgeOperation(_Spanned):
    """`left | right`, `&`, `-`, or `@` (first left, then right)."""

    operator: Literal["|", "&", "-", "@"]
    left: EdgeExpr
    right: EdgeExpr


@dataclass(frozen=True, eq=False)
class RelationEdges(_Spanned):
    """`g.edges["binds"]`."""

    base: EdgeExpr
    relation: str


@dataclass(frozen=True, eq=False)
class FilteredEdges(_Spanned):
    base: EdgeExpr
    predicate: ColumnExpr


@dataclass(frozen=True, eq=False)
class Bounded(_Spanned):
    """`edges m: A -> B = ..`."""

    base: EdgeExpr
    sources: NodeExpr
    targets: NodeExpr


EdgeExpr: TypeAlias = (
    GraphEdges | Table | All | Same | OneToOne | Offset | Stencil | RandomDegree | RandomPairs | Shuffled | Sym
    | Reverse | EdgeOperation | RelationEdges | FilteredEdges | Bounded | OpenColumnRule | Top | GroupMembers
    | DistanceRule
)  # fmt: skip


# ------------------------------------------------------------------ clauses and layers

NamedInit = Literal["glorot", "he", "lecun", "orthogonal", "zeros"]
BiasMode = Literal["none", "per_unit", "per_channel"]


@dataclass(frozen=True, eq=False)
class WeightsSpec(_Spanned):
    """Which edges share weights, and the form of each; of `same_as` those of the other clause, `layer.label`."""

    mode: Literal["per_edge", "shared", "per", "fixed"] = "per_edge"
    key: ColumnExpr | None = None
    value: float = 1.0
    mix: Literal["full", "diagonal", "scalar"] = "full"
    bases: int | None = None
    same_as: str | None = None


@dataclass(frozen=True, eq=False)
class NormSpec(_Spanned):
    kind: Literal["none", "row", "col", "symmetric"] = "none"
    per: ColumnExpr | None = None
    absolute: bool = False


@dataclass(frozen=True, eq=False)
class ClauseModel(_Spanned):
    """`from source via rule as label { .. }` with every option filled.

    `one_each` says that each unit on either side has to have one edge, as in the cells `gru` and `lstm`.
    """

    source: str
    rule: EdgeExpr
    label: str
    weights: WeightsSpec
    norm: NormSpec
    init: NamedInit | ColumnExpr
    init_span: Span
    scale: ColumnExpr | None
    trainable: bool
    one_each: bool = False


@dataclass(frozen=True, eq=False)
class Shape(_Spanned):
    units: NodeExpr
    channels: int = 1
    channel_axis: bool = False


@dataclass(frozen=True, eq=False)
class InputModel(_Spanned):
    name: str
    shape: Shape
    default: Read | None


@dataclass(frozen=True, eq=False)
class LayerModel(_Spanned):
    """A layer with clauses, or with an expression in `value`.

    `shape` is None where an expression layer takes the units of its operands. `reference_spans` are the places
    where `value` names other layers. `parameters_of` is what the names of its parameters begin with: the layer's own
    name, or one that the steps of a tied repeat have in common. `batchnorm` says what its statistics are of, each unit
    or each channel, and what it has a gain and a shift for; with it there is no bias.
    """

    name: str
    shape: Shape | None
    clauses: tuple[ClauseModel, ...] = ()
    value: TensorExpr | None = None
    reference_spans: Mapping[str, Span] = field(default_factory=dict)
    channels: int = 1
    channel_axis: bool = False
    bias: BiasMode = "none"
    batchnorm: BiasMode = "none"
    layernorm: bool = False
    activation: Activation = LINEAR
    activation_span: Span | None = None
    dropout: float = 0.0
    trainable: bool = True
    output: bool = False
    parameters_of: str = field(kw_only=True)

    @property
    def normed(self) -> bool:
        """Whether a norm stands between its sum or expression and its activation."""
        return self.layernorm or self.batchnorm != "none"


# ------------------------------------------------------------------ the program


@dataclass(frozen=True, eq=False)
class Model:
    """A checked program. Layers, inputs and targets stand in the order of the text.

    `sets` are the graphs, node sets and edge sets that the program declares, used or not. `imports` are the SHA-256
    digests of the imported files, by the path from the program's folder.
    """

    source: Source
    edition: int
    params: Mapping[str, int | float | bool | str]
    inputs: tuple[InputModel, ...]
    layers: tuple[LayerModel, ...]
    targets: tuple[TargetModel, ...]
    objectives: tuple[ObjectiveModel, ...]
    asserts: tuple[AssertModel, ...]
    sets: tuple[Read | NodeExpr | EdgeExpr, ...]
    reads: Mapping[str, Read]
    imports: Mapping[str, str] = field(default_factory=dict)
