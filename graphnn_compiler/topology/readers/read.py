"""Which reader reads what: by a file's extension, by an object's type.

Input: a file or an object, and the options of `read(..)` or `table(..)`. Output: a `Graph` or a `LoadedArray`. Not
for: formats; what a program does with a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from graphnn_compiler.diagnostics import Problem, listed
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Graph
from graphnn_compiler.topology.readers.arrays import ArrayFile, open_arrays
from graphnn_compiler.topology.readers.assemble import assemble, positions_as_keys
from graphnn_compiler.topology.readers.columns import ArrayTable, array_table
from graphnn_compiler.topology.readers.delimited import TextTable, read_delimited
from graphnn_compiler.topology.readers.gene_sets import read_gene_sets
from graphnn_compiler.topology.readers.gml import read_gml
from graphnn_compiler.topology.readers.graphml import read_graphml
from graphnn_compiler.topology.readers.matrices import dense_matrix, matrix_graph, sparse_matrix
from graphnn_compiler.topology.readers.matrix_market import read_matrix_market
from graphnn_compiler.topology.readers.node_link import read_node_link
from graphnn_compiler.topology.readers.objects import (
    as_columns,
    as_matrix,
    is_networkx,
    networkx_graph,
    unknown_object,
)
from graphnn_compiler.topology.readers.options import GraphOptions, TableOptions, refuse_options
from graphnn_compiler.topology.readers.parquet import ParquetTable, read_parquet
from graphnn_compiler.topology.readers.table import RawNodes, RowTable, listed_edges, listed_nodes
from graphnn_compiler.topology.readers.text_files import format_of, is_packed

_TABLES = (".csv", ".tsv", ".parquet")
_ARRAYS = (".npz", ".npy")
_MATRIX = ".mtx"
_BINARY = (".parquet", *_ARRAYS)
_ARCHIVES = (".zip", ".bz2", ".xz", ".zst", ".7z", ".tar", ".tgz")

_GRAPHS: Mapping[str, tuple[Callable[[Path, str, GraphOptions], Graph], str]] = MappingProxyType(
    {
        ".graphml": (read_graphml, "a GraphML file"),
        ".gml": (read_gml, "a GML file"),
        ".json": (read_node_link, "a node-link file"),
        ".gmt": (read_gene_sets, "a GMT file"),
    }
)
"""Files that are whole graphs: how each is read, and what it is called."""

_ALL = (*_TABLES, *_ARRAYS, _MATRIX, *_GRAPHS)


def unknown_format(path: Path, shown: str, known: tuple[str, ...]) -> Problem:
    """E200: a file whose extension is not among the known ones, or that may not be packed."""
    packed = is_packed(path)
    suffix = f"{format_of(path)}.gz" if packed else path.suffix
    extension = f"the extension `{suffix}`" if suffix else "no extension"
    help = f"the extensions that are read here are {listed((f'`{k}`' for k in known), len(known))}"
    if packed:
        help += "; those that are text may be packed by gzip, as `.csv.gz`"
    if path.suffix.lower() in _ARCHIVES:
        help = "unpack it, or pack the file that is in it with gzip: `.csv.gz` is read as it is"
    return Problem(
        "E200",
        f"`{shown}` has {extension}, so it is unclear how to read it",
        help=help,
        places=[(DataPlace(shown), "this file")],
    )


def known_format(path: Path, shown: str, known: tuple[str, ...]) -> str:
    """The extension of a file, without `.gz` where text is packed; E200 unless it is among the known ones."""
    kind = format_of(path)
    if kind not in known or (is_packed(path) and kind in _BINARY):
        raise unknown_format(path, shown, known)
    return kind


def read_graph(
    path: Path, shown: str, options: GraphOptions, nodes_path: Path | None = None, nodes_shown: str | None = None
) -> Graph:
    """The graph in a file. `shown` is the file as the program names it; `nodes_path` is its node table.

    Errors are `Problem`s E200 .. E249 and E258 .. E265.
    """
    kind = known_format(path, shown, _ALL)
    if kind in _GRAPHS:
        return _GRAPHS[kind][0](path, shown, options)
    nodes: RawNodes | None = None
    node_files: dict[str, str] = {}
    if nodes_path is None:
        refuse_options(options, ("key",), shown, "a graph without a node table")
    else:
        nodes, node_files = _read_nodes(nodes_path, nodes_shown or str(nodes_path), options)
    if kind in (*_ARRAYS, _MATRIX):
        return _array_graph(path, shown, options, nodes, node_files)
    table = _read_table(path, shown, options)
    return _table_graph(table, options, nodes, {shown: table.sha256, **node_files}, "a table")


def _read_table(path: Path, shown: str, options: GraphOptions | TableOptions) -> TextTable | ParquetTable:
    if format_of(path) != ".parquet":
        ends = options.source or "source", options.target or "target"
        return read_delimited(path, shown, options.separator, options.encoding, ends)
    _refuse_text_options(options, shown, "a Parquet file")
    return read_parquet(path, shown)


def _refuse_text_options(options: GraphOptions | TableOptions, shown: str, kind: str) -> None:
    wishes = GraphOptions(separator=options.separator, encoding=options.encoding)
    refuse_options(wishes, ("separator", "encoding"), shown, kind)


def _read_nodes(path: Path, shown: str, options: GraphOptions) -> tuple[RawNodes, dict[str, str]]:
    kind = known_format(path, shown, _TABLES)
    separator = options.separator if kind == ".csv" else None
    binary = kind == ".parquet"
    table = read_parquet(path, shown) if binary else read_delimited(path, shown, separator, options.encoding)
    return listed_nodes(table, options.key, options.key_type), {shown: table.sha256}


def _table_graph(
    table: RowTable, options: GraphOptions, nodes: RawNodes | None, files: dict[str, str], kind: str
) -> Graph:
    refuse_options(options, ("rows",), table.shown, kind)
    # Nothing but `assemble` holds the listed edges, so that it can let go of them.
    return assemble(
        listed_edges(table, options.source, options.target, options.type, options.key_type),
        nodes,
        directed=options.directed is not False,
        duplicates=options.duplicates,
        files=files,
    )


def _array_graph(
    path: Path, shown: str, options: GraphOptions, nodes: RawNodes | None, node_files: dict[str, str]
) -> Graph:
    _refuse_text_options(options, shown, "a matrix" if format_of(path) == _MATRIX else "a file of arrays")
    if format_of(path) == _MATRIX:
        matrix, sha256 = read_matrix_market(path, shown)
        return matrix_graph(matrix, options, nodes, {shown: sha256, **node_files})
    file = open_arrays(path, shown)
    files = {shown: file.sha256, **node_files}
    if _is_sparse(file):
        return matrix_graph(sparse_matrix(shown, file.names, file.load), options, nodes, files)
    if len(file.names) == 1:
        return matrix_graph(dense_matrix(file.load(file.names[0]), shown), options, nodes, files)
    return _table_graph(_columns(file), options, nodes, files, "a table")


def _is_sparse(file: ArrayFile) -> bool:
    return {"format", "shape", "data"} <= set(file.names)


def _columns(file: ArrayFile) -> ArrayTable:
    return array_table(file.shown, {name: file.load(name) for name in file.names})


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
    kind = known_format(path, shown, _ALL)
    if kind in _TABLES:
        table = _read_table(path, shown, options)
        return _edge_table(table, options, {shown: table.sha256})
    if kind in _GRAPHS:
        read, what = _GRAPHS[kind]
        _refuse_positions(options, shown, what)
        return read(path, shown, options.as_graph_options())
    if kind == _MATRIX:
        return _array_graph(path, shown, options.as_graph_options(), None, {})
    file = open_arrays(path, shown)
    if len(file.names) == 1 or _is_sparse(file):
        return _array_graph(path, shown, options.as_graph_options(), None, {})
    _refuse_text_options(options, shown, "a file of arrays")
    return _edge_table(_columns(file), options, {shown: file.sha256})


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
    return replace(options, source=None, target=None, nodes=None, key=None, separator=None, encoding=None)


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
