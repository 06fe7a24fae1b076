"""Rules that look at columns of units or edges: `within`, `nearest`, `match`, `pairs`, `top`, `group`.

Part of the checked model (see `types`). Not for: evaluating.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from graphnn_compiler.model.columns import ColumnExpr
from graphnn_compiler.source import Span

if TYPE_CHECKING:
    from graphnn_compiler.model.types import EdgeExpr, NodeExpr

Metric = Literal["euclidean", "manhattan", "chebyshev", "haversine"]


@dataclass(frozen=True, eq=False)
class _Rule:
    span: Span = field(kw_only=True, repr=False)


# ------------------------------------------------------------------ open: on the units of each use


@dataclass(frozen=True, eq=False)
class Within(_Rule):
    """`within(radius, at = [..], metric = ..)`; `at` are columns of both ends."""

    radius: float
    at: tuple[ColumnExpr, ...]
    metric: Metric


@dataclass(frozen=True, eq=False)
class Nearest(_Rule):
    """`nearest(k, at = [..], metric = .., shortfall = ..)`."""

    k: int
    at: tuple[ColumnExpr, ...]
    metric: Metric
    shortfall: Literal["error", "all"]


@dataclass(frozen=True, eq=False)
class Match(_Rule):
    """`match(left == right and ..)`: for each equation what is of the source, and what is of the destination."""

    equations: tuple[tuple[ColumnExpr, ColumnExpr], ...]


@dataclass(frozen=True, eq=False)
class Pairs(_Rule):
    """`pairs(condition, limit = ..)`; `limit` is of the pairs that are tried."""

    predicate: ColumnExpr
    limit: int


OpenColumnRule: TypeAlias = Within | Nearest | Match | Pairs


# ------------------------------------------------------------------ bound: of a set


@dataclass(frozen=True, eq=False)
class Top(_Rule):
    """`top(base, k, by = .., per = dst | src)`."""

    base: EdgeExpr
    k: int
    by: ColumnExpr
    per: Literal["src", "dst"]


@dataclass(frozen=True, eq=False)
class Group(_Rule):
    """`group(base, by = ..)`: a node set."""

    base: NodeExpr
    by: ColumnExpr


@dataclass(frozen=True, eq=False)
class GroupMembers(_Rule):
    """`group.members`: the edges from the units of `group.base` to their groups."""

    group: Group
