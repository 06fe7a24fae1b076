"""Coefficients, fans and start values against loops, SciPy's matrices and the moments of the distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology import weights
from graphnn_compiler.topology.csr import csr_from_pairs
from graphnn_compiler.topology.initialisers import (
    Constant,
    Fan,
    Glorot,
    He,
    Lecun,
    Normal,
    Orthogonal,
    PerEdge,
    Uniform,
    standard_normal,
    transform,
)
from graphnn_compiler.topology.streams import Stream, uniform
from graphnn_compiler.topology.weights import (
    draw_normal,
    draw_uniform,
    fan,
    init_dense,
    init_edges,
    init_groups,
    init_shared,
    norm_coefficients,
)

STREAM = Stream(1, "weights", "h.x")
ONE = Fan(1.0, 1.0)
GOLDEN = [1.3820686546203562, 0.5552916770099992, -0.17071498757327352]


def problem(code, function, *arguments, **options):
    with pytest.raises(Problem) as caught:
        function(*arguments, **options)
    assert caught.value.code == code
    return caught.value


def structure(pairs, shape):
    row, column = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
    return csr_from_pairs(row, column, shape)


@st.composite
def structures(draw):
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    edge = st.tuples(st.integers(0, rows - 1), st.integers(0, columns - 1))
    return structure(draw(st.sets(edge, max_size=15)), (rows, columns))


def random_structure(n, seed=0):
    matrix = sparse.random_array((n, n), density=0.1, rng=np.random.default_rng(seed)).tocoo()
    return structure(zip(*(c.tolist() for c in matrix.coords), strict=True), (n, n))


@given(st.data(), st.sampled_from(["row", "col", "symmetric"]), st.booleans(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_norm_is_the_double_loop(data, kind, grouped, absolute):
    csr = data.draw(structures())
    n = csr.n_edges
    lowest = -4 if absolute else 0
    scale = np.array(data.draw(st.lists(st.integers(lowest, 4), min_size=n, max_size=n)), dtype=np.float64)
    groups = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n)), dtype=np.int32)
    result = norm_coefficients(scale, csr, kind, groups=groups if grouped else None, absolute=absolute)
    for e in range(n):
        alike = [f for f in range(n) if not grouped or groups[f] == groups[e]]
        into = sum(abs(scale[f]) for f in alike if csr.rows[f] == csr.rows[e])
        out = sum(abs(scale[f]) for f in alike if csr.indices[f] == csr.indices[e])
        total = {"row": into, "col": out, "symmetric": math.sqrt(into * out)}[kind]
        assert result[e] == pytest.approx(scale[e] / total if total else 0.0)


def test_symmetric_norm_is_that_of_gcn():
    csr = random_structure(40)
    a = sparse.csr_array((np.ones(csr.n_edges), csr.indices, csr.indptr), shape=csr.shape)
    a = ((a + a.T + sparse.eye_array(40)) > 0).astype(np.float64).tocsr()
    a.sort_indices()
    root = sparse.diags_array(1 / np.sqrt(a.sum(axis=1)))
    expected = (root @ a @ root).tocsr()
    expected.sort_indices()
    csr = structure(zip(*(c.tolist() for c in a.tocoo().coords), strict=True), (40, 40))
    np.testing.assert_allclose(norm_coefficients(None, csr, "symmetric"), expected.data, rtol=1e-14)


def test_row_norm_sums_to_one():
    csr = random_structure(40)
    scale = uniform(np.uint64(5), np.arange(csr.n_edges)) + 0.1
    sums = np.bincount(csr.rows, weights=norm_coefficients(scale, csr, "row"), minlength=40)
    np.testing.assert_allclose(sums[csr.in_degree > 0], 1.0)


def test_norm_none():
    csr = structure([(0, 0), (0, 1)], (1, 2))
    scale = np.array([1.0, -2.0])
    assert norm_coefficients(None, csr, "none") is None
    assert norm_coefficients(scale, csr, "none") is scale


def test_norm_of_very_large_and_very_small_coefficients():
    csr = structure([(0, 0), (0, 1)], (1, 2))
    for size in (1e-200, 1e200):
        result = norm_coefficients(np.full(2, size), csr, "symmetric")
        np.testing.assert_allclose(result, math.sqrt(0.5))


def test_norm_errors():
    csr = structure([(0, 0), (0, 1)], (1, 2))
    error = problem("E314", norm_coefficients, np.array([1.0, np.nan]), csr, "none")
    assert error.message == "`scale` is infinite or not a number on 1 of 2 edges"
    error = problem("E313", norm_coefficients, np.array([1.0, -2.0]), csr, "row")
    assert "negative on 1 of 2 edges" in error.message
    result = norm_coefficients(np.array([1.0, -3.0]), csr, "row", absolute=True)
    assert result.tolist() == [0.25, -0.75]


@given(structures(), st.integers(1, 3), st.integers(1, 3), st.data())
@settings(max_examples=60, deadline=None)
def test_fan_is_the_double_loop(csr, c_in, c_out, data):
    edges = list(zip(csr.rows.tolist(), csr.indices.tolist(), strict=True))
    found = fan("per_edge", csr, c_in, c_out)
    assert found.inputs.tolist() == [c_in * sum(d == e[0] for d, _ in edges) for e in edges]
    assert found.outputs.tolist() == [c_out * sum(s == e[1] for _, s in edges) for e in edges]
    assert fan("shared", csr, c_in, c_out) == Fan(c_in, c_out)
    assert fan("per_edge", (5, 7), c_in, c_out) == Fan(5 * c_in, 7 * c_out)
    groups = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=len(edges), max_size=len(edges))), dtype=np.int64)
    meeting = {}
    for (d, _), group in zip(edges, groups.tolist(), strict=True):
        meeting.setdefault(d, set()).add(group)
    most = max((len(found) for found in meeting.values()), default=1)
    assert fan("per", csr, c_in, c_out, groups=groups) == Fan(most * c_in, most * c_out)
    assert fan("per", csr, c_in, c_out, groups=groups, normed=True) == Fan(c_in, c_out)


def test_fan_of_groups_needs_groups():
    with pytest.raises(ValueError, match="group"):
        fan("per", (2, 2))


def moments(init, fans):
    draws = uniform(STREAM.starts(np.arange(1000))[:, None], np.arange(200))
    return transform(init, draws, fans).ravel()


@pytest.mark.parametrize(
    ("init", "distribution"),
    [
        (Glorot(), stats.uniform(-math.sqrt(6 / 50), 2 * math.sqrt(6 / 50))),
        (He(), stats.norm(0, math.sqrt(2 / 20))),
        (Lecun(), stats.norm(0, math.sqrt(1 / 20))),
        (Normal(3.0, 0.5), stats.norm(3.0, 0.5)),
        (Uniform(-1.0, 4.0), stats.uniform(-1.0, 5.0)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_distributions(init, distribution):
    values = moments(init, Fan(20.0, 30.0))
    assert stats.kstest(values, distribution.cdf).pvalue > 0.01
    assert values.mean() == pytest.approx(distribution.mean(), abs=5 * distribution.std() / math.sqrt(len(values)))
    assert values.var() == pytest.approx(distribution.var(), rel=0.02)
    assert values.min() >= distribution.support()[0]
    assert values.max() <= distribution.support()[1]


def test_normal_quantiles_are_finite_at_the_ends():
    ends = standard_normal(np.array([0.0, 2.0**-53, 0.5, 1 - 2.0**-53]))
    assert np.isfinite(ends).all()
    assert ends[2] == 0
    assert np.all(np.diff(ends) > 0)


def test_golden_weights_of_edition_1():
    csr = structure([(0, 0), (0, 2), (1, 1)], (2, 3))
    result = init_edges(Glorot(), Stream(0, "weights", "h.x"), csr, np.arange(2), fan("per_edge", csr), dtype="float64")
    starts = Stream(0, "weights", "h.x").starts(np.arange(2)).tolist()
    draws = [float(uniform(np.uint64(starts[d]), i)) for d, i in ((0, 0), (0, 1), (1, 0))]
    bounds = [math.sqrt(6 / 3), math.sqrt(6 / 3), math.sqrt(6 / 2)]
    assert result.tolist() == pytest.approx([b * (2 * u - 1) for b, u in zip(bounds, draws, strict=True)], rel=1e-15)
    assert result.tolist() == pytest.approx(GOLDEN, rel=1e-12)


@pytest.mark.parametrize("block", [(), (1,), (2, 3), (4,)])
def test_draws_of_an_edge(block):
    csr = random_structure(20)
    keys = np.arange(100, 120)
    draws = draw_uniform(STREAM, csr, keys, block)
    assert draws.shape == (csr.n_edges, *block)
    size = math.prod(block)
    starts = STREAM.starts(keys)
    seen = dict.fromkeys(range(20), 0)
    for e, d in enumerate(csr.rows.tolist()):
        for i in range(size):
            assert draws[e].ravel()[i] == uniform(starts[d], seen[d] * size + i)
        seen[d] += 1
    np.testing.assert_array_equal(draw_normal(STREAM, csr, keys, block), stats.norm.ppf(draws))


def test_chunks_do_not_show(monkeypatch):
    csr = random_structure(30)
    fans = fan("per_edge", csr, 2, 2)
    spread = Normal(np.arange(csr.n_edges) / 7, np.arange(csr.n_edges) / 3)
    inits = [Glorot(), He(), spread, PerEdge(np.arange(csr.n_edges) / 3)]
    keys = np.arange(30)
    whole = [init_edges(init, STREAM, csr, keys, fans, block=(2, 2)) for init in inits]
    dense = init_dense(He(), STREAM, 13, keys, 2, 3)
    monkeypatch.setattr(weights, "_CHUNK", 10)
    for init, expected in zip(inits, whole, strict=True):
        np.testing.assert_array_equal(init_edges(init, STREAM, csr, keys, fans, block=(2, 2)), expected)
    np.testing.assert_array_equal(init_dense(He(), STREAM, 13, keys, 2, 3), dense)


def test_per_edge_amounts():
    csr = random_structure(30)
    mean, std = np.arange(csr.n_edges) / 7, np.arange(csr.n_edges) / 3
    keys = np.arange(30)
    z = draw_normal(STREAM, csr, keys, (2,))
    result = init_edges(Normal(mean, std), STREAM, csr, keys, ONE, block=(2,), dtype="float64")
    np.testing.assert_array_equal(result, mean[:, None] + std[:, None] * z)
    u = draw_uniform(STREAM, csr, keys)
    result = init_edges(Uniform(-std, mean), STREAM, csr, keys, ONE, dtype="float64")
    np.testing.assert_array_equal(result, -std + (mean + std) * u)
    assert (
        init_edges(PerEdge(mean), STREAM, csr, keys, ONE, block=(2, 2), dtype="float64")[5].tolist()
        == [[mean[5]] * 2] * 2
    )
    with pytest.raises(ValueError, match="per edge"):
        init_shared(PerEdge(mean), STREAM, ONE, block=(2, 2))


def test_draws_do_not_depend_on_other_rows():
    csr = random_structure(30)
    keys = np.arange(30)
    draws = draw_uniform(STREAM, csr, keys)
    by_row = {d: draws[csr.rows == d].tolist() for d in range(30)}
    order = np.random.default_rng(1).permutation(30)
    place = np.argsort(order)
    shuffled = structure(zip(place[csr.rows].tolist(), csr.indices.tolist(), strict=True), (30, 30))
    moved = draw_uniform(STREAM, shuffled, keys[order])
    assert {int(d): moved[shuffled.rows == p].tolist() for p, d in enumerate(order)} == by_row
    pairs = set(zip(csr.rows.tolist(), csr.indices.tolist(), strict=True))
    free = next((4, s) for s in range(30) if (4, s) not in pairs)
    more = structure(pairs | {free}, (30, 30))
    grown = draw_uniform(STREAM, more, keys)
    assert {d: grown[more.rows == d].tolist() for d in range(30) if d != 4} == {d: by_row[d] for d in by_row if d != 4}


def test_dense_entries():
    keys = np.array([5, 3, 9])
    result = init_dense(Uniform(0.0, 1.0), STREAM, 4, keys, 2, 3, dtype="float64")
    assert result.shape == (8, 9)
    starts = STREAM.starts(keys)
    for s, i, d, j in np.ndindex(4, 2, 3, 3):
        assert result[s * 2 + i, d * 3 + j] == uniform(starts[d], (s * 2 + i) * 3 + j)
    bound = math.sqrt(6 / (4 * 2 + 3 * 3))
    np.testing.assert_allclose(
        init_dense(Glorot(), STREAM, 4, keys, 2, 3, dtype="float64"), bound * (2 * result - 1), rtol=1e-14
    )


def test_dense_is_the_explicit_product():
    """Without channels, `all` starts from the same numbers whether or not it is written out as edges."""
    keys = np.arange(4)
    csr = structure([(d, s) for d in range(4) for s in range(6)], (4, 6))
    edges = init_edges(He(), STREAM, csr, keys, fan("per_edge", csr))
    np.testing.assert_array_equal(edges.reshape(4, 6).T, init_dense(He(), STREAM, 6, keys))


def test_float32_is_the_rounded_float64():
    wide = init_dense(He(), STREAM, 10, np.arange(10), dtype="float64")
    narrow = init_dense(He(), STREAM, 10, np.arange(10))
    assert narrow.dtype == np.float32
    np.testing.assert_array_equal(narrow, wide.astype(np.float32))


def test_shared_and_groups():
    shared = init_shared(Uniform(0.0, 1.0), STREAM, ONE, block=(2, 3), dtype="float64")
    assert shared.tolist() == uniform(STREAM.start_of(), np.arange(6)).reshape(2, 3).tolist()
    assert init_shared(Uniform(0.0, 1.0), STREAM, ONE).shape == ()
    few = init_groups(He(), STREAM, ["is", "has"], ONE, block=(2, 2))
    many = init_groups(He(), STREAM, ["has", None, "of", "is"], ONE, block=(2, 2))
    assert many.shape == (4, 2, 2)
    np.testing.assert_array_equal(many[[3, 0]], few)
    assert len(np.unique(many)) == 16
    assert init_groups(He(), STREAM, [-2, 0, 2], ONE).shape == (3,)
    assert init_groups(He(), STREAM, [], ONE, block=(2, 2)).shape == (0, 2, 2)


def test_constants_need_no_draws():
    csr = structure([(0, 0)], (1, 1))
    assert init_edges(Constant(0.5), STREAM, csr, np.arange(1), ONE, block=(1, 2)).tolist() == [[[0.5, 0.5]]]
    assert init_dense(Constant(0.0), STREAM, 2, np.arange(3)).tolist() == [[0.0] * 3] * 2
    assert init_shared(Constant(2.0), STREAM, ONE, block=(2,)).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("block", [(5, 3), (3, 5), (4, 4)])
def test_orthogonal(block):
    for q in init_groups(Orthogonal(), STREAM, [0, 1, 2], ONE, block=block, dtype="float64"):
        gram = q.T @ q if block[0] >= block[1] else q @ q.T
        np.testing.assert_allclose(gram, np.eye(min(block)), atol=1e-14)
    q = init_dense(Orthogonal(), STREAM, block[0], np.arange(block[1]), dtype="float64")
    assert q.shape == block
    np.testing.assert_allclose(np.linalg.svd(q, compute_uv=False), 1.0, atol=1e-14)
    with pytest.raises(ValueError, match="matrices"):
        init_shared(Orthogonal(), STREAM, ONE)


def test_orthogonal_signs_are_uniform():
    """Without the sign correction the diagonal of Q would lean to one side."""
    q = init_groups(Orthogonal(), STREAM, list(range(2000)), ONE, block=(3, 3), dtype="float64")
    for i in range(3):
        assert abs(q[:, i, i].mean()) < 5 / math.sqrt(3 * 2000)


def test_parameters_that_cannot_be_drawn_from():
    assert problem("E315", Normal, 0.0, -1.0).message == "the standard deviation in `init` is negative"
    error = problem("E315", Normal, np.array([0.0, np.inf, np.nan]), 1.0)
    assert error.message == "the mean in `init` is not a finite number on 2 edges"
    assert "below the lower one" in problem("E315", Uniform, 1.0, np.array([0.0, 2.0])).message
    assert "on 1 edge" in problem("E315", PerEdge, np.array([1.0, -np.inf])).message
    problem("E315", Uniform, 0.0, -1.0)
