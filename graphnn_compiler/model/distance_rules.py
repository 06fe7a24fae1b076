"""Rules about paths in a bound edge set: `hops`, `walks`, `closure`, `levels`.

Part of the checked model (see `types`). Not for: evaluating.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from graphnn_compiler.source import Span

if TYPE_CHECKING:
    from graphnn_compiler.model.types import EdgeExpr


@dataclass(frozen=True, eq=False)
class _Rule:
    span: Span = field(kw_only=True, repr=False)


@dataclass(frozen=True, eq=False)
class Hops(_Rule):
    """`hops(base, k)` or `hops(base, low..high)`."""

    base: EdgeExpr
    low: int
    high: int


@dataclass(frozen=True, eq=False)
class Walks(_Rule):
    """`walks(base, length)`."""

    base: EdgeExpr
    length: int


@dataclass(frozen=True, eq=False)
class Closure(_Rule):
    """`closure(base)`."""

    base: EdgeExpr


@dataclass(frozen=True, eq=False)
class Levels(_Rule):
    """`levels(base, root = .., depth = ..)`: a list of levels, 0 .. depth; without a root one is added."""

    base: EdgeExpr
    root: str | int | None
    depth: int


@dataclass(frozen=True, eq=False)
class Level(_Rule):
    """`cut[k]`: one level of a list."""

    levels: Levels
    index: int


@dataclass(frozen=True, eq=False)
class LevelNodes(_Rule):
    """`cut[k].nodes`: a node set."""

    levels: Levels
    index: int


@dataclass(frozen=True, eq=False)
class LevelEdges(_Rule):
    """`cut[k].edges`: the edges from level k to level k - 1."""

    levels: Levels
    index: int


DistanceRule: TypeAlias = Hops | Walks | Closure | LevelEdges
"""The edge sets among them; all are bound."""
