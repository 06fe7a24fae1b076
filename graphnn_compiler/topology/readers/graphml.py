"""GraphML files as graphs.

Input: a `.graphml` file. Output: a `Graph` whose nodes stand in the order of the file. Not for: XML (`graphml_parser`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, did_you_mean, listed
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Column, Graph, Positions, is_string, string_array
from graphnn_compiler.topology.interning import decimal, decimal_keys
from graphnn_compiler.topology.readers.assemble import assemble
from graphnn_compiler.topology.readers.files import fingerprint, opened, require_text
from graphnn_compiler.topology.readers.graphml_parser import Contents, GraphmlParser
from graphnn_compiler.topology.readers.options import GraphOptions, KeyType, refuse_options
from graphnn_compiler.topology.readers.table import RawEdges, RawNodes, not_integers, sampled, taken_relation

_BLOCK = 1 << 16


def read_graphml(path: Path, shown: str, options: GraphOptions) -> Graph:
    """The graph in a GraphML file, directed by the file's own word unless the options say otherwise.

    Node keys are the ids, or the data attribute that `options.key` names. E220 .. E225 are about the file.
    """
    refuse_options(options, ("source", "target", "nodes", "rows"), shown, "a GraphML file")
    found = fingerprint(path, shown)
    require_text(found, shown, "a GraphML file")
    parser = GraphmlParser(shown)
    with opened(path, shown) as stream:
        while block := stream.read(_BLOCK):
            parser.feed(block, final=False)
    parser.feed(b"", final=True)
    contents = parser.found
    _require_declared(contents, shown)
    nodes = _nodes(contents, shown, options)
    return assemble(
        _edges(contents, shown, options, nodes),
        nodes,
        directed=contents.directed if options.directed is None else options.directed,
        duplicates=options.duplicates,
        files={shown: found.sha256},
    )


def _lines(shown: str, lines: Sequence[int], rows: Sequence[int]) -> list[DataPlace]:
    return [DataPlace(shown, lines[row]) for row in rows]


def _require_declared(contents: Contents, shown: str) -> None:
    declared = np.zeros(len(contents.codes), dtype=bool)
    declared[np.array(contents.nodes, dtype=np.int64)] = True
    ends = np.array(contents.ends, dtype=np.int64)
    wrong = np.flatnonzero(~declared[ends])
    if len(wrong) == 0:
        return
    ids = list(contents.codes)
    unknown, first = np.unique(ends[wrong], return_index=True)
    order = np.argsort(first)[:3]
    names = [ids[code] for code in unknown[order]]
    rows = [int(wrong[i]) // 2 for i in first[order]]
    labels = [f"`{name}` is no node" for name in names]
    raise Problem(
        "E223",
        f"edges of `{shown}` name {count(len(unknown), 'node')} that the file does not declare: "
        + sampled(names, len(unknown)),
        help=did_you_mean(names[0], (ids[code] for code in contents.nodes), "declare each with `<node>`"),
        places=list(zip(_lines(shown, contents.edge_lines, rows), labels, strict=True)),
    )


def _nodes(contents: Contents, shown: str, options: GraphOptions) -> RawNodes:
    columns = {name: values.column(len(contents.nodes)) for name, values in contents.columns["node"].items()}

    def places(rows: Sequence[int]) -> list[DataPlace]:
        return _lines(shown, contents.node_lines, rows)

    ids = list(contents.codes)
    # The ids must be unique even where another attribute gives the keys, for edges refer to them.
    keys = string_array([ids[code] for code in contents.nodes])
    by_id = RawNodes(shown, keys, {}, places)
    if options.key is None:
        return RawNodes(shown, _typed(by_id, options.key_type), columns, places)
    assemble(_no_edges(by_id), by_id, directed=True, duplicates=None, files={})
    key_column = _key_column(by_id, columns, options.key)
    return RawNodes(shown, _typed(RawNodes(shown, key_column.values, {}, places), options.key_type), columns, places)


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


def _typed(nodes: RawNodes, key_type: KeyType | None) -> NDArray:
    """The keys as int64 where all are decimal text, else as strings; as `key_type` says where it is given."""
    if not is_string(nodes.keys):
        return nodes.keys.astype(string_array([]).dtype) if key_type == "string" else nodes.keys
    texts: list[str] = nodes.keys.tolist()
    integers = None if key_type == "string" else decimal_keys(texts)
    if integers is None and key_type == "int":
        wrong = [row for row, text in enumerate(texts) if decimal(text) is None]
        first = [texts[row] for row in wrong[:3]]
        raise not_integers(nodes.shown, first, len(wrong), nodes.places(wrong[:3]))
    return nodes.keys if integers is None else integers


def _edges(contents: Contents, shown: str, options: GraphOptions, nodes: RawNodes) -> RawEdges:
    n_edges = len(contents.edge_lines)
    columns = {name: values.column(n_edges) for name, values in contents.columns["edge"].items()}
    relation = None if options.type is None else taken_relation(columns, options.type, shown)
    node_of_code: Positions = np.zeros(len(contents.codes), dtype=np.int64)
    node_of_code[np.array(contents.nodes, dtype=np.int64)] = np.arange(len(contents.nodes))
    ends = node_of_code[np.array(contents.ends, dtype=np.int64)]

    def places(rows: Sequence[int]) -> list[DataPlace]:
        return _lines(shown, contents.edge_lines, rows)

    return RawEdges(shown, nodes.keys, ends[0::2], ends[1::2], columns, relation, places)
