"""Activation functions of one float32, as branch-free arithmetic that a compiler turns into vector instructions.

Input and output: one float32, in a function that numba compiles and inlines. A loop over an array that calls one of
them runs eight or sixteen elements at a time. Not for: float64, arrays, symbolic variables.

Errors are in units in the last place (ulp) of the exact result rounded to float32; `tests/backend/test_float32.py`
bounds them over every 1009th of the 2^32 inputs. NaN gives NaN, and infinities and signed zeros give the limits of the
function.

The method is that of W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", Prentice-Hall 1980: an
argument reduced by multiples of ln 2 in two parts. The coefficients are a minimax fit of the relative error, found in
float64 (least squares in the Chebyshev points, weighted anew in every round by C. L. Lawson's rule).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])

# `contract` makes a multiplication and an addition one instruction. The flags that reorder sums would break the
# two-part reductions, so these functions are inlined as finished code, which keeps the flags they were compiled with
# whatever those of the caller. Division by zero is an infinity, not an error that would be a branch.
_compiled: Callable[[_Function], _Function] = njit(
    fastmath={"contract"}, error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
)

_F = np.float32

# ------------------------------------------------------------------ powers of two

_LOG2_E = _F(1.44269504)
_LN2_HIGH = _F(0.693359375)  # 9 bits, so that multiples up to 2^15 are exact
_LN2_LOW = _F(-2.12194440e-4)
_ROUNDER = _F(12582912.0)  # 1.5 * 2^23: numbers added to it are rounded to integers, held in its last bits
_ROUNDER_BITS = np.int32(0x4B400000)

_ZERO, _HALF, _ONE = _F(0), _F(0.5), _F(1)


@_compiled
def _power(n: Any) -> Any:
    """2^n for an integer n of -126..127."""
    return np.int32((n + 127) << 23).view(np.float32)


@_compiled
def _scaled(x: Any, n: Any) -> Any:
    """x 2^n for an integer n of -252..254, rounded once where the result is denormal."""
    half = n >> 1
    return x * _power(half) * _power(n - half)


@_compiled
def _halvings(x: Any) -> Any:
    """The integer nearest to x / ln 2, as an integer and as a float32, for |x| < 2^21."""
    rounded = x * _LOG2_E + _ROUNDER
    return np.int32(np.float32(rounded).view(np.int32) - _ROUNDER_BITS), rounded - _ROUNDER


@_compiled
def _rest(x: Any, n: Any) -> Any:
    """x - n ln 2."""
    return (x - n * _LN2_HIGH) - n * _LN2_LOW


@_compiled
def _exp_second_order(r: Any) -> Any:
    """(e^r - 1 - r) / r^2 on |r| <= 0.35; relative error 1.3e-7."""
    q = _F(1.39057962e-3) * r + _F(8.36349092e-3)
    q = q * r + _F(4.16667685e-2)
    q = q * r + _F(0.166665763)
    return q * r + _HALF


@_compiled
def _exp_rest(r: Any) -> Any:
    """e^r on |r| <= 0.35."""
    return (r * r) * _exp_second_order(r) + r + _ONE


@_compiled
def _signed(y: Any, x: Any) -> Any:
    """y, which is not negative, with the sign of x."""
    sign = np.float32(x).view(np.int32) & np.int32(-(2**31))
    return np.int32(np.float32(y).view(np.int32) | sign).view(np.float32)


# ------------------------------------------------------------------ exponentials


@_compiled
def exp32(x: Any) -> Any:
    """e^x."""
    x = _F(-104) if x < _F(-104) else x  # e^-104 rounds to 0
    x = _F(89) if x > _F(89) else x  # e^89 overflows
    n, whole = _halvings(x)
    return _scaled(_exp_rest(_rest(x, whole)), n)


@_compiled
def sigmoid32(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    power = exp32(-abs(x))
    return (power if x < _ZERO else _ONE) / (_ONE + power)


@_compiled
def tanh32(x: Any) -> Any:
    """The hyperbolic tangent, (e^2|x| - 1) / (e^2|x| + 1) with the sign of x."""
    twice = _F(2) * abs(x)
    twice = _F(20) if twice > _F(20) else twice  # tanh 10 rounds to 1
    n, whole = _halvings(twice)
    r = _rest(twice, whole)
    power = _power(n)
    less_one = power * ((r * r) * _exp_second_order(r) + r) + (power - _ONE)
    return _signed(less_one / (less_one + _F(2)), x)
