"""`same`, `one_to_one`, `all` and `offset` against double loops."""

from __future__ import annotations

import pytest
from edge_sets import assert_canonical, edges_of, keys_of, meaning, node_sets
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import integer_units
from graphnn_compiler.topology.rules.identity import every_pair, one_to_one, same
from graphnn_compiler.topology.rules.offset import offset

quick = settings(max_examples=100, deadline=None)


def problem(code, function, *arguments, **options):
    with pytest.raises(Problem) as caught:
        function(*arguments, **options)
    assert caught.value.code == code
    return caught.value


@given(st.data(), st.booleans())
@quick
def test_same_and_every_pair(data, strings):
    sources, targets = data.draw(node_sets(strings)), data.draw(node_sets(strings))
    pairs = [(s, t, None) for t in keys_of(targets) for s in keys_of(sources)]
    assert edges_of(every_pair(sources, targets)) == pairs
    assert edges_of(same(sources, targets)) == [(s, t, None) for s, t, _ in pairs if s == t]
    assert_canonical(same(sources, targets))


def test_one_to_one_goes_by_position():
    assert edges_of(one_to_one(integer_units(3), integer_units(3).take([2, 0, 1]))) == [
        (0, 2, None),
        (1, 0, None),
        (2, 1, None),
    ]
    assert "3 sources and 4 destinations" in problem("E301", one_to_one, integer_units(3), integer_units(4)).message


@given(st.integers(0, 7), st.integers(0, 7), st.integers(-9, 9), st.integers(0, 12))
@quick
def test_offset_clips(n_sources, n_targets, low, width):
    high = low + width
    edges = offset(integer_units(n_sources), integer_units(n_targets), low, high)
    assert_canonical(edges)
    assert meaning(edges) == {
        (s, d, None): {"offset": d - s} for d in range(n_targets) for s in range(n_sources) if low <= d - s <= high
    }


@given(st.integers(1, 9), st.integers(-30, 30), st.data())
@quick
def test_offset_wraps(n, low, data):
    high = low + data.draw(st.integers(0, n - 1))
    edges = offset(integer_units(n), integer_units(n), low, high, wrap=True)
    assert_canonical(edges)
    assert meaning(edges) == {(s, (s + o) % n, None): {"offset": o} for s in range(n) for o in range(low, high + 1)}


def test_offset_far_beyond_the_units():
    few = integer_units(2)
    assert len(offset(few, few, -(10**30), 10**30)) == 4
    assert len(offset(few, few, 10**30, 10**31)) == 0
    assert len(offset(few, few, -(10**31), -(10**30))) == 0
    assert len(offset(integer_units(0), integer_units(0), -1, 1, wrap=True)) == 0


def test_offset_errors():
    four = integer_units(4)
    assert problem("E302", offset, four, four, 2, -2).help == "write it as `-2..2`, lowest first"
    problem("E303", offset, four, integer_units(5), 0, 1, wrap=True)
    error = problem("E304", offset, four, four, -2, 2, wrap=True)
    assert "offsets -2 and 2 both name the same pairs" in error.message
    many = integer_units(100_000)
    error = problem("E308", offset, many, many, -(10**6), 0, max_edges=10**6)
    assert error.message == "`offset` may make up to 5,000,050,000 edges, above the limit of 1,000,000"
    problem("E308", offset, many, many, 0, 99_999, wrap=True, max_edges=10**6)
