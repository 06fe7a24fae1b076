"""Arrays that say which units they are of: `x.units` beside `x` holds the keys along its axis of units.

Input: an array, its keys, and the units that the network has. Output: the array in the network's order. Not for:
tables, whose columns are called by keys; reading files.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, listed
from graphnn_compiler.samples.columns import Field, fields_of
from graphnn_compiler.topology.graph import NodeSet, distinct, is_string, string_array
from graphnn_compiler.topology.plan import Plan

SUFFIX = ".units"


def keyed(plan: Plan) -> dict[str, Field]:
    """The inputs and targets whose arrays may have keys beside them, by the name of the keys."""
    return {f"{it.name}{SUFFIX}": it for it in fields_of(plan) if it.keys is not None}


def aligned(field: Field, array: NDArray, keys: NDArray, shown: str) -> tuple[NDArray, str | None]:
    """The array with its units in the network's order, and in words what was left out.

    Problem E285 for units that it lacks, E289 for keys that are not those of its axis.
    """
    assert field.keys is not None
    axis = array.ndim - len(field.shape)
    name = f"`{field.name}{SUFFIX}` of `{shown}`"
    if keys.ndim != 1 or axis < 0 or array.shape[axis] != len(keys):
        raise Problem("E289", f"{name} has shape {keys.shape}, and `{field.name}` has shape {array.shape}")
    found = string_array([str(key) for key in keys.tolist()]) if keys.dtype.kind in "UT" else keys
    if is_string(found) != is_string(field.keys) or (not is_string(found) and found.dtype.kind not in "iu"):
        kinds = ["texts" if is_string(one) else "whole numbers" for one in (found, field.keys)]
        said = f"{kinds[0]}, and the keys of the units are {kinds[1]}" if kinds[0] != kinds[1] else "no keys"
        raise Problem("E289", f"{name} holds {said}")
    if len(distinct(found)[0]) != len(found):
        raise Problem("E289", f"{name} holds a key twice")
    places = NodeSet(found if is_string(found) else found.astype(np.int64)).find(field.keys)
    absent = field.keys[places < 0]
    if len(absent):
        some = listed([f"`{key}`" for key in absent[:3].tolist()] + ["..."] * (len(absent) - 3))
        raise Problem("E285", f"{name} lacks {count(len(absent), 'unit')} of {field.what} `{field.name}`: {some}")
    n_extra = len(found) - len(field.keys)
    note = f"{count(n_extra, 'unit')} of `{field.name}` in {shown} left out: the network has none such"
    if not n_extra and np.array_equal(places, np.arange(len(places))):
        return array, None
    return np.take(array, places, axis=axis), note if n_extra else None


def align_all(plan: Plan, arrays: Mapping[str, NDArray], shown: str) -> tuple[dict[str, NDArray], list[str]]:
    """The arrays of a file without the keys among them, each in the network's order; what was left out."""
    keys = keyed(plan)
    result = {name: array for name, array in arrays.items() if name not in keys}
    notes = []
    for name, field in keys.items():
        if name in arrays and field.name in result:
            result[field.name], note = aligned(field, result[field.name], arrays[name], shown)
            notes += [] if note is None else [note]
        elif name in arrays:
            raise Problem("E289", f"`{shown}` holds `{name}` and no array `{field.name}`")
    return result, notes
