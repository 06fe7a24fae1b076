"""What a whole edge set says of each unit: its component, and its longest paths.

Input: an edge set. Output: the columns `component`, `depth` and `height`, a value a unit; whether there is a cycle. Not
for: degrees.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.model.columns import STRUCTURE
from graphnn_compiler.topology.graph import EdgeSet, Positions
from graphnn_compiler.topology.rules.cycles import cycle_text
from graphnn_compiler.topology.rules.order import find_cycle, longest_paths, weak_components
from graphnn_compiler.topology.rules.square import Neighbours, neighbours


class Structure:
    """The pairs of an edge set, their sources placed by key among its targets; each answer is computed once.

    `asking` names what is asked, for the refusal E341 of sources that are no targets.
    """

    def __init__(self, edges: EdgeSet, asking: str) -> None:
        self.units = edges.targets
        self._row = edges.row
        self._column = edges.targets.find(edges.sources.keys)[edges.column]
        if np.any(self._column < 0):
            raise Problem("E341", f"{asking} needs an edge set whose sources and targets are the same units")

    def column(self, name: str) -> Positions:
        """`component`, `depth` or `height` of every unit, int64 (n,).

        Components are weak ones, numbered by their first unit. Depth is the number of edges of the longest path that
        ends at a unit, height that of the longest that starts there. Raises Problem E321 for the last two on a cycle.
        """
        assert name in STRUCTURE
        match name:
            case "component":
                return self._component
            case "depth":
                return self._depth
            case _:
                return self._height

    @cached_property
    def _component(self) -> Positions:
        return weak_components(self._following)

    @cached_property
    def _depth(self) -> Positions:
        return self._acyclic("depth", longest_paths(self._following))

    @cached_property
    def _height(self) -> Positions:
        return self._acyclic("height", longest_paths(self._leading))

    def _acyclic(self, name: str, values: Positions) -> Positions:
        if np.any(values < 0):
            help = "leave out the edges that close a cycle, and ask for `depth(R)` or `height(R)` of the others"
            message = f"`{name}` needs edges without cycles: a longest path has no end there"
            raise Problem("E321", message, help=help, notes=[f"a cycle: {self.cycle}"])
        return values

    @cached_property
    def cycle(self) -> str | None:
        """A cycle as text, None where there is none."""
        found = find_cycle(self._following)
        return None if found is None else cycle_text(self.units.keys[found])

    @cached_property
    def _following(self) -> Neighbours:
        """The targets of every unit."""
        return _sorted(self._column, self._row, len(self.units))

    @cached_property
    def _leading(self) -> Neighbours:
        """The sources of every unit."""
        return _sorted(self._row, self._column, len(self.units))


def _sorted(row: Positions, column: Positions, n: int) -> Neighbours:
    order = np.lexsort((column, row))
    return neighbours(row[order], column[order], n)
