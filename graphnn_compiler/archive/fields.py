"""JSON that is not trusted, read field by field with its type.

Input: bytes. Output: values of the type that was asked for, or a `Problem`: E536 where the bytes are no JSON that a
manifest can be, E537 where a field is missing, of another type or unknown. Not for: what fields mean.
"""

from __future__ import annotations

import json
import math
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from graphnn_compiler.diagnostics import Problem, listed

_Choice = TypeVar("_Choice", bound=str)
_MOST_DIGITS = 20  # of an integer of 64 bits, with its sign
INT64_MAX = 2**63 - 1


def parse_json(text: bytes) -> object:
    """The value of a JSON text without repeated names, NaN, infinities and integers beyond 64 bits."""
    try:
        return json.loads(
            text.decode("ascii"),
            object_pairs_hook=_distinct_names,
            parse_int=_small_integer,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Problem("E536", f"its manifest cannot be read: {reason}") from error


def _distinct_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object names a field twice")
    return value


def _small_integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def broken(place: str, what: str) -> Problem:
    """The problem that a value of the manifest is not what it has to be."""
    return Problem("E537", f"{place} {what}")


class Fields:
    """One JSON object. Each field is taken once, by name and type; leaving the `with` block refuses what is left."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise broken(place, "is not an object")
        self.place = place
        self._left: dict[str, object] = dict(value)

    def __enter__(self) -> Fields:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._left:
            raise broken(self.place, f"has unknown fields: {listed(ascii(name[:40]) for name in self._left)}")

    def take(self, name: str) -> object:
        """The value of a field, of whatever type."""
        if name not in self._left:
            raise broken(self.place, f"has no field `{name}`")
        return self._left.pop(name)

    def _typed(self, name: str, kind: type, described: str) -> Any:
        value = self.take(name)
        if type(value) is not kind:  # not isinstance: true is no integer
            raise broken(f"{self.place}, field `{name}`", f"is not {described}")
        return value

    def text(self, name: str) -> str:
        return str(self._typed(name, str, "a text"))

    def optional_text(self, name: str) -> str | None:
        return None if self._is_null(name) else self.text(name)

    def flag(self, name: str) -> bool:
        return bool(self._typed(name, bool, "true or false"))

    def number(self, name: str) -> float:
        """A finite number that is written with a point or an exponent."""
        value = float(self._typed(name, float, "a real number"))
        if not math.isfinite(value):
            raise broken(f"{self.place}, field `{name}`", "is not finite")
        return value

    def optional_number(self, name: str) -> float | None:
        return None if self._is_null(name) else self.number(name)

    def integer(self, name: str, low: int = 0, high: int = INT64_MAX) -> int:
        return _bounded(self._typed(name, int, "an integer"), low, high, f"{self.place}, field `{name}`")

    def optional_integer(self, name: str) -> int | None:
        return None if self._is_null(name) else self.integer(name)

    def choice(self, name: str, options: tuple[_Choice, ...]) -> _Choice:
        """One of a closed set of words."""
        value = self.text(name)
        for option in options:
            if value == option:
                return option
        raise broken(f"{self.place}, field `{name}`", f"is {value[:40]!r}, which is none of {', '.join(options)}")

    def has(self, name: str) -> bool:
        return name in self._left

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that are not taken yet."""
        return tuple(self._left)

    def optional_items(self, name: str) -> list[object] | None:
        return None if self._is_null(name) else self.items(name)

    def items(self, name: str) -> list[object]:
        return list(self._typed(name, list, "a list"))

    def integers(self, name: str) -> tuple[int, ...]:
        """A list of integers from 0 on."""
        place = f"{self.place}, field `{name}`"
        return tuple(_bounded(value, 0, INT64_MAX, place) for value in self.items(name))

    def texts(self, name: str) -> tuple[str, ...]:
        values = self.items(name)
        return tuple(str(value) if type(value) is str else _refuse_text(self.place, name) for value in values)

    def objects(self, name: str) -> list[Fields]:
        """A list of objects."""
        return [Fields(value, f"{self.place}, {name}[{k}]") for k, value in enumerate(self.items(name))]

    def nested(self, name: str) -> Fields:
        return Fields(self.take(name), f"{self.place}, {name}")

    def optional_nested(self, name: str) -> Fields | None:
        return None if self._is_null(name) else self.nested(name)

    def mapping(self, name: str) -> dict[str, object]:
        """An object whose names are data."""
        return dict(self._typed(name, dict, "an object"))

    def _is_null(self, name: str) -> bool:
        if self._left.get(name, "") is not None:
            return False
        del self._left[name]
        return True


def _bounded(value: object, low: int, high: int, place: str) -> int:
    if type(value) is not int:
        raise broken(place, "is not an integer")
    if not low <= value <= high:
        raise broken(place, f"is {value}, not in {low}..{high}")
    return value


def _refuse_text(place: str, name: str) -> NoReturn:
    raise broken(f"{place}, field `{name}`", "holds something else than texts")
