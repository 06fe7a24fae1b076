"""Blocks: fresh parameters named after each call, arguments by kind, and nothing of the caller inside."""

from __future__ import annotations

import numpy as np
import pytest
from reused import build, codes, values

from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.source import Source

BLOCKS = """
let gain = 3
block mixed(x: layer, on: edges, width: int = gain, act: str = "relu") {
  layer mix[units(x), width] { from x via on { weights = shared } activation = act }
  return mix
}
block twice(x, on) {
  layer wide[units(x), channels(x)] { from mixed(x, on) via same { weights = shared } }
  return x + wide
}
input x[4, 2]
edges near: range(4) -> range(4) = offset(-1..1)
"""


def names(text: str) -> list[str]:
    """The parameters of a program that begins with the blocks, biases left out."""
    return [name.removesuffix(".weights") for name in build(BLOCKS + text).weights if name.endswith(".weights")]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("output y = mixed(x, near)", ["y.mix.x"]),
        ("output y = mixed(on = same, x = mixed(x, near), width = 2)", ["y.x.mix.x", "y.mix.x"]),
        ("output y = mixed(x, near) + mixed(x, near)", ["y.mixed.mix.x", "y.mixed_2.mix.x"]),
        ("output y[4, 1] { from mixed(x, near) via same }", ["y.mixed.mix.x", "y.mixed"]),
        ("output y = twice(x, near)", ["y.wide.mixed.mix.x", "y.wide.mixed"]),
        ("output y = twice(2 * x, near)", ["y.wide.mixed.mix.x", "y.wide.mixed"]),
        ("let made = mixed(x, same) output y = made", ["made.mix.x"]),
        (
            "repeat h = x times 2 tied { next h = twice(h, near) } output y = h",
            ["h.twice.wide.mixed.mix.x", "h.twice.wide.mixed"],
        ),
        (
            "repeat h = mixed(x, near) times 1 untied { next h = mixed(h, near) } output y = h",
            ["h.0.h.mix.x", "h.1.mixed.mix.x"],
        ),
        ("output y[4, 1] { from relu(x) via near as r  from x - 1 via near as s }", ["y.r", "y.s"]),
    ],
)
def test_parameters_are_named_after_the_call(text: str, wanted: list[str]) -> None:
    assert names(text) == wanted


def test_a_call_computes_what_its_body_says() -> None:
    net = build(BLOCKS + 'output y = twice(x, near) + mixed(x, near, 2, act = "tanh")\n')
    x = np.random.default_rng(1).standard_normal((4, 2))
    w, near = net.weights, abs(np.subtract.outer(range(4), range(4))) <= 1
    inner = np.maximum(near @ x @ w["y.twice.wide.mixed.mix.x.weights"] + w["y.twice.wide.mixed.mix.bias"], 0)
    outer = x + inner @ w["y.twice.wide.mixed.weights"] + w["y.twice.wide.bias"]
    wanted = outer + np.tanh(near @ x @ w["y.mixed.mix.x.weights"] + w["y.mixed.mix.bias"])
    np.testing.assert_allclose(values(net, {"x": x})["y"], wanted, rtol=1e-12)
    np.testing.assert_allclose(net(x), wanted, rtol=1e-12)


def test_an_expression_after_from_is_a_layer() -> None:
    net = build("input x[4, 2]\noutput y[4, 1] { from relu(x) * 2 via same as r { weights = shared } }\n")
    x = np.random.default_rng(2).standard_normal((4, 2))
    np.testing.assert_allclose(net(x), 2 * np.maximum(x, 0) @ net.weights["y.r.weights"] + net.weights["y.bias"])
    assert [layer.name for layer in net.plan.layers] == ["y.r_input", "y"]


def test_a_block_sees_its_own_names_before_those_of_its_file() -> None:
    text = "let k = 2\nblock b(x: layer, k: int) {\n  let j = k + 1\n  return x * j\n}\n"
    net = build(text + "let j = 7\ninput z[1]\noutput y = b(z, 10) * j * k\n")
    assert net(np.ones(1)).tolist() == [11 * 7 * 2]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("block b(h: layer) { return h + x }\ninput x[2]\noutput y = b(x)", "E103"),
        ("input x[2]\nblock b(h: layer) { return h * k }\nlet k = 2\noutput y = b(x)", "E103"),
        ("input x[2]\nblock b(h: layer) { layer m = relu(h) return h }\nlayer a = b(x)\noutput y = m", "E100"),
        ("input x[2]\nblock b(h: layer, h: layer) { return h }\noutput y = x", "E101"),
        ("input x[2]\nblock b(h: layer) { layer h = relu(h) return h }\noutput y = b(x)", "E101"),
        ("input x[2]\nblock relu(h: layer) { return h }\noutput y = x", "E102"),
        ("input x[2]\nblock b(h: layer) { return h }\noutput y = b()", "E109"),
        ("input x[2]\nblock b(h: layer) { return h }\noutput y = b(x, x)", "E109"),
        ("input x[2]\nblock b(h: layer) { return h }\noutput y = b(x, wide = 2)", "E109"),
        ("input x[2]\nblock b(h: layer) { return h }\noutput y = b(same)", "E110"),
        ("input x[2]\nblock b(e: edges) { return e }\noutput y = b(same)", "E110"),
        ("input x[2]\nblock b(k: int) { return k }\noutput y = x * b(0.5)", "E110"),
        ("input x[2]\nblock b(n: nodes) { return n }\noutput y = b(x)", "E110"),
        ("input x[2]\nblock b(g: graph) { return g }\noutput y = b(x)", "E110"),
        ("input x[2]\nblock b(h: layer) { return h }\noutput y = b", "E110"),
        ("input x[2]\nblock b(h: layer) { return h }\nlayer y = b(x)\nlayer y = b(x)\noutput z = y", "E101"),
        (
            "input x[2]\nblock b(h) { layer a = relu(h) return a }\n"
            "layer y = b(x) + x.k\nlayer y = b(x) + 1\noutput z = y",
            "E111",
        ),
    ],
)
def test_calls_and_declarations_that_are_wrong(text: str, code: str) -> None:
    assert codes(text) == [code]


def test_what_every_call_has_to_say_is_said_once() -> None:
    text = "input x[2]\nblock b(h: layer) {\n  layer m[3] { from h via offset(5..6) as r }\n  return m\n}\n"
    found = compile_plan(Source("text", text + "output y = concat(b(x), b(x))\n"), Settings()).diagnostics
    assert len({(one.code, one.span) for one in found}) == len(found) == 1


def test_the_same_text_is_evaluated_once() -> None:
    text = BLOCKS + "repeat h = x times 4 tied { next h = mixed(h, near | same, 2) }\noutput y = h\n"
    net = build(text)
    parts = {id(net.plan.layer[f"h.{k}.mixed.mix"].body.clauses[0].parts) for k in (2, 3, 4)}
    assert len(parts) == 1
