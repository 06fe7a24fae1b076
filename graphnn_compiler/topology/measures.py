"""Functions of whole sets: `count(..)`, `in_degree(R)`, `depth(R)`, `acyclic(R)` and the like, and columns of a graph.

Input: a `Measure`, and the sets of the model. Output: a `Column`. Not for: conditions over them (`columns`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.model.columns import STRUCTURE, Measure
from graphnn_compiler.model.types import EdgeExpr, NodeExpr, Read
from graphnn_compiler.topology.environments import degrees_of, spread
from graphnn_compiler.topology.graph import Column, EdgeSet, NodeSet
from graphnn_compiler.topology.structure import Structure

if TYPE_CHECKING:
    from graphnn_compiler.topology.sets import Sets


class Measures:
    """Measures of the sets of one model; what takes a search of a whole edge set is computed once."""

    def __init__(self, sets: Sets) -> None:
        self._sets = sets
        self._structures: dict[int, tuple[EdgeSet, Structure]] = {}

    def value(self, measure: Measure) -> Column:
        """`count(..)` and `acyclic(R)`, shape (); `in_degree(R)`, `depth(R)` and `height(R)` over R's targets and
        `out_degree(R)` over its sources, shape (n,)."""
        if isinstance(measure.argument, NodeExpr):
            return Column(np.asarray(len(self._sets.nodes(measure.argument))))
        edges = self._sets.bound_edges(measure.argument)
        match measure.function:
            case "count":
                return Column(np.asarray(len(edges)))
            case "acyclic":
                return Column(np.asarray(self._structure(edges, measure.function).cycle is None))
            case "in_degree":
                return Column(np.bincount(edges.row, minlength=len(edges.targets)))
            case "out_degree":
                return Column(np.bincount(edges.column, minlength=len(edges.sources)))
            case _:
                return Column(self._structure(edges, measure.function).column(measure.function))

    def units(self, measure: Measure) -> NodeSet:
        """The units that the values of a measure stand for."""
        edges = self._edges(measure)
        return edges.sources if measure.function == "out_degree" else edges.targets

    def cycle(self, measure: Measure) -> str | None:
        """A cycle of the edges of `acyclic(R)` as text, None where there is none."""
        return self._structure(self._edges(measure), measure.function).cycle

    def aligned(self, measure: Measure, nodes: NodeSet) -> Column:
        """A measure in the brackets of a node set: of those nodes, 0 for a node without edges in R."""
        match measure.function:
            case "in_degree" | "out_degree":
                return Column(degrees_of(self._edges(measure), nodes)[measure.function])
            case "depth" | "height":
                structure = self._structure(self._edges(measure), measure.function)
                return Column(spread(structure.column(measure.function), structure.units, nodes))
            case _:
                return self.value(measure)

    def of_graph(self, graph: Read, name: str, nodes: NodeSet) -> NDArray[np.int64]:
        """`component`, `depth` or `height` over all edges of a graph, of some of its nodes."""
        assert name in STRUCTURE
        structure = self._structure(self._sets.data.graph(graph).edges, name)
        return spread(structure.column(name), structure.units, nodes)

    def _edges(self, measure: Measure) -> EdgeSet:
        assert isinstance(measure.argument, EdgeExpr)
        return self._sets.bound_edges(measure.argument)

    def _structure(self, edges: EdgeSet, asking: str) -> Structure:
        if id(edges) not in self._structures:
            self._structures[id(edges)] = (edges, Structure(edges, f"`{asking}`"))
        return self._structures[id(edges)][1]
