"""Clauses that use the weights of another: `weights = same_as(layer.label)`.

Input: the clause that owns the weights, and the edges of the one that uses them. Output: which block each edge uses;
refusals where the two do not agree. Not for: start values, which are the owner's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, distinct, is_string
from graphnn_compiler.topology.readers.table import sampled
from graphnn_compiler.topology.rules.align import place_units

_HELP = "give both clauses the same edges, or let the weights be `shared` or `per(..)`"


@dataclass(frozen=True, eq=False)
class Owner:
    """The clause `stem` whose weights others use: its units, its channels, its edges (None where it is dense)."""

    stem: str
    sources: NodeSet
    targets: NodeSet
    channels: tuple[int, int]
    edges: EdgeSet | None
    group_values: NDArray | None


def require_channels(owner: Owner, channels: tuple[int, int]) -> None:
    """Raises Problem E421 where the clauses differ in channels."""
    if owner.channels != channels:
        one, other = (f"{c_in} into {c_out}" for c_in, c_out in (owner.channels, channels))
        message = f"the weights of `{owner.stem}` turn {one} channels, and this clause {other}"
        raise Problem("E421", message, help="weights are shared between clauses with equal numbers of channels")


def require_pairs(owner: Owner, sources: NodeSet, targets: NodeSet) -> None:
    """For weights of all pairs: raises Problem E421 unless the owner is dense between the same units."""
    same = owner.edges is None and owner.sources.same_units(sources) and owner.targets.same_units(targets)
    if not same:
        raise _other_edges(owner, "all pairs of these units")


def own_blocks(owner: Owner, edges: EdgeSet) -> NDArray[np.int64] | None:
    """For weights of single edges: the owner's edge that each edge is, None where their order is the same.

    Edges are matched by the keys of their ends and by relation. Raises Problem E421 unless the two sets are equal.
    """
    theirs = owner.edges
    if theirs is None or len(theirs) != len(edges) or (theirs.relations is None) != (edges.relations is None):
        raise _other_edges(owner, count(len(edges), "edge"))
    row = place_units(edges.targets, theirs.targets)[edges.row]
    column = place_units(edges.sources, theirs.sources)[edges.column]
    codes, their_codes = np.zeros(len(edges), dtype=np.int64), np.zeros(len(edges), dtype=np.int64)
    if theirs.relations is not None and edges.relations is not None:
        known = {name: code for code, name in enumerate(theirs.relations.names)}
        number = np.array([*(known.get(name, -2) for name in edges.relations.names), -1], dtype=np.int64)
        codes, their_codes = number[edges.relations.codes], theirs.relations.codes.astype(np.int64)
    order = np.lexsort((codes, column, row))
    pairs = ((row, theirs.row), (column, theirs.column), (codes, their_codes))
    if not all(np.array_equal(ours[order], other) for ours, other in pairs):
        raise _other_edges(owner, "other edges")
    blocks = np.empty(len(edges), dtype=np.int64)
    blocks[order] = np.arange(len(edges))
    return None if np.array_equal(order, np.arange(len(edges))) else blocks


def own_groups(owner: Owner, groups: NDArray, values: NDArray) -> NDArray[np.int32]:
    """For grouped weights: the owner's group of every edge, by value. Raises Problem E422 for a value it has not."""
    theirs = owner.group_values
    assert theirs is not None
    place = np.full(len(values), -1, dtype=np.int64)
    if is_string(values) == is_string(theirs):
        joined, _, codes = distinct(np.concatenate([theirs, values]))
        position = np.full(len(joined), -1, dtype=np.int64)
        position[codes[: len(theirs)]] = np.arange(len(theirs))
        place = position[codes[len(theirs) :]]
    strange = values[place < 0]
    if len(strange):
        some = sampled(strange[:3].tolist(), len(strange))
        message = f"`{owner.stem}` has no weights for {count(len(strange), 'group')} of this clause: {some}"
        raise Problem("E422", message, help="each group here has to be one of that clause too")
    chosen: NDArray[np.int32] = place[groups].astype(np.int32)
    return chosen


def _other_edges(owner: Owner, found: str) -> Problem:
    theirs = "all pairs of its units" if owner.edges is None else count(len(owner.edges), "edge")
    message = f"the weights of `{owner.stem}` belong to {theirs}, and this clause connects {found}"
    return Problem("E421", message, help=_HELP)
