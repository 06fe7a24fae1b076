"""Activation functions of one float32, as branch-free arithmetic that a compiler turns into vector instructions.

Input and output: one float32, in a function that numba compiles and inlines. A loop over an array that calls one of
them runs eight or sixteen elements at a time. Not for: float64, arrays, symbolic variables.

Errors are in units in the last place (ulp) of the exact result rounded to float32, the largest over all 2^32 inputs
as `benchmarks/elementwise.py --sweep` finds it with fused multiply-add; denormal results count in the same units.
NaN gives NaN, and infinities and signed zeros give the limits of the function.

The methods are those of W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", Prentice-Hall 1980:
an argument reduced by multiples of ln 2 in two parts for the exponential, rational functions for the rest. The
coefficients are our own: minimax fits of the relative error, found in float64 by `benchmarks/fit_float32.py` (least
squares in the Chebyshev points, weighted anew in every round by C. L. Lawson's rule, with the denominators of
C. Sanathanan and J. Koerner, IEEE Trans. Automatic Control 8, 1963) and rounded to float32.
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
_compiled: Callable[[_Function], _Function] = njit(fastmath={"contract"}, error_model="numpy", forceinline=True)

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
def exp_difference32(x: Any, y: Any) -> Any:
    """e^(x - y) for x <= y, of the exact difference (Knuth, The Art of Computer Programming 2, 4.2.2, theorem B)."""
    d = x - y
    kept = d + y
    low = (x - kept) - (y - (kept - d))
    low = low if d > _F(-104) else _ZERO
    d = _F(-104) if d < _F(-104) else d
    n, whole = _halvings(d)
    return _scaled(_exp_rest(_rest(d, whole) + low), n)


@_compiled
def expm1_32(x: Any) -> Any:
    """e^x - 1."""
    clipped = _F(-20) if x < _F(-20) else x
    clipped = _F(89) if clipped > _F(89) else clipped
    n, whole = _halvings(clipped)
    r = _rest(clipped, whole)
    half = _power(n - 1)  # half of 2^n, which itself overflows before the result does
    value = _F(2) * (half * ((r * r) * _exp_second_order(r) + r) + (half - _HALF))
    return x if abs(x) < _F(1e-8) else value  # keeps the sign of zero and the bits of denormals


@_compiled
def elu32(x: Any) -> Any:
    """x, or e^x - 1 where x is negative (Clevert, Unterthiner and Hochreiter 2016)."""
    return expm1_32(x) if x < _ZERO else x


@_compiled
def sigmoid32(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    power = exp32(-abs(x))
    return (power if x < _ZERO else _ONE) / (_ONE + power)


@_compiled
def silu32(x: Any) -> Any:
    """x / (1 + e^-x) (Hendrycks and Gimpel 2016, Elfwing, Uchibe and Doya 2018)."""
    size = abs(x)
    size = _F(112) if size > _F(112) else size  # 112 e^-112 rounds to 0
    n, whole = _halvings(-size)
    power = _exp_rest(_rest(-size, whole))
    # scaled last: the sigmoid alone loses bits as a denormal where the product is not one
    return (_scaled(-size * power, n) if x < _ZERO else x) / (_ONE + _scaled(power, n))


@_compiled
def softplus32(x: Any) -> Any:
    """ln(1 + e^x)."""
    z = exp32(-abs(x))
    p = _F(3.4560666e-3) * z + _F(0.239319623)
    p = p * z + _F(1.06813204)
    p = p * z + _ONE
    q = _F(7.57480636e-2) * z + _F(0.690055132)
    q = q * z + _F(1.56813192)
    q = q * z + _ONE
    return (_ZERO if x < _ZERO else x) + z * p / q  # p / q is ln(1 + z) / z on 0..1


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


# ------------------------------------------------------------------ the normal distribution


@_compiled
def _square(x: Any) -> Any:
    """x^2 as an exact high part and a low part."""
    high = np.int32(np.float32(x).view(np.int32) & np.int32(-4096)).view(np.float32)  # 12 bits
    return high * high, (x - high) * (x + high)


@_compiled
def _normal_tail(t: Any, high: Any, low: Any) -> Any:
    """Phi(-t), t of 0..15, as e^r 2^n / w: e^r - 1, n and w, from t and t^2 / 2 = high + low.

    w is sqrt(2 pi) t and a rational function that falls from 2 to 0, whose errors fade where t is large.
    """
    n, whole = _halvings(-(high + low))
    r = _rest(-high, whole) - low
    p = _F(4.68892744e-3) * t + _F(5.61395101e-2)
    p = p * t + _F(0.312574565)
    p = p * t + _F(0.946316183)
    p = p * t + _F(1.5)
    q = _F(1.87044358e-3) * t + _F(2.24051606e-2)
    q = q * t + _F(0.128244326)
    q = q * t + _F(0.424874395)
    q = q * t + _F(0.814730287)
    q = q * t + _F(0.75)
    return (r * r) * _exp_second_order(r) + r, n, _F(2.50662827) * t + p / q


@_compiled
def _tail_at(x: Any) -> Any:
    """t = |x|, 15 at most, from where t Phi(-t) rounds to 0, and the parts of Phi(-t)."""
    t = abs(x)
    t = _F(15) if t > _F(15) else t
    high, low = _square(t)
    less_one, n, w = _normal_tail(t, _HALF * high, _HALF * low)
    return t, less_one, n, w


@_compiled
def normal_cdf32(x: Any) -> Any:
    """Phi(x), the distribution function of the standard normal distribution."""
    _, less_one, n, w = _tail_at(x)
    tail = _scaled((less_one + _ONE) / w, n)
    return _ONE - tail if x > _ZERO else tail


@_compiled
def erfc32(x: Any) -> Any:
    """The complementary error function, 2 Phi(-sqrt(2) x)."""
    size = abs(x)
    size = _F(10.5) if size > _F(10.5) else size  # erfc 10.5 rounds to 0
    high, low = _square(size)
    less_one, n, w = _normal_tail(_F(1.41421356) * size, high, low)
    tail = _scaled((less_one + _ONE) / (_HALF * w), n)
    return _F(2) - tail if x < _ZERO else tail


@_compiled
def gelu32(x: Any) -> Any:
    """x Phi(x) (Hendrycks and Gimpel 2016)."""
    t, less_one, n, w = _tail_at(x)
    return (_ZERO if x < _ZERO else x) - _scaled((t * less_one + t) / w, n)


@_compiled
def gelu_slope32(x: Any) -> Any:
    """The derivative of `gelu32`, Phi(x) + x Phi'(x)."""
    t, less_one, n, w = _tail_at(x)
    power = less_one + _ONE
    part = _scaled(power / w - t * (_F(0.398942280) * power), n)  # Phi(-t) - t Phi'(t), with 1 / sqrt(2 pi)
    return _ONE - part if x > _ZERO else part
