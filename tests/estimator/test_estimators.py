"""Estimators against NumPy and against training without them; labels, columns, pickles, searches."""

from __future__ import annotations

import builtins
import copy
import io
import pickle
import sys
import zipfile
from typing import Any

import numpy as np
import pyarrow
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

import graphnn_compiler as gnn
from graphnn_compiler.estimator.programs import CLASSIFIER
from graphnn_compiler.training import Adam, EarlyStopping

RANDOM = np.random.default_rng(3)
X = RANDOM.standard_normal((40, 3))
NUMBERS = np.argmax(X + 0.2 * RANDOM.standard_normal((40, 3)), axis=1)
VALUES = np.stack([X[:, 0] - X[:, 1], 2 * X[:, 2]], axis=1)
SMALL = {"params": {"hidden": 4}, "epochs": 25, "rate": 0.05}

ROADS = """\
gnn 1
param n_classes: int = 3
graph places = read("places.csv", source = "from", target = "to")
input x[places.nodes]
layer h[places.nodes, 4] { from x via places.edges | same  activation = tanh }
output y[n_classes] { from h via all  activation = softmax }
target truth
loss cost = cross_entropy(y, truth)
"""
BINARY = """\
gnn 1
input x[3]
output y[1] { from x via all  activation = sigmoid }
target truth
loss cost = binary_cross_entropy(y, truth)
"""
RATES = """\
gnn 1
input x[3]
output y[1] { from x via all }
target truth
loss cost = poisson(y, truth)
"""


def classifier(**options: Any) -> gnn.GraphNNClassifier:
    return gnn.GraphNNClassifier(**{**SMALL, **options})


def regressor(**options: Any) -> gnn.GraphNNRegressor:
    return gnn.GraphNNRegressor(**{**SMALL, **options})


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program with the text keys ash, elm, fir, in this order."""
    folder = tmp_path_factory.mktemp("places")
    (folder / "places.csv").write_text("from,to\nash,elm\nelm,fir\nfir,ash\n", encoding="utf-8")
    (folder / "roads.gnn").write_text(ROADS, encoding="utf-8")
    return str(folder / "roads.gnn")


def table(names: str, X: NDArray = X) -> pyarrow.Table:
    return pyarrow.table(dict(zip(names.split(), X.T, strict=True)))


# ------------------------------------------------------------------ what is computed


def test_probabilities_are_those_of_the_formula() -> None:
    fitted = classifier().fit(X, NUMBERS)
    weights = fitted.network_.weights
    hidden = np.maximum(X @ weights["h.x.weights"] + weights["h.bias"], 0)
    powers = np.exp(hidden @ weights["y.h.weights"] + weights["y.bias"])
    shares = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(X), shares, rtol=1e-12)
    np.testing.assert_array_equal(fitted.predict(X), shares.argmax(axis=1))
    assert fitted.score(X, NUMBERS) == accuracy_score(NUMBERS, shares.argmax(axis=1)) > 0.8


def test_training_is_that_of_the_network() -> None:
    fitted = classifier(seed=4, batch=16, validation=0.25).fit(X, NUMBERS)
    counts = {"n_features": 3, "n_classes": 3, "hidden": 4}
    net = gnn.build(CLASSIFIER, params=counts, seed=4, dtype="float64")
    history = net.fit(X, NUMBERS, epochs=25, batch=16, optimiser=Adam(0.05), validation=0.25)
    assert fitted.history_ == history
    for name, value in net.weights.items():
        np.testing.assert_array_equal(fitted.network_.weights[name], value)


def test_samples_count_as_their_weights_say() -> None:
    """As in scikit-learn: weights 0, 1 and 2 are leaving out, and standing once and twice."""
    counts = np.arange(40) % 3
    weighted = classifier(batch=None).fit(X, NUMBERS, sample_weight=counts)
    repeated = classifier(batch=None).fit(X.repeat(counts, axis=0), NUMBERS.repeat(counts))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-9)


def test_weights_of_classes_and_of_samples_are_multiplied() -> None:
    weights = np.linspace(0.5, 1, 40)
    by_class = classifier(class_weight="balanced").fit(X, NUMBERS, weights)
    by_sample = classifier().fit(X, NUMBERS, weights * compute_sample_weight("balanced", NUMBERS))
    np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), rtol=1e-9)


def test_early_stopping_goes_back_to_the_best_weights() -> None:
    stop = EarlyStopping(patience=3)
    fitted = classifier(epochs=400, rate=0.2, validation=0.3, stop=stop).fit(X, NUMBERS)
    assert fitted.history_.stopped_early
    shorter = clone(fitted).set_params(epochs=fitted.history_.best_epoch, stop=None).fit(X, NUMBERS)
    np.testing.assert_array_equal(fitted.predict_proba(X), shorter.predict_proba(X))


def test_a_warm_start_goes_on() -> None:
    fitted = classifier(warm_start=True, optimiser="sgd", batch=None, epochs=3).fit(X, NUMBERS).fit(X, NUMBERS)
    once = classifier(optimiser="sgd", batch=None, epochs=6).fit(X, NUMBERS)
    np.testing.assert_allclose(fitted.predict_proba(X), once.predict_proba(X), rtol=1e-12)
    with pytest.raises(
        ValueError, match=r"^a warm start goes on with the same classes, and those of the last fit were"
    ):
        fitted.fit(X, NUMBERS + 1)
    with pytest.raises(ValueError, match=r"^a warm start goes on with the same parameters, and those of the last fit"):
        fitted.set_params(params={"hidden": 5}).fit(X, NUMBERS)


# ------------------------------------------------------------------ labels and values


@pytest.mark.parametrize(
    ("labels", "saved"),
    [
        (["no", "", "yes"], ["", "no", "yes"]),
        ([-1, 30, 4], [-1, 4, 30]),
        ([2.0, 0.0, 1.0], None),
        ([0, 1, 2], None),
        (np.array(["b", "c", "a"], dtype=object), ["a", "b", "c"]),
    ],
)
def test_labels_of_any_type(labels: Any, saved: list[object] | None) -> None:
    y = np.asarray(labels)[NUMBERS]
    fitted = classifier().fit(X, y)
    np.testing.assert_array_equal(fitted.classes_, np.unique(y))
    said = fitted.predict(X)
    assert said.dtype == y.dtype
    assert accuracy_score(y, said) > 0.8
    kept = fitted.network_.plan.targets[0].classes
    assert (None if kept is None else kept.tolist()) == saved


def test_two_truth_values() -> None:
    y = NUMBERS == 1
    said = classifier().fit(X, y).predict(X)
    assert said.dtype == bool
    assert accuracy_score(y, said) > 0.8


def test_a_program_with_one_probability() -> None:
    y = np.where(NUMBERS == 0, "is", "other")
    fitted = classifier(program=BINARY, params=None).fit(X, y)
    weights = fitted.network_.weights
    ones = 1 / (1 + np.exp(-(X @ weights["y.x.weights"] + weights["y.bias"])))
    np.testing.assert_allclose(fitted.predict_proba(X), np.hstack([1 - ones, ones]), rtol=1e-9)
    assert fitted.score(X, y) > 0.8
    with pytest.raises(ValueError, match=r"^y has 3 classes, and the program tells 2 apart$"):
        fitted.fit(X, NUMBERS)


def test_values_of_several_outputs() -> None:
    fitted = regressor(epochs=60).fit(X, VALUES)
    said = fitted.predict(X)
    weights = fitted.network_.weights
    hidden = np.maximum(X @ weights["h.x.weights"] + weights["h.bias"], 0)
    np.testing.assert_allclose(said, hidden @ weights["y.h.weights"] + weights["y.bias"], rtol=1e-9, atol=1e-12)
    assert fitted.score(X, VALUES) == r2_score(VALUES, said) > 0.7
    assert regressor().fit(X, VALUES[:, 0]).predict(X).shape == (40,)
    assert regressor().fit(X, VALUES[:, :1]).predict(X).shape == (40, 1)


def test_rates_of_counts() -> None:
    counts = np.random.default_rng(0).poisson(np.exp(X[:, 0]))
    fitted = regressor(program=RATES, params=None).fit(X, counts)
    weights = fitted.network_.weights
    np.testing.assert_allclose(fitted.predict(X), np.exp(X @ weights["y.x.weights"] + weights["y.bias"])[:, 0])


# ------------------------------------------------------------------ columns


def test_columns_are_units_by_key(places: str) -> None:
    fitted = classifier(program=places, params=None, epochs=5).fit(X, NUMBERS)
    wanted = fitted.predict_proba(X)
    mixed = clone(fitted).fit(table("fir ash elm", X[:, [2, 0, 1]]), NUMBERS)
    assert mixed.feature_names_in_.tolist() == ["fir", "ash", "elm"]
    for one, rows in [
        (mixed, table("fir ash elm", X[:, [2, 0, 1]])),
        (mixed, table("ash elm fir")),
        (fitted, table("elm fir ash", X[:, [1, 2, 0]])),
    ]:
        np.testing.assert_array_equal(one.predict_proba(rows), wanted)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        np.testing.assert_array_equal(mixed.predict_proba(X[:, [2, 0, 1]]), wanted)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("ash elm oak", "`X` has no column for 1 unit of input `x`: `fir`"),
        (
            "one two three",
            "X has no columns for input `x`: its units are `ash`, `elm`, `fir`, the columns `one`, `two`, `three`",
        ),
        ("ash elm fir oak", "X has 1 column for which the program has no unit: `oak`"),
    ],
)
def test_other_columns_are_refused(places: str, names: str, message: str) -> None:
    rows = np.tile(X, 2)[:, : len(names.split())]
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole text is compared)
        classifier(program=places, params=None, epochs=1).fit(table(names, rows), NUMBERS)
    assert str(caught.value) == message


def test_columns_without_keys_keep_their_order() -> None:
    fitted = classifier(epochs=1).fit(table("a b c"), NUMBERS)
    np.testing.assert_array_equal(fitted.predict(table("a b c")), classifier(epochs=1).fit(X, NUMBERS).predict(X))
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        fitted.predict(table("b a c"))
    by_number = classifier(epochs=1).fit(table("2 0 1", X[:, [2, 0, 1]]), NUMBERS)
    np.testing.assert_array_equal(by_number.predict_proba(table("0 1 2")), fitted.predict_proba(table("a b c")))


def test_several_inputs_stand_side_by_side() -> None:
    program = """
        gnn 1
        input a[2]
        input b[1, 2]
        input fixed[1] = read("fixed.npy")
        output y[3] { from a via all  from b via all  from fixed via all  activation = softmax }
        target truth
        loss cost = cross_entropy(y, truth)
    """
    rows = np.hstack([X, X[:, :1]])
    fitted = classifier(program=program, params=None, epochs=2, data={"fixed": np.ones(1)}).fit(rows, NUMBERS)
    wanted = fitted.network_({"a": rows[:, :2], "b": rows[:, 2:].reshape(40, 1, 2)})
    np.testing.assert_allclose(fitted.predict_proba(rows), wanted, rtol=1e-9)


# ------------------------------------------------------------------ what is refused


def program_with(*lines: str) -> str:
    return "\n".join(["gnn 1", "input x[3]", *lines])


VALUE, LABEL = "output y[2] { from x via all }", "output y[3] { from x via all  activation = softmax }"


@pytest.mark.parametrize(
    ("estimator", "y", "message"),
    [
        (classifier(), np.ones(40), "all samples are of one class, 1.0: there is nothing to tell apart"),
        (
            classifier(program=program_with(LABEL, "target t", "loss c = cross_entropy(y, t)"), params=None),
            NUMBERS % 2,
            "y has 2 classes, and the program tells 3 apart",
        ),
        (
            classifier(program=program_with(VALUE, "target t", "loss c = mse(y, t)"), params=None),
            NUMBERS,
            "target `t` is 2 values, compared by `mse`, and no class: fit a regressor",
        ),
        (
            regressor(program=program_with(LABEL, "target t", "loss c = cross_entropy(y, t)"), params=None),
            NUMBERS,
            "target `t` holds classes: fit a classifier",
        ),
        (
            regressor(program=program_with(VALUE, "target t", "loss c = mse(y, t)"), params=None),
            VALUES[:, 0],
            "y has 1 output, and target `t` takes 2",
        ),
        (
            regressor(program=program_with(VALUE), params=None),
            VALUES,
            "an estimator has one target, whose values are y, and the program has none",
        ),
        (
            regressor(program=program_with(VALUE, "target t", "metric m = mse(y, t)"), params=None),
            VALUES,
            "no loss of the program compares an output with target `t`",
        ),
        (
            classifier(
                program=program_with(
                    "output y[3, 2] { from x via all  activation = softmax }",
                    "target t",
                    "loss c = cross_entropy(y, t)",
                ),
                params=None,
            ),
            NUMBERS % 2,
            "target `t` has a class for each unit, and a classifier's samples have one each",
        ),
        (
            regressor(
                program='gnn 1\ninput x[2] = read("x.npy")\noutput y = x\ntarget t\nloss c = mse(y, t)',
                params=None,
                data={"x": np.ones(2)},
            ),
            VALUES,
            "every input of the program has its data, so that samples have no features: use `Network.fit`",
        ),
        (
            classifier(program=BINARY.replace("[3]", "[5]"), params=None),
            NUMBERS > 0,
            "X has n_features = 3, and input `x` takes 5",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_said(estimator: Any, y: NDArray, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole text is compared)
        estimator.fit(X, y)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(39), "sample_weight has shape (40,), one weight a sample, not (39,)"),
        (-np.ones(40), "sample_weight holds negative weights"),
        (np.zeros(40), "sample_weight is zero everywhere: no sample is left to fit"),
    ],
)
def test_weights_that_cannot_be_meant(weights: NDArray, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole text is compared)
        classifier().fit(X, NUMBERS, sample_weight=weights)
    assert str(caught.value) == message


def test_errors_of_a_program_keep_their_places() -> None:
    with pytest.raises(gnn.GnnError, match="did you mean `softmax`"):
        classifier(program=CLASSIFIER.replace("softmax", "softmex")).fit(X, NUMBERS)


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **named: Any) -> object:
        if name.split(".")[0] == "sklearn":
            raise ModuleNotFoundError(f"No module named {name!r}", name="sklearn")
        return original(name, *arguments, **named)

    for name in [name for name in sys.modules if name.startswith("graphnn_compiler.estimator")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(gnn, "GraphNNClassifier", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError) as caught:
        gnn.GraphNNClassifier  # noqa: B018 (the access is the point)
    wanted = "the estimators need scikit-learn, which is not installed: pip install 'graphnn-compiler[estimators]'"
    assert str(caught.value) == wanted


# ------------------------------------------------------------------ scikit-learn's tools


def test_pipelines_searches_and_cross_validation(places: str) -> None:
    pipeline = make_pipeline(StandardScaler(), classifier(epochs=15))
    y = np.array(["a", "b", "c"])[NUMBERS]
    assert cross_val_score(pipeline, 5 * X + 2, y, cv=3).mean() > 0.7
    choices = {"params": [{"hidden": 1}, {"hidden": 4}], "optimiser": ["sgd"], "rate": [1e-6, 0.5]}
    search = GridSearchCV(classifier(epochs=15), choices, cv=2).fit(X, y)
    assert search.best_params_["rate"] == 0.5
    assert search.best_estimator_.network_.plan.provenance.params["hidden"] == search.best_params_["params"]["hidden"]
    assert cross_val_score(regressor(epochs=30), X, VALUES, cv=2).mean() > 0.3
    assert len(cross_val_score(classifier(program=places, params=None, epochs=1), X, NUMBERS, cv=2, n_jobs=1)) == 2


def test_clones_are_not_fitted() -> None:
    fitted = classifier(optimiser=Adam(0.02), rate=None, stop=EarlyStopping()).fit(X, NUMBERS)
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copied.predict(X)


def test_a_program_in_python_is_cloned() -> None:
    units = gnn.Input("x", units=3)
    said = gnn.Output("y", units=3, activation="softmax").connect(units, via=gnn.all)
    truth = gnn.Target("truth")
    program = gnn.Program(said, gnn.Loss("cost", gnn.cross_entropy(said, truth)))
    fitted = clone(classifier(program=program, params=None)).fit(X, NUMBERS)
    assert fitted.score(X, NUMBERS) > 0.7


# ------------------------------------------------------------------ pickles


@pytest.mark.parametrize("copied", [lambda it: pickle.loads(pickle.dumps(it)), copy.deepcopy], ids=["pickle", "copy"])
def test_copies_say_the_same(copied: Any, places: str) -> None:
    fitted = classifier(program=places, params=None, epochs=2).fit(
        table("fir ash elm"), np.array(["a", "b", "c"])[NUMBERS]
    )
    again = copied(fitted)
    rows = table("ash elm fir")
    np.testing.assert_array_equal(again.predict_proba(rows), fitted.predict_proba(rows))
    np.testing.assert_array_equal(again.predict(rows), fitted.predict(rows))
    assert again.get_params() == fitted.get_params()
    assert again.history_ == fitted.history_
    again.network_.set_weights({"y.bias": [9, 0, 0]})
    assert not np.array_equal(again.predict_proba(rows), fitted.predict_proba(rows))


def test_a_pickle_holds_the_bytes_of_an_archive(tmp_path: Any) -> None:
    fitted = regressor(epochs=1).fit(X, VALUES)
    state = fitted.__getstate__()
    assert "network_" not in state
    fitted.network_.save(tmp_path / "m.gnnz")
    assert state["_archive"] == (tmp_path / "m.gnnz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(state["_archive"])) as members:
        assert "manifest.json" in members.namelist()


def test_a_damaged_pickle_is_refused() -> None:
    state = regressor(epochs=1).fit(X, VALUES).__getstate__()
    state["_archive"] = state["_archive"][:-30]
    with pytest.raises(gnn.GnnError, match="it is no saved model, or it was cut off"):
        gnn.GraphNNRegressor().__setstate__(state)
