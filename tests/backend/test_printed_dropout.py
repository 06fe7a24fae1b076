"""Dropouts of printed programs: masks as they should be, one for the value and its gradient, none outside training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from printed_programs import EVERY_TARGET, run_printed

import graphnn_compiler as gnn
from graphnn_compiler.backend.program.targets import TargetName

PROGRAM = """gnn 1
input x[3000]
layer first = dropout(x, 0.25)
layer other = dropout(x, 0.25)
output y = first
output z = other
"""


@EVERY_TARGET
def test_masks(target: TargetName, tmp_path: Path) -> None:
    gnn.build(PROGRAM, dtype="float64").write_program(tmp_path, target=target, name="network")
    rng = np.random.default_rng(0)
    x, direction = rng.uniform(1, 2, (2, 3000)), rng.uniform(1, 2, (2, 3000))
    given = {"x": x, "direction.y": direction, "direction.z": np.zeros((2, 3000))}
    outside, within = (run_printed(target, tmp_path, given | more) for more in ({}, {"training": np.ones(1)}))
    np.testing.assert_array_equal(outside["y"], x)
    kept = within["y"] != 0
    assert abs(kept.mean() - 0.75) < 0.03
    np.testing.assert_allclose(within["y"], np.where(kept, x / 0.75, 0), rtol=1e-12)
    np.testing.assert_allclose(within["slope.x"], np.where(kept, direction / 0.75, 0), rtol=1e-12)
    assert np.mean(kept == (within["z"] != 0)) < 0.7
    assert np.mean(kept[0] == kept[1]) < 0.7
