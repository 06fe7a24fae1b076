"""Whether the targets and the losses and metrics of a plan are consistent with its layers.

Input: a plan whose layers are consistent. Output: nothing, or ValueError. Not for: layers and parameters, which
`verification` checks before it calls these.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.comparisons import COMPARISONS, OF_DECISIONS, SCORES
from graphnn_compiler.topology.consistency import all_distinct, require, verify_default
from graphnn_compiler.topology.graph import is_string
from graphnn_compiler.topology.plan import Compared, Objective, Penalty, Plan, ScalarExpr, Sum, Target, Weighted


def verify_target(plan: Plan, target: Target) -> None:
    """Raise ValueError unless the classes and the default data of a target are what its docstring says."""
    place = f"target `{target.name}`"
    require(min(target.shape, default=0) >= 0, f"{place}: it has shape {target.shape}")
    if target.classes is not None:
        _verify_classes(place, target.classes, target.n_classes)
    default = target.default
    dtype = plan.dtype if target.n_classes is None else "int64"
    if default is not None:
        require(default.dtype == np.dtype(dtype), f"{place}: its default data is {default.dtype}, not {dtype}")
        verify_default(place, default, target.shape)
    if target.n_classes is None:
        return
    require(target.n_classes >= 1, f"{place}: it has {target.n_classes} classes")
    if default is not None and default.size:
        inside = default.min() >= -1 and default.max() < target.n_classes
        require(bool(inside), f"{place}: a class is outside 0 .. {target.n_classes - 1} and not -1, missing")


def _verify_classes(place: str, classes: NDArray, n_classes: int | None) -> None:
    known = classes.dtype.kind in "iufb" or is_string(classes)
    require(known and classes.ndim == 1, f"{place}: classes of dtype {classes.dtype}, shape {classes.shape}")
    require(len(classes) == n_classes, f"{place}: {len(classes)} class names for {n_classes} classes")
    require(all_distinct(classes), f"{place}: two classes have the same name")


def verify_objective(plan: Plan, objective: Objective) -> None:
    """Raise ValueError unless a loss or metric reads existing layers, targets and parameters that fit together."""
    place = f"{objective.kind} `{objective.name}`"
    require(objective.kind in ("loss", "metric"), f"{place}: it is neither a loss nor a metric")
    _verify_scalar(place, plan, objective.value, objective.kind)


def _verify_scalar(place: str, plan: Plan, expr: ScalarExpr, kind: str) -> None:
    match expr:
        case Compared():
            require(kind == "metric" or expr.name not in SCORES, f"{place}: `{expr.name}` has no gradient")
            _verify_compared(place, plan, expr)
        case Penalty(name=name, parameters=names):
            require(name in ("l1", "l2"), f"{place}: there is no penalty `{name}`")
            require(bool(names), f"{place}: `{name}` of no parameter")
            for parameter in names:
                require(parameter in plan.parameter, f"{place}: there is no parameter `{parameter}`")
        case Weighted(factor=factor, term=term):
            require(math.isfinite(factor), f"{place}: a factor is {factor}")
            _verify_scalar(place, plan, term, kind)
        case Sum(terms=terms):
            require(bool(terms), f"{place}: a sum of nothing")
            for term in terms:
                _verify_scalar(place, plan, term, kind)


def _verify_compared(place: str, plan: Plan, compared: Compared) -> None:
    require(compared.name in COMPARISONS, f"{place}: there is no `{compared.name}`")
    require(compared.delta > 0 and math.isfinite(compared.delta), f"{place}: delta is {compared.delta}")
    require(compared.layer in plan.units, f"{place}: there is no layer `{compared.layer}`")
    target = next((target for target in plan.targets if target.name == compared.target), None)
    if target is None:
        raise ValueError(f"{place}: there is no target `{compared.target}`")
    shape = plan.units[compared.layer].shape
    _verify_target_shape(place, compared, target, shape)
    if compared.on is None:
        return
    # Without a channel axis the units of the layer are the classes, so there are no units to choose from.
    n_units = shape[0] if len(target.shape) > 0 else 0
    _verify_positions(place, compared.on, n_units)


def _verify_target_shape(place: str, compared: Compared, target: Target, shape: tuple[int, ...]) -> None:
    decides = compared.name in OF_DECISIONS and target.n_classes is not None
    over_classes = compared.name == "cross_entropy" or decides
    if not over_classes:
        message = f"{place}: `{compared.layer}` has shape {shape}, target `{target.name}` {target.shape}"
        require(target.shape == shape, message)
        return
    if target.n_classes is None:
        raise ValueError(f"{place}: `{compared.name}` needs classes, and target `{target.name}` has none")
    message = f"{place}: `{compared.layer}` has shape {shape}, not {target.shape} times {target.n_classes} classes"
    require(shape[:-1] == target.shape and shape[-1] >= target.n_classes, message)


def _verify_positions(place: str, on: NDArray, n_units: int) -> None:
    require(on.dtype == np.int64 and on.ndim == 1, f"{place}: positions of dtype {on.dtype}, shape {on.shape}")
    require(len(on) > 0, f"{place}: it selects no unit")
    inside = on.min() >= 0 and on.max() < n_units
    require(bool(inside), f"{place}: a position is outside 0 .. {n_units - 1}")
    require(int(np.bincount(on).max()) == 1, f"{place}: it selects a unit twice")
