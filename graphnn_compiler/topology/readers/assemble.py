"""Listed edges and nodes to a `Graph`: node order, the join with the node table, duplicates, direction.

Input: `RawEdges`, perhaps `RawNodes`. Output: a `Graph` in canonical order. Not for: reading anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, did_you_mean
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import (
    STRING,
    Graph,
    NodeSet,
    Positions,
    canonical,
    is_string,
    take_columns,
)
from graphnn_compiler.topology.interning import first_appearance
from graphnn_compiler.topology.readers.duplicates import ListedRows, merge_duplicates
from graphnn_compiler.topology.readers.options import Duplicates
from graphnn_compiler.topology.readers.table import RawEdges, RawNodes, sampled

MAX_UNITS = 100_000_000
"""More units than this come from a wrong number in the data, not from a network."""


def assemble(
    edges: RawEdges,
    nodes: RawNodes | None,
    *,
    directed: bool,
    duplicates: Duplicates | None,
    files: Mapping[str, str],
) -> Graph:
    """The graph of listed edges.

    Nodes are in the order of `nodes`, or of first appearance (row by row, source before target). E214 duplicate
    node key, E215 edge key that is no node, E216 .. E217 duplicate edges.
    """
    units, position_of = _ordered_units(edges) if nodes is None else _joined_units(edges, nodes)
    source, target = position_of[edges.source], position_of[edges.target]
    # From here on an edge's ends are positions; the codes, millions of them, are kept no longer than needed.
    edges = replace(edges, keys=units.keys, source=source, target=target)
    arrow = "->" if directed else "--"
    rows = ListedRows(
        edges.shown,
        source if directed else np.minimum(source, target),
        target if directed else np.maximum(source, target),
        len(units),
        edges.columns,
        edges.relations,
        lambda row: _edge_name(edges, row, arrow),
        edges.places,
    )
    rows = merge_duplicates(rows, duplicates)
    if not directed:
        rows = _both_directions(rows)
    edge_set = canonical(units, units, rows.target, rows.source, rows.columns, rows.relations)
    return Graph(units, units, edge_set, files)


def _edge_name(edges: RawEdges, row: int, arrow: str) -> str:
    pair = f"{edges.keys[edges.source[row]]} {arrow} {edges.keys[edges.target[row]]}"
    if edges.relations is None:
        return pair
    code = edges.relations.codes[row]
    return f"{pair} ({'no type' if code < 0 else edges.relations.names[code]})"


def _both_directions(rows: ListedRows) -> ListedRows:
    index = np.arange(len(rows.source))
    turned = np.concatenate([index, index[rows.source != rows.target]])
    doubled = rows.take(turned, take_columns(rows.columns, turned))
    n = len(index)
    source, target = doubled.source.copy(), doubled.target.copy()
    source[n:], target[n:] = doubled.target[n:], doubled.source[n:]
    return ListedRows(
        rows.shown, source, target, rows.n_sources, doubled.columns, doubled.relations, doubled.name, doubled.places
    )


def _ordered_units(edges: RawEdges) -> tuple[NodeSet, Positions]:
    ends = np.empty(2 * len(edges.source), dtype=np.int64)
    ends[0::2], ends[1::2] = edges.source, edges.target
    order = first_appearance(ends, len(edges.keys))
    position_of = np.full(len(edges.keys), -1, dtype=np.int64)
    position_of[order] = np.arange(len(order))
    return NodeSet(edges.keys[order]), position_of


def _joined_units(edges: RawEdges, nodes: RawNodes) -> tuple[NodeSet, Positions]:
    node_keys, edge_keys = _of_one_type(nodes.keys, edges.keys)
    _require_unique(nodes, node_keys)
    units = NodeSet(node_keys, nodes.columns)
    position_of = units.find(edge_keys)
    _require_known(edges, nodes, units, edge_keys, position_of)
    return units, position_of


def _of_one_type(a: NDArray, b: NDArray) -> tuple[NDArray, NDArray]:
    """Both as they are, or the integers of one as their decimal text, which is exactly how they were written."""
    if is_string(a) == is_string(b):
        return a, b
    return a.astype(STRING), b.astype(STRING)


def _require_unique(nodes: RawNodes, keys: NDArray) -> None:
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    same = np.concatenate([[False], ranked[1:] == ranked[:-1], [False]])
    second = np.flatnonzero(same[1:-1] & ~same[:-2]) + 1
    if len(second) == 0:
        return
    second = second[np.argsort(order[second])]
    pairs = [(int(order[i - 1]), int(order[i])) for i in second[:3]]
    names = [str(keys[row]) for row, _ in pairs]
    places = nodes.places([row for pair in pairs for row in pair])
    labels = [label for name in names for label in (f"the key `{name}` stands here", "and again here")]
    raise Problem(
        "E214",
        f"`{nodes.shown}` gives {count(len(second), 'key')} to more than one node: {sampled(names, len(second))}",
        help="give every node one row and a key of its own",
        places=list(zip(places, labels, strict=True)),
    )


def _require_known(
    edges: RawEdges, nodes: RawNodes, units: NodeSet, edge_keys: NDArray, position_of: Positions
) -> None:
    unknown = position_of < 0
    rows = np.flatnonzero(unknown[edges.source] | unknown[edges.target])
    if len(rows) == 0:
        return
    ends = np.empty(2 * len(rows), dtype=np.int64)
    ends[0::2], ends[1::2] = edges.source[rows], edges.target[rows]
    codes = first_appearance(np.where(unknown[ends], ends, len(edge_keys)), len(edge_keys) + 1)
    codes = codes[codes < len(edge_keys)]
    first_rows = [int(rows[np.argmax((ends == code)[0::2] | (ends == code)[1::2])]) for code in codes[:3]]
    keys = [str(edge_keys[code]) for code in codes[:3]]
    known = [str(key) for key in units.keys[:10_000]] if units.string_keys else []
    raise Problem(
        "E215",
        f"{count(len(codes), 'edge key')} of `{edges.shown}` {'is' if len(codes) == 1 else 'are'} not in "
        f"`{nodes.shown}`: {sampled(keys, len(codes))}",
        help=did_you_mean(keys[0], known, "add the nodes, or remove the edges"),
        notes=[f"{count(len(rows), 'edge')} {'has' if len(rows) == 1 else 'have'} such an end"],
        places=[(place, f"`{key}` is no node") for place, key in zip(edges.places(first_rows), keys, strict=True)],
    )


def positions_as_keys(edges: RawEdges) -> tuple[RawEdges, RawNodes]:
    """Integer ends read as 0-based positions among units 0 .. max; E243 where one is negative, E232 beyond reason."""
    keys = edges.keys.astype(np.int64, copy=False)
    negative = np.flatnonzero((keys[edges.source] < 0) | (keys[edges.target] < 0))
    if len(negative):
        raise Problem(
            "E243",
            f"{count(len(negative), 'row')} of `{edges.shown}` {'has' if len(negative) == 1 else 'have'} "
            "a negative position",
            help="positions count from 0; `by = key` reads the columns as keys",
            places=[(place, "a negative position") for place in edges.places(negative[:3].tolist())],
        )
    size = int(keys.max()) + 1 if len(keys) else 0
    require_unit_count(size, edges.shown)
    return edges, RawNodes(edges.shown, np.arange(size, dtype=np.int64), {}, edges.places)


def require_unit_count(size: int, shown: str) -> None:
    """Raise E232 for more units than any network has."""
    if size > MAX_UNITS:
        raise Problem(
            "E232",
            f"`{shown}` speaks of {size:,} units, more than the {MAX_UNITS:,} that are allowed",
            help="look for a wrong number in the data",
            places=[(DataPlace(shown), "this data")],
        )
