"""Arrays given by users at run time, checked and cast: inputs, targets, weights.

Input: what was passed to a network, and what its plan expects. Output: NumPy arrays of the dtype and shape that the
compiled functions take. Errors are ValueError and TypeError whose message names the argument and says what it takes.
Not for: reading files, symbolic variables (only their numbers of dimensions are judged here).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnn_compiler.diagnostics import count, did_you_mean, listed
from graphnn_compiler.topology.comparisons import RANGES, compared, number_outside
from graphnn_compiler.topology.graph import NodeSet, is_string, string_array
from graphnn_compiler.topology.plan import Compared, Objective, Parameter, Plan, Target


def by_name(given: Any, expected: Sequence[str], optional: Iterable[str], what: str) -> dict[str, Any]:
    """Arguments by name: `given` is a mapping, None for nothing, or the one argument itself where one can be meant.

    `what` is "input" or "target". ValueError for an unknown or a missing name, TypeError where it is not plain which
    one a bare array is for.
    """
    optional = set(optional)
    needed = [name for name in expected if name not in optional]
    if given is None:
        found: dict[str, Any] = {}
    elif isinstance(given, Mapping):
        found = dict(given)
    else:
        candidates = needed if len(needed) == 1 else expected
        if len(candidates) != 1:
            names = listed(f"`{name}`" for name in expected)
            raise TypeError(f"the network has {count(len(expected), what)} ({names}): give them by name")
        found = {candidates[0]: given}
    for name in found:
        if name not in expected:
            raise ValueError(unknown(what, str(name), expected))
    missing = [f"`{name}`" for name in needed if name not in found]
    if missing:
        raise ValueError(f"{what} {listed(missing)} is not given and has no default data")
    return found


def unknown(what: str, name: str, expected: Iterable[str]) -> str:
    """The message for a name that is none of `expected`."""
    expected = list(expected)
    known = f"known: {listed((f'`{one}`' for one in expected), 5)}" if expected else "there are none"
    return f"there is no {what} `{name}`; {did_you_mean(name, expected, known)}"


def numbers(label: str, value: Any) -> NDArray:
    """`value` as an array of booleans, integers or real floating-point numbers; TypeError if it is of anything else."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        hint = "; symbolic variables go to `Network.symbolic`" if hasattr(value, "owner") else ""
        raise TypeError(f"{label} takes real numbers, not values of type {array.dtype}{hint}")
    return array


def shape_in_words(shape: tuple[int, ...]) -> str:
    """`shapes (784,) or (batch, 784)`."""
    batch = ", ".join(["batch", *map(str, shape)])
    return f"shape {shape} or ({batch})" if shape else "a single value or shape (batch,)"


def check_shape(label: str, found: tuple[int | None, ...], shape: tuple[int, ...]) -> None:
    """ValueError unless `found` is `shape` or has a batch axis in front of it; None in `found` fits any size."""
    tail = found[len(found) - len(shape) :]
    fits = len(found) - len(shape) in (0, 1) and all(
        size in (None, wanted) for size, wanted in zip(tail, shape, strict=True)
    )
    if not fits:
        text = "(" + ", ".join("?" if size is None else str(size) for size in found) + ("," * (len(found) == 1)) + ")"
        raise ValueError(f"{label} takes arrays of {shape_in_words(shape)}, not {text}")


def value_array(label: str, value: Any, shape: tuple[int, ...], dtype: str) -> NDArray:
    """An input, or the values of a target, as an array of `dtype`, of `shape` or with a batch axis in front."""
    array = numbers(label, value)
    check_shape(label, array.shape, shape)
    return array.astype(dtype, copy=False)


def check_batches(sizes: Mapping[str, int]) -> None:
    """ValueError unless all batched arrays, by name, have equally many samples."""
    if len(set(sizes.values())) > 1:
        text = listed((f"`{name}` has {count(size, 'sample')}" for name, size in sizes.items()), 5)
        raise ValueError(f"all batches must be equally long, but {text}")


# ------------------------------------------------------------------ class targets


def class_numbers(target: Target, value: Any) -> NDArray[np.int64]:
    """The class numbers 0 .. C-1 of class names or numbers, -1 where the value is missing.

    With `target.classes`, every value is one of them; numbers for classes that are strings are class numbers already.
    Missing are -1 and the empty string, where they are no classes. ValueError names the first values that are unknown.
    """
    label = f"target `{target.name}`"
    array = np.asarray(value)
    assert target.n_classes is not None
    named = array.dtype.kind in "UOT"
    if not named and array.dtype.kind not in "biu":
        array = _whole_numbers(label, numbers(label, array))
    check_shape(label, array.shape, target.shape)
    classes = target.classes
    if named and (classes is None or not is_string(classes)):
        raise TypeError(f"{label} takes class numbers, not text: it has no names of classes")
    if classes is None or (is_string(classes) and not named):
        return _checked(label, array.astype(np.int64), array, (array >= -1) & (array < target.n_classes), None)
    flat = string_array([str(one) for one in array.ravel()]) if named else array.ravel().astype(np.int64)
    codes = NodeSet(classes).find(flat).reshape(array.shape)
    missing = flat == ("" if named else -1)
    return _checked(label, codes, array, (codes >= 0) | missing.reshape(array.shape), classes)


def _whole_numbers(label: str, array: NDArray) -> NDArray[np.int64]:
    whole = np.where(np.isfinite(array), np.round(array), 0).astype(np.int64)
    if not np.array_equal(whole, array):
        raise ValueError(f"{label} takes class numbers, not fractions")
    return whole


def _checked(
    label: str, codes: NDArray[np.int64], array: NDArray, known: NDArray[np.bool_], classes: NDArray | None
) -> NDArray[np.int64]:
    if known.all():
        return codes
    strangers = list(dict.fromkeys(array[~known].tolist()))
    hint = did_you_mean(str(strangers[0]), [str(one) for one in classes.tolist()]) if classes is not None else None
    raise ValueError(f"{label} has no class {listed(f'`{one}`' for one in strangers)}" + (f"; {hint}" if hint else ""))


def parameter_array(plan: Plan, parameter: Parameter, value: ArrayLike) -> NDArray:
    """A value of a parameter in the plan's dtype, a copy. ValueError for another shape, TypeError for no number."""
    array = numbers(f"parameter `{parameter.name}`", value)
    if array.shape != parameter.shape:
        raise ValueError(f"parameter `{parameter.name}` has shape {parameter.shape}, not {array.shape}")
    return array.astype(plan.dtype)  # a later change of the caller's array is no change of the network


def target_array(plan: Plan, target: Target, value: Any) -> NDArray:
    """A target as the objectives take it: int64 class numbers, or values of the plan's dtype.

    ValueError also where a class is missing among the units that a loss or metric compares.
    """
    label = f"target `{target.name}`"
    if target.n_classes is None:
        values = value_array(label, value, target.shape, plan.dtype)
        _require_range(plan, target, values)
        return values
    codes = class_numbers(target, value)
    for objective, one in comparisons(plan):
        if one.target == target.name:
            chosen = codes if one.on is None or not target.shape else codes[..., one.on]
            if np.any(chosen < 0):
                missing = count(int(np.sum(chosen < 0)), "value")
                raise ValueError(f"{label} misses {missing} among the units that `{objective.name}` compares")
    return codes


def _require_range(plan: Plan, target: Target, values: NDArray) -> None:
    """ValueError for a value that a loss cannot take, such as a negative count, where it looks."""
    for objective, one in comparisons(plan):
        if one.target == target.name and one.name in RANGES:
            units = values.ndim - len(target.shape)
            n_wrong = number_outside(one.name, values if one.on is None else values.take(one.on, axis=units))
            if n_wrong:
                wrong = f"{count(n_wrong, 'value')} {RANGES[one.name].others}"
                takes = f"`{one.name}` in `{objective.name}` takes {RANGES[one.name].takes}"
                raise ValueError(f"target `{target.name}` holds {wrong}, and {takes}")


def comparisons(plan: Plan) -> list[tuple[Objective, Compared]]:
    """Every comparison of the plan with the loss or metric it stands in."""
    return [(objective, one) for objective in plan.objectives for one in compared(objective.value)]
