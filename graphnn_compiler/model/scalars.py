"""Arithmetic on constants, as in Python but bounded: whole numbers stay within 64 bits.

Input: constants and an operator. Output: a constant, or `ArithmeticError` with a message for the user. Not for:
columns of data.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

Number = int | float

INT64_MAX = 2**63 - 1

_BINARY: dict[str, Callable[[Number, Number], Number]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}

_ORDER: dict[str, Callable[[Number, Number], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

FUNCTIONS: dict[str, Callable[[Number], Number]] = {
    "abs": abs,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "floor": math.floor,
    "ceil": math.ceil,
}


def is_finite(value: Number) -> bool:
    """Whether a number is one that programs compute with: no NaN, no infinity, a whole one within 64 bits."""
    return -INT64_MAX - 1 <= value <= INT64_MAX if isinstance(value, int) else math.isfinite(value)


def is_number(value: object) -> bool:
    """Whether a value is a number; truth values are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def arithmetic(symbol: str, left: Number, right: Number) -> Number:
    """`left symbol right`. Raises ArithmeticError: division by zero, a result that is no 64-bit number."""
    if symbol in ("/", "//", "%") and right == 0:
        raise ArithmeticError("division by zero")
    if symbol == "**":
        _check_power(left, right)
    try:
        return _fitting(_BINARY[symbol](left, right))
    except OverflowError:
        raise ArithmeticError("the result is too large for a 64-bit float") from None


def _check_power(base: Number, exponent: Number) -> None:
    if base == 0 and exponent < 0:
        raise ArithmeticError("zero to a negative power")
    if base < 0 and not float(exponent).is_integer():
        raise ArithmeticError("a negative number to a power that is not whole")
    whole = isinstance(base, int) and isinstance(exponent, int) and exponent > 0
    # computing the power just to find it too large could take for ever
    if whole and abs(base) > 1 and exponent * math.log2(abs(base)) > 64:
        raise ArithmeticError("the result does not fit into 64 bits")


def apply_function(name: str, value: Number) -> Number:
    """`name(value)` for a function of `FUNCTIONS`. Raises ArithmeticError outside the function's domain."""
    try:
        return _fitting(FUNCTIONS[name](value))
    except ValueError:
        raise ArithmeticError(f"`{name}` of {value} is not defined") from None
    except OverflowError:
        raise ArithmeticError("the result is too large for a 64-bit float") from None


def _fitting(value: Number) -> Number:
    if isinstance(value, int) and not -INT64_MAX - 1 <= value <= INT64_MAX:
        raise ArithmeticError("the result does not fit into 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ArithmeticError("the result is too large for a 64-bit float")
    return value


def compare(symbol: str, left: object, right: object) -> bool:
    """`left symbol right`. Raises TypeError where the two have no order."""
    if symbol in ("==", "!="):
        return (left == right) == (symbol == "==")
    if is_number(left) and is_number(right):
        return _ORDER[symbol](left, right)  # type: ignore[arg-type]  # both are numbers
    raise TypeError(f"`{symbol}` compares numbers")
