"""`random(p = ..)` and `shuffled(..)` against their definitions as loops, and their statistics at fixed seeds."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from edge_sets import assert_canonical, edge_sets, keys_of, meaning, pairs_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, canonical, integer_units
from graphnn_compiler.topology.rules.algebra import first_of_each_pair
from graphnn_compiler.topology.rules.identity import same
from graphnn_compiler.topology.rules.probability import random_candidates, random_pairs
from graphnn_compiler.topology.rules.shuffled import shuffled
from graphnn_compiler.topology.streams import Stream, uniform

STREAM = Stream(5, "pairs", "near")
CHANCES = st.sampled_from([0.0, 1e-300, 0.05, 0.4, 0.9, 1 - 2**-53, 1.0])


def slow_skips(start, p, candidates):
    """The definition, one draw after another."""
    if p in (0, 1):
        return set(candidates) if p else set()
    chosen, rank, counter = set(), -1, 0
    while True:
        u = float(uniform(start, counter))
        skip = math.floor(math.log(u) / math.log1p(-p)) if u > 0 else math.inf
        rank, counter = rank + 1 + skip, counter + 1
        if rank >= len(candidates):
            return chosen
        chosen.add(candidates[rank])


@given(st.data(), st.booleans(), CHANCES)
@settings(max_examples=80, deadline=None)
def test_skips(data, strings, p):
    barred = data.draw(edge_sets(strings))
    sources, targets = barred.sources, barred.targets
    edges = random_pairs(sources, targets, p, stream=STREAM, excluded=barred)
    assert_canonical(edges)
    expected = set()
    for start, d in zip(STREAM.starts(targets.keys), keys_of(targets), strict=True):
        candidates = [s for s in keys_of(sources) if (s, d) not in pairs_of(barred)]
        expected |= {(s, d) for s in slow_skips(start, p, candidates)}
    assert pairs_of(edges) == expected


@given(st.data(), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_one_draw_for_each_listed_candidate(data, strings, each):
    listed = first_of_each_pair(data.draw(edge_sets(strings)))
    p = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(listed), max_size=len(listed)))) if each else 0.5
    edges = random_candidates(listed, p, stream=STREAM)
    assert meaning(edges).items() <= meaning(listed).items()
    starts, ranks, expected = STREAM.starts(listed.targets.keys), Counter(), set()
    for edge, (row, column) in enumerate(zip(listed.row.tolist(), listed.column.tolist(), strict=True)):
        if uniform(starts[row], ranks[row]) < (p[edge] if each else p):
            expected.add((keys_of(listed.sources)[column], keys_of(listed.targets)[row]))
        ranks[row] += 1
    assert pairs_of(edges) == expected


def test_what_a_destination_hears_depends_on_no_other():
    units = integer_units(300)
    some = NodeSet(np.array([250, 3, 77], dtype=np.int64))
    whole = random_pairs(units, units, 0.1, stream=STREAM)
    part = random_pairs(units, some, 0.1, stream=STREAM)
    assert pairs_of(part) == {(s, d) for s, d in pairs_of(whole) if d in (250, 3, 77)}
    assert len(part) > 50


def test_pairs_are_independent_with_probability_p():
    n, p = 2000, 0.03
    edges = random_pairs(integer_units(n), integer_units(n), p, stream=STREAM)
    for degrees in (np.bincount(edges.row, minlength=n), np.bincount(edges.column, minlength=n)):
        low, high = 45, 76
        counted = np.bincount(np.clip(degrees, low, high) - low)
        chances = stats.binom.pmf(np.arange(low, high + 1), n, p)
        chances[0], chances[-1] = stats.binom.cdf(low, n, p), stats.binom.sf(high - 1, n, p)
        assert stats.chisquare(counted, n * chances).pvalue > 0.01
    first = edges.column[np.diff(edges.row, prepend=-1) > 0] + 1  # geometric; beyond n with probability 4e-27
    assert len(first) == n
    assert stats.kstest(first + np.random.default_rng(0).random(n), _smoothed(p)).pvalue > 0.01


def _smoothed(p):
    """The distribution function of a geometric number plus a uniform one."""

    def value(x):
        whole = np.floor(x)
        return stats.geom.cdf(whole - 1, p) + (x - whole) * stats.geom.pmf(whole, p)

    return value


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, math.inf])
def test_no_probability(p):
    units = integer_units(3)
    with pytest.raises(Problem, match="not between 0 and 1") as caught:
        random_pairs(units, units, p, stream=STREAM)
    assert caught.value.code == "E333"
    with pytest.raises(Problem, match="not between 0 and 1 for 1 candidate"):
        random_candidates(same(units, units), np.array([0.5, p, 1]), stream=STREAM)


def test_size_is_foreseen():
    units = integer_units(10**6)
    with pytest.raises(Problem, match="above the limit") as caught:
        random_pairs(units, units, 0.01, stream=STREAM, max_edges=10**9)
    assert caught.value.code == "E308"
    assert len(random_pairs(units, units, 1e-9, stream=STREAM, max_edges=2000)) < 2000


# ------------------------------------------------------------------ shuffled


@given(st.data(), st.booleans(), st.sampled_from(["in_degree", "both_degrees", "count"]))
@settings(max_examples=120, deadline=None)
def test_what_is_kept(data, strings, keep):
    given_edges = data.draw(edge_sets(strings))
    pairs = pairs_of(given_edges)
    edges = shuffled(given_edges, keep, stream=STREAM)
    assert_canonical(edges)
    assert (edges.sources, edges.targets) == (given_edges.sources, given_edges.targets)
    assert not edges.columns
    assert edges.relations is None
    assert len(edges) == len(pairs_of(edges)) == len(pairs)
    if keep != "count":
        assert Counter(d for _, d in pairs_of(edges)) == Counter(d for _, d in pairs)
    if keep == "both_degrees":
        assert Counter(s for s, _ in pairs_of(edges)) == Counter(s for s, _ in pairs)
    if given_edges.sources.same_units(given_edges.targets) and not any(s == d for s, d in pairs):
        assert not any(s == d for s, d in pairs_of(edges))


def drawn(edges, keep, n):
    return Counter(frozenset(pairs_of(shuffled(edges, keep, stream=Stream(k, "shuffled", "r")))) for k in range(n))


def square(pairs, n):
    units = integer_units(n)
    row, column = np.array(pairs, dtype=np.int64).T
    return canonical(units, units, row, column)


def test_count_is_uniform_over_all_sets_of_the_size():
    no_loops = drawn(square([(0, 1), (1, 2)], 3), "count", 1500)
    assert set(no_loops) == {
        frozenset(c) for c in combinations([(s, d) for s in range(3) for d in range(3) if s != d], 2)
    }
    assert stats.chisquare(list(no_loops.values())).pvalue > 0.01
    loops = drawn(square([(0, 0), (1, 0), (1, 1)], 2), "count", 400)  # more than half of the pairs
    assert len(loops) == 4
    assert stats.chisquare(list(loops.values())).pvalue > 0.01


def test_in_degree_is_uniform():
    found = drawn(square([(0, 1), (0, 2), (1, 0)], 3), "in_degree", 1200)  # each hears some of the two others
    assert len(found) == 2
    assert stats.chisquare(list(found.values())).pvalue > 0.01


def test_both_degrees_is_uniform_over_matrices_with_these_sums():
    sources, targets = integer_units(4), integer_units(3)
    edges = EdgeSet(sources, targets, np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 2, 3]))
    columns = [list(combinations(range(4), k)) for k in (2, 2, 1)]
    sums = (2, 1, 1, 1)
    every = {
        frozenset((s, d) for d, row in enumerate((a, b, c)) for s in row)
        for a in columns[0] for b in columns[1] for c in columns[2]
        if tuple(np.bincount([*a, *b, *c], minlength=4)) == sums
    }  # fmt: skip
    found = drawn(edges, "both_degrees", 500)
    assert set(found) == every
    assert len(every) > 6
    assert stats.chisquare(list(found.values())).pvalue > 0.01


def test_seed_and_name_decide():
    edges = random_pairs(integer_units(100), integer_units(100), 0.05, stream=STREAM)
    for keep in ("in_degree", "both_degrees", "count"):
        first = pairs_of(shuffled(edges, keep, stream=Stream(1, "shuffled", "r")))
        assert first == pairs_of(shuffled(edges, keep, stream=Stream(1, "shuffled", "r")))
        others = (Stream(2, "shuffled", "r"), Stream(1, "shuffled", "q"))
        for other in others:
            common = first & pairs_of(shuffled(edges, keep, stream=other))
            assert len(common) < 0.25 * len(first)
