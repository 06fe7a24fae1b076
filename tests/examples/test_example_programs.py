"""Every example: it builds as its golden dump says, its gradients are right, its README tells the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from folders import EXAMPLES, NAMES, PARAMETERS, copied, small
from numpy.typing import NDArray
from readme_commands import Shown, matches, run, shown_commands
from slopes import check_gradients, loss_and_gradients, network_value, randomise, trained

import graphnn_compiler as gnn
from graphnn_compiler.topology.plan_text import dump

GOLDEN = Path(__file__).parent / "golden"


def test_there_are_examples() -> None:
    assert set(NAMES) >= {"cora", "karate", "mlp_digits", "seed_100k"}


@pytest.mark.parametrize("name", NAMES)
def test_plan_is_as_recorded(name: str, tmp_path: Path) -> None:
    net = gnn.build(small(name, tmp_path) / "model.gnn", params=PARAMETERS.get(name))
    assert dump(net.plan) == (GOLDEN / f"{name}.plan.txt").read_text(encoding="utf-8")


def samples(name: str) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Inputs and targets for a gradient check, where the example brings none of its own."""
    random = np.random.default_rng(5)
    match name:
        case "chain":
            return {"x": random.standard_normal((6, 100))}, {"truth": random.standard_normal((6, 100))}
        case "convolution":
            return {"x": random.standard_normal((3, 144))}, {"truth": np.array([2, 0, 1])}
        case "karate":
            return {"who": random.standard_normal((34, 34))}, {}
        case "mlp_digits":
            return {"x": random.standard_normal((3, 64))}, {"truth": np.array([7, 0, 2])}
        case "pooled_stops":
            return {"today": random.standard_normal((120, 6))}, {}
        case "relational":
            return {"name": random.standard_normal((96, 96))}, {}
        case "tied_depth":
            return {"rhs": random.standard_normal((2, 36))}, {"truth": random.standard_normal((2, 36))}
        case "seed_100k":
            return {"x": random.standard_normal((2, 1000))}, {"truth": np.array([9, 4])}
        case "reactome_levels":
            return {"x": random.standard_normal((3, 112))}, {"group": np.array([[1.0], [0.0], [1.0]])}
    raise ValueError(f"no samples for {name}")


CHECKED = [(name, False) for name in sorted({*NAMES} - {"cora"})]  # that of Cora is checked against SciPy


@pytest.mark.parametrize(("name", "training"), [*CHECKED, ("chain", True)])
def test_gradients_against_finite_differences(name: str, training: bool, tmp_path: Path) -> None:
    net = gnn.build(small(name, tmp_path) / "model.gnn", params=PARAMETERS.get(name), dtype="float64")
    randomise(net, seed=3)
    inputs, targets = samples(name)
    _, gradients = loss_and_gradients(net, inputs, targets, training)
    value = network_value(net, inputs, targets, training)
    check_gradients(value, {**trained(net), **inputs}, gradients, seed=4)


@pytest.mark.parametrize("name", NAMES)
def test_readme_commands_print_what_is_shown(name: str, tmp_path: Path) -> None:
    folder = copied(name, tmp_path)
    shown = list(shown_commands((EXAMPLES / name / "README.md").read_text(encoding="utf-8")))
    assert any("gnnc check" in one.command for one in shown)
    for one in shown:
        printed = run(one.command, folder)
        assert matches(one.output, printed), f"$ {one.command}\n{printed}"


def test_shown_commands_are_read_and_compared() -> None:
    readme = "text\n```console\n$ python a.py -n 3\ncost 0.50\n...\nend\n$ gnnc check b\n```\n```text\n$ no\n```\n"
    first, second = shown_commands(readme)
    assert first == Shown("python a.py -n 3", "cost 0.50\n...\nend\n")
    assert second == Shown("gnnc check b", "")
    assert matches(first.output, "cost 0.53\nanything\nat all\nend\n")
    assert not matches(first.output, "cost 0.57\nanything\nend\n")
    assert not matches(first.output, "cost 0.50\nend\n")
    assert not matches(second.output, "an unexpected line\n")
