"""`repeat`: tied steps are the network written out by hand with equal values; names, gradients, saved models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytensor
import pytest
from numpy.typing import NDArray
from reused import INTERPRETED, build, codes, values

import graphnn_compiler as gnn
from graphnn_compiler.topology.plan import SparseClause

HEAD = """
input x[5, 3]
edges ring: range(5) -> range(5) = offset(-1..1, wrap = true)
layer start[5, 3] { from x via same { weights = shared } }
"""
TIED = (
    HEAD
    + """
repeat h = start times 3 tied {
  edges wide = ring - same
  layer msg[5, 3] {
    from h via ring { weights = shared, norm = row }
    from start via wide { weights = per(edge.offset) }
    from h via ring as single
    activation = tanh
  }
  next h = h + msg
}
output y[2] { from h via all }
target t
loss cost = mse(y, t) + 0.1 * l2(h.msg.single.weights, h.msg.h.weights, h.msg.bias)
"""
)
STEP = """
layer m{k}[5, 3] {{
  from {h} via ring as h {{ weights = shared, norm = row }}
  from start via wide {{ weights = per(edge.offset) }}
  from {h} via ring as single
  activation = tanh
}}
layer h{k} = {h} + m{k}
"""
UNROLLED = (
    HEAD
    + "edges wide = ring - same\n"
    + "".join(STEP.format(k=k, h=f"h{k - 1}" if k > 1 else "start") for k in (1, 2, 3))
    + "output y[2] { from h3 via all as h }\ntarget t\nloss cost = mse(y, t)\n"
)
TIED_NAMES = [
    *("start.x.weights", "start.bias", "h.msg.h.weights", "h.msg.start.weights", "h.msg.single.weights"),
    *("h.msg.bias", "y.h.weights", "y.bias"),
]


def random_input(shape: tuple[int, ...]) -> NDArray:
    return np.random.default_rng(3).standard_normal(shape)


def test_tied_steps_share_their_parameters() -> None:
    net = build(TIED)
    assert list(net.weights) == TIED_NAMES
    steps = [net.plan.layer[f"h.{k}.msg"] for k in (1, 2, 3)]
    assert {clause.weights.parameter for step in steps for clause in step.body.clauses} == set(TIED_NAMES[2:5])


def test_tied_steps_are_the_network_written_out() -> None:
    tied, unrolled = build(TIED), build(UNROLLED)
    shared = {f"m{k}.{name.removeprefix('h.msg.')}": tied.weights[name] for k in (1, 2, 3) for name in TIED_NAMES[2:6]}
    unrolled.set_weights(shared | {name: tied.weights[name] for name in TIED_NAMES if not name.startswith("h.")})
    x = random_input((4, 5, 3))
    wanted = values(unrolled, {"x": x})
    found = values(tied, {"x": x})
    for k in (1, 2, 3):
        assert np.array_equal(found[f"h.{k}.h"], wanted[f"h{k}"])
    assert np.array_equal(found["y"], wanted["y"])
    np.testing.assert_allclose(tied(x), wanted["y"], rtol=1e-12)


def test_gradients_of_tied_weights_are_differences() -> None:
    net = build(TIED)
    x, truth = random_input((2, 5, 3)), random_input((2, 2))
    loss = net.loss({"x": pytensor.shared(x)}, {"t": truth}, training=False)
    slopes = pytensor.function([], pytensor.grad(loss, net.trainable), mode=INTERPRETED)()
    value = pytensor.function([], loss, mode=INTERPRETED)
    step = 1e-6
    for name, variable, slope in zip(TIED_NAMES, net.trainable, slopes, strict=True):
        at = variable.get_value()
        direction = np.random.default_rng(len(name)).standard_normal(at.shape)
        ends = []
        for sign in (1, -1):
            variable.set_value(at + sign * step * direction)
            ends.append(float(value()))
        variable.set_value(at)
        assert np.sum(slope * direction) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5), name


def test_a_saved_model_still_shares(tmp_path: Path) -> None:
    net = build(TIED)
    net.save(tmp_path / "tied.gnnz")
    again = gnn.load(tmp_path / "tied.gnnz", mode=INTERPRETED)
    assert list(again.weights) == TIED_NAMES
    x = random_input((5, 3))
    assert np.array_equal(net(x), again(x))
    again.set_weights({"h.msg.h.weights": np.zeros((3, 3))})
    assert not np.array_equal(net(x), again(x))


def test_equal_steps_share_their_edge_arrays() -> None:
    net = build(TIED)
    second, third = (net.plan.layer[f"h.{k}.msg"].body.clauses for k in (2, 3))
    for one, other in zip(second, third, strict=True):
        assert isinstance(one, SparseClause)
        assert one.parts is other.parts


def test_random_edges_are_those_of_every_tied_step() -> None:
    body = "layer m[30] { from h via random(in_degree = 2) { weights = fixed(1) } }  next h = m"
    text = "input x[30]\nrepeat h = x times 2 WORD { " + body + " }\noutput y = h\n"
    for word, same in (("tied", True), ("untied", False)):
        net = build(text.replace("WORD", word))
        first, second = (net.edges(f"h.{k}.m") for k in (1, 2))
        assert np.array_equal(first.source_keys, second.source_keys) == same


def test_untied_steps_have_numbered_parameters() -> None:
    text = HEAD + "repeat h = start times 2 untied { layer m[5, 3] { from h via ring } next h = m }\noutput y = h\n"
    names = [name for name in build(text).weights if name.startswith("h")]
    assert names == ["h.1.m.h.weights", "h.1.m.bias", "h.2.m.h.weights", "h.2.m.bias"]


def test_the_variable_is_a_constant_of_its_step() -> None:
    body = "let far = 2 * level\n"
    body += "layer m[9] { from h via offset(far..far) { weights = fixed(1) } bias = none }  next h = m"
    net = build("# gnn: allow W210\ninput x[9]\nrepeat h = x for level in 1..2 untied { " + body + " }\noutput y = h\n")
    assert np.flatnonzero(net(np.eye(9)[0])).tolist() == [6]


def test_states_change_together() -> None:
    net = build(
        "input x[4]\ninput z[4]\nrepeat a = x, b = z times 3 tied { next a = b  next b = a }\noutput y = a - b\n"
    )
    x, z = random_input((2, 4))
    assert np.array_equal(net({"x": x, "z": z}), z - x)


@pytest.mark.parametrize("steps", ["times 0", "for k in 1..0"])
def test_no_step_leaves_the_start(steps: str) -> None:
    net = build(f"input x[4]\nrepeat h = x {steps} tied {{ next h = relu(h) }}\noutput y = h\n")
    assert np.array_equal(net(-np.ones(4)), -np.ones(4))


def test_repeats_stand_in_repeats() -> None:
    body = "repeat g = h times 2 untied { layer m[4] { from g via same } next g = m }  next h = g"
    net = build("input x[4]\nrepeat h = x times 2 WORD { ".replace("WORD", "tied") + body + " }\noutput y = h\n")
    assert [name for name in net.weights if name.endswith("weights")] == ["h.g.1.m.g.weights", "h.g.2.m.g.weights"]
    assert [layer.name for layer in net.plan.layers][:3] == ["h.1.g.1.m", "h.1.g.2.m", "h.2.g.1.m"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("layer m = relu(h) next h = m } output y = m", "E100"),  # not visible outside
        ("layer x = relu(h) next h = x } output y = h", "E101"),
        ("let h = 3 next h = relu(x) } output y = h", "E101"),
        ("layer a = b layer b = h next h = a } output y = h", "E103"),
        ("next h = 3 } output y = h", "E110"),
    ],
)
def test_bodies_that_are_wrong(body: str, code: str) -> None:
    assert codes("input x[4]\nrepeat h = x times 2 untied { " + body) == [code]


@pytest.mark.parametrize(
    "rule",
    [
        "from h via offset(k..k) { weights = per(edge.offset) }",
        "from h via nodes_of as n",
        "from h via offset(0..k)",
    ],
)
def test_tied_steps_with_other_edges_or_groups_are_refused(rule: str) -> None:
    text = "input x[4]\nrepeat h = x for k in 1..2 tied {\n  edges nodes_of: range(4) -> range(4) = offset(k)\n"
    text += f"  layer m[4] {{ {rule} }}\n  next h = m\n}}\noutput y = h\n"
    found = codes(text)
    assert "E155" in found
    assert {code for code in found if code.startswith("E")} == {"E155"}


def test_tied_steps_may_share_one_block_over_other_edges() -> None:
    body = "layer m[9, 1] { from h via offset(k..k) { weights = shared } bias = none }  next h = m"
    net = build("# gnn: allow W210\ninput x[9, 1]\nrepeat h = x for k in 1..2 tied { " + body + " }\noutput y = h\n")
    net.set_weights({"h.m.h.weights": [[3.0]]})
    assert net(np.eye(9, 1)).ravel().tolist() == [0, 0, 0, 9, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("kind", ["tied", "untied"])
def test_what_was_refused_before_a_repeat_is_told_once(kind: str) -> None:
    text = (
        "edges wrong = nothing\ninput x[4]\nrepeat h = x times 2 KIND { layer m[4] { from h via wrong } next h = m }\n"
    )
    assert codes(text.replace("KIND", kind) + "output y = h\n") == ["E100"]
