"""The coefficients of `graphnn_compiler/backend/float32.py`: run it, and it prints them.

Each is a minimax fit P / Q of least relative error over an interval. It is found by linear least squares in the
Chebyshev points, with the denominator of the round before as a weight (C. Sanathanan and J. Koerner, IEEE Trans.
Automatic Control 8, 1963), and with the error of the round before as another (C. L. Lawson, thesis, UCLA 1961).
Coefficients are rounded to float32 one after another, from the constant up, and the rest fitted anew around them, so
that later ones make up for the rounding of earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx

Function = Callable[[NDArray], NDArray]
N_POINTS, N_ROUNDS = 1201, 80
ULP = 2.0**-24


def chebyshev_points(first: float, last: float) -> NDArray:
    angles = np.pi * (np.arange(N_POINTS) + 0.5) / N_POINTS
    return (first + last) / 2 - (last - first) / 2 * np.cos(angles)


def fit(
    x: NDArray, y: NDArray, size: NDArray, degrees: tuple[int, int], fixed: dict[int, float]
) -> tuple[float, NDArray]:
    """The largest error in units of `size`, and the coefficients of P and then of Q, those of `fixed` as they are."""
    n_p = degrees[0] + 1
    powers = [x**i for i in range(n_p)] + [-y * x**i for i in range(degrees[1] + 1)]
    values = np.array([fixed.get(i, np.nan) for i in range(len(powers))])
    free = np.isnan(values)
    weights, q = np.ones_like(x), np.ones_like(x)
    best = (np.inf, values)
    for _ in range(N_ROUNDS):
        matrix = np.stack(powers, axis=1) * (np.sqrt(weights) / (size * q))[:, None]
        if free.any():
            scale = np.abs(matrix[:, free]).max(axis=0)
            wanted = -matrix[:, ~free] @ values[~free]
            values[free] = np.linalg.lstsq(matrix[:, free] / scale, wanted, rcond=None)[0] / scale
        q = np.polyval(values[n_p:][::-1], x)
        errors = np.abs(np.polyval(values[:n_p][::-1], x) / q - y) / size
        if errors.max() < best[0]:
            best = (float(errors.max()), values.copy())
        weights *= errors / errors.max() + 1e-3
        weights /= weights.mean()
    return best


def print_rounded(
    name: str, function: Function, interval: tuple[float, float], degrees: tuple[int, int], start: tuple[float, float],
    size: Function | None = None,
) -> None:  # fmt: skip
    """`start`: the constants of P and Q. `size`: what the error is relative to, the function itself unless given."""
    x = chebyshev_points(*interval)
    y = function(x)
    unit = y if size is None else size(x)
    n_p = degrees[0] + 1
    fixed = {0: start[0], n_p: start[1]}
    others = sorted(set(range(sum(degrees) + 2)) - fixed.keys(), key=lambda i: i % n_p if i < n_p else i - n_p)
    for i in others:
        fixed[i] = float(np.float32(fit(x, y, unit, degrees, fixed)[1][i]))
    error, values = fit(x, y, unit, degrees, fixed)
    print(f"{name}: relative error {error:.2g}, {error / ULP:.2g} halves of an ulp of 1")
    print("  P", *(f"{value:.9g}" for value in values[:n_p]))
    print("  Q", *(f"{value:.9g}" for value in values[n_p:]))


def exp_second_order(r: NDArray) -> NDArray:
    """(e^r - 1 - r) / r^2, by its series where the difference would cancel."""
    safe = np.where(np.abs(r) < 1e-2, 1, r)
    series = sum(r**k / float(np.prod(np.arange(1, k + 3))) for k in range(8))
    return np.where(np.abs(r) < 1e-2, series, (np.expm1(safe) - safe) / safe**2)


def inverse_mills(t: NDArray) -> NDArray:
    """e^-(t^2 / 2) / Phi(-t)."""
    return 2 / erfcx(t / np.sqrt(2))


def main() -> None:
    half = np.log(2) / 2 * 1.01
    slope = float(np.float32(np.sqrt(2 * np.pi)))
    print_rounded("(e^r - 1 - r) / r^2", exp_second_order, (-half, half), (4, 0), (0.5, 1))
    print_rounded("ln(1 + z) / z", lambda z: np.log1p(z) / z, (0, 1), (3, 3), (1, 1))
    print_rounded(
        f"e^-(t^2 / 2) / Phi(-t) - {slope:.9g} t, relative to the first term",
        lambda t: inverse_mills(t) - slope * t,
        (0, 15),
        (4, 5),
        (1.5, 0.75),
        inverse_mills,
    )


if __name__ == "__main__":
    main()
