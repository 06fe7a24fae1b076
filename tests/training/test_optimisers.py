"""Every optimiser, schedule and way of clipping against NumPy written from the papers' formulas, over 20 steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from trained import LINEAR, START, Update, by_numpy, linear, slopes, steps

from graphnn_compiler.training import (
    SGD,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Exponential,
    RMSprop,
    StepDecay,
    Warmup,
)
from graphnn_compiler.training.optimisers import OPTIMISERS, Optimiser
from graphnn_compiler.training.schedules import Schedule

STEPS = 20
Memory = dict[str, NDArray]


def plain(w: NDArray, g: NDArray, memory: Memory, t: int) -> NDArray:
    return w - 0.1 * g


def momentum(w: NDArray, g: NDArray, memory: Memory, t: int) -> NDArray:
    memory["v"] = 0.9 * memory.get("v", np.zeros_like(w)) - 0.05 * g
    return w + memory["v"]


def nesterov_at_the_point_ahead(w: NDArray, g: NDArray, memory: Memory, t: int) -> NDArray:
    """With u = w - 0.9 v as the paper's parameters, whose slope is taken at u + 0.9 v = w (Sutskever's equations)."""
    old = memory.get("v", np.zeros_like(w))
    u = w - 0.9 * old
    memory["v"] = 0.9 * old - 0.05 * g
    return u + memory["v"] + 0.9 * memory["v"]


def adam(w: NDArray, g: NDArray, memory: Memory, t: int) -> NDArray:
    m, s = memory.get("m", 0 * w), memory.get("s", 0 * w)
    memory["m"], memory["s"] = m + 0.1 * (g - m), s + 0.01 * (g * g - s)
    rate = 0.05 * math.sqrt(1 - 0.99**t) / (1 - 0.9**t)
    return w - rate * memory["m"] / (np.sqrt(memory["s"]) + 1e-8 * math.sqrt(1 - 0.99**t))


def adamw(w: NDArray, g: NDArray, memory: Memory, t: int) -> NDArray:
    return adam(w, g, memory, t) - 0.05 * 0.1 * w


def rmsprop(w: NDArray, g: NDArray, memory: Memory, t: int) -> NDArray:
    memory["s"] = 0.8 * memory.get("s", 0 * w) + 0.2 * g**2
    memory["v"] = 0.5 * memory.get("v", 0 * w) + 0.02 * g / (memory["s"] ** 0.5 + 1e-8)
    return w - memory["v"]


CASES: dict[str, tuple[Optimiser, Update]] = {
    "sgd": (SGD(0.1), plain),
    "momentum": (SGD(0.05, momentum=0.9), momentum),
    "nesterov": (SGD(0.05, momentum=0.9, nesterov=True), nesterov_at_the_point_ahead),
    "adam": (Adam(0.05, b2=0.99), adam),
    "adamw": (AdamW(0.05, b2=0.99, decay=0.1), adamw),
    "rmsprop": (RMSprop(0.02, decay=0.8, momentum=0.5), rmsprop),
}


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps(name: str) -> None:
    optimiser, update = CASES[name]
    net = linear()
    steps(net, STEPS, optimiser=optimiser)
    for parameter, expected in by_numpy(update, STEPS).items():
        np.testing.assert_allclose(net.weights[parameter], expected, rtol=0, atol=1e-12)
        assert np.abs(expected - START[parameter]).max() > 0.05, "nothing moved"


def test_every_optimiser_is_tested() -> None:
    assert {type(optimiser) for optimiser, _ in CASES.values()} == set(OPTIMISERS.values())


# ------------------------------------------------------------------ clipping, penalties


def test_clipping() -> None:
    def clipped(weights: dict[str, NDArray]) -> dict[str, NDArray]:
        cut = {name: np.clip(g, -0.3, 0.3) for name, g in slopes(weights).items()}
        norm = math.sqrt(sum(float((g**2).sum()) for g in cut.values()))
        return {name: g * min(1.0, 0.4 / norm) for name, g in cut.items()}

    net = linear()
    steps(net, STEPS, optimiser=SGD(0.1), clip_value=0.3, clip_norm=0.4)
    for parameter, expected in by_numpy(plain, STEPS, clipped).items():
        np.testing.assert_allclose(net.weights[parameter], expected, rtol=0, atol=1e-12)
    assert max(np.abs(g).max() for g in slopes(START).values()) > 0.3, "nothing was cut"


def test_penalties_and_several_losses_are_summed() -> None:
    def penalised(weights: dict[str, NDArray]) -> dict[str, NDArray]:
        found = slopes(weights)
        w = weights["y.x.weights"]
        return found | {"y.x.weights": found["y.x.weights"] + 0.2 * np.sign(w) + 0.1 * 2 * w}

    net = linear(LINEAR + "loss thin = 0.2 * l1(y.weights)\nloss short = 0.1 * l2(y.weights)\n")
    history = steps(net, STEPS, optimiser="sgd")
    for parameter, expected in by_numpy(lambda w, g, memory, t: w - 0.01 * g, STEPS, penalised).items():
        np.testing.assert_allclose(net.weights[parameter], expected, rtol=0, atol=1e-12)
    first = history.epochs[0].scores
    assert set(first) == {"loss", "cost", "thin", "short"}
    assert first["loss"] == pytest.approx(first["cost"] + first["thin"] + first["short"])
    assert first["thin"] == pytest.approx(0.2 * np.abs(START["y.x.weights"]).sum())


# ------------------------------------------------------------------ schedules

SCHEDULES: list[tuple[Schedule, list[float]]] = [
    (Constant(), [1, 1, 1, 1, 1]),
    (StepDecay(0.5, 2), [1, 1, 0.5, 0.5, 0.25]),
    (Exponential(0.5), [1, 0.5, 0.25, 0.125, 0.0625]),
    (Cosine(4), [1, 0.5 + math.sqrt(0.125), 0.5, 0.5 - math.sqrt(0.125), 0]),
    (Cosine(2, floor=0.2), [1, 0.6, 0.2, 0.2, 0.2]),
    (Warmup(4), [0.25, 0.5, 0.75, 1, 1]),
    (Warmup(2, Exponential(0.5)), [0.5, 0.5, 0.25, 0.125, 0.0625]),
]


@pytest.mark.parametrize(
    ("schedule", "factors"), SCHEDULES, ids=lambda it: repr(it) if not isinstance(it, list) else ""
)
def test_schedules(schedule: Schedule, factors: list[float]) -> None:
    assert [schedule.factor(k, k) for k in range(5)] == pytest.approx(factors)


def test_a_schedule_counts_steps_or_epochs() -> None:
    assert [StepDecay(0.5, 2, unit="step").factor(k, 0) for k in range(3)] == [1, 1, 0.5]
    assert Exponential(0.5, unit="step").factor(3, 1) == 0.125
    assert Cosine(10, unit="step").factor(10, 1) == 0
    assert Warmup(4, unit="epoch").factor(100, 1) == 0.5


def test_the_schedule_moves_the_rate_of_each_step() -> None:
    net = linear()
    history = steps(net, STEPS, optimiser=SGD(0.1), schedule=Warmup(4, Cosine(15, floor=0.1)))
    factors = [Warmup(4, Cosine(15, floor=0.1)).factor(k, k) for k in range(STEPS)]
    for parameter, expected in by_numpy(lambda w, g, memory, t: w - 0.1 * factors[t - 1] * g, STEPS).items():
        np.testing.assert_allclose(net.weights[parameter], expected, rtol=0, atol=1e-12)
    assert [epoch.rate for epoch in history.epochs] == pytest.approx([0.1 * factor for factor in factors])


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(0), "the learning rate is a positive number, not 0"),
        (lambda: SGD(0.1, momentum=1), "`momentum` is at least 0 and less than 1, not 1"),
        (lambda: SGD(0.1, nesterov=True), "Nesterov's method needs a momentum above 0"),
        (lambda: Adam(b1=-1), "`b1` is at least 0 and less than 1, not -1"),
        (lambda: AdamW(decay=-1), "`decay` is no negative number, as -1 is"),
        (lambda: RMSprop(epsilon=0), "`epsilon` is a positive number, not 0"),
        (lambda: Cosine(0), "`length` is a positive number, not 0"),
        (lambda: Cosine(3, floor=2), "`floor` is from 0 to 1, not 2"),
        (lambda: StepDecay(0.5, 0), "`every` is a positive number, not 0"),
        (
            lambda: Exponential(0.5, unit="epochs"),
            "there is no unit of a schedule `epochs`; did you mean `epoch`?",
        ),
        (lambda: steps(linear(), 1, optimiser="adan"), "there is no optimiser `adan`; did you mean `adam`?"),
        (lambda: steps(linear(), 0), "`epochs` is a positive number, not 0"),
        (lambda: steps(linear(), 1, clip_norm=0), "`clip_norm` is a positive number, not 0"),
    ],
)
def test_refusals(make: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole text is compared)
        make()  # type: ignore[operator]
    assert str(caught.value) == message


def test_an_unknown_option() -> None:
    with pytest.raises(TypeError, match=r"^fit has no option `epoch`; did you mean `epochs`\?$"):
        linear().fit(epoch=1)
