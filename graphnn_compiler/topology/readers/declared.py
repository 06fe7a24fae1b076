"""Graphs from files that declare their nodes, each with an id, and edges between ids.

Input: `Declared`, which is columns. Output: a `Graph` whose nodes stand in the order of the file. Not for: parsing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, did_you_mean, listed
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import STRING, Column, Graph, Positions, is_string
from graphnn_compiler.topology.interning import decimal, decimal_keys
from graphnn_compiler.topology.readers.assemble import assemble
from graphnn_compiler.topology.readers.options import GraphOptions, KeyType
from graphnn_compiler.topology.readers.table import Places, RawEdges, RawNodes, not_integers, sampled, taken_relation


@dataclass(frozen=True, eq=False)
class Declared:
    """What a file declares. `nodes` (n,) and `ends` (2 * E, source and target in turn) index the distinct `ids`."""

    shown: str
    directed: bool
    ids: NDArray
    nodes: Positions
    ends: Positions
    node_columns: Mapping[str, Column]
    edge_columns: Mapping[str, Column]
    node_places: Places
    edge_places: Places
    typed: bool = False
    """Whether the file tells numbers from text, so that the text "7" stays text."""


def declared_graph(found: Declared, options: GraphOptions, sha256: str, how_to_declare: str) -> Graph:
    """The graph, directed by the file's own word unless the options say otherwise.

    Node keys are the ids, or the attribute that `options.key` names. E210, E212, E219 where that is no key, E214 where
    an id is given twice, E223 where an edge names a node that is not there.
    """
    _require_declared(found, how_to_declare)
    nodes = _nodes(found, options)
    return assemble(
        _edges(found, options, nodes),
        nodes,
        directed=found.directed if options.directed is None else options.directed,
        duplicates=options.duplicates,
        files={found.shown: sha256},
    )


def line_places(shown: str, lines: Sequence[int]) -> Places:
    """The places of rows of which each has a line."""
    return lambda rows: [DataPlace(shown, lines[row]) for row in rows]


def _require_declared(found: Declared, how_to_declare: str) -> None:
    declared = np.zeros(len(found.ids), dtype=bool)
    declared[found.nodes] = True
    wrong = np.flatnonzero(~declared[found.ends])
    if len(wrong) == 0:
        return
    unknown, first = np.unique(found.ends[wrong], return_index=True)
    order = np.argsort(first)[:3]
    names = [str(found.ids[code]) for code in unknown[order]]
    rows = [int(wrong[i]) // 2 for i in first[order]]
    labels = [f"`{name}` is no node" for name in names]
    known: Iterable[str] = (str(name) for name in found.ids[found.nodes])
    raise Problem(
        "E223",
        f"edges of `{found.shown}` name {count(len(unknown), 'node')} that the file does not declare: "
        + sampled(names, len(unknown)),
        help=did_you_mean(names[0], known if is_string(found.ids) else (), how_to_declare),
        places=list(zip(found.edge_places(rows), labels, strict=True)),
    )


def _nodes(found: Declared, options: GraphOptions) -> RawNodes:
    columns = dict(found.node_columns)
    # The ids must be unique even where another attribute gives the keys, for edges refer to them.
    by_id = RawNodes(found.shown, found.ids[found.nodes], {}, found.node_places)
    if options.key is None:
        return RawNodes(found.shown, _typed(by_id, options.key_type, found.typed), columns, by_id.places)
    assemble(_no_edges(by_id), by_id, directed=True, duplicates=None, files={})
    key_column = _key_column(by_id, columns, options.key)
    by_key = RawNodes(found.shown, key_column.values, {}, by_id.places)
    return RawNodes(found.shown, _typed(by_key, options.key_type, found.typed), columns, by_id.places)


def _no_edges(nodes: RawNodes) -> RawEdges:
    none = np.empty(0, dtype=np.int64)
    return RawEdges(nodes.shown, nodes.keys[:0], none, none, {}, None, nodes.places)


def _key_column(nodes: RawNodes, columns: dict[str, Column], key: str) -> Column:
    if key not in columns:
        names = listed((f"`{name}`" for name in columns), 10) or "none"
        raise Problem(
            "E210",
            f"the nodes of `{nodes.shown}` have no attribute `{key}`, which `key =` names",
            help=did_you_mean(key, columns),
            notes=[f"the node attributes are {names}"],
            places=[(DataPlace(nodes.shown), "this file")],
        )
    column = columns.pop(key)
    if column.missing is not None:
        rows = np.flatnonzero(column.missing)
        raise Problem(
            "E212",
            f"{count(len(rows), 'node')} of `{nodes.shown}` {'has' if len(rows) == 1 else 'have'} no `{key}`, "
            "which `key =` makes the key",
            help="give each of these nodes a value, or use the ids by leaving `key =` out",
            places=[(place, f"no `{key}` here") for place in nodes.places(rows[:3].tolist())],
        )
    if not is_string(column.values) and column.values.dtype.kind != "i":
        raise Problem(
            "E219",
            f"the node attribute `{key}` of `{nodes.shown}` cannot be a key: it is neither string nor integer",
            help="declare it as string, long or int",
            places=[(DataPlace(nodes.shown), "this file")],
        )
    return column


def _typed(nodes: RawNodes, key_type: KeyType | None, text_stays: bool) -> NDArray:
    """The keys as int64 where all are decimal text, else as strings; as `key_type` says where it is given."""
    if not is_string(nodes.keys):
        return nodes.keys.astype(STRING) if key_type == "string" else nodes.keys
    if key_type is None and text_stays:
        return nodes.keys
    texts: list[str] = nodes.keys.tolist()
    integers = None if key_type == "string" else decimal_keys(texts)
    if integers is None and key_type == "int":
        wrong = [row for row, text in enumerate(texts) if decimal(text) is None]
        first = [texts[row] for row in wrong[:3]]
        raise not_integers(nodes.shown, first, len(wrong), nodes.places(wrong[:3]))
    return nodes.keys if integers is None else integers


def _edges(found: Declared, options: GraphOptions, nodes: RawNodes) -> RawEdges:
    columns = dict(found.edge_columns)
    relation = None if options.type is None else taken_relation(columns, options.type, found.shown)
    node_of_code: Positions = np.zeros(len(found.ids), dtype=np.int64)
    node_of_code[found.nodes] = np.arange(len(found.nodes))
    ends = node_of_code[found.ends]
    return RawEdges(found.shown, nodes.keys, ends[0::2], ends[1::2], columns, relation, found.edge_places)
