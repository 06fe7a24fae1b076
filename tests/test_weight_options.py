"""`mix`, `bases`, `same_as` and norms per group as programs write them, against loops over the edges.

The whole pipeline runs: text, data, start values, emission, archive. The oracle takes from the network only the values
of its parameters.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytensor
import pytest
from pytensor.compile.mode import Mode

import graphnn_compiler as gnn

PYTHON = Mode(linker="py", optimizer=None)
FACTS = [("a", "b", "p"), ("b", "b", "q"), ("c", "b", "p"), ("a", "b", "q"), ("b", "c", "q"), ("a", "d", "p")]
NODES = ["a", "b", "c", "d"]
X = np.random.default_rng(0).standard_normal((2, 4, 3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kg.csv").write_text("\n".join(["source,target,kind", *map(",".join, FACTS)]) + "\n")
    (tmp_path / "back.csv").write_text("\n".join(["source,target,kind", *map(",".join, reversed(FACTS))]) + "\n")
    (tmp_path / "nodes.csv").write_text("\n".join(["id", *NODES]) + "\n")
    (tmp_path / "turned.csv").write_text("\n".join(["id", *reversed(NODES)]) + "\n")
    return tmp_path


HEAD = """gnn 1
# gnn: allow W210
graph g = read("kg.csv", type = "kind", nodes = "nodes.csv", key = "id")
graph turned = read("back.csv", type = "kind", nodes = "turned.csv", key = "id")
input x[g.nodes, 3]
"""


def build(folder: Path, body: str) -> gnn.Network:
    (folder / "model.gnn").write_text(HEAD + body)
    net = gnn.build(folder / "model.gnn", dtype="float64", seed=3, mode=PYTHON)
    random = np.random.default_rng(1)
    net.set_weights({name: random.standard_normal(old.shape) for name, old in net.weights.items()})
    return net


def total(terms: list[tuple[str, str, float, np.ndarray]], x: np.ndarray = X) -> np.ndarray:
    """Sum over (source, target, c, W)."""
    y = np.zeros((len(x), len(NODES), terms[0][3].shape[1]))
    for source, target, c, w in terms:
        y[:, NODES.index(target)] += c * x[:, NODES.index(source)] @ w
    return y


def in_order() -> list[tuple[str, str, str]]:
    return sorted(FACTS, key=lambda fact: (fact[1], fact[0], fact[2]))


@pytest.mark.parametrize("mix", ["diagonal", "scalar"])
@pytest.mark.parametrize("weights", ["per_edge", "shared", "per(edge.type)", "per(edge.type, bases = 3)"])
def test_mix_of_edges(folder: Path, weights: str, mix: str) -> None:
    net = build(
        folder, f"output y[g.nodes, 3] {{ from x via g.edges {{ weights = {weights}, mix = {mix} }} bias = none }}"
    )
    if "bases" in weights:
        stored = np.tensordot(net.weights["y.x.coefficients"], net.weights["y.x.bases"], 1)
        assert net.weights["y.x.bases"].shape == (3, *([3] if mix == "diagonal" else []))
    else:
        stored = net.weights["y.x.weights"]
    terms = []
    for k, (s, t, kind) in enumerate(in_order()):
        w = stored[k] if weights == "per_edge" else stored if weights == "shared" else stored["pq".index(kind)]
        terms.append((s, t, 1.0, np.diag(w) if mix == "diagonal" else w * np.eye(3)))
    np.testing.assert_allclose(net(X), total(terms))
    edges = net.edges("y")
    written = [np.diag(w) if mix == "diagonal" else w * np.eye(3) for w in edges.weights]
    keyed = zip(edges.source_keys.tolist(), edges.target_keys.tolist(), written, strict=True)
    np.testing.assert_allclose(total([(s, t, 1.0, w) for s, t, w in keyed]), net(X))
    net.save(folder / "net.gnnz")
    np.testing.assert_array_equal(gnn.load(folder / "net.gnnz", mode=PYTHON)(X), net(X))


@pytest.mark.parametrize("mix", ["diagonal", "scalar"])
def test_mix_of_all(folder: Path, mix: str) -> None:
    net = build(folder, f"output y[g.nodes, 3] {{ from x via all {{ mix = {mix} }} bias = none }}")
    w = net.weights["y.x.weights"]
    assert w.shape == ((3, 4, 4) if mix == "diagonal" else (4, 4))
    expected = np.einsum("bsc,cst->btc" if mix == "diagonal" else "bsc,st->btc", X, w)
    np.testing.assert_allclose(net(X), expected)
    if mix == "scalar":
        net.set_weights({"y.weights": {("a", "c"): 9.0}})
        assert net.weights["y.x.weights"][0, 2] == 9.0


def test_a_norm_per_relation(folder: Path) -> None:
    options = "weights = shared, norm = row(per = edge.type)"
    net = build(folder, f"output y[g.nodes, 2] {{ from x via g.edges {{ {options} }} bias = none }}")
    same = [sum((t, kind) == (fact[1], fact[2]) for fact in FACTS) for _, t, kind in FACTS]
    terms = [(s, t, 1 / n, net.weights["y.x.weights"]) for (s, t, _), n in zip(FACTS, same, strict=True)]
    np.testing.assert_allclose(net(X), total(terms))


def test_bases_of_full_blocks_have_the_variance_of_init(folder: Path) -> None:
    text = (
        "output y[g.nodes, 40] { from x via g.edges { weights = per(edge.type, bases = 50), init = normal(0, 0.2) } }"
    )
    (folder / "model.gnn").write_text(HEAD + text)
    values = gnn.build(folder / "model.gnn", seed=1).weights
    assert values["y.x.bases"].shape == (50, 3, 40)
    assert values["y.x.coefficients"].shape == (2, 50)
    assert values["y.x.bases"].std() == pytest.approx(0.2, rel=0.03)
    blocks = np.tensordot(values["y.x.coefficients"], values["y.x.bases"], 1)
    assert blocks.std() == pytest.approx(0.2, rel=0.2)


def test_orthogonal_blocks_of_groups(folder: Path) -> None:
    text = "output y[g.nodes, 3] { from x via g.edges { weights = per(edge.type), init = orthogonal } }"
    (folder / "model.gnn").write_text(HEAD + text)
    for block in gnn.build(folder / "model.gnn").weights["y.x.weights"]:
        np.testing.assert_allclose(block @ block.T, np.eye(3), atol=1e-6)
    text = """layer h[g.nodes] { from x via all }
    output y[g.nodes] { from h via g.edges { weights = per(edge.type), init = orthogonal } }"""
    (folder / "model.gnn").write_text(HEAD + text)
    assert np.abs(gnn.build(folder / "model.gnn").weights["y.h.weights"]).tolist() == [1.0, 1.0]


# ------------------------------------------------------------------ same_as


def test_edges_are_shared_by_key_and_relation(folder: Path) -> None:
    body = """layer h[g.nodes, 3] { from x via g.edges as first  bias = none }
    layer m[turned.nodes, 3] { from h via same { weights = fixed(1) } bias = none }
    output y[turned.nodes, 3] { from m via turned.edges { weights = same_as(h.first) } bias = none }"""
    net = build(folder, body)
    assert set(net.weights) == {"h.first.weights"}
    w = net.weights["h.first.weights"]
    terms = [(s, t, 1.0, w[k]) for k, (s, t, _) in enumerate(in_order())]
    np.testing.assert_allclose(net(X), total(terms, total(terms))[:, ::-1])
    net.save(folder / "net.gnnz")
    np.testing.assert_array_equal(gnn.load(folder / "net.gnnz", mode=PYTHON)(X), net(X))


def test_groups_are_shared_by_value(folder: Path) -> None:
    body = """layer h[g.nodes, 3] { from x via g.edges { weights = per(edge.type, bases = 2) } bias = none }
    output y[g.nodes, 3] {
      from h via g.edges["q"] as q { weights = same_as(h) }
      from h via ~g.edges as back  { weights = same_as(y.q), scale = 2 }
      bias = none
    }
    loss cost = l2(h.bases, y.back.coefficients)"""
    net = build(folder, body)
    assert set(net.weights) == {"h.x.bases", "h.x.coefficients"}
    w = np.tensordot(net.weights["h.x.coefficients"], net.weights["h.x.bases"], 1)
    of = [w["pq".index(kind)] for _, _, kind in FACTS]
    h = total([(s, t, 1.0, block) for (s, t, _), block in zip(FACTS, of, strict=True)])
    terms = [(s, t, 1.0, block) for (s, t, kind), block in zip(FACTS, of, strict=True) if kind == "q"]
    terms += [(t, s, 2.0, block) for (s, t, _), block in zip(FACTS, of, strict=True)]
    np.testing.assert_allclose(net(X), total(terms, h))
    assert net.evaluate(X)["cost"] == pytest.approx(sum(np.sum(value**2) for value in net.weights.values()))


def test_all_pairs_are_shared(folder: Path) -> None:
    body = """layer h[g.nodes, 3] { from x via all  bias = none }
    output y[g.nodes, 3] { from h via all { weights = same_as(h.x) } bias = none }"""
    net = build(folder, body)
    w = net.weights["h.x.weights"]
    np.testing.assert_allclose(net(X).reshape(2, 12), X.reshape(2, 12) @ w @ w)


def test_the_gradient_of_a_shared_parameter_is_the_sum(folder: Path) -> None:
    body = """layer h[g.nodes, 3] {
      from x via g.edges { weights = per(edge.type, bases = 2), mix = diagonal }
      activation = tanh
    }
    output y[g.nodes, 3] {
      from h via g.edges { weights = same_as(h.x), norm = row(per = edge.type) }
      activation = tanh
    }
    target t[g.nodes, 3]
    loss cost = mse(y, t)"""
    net = build(folder, body)
    t = np.random.default_rng(2).standard_normal((2, 4, 3))
    loss = net.loss(X, t)
    slopes = pytensor.function([], pytensor.grad(loss, net.trainable), mode=PYTHON)()
    for variable, slope in zip(net.trainable, slopes, strict=True):
        direction = np.random.default_rng(3).standard_normal(slope.shape)
        middle = variable.get_value()
        costs = []
        for sign in (1, -1):
            variable.set_value(middle + sign * 1e-6 * direction)
            costs.append(net.evaluate(X, t)["cost"])
        variable.set_value(middle)
        assert np.sum(slope * direction) == pytest.approx((costs[0] - costs[1]) / 2e-6, rel=1e-6), variable.name
