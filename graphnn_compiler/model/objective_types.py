"""Targets, losses, metrics and asserts of the checked model (see `types`, which gives them out).

Not for: layers; evaluating.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from graphnn_compiler.model.columns import ColumnExpr
from graphnn_compiler.model.comparisons import ComparisonName
from graphnn_compiler.source import Span

if TYPE_CHECKING:
    from graphnn_compiler.model.types import NodeExpr, Read, Shape


@dataclass(frozen=True, eq=False)
class _Spanned:
    span: Span = field(kw_only=True, repr=False)


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
    """`name(layer, target, on = nodes)`; `delta` is of the Huber loss."""

    name: ComparisonName
    layer: str
    target: str
    on: NodeExpr | None
    delta: float = 1.0


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
