"""Every example: it builds as its golden dump says, its gradients are right, its README tells the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from folders import EXAMPLES, NAMES, PARAMETERS, copied, small
from readme_commands import Shown, matches, run, shown_commands
from slopes import check_gradients, loss_and_gradients, network_value, randomise

import graphnn_compiler as gnn
from graphnn_compiler.topology.plan_text import dump

GOLDEN = Path(__file__).parent / "golden"


def build(name: str, folder: Path, dtype: str = "float32") -> gnn.Network:
    params = dict(PARAMETERS.get(name, {}))
    for parameter, file in {"seed_100k": ("wires", "edges.csv"), "cora": ("data", "data")}.get(name, ()) and []:
        params[parameter] = file
    return gnn.build(folder / "model.gnn", params=params, dtype=dtype)
