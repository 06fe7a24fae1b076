"""The Huber and the Poisson loss in printed programs, run under both targets; what is said of metrics left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytensor
import pytest
from plans import PY
from printed_programs import EVERY_TARGET, run_printed, write_printed

import graphnn_compiler as gnn
from graphnn_compiler.backend.program.targets import TargetName

PROGRAM = """\
gnn 1
input x[3]
target rate
target far
output y[2] { from x via all  activation = exp }
output z[2] { from x via all }
loss cost = poisson(y, rate) + 2 * huber(z, far, on = units(z)[index == 1], delta = 0.75)
metric off = huber(z, far)
metric close = pearson(z, far)
metric both = mae(z, far) - 10 * r2(z, far)
"""
LEFT_OUT = """\
# Left out, since they are computed from all samples together, outside of graphs:
# close = pearson(z, far)
# both = mae(z, far) + -10 * r2(z, far)
def metrics(p, layers, far):
"""


@pytest.fixture(scope="module")
def net() -> gnn.Network:
    net = gnn.build(PROGRAM, dtype="float64", mode=PY)
    random = np.random.default_rng(8)
    net.set_weights({name: random.normal(size=old.shape) for name, old in net.weights.items()})
    return net


@EVERY_TARGET
def test_losses_and_gradients_are_those_of_the_network(net: gnn.Network, target: TargetName, tmp_path: Path) -> None:
    random = np.random.default_rng(9)
    x, rate, far = random.normal(size=(5, 3)), random.integers(0, 4, (5, 2)).astype(float), random.normal(size=(5, 2))
    text = write_printed(net.plan, net.weights, target, tmp_path)
    assert LEFT_OUT in text
    found = run_printed(target, tmp_path, {"x": x, "rate": rate, "far": far})
    given = {"x": x}, {"rate": rate, "far": far}
    values = net.evaluate(*given)
    assert float(found["loss"]) == pytest.approx(values["cost"], rel=1e-12)
    assert float(found["off"]) == pytest.approx(values["off"], rel=1e-12)
    wanted = net.trainable
    slopes = pytensor.function([], pytensor.grad(net.loss(*given), wanted), mode=PY)()
    for variable, slope in zip(wanted, slopes, strict=True):
        np.testing.assert_allclose(found[f"slope.{variable.name}"], slope, rtol=1e-9, atol=1e-12)


def test_a_program_whose_every_metric_is_left_out(tmp_path: Path) -> None:
    text = "gnn 1\ninput x[3]\ntarget t\noutput y[1] { from x via all }\nmetric rank = spearman(y, t)\n"
    net = gnn.build(text, mode=PY)
    printed = write_printed(net.plan, net.weights, "pytensor", tmp_path)
    assert "def metrics" not in printed
    assert printed.endswith("outside of graphs:\n# rank = spearman(y, t)\n")
