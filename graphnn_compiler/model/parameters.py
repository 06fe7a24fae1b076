"""`param` statements and the values that the command line or the Python API gives them.

Input: the statement, and the value given (text from `-p name=value`, or a Python value). Output: a constant or path.
Not for: trainable parameters.
"""

from __future__ import annotations

from numbers import Integral, Rational, Real
from pathlib import Path
from typing import TYPE_CHECKING

from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model import scalars
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.types import DataPath
from graphnn_compiler.model.values import Home, NumberRange, Value, kind_of
from graphnn_compiler.source import Span

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

TYPES = ("int", "float", "bool", "str", "path")
Given = int | float | bool | str | Path

_WRITTEN = {
    "int": "without a decimal point, as 16, within 64 bits",
    "float": "as 0.5, 3 or 1e-4, and finite",
    "bool": "`true` and `false`",
    "str": "in quotes",
    "path": "as a string in quotes",
}


def parameter(expressions: Expressions, decl: syntax.Param, given: Given | None) -> Value:
    """The value of a `param`: the given one, else its default; of the declared type and in the allowed set."""
    if decl.type not in TYPES:
        help = f"the types are {', '.join(TYPES)}"
        reject("E123", f"a parameter cannot be of type `{decl.type}`", decl.type_span, help=help)
    if given is None and decl.default is None:
        help = f"give it with `-p {decl.name}=..` or `params=`, or add a default"
        reject("E121", f"parameter `{decl.name}` has no value", decl.name_span, help=help)
    if given is not None:
        value = _typed(_plain(given), decl, decl.name_span, Home(Path()))
    else:
        assert decl.default is not None
        value = _typed(expressions.value(decl.default), decl, decl.default.span, expressions.home)
    _check_allowed(expressions, decl, value, given is not None)
    return value


def _typed(value: Value, decl: syntax.Param, span: Span, home: Home) -> Value:
    """The value as the declared type; texts such as `16` and `true` stand for what they say."""
    text = value if isinstance(value, str) and decl.type not in ("str", "path") else None
    if text is not None:
        value = _parsed(text, decl.type)
    match decl.type:
        case "int" if isinstance(value, int) and not isinstance(value, bool) and scalars.is_finite(value):
            return value
        case "float" if scalars.is_number(value) and scalars.is_finite(value):
            return float(value)
        case "bool" if isinstance(value, bool):
            return value
        case "str" if isinstance(value, str):
            return value
        case "path" if isinstance(value, str | Path):
            return home.data(str(value))
        case "path" if isinstance(value, DataPath):
            return value
    shown = f"`{value}`" if isinstance(value, int | float | str) else kind_of(value)
    help = f"{decl.type} values are written {_WRITTEN[decl.type]}"
    reject("E123", f"parameter `{decl.name}` is of type {decl.type}, and {shown} is not", span, help=help)


def _plain(given: object) -> Value:
    """Numbers of other libraries, such as NumPy's, as Python's own."""
    if isinstance(given, Integral) and not isinstance(given, bool):
        return int(given)
    return float(given) if isinstance(given, Real) and not isinstance(given, Rational) else given


def _parsed(text: str, type: str) -> Value:
    if type == "bool":
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return int(text) if type == "int" else float(text)
    except ValueError:
        return text


def _check_allowed(expressions: Expressions, decl: syntax.Param, value: Value, given: bool) -> None:
    if decl.allowed is None:
        return
    allowed = expressions.value(decl.allowed)
    if isinstance(allowed, NumberRange) and scalars.is_number(value):
        fits = allowed.low <= value <= allowed.high
    elif isinstance(allowed, tuple):
        fits = (value.shown if isinstance(value, DataPath) else value) in allowed
    else:
        message = f"the values of a {decl.type} parameter are limited by a list or a range, not {kind_of(allowed)}"
        reject("E123", message, decl.allowed.span)
    if not fits:
        span = decl.name_span if given or decl.default is None else decl.default.span
        reject(
            "E122",
            f"parameter `{decl.name}` cannot be `{value.shown if isinstance(value, DataPath) else value}`",
            span,
            related=[(decl.allowed.span, "allowed here")],
        )
