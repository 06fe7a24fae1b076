"""Importances against closed forms, finite differences and NumPy; every refusal in full."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from numpy.typing import NDArray
from pytensor.compile.mode import Mode

import graphnn_compiler as gnn
from graphnn_compiler.importance import EdgeImportance, edge_importance, unit_importance

INTERPRETED = Mode(linker="py", optimizer=None)
RANDOM = np.random.default_rng(2)

LINEAR = "gnn 1\ninput x[3]\noutput y[2] { from x via all  bias = per_unit }\n"

SPARSE = """\
gnn 1
graph roads = read("roads.csv", source = "a", target = "b")
input x[roads.nodes]
input bend[roads.nodes]
layer h[roads.nodes] { from x via sym(roads.edges) | same { norm = row }  from bend via same  activation = tanh }
output y[2] { from h via all  activation = softmax }
target truth
loss cost = cross_entropy(y, truth)
"""
ROADS = "a,b\nu,v\nv,w\nw,u\nu,q\n"

BLOCKS = """\
gnn 1
graph kg = read("kg.csv", source = "a", target = "b", type = "r")
input x[kg.nodes, 2]
layer h[kg.nodes, 3] { from x via kg.edges { weights = per(edge.type) }  layernorm = true  activation = tanh }
layer i[kg.nodes, 3] { from h via kg.edges["p"] { weights = shared } }
layer j[kg.nodes, 3] { from i via kg.edges["q"] { mix = diagonal }  activation = sigmoid }
output y[kg.nodes, 3] { from j via kg.edges { weights = fixed(0.5) } }
"""
KG = "a,b,r\nu,v,p\nu,v,q\nv,w,p\nw,u,q\nw,u,p\nu,w,q\n"


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> gnn.Network:
    return built(tmp_path_factory.mktemp("sparse"), SPARSE, ("roads.csv", ROADS))


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> gnn.Network:
    return built(tmp_path_factory.mktemp("blocks"), BLOCKS, ("kg.csv", KG))


@pytest.fixture(scope="module")
def linear() -> gnn.Network:
    net = gnn.build(LINEAR, dtype="float64", mode=INTERPRETED)
    net.set_weights({"y.bias": np.array([0.5, -1.0])})
    return net


def built(folder: Path, text: str, table: tuple[str, str]) -> gnn.Network:
    (folder / table[0]).write_text(table[1], encoding="utf-8")
    (folder / "model.gnn").write_text(text, encoding="utf-8")
    net = gnn.build(folder / "model.gnn", dtype="float64", mode=INTERPRETED)
    random = np.random.default_rng(3)
    net.set_weights({name: random.standard_normal(old.shape) for name, old in net.weights.items()})
    return net


def slopes(f: Callable[[NDArray], NDArray], x: NDArray) -> NDArray:
    """df/dx of each sample by central differences; f gives one number a sample."""
    result = np.empty_like(x)
    for place in np.ndindex(x.shape[1:]):
        step = np.zeros(x.shape[1:])
        step[place] = 1e-5
        result[(slice(None), *place)] = (f(x + step) - f(x - step)) / 2e-5
    return result


X = RANDOM.standard_normal((5, 4))
BEND = RANDOM.standard_normal((5, 4))


def test_of_a_linear_network_it_is_weight_times_value(linear: gnn.Network) -> None:
    x = RANDOM.standard_normal((6, 3))
    found = unit_importance(linear, x, of="y", key=1)
    each = x * linear.weights["y.x.weights"][:, 1]
    np.testing.assert_allclose(found.mean, each.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.mean_abs, np.abs(each).mean(axis=0), rtol=1e-12)
    assert (found.n_samples, found.of, found.score) == (6, "y:1", pytest.approx(linear(x)[:, 1].mean()))
    assert repr(found) == "UnitImportance(x for y:1: 3 units, gradient)"
    path = unit_importance(linear, x, key=1, method="integrated", baseline="mean", steps=1)
    np.testing.assert_allclose(path.mean_abs, np.abs(each - each.mean(axis=0)).mean(axis=0), rtol=1e-12)
    assert path.gap == pytest.approx(0, abs=1e-12)


def test_slopes_are_those_of_finite_differences(sparse: gnn.Network) -> None:
    each = X * slopes(lambda x: sparse(x=x, bend=BEND)[:, 0], X)
    found = unit_importance(sparse, {"x": X, "bend": BEND}, "x", key=0, batch_size=2)
    np.testing.assert_allclose(found.mean, each.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(found.mean_abs, np.abs(each).mean(axis=0), atol=1e-9)
    assert found.keys.tolist() == ["u", "v", "w", "q"]


def test_an_input_without_a_batch_axis_is_shared(sparse: gnn.Network) -> None:
    found = unit_importance(sparse, {"x": X, "bend": BEND[0]}, "bend", key=0)
    repeated = np.broadcast_to(BEND[0], BEND.shape)
    np.testing.assert_array_equal(
        found.mean_abs, unit_importance(sparse, {"x": X, "bend": repeated}, "bend", key=0).mean_abs
    )
    alone = unit_importance(sparse, {"x": X[0], "bend": BEND[0]}, "bend", key=0)
    first = unit_importance(sparse, {"x": X[:1], "bend": BEND[:1]}, "bend", key=0)
    np.testing.assert_allclose(alone.mean, first.mean, rtol=1e-12)


def test_integrated_gradients_are_complete(sparse: gnn.Network) -> None:
    """The sums over both inputs, and over the layer between, are f(x) - f(baseline)."""
    arrays = {"x": X, "bend": BEND}
    options = {"key": 1, "method": "integrated", "steps": 200, "batch_size": 3}
    x, bend, h = (unit_importance(sparse, arrays, name, **options) for name in ("x", "bend", "h"))
    zero = sparse(x=np.zeros(4), bend=np.zeros(4))[1]
    difference = float(np.mean(sparse(**arrays)[:, 1]) - zero)
    assert (x.baseline_score, x.score - zero) == (pytest.approx(zero), pytest.approx(difference))
    assert x.mean.sum() + bend.mean.sum() == pytest.approx(difference, abs=1e-5)
    assert h.mean.sum() == pytest.approx(difference, abs=1e-5)
    rough = unit_importance(sparse, arrays, "x", key=1, method="integrated", steps=2)
    assert rough.gap is not None
    assert x.gap is not None
    assert abs(x.gap) < 1e-5 < 1e-4 < abs(rough.gap)


def test_of_an_edge_it_is_weight_times_slope(sparse: gnn.Network) -> None:
    """Against NumPy: the slope in each weight of each sample, by central differences."""
    name, start = "h.x.weights", sparse.weights["h.x.weights"]
    found = edge_importance(sparse, "h", "x", {"x": X, "bend": BEND}, key=0)

    def outputs(weights: NDArray) -> NDArray:
        sparse.set_weights({name: weights})
        return np.asarray(sparse(x=X, bend=BEND))[:, 0]

    each = np.empty((len(start), len(X)))
    for k, step in enumerate(1e-5 * np.eye(len(start))):
        each[k] = start[k] * (outputs(start + step) - outputs(start - step)) / 2e-5
    sparse.set_weights({name: start})
    np.testing.assert_allclose(found.mean, each.mean(axis=1), atol=1e-9)
    np.testing.assert_allclose(found.mean_abs, np.abs(each).mean(axis=1), atol=1e-9)
    edges = sparse.edges("h", "x")
    assert (found.source_keys.tolist(), found.target_keys.tolist()) == (
        edges.source_keys.tolist(),
        edges.target_keys.tolist(),
    )
    assert repr(found) == "EdgeImportance(h.x for y:0: 12 edges, gradient)"


@pytest.mark.parametrize("layer", ["h", "i", "j", "y"])
def test_blocks_of_every_kind(blocks: gnn.Network, layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an edge says, by NumPy from its block, times the slope of the sums, by differences of the bias.

    Edges a few at a time, and weights of groups, shared, diagonal and fixed.
    """
    monkeypatch.setattr("graphnn_compiler.importance.edge_shares._NUMBERS", 30)
    values = values_of(blocks, XB)
    source = {"h": "x", "i": "h", "j": "i", "y": "j"}[layer]
    edges = blocks.edges(layer)
    block = edges.weights if edges.weights.ndim == 3 else edges.weights[:, :, None] * np.eye(3)
    says = np.einsum("bei,eio->beo", values[source][:, edges.indices], block) * edges.coefficients[:, None]
    rows = np.repeat(np.arange(3), np.diff(edges.indptr))
    slope = sums_slope(blocks, layer)
    each = np.einsum("beo,beo->be", says, slope[:, rows])
    found = edge_importance(blocks, layer, None, XB, key=2, unit="v")
    np.testing.assert_allclose(found.mean, each.mean(axis=0), atol=1e-8)
    np.testing.assert_allclose(found.mean_abs, np.abs(each).mean(axis=0), atol=1e-8)


XB = RANDOM.standard_normal((4, 3, 2))


def values_of(net: gnn.Network, x: NDArray) -> dict[str, NDArray]:
    from graphnn_compiler.backend import reference

    return {"x": x, **reference.evaluate(net.plan, net.weights, {"x": x})}


def sums_slope(net: gnn.Network, layer: str) -> NDArray:
    """d y[v, 2] / d sums of a layer, (B, U, C), by a bias of each unit and channel in a plan of the same network."""
    from dataclasses import replace

    from graphnn_compiler.backend import reference
    from graphnn_compiler.topology.plan import Combination, Parameter

    shape = (3, 3)

    def with_bias(one: object) -> object:
        assert hasattr(one, "name")
        if one.name != layer:
            return one
        assert isinstance(one.body, Combination)  # type: ignore[attr-defined]
        return replace(one, body=replace(one.body, bias="nudge"))  # type: ignore

    layers = tuple(with_bias(one) for one in net.plan.layers)
    plan = replace(net.plan, layers=layers, parameters=(*net.plan.parameters, Parameter("nudge", shape, kind="bias")))
    old = net.plan.layer[layer].body.bias  # type: ignore[union-attr]
    base = np.zeros(shape) if old is None else np.broadcast_to(net.weights[old], shape)

    def at(nudge: NDArray) -> NDArray:
        values = {**net.weights, "nudge": base + nudge}
        return np.stack([reference.evaluate(plan, values, {"x": x})["y"][1, 2] for x in XB])

    result = np.empty((len(XB), *shape))
    for place in np.ndindex(shape):
        step = np.zeros(shape)
        step[place] = 1e-5
        result[(slice(None), *place)] = (at(step) - at(-step)) / 2e-5
    return result


def test_tables(blocks: gnn.Network, tmp_path: Path) -> None:
    of_units = unit_importance(blocks, XB, "x", key=2)
    of_units.write(tmp_path / "u.csv")
    read = pyarrow.csv.read_csv(tmp_path / "u.csv").to_pydict()
    assert list(read) == ["unit", "channel", "mean", "mean_abs"]
    assert (read["unit"], read["channel"]) == (["u", "u", "v", "v", "w", "w"], [0, 1, 0, 1, 0, 1])
    assert read["mean"] == of_units.mean.ravel().tolist()
    of_edges = edge_importance(blocks, "h", None, XB, key=0, unit="u", method="integrated", steps=3)
    of_edges.write(tmp_path / "e.parquet")
    read = pyarrow.parquet.read_table(tmp_path / "e.parquet").to_pydict()
    assert list(read) == ["source", "target", "relation", "mean", "mean_abs"]
    assert [*zip(read["source"], read["target"], read["relation"], strict=True)] == [
        ("w", "u", "p"),
        ("w", "u", "q"),
        ("u", "v", "p"),
        ("u", "v", "q"),
        ("u", "w", "q"),
        ("v", "w", "p"),
    ]
    assert isinstance(of_edges, EdgeImportance)
    with pytest.raises(ValueError, match=r"^`e\.txt` is not named as a \.csv or \.parquet file$"):
        of_edges.write("e.txt")


Wrong = Callable[[gnn.Network, gnn.Network], object]
WRONG: dict[str, Wrong] = {
    "there is no output or layer `z`; known: `y`, `h`": lambda a, b: unit_importance(a, XS, "x", of="z"),
    "there is no input or layer `bent`; did you mean `bend`?": lambda a, b: unit_importance(a, XS, "bent", key=0),
    "the network has 2 inputs: name one, x, bend": lambda a, b: unit_importance(a, XS, key=0),
    "`y` has 2 classes: choose one, `0`, `1`": lambda a, b: unit_importance(a, XS, "x"),
    "there is no class of `y` `2`; known: `0`, `1`": lambda a, b: unit_importance(a, XS, "x", key=2),
    "there is no unit of `h` `p`; known: `u`, `v`, `w`, `q`": lambda a, b: unit_importance(a, XS, "x", of="h", key="p"),
    "`h` has no channels: its units are chosen by the key alone": (
        lambda a, b: unit_importance(a, XS, "x", of="h", key="u", unit="u")
    ),
    "there is no unit of `y` `z`; known: `u`, `v`, `w`": lambda a, b: unit_importance(b, XB, key=0, unit="z"),
    "there is no channel of `y` `3`; known: `0`, `1`, `2`": lambda a, b: unit_importance(b, XB, key=3),
    "`j` does not reach `h`: nothing there depends on it": lambda a, b: unit_importance(b, XB, "j", of="h", key=0),
    "layer `j` does not reach `h`: nothing there depends on it": (
        lambda a, b: edge_importance(b, "j", None, XB, of="h", key=0)
    ),
    "there is no method `integral`; did you mean `integrated`?": (
        lambda a, b: unit_importance(b, XB, key=0, method="integral")  # type: ignore[arg-type]
    ),
    "the line has at least 1 step, not 0": lambda a, b: unit_importance(b, XB, key=0, method="integrated", steps=0),
    "there is no baseline `meen`; did you mean `mean`?": (
        lambda a, b: unit_importance(b, XB, key=0, method="integrated", baseline="meen")
    ),
    "the baseline of `x` is one for all samples, of shape (3, 2)": (
        lambda a, b: unit_importance(b, XB, key=0, method="integrated", baseline=XB)
    ),
    "there are no samples": lambda a, b: unit_importance(b, XB[:0], key=0),
    "clause `h` of layer `y` connects all pairs and has no edge list": lambda a, b: edge_importance(
        a, "y", None, XS, key=0
    ),
}
XS = {"x": X, "bend": BEND}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_refused(message: str, sparse: gnn.Network, blocks: gnn.Network) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (the whole text is compared)
        WRONG[message](sparse, blocks)
    assert str(refusal.value) == message


def test_an_unknown_clause(sparse: gnn.Network) -> None:
    with pytest.raises(KeyError, match="layer `h` has no clause `y`, but `x`, `bend`"):
        edge_importance(sparse, "h", "y", XS, key=0)
