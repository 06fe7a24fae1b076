"""Optimisers: how one step of training moves the parameters against the slopes of the loss.

Input: parameters, slopes and a rate as PyTensor variables. Output: the parameters' next values, and the state that the
optimiser keeps from step to step, as shared variables with names, so that it can be saved. Every optimiser is a frozen
dataclass of its numbers. Not for: schedules of the rate, clipping, constraints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import pytensor
import pytensor.tensor as pt

from graphnn_compiler.training.refusals import require, require_choice

Variable: TypeAlias = Any
"""A PyTensor variable; PyTensor ships no complete types."""


class State:
    """Named shared variables that live as long as a training, and what a step makes of them."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.updates: dict[Variable, Variable] = {}

    def like(self, name: str, parameter: Variable) -> Variable:
        """A new variable of zeros, of the shape and dtype of a parameter's."""
        return self.added(f"{name}:{parameter.name}", np.zeros_like(parameter.get_value(borrow=True)))

    def added(self, name: str, start: Any) -> Variable:
        """A new variable under a name that no other has."""
        assert name not in self.variables
        value = np.asarray(start)
        self.variables[name] = pytensor.shared(value, name=name, shape=value.shape)
        return self.variables[name]

    def becomes(self, variable: Variable, value: Variable) -> Variable:
        """Let a step replace the variable by a value, which is returned."""
        self.updates[variable] = value
        return value


class Optimiser(Protocol):
    """What training asks of an optimiser."""

    @property
    def rate(self) -> float:
        """The learning rate before its schedule."""

    def moved(
        self, parameters: Mapping[str, Variable], slopes: Mapping[str, Variable], rate: Variable, state: State
    ) -> dict[str, Variable]:
        """The next value of each parameter, by name; `rate` is a float64 scalar, the rest is of the network's dtype."""


def _as(number: Any, like: Variable) -> Variable:
    """A number, or a float64 scalar, in the dtype of `like`."""
    return pt.as_tensor_variable(np.asarray(number) if isinstance(number, float | int) else number).astype(like.dtype)


def _check(rate: float, **fractions: float) -> None:
    require(rate > 0, f"the learning rate is a positive number, not {rate}")
    for name, value in fractions.items():
        require(0 <= value < 1, f"`{name}` is at least 0 and less than 1, not {value}")


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, with momentum if asked for.

    v <- momentum v - rate g,  w <- w + v;  with `nesterov`  w <- w + momentum v - rate g  (the new v). Momentum after
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Nesterov's in the form of
    I. Sutskever, J. Martens, G. Dahl and G. Hinton, "On the importance of initialization and momentum in deep
    learning", ICML 2013, equations 3 and 4, written for the point at which the slope is taken.
    """

    rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        _check(self.rate, momentum=self.momentum)
        require(self.momentum > 0 or not self.nesterov, "Nesterov's method needs a momentum above 0")

    def moved(
        self, parameters: Mapping[str, Variable], slopes: Mapping[str, Variable], rate: Variable, state: State
    ) -> dict[str, Variable]:
        moved = {}
        for name, weights in parameters.items():
            downhill = -_as(rate, weights) * slopes[name]
            if self.momentum == 0:
                moved[name] = weights + downhill
                continue
            keep = _as(self.momentum, weights)
            before = state.like("velocity", weights)
            velocity = state.becomes(before, keep * before + downhill)
            moved[name] = weights + (keep * velocity + downhill if self.nesterov else velocity)
        return moved


@dataclass(frozen=True)
class Adam:
    """Adam: steps of the size of the rate, along averages of slopes over averages of their squares.

    m <- b1 m + (1 - b1) g,  s <- b2 s + (1 - b2) g^2,  w <- w - rate mh / (sqrt(sh) + epsilon)  with
    mh = m / (1 - b1^t), sh = s / (1 - b2^t). D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization",
    ICLR 2015, arXiv:1412.6980, algorithm 1.
    """

    rate: float = 0.001
    b1: float = 0.9
    b2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _check(self.rate, b1=self.b1, b2=self.b2)
        require(self.epsilon > 0, f"`epsilon` is a positive number, not {self.epsilon}")

    def moved(
        self, parameters: Mapping[str, Variable], slopes: Mapping[str, Variable], rate: Variable, state: State
    ) -> dict[str, Variable]:
        directions = adam_directions(parameters, slopes, (self.b1, self.b2, self.epsilon), state)
        return {name: weights - _as(rate, weights) * directions[name] for name, weights in parameters.items()}


@dataclass(frozen=True)
class AdamW:
    """Adam with weight decay apart from the slopes: w <- w - rate (mh / (sqrt(sh) + epsilon) + decay w).

    The decay reaches every parameter that moves. I. Loshchilov and F. Hutter, "Decoupled weight decay regularization",
    ICLR 2019, arXiv:1711.05101, algorithm 2, with the decay times the rate.
    """

    rate: float = 0.001
    b1: float = 0.9
    b2: float = 0.999
    epsilon: float = 1e-8
    decay: float = 0.01

    def __post_init__(self) -> None:
        _check(self.rate, b1=self.b1, b2=self.b2)
        require(self.epsilon > 0, f"`epsilon` is a positive number, not {self.epsilon}")
        require(self.decay >= 0, f"`decay` is no negative number, as {self.decay} is")

    def moved(
        self, parameters: Mapping[str, Variable], slopes: Mapping[str, Variable], rate: Variable, state: State
    ) -> dict[str, Variable]:
        directions = adam_directions(parameters, slopes, (self.b1, self.b2, self.epsilon), state)
        moved = {}
        for name, weights in parameters.items():
            direction = directions[name] + _as(self.decay, weights) * weights
            moved[name] = weights - _as(rate, weights) * direction
        return moved


def adam_directions(
    parameters: Mapping[str, Variable],
    slopes: Mapping[str, Variable],
    numbers: tuple[float, float, float],
    state: State,
) -> dict[str, Variable]:
    """mh / (sqrt(sh) + epsilon) of algorithm 1; `numbers` are b1, b2, epsilon. The corrections are made in float64."""
    b1, b2, epsilon = numbers
    before = state.added("time", np.int64(0))
    time = state.becomes(before, before + 1).astype("float64")
    corrections = 1 - pt.power(b1, time), 1 - pt.power(b2, time)
    directions = {}
    for name, weights in parameters.items():
        slope = slopes[name]
        mean, square = state.like("mean", weights), state.like("square", weights)
        mean = state.becomes(mean, _as(b1, weights) * mean + _as(1 - b1, weights) * slope)
        square = state.becomes(square, _as(b2, weights) * square + _as(1 - b2, weights) * pt.sqr(slope))
        unbiased, spread = mean / _as(corrections[0], weights), pt.sqrt(square / _as(corrections[1], weights))
        directions[name] = unbiased / (spread + _as(epsilon, weights))
    return directions


@dataclass(frozen=True)
class RMSprop:
    """Steps along slopes over the root of an average of their squares, with momentum if asked for.

    s <- decay s + (1 - decay) g^2,  v <- momentum v - rate g / (sqrt(s) + epsilon),  w <- w + v. T. Tieleman and
    G. Hinton, "Lecture 6.5: rmsprop", COURSERA: Neural networks for machine learning, 2012.
    """

    rate: float = 0.001
    decay: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _check(self.rate, decay=self.decay, momentum=self.momentum)
        require(self.epsilon > 0, f"`epsilon` is a positive number, not {self.epsilon}")

    def moved(
        self, parameters: Mapping[str, Variable], slopes: Mapping[str, Variable], rate: Variable, state: State
    ) -> dict[str, Variable]:
        moved = {}
        for name, weights in parameters.items():
            square = state.like("square", weights)
            kept, new = _as(self.decay, weights), _as(1 - self.decay, weights)
            square = state.becomes(square, kept * square + new * pt.sqr(slopes[name]))
            downhill = -_as(rate, weights) * slopes[name] / (pt.sqrt(square) + _as(self.epsilon, weights))
            if self.momentum > 0:
                velocity = state.like("velocity", weights)
                downhill = state.becomes(velocity, _as(self.momentum, weights) * velocity + downhill)
            moved[name] = weights + downhill
        return moved


OPTIMISERS: Mapping[str, type[SGD] | type[Adam] | type[AdamW] | type[RMSprop]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
}
"""Optimisers by the names that `fit` and the command line take."""


def optimiser(given: str | Optimiser, rate: float | None = None) -> Optimiser:
    """An optimiser by name, with the rate given or else its own default; or the given one. ValueError if unknown."""
    if not isinstance(given, str):
        require(rate is None, "the rate of an optimiser is an argument of its own: Adam(rate=0.01)")
        return given
    require_choice("optimiser", given, OPTIMISERS)
    kind = OPTIMISERS[given]
    return kind() if rate is None else kind(rate=rate)
