"""Initialisers of trainable weights: what uniform draws in [0, 1) become.

Input: an initialiser, draws, fan-in and fan-out. Output: start values, elementwise save for orthogonal matrices. Not
for: which stream an entry draws from, and where it stands (see `weights`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from graphnn_compiler.diagnostics import Problem, count

Amount = float | NDArray[np.float64]
"""One number, or one per edge: float64 of shape (E,)."""


@dataclass(frozen=True)
class Fan:
    """Fan-in and fan-out of the weights: one number each, or one per edge."""

    inputs: Amount
    outputs: Amount


@dataclass(frozen=True)
class Glorot:
    """U(-a, a) with a = sqrt(6 / (fan-in + fan-out)): Glorot and Bengio, AISTATS 2010, equation 16."""


@dataclass(frozen=True)
class He:
    """N(0, 2 / fan-in), a variance: He, Zhang, Ren and Sun, ICCV 2015, equation 10."""


@dataclass(frozen=True)
class Lecun:
    """N(0, 1 / fan-in), a variance: LeCun, Bottou, Orr and Mueller, "Efficient BackProp", 1998, section 4.6."""


@dataclass(frozen=True)
class Orthogonal:
    """A matrix with orthonormal columns, or rows if there are fewer: Saxe, McClelland and Ganguli, ICLR 2014."""


@dataclass(frozen=True)
class Constant:
    """The same number everywhere; `zeros` is `Constant(0.0)`."""

    value: float


@dataclass(frozen=True, eq=False)
class Normal:
    """Normal draws. Raises Problem E315 for a parameter that is not finite or a negative deviation."""

    mean: Amount
    std: Amount

    def __post_init__(self) -> None:
        _check_parameter(self.mean, "mean")
        _check_parameter(self.std, "standard deviation", lowest=0.0)


@dataclass(frozen=True, eq=False)
class Uniform:
    """Uniform draws in [low, high). Raises Problem E315 for a bound that is not finite, or low above high."""

    low: Amount
    high: Amount

    def __post_init__(self) -> None:
        _check_parameter(self.low, "lower bound")
        _check_parameter(self.high, "upper bound", lowest=self.low)


@dataclass(frozen=True, eq=False)
class PerEdge:
    """The values of an expression, float64 (E,); a block takes its edge's value in every place.

    Raises Problem E315 where a value is not finite.
    """

    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        _check_parameter(self.values, "start value")


Initialiser = Glorot | He | Lecun | Orthogonal | Constant | Normal | Uniform | PerEdge


def _check_parameter(amount: Amount, what: str, lowest: Amount = -math.inf) -> None:
    finite = np.isfinite(amount)
    wrong = ~finite | (np.asarray(amount) < lowest)
    if not wrong.any():
        return
    fault = "not a finite number" if not finite.all() else "negative" if np.all(lowest == 0) else "below the lower one"
    where = f" on {count(int(wrong.sum()), 'edge')}" if np.ndim(wrong) else ""
    raise Problem(
        "E315",
        f"the {what} in `init` is {fault}{where}",
        help="`normal(m, s)` needs s >= 0 and `uniform(a, b)` needs a <= b; look for a division by zero",
    )


def standard_normal(uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal quantiles of uniform draws in [0, 1); the draw 0 counts as 2**-54, which keeps the result finite."""
    quantiles: NDArray[np.float64] = ndtri(np.maximum(uniforms, 2.0**-54))
    return quantiles


def orthogonal(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The orthogonal factor of matrices (.., m, n) of normal draws, with the signs that make it uniform.

    Columns are orthonormal where m >= n, else rows. The signs are those of Mezzadri, "How to generate random matrices
    from the classical compact groups", Notices of the AMS 54, 2007. Raises ValueError for less than two dimensions.
    """
    if normals.ndim < 2:
        raise ValueError(f"orthogonal start values need matrices, not an array of shape {normals.shape}")
    wide = normals.shape[-2] < normals.shape[-1]
    q, r = np.linalg.qr(normals.swapaxes(-1, -2) if wide else normals)
    signs = np.where(np.diagonal(r, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
    factor: NDArray[np.float64] = q * signs[..., None, :]
    return factor.swapaxes(-1, -2) if wide else factor


def transform(
    init: Initialiser, draws: NDArray[np.float64], fans: Fan, part: slice | None = None
) -> NDArray[np.float64]:
    """The start values that uniform draws of shape (n, ..) become, of the same shape.

    Where the first axis is edges, `part` says which of them these are, and amounts may be one per edge; where it is
    not, `part` is None and an amount per edge is a ValueError.
    """

    def mine(amount: Amount) -> Amount:
        if not isinstance(amount, np.ndarray):
            return amount
        if part is None:
            raise ValueError("weights that are not per edge cannot start from values per edge")
        return amount[part].reshape(-1, *(1,) * (draws.ndim - 1))

    match init:
        case Glorot():
            bound = np.sqrt(6.0 / (mine(fans.inputs) + mine(fans.outputs)))
            return np.asarray(bound * (2.0 * draws - 1.0))
        case He():
            return np.asarray(np.sqrt(2.0 / mine(fans.inputs)) * standard_normal(draws))
        case Lecun():
            return np.asarray(np.sqrt(1.0 / mine(fans.inputs)) * standard_normal(draws))
        case Orthogonal():
            return orthogonal(standard_normal(draws))
        case Constant(value):
            return np.full(draws.shape, value)
        case Normal():
            return np.asarray(mine(init.mean) + mine(init.std) * standard_normal(draws))
        case Uniform():
            return np.asarray(mine(init.low) + (mine(init.high) - mine(init.low)) * draws)
        case PerEdge():
            return np.broadcast_to(mine(init.values), draws.shape)
        case _:
            assert_never(init)
