"""What column expressions can see: the columns of nodes, of edges, of their ends, and what is computed on demand.

Input: node and edge sets. Output: environments for `columns.evaluate`. Not for: evaluating.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, did_you_mean, listed
from graphnn_compiler.model.columns import DEGREES, STRUCTURE, ColumnRef, Measure
from graphnn_compiler.topology.graph import Column, EdgeSet, NodeSet, Relations, string_array

Degrees = Mapping[str, NDArray[np.int64]]
"""in_degree, out_degree and degree of every node of a set, each int64 (n,)."""
MeasureFunction = Callable[[Measure], Column]


def degrees_of(edges: EdgeSet, nodes: NodeSet) -> Degrees:
    """The degrees over `edges` of the nodes, which are aligned by key; a node without edges has 0."""
    in_degree = spread(np.bincount(edges.row, minlength=len(edges.targets)), edges.targets, nodes)
    out_degree = spread(np.bincount(edges.column, minlength=len(edges.sources)), edges.sources, nodes)
    return {"in_degree": in_degree, "out_degree": out_degree, "degree": in_degree + out_degree}


def spread(counts: NDArray, units: NodeSet, nodes: NodeSet) -> NDArray[np.int64]:
    """The numbers of `units` as numbers of `nodes`, matched by key; 0 for a node that is no unit."""
    place = units.find(nodes.keys)
    found = place >= 0
    spread = np.zeros(len(nodes), dtype=np.int64)
    spread[found] = counts[place[found]]
    return spread


def no_measures(measure: Measure) -> Column:
    """For places where the checker lets no measure through."""
    raise AssertionError(measure)


@dataclass(frozen=True)
class NodeEnvironment:
    """The columns of a node set; `degrees` and `structure` are of its own graph, asked for only where needed."""

    nodes: NodeSet
    degrees: Callable[[], Degrees] | None = None
    measures: MeasureFunction = no_measures
    structure: Callable[[str], NDArray[np.int64]] | None = None

    def column(self, reference: ColumnRef) -> Column:
        return self.named(reference.name)

    def named(self, name: str) -> Column:
        if name in self.nodes.columns:
            return self.nodes.columns[name]
        if name == "index":
            return Column(np.arange(len(self.nodes)))
        if name == "key":
            return Column(self.nodes.keys)
        if name in DEGREES and self.degrees is not None:
            return Column(self.degrees()[name])
        if name in STRUCTURE and self.structure is not None:
            return Column(self.structure(name))
        known = [*self.nodes.columns, *self._computed()]
        raise Problem("E131", f"nodes have no column `{name}`", help=did_you_mean(name, known, _listing(known)))

    def _computed(self) -> list[str]:
        """The columns that need no data column of that name."""
        own_graph = [*(DEGREES if self.degrees else ()), *(STRUCTURE if self.structure else ())]
        return ["index", "key", *own_graph]

    def shadowed(self, name: str) -> bool:
        return name in self.nodes.columns

    def measure(self, measure: Measure) -> Column:
        return self.measures(measure)


@dataclass(frozen=True)
class EdgeEnvironment:
    """The columns of an edge set (`edge.x`, or bare in brackets) and of the ends of each edge."""

    edges: EdgeSet
    sources: NodeEnvironment
    targets: NodeEnvironment
    measures: MeasureFunction = no_measures
    _ends: dict[tuple[str, str], Column] = field(default_factory=dict)

    def column(self, reference: ColumnRef) -> Column:
        if reference.scope == "edge":
            return self._edge(reference.name)
        cached = self._ends.get((reference.scope, reference.name))
        if cached is None:
            units, place = (
                (self.sources, self.edges.column) if reference.scope == "src" else (self.targets, self.edges.row)
            )
            cached = self._ends[reference.scope, reference.name] = units.named(reference.name).take(place)
        return cached

    def _edge(self, name: str) -> Column:
        if name in self.edges.columns:
            return self.edges.columns[name]
        if name == "type" and self.edges.relations is not None:
            return relation_column(self.edges.relations)
        known = [*self.edges.columns, *(["type"] if self.edges.relations is not None else [])]
        raise Problem("E131", f"edges have no column `{name}`", help=did_you_mean(name, known, _listing(known)))

    def shadowed(self, name: str) -> bool:
        return name in self.edges.columns

    def measure(self, measure: Measure) -> Column:
        return self.measures(measure)


def relation_column(relations: Relations) -> Column:
    """The relation of every edge as a column of strings."""
    names = string_array([*relations.names, ""])
    missing = relations.codes < 0
    return Column(names[relations.codes], missing if missing.any() else None)


def edge_keys(edges: EdgeSet) -> NDArray:
    """`source -> target` of every edge, for messages; call it only where few are shown."""
    pairs = zip(edges.sources.keys[edges.column], edges.targets.keys[edges.row], strict=True)
    return np.array([f"{source} -> {target}" for source, target in pairs], dtype=object)


def _listing(names: list[str]) -> str:
    return "the columns are " + listed([f"`{name}`" for name in names], 10) if names else "there are no columns"
