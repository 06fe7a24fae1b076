"""Warm start: parameters of another network by the keys of units and edges."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.compile.mode import Mode

import graphnn_compiler as gnn
from graphnn_compiler.backend import reference
from graphnn_compiler.warm_start import Copied

INTERPRETED = Mode(linker="py", optimizer=None)

PROGRAM = """\
gnn 1
# gnn: allow W210
graph g = read("e.csv", source = "a", target = "b", type = "kind")
input x[g.nodes, 2]
layer typed[g.nodes, 3] {
  from x via g.edges { weights = per_edge }
  from x via g.edges as by_kind { weights = per(edge.type) }
  from x via same as own { weights = shared }
  bias = per_unit
  batchnorm = true
  activation = tanh
}
layer mixed[g.nodes, 3] {
  from typed via g.edges { mix = diagonal }
  from typed via g.edges as based { weights = per(edge.type, bases = 2) }
  from typed via same as own { weights = shared, mix = scalar }
  bias = per_channel
}
layer pairs[g.nodes, 3] { from mixed via all  from typed via all { mix = diagonal } }
output y[2] { from pairs via all }
target t
loss cost = mse(y, t)
"""
EDGES = [tuple(edge) for edge in ("abr", "bcr", "abs", "cas", "dbr", "dau", "bdu")]
"""Source, target and relation."""


def network(rows: list[tuple[str, ...]], folder: Path, seed: int = 0, text: str = PROGRAM) -> gnn.Network:
    """The program on these edges; the order of its units is that in which they appear."""
    lines = "".join(",".join(row) + "\n" for row in [("a", "b", "kind"), *rows])
    (folder / "e.csv").write_text(lines, encoding="utf-8")
    (folder / "m.gnn").write_text(text, encoding="utf-8")
    net = gnn.build(folder / "m.gnn", dtype="float64", mode=INTERPRETED)
    random = np.random.default_rng(seed)
    net.set_weights({name: random.random(old.shape) for name, old in net.weights.items()})
    return net


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> gnn.Network:
    return network(EDGES, tmp_path_factory.mktemp("trained"))


@settings(max_examples=10, deadline=None)
@given(rows=st.permutations(EDGES))
def test_a_permuted_network_computes_the_same(
    trained: gnn.Network, rows: list[tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = network(rows, tmp_path_factory.mktemp("other"), seed=1)
    report = other.warm_start(trained)
    assert all(it.copied == it.total and it.unused == 0 for it in report.parameters)
    assert {it.name for it in report.parameters} == set(trained.weights)
    before, after = (net.plan.units["x"].keys.tolist() for net in (trained, other))
    x = np.random.default_rng(2).random((2, len(before), 2))
    moved = x[:, [before.index(key) for key in after]]
    expected = reference.evaluate(trained.plan, trained.weights, {"x": x})["y"]
    found = reference.evaluate(other.plan, other.weights, {"x": moved})["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


SMALL = """\
gnn 1
# gnn: allow W210
graph g = read("e.csv", source = "a", target = "b")
input x[g.nodes]
layer h[g.nodes] { from x via g.edges  activation = tanh }
output y[1] { from h via all }
target t
loss cost = mse(y, t)
"""


def pairs(*edges: str) -> list[tuple[str, ...]]:
    return [(edge[0], edge[1], "r") for edge in edges]


def test_what_is_common_is_copied_and_the_rest_is_counted(tmp_path: Path) -> None:
    old = network(pairs("ab", "bc", "ca"), tmp_path, 1, SMALL)
    wider = SMALL.replace("layer h", "layer first[g.nodes] { from x via same }\nlayer h").replace("y[1]", "z[1]")
    new = network(pairs("bc", "ab", "bd", "da"), tmp_path, 2, wider.replace("(y, t)", "(z, t)"))
    before = new.weights
    old.save(tmp_path / "old.gnnz")
    report = new.warm_start(tmp_path / "old.gnnz")
    assert report.parameters == (Copied("h.x.weights", 2, 4, 1), Copied("h.bias", 3, 4, 0))
    assert report.absent == ("first.x.weights", "first.bias", "z.h.weights", "z.bias")
    assert report.unused == ("y.h.weights", "y.bias")
    assert str(report) == (
        "0 parameters copied; `h.x.weights` in part (2 of 4 numbers); `h.bias` in part (3 of 4 numbers); "
        "1 number of `h.x.weights` unused; not there: `first.x.weights`, `first.bias`, `z.h.weights`, `z.bias`; "
        "unused: `y.h.weights`, `y.bias`"
    )
    now, then, start = (
        dict(zip(zip(edges.source_keys.tolist(), edges.target_keys.tolist(), strict=True), values, strict=True))
        for edges, values in (
            (new.edges("h"), new.weights["h.x.weights"]),
            (old.edges("h"), old.weights["h.x.weights"]),
            (new.edges("h"), before["h.x.weights"]),
        )
    )
    assert {pair: value for pair, value in now.items() if pair in then} == {
        pair: value for pair, value in then.items() if pair in now
    }
    assert all(now[pair] == start[pair] for pair in now if pair not in then)
    np.testing.assert_array_equal(new.weights["z.bias"], before["z.bias"])


def test_scaling_is_taken_over_by_unit(tmp_path: Path) -> None:
    old = network(pairs("ab", "bc", "ca"), tmp_path, 1, SMALL)
    x = np.random.default_rng(0).random((4, 3)) * [1, 10, 100]
    old.fit(x, x[:, :1], epochs=1, scale={"x": "standardize"}, missing="mean")
    permuted = network(pairs("ca", "bc", "ab"), tmp_path, 2, SMALL)
    assert permuted.warm_start(old).inputs == ("x",)
    order = [old.plan.units["x"].keys.tolist().index(key) for key in permuted.plan.units["x"].keys.tolist()]
    assert order != [0, 1, 2]
    np.testing.assert_allclose(permuted(x[:, order]), old(x), rtol=1e-12)
    larger = network(pairs("ab", "bc", "cd"), tmp_path, 2, SMALL)
    assert larger.warm_start(old).unscaled == ("x",)


REFUSED = {
    "channels": (
        (SMALL.replace("h[g.nodes]", "h[g.nodes, 2]"), SMALL.replace("h[g.nodes]", "h[g.nodes, 3]")),
        "parameter `h.x.weights` has 3 channels or blocks here and 2 there",
    ),
    "sharing": (
        (SMALL, SMALL.replace("via g.edges", "via g.edges { weights = shared }")),
        "parameter `h.x.weights` is shared, full here and per_edge, full of a list there",
    ),
    "a list of edges": (
        (
            SMALL,
            SMALL.replace("h[g.nodes] { from x via g.edges", "h[3] { from x via all").replace("h via all", "h via all"),
        ),
        "parameter `h.x.weights` is per_edge, full of all pairs here and per_edge, full of a list there",
    ),
    "keys": (
        (SMALL, SMALL.replace("h[g.nodes] {", "h[1] {").replace("x via g.edges", "x via random(in_degree = 2)")),
        "parameter `h.x.weights` has keys that are numbers here and texts there",
    ),
    "names": (
        (SMALL, SMALL.replace(" h", " k").replace("y[1]", "z[1]").replace("(y, t)", "(z, t)")),
        "the networks have no parameter in common: `k.x.weights`, `k.bias`, `z.k.weights`, `z.bias` here, "
        "`h.x.weights`, `h.bias`, `y.h.weights`, `y.bias` there",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    (there, here), message = REFUSED[name]
    old, new = network(pairs("ab", "bc"), tmp_path, 1, there), network(pairs("ab", "bc"), tmp_path, 2, here)
    before = new.weights
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        new.warm_start(old)
    assert all(np.array_equal(value, before[name]) for name, value in new.weights.items())


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    new = network(pairs("ab", "bc"), tmp_path, 2, SMALL)
    with pytest.raises(gnn.GnnError) as caught:
        new.warm_start(tmp_path / "none.gnnz")
    assert caught.value.diagnostics[0].code == "E530"
