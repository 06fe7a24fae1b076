"""Which reader reads what: by a file's extension, by an object's type.

Input: a file or an object, and the options of `read(..)` or `table(..)`. Output: a `Graph` or a `LoadedArray`. Not
for: formats; what a program does with a graph.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from graphnn_compiler.diagnostics import Problem, listed
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Graph
from graphnn_compiler.topology.readers.arrays import ArrayFile, open_arrays
from graphnn_compiler.topology.readers.assemble import assemble, positions_as_keys
from graphnn_compiler.topology.readers.columns import array_table
from graphnn_compiler.topology.readers.delimited import read_delimited
from graphnn_compiler.topology.readers.graphml import read_graphml
from graphnn_compiler.topology.readers.matrices import dense_matrix, matrix_graph, sparse_matrix
from graphnn_compiler.topology.readers.objects import (
    as_columns,
    as_matrix,
    is_networkx,
    networkx_graph,
    unknown_object,
)
from graphnn_compiler.topology.readers.options import GraphOptions, TableOptions, refuse_options
from graphnn_compiler.topology.readers.table import RawNodes, RowTable, listed_edges, listed_nodes

_TEXT = (".csv", ".tsv")
_ARRAYS = (".npz", ".npy")
_GRAPHML = (".graphml",)


def unknown_format(path: Path, shown: str, known: tuple[str, ...]) -> Problem:
    """E200: a file whose extension is not among the known ones."""
    extension = f"the extension `{path.suffix}`" if path.suffix else "no extension"
    return Problem(
        "E200",
        f"`{shown}` has {extension}, so it is unclear how to read it",
        help=f"the extensions that are read here are {listed((f'`{k}`' for k in known), len(known))}",
        places=[(DataPlace(shown), "this file")],
    )


def read_graph(
    path: Path, shown: str, options: GraphOptions, nodes_path: Path | None = None, nodes_shown: str | None = None
) -> Graph:
    """The graph in a file. `shown` is the file as the program names it; `nodes_path` is its node table.

    Errors are `Problem`s E200 .. E244.
    """
    kind = path.suffix.lower()
    if kind in _GRAPHML:
        return read_graphml(path, shown, options)
    if kind not in _TEXT + _ARRAYS:
        raise unknown_format(path, shown, _TEXT + _ARRAYS + _GRAPHML)
    nodes: RawNodes | None = None
    node_files: dict[str, str] = {}
    if nodes_path is None:
        refuse_options(options, ("key",), shown, "a graph without a node table")
    else:
        nodes, node_files = _read_nodes(nodes_path, nodes_shown or str(nodes_path), options)
    if kind in _ARRAYS:
        return _array_graph(open_arrays(path, shown), options, nodes, node_files)
    table = read_delimited(path, shown)
    return _table_graph(table, options, nodes, {shown: table.sha256, **node_files}, "a table")


def _read_nodes(path: Path, shown: str, options: GraphOptions) -> tuple[RawNodes, dict[str, str]]:
    if path.suffix.lower() not in _TEXT:
        raise unknown_format(path, shown, _TEXT)
    table = read_delimited(path, shown)
    return listed_nodes(table, options.key, options.key_type), {shown: table.sha256}


def _table_graph(
    table: RowTable, options: GraphOptions, nodes: RawNodes | None, files: dict[str, str], kind: str
) -> Graph:
    refuse_options(options, ("rows",), table.shown, kind)
    edges = listed_edges(table, options.source, options.target, options.type, options.key_type)
    return assemble(edges, nodes, directed=options.directed is not False, duplicates=options.duplicates, files=files)


def _array_graph(file: ArrayFile, options: GraphOptions, nodes: RawNodes | None, node_files: dict[str, str]) -> Graph:
    files = {file.shown: file.sha256, **node_files}
    if {"format", "shape", "data"} <= set(file.names):
        return matrix_graph(sparse_matrix(file.shown, file.names, file.load), options, nodes, files)
    if len(file.names) == 1:
        return matrix_graph(dense_matrix(file.load(file.names[0]), file.shown), options, nodes, files)
    table = array_table(file.shown, {name: file.load(name) for name in file.names})
    return _table_graph(table, options, nodes, files, "a table")


def graph_from_object(obj: object, shown: str, options: GraphOptions) -> Graph:
    """The graph in a Python object: a NetworkX graph, a SciPy sparse matrix, a two-dimensional NumPy array, a mapping
    of columns, a (source, target) pair of arrays.

    It replaces the file, so the options that name the file's columns and node table say nothing about it. Errors are
    `Problem`s, E240 for an object of another type.
    """
    table = as_columns(obj, shown, options.source, options.target)
    if table is not None:
        return _table_graph(table, replace(options, nodes=None, key=None), None, {}, "a table")
    options = _of_no_file(options)
    if is_networkx(obj):
        return networkx_graph(obj, shown, options)
    matrix = as_matrix(obj, shown)
    if matrix is None:
        accepted = "a NetworkX graph, a matrix of SciPy or NumPy, a mapping of columns or a (source, target) pair"
        raise unknown_object(obj, shown, accepted)
    return matrix_graph(matrix, options, None, {})


def read_edge_table(path: Path, shown: str, options: TableOptions) -> Graph:
    """The listed pairs of `table(..)` in a file, every other column an edge attribute.

    By key, one node set holds both ends in order of first appearance; by position, it is 0 .. the largest position.
    """
    if path.suffix.lower() in _TEXT:
        table = read_delimited(path, shown)
        return _edge_table(table, options, {shown: table.sha256})
    if path.suffix.lower() in _GRAPHML:
        _refuse_positions(options, shown, "a GraphML file")
        return read_graphml(path, shown, options.as_graph_options())
    if path.suffix.lower() not in _ARRAYS:
        raise unknown_format(path, shown, _TEXT + _ARRAYS + _GRAPHML)
    file = open_arrays(path, shown)
    if len(file.names) == 1 or {"format", "shape", "data"} <= set(file.names):
        return _array_graph(file, options.as_graph_options(), None, {})
    return _edge_table(
        array_table(shown, {name: file.load(name) for name in file.names}), options, {shown: file.sha256}
    )


def edge_table_from_object(obj: object, shown: str, options: TableOptions) -> Graph:
    """The listed pairs of `table(..)` in a Python object: a mapping of columns, a (source, target) pair of arrays, a
    SciPy or NumPy matrix, a NetworkX graph."""
    table = as_columns(obj, shown, options.source, options.target)
    if table is not None:
        return _edge_table(table, options, {})
    if is_networkx(obj):
        _refuse_positions(options, shown, "a NetworkX graph")
        return networkx_graph(obj, shown, _of_no_file(options.as_graph_options()))
    matrix = as_matrix(obj, shown)
    if matrix is None:
        raise unknown_object(
            obj, shown, "a mapping of columns, a (source, target) pair of arrays, a matrix or a NetworkX graph"
        )
    return matrix_graph(matrix, _of_no_file(options.as_graph_options()), None, {})


def _of_no_file(options: GraphOptions) -> GraphOptions:
    return replace(options, source=None, target=None, nodes=None, key=None)


def _refuse_positions(options: TableOptions, shown: str, kind: str) -> None:
    if options.by == "position":
        raise Problem(
            "E218",
            f"`by = position` does not apply to {kind}",
            help="leave it out: the units are aligned by key",
            places=[(DataPlace(shown), f"this is {kind}")],
        )


def _edge_table(table: RowTable, options: TableOptions, files: dict[str, str]) -> Graph:
    by_position = options.by == "position"
    graph_options = options.as_graph_options()
    if not by_position:
        return _table_graph(table, graph_options, None, files, "a table")
    refuse_options(graph_options, ("rows", "key_type"), table.shown, "a table read by position")
    edges, units = positions_as_keys(listed_edges(table, options.source, options.target, None, "int"))
    return assemble(edges, units, directed=True, duplicates=options.duplicates, files=files)
