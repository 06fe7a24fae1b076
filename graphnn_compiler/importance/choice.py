"""Which number of a network is explained: a unit, a channel or a class of a layer.

Input: a plan, and names and keys as users give them. Output: positions. ValueError, with the nearest name, for what
there is not. Not for: computing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphnn_compiler.arguments import unknown
from graphnn_compiler.diagnostics import count, listed
from graphnn_compiler.evaluation.reports import class_names
from graphnn_compiler.topology.comparisons import compared
from graphnn_compiler.topology.plan import Layer, Plan


@dataclass(frozen=True, eq=False)
class Choice:
    """One number for each sample: the value of `layer` at a unit and a channel; without a unit their sum over units.

    `name` says it in words, such as `kind:setosa`.
    """

    layer: Layer
    unit: int | None
    channel: int
    name: str


def choice(plan: Plan, of: str | None, key: Any, unit: Any) -> Choice:
    """The number that `of`, `key` and `unit` name; see `unit_importance`. Keys may be given as text.

    ValueError for a name or key that is not there, and where several are left to choose from.
    """
    layer = _layer(plan, of)
    what, names = _names(plan, layer)
    position = _position(what, names, key, f"`{layer.name}`")
    name = layer.name if key is None else f"{layer.name}:{names[position]}"
    if not layer.units.channel_axis:
        if unit is not None:
            raise ValueError(f"`{layer.name}` has no channels: its units are chosen by the key alone")
        return Choice(layer, position, 0, name)
    if unit is None:
        return Choice(layer, None, position, name)
    keys = layer.units.keys.tolist()
    row = _position("unit", keys, unit, f"`{layer.name}`")
    return Choice(layer, row, position, f"{name} of {keys[row]}")


def reached_from(plan: Plan, name: str) -> set[str]:
    """The inputs and layers that the value of a layer depends on, itself included."""
    found, pending = set(), [name]
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            pending += plan.layer[current].sources if current in plan.layer else ()
    return found


def _layer(plan: Plan, of: str | None) -> Layer:
    outputs = [layer.name for layer in plan.outputs]
    if of is None:
        if len(outputs) > 1:
            raise ValueError(f"the network has {count(len(outputs), 'output')}: choose one, {_some(outputs)}")
        of = outputs[0]
    if of not in plan.layer:
        raise ValueError(
            unknown("output or layer", of, [*outputs, *(name for name in plan.layer if name not in outputs)])
        )
    return plan.layer[of]


def _names(plan: Plan, layer: Layer) -> tuple[str, Sequence[Any]]:
    """What the last axis of a layer is called by: classes where it is compared with some, else channels or units."""
    for goal in plan.objectives:
        for one in compared(goal.value):
            if one.layer == layer.name and _has_classes(plan, one.target):
                return "class", class_names(plan, one)
    if layer.units.channel_axis:
        return "channel", range(layer.units.channels)
    return "unit", layer.units.keys.tolist()


def _has_classes(plan: Plan, target: str) -> bool:
    return any(one.name == target and one.n_classes is not None for one in plan.targets)


def _position(what: str, names: Sequence[Any], key: Any, owner: str) -> int:
    if key is None:
        if len(names) > 1:
            several = count(len(names), what, "classes" if what == "class" else None)
            raise ValueError(f"{owner} has {several}: choose one, {_some(names)}")
        return 0
    texts = [str(name) for name in names]
    if str(key) not in texts:
        raise ValueError(unknown(f"{what} of {owner}", str(key), texts))
    return texts.index(str(key))


def _some(names: Sequence[Any]) -> str:
    return listed((f"`{name}`" for name in names), 5)
