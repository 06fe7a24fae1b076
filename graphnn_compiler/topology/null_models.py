"""Null models: a network whose edges are shuffled, for asking what the wiring is worth.

Input: the edges of clauses as they were resolved. Output: as many edges between the same units, rewired as the rule
`shuffled(R, keep = ..)` does. Not for: which scores are compared (`training.null`).

* A self loop, an edge from a unit to itself, stays: it is no wiring between units. So do the edges of `same` and
  `one_to_one` and those of cells, which say which unit of one layer is which of another.
* The edges of each relation are shuffled by themselves, so that grouped weights and norms of relations stay meaningful.
* The attributes of the edges into a destination are dealt anew among the edges into it: it keeps its groups of
  `per(..)` and its sums of `scale`.
* Equal edges become equal edges, so that tied steps stay tied, and layers that hear each other along the same graph do
  so in its null model; the reverse of a set that was shuffled becomes the reverse of the result.
* Coefficients of norms, fans and start values are those of the new edges.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.model.types import ClauseModel, OneToOne, Same
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, Positions, Relations, canonical_order, take_columns
from graphnn_compiler.topology.rules.shuffled import shuffled
from graphnn_compiler.topology.streams import Stream, uniform

NullKeep = Literal["both_degrees", "in_degree"]


@dataclass(frozen=True)
class NullModel:
    """Which null model: its number, from 1 on, and what its edges keep."""

    number: int
    keep: NullKeep = "both_degrees"


@dataclass(frozen=True, eq=False)
class _Rewired:
    """Edges by the positions of their ends; `origin` is the edge whose relation and attributes each one has now."""

    row: Positions
    column: Positions
    origin: Positions


class Rewiring:
    """Shuffles the edges of one build; `n_edges` counts those that could move, `changed` says whether any set did."""

    def __init__(self, keep: NullKeep, seed: int) -> None:
        self.n_edges = 0
        self.changed = False
        self.keep = keep
        self._seed = seed
        self._known: dict[str, _Rewired] = {}

    def __call__(self, clause: ClauseModel, edges: EdgeSet) -> EdgeSet:
        """The edges of a clause in the null model. O(E log E) time."""
        if clause.one_each or isinstance(clause.rule, Same | OneToOne):
            return edges
        name = _digest(edges)
        if name not in self._known:
            self._known[name] = self._turned(edges) or self._shuffled(edges, name)
        new = self._known[name]
        self.n_edges += int(np.sum(~_loops(edges)))
        self.changed |= not np.array_equal(new.column, edges.column) or not np.array_equal(new.row, edges.row)
        relations = edges.relations and Relations(edges.relations.codes[new.origin], edges.relations.names)
        columns = take_columns(edges.columns, new.origin)
        return EdgeSet(edges.sources, edges.targets, new.row, new.column, columns, relations)

    def _turned(self, edges: EdgeSet) -> _Rewired | None:
        """The reverse of what the reverse of these edges became, None where that is not known."""
        codes = _codes(edges)
        order = canonical_order(edges.column, edges.row, codes, len(edges.targets))
        reverse = EdgeSet(edges.targets, edges.sources, edges.column[order], edges.row[order])
        found = self._known.get(_digest(reverse, None if codes is None else codes[order], edges.relations))
        if found is None:
            return None
        return _ordered(found.column, found.row, order[found.origin], codes, len(edges.sources))

    def _shuffled(self, edges: EdgeSet, name: str) -> _Rewired:
        codes, loops = _codes(edges), _loops(edges)
        stays = np.flatnonzero(loops)
        several = [_Rewired(edges.row[stays], edges.column[stays], stays)]
        for code in [None] if codes is None else np.unique(codes[~loops]).tolist():
            moving = np.flatnonzero(~loops if codes is None else ~loops & (codes == code))
            pairs = EdgeSet(edges.sources, edges.targets, edges.row[moving], edges.column[moving])
            which = name if edges.relations is None or code in (None, -1) else f"{name} {edges.relations.names[code]}"
            new = shuffled(pairs, self.keep, stream=Stream(self._seed, "null", which))
            draws = uniform(Stream(self._seed, "null attributes", which).start_of(), np.arange(len(moving)))
            several.append(_Rewired(new.row, new.column, moving[np.lexsort((draws, pairs.row))]))
        row, column, origin = (
            np.concatenate([getattr(part, end) for part in several]) for end in ("row", "column", "origin")
        )
        return _ordered(row, column, origin, codes, len(edges.sources))


def _ordered(row: Positions, column: Positions, origin: Positions, codes: NDArray | None, n_sources: int) -> _Rewired:
    order = canonical_order(row, column, None if codes is None else codes[origin], n_sources)
    return _Rewired(row[order], column[order], origin[order])


def _codes(edges: EdgeSet) -> NDArray | None:
    return None if edges.relations is None else edges.relations.codes


def _loops(edges: EdgeSet) -> NDArray[np.bool_]:
    """Which edges lead from a unit to itself; none where sources and targets are other units."""
    if not edges.sources.same_units(edges.targets):
        return np.zeros(len(edges), dtype=np.bool_)
    return np.equal(edges.row, edges.column)


def _digest(edges: EdgeSet, codes: NDArray | None = None, relations: Relations | None = None) -> str:
    """What equal edges between equal units have in common."""
    relations = edges.relations or relations
    codes = _codes(edges) if codes is None else codes
    found = hashlib.blake2b(digest_size=16)
    for nodes in (edges.sources, edges.targets):
        found.update(_key_bytes(nodes))
    for array in (edges.row, edges.column, *(() if codes is None else (codes,))):
        found.update(np.ascontiguousarray(array, dtype="<i8").data)
    found.update("\0".join(() if relations is None else relations.names).encode())
    return found.hexdigest()


def _key_bytes(nodes: NodeSet) -> bytes:
    if nodes.string_keys:
        return f"{len(nodes)}\0".encode() + "\0".join(nodes.keys.tolist()).encode()
    return np.ascontiguousarray(nodes.keys, dtype="<i8").tobytes()
