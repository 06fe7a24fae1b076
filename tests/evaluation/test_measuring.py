"""Losses and metrics in batches against one pass, reports, and predictions as arrays and tables."""

from __future__ import annotations

import builtins
import json
import math
from pathlib import Path

import numpy as np
import pytest
from pytensor.compile.mode import Mode

import graphnn_compiler as gnn
from graphnn_compiler.backend import reference
from graphnn_compiler.evaluation.batches import batch_size_for, batches
from graphnn_compiler.evaluation.predictions import as_arrays, as_table, predictions
from graphnn_compiler.evaluation.reports import report_text

INTERPRETED = Mode(linker="py", optimizer=None)

PROGRAM = """\
gnn 1
input x[4]
input z[3] = read("z.npy")
target kind
target rate
layer h[4] { from x via all  activation = tanh  dropout = 0.5 }
output y[3] { from h via all as a  from z via same as b  activation = softmax }
output r[2] { from h via all  activation = exp }
loss cost = cross_entropy(y, kind) + 0.1 * l2(h.weights)
loss counts = 2 * poisson(r, rate) - huber(r, rate, delta = 0.5)
metric acc = accuracy(y, kind)
metric area = auc(y, kind)
metric mixed = 100 * f1(y, kind) - mae(r, rate) + balanced_accuracy(y, kind)
metric fits = pearson(r, rate) + r2(r, rate)
"""
N = 11


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measuring")
    np.save(folder / "z.npy", np.random.default_rng(1).normal(size=(N, 3)))  # default data with a batch axis
    (folder / "model.gnn").write_text(PROGRAM, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def net(folder: Path) -> gnn.Network:
    return gnn.build(folder / "model.gnn", dtype="float64", mode=INTERPRETED)


@pytest.fixture(scope="module")
def data() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(2)
    kinds = np.array([0, 1, 2] * 4)[:N]
    return {"x": rng.normal(size=(N, 4))}, {"kind": kinds, "rate": rng.integers(0, 4, (N, 2)).astype(float)}


@pytest.fixture(scope="module")
def whole(net: gnn.Network, data: tuple[dict, dict]) -> dict[str, float]:
    return net.evaluate(*data)


def test_means_are_those_of_the_reference(net: gnn.Network, data: tuple[dict, dict], whole: dict) -> None:
    expected = reference.objective(net.plan, net.weights, *data)
    assert list(expected) == ["cost", "counts", "acc"]
    assert {name: whole[name] for name in expected} == pytest.approx(expected, rel=1e-10)
    assert list(whole) == ["cost", "counts", "acc", "area", "mixed", "fits"]
    assert all(math.isfinite(value) for value in whole.values())


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 11, 500])
def test_batches_give_one_pass(net: gnn.Network, data: tuple[dict, dict], whole: dict, batch_size: int) -> None:
    assert net.evaluate(*data, batch_size=batch_size) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_predictions_in_batches(net: gnn.Network, data: tuple[dict, dict], batch_size: int) -> None:
    one_pass, several = net(data[0]), net.predict(data[0], batch_size)
    assert several.keys() == one_pass.keys()
    for name, array in one_pass.items():
        np.testing.assert_allclose(several[name], array, rtol=1e-12)


def test_shares_of_batches(net: gnn.Network, data: tuple[dict, dict]) -> None:
    inputs, targets = data
    found = list(batches(net.plan, inputs, targets, 4))
    assert [len(batch.inputs["z"]) for batch in found] == [4, 4, 3]  # the default data is cut with the rest
    assert [batch.share for batch in found] == pytest.approx([4 / 11, 4 / 11, 3 / 11])
    np.testing.assert_array_equal(np.concatenate([batch.targets["rate"] for batch in found]), targets["rate"])


def test_a_batch_holds_a_bounded_number_of_numbers(net: gnn.Network) -> None:
    assert batch_size_for(net.plan, None) == 2**24 // (4 + 3 + 4 + 3 + 2)
    with pytest.raises(ValueError, match="a batch has at least 1 sample, not 0"):
        net.evaluate(np.zeros((N, 4)), {"kind": np.zeros(N, int), "rate": np.zeros((N, 2))}, batch_size=0)


def test_a_sample_without_a_batch_axis() -> None:
    text = "gnn 1\ninput x[3]\ntarget t\noutput y[3] { from x via same as s { weights = fixed(1) }  bias = none }\n"
    net = gnn.build(text + "loss cost = mse(y, t)\nmetric rank = spearman(y, t)\n", mode=INTERPRETED)
    values = net.evaluate(np.array([1.0, 2, 9]), np.array([1.0, 2, 3]), batch_size=1)
    assert values == pytest.approx({"cost": 12, "rank": 1})
    assert net.report(np.array([1.0, 2, 9]), np.array([1.0, 2, 3]))["samples"] is None
    assert math.isnan(net.evaluate(np.zeros((0, 3)), np.zeros((0, 3)))["rank"])
    with pytest.raises(ValueError, match="`spearman` is computed from arrays"):
        net.objective("rank", np.zeros((1, 3)), np.zeros((1, 3)))


def test_negative_counts_are_refused(net: gnn.Network, data: tuple[dict, dict]) -> None:
    inputs, targets = data
    with pytest.raises(ValueError, match="`rate` holds 22 values below 0, and `poisson` in `counts` takes counts"):
        net.evaluate(inputs, {**targets, "rate": -1 - targets["rate"]})


# ------------------------------------------------------------------ reports


def test_a_report(net: gnn.Network, data: tuple[dict, dict], whole: dict) -> None:
    report = net.report(*data, batch_size=4)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert (report["format_version"], report["samples"]) == (1, N)
    assert report["losses"] == pytest.approx({name: whole[name] for name in ("cost", "counts")})
    assert report["metrics"] == pytest.approx({name: whole[name] for name in ("acc", "area", "mixed", "fits")})
    (table,) = report["confusion"]
    said = net(data[0])["y"].argmax(axis=1)
    expected = [[int(np.sum((data[1]["kind"] == t) & (said == s))) for s in range(3)] for t in range(3)]
    assert table == {
        "layer": "y", "target": "kind", "of": ["cost", "acc", "area", "mixed"], "units": None,
        "classes": [0, 1, 2], "counts": expected,
    }  # fmt: skip


def test_the_text_of_a_report() -> None:
    table = {
        "layer": "y",
        "target": "t",
        "of": ["acc"],
        "units": 4,
        "classes": ["red", "blue"],
        "counts": [[1200, 3], [0, 7]],
    }
    data = {"samples": 1210, "losses": {"cost": 0.25}, "metrics": {"acc": 1 / 3, "area": None}, "confusion": [table]}
    assert report_text(data) == (
        "1,210 samples\n\nloss    cost  0.25\nmetric  acc   0.333333\nmetric  area  undefined\n\n"
        "`y` and `t` (acc, over 4 units): rows true, columns said\n"
        "        red  blue\nred   1,200     3\nblue      0     7\n"
    )
    many = table | {"classes": list(range(21)), "units": None}
    assert report_text(data | {"samples": None, "confusion": []}).startswith("one sample, without a batch axis\n")
    assert report_text(data | {"confusion": [many]}).endswith("21 classes: the matrix is in the JSON report\n")


def test_values_that_are_0_or_1_have_a_confusion_matrix() -> None:
    text = "gnn 1\ninput x[2]\ntarget t\noutput y[2] { from x via same as s { weights = fixed(1) }  bias = none }\n"
    net = gnn.build(text + "loss cost = binary_cross_entropy(y, t)\nmetric right = f1(y, t)\n", mode=INTERPRETED)
    logits, truth = np.array([[-1.0, 2], [3, -4], [5, 6]]), np.array([[0, 1], [0, 1], [1, 1]])
    (table,) = net.report(logits, truth)["confusion"]
    assert (table["classes"], table["counts"]) == ([0, 1], [[1, 1], [1, 3]])
    (found,) = predictions(net.plan, {"y": net(logits)})
    np.testing.assert_allclose(found.values, 1 / (1 + np.exp(-logits)), rtol=1e-6)


# ------------------------------------------------------------------ predictions


def test_a_wide_table(net: gnn.Network, data: tuple[dict, dict]) -> None:
    outputs = net(data[0])
    found = predictions(net.plan, outputs)
    table = as_table(found, np.array([f"s{k}" for k in range(N)]), "id")
    assert list(table) == ["id", "y", "y.0", "y.1", "y.2", "r.0", "r.1"]
    np.testing.assert_array_equal(table["y"], outputs["y"].argmax(axis=1))
    np.testing.assert_allclose(table["y.1"], outputs["y"][:, 1])
    np.testing.assert_array_equal(table["r.1"], outputs["r"][:, 1])
    arrays = as_arrays(found, outputs, None, None)
    assert sorted(arrays) == ["r", "r.units", "y", "y.class", "y.classes", "y.probabilities", "y.units"]


GRAPH = """\
gnn 1
graph g = read("e.csv", source = "a", target = "b")
input x[g.nodes, 2]
target kind
output y[g.nodes, 2] { from x via same as s { weights = fixed(1) }  bias = none }
"""


@pytest.mark.parametrize("batched", [True, False])
def test_a_long_table(tmp_path: Path, batched: bool) -> None:
    (tmp_path / "e.csv").write_text("a,b\noak,elm\n", encoding="utf-8")
    (tmp_path / "m.gnn").write_text(GRAPH + "metric acc = accuracy(y, kind)\n", encoding="utf-8")
    net = gnn.build(tmp_path / "m.gnn", mode=INTERPRETED)
    logits = np.array([[[0.0, 1], [2, 0]], [[3, 0], [0, 4]]])
    outputs = {"y": net(logits if batched else logits[0])}
    table = as_table(predictions(net.plan, outputs), None, None)
    assert list(table) == (["sample"] if batched else []) + ["unit", "y", "y.0", "y.1"]
    assert table["unit"].tolist() == ["oak", "elm"] * (2 if batched else 1)
    assert table["y"].tolist() == ([1, 0, 0, 1] if batched else [1, 0])
    if batched:
        assert table["sample"].tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(table["y.0"] + table["y.1"], 1)
    np.testing.assert_allclose(table["y.1"][:2], [1 / (1 + math.exp(-1)), 1 / (1 + math.exp(2))], rtol=1e-6)


def test_outputs_that_do_not_fit_into_one_table() -> None:
    text = "gnn 1\ninput x[2, 3]\noutput y = x * 2\noutput m = mean(x, axis = channels)\n"
    net = gnn.build(text, mode=INTERPRETED)
    with pytest.raises(ValueError, match="the outputs `y`, `m` do not fit into one table"):
        as_table(predictions(net.plan, net(np.zeros((1, 2, 3)))), None, None)


def test_a_layer_may_tell_more_classes_apart_than_have_names(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("a,b\noak,elm\n", encoding="utf-8")
    (tmp_path / "n.csv").write_text("id,kind\noak,red\nelm,blue\n", encoding="utf-8")
    text = GRAPH.replace('target = "b"', 'target = "b", nodes = "n.csv", key = "id"').replace(
        "y[g.nodes, 2]", "y[g.nodes, 3]"
    )
    text = text.replace("x[g.nodes, 2]", "x[g.nodes, 3]").replace("target kind", "target kind = g.nodes.kind")
    (tmp_path / "m.gnn").write_text(text + "metric acc = accuracy(y, kind)\n", encoding="utf-8")
    report = gnn.build(tmp_path / "m.gnn", mode=INTERPRETED).report(np.array([[0.0, 1, 0], [0, 0, 1]]))
    assert report["metrics"] == {"acc": 0.5}
    assert report["confusion"][0]["classes"] == ["blue", "red", 2]
    assert report["confusion"][0]["counts"] == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]


# ------------------------------------------------------------------ a library that is not there


@pytest.fixture
def without_sklearn(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: object, **named: object) -> object:
        if name.split(".")[0] == "sklearn":
            raise ModuleNotFoundError(f"No module named {name!r}", name="sklearn")
        return original(name, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.usefixtures("without_sklearn")
def test_without_scikit_learn(net: gnn.Network, data: tuple[dict, dict]) -> None:
    with pytest.raises(gnn.GnnError) as caught:
        net.evaluate(*data)
    said = [(it.code, it.message, it.help) for it in caught.value.diagnostics]
    help = "install it, as in `pip install 'graphnn-compiler[metrics]'`, or remove the metric"
    names = ("auc", "f1", "balanced_accuracy", "r2")
    assert said == [("E552", f"`{name}` needs scikit-learn, which is not installed", help) for name in names]
