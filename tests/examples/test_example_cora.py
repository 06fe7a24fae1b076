"""The Cora example against SciPy: on the look-alike, and on Cora itself where it is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from folders import EXAMPLES, copied
from gcn_by_scipy import read_gcn
from readme_commands import run
from slopes import INTERPRETED, check_gradients, loss_and_gradients, randomise

import graphnn_compiler as gnn

CORA = Path(__file__).parents[3] / "shared" / "data" / "cora"
TOLERANCE = {"float32": 2.0**-18, "float64": 2.0**-47}  # 32 times the distance from 1 to the next number


@pytest.fixture(scope="module")
def lookalike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied("cora", tmp_path_factory.mktemp("lookalike"))
    run("python make_lookalike.py -o data", folder)
    return folder / "data"


@pytest.fixture(params=["look-alike", "Cora"])
def data(request: pytest.FixtureRequest, lookalike: Path) -> Path:
    if request.param == "look-alike":
        return lookalike
    if not CORA.is_dir():
        pytest.skip("the data set Cora is not there (../shared/data/cora beside the checkout)")
    return CORA


def build(data: Path, dtype: str, **params: int) -> gnn.Network:
    return gnn.build(
        EXAMPLES / "cora" / "model.gnn", params={"data": str(data), **params}, dtype=dtype, mode=INTERPRETED
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward_equals_the_formula(data: Path, dtype: str) -> None:
    net, formula = build(data, dtype), read_gcn(data)
    randomise(net, seed=1)
    weights = {name: value.astype(np.float64) for name, value in net.weights.items()}
    # a softmax moves by at most the largest move of its logits
    allowed = TOLERANCE[dtype] * formula.size_of_logits(weights).max(axis=1, keepdims=True)
    assert np.all(np.abs(net() - formula.probabilities(weights)) <= allowed)
    found = net.evaluate()
    assert found["cost"] == pytest.approx(formula.loss(weights), rel=64 * TOLERANCE[dtype])
    for split in ("val", "test"):
        assert found[split] == pytest.approx(formula.accuracy(weights, split), abs=1e-6)


def test_gradient_equals_differences_of_the_formula(tmp_path: Path) -> None:
    folder = copied("cora", tmp_path)
    run("python make_lookalike.py --papers 140 --words 60 -o data", folder)
    net, formula = build(folder / "data", "float64", words=60), read_gcn(folder / "data")
    randomise(net, seed=2)
    value, gradients = loss_and_gradients(net, {}, {})
    assert value == pytest.approx(formula.loss(net.weights), rel=1e-12)
    check_gradients(formula.loss, net.weights, gradients, seed=3, entries=12)


def test_sizes_of_cora() -> None:
    if not CORA.is_dir():
        pytest.skip("the data set Cora is not there (../shared/data/cora beside the checkout)")
    net = build(CORA, "float32")
    assert len(net.plan.units["hidden"]) == 2708
    assert len(net.edges("hidden")) == len(net.edges("topic")) == 2 * 5278 + 2708
