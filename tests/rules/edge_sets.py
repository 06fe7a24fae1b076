"""Small random edge sets for the tests of rules, and their meaning as plain dictionaries."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from graphnn_compiler.topology.graph import Column, NodeSet, Relations, canonical, string_array

STRING_KEYS = ["ab", "b", "", "é", "10", "9"]
RELATIONS = ["is", "has", "of"]


def make_keys(keys, strings):
    if strings:
        return string_array([STRING_KEYS[k] for k in keys] or np.zeros(0, dtype=str))
    return np.array([7 * k - 10 for k in keys], dtype=np.int64)


@st.composite
def node_sets(draw, strings):
    order = draw(st.permutations(range(6)))
    return NodeSet(make_keys(order[: draw(st.integers(0, 6))], strings))


def column_of(draw, n):
    values = np.array(draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), dtype=np.int64)
    missing = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    kind = draw(st.sampled_from([np.int64, np.float64]))
    return Column(values.astype(kind), missing if missing.any() else None)


@st.composite
def edge_sets(draw, strings, square=False, typed=None, sources=None, targets=None):
    """An edge set, often with isolated nodes and self loops, sometimes empty, sometimes with relations."""
    sources = draw(node_sets(strings)) if sources is None else sources
    if targets is None:
        targets = sources if square or draw(st.booleans()) else draw(node_sets(strings))
    typed = draw(st.booleans()) if typed is None else typed
    names = tuple(draw(st.permutations(RELATIONS))[: draw(st.integers(0, 3))])
    codes = st.integers(-1, len(names) - 1) if typed else st.just(-1)
    edge = st.tuples(st.integers(0, max(len(targets) - 1, 0)), st.integers(0, max(len(sources) - 1, 0)), codes)
    limit = 12 if len(sources) and len(targets) else 0
    found = draw(st.lists(edge, unique=True, max_size=limit))
    row, column, code = np.array(found, dtype=np.int64).reshape(-1, 3).T
    relations = Relations(code.astype(np.int32), names) if typed else None
    columns = {name: column_of(draw, len(row)) for name in draw(st.sampled_from(["", "w", "v", "wv"]))}
    return canonical(sources, targets, row, column, columns, relations)


def keys_of(units):
    return units.keys.tolist()


def values_of(column):
    missing = np.zeros(len(column.values), dtype=bool) if column.missing is None else column.missing
    return [None if m else v for v, m in zip(column.values.tolist(), missing, strict=True)]


def edges_of(edges):
    """The list of (source key, destination key, relation or None) in the set's order."""
    sources, targets = keys_of(edges.sources), keys_of(edges.targets)
    codes = [-1] * len(edges) if edges.relations is None else edges.relations.codes
    names = (edges.relations.names if edges.relations else ()) + (None,)
    return [(sources[s], targets[t], names[c]) for t, s, c in zip(edges.row, edges.column, codes, strict=True)]


def meaning(edges):
    """What an edge set says: {(source key, destination key, relation): {column: value, None where missing}}."""
    columns = {name: values_of(column) for name, column in edges.columns.items()}
    result = {e: {name: columns[name][i] for name in columns} for i, e in enumerate(edges_of(edges))}
    assert len(result) == len(edges), "an edge stands twice"
    return result


def pairs_of(edges):
    return {(s, t) for s, t, _ in edges_of(edges)}


def assert_canonical(edges):
    codes = np.full(len(edges), -1) if edges.relations is None else edges.relations.codes
    assert edges.row.dtype == edges.column.dtype == np.int64
    order = list(zip(edges.row.tolist(), edges.column.tolist(), codes.tolist(), strict=True))
    assert order == sorted(set(order))
    assert all(0 <= t < len(edges.targets) and 0 <= s < len(edges.sources) for t, s, _ in order)
