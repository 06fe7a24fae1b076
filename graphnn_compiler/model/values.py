"""What an expression can be: the kinds of values that the checker works with, and their names in errors.

Not for: evaluating.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, get_args

from graphnn_compiler.language.nodes import BlockDecl
from graphnn_compiler.model.distance_rules import Level, Levels
from graphnn_compiler.model.names import Scope
from graphnn_compiler.model.types import (
    DataPath,
    EdgeExpr,
    InputModel,
    LayerModel,
    NodeColumn,
    NodeExpr,
    Read,
    TargetModel,
)

NODE_TYPES = get_args(NodeExpr)
EDGE_TYPES = get_args(EdgeExpr)


@dataclass(frozen=True)
class NumberRange:
    """`low .. high` of two constants, both included."""

    low: int | float
    high: int | float


@dataclass(frozen=True)
class Home:
    """The file that a piece of program stands in: the folder of its paths, and how messages name that folder."""

    folder: Path
    shown: str = ""

    def data(self, path: str) -> DataPath:
        """The data file that this file names by a path."""
        return DataPath(self.folder / path, str(PurePosixPath(self.shown, path)) if self.shown else path)


@dataclass(frozen=True, eq=False)
class Block:
    """A declared block, the names that its body sees beside its own, and the file that it stands in."""

    decl: BlockDecl
    scope: Scope
    home: Home


@dataclass(frozen=True, eq=False)
class Library:
    """What `lib` is after `import "lib.gnn" as lib`: the names of an imported file."""

    shown: str
    scope: Scope


Value: TypeAlias = Any
"""A constant (int, float, bool, str, None), a tuple of constants, a NumberRange, a DataPath, a Read (a graph), a node
set, an edge set, Levels, a Level, a NodeColumn, an InputModel, LayerModel or TargetModel, a Block, or a Library."""

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a truth value"),
    ((int, float), "a number"),
    (str, "a string"),
    (tuple, "a list"),
    (NumberRange, "a range"),
    (DataPath, "a path"),
    (Read, "a graph"),
    (NODE_TYPES, "a node set"),
    (EDGE_TYPES, "an edge set"),
    (Levels, "a list of levels"),
    (Level, "a level"),
    (NodeColumn, "a node column"),
    (InputModel, "an input"),
    (LayerModel, "a layer"),
    (TargetModel, "a target"),
    (Block, "a block"),
    (Library, "an imported file"),
)


def kind_of(value: Value) -> str:
    """What a value is, in words."""
    for types, words in _KINDS:
        if isinstance(value, types):
            return words
    return "nothing" if value is None else "a number that only the data gives"
