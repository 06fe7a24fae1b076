"""Columnar node and edge tables: what readers make and connectivity rules combine.

Every table is a handful of NumPy arrays; there is no Python object per edge. Keys are int64 or variable-width
strings (`numpy.dtypes.StringDType`). An `EdgeSet` is always in canonical order: by destination position, then
source position, then relation. Not for: reading files, the language, CSR layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.dtypes import StringDType
from numpy.typing import NDArray

STRING = StringDType()

Positions = NDArray[np.int64]


def string_array(values: object) -> NDArray[np.object_]:
    """`values` as a one-dimensional array of variable-width strings."""
    return np.asarray(values, dtype=STRING)


def is_string(array: NDArray) -> bool:
    """Whether an array holds variable-width strings."""
    return isinstance(array.dtype, StringDType)


def distinct(values: NDArray) -> tuple[NDArray, Positions, Positions]:
    """The distinct values, sorted; the first place of each; and for every place the number of its value.

    Asking `np.unique` for first places makes it sort stably. Its other sort crashes NumPy 2.4 on variable-width strings
    that hold two long rising runs, so strings must never be sorted by it.
    """
    found, first, number = np.unique(values, return_index=True, return_inverse=True)
    return found, first, number.reshape(-1)


@dataclass(frozen=True)
class Column:
    """One attribute of every node or edge.

    `values` is int64, float64, bool or string of shape (n,); where `missing` (bool, (n,)) is true the value means
    nothing. `missing` is None where nothing is missing.
    """

    values: NDArray
    missing: NDArray[np.bool_] | None = None

    def take(self, index: NDArray) -> Column:
        """The column at an index array or a boolean mask."""
        return Column(self.values[index], None if self.missing is None else self.missing[index])


def take_columns(columns: Mapping[str, Column], index: NDArray) -> dict[str, Column]:
    """Every column at an index array or a boolean mask."""
    return {name: column.take(index) for name, column in columns.items()}


@dataclass(frozen=True, eq=False)
class NodeSet:
    """Ordered units with unique keys: int64 or strings, shape (n,), and attribute columns."""

    keys: NDArray
    columns: Mapping[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def _order(self) -> Positions:
        return np.argsort(self.keys, kind="stable")

    @cached_property
    def _sorted(self) -> NDArray:
        return self.keys[self._order]

    @property
    def string_keys(self) -> bool:
        return is_string(self.keys)

    def find(self, keys: NDArray) -> Positions:
        """The position of each of `keys` (same key type), -1 where it is no unit. O((m + n) log n) time."""
        if keys is self.keys:
            return np.arange(len(self))
        if len(self) == 0 or is_string(keys) != self.string_keys:
            return np.full(len(keys), -1, np.int64)
        if self.string_keys:
            # NumPy 2.4's searchsorted is silently wrong for strings of more than 15 bytes in two arrays.
            _, _, codes = distinct(np.concatenate([self.keys, keys]))
            position = np.full(len(self) + len(keys), -1, np.int64)
            position[codes[: len(self)]] = np.arange(len(self))
            return position[codes[len(self) :]]
        slot = np.minimum(np.searchsorted(self._sorted, keys), len(self) - 1)
        return np.where(self._sorted[slot] == keys, self._order[slot], -1)

    def take(self, index: NDArray) -> NodeSet:
        """The sub-set at an index array or mask, in that order."""
        return NodeSet(self.keys[index], take_columns(self.columns, index))

    def same_units(self, other: NodeSet) -> bool:
        """Whether both hold the same keys in the same order."""
        if self.keys is other.keys:
            return True
        return self.string_keys == other.string_keys and np.array_equal(self.keys, other.keys)


def integer_units(n: int) -> NodeSet:
    """The anonymous node set of an integer size: keys 0 .. n-1."""
    return NodeSet(np.arange(n, dtype=np.int64))


@dataclass(frozen=True)
class Relations:
    """The relation of every edge: `codes` (int32, (E,)) index `names`; -1 is the type *missing*."""

    codes: NDArray[np.int32]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class EdgeSet:
    """A set of edges from `sources` to `targets`, in canonical order, no edge twice.

    `row` and `column` (int64, shape (E,)) are positions in `targets` and in `sources`. An edge's identity is its
    pair, and its relation where `relations` is given. Make one with `canonical` unless the order is known.
    """

    sources: NodeSet
    targets: NodeSet
    row: Positions
    column: Positions
    columns: Mapping[str, Column] = field(default_factory=dict)
    relations: Relations | None = None

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: NDArray) -> EdgeSet:
        """The edges at a mask or an *increasing* index array (which keeps the canonical order)."""
        relations = self.relations and Relations(self.relations.codes[index], self.relations.names)
        return EdgeSet(
            self.sources,
            self.targets,
            self.row[index],
            self.column[index],
            take_columns(self.columns, index),
            relations,
        )


def canonical_order(row: Positions, column: Positions, codes: NDArray | None, n_sources: int) -> Positions:
    """The permutation that sorts edges by destination, then source, then relation. O(E log E)."""
    pair = row * n_sources + column if n_sources else row
    if codes is None:
        return np.argsort(pair, kind="stable")
    return np.lexsort((codes, pair))


def _is_ordered(row: Positions, column: Positions) -> bool:
    return bool(np.all((row[1:] > row[:-1]) | ((row[1:] == row[:-1]) & (column[1:] > column[:-1]))))


def canonical(
    sources: NodeSet,
    targets: NodeSet,
    row: Positions,
    column: Positions,
    columns: Mapping[str, Column] | None = None,
    relations: Relations | None = None,
) -> EdgeSet:
    """The edge set of distinct edges given in any order."""
    if relations is None and _is_ordered(row, column):
        return EdgeSet(sources, targets, row, column, columns or {})
    order = canonical_order(row, column, None if relations is None else relations.codes, len(sources))
    edges = EdgeSet(sources, targets, row, column, columns or {}, relations)
    return edges.take(order)


@dataclass(frozen=True)
class Graph:
    """What `read(..)` gives: the edges between `sources` and `targets`, one and the same node set unless the data
    is a matrix that is not square."""

    sources: NodeSet
    targets: NodeSet
    edges: EdgeSet
    files: Mapping[str, str] = field(default_factory=dict)
    """Provenance: file as the program names it -> sha256 of its bytes, in hexadecimal."""

    @property
    def bipartite(self) -> bool:
        return self.sources is not self.targets
