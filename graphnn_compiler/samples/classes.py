"""The vocabulary of class targets that no program gives one: learned from the samples that a network is fitted to.

Input: a plan, targets by name. Output: the plan with names of classes. Not for: evaluating, which must not make
up what a class number means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, listed
from graphnn_compiler.topology.graph import distinct, is_string, string_array
from graphnn_compiler.topology.plan import Plan, Target

_MISSING = -1


def with_learned_classes(plan: Plan, targets: Mapping[str, NDArray]) -> tuple[Plan, list[str]]:
    """The plan with the sorted distinct values of a class target as its names, and what was learned in words.

    A target that has names or data keeps what it has.

    Whole numbers 0 .. C-1 stay class numbers. Problem E282 where there are fewer or more classes than the network has.
    """
    learned = tuple(_learned(target, targets.get(target.name)) for target in plan.targets)
    new = [now for before, now in zip(plan.targets, learned, strict=True) if now is not before]
    notes = [f"the classes of `{it.name}` are {_names(it)}, in this order" for it in new]
    return replace(plan, targets=learned) if new else plan, notes


def _names(target: Target) -> str:
    return listed([f"`{one}`" for one in ([] if target.classes is None else target.classes.tolist())], 5)


def _learned(target: Target, values: NDArray | None) -> Target:
    if values is None or target.n_classes is None or target.classes is not None or target.default is not None:
        return target
    flat = np.asarray(values).ravel()
    flat = string_array([str(one) for one in flat.tolist()]) if flat.dtype.kind in "UOT" else flat
    if is_string(flat):
        found = distinct(flat[flat != ""])[0]
    else:
        if flat.dtype.kind not in "iu" or np.all((flat >= _MISSING) & (flat < target.n_classes)):
            return target
        found = distinct(flat[flat != _MISSING].astype(np.int64))[0]
    if len(found) != target.n_classes:
        some = listed([f"`{one}`" for one in found[:3].tolist()] + ["..."] * (len(found) - 3))
        message = f"target `{target.name}` has {count(len(found), 'class', 'classes')} ({some})"
        raise Problem("E282", f"{message}, and the network tells {target.n_classes} apart")
    return replace(target, classes=found)
