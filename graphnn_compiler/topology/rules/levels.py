"""The levels of a hierarchy: a directed graph without cycles cut into layers, all of its leaves in the last one.

Input: edges from child to parent, and the root. Output: the node set of each level, and the edges from each level to
the one above. This is how P-NET (H. A. Elmarakeby et al., Nature 598, 2021) and BINN (E. Hartman et al., Nature
Communications 14, 2023) cut the pathways of Reactome. A node may have several parents. Not for: where the edges and
the root come from.

Let S be the nodes within `depth` of the root and all edges among them. Level k holds the nodes at distance k, and
copies of nearer nodes that have no child in S; the last level holds only nodes without a child in S.
"""

from __future__ import annotations

from functools import cached_property
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, did_you_mean
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, Positions, string_array
from graphnn_compiler.topology.rules.align import place_units, union_units
from graphnn_compiler.topology.rules.cycles import cycle_text
from graphnn_compiler.topology.rules.order import find_cycle
from graphnn_compiler.topology.rules.square import Neighbours, in_neighbours, neighbours

_FAR = np.iinfo(np.int64).max


class Hierarchy:
    """The levels 0 .. depth of the edges child -> parent below a root.

    `root` is a key; where it is None, one root is added above every unit without a parent, with the key that
    `added_key` gives. Units that do not reach the root are in no level. Raises Problem E316 where sources and targets
    differ, E319 where `root` is no unit, E320 where S has a cycle or every unit has a parent. O((n + E) log n).
    """

    def __init__(self, edges: EdgeSet, root: str | int | None, depth: int) -> None:
        self.depth = depth
        children = in_neighbours(edges, "`levels`")
        if root is None:
            self.units, children, start = _with_root(edges, children)
        else:
            self.units, start = edges.targets, _place_of(edges.targets, root)
        self.distance = _distances(children, start, depth)
        self._edges = _inside(children, self.distance)
        cycle = find_cycle(self._edges)
        if cycle is not None:
            _refuse_cycle(self.units.keys[cycle])
        self._leaf = self._edges.counts == 0
        self._levels: dict[int, tuple[NodeSet, Positions]] = {}

    def nodes(self, level: int) -> NodeSet:
        """The units of a level, in the order of the units of the edges; the root that was added has no columns."""
        return self._level(level)[0]

    def _level(self, level: int) -> tuple[NodeSet, Positions]:
        """The units of a level, and the place of each unit among them, -1 where it is not."""
        if level not in self._levels:
            member = (self.distance == level) | ((self.distance < level) & self._leaf)
            if level == self.depth:
                member &= self._leaf
            place = np.full(len(member), -1, dtype=np.int64)
            place[member] = np.arange(int(member.sum()))
            self._levels[level] = self.units.take(member), place
        return self._levels[level]

    def edges(self, level: int) -> EdgeSet:
        """The edges from `level`, which is 1 or more, to the one above.

        Every edge of S with an end in each, a copy counting under its original's key, and each copy to the same node
        one level up. No attributes, no relations.
        """
        below, column_of = self._level(level)
        above, row_of = self._level(level - 1)
        row, column = row_of[self._parent], column_of[self._edges.indices]
        copies = np.flatnonzero((column_of >= 0) & (row_of >= 0))
        row = np.concatenate([row, row_of[copies]])
        column = np.concatenate([column, column_of[copies]])
        kept = (row >= 0) & (column >= 0)
        codes = np.sort(row[kept] * len(below) + column[kept])
        return EdgeSet(below, above, *np.divmod(codes, max(len(below), 1)))

    @cached_property
    def _parent(self) -> Positions:
        """The parent of every edge of S."""
        return np.repeat(np.arange(len(self._edges), dtype=np.int64), self._edges.counts)


def added_key(keys: NDArray) -> NDArray:
    """The key of a root that is added, as an array of one: `root`, or `root/2`, `root/3`, .. where that is a unit;
    among integers -1, or the next lower number that is no unit."""
    if not len(keys) or keys.dtype.kind != "i":
        taken, number = set(keys.tolist()), 1
        while (key := "root" if number == 1 else f"root/{number}") in taken:
            number += 1
        return string_array([key])
    negative = np.sort(keys[keys < 0])[::-1]
    gaps = np.flatnonzero(negative != -1 - np.arange(len(negative)))
    return np.array([-1 - (int(gaps[0]) if len(gaps) else len(negative))], dtype=np.int64)


def _with_root(edges: EdgeSet, children: Neighbours) -> tuple[NodeSet, Neighbours, int]:
    """The units with one more at their end, the parent of every unit without one; and its place."""
    n = len(edges.targets)
    top = np.flatnonzero(np.bincount(edges.column, minlength=n) == 0)
    if n and not len(top):
        cycle = find_cycle(children)
        assert cycle is not None
        _refuse_cycle(edges.targets.keys[cycle])
    units = union_units(edges.targets, NodeSet(added_key(edges.targets.keys)))
    indptr = np.append(children.indptr, len(children.indices) + len(top))
    return units, Neighbours(indptr, np.concatenate([children.indices, top])), n


def _place_of(units: NodeSet, root: str | int) -> int:
    of_type = isinstance(root, str) == units.string_keys or not len(units)
    keys = string_array([root]) if isinstance(root, str) else np.array([root], dtype=np.int64)
    place = int(place_units(NodeSet(keys), units)[0]) if of_type else -1
    if place >= 0:
        return place
    kind = "strings" if units.string_keys else "integers"
    help = None if of_type else f"the keys of these units are {kind}"
    if isinstance(root, str) and of_type:
        help = did_you_mean(root, [str(key) for key in units.keys[:10_000]])
    raise Problem("E319", f"the root `{root}` is no unit of these edges", help=help)


def _distances(children: Neighbours, start: int, depth: int) -> Positions:
    """The steps from `start` to each unit, a large number beyond `depth`."""
    distance = np.full(len(children), _FAR, dtype=np.int64)
    distance[start] = 0
    frontier = np.array([start])
    for step in range(1, depth + 1):
        found, _ = children.of(frontier)
        frontier = np.unique(found[distance[found] == _FAR])
        if not len(frontier):
            break
        distance[frontier] = step
    return distance


def _inside(children: Neighbours, distance: Positions) -> Neighbours:
    """The children of each unit of S that are in S."""
    parent = np.repeat(np.arange(len(children), dtype=np.int64), children.counts)
    inside = (distance[parent] < _FAR) & (distance[children.indices] < _FAR)
    return neighbours(parent[inside], children.indices[inside], len(children))


def _refuse_cycle(keys: NDArray) -> NoReturn:
    """Along the edges a cycle runs from child to parent; it is found from parent to child."""
    raise Problem(
        "E320",
        "`levels` needs edges without cycles: a unit would be below itself",
        help="leave out the edges that close a cycle, as in `levels(r - closing, ..)`",
        notes=[f"a cycle: {cycle_text(keys[::-1])}"],
    )
