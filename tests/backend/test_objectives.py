"""Losses and metrics of the PyTensor backend against the reference, and their behaviour at the edges."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import PY, units

from graphnn_compiler.backend import reference
from graphnn_compiler.backend.objectives import scalar, without_logits
from graphnn_compiler.backend.symbolic import SymbolicNetwork
from graphnn_compiler.topology.plan import (
    Activation,
    Apply,
    Compared,
    Input,
    Layer,
    Objective,
    Parameter,
    Penalty,
    Plan,
    Ref,
    ScalarExpr,
    Sum,
    Target,
    Weighted,
)


def plan_of(layer: Layer, target: Target, *goals: ScalarExpr, dtype: str = "float64") -> Plan:
    """x -> layer, compared with a target; one parameter `w` for penalties."""
    objectives = tuple(Objective(str(i), "loss", goal) for i, goal in enumerate(goals))
    return Plan(1, dtype, (Input("x", layer.units),), (layer,), (Parameter("w", (2, 2)),), (target,), objectives)


def evaluated(plan: Plan, x: np.ndarray, truth: np.ndarray, mode: object = PY) -> list[np.ndarray]:
    """The values of all objectives, then the gradient of each by x."""
    x_variable = pt.tensor("x", dtype=plan.dtype, shape=(None,) * x.ndim)
    t_variable = pt.tensor("t", dtype=str(truth.dtype), shape=(None,) * truth.ndim)
    w = pytensor.shared(W.astype(plan.dtype), shape=(2, 2))
    applied = SymbolicNetwork(plan, {"w": w}).apply({"x": x_variable})
    goals = [scalar(goal.value, applied, {"w": w}, {"t": t_variable}) for goal in plan.objectives]
    assert {goal.type.dtype for goal in goals} <= {plan.dtype}
    slopes = [pytensor.grad(goal, x_variable, disconnected_inputs="ignore") for goal in goals]
    return pytensor.function([x_variable, t_variable], goals + slopes, mode=mode, on_unused_input="ignore")(x, truth)


W = np.array([[1.0, -2], [0.5, 3]])


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["softmax", "linear"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, [0, 2], [1]]),
    st.integers(0, 99),
)
def test_class_comparisons(
    activation: str, batched: bool, batched_target: bool, per_unit: bool, on: list[int] | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    layer = Layer("y", units(3, 4), Ref("x"), activation=Activation(activation), output=True)
    chosen = None if on is None else np.array(on)
    goals = [Compared(name, "y", "t", chosen) for name in ("cross_entropy", "accuracy")]
    plan = plan_of(layer, Target("t", (3,) if per_unit else (), 4), *goals)
    x = rng.normal(size=(5, 3, 4) if batched else (3, 4))
    truth = rng.integers(0, 4, ((5,) if batched_target else ()) + ((3,) if per_unit else ()))
    if per_unit and on is not None:  # what lies outside `on` never matters
        truth[..., [u for u in range(3) if u not in on]] = -1
    found = evaluated(plan, x, truth)
    expected = reference.objective(plan, {"w": W}, {"x": x}, {"t": truth})
    assert [float(one) for one in found[:2]] == pytest.approx([expected["0"], expected["1"]], rel=1e-10)


@pytest.mark.parametrize("shape", [(3,), (6, 3)], ids=["one sample", "batch"])
@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_classes_are_units_without_a_channel_axis(activation: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    layer = Layer("y", units(3), Ref("x"), activation=Activation(activation, "units"), output=True)
    goals = [Compared(name, "y", "t") for name in ("cross_entropy", "accuracy")]
    plan = plan_of(layer, Target("t", (), 3), *goals)
    x, truth = rng.normal(size=shape), rng.integers(0, 3, shape[:-1])
    expected = reference.objective(plan, {"w": W}, {"x": x}, {"t": truth})
    assert [float(one) for one in evaluated(plan, x, truth)[:2]] == pytest.approx(list(expected.values()))


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["sigmoid", "linear"]),
    st.sampled_from([None, 2]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, [0, 2]]),
)
def test_value_comparisons(
    activation: str, channels: int | None, batched: bool, batched_target: bool, on: list[int] | None
) -> None:
    rng = np.random.default_rng(2)
    layer = Layer("y", units(3, channels), Ref("x"), activation=Activation(activation), output=True)
    chosen = None if on is None else np.array(on)
    goals = [Compared(name, "y", "t", chosen) for name in ("mse", "mae", "binary_cross_entropy", "accuracy")]
    plan = plan_of(layer, Target("t", layer.units.shape), *goals)
    x = rng.normal(size=((5,) if batched else ()) + layer.units.shape)
    truth = rng.integers(0, 2, ((5,) if batched_target else ()) + layer.units.shape).astype(float)
    if on is not None:
        (truth.swapaxes(0, 1) if batched_target else truth)[1] = np.nan
    expected = reference.objective(plan, {"w": W}, {"x": x}, {"t": truth})
    found = evaluated(plan, x, truth)
    assert [float(one) for one in found[:4]] == pytest.approx(list(expected.values()), rel=1e-10)
    assert all(np.all(np.isfinite(slope)) for slope in found[4:])


def test_penalties_and_sums() -> None:
    l1, l2 = Penalty("l1", ("w",)), Penalty("l2", ("w", "w"))
    compared = Compared("mse", "y", "t")
    both = Sum((Weighted(0.1, l1), l2, Weighted(-2.0, compared)))
    plan = plan_of(Layer("y", units(2), Ref("x"), output=True), Target("t", (2,)), l1, l2, both, dtype="float32")
    found = evaluated(plan, np.float32([1, 2]), np.float32([0, 0]))
    l1_value, l2_value = 6.5, 2 * 14.25
    expected = [l1_value, l2_value, 0.1 * l1_value + l2_value - 2 * 2.5]
    assert [float(one) for one in found[:3]] == pytest.approx(expected, rel=1e-6)


def test_cross_entropies_work_from_logits_where_probabilities_are_zero() -> None:
    softmax = Layer("y", units(1, 2), Ref("x"), activation=Activation("softmax"), output=True)
    x = np.float32([[[800, -800]]])
    loss, slope = evaluated(
        plan_of(softmax, Target("t", (1,), 2), Compared("cross_entropy", "y", "t"), dtype="float32"), x, np.array([[1]])
    )
    assert loss == 1600
    np.testing.assert_array_equal(slope, [[[1, -1]]])
    sigmoid = Layer("y", units(1), Apply(Activation("sigmoid"), Ref("x")), output=True)
    plan = plan_of(sigmoid, Target("t", (1,)), Compared("binary_cross_entropy", "y", "t"), dtype="float32")
    loss, slope = evaluated(plan, np.float32([[800]]), np.float32([[0]]))
    assert (loss, slope) == (800, 1)


def test_the_mean_over_an_empty_batch_is_nan() -> None:
    layer = Layer("y", units(2), Ref("x"), output=True)
    plan = plan_of(layer, Target("t", (2,)), Compared("mse", "y", "t"))
    with np.errstate(invalid="ignore"):
        assert np.isnan(evaluated(plan, np.zeros((0, 2)), np.zeros((0, 2)))[0])


@pytest.mark.parametrize(
    ("loss", "layer"),
    [
        ("cross_entropy", Layer("y", units(3, 2), Ref("x"), activation=Activation("relu"))),
        ("cross_entropy", Layer("y", units(3, 2), Ref("x"), activation=Activation("softmax", "units"))),
        ("cross_entropy", Layer("y", units(3, 2), Ref("x"), activation=Activation("softmax"), dropout=0.5)),
        ("binary_cross_entropy", Layer("y", units(3), Ref("x"), activation=Activation("tanh"))),
        ("binary_cross_entropy", Layer("y", units(3), Apply(Activation("relu"), Ref("x")))),
    ],
)
def test_layers_without_logits(loss: str, layer: Layer) -> None:
    assert without_logits(layer, loss) is not None
    target = Target("t", (3,), 2) if loss == "cross_entropy" else Target("t", (3,))
    plan = plan_of(layer, target, Compared(loss, "y", "t"))
    with pytest.raises(ValueError, match="works from logits, and layer `y` ends in"):
        evaluated(plan, np.zeros((1, *layer.units.shape)), np.zeros((1, 3)))


def test_layers_with_logits() -> None:
    for activation, dropout in [(Activation("softmax"), 0.0), (Activation(), 0.5)]:
        layer = Layer("y", units(3, 2), Ref("x"), activation=activation, dropout=dropout)
        assert without_logits(layer, "cross_entropy") is None
    assert without_logits(Layer("y", units(3), Ref("x"), activation=Activation("relu")), "mse") is None
