"""Which column of a table is which unit of which input or target.

Input: a plan and the names of columns. Output: for every input and target the column of each of its numbers. Units are
found by key, never by the order of columns. Not for: reading cells.

A column is called KEY, or KEY[c] for channel c of several; INPUT.KEY where a key alone is not enough. Those of a target
are called TARGET.KEY, or TARGET where it is one value a sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.arguments import comparisons
from graphnn_compiler.diagnostics import Problem, count, listed
from graphnn_compiler.topology.graph import NodeSet
from graphnn_compiler.topology.interning import decimal
from graphnn_compiler.topology.plan import Plan

_CHANNEL = re.compile(r"(?P<key>.*)\[(?P<channel>\d{1,9})\]", re.S)
_EMPTY = -1


@dataclass(frozen=True, eq=False)
class Field:
    """An input or target: one sample of it is `n_channels` numbers for each key; without keys, one number."""

    name: str
    what: str
    keys: NDArray | None
    n_channels: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return (1 if self.keys is None else len(self.keys)) * self.n_channels

    def titles(self, places: Iterable[int]) -> list[str]:
        """The short names of the columns of these numbers."""
        if self.keys is None:
            return [self.name]
        one = self.n_channels == 1
        return [f"{self.keys[k // self.n_channels]}" + ("" if one else f"[{k % self.n_channels}]") for k in places]


@dataclass(frozen=True, eq=False)
class Assignment:
    """`columns[name]` are the positions in the table of every number of a field; `unused` are columns for nothing."""

    columns: Mapping[str, NDArray[np.int64]]
    unused: tuple[str, ...]


def fields_of(plan: Plan) -> list[Field]:
    """The inputs and targets of a plan, targets first: of a name that fits both, the target is meant."""
    layers = {one.target: one.layer for _, one in reversed(comparisons(plan))}
    fields = []
    for target in plan.targets:
        if target.shape and target.name not in layers:
            continue  # compared with nothing, so its units are not known
        keys = plan.units[layers[target.name]].keys if target.name in layers and target.shape else None
        n_channels = target.shape[1] if len(target.shape) > 1 else 1
        fields.append(Field(target.name, "target", keys, n_channels, target.shape))
    for node in plan.inputs:
        fields.append(Field(node.name, "input", node.units.keys, node.units.channels, node.units.shape))
    return fields


def assign(fields: Sequence[Field], names: Sequence[str], shown: str) -> Assignment:
    """The columns of every field that has any. Problem E285 where some numbers have none, E286 where one has several.

    `names` are distinct.
    """
    columns = {field.name: np.full(field.size, _EMPTY, np.int64) for field in fields}
    exact = {position: one for field in fields for position, one in _full_names(field, names).items()}
    short = [position for position in range(len(names)) if position not in exact]
    claims: dict[int, list[tuple[Field, int]]] = {position: [one] for position, one in exact.items()}
    for field in fields:
        if field.what == "input":
            for position, place in _places(field, [names[k] for k in short]).items():
                claims.setdefault(short[position], []).append((field, place))
    for position in sorted(claims):
        _claim(columns, claims[position], position, names, shown)
    found = {name: places for name, places in columns.items() if np.any(places != _EMPTY)}
    for field in fields:
        if field.name in found:
            _require_whole(field, found[field.name], shown)
    return Assignment(found, tuple(names[k] for k in range(len(names)) if k not in claims))


def _claim(
    columns: dict[str, NDArray[np.int64]],
    several: Sequence[tuple[Field, int]],
    position: int,
    names: Sequence[str],
    shown: str,
) -> None:
    (field, place), *others = several
    name = names[position]
    if others:
        meant = listed(f"`{one.name}`" for one, _ in several)
        message = f"the column `{name}` of `{shown}` fits units of several inputs: {meant}"
        raise Problem("E286", message, help=f"name the input too, as in `{field.name}.{name}`")
    before = int(columns[field.name][place])
    if before != _EMPTY:
        message = f"`{shown}` has two columns for one unit of {field.what} `{field.name}`: `{names[before]}`, `{name}`"
        raise Problem("E286", message, help="keep one of them")
    columns[field.name][place] = position


def _full_names(field: Field, names: Sequence[str]) -> dict[int, tuple[Field, int]]:
    """Columns called after a field: position in the table -> place in the field."""
    if field.what == "target" and field.size == 1 and field.name in names:
        return {names.index(field.name): (field, 0)}
    start = f"{field.name}."
    called = [k for k, name in enumerate(names) if name.startswith(start)]
    places = _places(field, [names[k].removeprefix(start) for k in called])
    return {called[k]: (field, place) for k, place in places.items()}


def _places(field: Field, names: Sequence[str]) -> dict[int, int]:
    """Where in a sample of the field the columns of these short names go, by position among the names."""
    if field.keys is None or not len(names):
        return {}
    keys, channels = list(names), np.zeros(len(names), np.int64)
    if field.n_channels > 1:
        matches = [_CHANNEL.fullmatch(name) for name in names]
        keys = [match["key"] if match else "" for match in matches]
        channels = np.array([int(match["channel"]) if match else _EMPTY for match in matches])
    units = _find(NodeSet(field.keys), keys)
    fits = (units >= 0) & (channels >= 0) & (channels < field.n_channels)
    return {int(k): int(units[k] * field.n_channels + channels[k]) for k in np.flatnonzero(fits)}


def _find(units: NodeSet, keys: Sequence[str]) -> NDArray[np.int64]:
    """The positions of units by the text of their keys, -1 where there is none."""
    if units.string_keys:
        return units.find(np.array(keys, dtype=units.keys.dtype))
    numbers = [decimal(key) for key in keys]
    known = np.array([number is not None for number in numbers], bool)
    found = units.find(np.array([number or 0 for number in numbers], np.int64))
    return np.where(known, found, -1)


def _require_whole(field: Field, places: NDArray[np.int64], shown: str) -> None:
    absent = np.flatnonzero(places == _EMPTY)
    if not len(absent):
        return
    some = listed([f"`{title}`" for title in field.titles(absent[:3])] + ["..."] * (len(absent) - 3))
    what = "unit" if field.n_channels == 1 else "channel of a unit"
    plural = None if field.n_channels == 1 else "channels of units"
    message = f"`{shown}` has no column for {count(len(absent), what, plural)} of {field.what} `{field.name}`: {some}"
    help = "add the columns, called by the keys of the units"
    raise Problem("E285", message, help=help)
