"""The levels of hierarchies against the words of their definition, read out with sets and loops."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from edge_sets import assert_canonical, keys_of, make_keys, pairs_of
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import Column, NodeSet, canonical, string_array
from graphnn_compiler.topology.rules.levels import Hierarchy, added_key


@st.composite
def hierarchies(draw):
    """Edges child -> parent without cycles on up to six units in any order, with some that have no edges."""
    strings, order = draw(st.booleans()), draw(st.permutations(range(6)))
    n = draw(st.integers(0, 6))
    units = NodeSet(make_keys(order[:n], strings), {"w": Column(np.arange(n, dtype=np.int64))})
    rank = draw(st.permutations(range(n)))
    possible = [(child, parent) for child in range(n) for parent in range(n) if rank[child] > rank[parent]]
    pairs = draw(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    column, row = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return canonical(units, units, row, column)


def by_definition(units, pairs, root, depth):
    """The keys of each level and the pairs of its edges."""
    upward = nx.DiGraph(pairs)
    upward.add_nodes_from(units)
    distance = nx.single_source_shortest_path_length(upward.reverse(), root, cutoff=depth)
    edges = {(child, parent) for child, parent in pairs if child in distance and parent in distance}
    parents = {parent for _, parent in edges}
    levels = []
    for k in range(depth + 1):
        level = {x for x in distance if distance[x] == k or (distance[x] < k and x not in parents)}
        levels.append(level - parents if k == depth else level)
    between = [set()]
    for k in range(1, depth + 1):
        own = {(child, parent) for child, parent in edges if child in levels[k] and parent in levels[k - 1]}
        copies = {(x, x) for x in levels[k] if distance[x] < k}
        assert all(x in levels[k - 1] for x, _ in copies)
        between.append(own | copies)
    return levels, between


def check(hierarchy, units, levels, between):
    for k, keys in enumerate(levels):
        assert keys_of(hierarchy.nodes(k)) == [key for key in units if key in keys]
    for k in range(1, len(levels)):
        edges = hierarchy.edges(k)
        assert_canonical(edges)
        assert edges.sources is hierarchy.nodes(k)
        assert edges.targets is hierarchy.nodes(k - 1)
        assert pairs_of(edges) == between[k]


@given(edges=hierarchies(), depth=st.integers(1, 5), data=st.data())
@settings(max_examples=100, deadline=None)
def test_levels_below_a_unit(edges, depth, data):
    units = keys_of(edges.targets)
    if not units:
        return
    root = data.draw(st.sampled_from(units))
    hierarchy = Hierarchy(edges, root, depth)
    check(hierarchy, units, *by_definition(units, pairs_of(edges), root, depth))
    places = {key: place for place, key in enumerate(units)}
    for k in range(depth + 1):
        nodes = hierarchy.nodes(k)
        assert nodes.columns["w"].values.tolist() == [places[key] for key in keys_of(nodes)]
        assert len(nodes) > 0


@given(edges=hierarchies(), depth=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_levels_below_an_added_root(edges, depth):
    units, pairs = keys_of(edges.targets), pairs_of(edges)
    (root,) = added_key(edges.targets.keys).tolist()
    assert root not in units
    with_parent = {child for child, _ in pairs}
    more = {(key, root) for key in units if key not in with_parent}
    hierarchy = Hierarchy(edges, None, depth)
    check(hierarchy, [*units, root], *by_definition([*units, root], pairs | more, root, depth))
    assert keys_of(hierarchy.nodes(0)) == [root]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (string_array(["a", "b"]), "root"),
        (string_array(["root", "root/3"]), "root/2"),
        (string_array(["root/2", "root"]), "root/3"),
        (np.array([0, 1, 2]), -1),
        (np.array([-1, 5, -2, -4]), -3),
        (np.array([np.iinfo(np.int64).min]), -1),
    ],
)
def test_the_key_of_an_added_root(keys, expected):
    assert added_key(keys).tolist() == [expected]


def of_keys(names, pairs):
    units = NodeSet(string_array(names))
    column, row = np.array([[names.index(end) for end in pair] for pair in pairs], dtype=np.int64).reshape(-1, 2).T
    return canonical(units, units, row, column)


def test_a_cycle_within_the_depth_is_shown_along_its_edges():
    edges = of_keys(["top", "a", "b", "c"], [("a", "top"), ("b", "a"), ("c", "b"), ("a", "c")])
    with pytest.raises(Problem) as refused:
        Hierarchy(edges, "top", 3)
    assert refused.value.code == "E320"
    assert refused.value.notes == ("a cycle: `c` -> `b` -> `a` -> `c`",)
    assert keys_of(Hierarchy(edges, "top", 2).nodes(2)) == ["b"]


def test_without_a_unit_on_top_there_is_no_place_for_a_root():
    with pytest.raises(Problem) as refused:
        Hierarchy(of_keys(["a", "b"], [("a", "b"), ("b", "a")]), None, 2)
    assert refused.value.code == "E320"


@pytest.mark.parametrize("root", ["tpo", 3])
def test_an_unknown_root(root):
    with pytest.raises(Problem, match="is no unit") as refused:
        Hierarchy(of_keys(["top", "a"], [("a", "top")]), root, 1)
    assert refused.value.code == "E319"
