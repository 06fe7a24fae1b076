"""What an expression can be: the kinds of values that the checker works with, and their names in errors.

Not for: evaluating.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

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


Value: TypeAlias = Any
"""A constant (int, float, bool, str, None), a tuple of constants, a NumberRange, a DataPath, a Read (a graph), a node
set, an edge set, a NodeColumn, or an InputModel, LayerModel or TargetModel."""

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
    (NodeColumn, "a node column"),
    (InputModel, "an input"),
    (LayerModel, "a layer"),
    (TargetModel, "a target"),
)


def kind_of(value: Value) -> str:
    """What a value is, in words."""
    for types, words in _KINDS:
        if isinstance(value, types):
            return words
    return "nothing" if value is None else "a number that only the data gives"
