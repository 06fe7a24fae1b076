"""The Huber and the Poisson loss against the reference and finite differences, and at their edges."""

from __future__ import annotations

import numpy as np
import pytest
from plans import units
from test_objectives import W, evaluated, plan_of

from graphnn_compiler.backend import reference
from graphnn_compiler.backend.objectives import without_logits
from graphnn_compiler.topology.plan import Activation, Apply, Compared, Layer, Ref, Target

HUBER = [Compared("huber", "y", "t", delta=delta) for delta in (1.0, 0.3, 50.0)]


def both(layer: Layer, x: np.ndarray, truth: np.ndarray, *goals: Compared) -> tuple[list[np.ndarray], list[float]]:
    """The backend's values and slopes, and the values by the reference."""
    plan = plan_of(layer, Target("t", layer.units.shape), *goals)
    expected = reference.objective(plan, {"w": W}, {"x": x}, {"t": truth})
    return evaluated(plan, x, truth), list(expected.values())


@pytest.mark.parametrize("channels", [None, 2])
def test_huber(channels: int | None) -> None:
    rng = np.random.default_rng(5)
    layer = Layer("y", units(3, channels), Ref("x"), output=True)
    shape = (4, *layer.units.shape)
    found, expected = both(layer, 2 * rng.normal(size=shape), rng.normal(size=shape), *HUBER)
    assert [float(one) for one in found[:3]] == pytest.approx(expected, rel=1e-12)


def test_huber_is_half_the_square_inside_and_a_line_outside() -> None:
    layer = Layer("y", units(4), Ref("x"), output=True)
    found, _ = both(layer, np.array([0.5, -0.5, 3.0, -3.0]), np.zeros(4), *HUBER[:2])
    assert float(found[0]) == pytest.approx((0.125 + 0.125 + 2.5 + 2.5) / 4)
    np.testing.assert_allclose(found[2], np.array([0.5, -0.5, 1, -1]) / 4)
    np.testing.assert_allclose(found[3], np.array([0.3, -0.3, 0.3, -0.3]) / 4)


@pytest.mark.parametrize("body", ["linear", "exp", "outer"])
def test_poisson(body: str) -> None:
    rng = np.random.default_rng(6)
    function = Apply(Activation("exp"), Ref("x")) if body == "outer" else Ref("x")
    layer = Layer("y", units(3, 2), function, activation=Activation("exp" if body == "exp" else "linear"), output=True)
    truth = rng.integers(0, 5, (4, 3, 2)).astype(float)
    truth[:, 1] = np.nan
    found, expected = both(layer, rng.normal(size=(4, 3, 2)), truth, Compared("poisson", "y", "t", np.array([0, 2])))
    assert float(found[0]) == pytest.approx(expected[0], rel=1e-12)
    assert np.all(np.isfinite(found[1]))


def test_poisson_works_from_log_rates_where_rates_are_zero() -> None:
    layer = Layer("y", units(1), Ref("x"), activation=Activation("exp"), output=True)
    plan = plan_of(layer, Target("t", (1,)), Compared("poisson", "y", "t"), dtype="float32")
    loss, slope = evaluated(plan, np.float32([[-800]]), np.float32([[2]]))
    assert (loss, slope) == (1600, -2)


@pytest.mark.parametrize(
    "goal", [*HUBER, Compared("poisson", "y", "t", np.array([1, 2]))], ids=lambda goal: f"{goal.name} {goal.delta}"
)
def test_gradients_are_those_of_finite_differences(goal: Compared) -> None:
    rng = np.random.default_rng(7)
    activation = Activation("exp" if goal.name == "poisson" else "tanh")
    layer = Layer("y", units(3), Ref("x"), activation=activation, output=True)
    x, truth = rng.normal(size=(2, 3)), rng.integers(0, 3, (2, 3)).astype(float)
    (_, slope), _ = both(layer, x, truth, goal)
    step = 1e-6
    for place in np.ndindex(x.shape):
        aside = np.zeros_like(x)
        aside[place] = step
        above, below = (both(layer, x + sign * aside, truth, goal)[1][0] for sign in (1, -1))
        assert slope[place] == pytest.approx((above - below) / (2 * step), abs=1e-8)


def test_layers_without_log_rates() -> None:
    softplus = Layer("y", units(3), Ref("x"), activation=Activation("softplus"))
    assert without_logits(softplus, "poisson") == "`poisson` works from log-rates, and layer `y` ends in softplus"
    dropped = Layer("y", units(3), Ref("x"), activation=Activation("exp"), dropout=0.5)
    expected = "`poisson` works from log-rates, and layer `y` ends in exp and dropout after it"
    assert without_logits(dropped, "poisson") == expected
    with pytest.raises(ValueError, match="works from log-rates"):
        both(softplus, np.zeros((1, 3)), np.zeros((1, 3)), Compared("poisson", "y", "t"))


@pytest.mark.parametrize("name", ["auc", "r2", "spearman"])
def test_scores_have_no_variable(name: str) -> None:
    plan = plan_of(Layer("y", units(2), Ref("x"), output=True), Target("t", (2,)), Compared(name, "y", "t"))
    with pytest.raises(
        ValueError, match=f"`{name}` is computed from arrays, by `Network.evaluate`, and is no variable"
    ):
        evaluated(plan, np.zeros((3, 2)), np.zeros((3, 2)))
