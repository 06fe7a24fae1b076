"""`match`, `pairs`, `top` and `group` against loops over every pair, edge and unit."""

from __future__ import annotations

import numpy as np
import pytest
from edge_sets import assert_canonical, edge_sets, edges_of, keys_of, meaning, node_sets, pairs_of, values_of
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import Column, NodeSet, integer_units, string_array
from graphnn_compiler.topology.rules.group import group_keys, groups, members
from graphnn_compiler.topology.rules.match import match
from graphnn_compiler.topology.rules.pairs import pairs
from graphnn_compiler.topology.rules.top import top

quick = settings(max_examples=150, deadline=None)


def problem(code, function, *arguments, **options):
    with pytest.raises(Problem) as caught:
        function(*arguments, **options)
    assert caught.value.code == code
    return caught.value


# ------------------------------------------------------------------ match

VALUES = {
    "int": st.sampled_from([0, 1, 2, 2**53, 2**53 + 1]),
    "float": st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan"), float("inf")]),
    "text": st.sampled_from(["", "a", "ab", "a name of more than fifteen bytes", "a name of more than fifteen"]),
    "truth": st.booleans(),
}


@st.composite
def columns(draw, kind, n):
    values = draw(st.lists(VALUES[kind], min_size=n, max_size=n))
    missing = np.array(draw(st.lists(st.sampled_from([False, False, True]), min_size=n, max_size=n)), dtype=bool)
    dtype = {"int": np.int64, "float": np.float64, "truth": np.bool_}.get(kind)
    array = string_array(values or np.zeros(0, dtype=str)) if dtype is None else np.array(values, dtype=dtype)
    return Column(array, missing if missing.any() else None)


@st.composite
def equations(draw, n_sources, n_targets):
    kinds = draw(st.sampled_from([("int", "int"), ("float", "float"), ("text", "text"), ("truth", "truth")]))
    return draw(columns(kinds[0], n_sources)), draw(columns(kinds[1], n_targets))


@given(st.data(), st.booleans(), st.booleans())
@quick
def test_match(data, strings, others):
    sources, targets = data.draw(node_sets(strings)), data.draw(node_sets(others))
    equal = [data.draw(equations(len(sources), len(targets))) for _ in range(data.draw(st.integers(1, 3)))]
    edges = match(sources, targets, equal)
    assert_canonical(edges)
    told = [(values_of(source), values_of(target)) for source, target in equal]
    assert list(zip(edges.row, edges.column, strict=True)) == [
        (t, s)
        for t in range(len(targets))
        for s in range(len(sources))
        if all(left[s] is not None and right[t] is not None and left[s] == right[t] for left, right in told)
    ]


def test_match_compares_whole_numbers_with_reals():
    edges = match(integer_units(3), integer_units(2), [(Column(np.array([1, 2, 3])), Column(np.array([2.0, 2.5])))])
    assert pairs_of(edges) == {(1, 0)}


def test_match_of_nan_and_of_zeros():
    left, right = Column(np.array([np.nan, 0.0, np.inf])), Column(np.array([np.nan, -0.0, np.inf]))
    assert pairs_of(match(integer_units(3), integer_units(3), [(left, right)])) == {(1, 1), (2, 2)}


def test_match_counts_before_it_builds():
    many = integer_units(100_000)
    alike = Column(np.zeros(100_000))
    error = problem("E308", match, many, many, [(alike, alike)], max_edges=10**6)
    assert error.message == "`match` may make up to 10,000,000,000 edges, above the limit of 1,000,000"


# ------------------------------------------------------------------ pairs


@given(st.data(), st.booleans(), st.integers(1, 40))
@quick
def test_pairs(data, strings, at_once):
    sources, targets = data.draw(node_sets(strings)), data.draw(node_sets(not strings))
    divisor = data.draw(st.integers(1, 5))
    most = 0

    def passes(tried):
        nonlocal most
        most = max(most, len(tried))
        return (tried.row * 7 + tried.column * 3) % divisor == 0

    edges = pairs(sources, targets, passes, limit=36, at_once=at_once)
    assert_canonical(edges)
    assert list(zip(edges.row, edges.column, strict=True)) == [
        (t, s) for t in range(len(targets)) for s in range(len(sources)) if (t * 7 + s * 3) % divisor == 0
    ]
    assert most <= max(at_once, len(sources))


def test_pairs_stops_at_its_limits():
    def never(tried):
        raise AssertionError("nothing is tried above the limit")

    error = problem("E326", pairs, integer_units(4000), integer_units(5000), never, limit=10**7)
    assert error.message.startswith("`pairs` would try 4,000 sources x 5,000 destinations = 20,000,000 pairs, above")
    few = integer_units(30)
    problem("E308", pairs, few, few, lambda tried: tried.row == tried.row, limit=900, max_edges=899)
    assert len(pairs(few, few, lambda tried: tried.row == tried.row, limit=900, max_edges=900)) == 900


# ------------------------------------------------------------------ top


@given(st.data(), st.booleans(), st.integers(1, 4), st.sampled_from(["src", "dst"]))
@quick
def test_top(data, strings, k, per):
    edges = data.draw(edge_sets(strings))
    extreme = st.sampled_from([-(2**63), 2**63 - 1, 2**53, 2**53 + 1, 0, 1])
    score = data.draw(st.sampled_from([extreme, st.integers(0, 2), st.sampled_from([-0.5, 0.0, 1e300])]))
    by = np.array(data.draw(st.lists(score, min_size=len(edges), max_size=len(edges))) or np.zeros(0, np.int64))
    found = top(edges, k, by, per)
    assert_canonical(found)
    kept = []
    for unit in range(len(edges.targets if per == "dst" else edges.sources)):
        own = [e for e in range(len(edges)) if (edges.row if per == "dst" else edges.column)[e] == unit]
        kept += sorted(own, key=lambda e: (-by[e].item(), e))[:k]
    told = meaning(edges)
    assert meaning(found) == {edge: told[edge] for edge in (edges_of(edges)[e] for e in kept)}
    assert len(found) == len(kept)


# ------------------------------------------------------------------ group


@given(st.data(), st.booleans(), st.booleans())
@quick
def test_group(data, strings, by_text):
    units = data.draw(node_sets(strings))
    values = [data.draw(st.sampled_from(["b", "a", ""] if by_text else [7, -3, 2**60])) for _ in keys_of(units)]
    keys = group_keys(string_array(values or np.zeros(0, str)) if by_text else np.array(values, dtype=np.int64))
    found = groups(keys)
    assert keys_of(found) == list(dict.fromkeys(values))
    assert found.string_keys == by_text
    edges = members(units, keys, found)
    assert_canonical(edges)
    assert pairs_of(edges) == set(zip(keys_of(units), values, strict=True))


def test_groups_of_whole_reals_have_whole_keys():
    keys = group_keys(np.floor(np.array([2.7, -0.5, 2.1])))
    assert keys.dtype == np.int64
    assert keys.tolist() == [2, -1, 2]


@pytest.mark.parametrize("values", [[0.5, 1.0], [np.nan], [np.inf], [2.0**60], [True, False]])
def test_values_that_are_no_keys(values):
    problem("E327", group_keys, np.array(values))


def test_strings_in_two_rising_runs():
    """NumPy's default sort crashes the process on such arrays."""
    names = string_array([f"stop {number:03}" for number in range(300)])
    twice = np.concatenate([names, names])
    assert keys_of(groups(twice)) == names.tolist()
    units = NodeSet(names)
    assert units.find(names[:299]).tolist() == list(range(299))
    assert pairs_of(match(units, units, [(Column(names), Column(names))])) == {(name, name) for name in names.tolist()}
