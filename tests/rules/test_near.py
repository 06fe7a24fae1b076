"""`within` and `nearest` against dense matrices of distances, on points with many ties and many duplicates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from edge_sets import STRING_KEYS, assert_canonical, keys_of, make_keys, meaning, pairs_of
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import NodeSet, integer_units, string_array
from graphnn_compiler.topology.rules.metrics import EARTH_RADIUS
from graphnn_compiler.topology.rules.near import Placed, nearest, within

METRICS = ["euclidean", "manhattan", "chebyshev", "haversine"]
quick = settings(max_examples=150, deadline=None)


def great_circle(a, b):
    """The haversine formula (Sinnott 1984), one number at a time."""
    longitude, latitude, to_longitude, to_latitude = map(math.radians, (*a, *b))
    h = math.sin((to_latitude - latitude) / 2) ** 2
    h += math.cos(latitude) * math.cos(to_latitude) * math.sin((to_longitude - longitude) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(min(h, 1)))


def apart(metric, a, b):
    steps = [abs(x - y) for x, y in zip(a, b, strict=True)]
    match metric:
        case "euclidean":
            return math.sqrt(sum(step**2 for step in steps))
        case "manhattan":
            return sum(steps)
        case "chebyshev":
            return max(steps)
        case _:
            return great_circle(a, b)


def matrix(sources, targets, metric):
    """Distance of (destination, source), infinite where the keys are equal."""
    rows = [[apart(metric, s, t) for s in sources.points.tolist()] for t in targets.points.tolist()]
    found = np.array(rows).reshape(len(targets.units), len(sources.units))
    for t, key in enumerate(keys_of(targets.units)):
        for s, other in enumerate(keys_of(sources.units)):
            if key == other:
                found[t, s] = np.inf
    return found


@st.composite
def placed(draw, strings, dimensions, coordinate):
    order = draw(st.permutations(range(len(STRING_KEYS))))[: draw(st.integers(0, len(STRING_KEYS)))]
    point = st.lists(coordinate, min_size=dimensions, max_size=dimensions)
    points = [draw(point) for _ in order]
    return Placed(NodeSet(make_keys(order, strings)), np.array(points, dtype=float).reshape(-1, dimensions))


@st.composite
def places(draw):
    """Sources and destinations that share some keys or all; few values, so that distances are often equal."""
    metric = draw(st.sampled_from(METRICS))
    dimensions = 2 if metric == "haversine" else draw(st.integers(1, 3))
    few = st.sampled_from([-90.0, -60.0, 0.0, 30.0, 90.0]) if metric == "haversine" else st.integers(0, 3).map(float)
    coordinate = draw(st.sampled_from([few, few, few, st.floats(-90, 90, allow_subnormal=False)]))
    sources = draw(placed(draw(st.booleans()), dimensions, coordinate))
    same = draw(st.booleans())
    return sources, sources if same else draw(placed(draw(st.booleans()), dimensions, coordinate)), metric


def assert_distances(edges, sources, targets, metric):
    found = edges.columns["distance"].values
    wanted = [
        apart(metric, sources.points[s].tolist(), targets.points[t].tolist())
        for t, s in zip(edges.row, edges.column, strict=True)
    ]
    # sines of the machine's two libraries differ in the last place, which counts for antipodes: asin is steep there
    np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=0.3 if metric == "haversine" else 0)


@given(places(), st.data())
@quick
def test_within(found, data):
    sources, targets, metric = found
    dense = matrix(sources, targets, metric)
    at_one = [float(d) for d in dense.ravel() if np.isfinite(d)]
    radius = data.draw(st.sampled_from(at_one) if at_one and data.draw(st.booleans()) else st.floats(0, 2e7))
    if metric == "haversine":  # not at the very distance, whose last place is a matter of the sine
        radius = radius * 1.0001 + 1
    edges = within(sources, targets, radius, metric)
    assert_canonical(edges)
    assert list(zip(edges.row, edges.column, strict=True)) == [tuple(pair) for pair in np.argwhere(dense <= radius)]
    assert_distances(edges, sources, targets, metric)


@given(places(), st.integers(1, 7))
@quick
def test_nearest(found, k):
    sources, targets, metric = found
    dense = matrix(sources, targets, metric)
    if metric == "haversine":  # what differs in the last places of the sine is a tie in neither or in both
        dense = exact_great_circles(sources, targets, dense)
    edges = nearest(sources, targets, k, metric, shortfall="all")
    assert_canonical(edges)
    wanted = set()
    for t, row in enumerate(dense):
        others = [s for s in range(len(row)) if np.isfinite(row[s])]
        wanted |= {(t, s) for s in sorted(others, key=lambda s: (row[s], s))[:k]}
    assert set(zip(edges.row.tolist(), edges.column.tolist(), strict=True)) == wanted
    assert_distances(edges, sources, targets, metric)
    short = [t for t, row in enumerate(dense) if np.isfinite(row).sum() < k]
    if short:
        with pytest.raises(Problem) as caught:
            nearest(sources, targets, k, metric)
        assert caught.value.code == "E305"
        assert f"`{keys_of(targets.units)[short[0]]}` has" in caught.value.message
    else:
        assert meaning(nearest(sources, targets, k, metric)) == meaning(edges)


def exact_great_circles(sources, targets, dense):
    """The same distances as the rule computes them, which must be those of the formula to 30 cm."""
    exact = np.full(dense.shape, np.inf)
    both = within(sources, targets, 1e8, "haversine")
    exact[both.row, both.column] = both.columns["distance"].values
    np.testing.assert_allclose(exact, dense, atol=0.3)
    return exact


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 8, 40])
def test_nearest_of_many_on_a_grid(metric, k):
    """Six hundred units on a grid of 300 spots, half of them doubled: every k-th neighbour is one of many."""
    rng = np.random.default_rng(1)
    spots = np.array([(x, y) for x in range(15) for y in range(20)], dtype=float)
    points = np.concatenate([spots, spots[rng.integers(0, 300, 300)]])[rng.permutation(600)]
    units = Placed(integer_units(600), points)
    edges = nearest(units, units, k, metric)
    both = within(units, units, 1e8, metric)  # itself held against a double loop above
    dense = np.full((600, 600), np.inf)
    dense[both.row, both.column] = both.columns["distance"].values
    wanted = np.argsort(dense, axis=1, kind="stable")[:, :k]
    assert np.array_equal(edges.column.reshape(600, k), np.sort(wanted, axis=1))


def test_everyone_at_one_spot_takes_linear_memory():
    """The distance of the k-th source is that of all; looking at all pairs would take 80 GB."""
    units = Placed(integer_units(100_000), np.zeros((100_000, 2)))
    edges = nearest(units, units, 3)
    assert edges.column[:15].tolist() == [1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2, 0, 1, 2]
    with pytest.raises(Problem) as caught:
        within(units, units, 0, max_edges=10**6)
    assert caught.value.code == "E308"
    assert caught.value.message == "`within` may make up to 10,000,000,000 edges, above the limit of 1,000,000"


def test_around_the_date_line_and_the_poles():
    names = NodeSet(string_array(["fiji", "samoa", "pole", "alert", "antipode"]))
    units = Placed(names, np.array([[179.9, -17], [-179.9, -17], [0, 90], [-62.3, 82.5], [0.1, 17]]))
    assert pairs_of(within(units, units, 30_000, "haversine")) == {("fiji", "samoa"), ("samoa", "fiji")}
    assert ("alert", "pole") in pairs_of(nearest(units, units, 1, "haversine"))
    far = within(units, units, math.pi * EARTH_RADIUS, "haversine")
    assert len(far) == 20
    quarter = Placed(integer_units(2), np.array([[0.0, 0.0], [90.0, 0.0]]))
    assert within(quarter, quarter, 1.1e7, "haversine").columns["distance"].values[0] == pytest.approx(
        math.pi / 2 * 6_371_008.8
    )


def test_points_that_are_no_place():
    swapped = Placed(NodeSet(string_array(["here", "there"])), np.array([[48.1, 11.5], [40.7, -100.0]]))
    with pytest.raises(Problem) as caught:
        nearest(swapped, swapped, 1, "haversine")
    assert caught.value.code == "E323"
    assert caught.value.message == "1 unit has a latitude outside -90..90: -100 at `there`"
    huge = Placed(integer_units(2), np.array([[0.0], [1e200]]))
    with pytest.raises(Problem) as caught:
        within(huge, huge, 1)
    assert caught.value.message == "1 unit has a coordinate above 1e+150: 1e+200 at `1`"


def test_limit_of_nearest():
    units = Placed(integer_units(100), np.arange(100.0)[:, None])
    with pytest.raises(Problem) as caught:
        nearest(units, units, 2, max_edges=199)
    assert caught.value.code == "E308"
    assert len(nearest(units, units, 2, max_edges=200)) == 200
