"""`gru` and `lstm` against NumPy written from the papers, one unit at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from reused import build, codes, values

Weights = dict[str, NDArray]


def logistic(v: NDArray) -> NDArray:
    return 1 / (1 + np.exp(-v))


def affine(w: Weights, gate: str, m: NDArray, h: NDArray) -> NDArray:
    return m @ w[f"{gate}.m.weights"] + h @ w[f"{gate}.h.weights"] + w[f"{gate}.bias"]


def gru_by_numpy(w: Weights, h: NDArray, m: NDArray) -> NDArray:
    """Equations 5 to 8 of Cho et al. 2014, with biases, for the state and message of one unit."""
    r = logistic(affine(w, "reset", m, h))
    z = logistic(affine(w, "update", m, h))
    new = np.tanh(affine(w, "new", m, r * h))
    return z * h + (1 - z) * new


def lstm_by_numpy(w: Weights, h: NDArray, c: NDArray, m: NDArray) -> tuple[NDArray, NDArray]:
    """Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, for one unit."""
    i, f, o = (logistic(affine(w, gate, m, h)) for gate in ("input", "forget", "output"))
    c = f * c + i * np.tanh(affine(w, "new", m, h))
    return o * np.tanh(c), c


def below(weights: Weights, path: str) -> Weights:
    return {name.removeprefix(path): value for name, value in weights.items() if name.startswith(path)}


def test_a_gru_layer() -> None:
    net = build("input h[6, 3]\ninput m[6, 2]\nlayer g = gru(h, m)\noutput y = g\n")
    random = np.random.default_rng(1)
    h, m = random.standard_normal((6, 3)), random.standard_normal((6, 2))
    wanted = [gru_by_numpy(below(net.weights, "g."), *unit) for unit in zip(h, m, strict=True)]
    np.testing.assert_allclose(values(net, {"h": h, "m": m})["y"], wanted, rtol=1e-12)
    np.testing.assert_allclose(net({"h": h, "m": m}), wanted, rtol=1e-12)
    gates = ("reset", "update", "new")
    assert list(net.weights) == [f"g.{gate}.{part}" for gate in gates for part in ("m.weights", "h.weights", "bias")]


def test_a_tied_gru_network() -> None:
    text = """
input x[5, 3]
repeat h = x times 3 tied {
  layer m[5, 2] { from h via offset(-1..1) { weights = shared } }
  next h = gru(h, m)
}
output y = h
"""
    net = build(text)
    state = x = np.random.default_rng(2).standard_normal((5, 3))
    weights, near = below(net.weights, "h.gru."), abs(np.subtract.outer(range(5), range(5))) <= 1
    for _ in range(3):
        m = near @ state @ net.weights["h.m.h.weights"] + net.weights["h.m.bias"]
        state = np.array([gru_by_numpy(weights, *unit) for unit in zip(state, m, strict=True)])
    np.testing.assert_allclose(net(x), state, rtol=1e-10)
    assert {name for name in net.weights if not name.startswith("h.gru.")} == {"h.m.h.weights", "h.m.bias"}


def test_an_lstm_network() -> None:
    text = "input x[4, 3]\ninput m[4, 2]\nrepeat h = x, c = relu(x) times 2 WORD { next h, c = lstm(h, c, m) }\n"
    random = np.random.default_rng(3)
    x, m = random.standard_normal((4, 3)), random.standard_normal((4, 2))
    for word in ("tied", "untied"):
        net = build(text.replace("WORD", word) + "output y = concat(h, c)\n")
        h, c = x, np.maximum(x, 0)
        for step in (1, 2):
            weights = below(net.weights, "h.lstm." if word == "tied" else f"h.{step}.lstm.")
            assert len(weights) == 12
            units = [lstm_by_numpy(weights, *unit) for unit in zip(h, c, m, strict=True)]
            h, c = (np.array(part) for part in zip(*units, strict=True))
        np.testing.assert_allclose(net({"x": x, "m": m}), np.hstack([h, c]), rtol=1e-12)


def test_biases_start_at_zero_and_units_without_channels_have_cells() -> None:
    net = build("input h[4]\ninput m[4]\noutput y = gru(h, m)\n")
    assert net(dict.fromkeys(("h", "m"), np.ones(4))).shape == (4,)
    fresh = build("input h[4]\ninput m[4]\noutput y = gru(h, m)\n").plan.parameter["y.reset.bias"]
    assert fresh.kind == "bias"


def test_cells_that_do_not_fit() -> None:
    assert codes("input h[4, 2]\ninput c[4, 3]\nrepeat a = h, b = c times 1 untied { next a, b = lstm(a, b, h) }") == [
        "E403"
    ]
    assert codes("input h[4]\ninput m[5]\noutput y = gru(h, m)\n") == ["E152"]
    assert codes("input h[4]\noutput y = gru(h)\n") == ["E109"]
    assert codes("input h[4]\noutput y = gru(h, 3)\n") == ["E110"]
