"""Inputs and targets of a network from files of arrays, sparse matrices and tables.

Input: a plan and the names of files. Output: `Samples`, whose arrays are known to fit. Not for: computing; files that
are not there (whoever has names from users looks first).

A file is FILE, or NAME=FILE for a single input or target: an `.npz` of arrays by name (and the keys of their units), an
`.npy`, a SciPy sparse matrix (made dense), or a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.arguments import check_batches, check_shape, target_array, value_array
from graphnn_compiler.diagnostics import Problem, did_you_mean, listed
from graphnn_compiler.samples.classes import with_learned_classes
from graphnn_compiler.samples.keyed_arrays import align_all, keyed
from graphnn_compiler.samples.tables import TABLES, Missing, is_table, read_table
from graphnn_compiler.topology.plan import Input, Plan, Target
from graphnn_compiler.topology.readers.arrays import ArrayFile, open_arrays
from graphnn_compiler.topology.readers.matrices import densified, sparse_matrix

Arrays = dict[str, NDArray]

FORMATS = (".npz", ".npy", *TABLES)


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs and targets by name; the labels of samples, by the name of their column; what was left out, in words.

    `plan` is the plan, with names of classes if they were to be learned.
    """

    plan: Plan
    inputs: Arrays
    targets: Arrays
    labels: NDArray | None = None
    label: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class _Found:
    """What the files read so far hold, and which file each array is from."""

    arrays: Arrays = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    labels: NDArray | None = None
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, array: NDArray, shown: str) -> None:
        if name in self.files:
            message = f"`{name}` stands in two files, `{self.files[name]}` and `{shown}`"
            raise Problem("E286", message, help="leave one of them out")
        self.arrays[name], self.files[name] = array, shown


def split_name(plan: Plan, given: str) -> tuple[str | None, str]:
    """`NAME=FILE` as an input or target and a file; anything else is a file."""
    name, sign, file = given.partition("=")
    known = [*(node.name for node in plan.inputs), *(target.name for target in plan.targets)]
    return (name, file) if sign and name in known else (None, given)


def read_samples(
    plan: Plan,
    files: Sequence[str],
    *,
    index: str | None = None,
    missing: Missing | None = None,
    targets: bool | None = None,
    learn_classes: bool = False,
    mapped: bool = False,
) -> Samples:
    """What the files hold for the inputs and targets of a plan.

    `index` is the column of a table that labels samples; `missing` says what becomes of missing cells of a table.
    `targets`: whether all of them are needed (True), are left aside (False), or are needed if there is any (None).
    With `mapped`, large arrays of an `.npz` are mapped into memory, and only their shapes are looked at. With
    `learn_classes`, class targets without names take theirs from the values found (`with_learned_classes`).
    Raises Problem: E280 to E288, and what readers say of a file.
    """
    found = _Found()
    for given in files:
        only, file = split_name(plan, given)
        _read_file(plan, found, file, only, index, missing, mapped)
    inputs = {node.name: found.arrays[node.name] for node in plan.inputs if node.name in found.arrays}
    wanted = {it.name: found.arrays[it.name] for it in plan.targets if it.name in found.arrays}
    _require("input", [node.name for node in plan.inputs if node.default is None], inputs)
    if targets is False:
        wanted = {}
    elif wanted or targets:
        _require("target", [target.name for target in plan.targets if target.default is None], wanted)
    if learn_classes:
        plan, learned = with_learned_classes(plan, wanted)
        found.notes += learned
    _check_fit(plan, inputs, wanted, with_targets=bool(wanted or targets))
    return Samples(plan, inputs, wanted, found.labels, index, tuple(found.notes))


def _read_file(
    plan: Plan, found: _Found, file: str, only: str | None, index: str | None, missing: Missing | None, mapped: bool
) -> None:
    path = Path(file)
    if is_table(path):
        table = read_table(plan, path, file, index=index, missing=missing, only=only)
        for name, array in table.arrays.items():
            found.add(name, array, file)
        found.labels = table.labels if found.labels is None else found.labels
        found.notes += table.notes
        return
    arrays = open_arrays(path, file)
    if {"format", "data", "shape"} <= set(arrays.names):
        dense = densified(sparse_matrix(file, arrays.names, arrays.load))
        found.add(only or _only_input(plan, file), dense, file)
    elif arrays.names == ("",):
        found.add(only or _only_input(plan, file), arrays.load(""), file)
    elif only is not None:
        found.add(only, arrays.load(_only_array(arrays, only)), file)
    else:
        members = {name: arrays.map(name) if mapped else arrays.load(name) for name in _known(plan, arrays)}
        in_order, notes = align_all(plan, members, file)
        for name, array in in_order.items():
            found.add(name, array, file)
        found.notes += notes


def _known(plan: Plan, file: ArrayFile) -> tuple[str, ...]:
    known = [*(node.name for node in plan.inputs), *(target.name for target in plan.targets)]
    keys_of_arrays = keyed(plan)
    for stranger in file.names:
        if stranger not in known and stranger not in keys_of_arrays:
            raise _stranger(stranger, file.shown, known, plan)
    return file.names


def _only_array(file: ArrayFile, name: str) -> str:
    if name in file.names or len(file.names) == 1:
        return name if name in file.names else file.names[0]
    found = listed(f"`{one}`" for one in file.names) or "none"
    message = f"`{file.shown}` has no array `{name}`; its arrays are {found}"
    raise Problem("E281", message, help=f"save it by name: `numpy.savez(.., {name}=array)`")


def _stranger(stranger: str, file: str, known: list[str], plan: Plan) -> Problem:
    names = listed((f"`{node.name}`" for node in plan.inputs), 5)
    otherwise = f"the inputs are {names}" if plan.inputs else "the model has no inputs"
    message = f"`{file}` holds an array `{stranger}`, which is no input and no target"
    return Problem("E280", message, help=did_you_mean(stranger, known, otherwise))


def _only_input(plan: Plan, file: str) -> str:
    """The input that an array without a name is for: the only one without default data, or the only one."""
    needed = [node.name for node in plan.inputs if node.default is None]
    candidates = needed if len(needed) == 1 else [node.name for node in plan.inputs]
    if len(candidates) == 1:
        return candidates[0]
    names = listed((f"`{name}`" for name in candidates), 5)
    message = f"`{file}` holds one array without a name, and the model has {len(candidates)} inputs"
    help = f"save arrays by name in an .npz file: {names}" if candidates else "leave --data out"
    raise Problem("E284", message, help=help)


def _require(what: str, needed: Iterable[str], given: Arrays) -> None:
    missing = [f"`{name}`" for name in needed if name not in given]
    if missing:
        message = f"{what} {listed(missing)} is not given and has no default data"
        raise Problem("E281", message, help="add an array of that name to the file that --data names")


# ------------------------------------------------------------------ shapes


def _check_fit(plan: Plan, inputs: Arrays, targets: Arrays, *, with_targets: bool) -> None:
    """Problem E282 for a wrong shape or type, E283 for batches of different lengths."""
    samples: dict[str, int] = {}
    for node in plan.inputs:
        if node.name in inputs:
            with _fitting():
                _check_input(plan, node, inputs[node.name])
        samples |= _batch(node.name, inputs.get(node.name, node.default), len(node.units.shape))
    for target in plan.targets if with_targets else ():
        if target.name in targets:
            with _fitting():
                _check_target(plan, target, targets[target.name])
        samples |= _batch(target.name, targets.get(target.name, target.default), len(target.shape))
    try:
        check_batches(samples)
    except ValueError as error:
        raise Problem("E283", str(error), help="the first axis of arrays with one more axis is the batch") from None


def _check_input(plan: Plan, node: Input, array: NDArray) -> None:
    label = f"input `{node.name}`"
    if isinstance(array, np.memmap):  # whoever uses it looks at what it holds
        check_shape(label, array.shape, node.units.shape)
    else:
        value_array(label, array, node.units.shape, plan.dtype)


def _check_target(plan: Plan, target: Target, array: NDArray) -> None:
    if isinstance(array, np.memmap):
        check_shape(f"target `{target.name}`", array.shape, target.shape)
    else:
        target_array(plan, target, array)


def _batch(name: str, array: NDArray | None, sample_ndim: int) -> dict[str, int]:
    """The length of the batch axis under the name, nothing where there is no such axis."""
    return {name: len(array)} if array is not None and array.ndim > sample_ndim else {}


@contextmanager
def _fitting() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        raise Problem("E282", str(error)) from None
