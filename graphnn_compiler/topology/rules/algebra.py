"""The operators `~ @ | & -` and the rule `sym` on edge sets; restricting them; choosing relations.

Input: bound edge sets. Output: an edge set in canonical order. Units meet by key, never by position. Not for: open
operands, which the caller binds first; predicates, which are `EdgeSet.take` of a mask.

The identity of an edge is (source, destination), and its relation where an operand of `| & -` has relations; the
edges of an operand without them then have the relation *missing*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from graphnn_compiler.diagnostics import Problem, count, did_you_mean, listed
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, Positions, Relations, canonical
from graphnn_compiler.topology.rules.align import merge_columns, place_units, union_units
from graphnn_compiler.topology.rules.limits import check_edges


def reverse(edges: EdgeSet) -> EdgeSet:
    """`~R`: every edge turned round, with its attributes and relation."""
    return canonical(edges.targets, edges.sources, edges.column, edges.row, edges.columns, edges.relations)


def compose(first: EdgeSet, second: EdgeSet, *, max_edges: int | None = None) -> EdgeSet:
    """`R @ S`: the pairs (s, t) with an edge s -> m in `first` and m -> t in `second`; no attributes, no relations.

    Raises Problem E300 where the key types of the middle units differ, E308 where the number of edges, bounded per
    destination by its two-step paths and by the number of sources, may exceed `max_edges`. Time O(paths).
    """
    middle = place_units(second.sources, first.targets)[second.column]
    reached = middle >= 0
    middle, row = middle[reached], second.row[reached]
    n_sources, n_middle, n_targets = len(first.sources), len(first.targets), len(second.targets)
    in_degree = np.bincount(first.row, minlength=n_middle)
    paths = np.bincount(row, weights=in_degree[middle], minlength=n_targets)
    check_edges("`@`", int(np.minimum(paths, n_sources).sum()), max_edges)
    product = _boolean(row, middle, (n_targets, n_middle)) @ _boolean(first.row, first.column, (n_middle, n_sources))
    product.sort_indices()
    row = np.repeat(np.arange(n_targets, dtype=np.int64), np.diff(product.indptr))
    return EdgeSet(first.sources, second.targets, row, product.indices.astype(np.int64))


def _boolean(row: Positions, column: Positions, shape: tuple[int, int]) -> sparse.csr_array:
    """The boolean matrix of pairs; a pair that stands twice is one entry. Booleans add as `or`: no count overflows."""
    matrix = sparse.csr_array((np.ones(len(row), dtype=np.bool_), (row, column)), shape=shape)
    matrix.sum_duplicates()
    return matrix


def union(left: EdgeSet, right: EdgeSet) -> EdgeSet:
    """`A | B`: the edges of either, between the ordered union of their units.

    An edge of both has the attributes of `left`; a column that one side lacks is missing in that side's edges.
    Raises Problem E300 where key types differ, E312 where a column of edges or units has two types. O(E log E).
    """
    sources = union_units(left.sources, right.sources)
    one_set = left.sources is left.targets and right.sources is right.targets
    targets = sources if one_set else union_units(left.targets, right.targets)
    new = np.flatnonzero(~_contained(right, left))
    added = right.take(new)
    # Units of `left` keep their positions in the union; those of `right` move.
    row = np.concatenate([left.row, place_units(right.targets, targets)[added.row]])
    column = np.concatenate([left.column, place_units(right.sources, sources)[added.column]])
    columns = merge_columns(left.columns, added.columns, len(left), len(added))
    return canonical(sources, targets, row, column, columns, _joined_relations(left, added))


def intersection(left: EdgeSet, right: EdgeSet) -> EdgeSet:
    """`A & B`: the edges of `left`, with its units and attributes, that are in `right` too. Raises Problem E300."""
    return left.take(_contained(left, right))


def difference(left: EdgeSet, right: EdgeSet) -> EdgeSet:
    """`A - B`: the edges of `left`, with its units and attributes, that are not in `right`. Raises Problem E300."""
    return left.take(~_contained(left, right))


def sym(edges: EdgeSet) -> EdgeSet:
    """`sym(R)`: the edges and each missing reverse edge, which copies attributes and relation.

    Raises Problem E309 where sources and destinations are not the same units.
    """
    if not edges.sources.same_units(edges.targets):
        raise Problem(
            "E309",
            f"`sym` needs edges from units to the same units, but these go from {_sample(edges.sources)}"
            f" to {_sample(edges.targets)}",
            help="for edges in both directions between two layers write a clause for `R` and one for `~R`",
        )
    return union(edges, reverse(edges))


def _sample(units: NodeSet) -> str:
    return f"{count(len(units), 'unit')} ({listed(units.keys)})" if len(units) else "no units"


def restrict(edges: EdgeSet, sources: NodeSet, targets: NodeSet) -> tuple[EdgeSet, int]:
    """The edges with both ends, by key, among the given units, between those units; and how many were left out.

    Raises Problem E300 where key types differ. O(E log E).
    """
    if edges.sources is sources and edges.targets is targets:
        return edges, 0
    column = place_units(edges.sources, sources)[edges.column]
    row = place_units(edges.targets, targets)[edges.row]
    inside = (column >= 0) & (row >= 0)
    kept = edges.take(inside)
    placed = canonical(sources, targets, row[inside], column[inside], kept.columns, kept.relations)
    return placed, len(edges) - len(placed)


def relation(edges: EdgeSet, name: str) -> EdgeSet:
    """`R["name"]`: the edges of one relation, which they keep. Raises Problem E310 (unknown), E311 (no relations)."""
    if edges.relations is None:
        raise Problem(
            "E311",
            f"relation `{name}` is asked of edges without relations",
            help='name the column that holds them where the data is read: `read(.., type = "column")`',
        )
    names = edges.relations.names
    if name not in names:
        known = f"the relations are {listed(names)}" if names else "there are no relations in the data"
        raise Problem("E310", f"there is no relation `{name}`", help=did_you_mean(name, names, known))
    return edges.take(edges.relations.codes == names.index(name))


def first_of_each_pair(edges: EdgeSet) -> EdgeSet:
    """The edges without those that differ from an earlier one in relation only; relations are kept."""
    if edges.relations is None or len(edges) == 0:
        return edges
    fresh = (np.diff(edges.row, prepend=-1) != 0) | (np.diff(edges.column, prepend=-1) != 0)
    return edges.take(fresh)


def drop_relations(edges: EdgeSet) -> EdgeSet:
    """The pairs without their relations; for a pair of several the attributes of the first relation stand."""
    pairs = first_of_each_pair(edges)
    return EdgeSet(pairs.sources, pairs.targets, pairs.row, pairs.column, pairs.columns)


def _contained(edges: EdgeSet, other: EdgeSet) -> NDArray[np.bool_]:
    """Which of `edges` are, by the keys of their ends and their relation, in `other`; shape (E,)."""
    row = place_units(other.targets, edges.targets)[other.row]
    column = place_units(other.sources, edges.sources)[other.column]
    known = (row >= 0) & (column >= 0)
    n_sources = len(edges.sources)
    pairs, other_pairs = edges.row * n_sources + edges.column, (row * n_sources + column)[known]
    if edges.relations is None and other.relations is None:
        return np.isin(pairs, other_pairs, assume_unique=True)
    codes, other_codes, names = _joint_codes(edges, other)
    # Numbering the pairs first keeps pair and relation together within int64, however many units there are.
    _, number = np.unique(np.concatenate([pairs, other_pairs]), return_inverse=True)
    identity = number * (len(names) + 1) + np.concatenate([codes, other_codes[known]]) + 1
    return np.isin(identity[: len(pairs)], identity[len(pairs) :], assume_unique=True)


def _joint_codes(left: EdgeSet, right: EdgeSet) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[str, ...]]:
    """Relation codes of both sets over the names of `left`, then the new ones of `right`; -1 without relations."""
    left_names = left.relations.names if left.relations else ()
    right_names = right.relations.names if right.relations else ()
    names = tuple(dict.fromkeys(left_names + right_names))
    return _codes_over(left.relations, len(left), names), _codes_over(right.relations, len(right), names), names


def _codes_over(relations: Relations | None, n_edges: int, names: tuple[str, ...]) -> NDArray[np.int32]:
    if relations is None:
        return np.full(n_edges, -1, dtype=np.int32)
    places = {name: place for place, name in enumerate(names)}
    # The last entry is what code -1, the relation *missing*, looks up.
    table = np.array([places[name] for name in relations.names] + [-1], dtype=np.int32)
    return table[relations.codes]


def _joined_relations(left: EdgeSet, added: EdgeSet) -> Relations | None:
    if left.relations is None and added.relations is None:
        return None
    codes, added_codes, names = _joint_codes(left, added)
    return Relations(np.concatenate([codes, added_codes]), names)
