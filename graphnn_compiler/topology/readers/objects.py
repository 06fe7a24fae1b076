"""Graphs that a Python program made: NetworkX graphs, SciPy and NumPy matrices, pairs and mappings of arrays.

Input: the object that `data=` binds. Output: a `Graph`, or a `LoadedArray`. No library is imported to find out what
an object is: its type says so. Not for: files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Column, Graph, Positions, string_array
from graphnn_compiler.topology.interning import decimal_keys
from graphnn_compiler.topology.readers.assemble import assemble
from graphnn_compiler.topology.readers.columns import ArrayTable, array_table, as_array
from graphnn_compiler.topology.readers.matrices import (
    Matrix,
    dense_matrix,
    densified,
    sparse_object,
)
from graphnn_compiler.topology.readers.options import GraphOptions, KeyType, LoadedArray, refuse_options
from graphnn_compiler.topology.readers.table import RawEdges, RawNodes, not_integers, taken_relation


def _comes_from(obj: object, package: str) -> bool:
    return any(base.__module__.partition(".")[0] == package for base in type(obj).__mro__)


def _is_sparse(obj: object) -> bool:
    return _comes_from(obj, "scipy") and hasattr(obj, "tocoo")


def is_networkx(obj: object) -> bool:
    """Whether an object is a NetworkX graph of any kind."""
    return _comes_from(obj, "networkx") and hasattr(obj, "is_multigraph")


def as_matrix(obj: object, shown: str) -> Matrix | None:
    """The matrix that a SciPy or NumPy object is; None for anything else."""
    if _is_sparse(obj):
        return sparse_object(obj, shown)
    if isinstance(obj, np.ndarray):
        return dense_matrix(as_array(obj, f"the matrix `{shown}`", shown), shown)
    return None


def as_columns(obj: object, shown: str, source: str | None, target: str | None) -> ArrayTable | None:
    """The table that a mapping of columns, or a (source, target) pair of arrays, is; None for anything else."""
    if isinstance(obj, Mapping):
        return array_table(shown, obj)
    if isinstance(obj, tuple) and len(obj) == 2:
        return array_table(shown, {source or "source": obj[0], target or "target": obj[1]})
    return None


def unknown_object(obj: object, shown: str, accepted: str) -> Problem:
    """E240: an object of a type that is not read."""
    kind = type(obj)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return Problem(
        "E240",
        f"the data bound to `{shown}` is of type `{name}`, which is not read",
        help=f"bind {accepted}",
        places=[(DataPlace(shown), "bound with `data=`")],
    )


def networkx_graph(graph: Any, shown: str, options: GraphOptions) -> Graph:
    """A NetworkX graph, directed by its own word unless the options say otherwise; parallel edges are duplicates.

    Nodes are in the graph's order. E219 where the keys are not all integers or all strings, E241 where an attribute
    is no column.
    """
    refuse_options(options, ("source", "target", "nodes", "key", "rows"), shown, "a NetworkX graph")

    def places(rows: Sequence[int]) -> list[DataPlace]:
        return [DataPlace(shown)] * len(rows)

    names = list(graph.nodes)
    keys = _keys(names, shown, options.key_type)
    ends = _ends(graph, names)
    node_columns = _attributes((data for _, data in graph.nodes(data=True)), len(names), "node", shown)
    columns = _attributes((data for *_, data in graph.edges(data=True)), len(ends) // 2, "edge", shown)
    relations = None if options.type is None else taken_relation(columns, options.type, shown)
    return assemble(
        RawEdges(shown, keys, ends[0::2], ends[1::2], columns, relations, places),
        RawNodes(shown, keys, node_columns, places),
        directed=graph.is_directed() if options.directed is None else options.directed,
        duplicates=options.duplicates,
        files={},
    )


def _ends(graph: Any, names: list[Any]) -> Positions:
    """The positions of every edge's ends, interleaved; a multigraph's edges come once per key."""
    position = {name: i for i, name in enumerate(names)}
    pairs = ((source, target) for source, target, *_ in graph.edges(data=False))
    return np.fromiter((position[end] for pair in pairs for end in pair), np.int64, 2 * graph.number_of_edges())


def _is_integer(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _fits(value: Any) -> bool:
    return -(2**63) <= int(value) < 2**63


def _keys(names: list[Any], shown: str, key_type: KeyType | None) -> NDArray:
    if all(isinstance(name, str) for name in names) and names:
        texts = [str(name) for name in names]
        if key_type != "int":
            return string_array(texts)
        integers = decimal_keys(texts)
        if integers is None:
            wrong = [text for text in texts if decimal_keys([text]) is None]
            raise not_integers(shown, wrong[:3], len(wrong), [DataPlace(shown)])
        return integers
    if all(_is_integer(name) and _fits(name) for name in names):
        return string_array([str(name) for name in names]) if key_type == "string" else np.array(names, dtype=np.int64)
    kinds = sorted({type(name).__name__ for name in names})
    raise Problem(
        "E219",
        f"the nodes of `{shown}` are of type {' and '.join(f'`{kind}`' for kind in kinds[:3])}; "
        "keys are all 64-bit integers or all strings",
        help="rename them, as with `networkx.relabel_nodes(graph, str)`",
        places=[(DataPlace(shown), "this graph")],
    )


def _attributes(items: Iterable[Mapping[Any, Any]], n_rows: int, owner: str, shown: str) -> dict[str, Column]:
    rows: dict[str, list[int]] = {}
    values: dict[str, list[Any]] = {}
    for row, data in enumerate(items):
        for name, value in data.items():
            if value is not None and value != "":
                rows.setdefault(str(name), []).append(row)
                values.setdefault(str(name), []).append(value)
            else:
                rows.setdefault(str(name), [])
                values.setdefault(str(name), [])
    what = f"the {owner} attribute"
    return {name: _column(values[name], rows[name], n_rows, f"{what} `{name}` of `{shown}`", shown) for name in rows}


def _column(values: list[Any], rows: list[int], n_rows: int, what: str, shown: str) -> Column:
    compact = _typed(values, what, shown)
    full = np.zeros(n_rows, dtype=compact.dtype)
    full[rows] = compact
    missing = np.ones(n_rows, dtype=bool)
    missing[rows] = False
    return Column(full, missing if missing.any() else None)


def _typed(values: list[Any], what: str, shown: str) -> NDArray:
    if not values:
        return np.empty(0, dtype=np.float64)
    if all(isinstance(value, str) for value in values):
        return string_array(values)
    if all(isinstance(value, bool | np.bool_) for value in values):
        return np.array(values, dtype=bool)
    if all(_is_integer(value) and _fits(value) for value in values):
        return np.array(values, dtype=np.int64)
    if all(_is_integer(value) or isinstance(value, float | np.floating) for value in values):
        return np.array(values, dtype=np.float64)
    kinds = sorted({type(value).__name__ for value in values})
    raise Problem(
        "E241",
        f"{what} holds values of type {' and '.join(f'`{kind}`' for kind in kinds[:3])}, which no column can hold",
        help="use numbers, strings or booleans, one of them throughout, or remove the attribute",
        places=[(DataPlace(shown), f"{count(len(values), 'value')} of this attribute")],
    )


def array_from_object(obj: object, shown: str) -> LoadedArray:
    """The values of an input bound from Python: an array, a nested list of numbers, a SciPy sparse matrix."""
    if _is_sparse(obj):
        return LoadedArray(densified(sparse_object(obj, shown)))
    if not isinstance(obj, np.ndarray | Sequence) or isinstance(obj, str | bytes):
        raise unknown_object(obj, shown, "a NumPy array, a SciPy sparse matrix or a list of numbers")
    values = as_array(obj, f"the data bound to `{shown}`", shown)
    return LoadedArray(values.astype(np.int64) if values.dtype.kind == "b" else values)
