"""The PyTensor backend against the reference interpreter, layer by layer and end to end, and its gradients."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from plans import KINDS, PY, SMOOTH, SPARSE_KINDS, Case, cases, every_clause, needs_equal_channels, single_clause, units

from graphnn_compiler.backend import reference
from graphnn_compiler.backend.activations import activate, random_updates, row_normalize
from graphnn_compiler.backend.mode import network_mode
from graphnn_compiler.backend.symbolic import SymbolicNetwork, aggregates_first, last_activation
from graphnn_compiler.topology.plan import (
    ACTIVATIONS,
    Activation,
    Apply,
    Combination,
    Concat,
    Constant,
    DenseClause,
    Input,
    Layer,
    Plan,
    Provenance,
    Ref,
    Weights,
)

EVERY_DAY_AND_NUMBA = pytest.mark.parametrize("mode", [network_mode(), "NUMBA"], ids=["every day", "numba"])


def examples(number: int) -> settings:
    return settings(max_examples=number, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def variables(case: Case) -> dict[str, pytensor.tensor.TensorVariable]:
    """One symbolic input per array of a case; only a batch length is left open."""
    result = {}
    for node in case.plan.inputs:
        array = case.inputs[node.name]
        batched = array.ndim > len(node.units.shape)
        shape = (None, *node.units.shape) if batched else node.units.shape
        result[node.name] = pt.tensor(node.name, dtype=case.plan.dtype, shape=shape)
    return result


def shared(case: Case) -> dict[str, pytensor.compile.SharedVariable]:
    return {name: pytensor.shared(value, name=name, shape=value.shape) for name, value in case.values.items()}


def run(case: Case, mode: object = PY) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The value of every input and layer and the logits of every layer, both node-major."""
    x = variables(case)
    applied = SymbolicNetwork(case.plan, shared(case)).apply(x)
    outputs = [*applied.values.values(), *applied.logits.values()]
    assert {one.type.dtype for one in outputs} == {case.plan.dtype}
    function = pytensor.function([*x.values()], outputs, mode=mode, on_unused_input="ignore")
    with np.errstate(all="ignore"):
        results = function(*(case.inputs[name] for name in x))
    n = len(applied.values)
    return dict(zip(applied.values, results[:n], strict=True)), dict(zip(applied.logits, results[n:], strict=True))


def check_layer(case: Case, layer: Layer, values: dict[str, np.ndarray], logits: dict[str, np.ndarray]) -> None:
    """One layer against the reference, which starts from the values that the backend found for its sources."""
    tolerance = 1e-5 if case.plan.dtype == "float32" else 1e-10
    n_samples = values[layer.name].shape[1]
    for b in range(n_samples):
        sources = {s: np.float64(values[s][:, min(b, values[s].shape[1] - 1)]) for s in layer.sources}
        expected = reference.linear_part(layer, case.values, sources)
        value, logit = values[layer.name][:, b], logits[layer.name][:, b]
        if layer.batchnorm is not None:
            batch = expected[None]
            expected = reference.batch_normalized(layer, layer.batchnorm, case.values, batch, training=False)[0]
        if isinstance(layer.body, Combination):
            bound = tolerance * reference.combination(layer, case.values, sources, absolute=True)
            if layer.layernorm:  # which divides by 1 / sqrt(1e-5) or more
                expected, bound = reference.normalized(expected), 700 * (bound.max() + tolerance)
            if layer.batchnorm is not None:  # a gain up to 1, a deviation of 0.7 or more
                bound = 2 * (bound + 2 * tolerance)
            assert np.all(abs(logit - expected) <= bound)
            ends = reference.activate(last_activation(layer), np.float64(logit))
            scale = 10 * (1 + abs(logit).max())
            np.testing.assert_allclose(value, ends, rtol=tolerance * scale, atol=tolerance * scale)
        else:
            expected = reference.finish(layer, expected)
            worst = 1e3 * tolerance * (1 + max(abs(x).max() for x in sources.values()))
            np.testing.assert_allclose(value, expected, rtol=worst, atol=worst)


@examples(25)
@given(cases())
def test_every_layer_of_random_plans_equals_the_reference(case: Case) -> None:
    values, logits = run(case)
    assume(all(np.all(abs(value) < 1e6) for value in values.values()))
    for layer in case.plan.layers:
        assert values[layer.name].dtype == case.plan.dtype
        assert values[layer.name].shape[0::2] == (len(layer.units), layer.units.channels)
        check_layer(case, layer, values, logits)


@examples(20)
@given(cases(dtype="float64", activations=SMOOTH))
def test_random_plans_equal_the_reference_end_to_end(case: Case) -> None:
    x = variables(case)
    applied = SymbolicNetwork(case.plan, shared(case)).apply(x)
    outputs = [applied.value(layer.name) for layer in case.plan.layers]
    function = pytensor.function([*x.values()], outputs, mode=PY, on_unused_input="ignore")
    expected = reference.evaluate(case.plan, case.values, case.inputs)
    for layer, found in zip(case.plan.layers, function(*(case.inputs[name] for name in x)), strict=True):
        np.testing.assert_allclose(found, expected[layer.name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("channels", "mode"),
    [((None, None), network_mode()), ((2, 3), network_mode()), ((None, None), "NUMBA")],
    ids=["scalar", "blocks", "numba"],
)
def test_every_clause_compiled(channels: tuple[int | None, int | None], mode: Any) -> None:
    case = every_clause(*channels, dtype="float32")
    values, logits = run(case, mode=mode)
    assert len(case.plan.layers) == len(KINDS)
    for layer in case.plan.layers:
        check_layer(case, layer, values, logits)


def test_activations_compiled() -> None:
    rng = np.random.default_rng(0)
    x = pt.tensor("x", dtype="float32", shape=(4, None, 3))
    kinds = [Activation(name) for name in ACTIVATIONS] + [Activation("softmax", "units")]
    points = rng.normal(0, 3, (4, 5, 3)).astype("float32")
    results = pytensor.function([x], [activate(kind, x) for kind in kinds], mode=network_mode())(points)
    for kind, found in zip(kinds, results, strict=True):
        assert found.dtype == "float32"
        for b in range(5):
            expected = reference.activate(kind, np.float64(points[:, b]))
            np.testing.assert_allclose(found[:, b], expected, rtol=2e-5, atol=1e-7)


def test_activations_are_stable_far_from_zero_and_keep_nan() -> None:
    x = pt.tensor("x", dtype="float32", shape=(1, None, 3))
    points = np.array([[[-1e4, 0, 1e4], [np.nan] * 3]], np.float32)
    kinds = [Activation(name) for name in ACTIVATIONS if name != "exp"]
    outputs = [activate(kind, x) for kind in kinds]
    slopes = [pytensor.grad(out[:, :1].sum(), x) for out in outputs]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        results = pytensor.function([x], outputs + slopes, mode=PY)(points)
    for kind, found, slope in zip(kinds, results, results[len(kinds) :], strict=False):
        assert np.all(np.isfinite(found[:, 0])), kind
        assert np.all(np.isfinite(slope[:, 0])), kind
        assert np.all(np.isnan(found[:, 1])), kind


def test_relu_has_no_slope_at_zero() -> None:
    x = pt.tensor("x", dtype="float64", shape=(1, 1, 1))
    slope = pytensor.grad(activate(Activation("relu"), x).sum(), x)
    assert pytensor.function([x], slope, mode=PY)(np.zeros((1, 1, 1))) == 0


def test_row_normalize_of_a_zero_sum_is_zero_with_finite_gradient() -> None:
    x = pt.tensor("x", dtype="float64", shape=(2, 1, 2))
    y = row_normalize(x)
    found, slope = pytensor.function([x], [y, pytensor.grad(pt.sqr(y).sum(), x)], mode=PY)(
        np.array([[[1.0, -1.0]], [[1.0, 3.0]]])
    )
    np.testing.assert_array_equal(found[:, 0], [[0, 0], [0.25, 0.75]])
    assert np.all(np.isfinite(slope))


# ------------------------------------------------------------------ shapes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [0, 1, 5])
def test_every_batch_length_with_an_input_shared_by_the_batch(kind: str, batch: int) -> None:
    case = single_clause(kind, 2, 2)
    extra = Input("shared", units(4, 2))
    inputs = (*case.plan.inputs, extra)
    last = Layer("z", units(4, 4), Concat((Ref("shared"), Ref("y"))), output=True)
    plan = dataclasses.replace(case.plan, inputs=inputs, layers=(*case.plan.layers, last))
    rng = np.random.default_rng(1)
    case = Case(plan, case.values, {"x": rng.normal(size=(batch, 5, 2)), "shared": rng.normal(size=(4, 2))})
    values, _ = run(case)
    expected = reference.evaluate(plan, case.values, case.inputs)["z"]
    assert expected.shape == (batch, 4, 4)
    np.testing.assert_allclose(values["z"].transpose(1, 0, 2), expected, atol=1e-12)


def test_what_no_batched_input_reaches_has_no_batch_axis() -> None:
    case = single_clause("sparse shared", None, 2)
    x = pt.tensor("x", dtype="float64", shape=(5,))
    applied = SymbolicNetwork(case.plan, shared(case)).apply({"x": x})
    assert applied.value("y").type.shape == (4, 2)
    assert applied.batched == set()


@pytest.mark.parametrize("axis", [False, True])
def test_a_layer_of_constants_or_of_nothing_fills_its_units(axis: bool) -> None:
    shape = units(3, 1 if axis else None)
    layers = (Layer("a", shape, Constant(2.5), output=True), Layer("b", shape, Combination((), None), output=True))
    case = Case(Plan(1, "float32", (), layers, ()), {}, {})
    values, _ = run(case)
    np.testing.assert_array_equal(values["a"], np.full((3, 1, 1), 2.5))
    np.testing.assert_array_equal(values["b"], np.zeros((3, 1, 1)))


def test_a_dense_clause_has_no_groups() -> None:
    weights = Weights("per", "y.x.weights")
    layer = Layer("y", units(2), Combination((DenseClause("x", "x", weights),)), output=True)
    plan = Plan(1, "float64", (Input("x", units(2)),), (layer,), ())
    network = SymbolicNetwork(plan, {"y.x.weights": pt.vector()})
    with pytest.raises(ValueError, match="no edges to group"):
        network.apply({"x": pt.tensor("x", dtype="float64", shape=(2,))})


@examples(200)
@given(*[st.integers(1, 50)] * 5)
def test_aggregating_first_is_chosen_where_it_multiplies_less(e: int, s: int, t: int, c: int, d: int) -> None:
    first = sum(c for _ in range(e)) + sum(c * d for _ in range(t))
    second = sum(c * d for _ in range(s)) + sum(d for _ in range(e))
    assert aggregates_first(e, s, t, c, d) == (first <= second)


def test_both_orders_of_a_shared_weight_agree_with_the_reference() -> None:
    for c_in, c_out in [(3, 1), (1, 3)]:
        case = single_clause("sparse shared", c_in, c_out, n_parts=2)
        values, logits = run(case)
        check_layer(case, case.plan.layers[0], values, logits)


def test_logits_of_an_expression_that_ends_in_an_activation() -> None:
    layer = Layer("y", units(3), Apply(Activation("sigmoid"), Ref("x")), output=True)
    plan = Plan(1, "float64", (Input("x", units(3)),), (layer,), ())
    values, logits = run(Case(plan, {}, {"x": np.array([-1.0, 0, 2])}))
    np.testing.assert_array_equal(logits["y"].ravel(), [-1, 0, 2])
    np.testing.assert_allclose(values["y"].ravel(), 1 / (1 + np.exp([1, 0, -2])))


# ------------------------------------------------------------------ gradients


def check_gradients(case: Case) -> None:
    """PyTensor's gradient of a random projection of all layers against central differences of the reference."""
    rng = np.random.default_rng(2)
    x, parameters = variables(case), shared(case)
    applied = SymbolicNetwork(case.plan, parameters).apply(x)
    shapes = {name: value.shape for name, value in reference.evaluate(case.plan, case.values, case.inputs).items()}
    directions = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    cost = sum((applied.value(name) * directions[name]).sum() for name in directions)
    wrt = {**parameters, **x}
    slopes = pytensor.grad(cost, list(wrt.values()), disconnected_inputs="ignore")
    function = pytensor.function([*x.values()], slopes, mode=PY, on_unused_input="ignore")
    found = dict(zip(wrt, function(*(case.inputs[name] for name in x)), strict=True))

    def value(arrays: dict[str, np.ndarray]) -> float:
        layers = reference.evaluate(case.plan, arrays, arrays)
        return sum(float((layers[name] * directions[name]).sum()) for name in directions)

    point = {**case.values, **case.inputs}
    for name in wrt:
        direction = rng.normal(size=point[name].shape)
        step = 1e-6
        ahead, behind = (value({**point, name: point[name] + sign * step * direction}) for sign in (1, -1))
        expected = (ahead - behind) / (2 * step)
        assert float((found[name] * direction).sum()) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("channels", [(None, None), (2, 3)], ids=["scalar", "blocks"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_every_clause(kind: str, channels: tuple[int | None, int | None]) -> None:
    if needs_equal_channels(kind):
        channels = (channels[0], channels[0])
    check_gradients(single_clause(kind, *channels, n_parts=2 if kind in SPARSE_KINDS else 1))


@examples(10)
@given(cases(dtype="float64", activations=SMOOTH))
def test_gradients_of_random_plans(case: Case) -> None:
    # layer norm of nearly equal channels is too steep for differences
    layers = tuple(dataclasses.replace(layer, layernorm=False) for layer in case.plan.layers)
    check_gradients(dataclasses.replace(case, plan=dataclasses.replace(case.plan, layers=layers)))


# ------------------------------------------------------------------ dropout


def dropped(rate: float, mode: object, seed: int = 3) -> tuple[pytensor.compile.Function, int]:
    """A function of x, of shape (B, n), whose two outputs are x with dropout in two different layers."""
    n = 2000
    layers = tuple(Layer(name, units(n), Ref("x"), dropout=rate, output=True) for name in ("a", "b"))
    provenance = Provenance("", "", {}, {}, seed, {})
    plan = Plan(1, "float32", (Input("x", units(n)),), layers, (), provenance=provenance)
    x = pt.tensor("x", dtype="float32", shape=(None, n))
    applied = SymbolicNetwork(plan, {}).apply({"x": x}, training=True)
    outputs = [applied.value(layer.name) for layer in layers]
    return pytensor.function([x], outputs, updates=random_updates(outputs), mode=mode), n


@EVERY_DAY_AND_NUMBA
def test_dropout_keeps_a_share_and_the_mean_and_moves_on(mode: object) -> None:
    function, n = dropped(0.25, mode)
    ones = np.ones((3, n), np.float32)
    a, b = function(ones)
    assert a.dtype == "float32"
    assert set(np.unique(a)) == {np.float32(0), np.float32(1 / 0.75)}
    assert np.mean(a > 0) == pytest.approx(0.75, abs=0.03)
    assert not np.array_equal(a, b)
    assert not np.array_equal(a[0], a[1])
    assert not np.array_equal(a, function(ones)[0])


def test_dropout_masks_come_from_the_seed() -> None:
    ones = np.ones((3, 2000), np.float32)
    first, again, other = (dropped(0.5, PY, seed)[0](ones)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_dropout_outside_training_leaves_no_random_state() -> None:
    layer = Layer("a", units(3), Ref("x"), dropout=0.5, output=True)
    plan = Plan(1, "float32", (Input("x", units(3)),), (layer,), ())
    applied = SymbolicNetwork(plan, {}).apply({"x": pt.tensor("x", dtype="float32", shape=(3,))})
    assert random_updates([applied.value("a")]) == {}
