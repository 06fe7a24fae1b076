"""The checked model: names resolved, defaults filled, every part with the span it came from.

Output of the checker, input of `topology.resolve`. Nothing here has seen a data file. A declared node or edge set
is one object wherever its name is used, so that it is evaluated once. Not for: syntax, edge lists, backends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from graphnn_compiler.model.columns import ColumnExpr
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


NodeExpr: TypeAlias = GraphNodes | IntegerUnits | FilteredNodes | EdgeEnds


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
    GraphEdges | Table | All | Same | OneToOne | Offset | RandomDegree | Sym | Reverse | EdgeOperation | RelationEdges
    | FilteredEdges | Bounded
)  # fmt: skip


def bound(edges: EdgeExpr) -> bool:
    """Whether an edge set has units of its own; open ones take those of each use.

    The answer is kept with the set: sets are made from sets, and asking each anew would take exponential time.
    """
    known = vars(edges).get("_bound")
    if known is None:
        known = _is_bound(edges)
        object.__setattr__(edges, "_bound", known)
    return bool(known)


def _is_bound(edges: EdgeExpr) -> bool:
    match edges:
        case GraphEdges() | Table() | Bounded():
            return True
        case All() | Same() | OneToOne() | Offset():
            return False
        case RandomDegree(among=among):
            return among is not None and bound(among)
        case Sym(base=base) | Reverse(base=base) | RelationEdges(base=base) | FilteredEdges(base=base):
            return bound(base)
        case EdgeOperation(left=left, right=right):
            return bound(left) or bound(right)


# ------------------------------------------------------------------ clauses and layers

NamedInit = Literal["glorot", "he", "lecun", "orthogonal", "zeros"]


@dataclass(frozen=True, eq=False)
class WeightsSpec(_Spanned):
    mode: Literal["per_edge", "shared", "per", "fixed"] = "per_edge"
    key: ColumnExpr | None = None
    value: float = 1.0


@dataclass(frozen=True, eq=False)
class NormSpec(_Spanned):
    kind: Literal["none", "row", "col", "symmetric"] = "none"
    per: ColumnExpr | None = None
    absolute: bool = False


@dataclass(frozen=True, eq=False)
class ClauseModel(_Spanned):
    """`from source via rule as label { .. }` with every option filled."""

    source: str
    rule: EdgeExpr
    label: str
    weights: WeightsSpec
    norm: NormSpec
    init: NamedInit | ColumnExpr
    init_span: Span
    scale: ColumnExpr | None
    trainable: bool


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
    where `value` names other layers.
    """

    name: str
    shape: Shape | None
    clauses: tuple[ClauseModel, ...] = ()
    value: TensorExpr | None = None
    reference_spans: Mapping[str, Span] = field(default_factory=dict)
    channels: int = 1
    channel_axis: bool = False
    bias: Literal["none", "per_unit", "per_channel"] = "none"
    layernorm: bool = False
    activation: Activation = LINEAR
    activation_span: Span | None = None
    dropout: float = 0.0
    trainable: bool = True
    output: bool = False


# ------------------------------------------------------------------ targets, losses, metrics, asserts


@dataclass(frozen=True, eq=False)
class NodeColumn(_Spanned):
    """`g.nodes.label`: a column of a node set, as the data of a target or an input."""

    nodes: NodeExpr
    column: str


@dataclass(frozen=True, eq=False)
class TargetModel(_Spanned):
    name: str
    shape: Shape | None
    default: Read | NodeColumn | None


@dataclass(frozen=True, eq=False)
class ComparedModel(_Spanned):
    """`name(layer, target, on = nodes)`."""

    name: Literal["cross_entropy", "binary_cross_entropy", "mse", "mae", "accuracy"]
    layer: str
    target: str
    on: NodeExpr | None


@dataclass(frozen=True, eq=False)
class PenaltyModel(_Spanned):
    """l1 or l2 of parameters, by full name."""

    name: Literal["l1", "l2"]
    parameters: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ObjectiveModel(_Spanned):
    """A loss or metric: the sum of factor * term."""

    name: str
    kind: Literal["loss", "metric"]
    terms: tuple[tuple[float, ComparedModel | PenaltyModel], ...]


@dataclass(frozen=True, eq=False)
class AssertModel(_Spanned):
    condition: ColumnExpr
    message: str | None


@dataclass(frozen=True, eq=False)
class Model:
    """A checked program. Layers, inputs and targets stand in the order of the text.

    `sets` are the graphs, node sets and edge sets that the program declares, used or not.
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
