"""Constraints: what the numbers of a parameter must keep to, restored after each step.

Input: a parameter's value after a step. Output: the nearest value that keeps to the constraint (its projection), so
that the method is projected gradient descent. Not for: penalties, which are terms of a loss; frozen parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pytensor.tensor as pt
from numpy.typing import ArrayLike, NDArray

from graphnn_compiler.training.digests import digest
from graphnn_compiler.training.optimisers import State, Variable
from graphnn_compiler.training.refusals import require


class Constraint(Protocol):
    """What training asks of a constraint."""

    def projected(self, parameter: Variable, value: Variable, state: State) -> Variable:
        """The nearest value to `value` that keeps to the constraint.

        `parameter` is the shared variable as it was before training; what must be remembered of it goes to `state`.
        """


@dataclass(frozen=True)
class NonNegative:
    """Every number is 0 or more."""

    def projected(self, parameter: Variable, value: Variable, state: State) -> Variable:
        return pt.maximum(value, pt.constant(np.zeros((), dtype=parameter.dtype)))


@dataclass(frozen=True)
class KeepSign:
    """Every number keeps the sign that it has when training starts, or is 0; one that is 0 then is free."""

    def projected(self, parameter: Variable, value: Variable, state: State) -> Variable:
        return _with_signs(np.sign(parameter.get_value(borrow=True)), parameter, value, state)


class Sign:
    """Every number has the sign given for it, or is 0: 1 or -1, and 0 leaves it free.

    `signs` is one number, an array of the parameter's shape, or by edge `{(source key, target key): sign}`, which
    leaves the other edges free.
    """

    def __init__(self, signs: ArrayLike | Mapping[tuple[Any, Any], int]) -> None:
        self.by_edge = dict(signs) if isinstance(signs, Mapping) else None
        self.signs: NDArray[Any] = np.asarray(signs if self.by_edge is None else list(self.by_edge.values()))
        require(bool(np.isin(self.signs, (-1, 0, 1)).all()), "signs are 1, -1 or 0")

    def __repr__(self) -> str:
        edges = "" if self.by_edge is None else f", of {digest(_bytes(repr(list(self.by_edge))))}"
        return f"Sign({self.signs.shape}, {digest(self.signs)}{edges})"

    def projected(self, parameter: Variable, value: Variable, state: State) -> Variable:
        shape = parameter.type.shape
        fits = self.signs.shape in ((), shape)
        require(fits, f"the signs of parameter `{parameter.name}` have shape {shape}, not {self.signs.shape}")
        return _with_signs(np.broadcast_to(self.signs, shape), parameter, value, state)


def _bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _with_signs(signs: NDArray, parameter: Variable, value: Variable, state: State) -> Variable:
    kept = state.added(f"sign:{parameter.name}", signs.astype(np.int8))
    zero = pt.constant(np.zeros((), dtype=parameter.dtype))
    return pt.switch(kept.astype(parameter.dtype) * value < zero, zero, value)
