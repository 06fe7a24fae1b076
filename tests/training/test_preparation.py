"""Filling and scaling: fitted on what is trained on alone, stored, and applied by every later use."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from trained import INTERPRETED, T, X, linear

import graphnn_compiler as gnn
from graphnn_compiler.archive import load_checkpoint
from graphnn_compiler.backend import reference
from graphnn_compiler.topology.plan import Scaling
from graphnn_compiler.topology.plan_summary import summary, summary_text
from graphnn_compiler.training.batches import Data, split
from graphnn_compiler.training.preparation import prepared_inputs

CHANNELS = """\
gnn 1
input x[2, 3]
layer h[2, 2] { from x via same { weights = shared } }
output y[2] { from h via all }
target t
loss cost = mse(y, t)
"""


def with_gaps() -> np.ndarray:
    """Samples far from 0, a constant feature, and missing values."""
    x = X * [3, 0, 0.01] + [100, 7, -2]
    x[[0, 5], [0, 2]] = np.nan
    return x


def prepared(x: np.ndarray, **options: object) -> gnn.Network:
    net = linear()
    net.fit(x, T, **{"epochs": 1, "batch": 4, "scale": {"x": "standardize"}, "missing": "mean", **options})
    return net


@pytest.fixture(scope="module")
def net() -> gnn.Network:
    return prepared(with_gaps())


def by_hand(net: gnn.Network, x: np.ndarray) -> np.ndarray:
    weights = net.weights
    return x @ weights["y.x.weights"] + weights["y.bias"]


def test_it_is_what_scikit_learn_computes(net: gnn.Network) -> None:
    pipeline = make_pipeline(SimpleImputer(), StandardScaler()).fit(with_gaps())
    node = net.plan.inputs[0]
    assert node.scaling is not None
    np.testing.assert_allclose(node.fill, pipeline[0].statistics_, rtol=1e-13)
    np.testing.assert_allclose(node.scaling.mean, pipeline[1].mean_, rtol=1e-13)
    np.testing.assert_allclose(node.scaling.deviation, pipeline[1].scale_, rtol=1e-12)
    assert node.scaling.deviation[1] == 1  # constant
    later = 2 * with_gaps() + 1
    np.testing.assert_allclose(net(later), by_hand(net, pipeline.transform(later)), rtol=1e-9)


def test_validation_samples_do_not_count() -> None:
    x = with_gaps()
    net = prepared(x, validation=0.25, seed=3)
    held = split(Data.of(linear().plan, x, T), 0.25, 3)[1].places(np.arange(2))
    trained = np.delete(x, held, axis=0)
    np.testing.assert_allclose(net.plan.inputs[0].fill, np.nanmean(trained, axis=0), rtol=1e-13)
    x[held] = 1e6
    again = prepared(x, validation=0.25, seed=3)
    np.testing.assert_array_equal(again.weights["y.x.weights"], net.weights["y.x.weights"])


def test_every_use_applies_it(net: gnn.Network, tmp_path: Path) -> None:
    x = with_gaps()
    expected = net(x)
    np.testing.assert_allclose(reference.evaluate(net.plan, net.weights, {"x": x})["y"], expected, rtol=1e-12)
    np.testing.assert_array_equal(net.predict(x, batch_size=3), expected)
    variable = pt.dmatrix()
    symbolic = pytensor.function([variable], net.symbolic(variable), mode=INTERPRETED)
    np.testing.assert_allclose(symbolic(x), expected, rtol=1e-12)
    assert net.evaluate(x, T)["cost"] == pytest.approx(np.mean((expected - T) ** 2))
    net.save(tmp_path / "a.gnnz")
    loaded = gnn.load(tmp_path / "a.gnnz", mode=INTERPRETED)
    np.testing.assert_array_equal(loaded(x), expected)
    loaded.save(tmp_path / "b.gnnz")
    assert (tmp_path / "a.gnnz").read_bytes() == (tmp_path / "b.gnnz").read_bytes()
    loaded.fit(x, T, epochs=1)  # further, as it is prepared
    assert loaded.plan.inputs[0] is not None
    np.testing.assert_array_equal(loaded.plan.inputs[0].fill, net.plan.inputs[0].fill)


def test_a_printed_program_has_it(net: gnn.Network, tmp_path: Path) -> None:
    text = net.write_program(tmp_path, name="printed").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines()]
    assert 'x = pt.switch(pt.isnan(x), p["x.fill"], x)  # missing: means of the training data' in lines
    spec = spec_from_file_location("printed", tmp_path / "printed.py")
    assert spec is not None
    assert spec.loader is not None
    printed = module_from_spec(spec)
    spec.loader.exec_module(printed)
    variable = pt.dmatrix()
    value = printed.forward(printed.parameters(), variable)["y"]
    x = with_gaps()
    np.testing.assert_allclose(pytensor.function([variable], value, mode=INTERPRETED)(x), net(x), rtol=1e-12)


def test_inspect_shows_it(net: gnn.Network) -> None:
    shown = summary_text(net.plan)
    filled = "missing values become means of the training data"
    assert f"input x: {filled}, standardized by mean and deviation of the training data" in shown.splitlines()
    assert summary(net.plan)["inputs"] == [
        {"name": "x", "units": 3, "channels": 1, "missing": "mean", "scaling": "standardize"}
    ]
    assert summary(linear().plan)["inputs"] == [{"name": "x", "units": 3, "channels": 1}]


def test_a_resumed_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    x, checkpoint = with_gaps(), tmp_path / "c.gnnz"
    whole = prepared(x, epochs=3)
    prepared(x, epochs=1, checkpoint=checkpoint)
    assert load_checkpoint(checkpoint)[2] is not None
    resumed = prepared(x, epochs=3, checkpoint=checkpoint, resume=True)
    np.testing.assert_array_equal(resumed.weights["y.x.weights"], whole.weights["y.x.weights"])
    with pytest.raises(gnn.GnnError) as caught:
        prepared(x, epochs=3, checkpoint=checkpoint, resume=True, scale={})
    assert caught.value.diagnostics[0].message == f"`{checkpoint}` is of a training with another network"


def test_mapped_data_gives_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", with_gaps())
    monkeypatch.setattr("graphnn_compiler.training.preparation._NUMBERS_AT_ONCE", 9)  # three samples
    plan = linear().plan
    data = Data.of(plan, np.load(tmp_path / "x.npy", mmap_mode="r"), T)
    mapped = prepared_inputs(plan, data, {"x": "standardize"}, "mean")
    expected = prepared(with_gaps()).plan.inputs[0]
    np.testing.assert_allclose(mapped[0].fill, expected.fill, rtol=1e-14)
    assert isinstance(mapped[0].scaling, Scaling)
    assert isinstance(expected.scaling, Scaling)
    np.testing.assert_allclose(mapped[0].scaling.deviation, expected.scaling.deviation, rtol=1e-12)


def test_rows_are_the_channels_or_else_the_units() -> None:
    net = gnn.build(CHANNELS, dtype="float64", mode=INTERPRETED)
    random = np.random.default_rng(0)
    x = random.random((5, 2, 3))
    x[0, 0] = 0
    net.fit(x, random.random((5, 2)), epochs=1, scale={"x": "row_normalize"})
    shares = np.divide(x, x.sum(axis=2, keepdims=True), out=np.zeros_like(x), where=x.sum(axis=2, keepdims=True) != 0)
    plain = gnn.build(CHANNELS, dtype="float64", mode=INTERPRETED)
    plain.set_weights(net.weights)
    np.testing.assert_allclose(net(x), plain(shares), rtol=1e-12)
    np.testing.assert_allclose(reference.evaluate(net.plan, net.weights, {"x": x})["y"], plain(shares), rtol=1e-12)
    units = linear()
    units.fit(X, T, epochs=1, scale={"x": "row_normalize"})
    np.testing.assert_allclose(units(X), by_hand(units, X / X.sum(axis=1, keepdims=True)), rtol=1e-9)


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "no such input": ({"scale": {"X": "standardize"}}, "there is no input `X`; known: `x`"),
    "no such method": (
        {"scale": {"x": "standardise"}},
        "there is no scaling `standardise`; did you mean `standardize`?",
    ),
    "no such policy": ({"missing": "median"}, "there is no policy `median` for missing values; there is mean"),
    "gaps": (
        {"scale": {"x": "standardize"}},
        "2 units and channels of input `x` hold values that are not finite, so that there is no mean; "
        '`missing="mean"` fills missing ones',
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    options, message = REFUSED[name]
    net = linear()
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        net.fit(with_gaps(), T, epochs=1, **options)
    assert net.plan.inputs[0].scaling is None


def test_no_mean_of_nothing() -> None:
    x = with_gaps()
    x[:, 1] = np.nan
    with pytest.raises(gnn.GnnError) as caught:
        linear().fit(x, T, epochs=1, missing="mean")
    found = caught.value.diagnostics[0]
    assert (found.code, found.message) == ("E287", "no sample that is trained on has a value for `1` of input `x`")
    assert found.help == "there is no mean of nothing: leave these units out of the network, or put numbers there"


def test_no_samples_to_standardize_by() -> None:
    text = "gnn 1\ninput x[3]\noutput y[2] { from x via all }\ntarget t\nloss cost = mse(y, t)\n"
    message = "input `x` has no batch axis, so that there are no samples to standardize it by"
    with pytest.raises(ValueError, match=f"^{message}$"):
        gnn.build(text, mode=INTERPRETED).fit(X[0], T[0], epochs=1, scale={"x": "standardize"})
