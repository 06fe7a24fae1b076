"""The rules about paths, evaluated: `hops`, `walks`, `closure`, and the levels of hierarchies.

Input: parts of the model, and the sets that they are made from. Output: `NodeSet` and `EdgeSet`. Not for: the rules
themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnn_compiler.model.distance_rules import Closure, DistanceRule, Hops, LevelEdges, LevelNodes, Levels, Walks
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.graph import EdgeSet, NodeSet
from graphnn_compiler.topology.rules.closure import closure
from graphnn_compiler.topology.rules.hops import hops
from graphnn_compiler.topology.rules.levels import Hierarchy
from graphnn_compiler.topology.rules.walks import walks

if TYPE_CHECKING:
    from graphnn_compiler.topology.sets import Sets


class PathSets:
    """The path rules of one model; each list of levels is cut once."""

    def __init__(self, sets: Sets) -> None:
        self._sets = sets
        self._hierarchies: dict[int, tuple[Levels, Hierarchy]] = {}

    def edges(self, expr: DistanceRule) -> EdgeSet:
        """The edge set of a rule, whole."""
        match expr:
            case Hops(base=base, low=low, high=high):
                return hops(self._sets.bound_edges(base), low, high, max_edges=self._sets.max_edges)
            case Walks(base=base, length=length):
                return walks(self._sets.bound_edges(base), length, max_edges=self._sets.max_edges)
            case Closure(base=base):
                return closure(self._sets.bound_edges(base), max_edges=self._sets.max_edges)
            case LevelEdges(levels=levels, index=index):
                return self._hierarchy(levels).edges(index)

    def level_nodes(self, expr: LevelNodes) -> NodeSet:
        """`cut[k].nodes`."""
        return self._hierarchy(expr.levels).nodes(expr.index)

    def _hierarchy(self, levels: Levels) -> Hierarchy:
        if id(levels) not in self._hierarchies:
            edges = self._sets.bound_edges(levels.base)
            with self._sets.refused.once(levels), located(levels.span):
                self._hierarchies[id(levels)] = (levels, Hierarchy(edges, levels.root, levels.depth))
        return self._hierarchies[id(levels)][1]
