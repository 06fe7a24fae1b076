"""Layers as programs write them, against a loop over the edges of the file.

The whole pipeline runs: text, data, edge arrays, emission. The oracle reads the formula of a layer from the language
reference, and takes from the network only the values of its weights.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from pytensor.compile.mode import Mode

import graphnn_compiler as gnn

PYTHON = Mode(linker="py", optimizer=None)

# an isolated node (z), a self loop (b), a node without in-edges (a), a pair in both directions (b, c)
EDGES = [("a", "b", 0.5, "p"), ("b", "b", 2.0, "q"), ("c", "b", 1.0, "p"), ("b", "c", 3.0, "q"), ("a", "d", 0.0, "p")]
NODES = ["a", "b", "c", "d", "z"]
SIGNED = [(s, t, w - 1.25, kind) for s, t, w, kind in EDGES]


def write(folder: Path, edges: list[tuple[str, str, float, str]]) -> None:
    rows = [f"{s},{t},{w},{kind}" for s, t, w, kind in reversed(edges)]
    (folder / "edges.csv").write_text("\n".join(["source,target,w,kind", *rows]) + "\n")
    (folder / "nodes.csv").write_text("\n".join(["id", *NODES]) + "\n")


def program(options: str, c_in: int, c_out: int, layer: str = "") -> str:
    x, y = (f", {c}" if c > 1 else "" for c in (c_in, c_out))
    return (
        'gnn 1\n# gnn: allow W210\ngraph g = read("edges.csv", nodes = "nodes.csv", key = id)\n'
        f"input x[g.nodes{x}]\noutput y[g.nodes{y}] {{ from x via g.edges {{ {options} }} {layer} }}\n"
    )


def coefficients(edges: list, norm: str, scaled: bool) -> list[float]:
    """c(e) of each edge, by the definition of `scale` and `norm`."""
    value = [w if scaled else 1.0 for _, _, w, _ in edges]
    into, out = defaultdict(float), defaultdict(float)
    for (s, t, _, _), v in zip(edges, value, strict=True):
        into[t] += abs(v)
        out[s] += abs(v)
    divisor = {
        "none": lambda s, t: 1.0,
        "row": lambda s, t: into[t],
        "col": lambda s, t: out[s],
        "symmetric": lambda s, t: math.sqrt(into[t] * out[s]),
    }[norm.split("(")[0]]
    divisors = [divisor(s, t) for s, t, _, _ in edges]
    return [v / d if d else 0.0 for v, d in zip(value, divisors, strict=True)]


def blocks(net: gnn.Network, mode: str, edges: list, c_in: int, c_out: int) -> list[np.ndarray]:
    """W of each edge, (C_in, C_out), by the definition of `weights`."""
    if mode == "fixed(0.5)":
        return [0.5 * np.eye(c_in)] * len(edges)
    values = net.weights["y.x.weights"]
    if mode == "shared":
        return [values.reshape(c_in, c_out)] * len(edges)
    if mode == "per(edge.kind)":
        kinds = sorted({kind for *_, kind in edges})
        return [values[kinds.index(kind)].reshape(c_in, c_out) for *_, kind in edges]
    place = sorted(edges, key=lambda edge: (NODES.index(edge[1]), NODES.index(edge[0])))
    return [values[place.index(edge)].reshape(c_in, c_out) for edge in edges]


ACTIVATIONS = {
    "none": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * (np.exp(z) - 1)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "gelu": lambda z: z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "exp": np.exp,
    "softmax(axis = units)": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
}


def oracle(net: gnn.Network, edges: list, mode: str, norm: str, scaled: bool, x: np.ndarray, c_out: int) -> tuple:
    """The linear part of the layer for a batch (B, U, C_in), and the sum of the absolute values of what is added."""
    z = np.zeros((len(x), len(NODES), c_out)) + net.weights.get("y.bias", np.zeros(1)).reshape(1, -1, c_out)
    size = np.abs(z)
    all_blocks = blocks(net, mode, edges, x.shape[2], c_out)
    for (s, t, _, _), c, w in zip(edges, coefficients(edges, norm, scaled), all_blocks, strict=True):
        z[:, NODES.index(t)] += c * x[:, NODES.index(s)] @ w
        size[:, NODES.index(t)] += np.abs(c * x[:, NODES.index(s)]) @ np.abs(w)
    return z, size


NORMS = ["none", "row", "col", "symmetric", "row(abs = true)", "symmetric(abs = true)"]
CASES = [
    *(("float64", 1e-10, norm, channels) for norm in NORMS for channels in [(1, 1), (2, 2), (2, 3)]),
    *(("float32", 1e-5, norm, (2, 2)) for norm in ["none", "symmetric"]),
]


@pytest.mark.parametrize(("dtype", "tolerance", "norm", "channels"), CASES)
@pytest.mark.parametrize("mode", ["per_edge", "shared", "per(edge.kind)", "fixed(0.5)"])
def test_a_sparse_layer_is_its_formula(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, dtype, tolerance: float, norm: str, channels
) -> None:
    c_in, c_out = (channels[0], channels[0]) if mode.startswith("fixed") else channels
    edges = SIGNED if "abs" in norm else EDGES
    write(tmp_path, edges)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    scaled = norm not in ("none", "col")
    scale = "scale = edge.w" if scaled else ""
    net = gnn.build(program(f"weights = {mode} norm = {norm} {scale}", c_in, c_out), seed=1, dtype=dtype, mode=PYTHON)
    net.set_weights({"y.bias": rng.normal(size=net.weights["y.bias"].shape)})
    x = rng.normal(size=(4, len(NODES), c_in)).astype(dtype)
    wanted, size = oracle(net, edges, mode, norm, scaled, x.astype(np.float64), c_out)
    found = net(x if c_in > 1 else x[:, :, 0]).reshape(wanted.shape)
    assert found.dtype == dtype
    assert np.all(np.abs(found - wanted) <= tolerance * size)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_every_activation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, activation: str) -> None:
    write(tmp_path, EDGES)
    monkeypatch.chdir(tmp_path)
    net = gnn.build(program("", 1, 1, f"activation = {activation}"), seed=2, dtype="float64", mode=PYTHON)
    x = np.random.default_rng(1).normal(size=(6, len(NODES)))
    z, _ = oracle(net, EDGES, "per_edge", "none", False, x[:, :, None], 1)
    np.testing.assert_allclose(net(x), ACTIVATIONS[activation](z[:, :, 0]), rtol=1e-12, atol=1e-14)


def test_the_mode_of_every_day_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One program with all clause kinds added up."""
    write(tmp_path, EDGES)
    monkeypatch.chdir(tmp_path)
    text = (
        'gnn 1\n# gnn: allow W210\ngraph g = read("edges.csv", nodes = "nodes.csv", key = id)\n'
        "input x[g.nodes, 2]\n"
        "layer h[g.nodes, 3] {\n"
        "  from x via g.edges as a { scale = edge.w }\n"
        "  from x via g.edges as b { weights = shared, norm = row }\n"
        "  from x via g.edges as c { weights = per(edge.kind) }\n"
        "  from x via same as d { weights = shared }\n"
        "  from x via all as e\n"
        "  activation = tanh\n"
        "}\n"
        "layer r = concat(relu(h), row_normalize(x), mean(h, axis = channels))\n"
        "output y[4] { from r via all activation = softmax }\n"
    )
    x = np.random.default_rng(1).uniform(0.1, 1, size=(3, len(NODES), 2))
    slow = gnn.build(text, seed=2, mode=PYTHON)
    fast = gnn.build(text, seed=2)
    np.testing.assert_allclose(fast(x), slow(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fast(x[0]), slow(x)[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fast(x).sum(axis=1), 1, rtol=1e-5)
