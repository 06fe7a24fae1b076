"""`offset([..])` against double loops over all pairs, and against SciPy's convolutions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from edge_sets import assert_canonical
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d, correlate2d

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import integer_units
from graphnn_compiler.topology.rules.stencil import grid_steps, steps

HUGE = 2**62


def found_in(edges):
    assert_canonical(edges)
    values = edges.columns["offset"].values.tolist()
    return dict(zip(zip(edges.column.tolist(), edges.row.tolist(), strict=True), values, strict=True))


@given(
    st.integers(0, 7),
    st.integers(0, 7),
    st.lists(st.sampled_from([*range(-8, 9), HUGE, -HUGE]), unique=True, min_size=1),
)
@settings(max_examples=60, deadline=None)
def test_steps_in_one_dimension(n_sources, n_targets, offsets):
    edges = steps(integer_units(n_sources), integer_units(n_targets), offsets)
    assert found_in(edges) == {(s, d): d - s for s in range(n_sources) for d in range(n_targets) if d - s in offsets}


@st.composite
def grids(draw):
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    vectors = st.tuples(*[st.integers(-4, 4)] * len(shape))
    return shape, draw(st.lists(vectors, unique=True, min_size=1, max_size=6))


@given(grids(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_steps_in_several_dimensions(grid, wrap):
    shape, offsets = grid
    units = integer_units(int(np.prod(shape)))
    if wrap and len({tuple(np.mod(it, shape)) for it in offsets}) < len(offsets):
        with pytest.raises(Problem, match="name the same pairs") as caught:
            grid_steps(units, units, offsets, shape, wrap=True)
        assert caught.value.code == "E304"
        return
    places = list(itertools.product(*map(range, shape)))  # C order
    expected = {}
    for s, source in enumerate(places):
        for d, target in enumerate(places):
            for k, vector in enumerate(offsets):
                difference = np.subtract(np.subtract(target, source), vector)
                if np.all(difference % shape == 0 if wrap else difference == 0):
                    expected[s, d] = k
    assert found_in(grid_steps(units, units, offsets, shape, wrap=wrap)) == expected


@pytest.mark.parametrize("wrap", [False, True])
def test_a_window_is_a_convolution(wrap):
    random = np.random.default_rng(0)
    image, kernel = random.standard_normal((6, 7)), random.standard_normal((3, 5))
    offsets = [(a, b) for a in range(-1, 2) for b in range(-2, 3)]
    units = integer_units(42)
    edges = grid_steps(units, units, offsets, (6, 7), wrap=wrap)
    terms = image.ravel()[edges.column] * kernel.ravel()[edges.columns["offset"].values]
    found = np.bincount(edges.row, terms, minlength=42).reshape(6, 7)
    boundary = "wrap" if wrap else "fill"
    np.testing.assert_allclose(found, convolve2d(image, kernel, mode="same", boundary=boundary))
    turned = correlate2d(image, kernel[::-1, ::-1], mode="same", boundary=boundary)
    np.testing.assert_allclose(found, turned)


def test_refusals():
    units = integer_units(12)
    for code, call in (
        ("E303", lambda: steps(units, integer_units(11), [1], wrap=True)),
        ("E304", lambda: steps(units, units, [1, 2, 1])),
        ("E304", lambda: steps(units, units, [1, -11], wrap=True)),
        ("E308", lambda: steps(units, units, [0, 1], max_edges=22)),
        ("E334", lambda: grid_steps(units, units, [(0, 1)], (3, 5))),
    ):
        with pytest.raises(Problem) as caught:
            call()
        assert caught.value.code == code
    assert len(steps(units, units, [0, 1], max_edges=23)) == 23
