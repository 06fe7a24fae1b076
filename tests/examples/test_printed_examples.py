"""The printed program of every example: its text is recorded, and under both targets it computes what the network does.

GNN_UPDATE_EXPECTED=1 in the environment writes the texts anew; read the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from folders import NAMES, PARAMETERS, small
from numpy.typing import NDArray
from printed_programs import EVERY_TARGET, python_of, run_printed, theano_flags
from slopes import loss_and_gradients, randomise
from test_example_programs import samples

import graphnn_compiler as gnn
from graphnn_compiler.backend.program.targets import TargetName
from graphnn_compiler.cli.main import main
from graphnn_compiler.network import Network

GOLDEN = Path(__file__).parent / "golden"
EVERY_EXAMPLE = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


@cache
def network(name: str, folders: Path, dtype: str) -> Network:
    to = folders / f"{name}.{dtype}"
    to.mkdir()
    net = gnn.build(small(name, to) / "model.gnn", params=PARAMETERS.get(name), dtype=dtype)
    randomise(net, seed=3)
    return net


def given(name: str) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    return ({}, {}) if name == "cora" else samples(name)  # Cora has all its data in its files


@EVERY_TARGET
@EVERY_EXAMPLE
def test_text_is_as_recorded(name: str, target: TargetName, folders: Path, tmp_path: Path) -> None:
    text = network(name, folders, "float32").write_program(tmp_path, target=target, name=name).read_text("utf-8")
    golden = GOLDEN / f"{name}.{target}.py"
    if os.environ.get("GNN_UPDATE_EXPECTED") == "1":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text("utf-8")


@EVERY_TARGET
@EVERY_EXAMPLE
def test_outputs_loss_and_gradients_are_those_of_the_network(
    name: str, target: TargetName, folders: Path, tmp_path: Path
) -> None:
    net = network(name, folders, "float64")
    inputs, targets = given(name)
    loss, gradients = loss_and_gradients(net, inputs, targets)
    net.write_program(tmp_path, target=target, name=name)
    found = run_printed(target, tmp_path, {**inputs, **targets})
    np.testing.assert_allclose(found["loss"], loss, rtol=1e-10)
    computed = net(inputs)
    for output, value in computed.items() if isinstance(computed, dict) else [(net.outputs[0], computed)]:
        np.testing.assert_allclose(found[output], value, rtol=0, atol=1e-10 * np.max(abs(value)), err_msg=output)
    for parameter, slope in gradients.items():
        scale = np.max(abs(slope))
        np.testing.assert_allclose(found[f"slope.{parameter}"], slope, rtol=0, atol=1e-9 * scale, err_msg=parameter)


@pytest.mark.parametrize("options", [[], ["--line-length=120"]], ids=["default", "wide"])
def test_texts_are_formatted_and_lint_clean(options: list[str]) -> None:
    texts = [str(path) for path in sorted(GOLDEN.glob("*.py"))]
    assert len(texts) == 2 * len(NAMES)
    for command in (["format", "--check", "--diff"], ["check", "--select=E4,E7,E9,F,B,I,N,UP,W,SIM,RET,C4,PIE"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", *options, *texts]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_program_of_the_digits_is_short() -> None:
    for target in ("pytensor", "theano"):
        assert len((GOLDEN / f"mlp_digits.{target}.py").read_text("utf-8").splitlines()) < 120


@EVERY_TARGET
def test_the_script_in_the_documentation_trains_the_program(target: TargetName, tmp_path: Path) -> None:
    folder = small("mlp_digits", tmp_path)
    assert main(["build", str(folder / "model.gnn"), "--emit", "python", "--target", target, "-o", str(folder)]) == 0
    page = (Path(__file__).parents[2] / "docs" / "theano.md").read_text("utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len(script.splitlines()) <= 22
    assert "range(20)" in script
    script = script.replace("range(20)", "range(3)")  # enough for the bound; steps are slow here
    if target == "pytensor":
        script = script.replace("theano.tensor as tt", "pytensor.tensor as tt").replace("theano", "pytensor")
    (folder / "train.py").write_text(script, encoding="utf-8")
    flags = {"THEANO_FLAGS": theano_flags(tmp_path), "PYTENSOR_FLAGS": f"linker=py,base_compiledir={tmp_path}"}
    done = subprocess.run(
        [python_of(target), "train.py"],
        cwd=folder,
        env={**os.environ, **flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) > 0.85
