"""Batch norms of printed programs, in use and in training, against those of the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytensor
import pytest
from plans import PY
from printed_programs import EVERY_TARGET, run_printed

import graphnn_compiler as gnn
from graphnn_compiler.backend.program.targets import TargetName

PROGRAM = """gnn 1
input x[3]
layer per_unit[4] { from x via all  batchnorm = true  activation = tanh }
layer per_channel[4] { from per_unit via all  batchnorm = true  bias = per_channel }
layer wide[3, 2] { from per_channel via all  batchnorm = true }
layer shared[3, 2] { from wide via same  batchnorm = true  bias = per_channel }
output y = shared
target truth[3, 2]
loss cost = mse(y, truth)
"""


@EVERY_TARGET
@pytest.mark.parametrize("training", [False, True])
def test_values_gradients_and_running_statistics(target: TargetName, training: bool, tmp_path: Path) -> None:
    net = gnn.build(PROGRAM, dtype="float64")
    rng = np.random.default_rng(1)
    net.set_weights({name: rng.uniform(0.5, 1.5, value.shape) for name, value in net.weights.items()})
    x, truth = rng.normal(size=(5, 3)), rng.normal(size=(5, 3, 2))
    cost = net.loss(x, truth, training=training)
    slopes = pytensor.grad(cost, net.trainable)
    states = net.state_updates(cost)
    assert len(states) == (8 if training else 0)
    expected = {"loss": cost} | {f"slope.{one.name}": slope for one, slope in zip(net.trainable, slopes, strict=True)}
    expected |= {f"after.{state.name}": after for state, after in states.items()}
    values = dict(zip(expected, pytensor.function([], [*expected.values()], mode=PY)(), strict=True))

    net.write_program(tmp_path, target=target, name="network")
    given = {"x": x, "truth": truth} | ({"training": np.ones(1)} if training else {})
    found = run_printed(target, tmp_path, given)
    for name, value in values.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-10, atol=1e-12, err_msg=name)
