"""`random(in_degree = ..)` against a loop that follows its definition, and its statistics at fixed seeds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from edge_sets import assert_canonical, edge_sets, edges_of, keys_of, meaning, node_sets, pairs_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import NodeSet, integer_units, string_array
from graphnn_compiler.topology.rules.algebra import difference, drop_relations
from graphnn_compiler.topology.rules.identity import every_pair, same
from graphnn_compiler.topology.rules.random import draw_degrees, random_in_degree
from graphnn_compiler.topology.streams import Stream, uniform

STREAM = Stream(11, "random", "near")


def slow_choice(start, wanted, candidates):
    """The definition: first distinct values, or what they leave over where more than half is wanted."""
    n = len(candidates)
    inverted = 2 * wanted > n
    seen, counter = set(), 0
    while len(seen) < (n - wanted if inverted else wanted):
        seen.add(int(float(uniform(start, counter)) * n))
        counter += 1
    return {c for rank, c in enumerate(candidates) if (rank in seen) != inverted}


def slow_random(targets, degrees, candidates_of):
    starts = STREAM.starts(targets.keys)
    return {
        (s, d)
        for start, d, wanted in zip(starts, keys_of(targets), degrees, strict=True)
        for s in slow_choice(start, min(wanted, len(candidates_of[d])), candidates_of[d])
    }


@given(st.data(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_all_sources(data, strings):
    sources, targets = data.draw(node_sets(strings)), data.draw(node_sets(strings))
    degrees = data.draw(st.lists(st.integers(0, 8), min_size=len(targets), max_size=len(targets)))
    edges = random_in_degree(sources, targets, np.array(degrees, dtype=np.int64), stream=STREAM, shortfall="all")
    assert_canonical(edges)
    assert pairs_of(edges) == slow_random(targets, degrees, dict.fromkeys(keys_of(targets), keys_of(sources)))


@given(st.data(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_candidates_and_excluded(data, strings):
    listed = data.draw(edge_sets(strings))
    sources, targets = listed.sources, listed.targets
    degrees = data.draw(st.lists(st.integers(0, 8), min_size=len(targets), max_size=len(targets)))
    options = {"stream": STREAM, "shortfall": "all"}
    wanted = np.array(degrees, dtype=np.int64)
    pairs = pairs_of(listed)
    inside = {d: [s for s in keys_of(sources) if (s, d) in pairs] for d in keys_of(targets)}
    outside = {d: [s for s in keys_of(sources) if (s, d) not in pairs] for d in keys_of(targets)}
    among = random_in_degree(sources, targets, wanted, candidates=listed, **options)
    besides = random_in_degree(sources, targets, wanted, excluded=listed, **options)
    assert_canonical(among)
    assert_canonical(besides)
    assert pairs_of(among) == slow_random(targets, degrees, inside)
    assert pairs_of(besides) == slow_random(targets, degrees, outside)
    assert len(among) == len(pairs_of(among))
    assert meaning(among).items() <= meaning(listed).items()
    rest = difference(every_pair(sources, targets), drop_relations(listed))
    assert edges_of(besides) == edges_of(random_in_degree(sources, targets, wanted, candidates=rest, **options))


@pytest.mark.parametrize("degree", [3, 30, 50, 51, 97, 100])
def test_large_degrees(degree):
    sources, targets = integer_units(100), integer_units(40)
    edges = random_in_degree(sources, targets, np.full(40, degree), stream=STREAM)
    assert_canonical(edges)
    assert np.bincount(edges.row).tolist() == [degree] * 40
    assert pairs_of(edges) == slow_random(targets, [degree] * 40, dict.fromkeys(range(40), range(100)))


@pytest.mark.parametrize("degree", [2, 3], ids=["direct", "complement"])
@pytest.mark.parametrize("among", ["all", "candidates", "excluded"])
def test_every_subset_is_equally_likely(degree, among):
    """Each of the 10 subsets of 5 candidates, over 10,000 destinations and 20 seeds."""
    sources, targets = integer_units(7 if among == "excluded" else 5), integer_units(10_000)
    barred = every_pair(sources.take([1, 4]), targets)
    pool = {"all": {}, "candidates": {"candidates": every_pair(sources, targets)}, "excluded": {"excluded": barred}}
    candidates = [0, 2, 3, 5, 6] if among == "excluded" else range(5)
    subsets = [sum(1 << s for s in subset) for subset in combinations(candidates, degree)]
    counts, p_values = np.zeros(10), []
    for seed in range(20):
        stream = Stream(seed, "random", "near")
        edges = random_in_degree(sources, targets, np.full(10_000, degree), stream=stream, **pool[among])
        drawn = np.bincount(edges.row, weights=2.0**edges.column)
        found = np.array([(drawn == code).sum() for code in subsets])
        assert found.sum() == 10_000
        counts += found
        p_values.append(stats.chisquare(found).pvalue)
    # One seed in a hundred falls below 0.01 by chance: the verdict is over all of them, pooled and one by one.
    assert stats.chisquare(counts).pvalue > 0.001
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_drawn_degrees_are_uniform():
    targets = integer_units(50_000)
    degrees = draw_degrees(targets, 2, 6, Stream(5, "degrees", "near"))
    assert degrees.dtype == np.int64
    counts = np.bincount(degrees)
    assert counts[:2].tolist() == [0, 0]
    assert len(counts) == 7
    assert stats.chisquare(counts[2:]).pvalue > 0.01


def test_sources_do_not_depend_on_other_destinations():
    sources, targets = integer_units(50), integer_units(30)
    degrees = draw_degrees(targets, 1, 40, Stream(5, "degrees", "near"))
    edges = random_in_degree(sources, targets, degrees, stream=STREAM)
    order = np.random.default_rng(0).permutation(30)[:20]
    some = targets.take(order)
    assert draw_degrees(some, 1, 40, Stream(5, "degrees", "near")).tolist() == degrees[order].tolist()
    fewer = random_in_degree(sources, some, degrees[order], stream=STREAM)
    chosen = set(order.tolist())
    assert pairs_of(fewer) == {(s, d) for s, d in pairs_of(edges) if d in chosen}


def test_golden_edges_of_edition_1():
    edges = random_in_degree(
        integer_units(10), integer_units(4), np.array([2, 3, 8, 10]), stream=Stream(0, "random", "near")
    )
    heard = [edges.column[edges.row == d].tolist() for d in range(4)]
    assert heard == [[6, 8], [4, 6, 7], [0, 1, 3, 4, 5, 6, 7, 8], list(range(10))]


def test_candidates_between_other_units_are_met_by_key():
    sources, targets = integer_units(6), integer_units(3)
    pool = every_pair(integer_units(9), NodeSet(np.array([2, 0, 1])))
    degrees = np.array([1, 4, 6])
    by_key = random_in_degree(sources, targets, degrees, stream=STREAM, candidates=pool)
    assert edges_of(by_key) == edges_of(random_in_degree(sources, targets, degrees, stream=STREAM))


def problem(code, function, *arguments, **options):
    with pytest.raises(Problem) as caught:
        function(*arguments, **options)
    assert caught.value.code == code
    return caught.value


def test_too_few_candidates():
    targets = NodeSet(string_array(["a", "b", "c", "d", "e"]))
    degrees = np.array([5, 1, 6, 7, 2000])
    error = problem("E305", random_in_degree, integer_units(4), targets, degrees, stream=STREAM)
    assert error.message == (
        "the in-degree is above the number of candidates for 4 destinations:"
        " `a` wants 5 of 4, `c` wants 6 of 4, `d` wants 7 of 4"
    )
    units = integer_units(4)
    problem("E305", random_in_degree, units, units, np.full(4, 4), stream=STREAM, excluded=same(units, units))
    everything = random_in_degree(units, units, np.full(4, 9), stream=STREAM, shortfall="all")
    assert edges_of(everything) == edges_of(every_pair(units, units))


def test_degrees_that_are_none():
    units = integer_units(2)
    error = problem("E306", random_in_degree, units, units, np.array([1, -3]), stream=STREAM)
    assert error.message == "the in-degree of 1 destination is negative: -3 for `1`"
    problem("E307", draw_degrees, units, 6, 2, STREAM)
    with pytest.raises(ValueError, match="shape"):
        random_in_degree(units, units, np.array([1]), stream=STREAM)
    pool = same(units, units)
    with pytest.raises(ValueError, match="not both"):
        random_in_degree(units, units, np.array([1, 1]), stream=STREAM, candidates=pool, excluded=pool)


def test_a_hundred_thousand_units_are_drawn_without_the_product():
    units = integer_units(100_000)
    degrees = draw_degrees(units, 2, 6, Stream(0, "degrees", "near"))
    edges = random_in_degree(units, units, degrees, stream=STREAM, excluded=same(units, units))
    assert np.array_equal(np.bincount(edges.row, minlength=100_000), degrees)
    assert np.all(edges.row != edges.column)
    assert np.all(np.diff(edges.row * 100_000 + edges.column) > 0)
