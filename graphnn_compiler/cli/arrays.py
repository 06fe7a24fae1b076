"""The arrays that `gnnc run` and `gnnc train` read.

Input: a plan, and the name of an `.npz` or `.npy` file. Output: inputs and targets by name, each known to fit.
Raises `UsageError` for a file that cannot be read, `Problem` (E231 and others of array files; E280 to E284) for what
is in it. Not for: computing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from numpy.typing import NDArray

from graphnn_compiler.arguments import check_batches, target_array, value_array
from graphnn_compiler.cli.output import UsageError
from graphnn_compiler.cli.programs import require_file
from graphnn_compiler.diagnostics import Problem, did_you_mean, listed
from graphnn_compiler.topology.plan import Plan
from graphnn_compiler.topology.readers.arrays import open_arrays
from graphnn_compiler.training.batches import Data

Arrays = dict[str, NDArray]


def read_arrays(plan: Plan, name: str | None) -> tuple[Arrays, Arrays]:
    """The inputs, and the targets where the file holds any."""
    found = {} if name is None else _load(name, plan)
    inputs = {node.name: found[node.name] for node in plan.inputs if node.name in found}
    targets = {target.name: found[target.name] for target in plan.targets if target.name in found}
    _require("input", [node.name for node in plan.inputs if node.default is None], inputs)
    if targets:
        _require("target", [target.name for target in plan.targets if target.default is None], targets)
    _check_fit(plan, inputs, targets)
    return inputs, targets


def training_data(plan: Plan, name: str | None) -> Data:
    """Inputs and all targets, to train on; large arrays are mapped, not loaded."""
    found = {} if name is None else _load(name, plan, mapped=True)
    inputs = {node.name: found[node.name] for node in plan.inputs if node.name in found}
    targets = {target.name: found[target.name] for target in plan.targets if target.name in found}
    _require("input", [node.name for node in plan.inputs if node.default is None], inputs)
    _require("target", [target.name for target in plan.targets if target.default is None], targets)
    _check_lengths(plan, inputs, targets)
    with _fitting():
        return Data.of(plan, inputs, targets)


def _load(name: str, plan: Plan, mapped: bool = False) -> Arrays:
    path = Path(name)
    if path.suffix.lower() not in (".npz", ".npy"):
        raise UsageError(f"`{name}` is not named as an .npz or .npy file", help="save it with `numpy.savez`")
    require_file(name)
    file = open_arrays(path, name)
    if file.names == ("",):
        return {_only_input(plan, name): file.load("")}
    known = [*(node.name for node in plan.inputs), *(target.name for target in plan.targets)]
    for stranger in file.names:
        if stranger not in known:
            raise _stranger(stranger, name, known, plan)
    return {member: file.map(member) if mapped else file.load(member) for member in file.names}


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


def _check_fit(plan: Plan, inputs: Arrays, targets: Arrays) -> None:
    """Problem E282 for a wrong shape or type, E283 for batches of different lengths."""
    for node in plan.inputs:
        if node.name in inputs:
            with _fitting():
                value_array(f"input `{node.name}`", inputs[node.name], node.units.shape, plan.dtype)
    for target in plan.targets if targets else ():
        if target.name in targets:
            with _fitting():
                target_array(plan, target, targets[target.name])
    _check_lengths(plan, inputs, targets)


def _check_lengths(plan: Plan, inputs: Arrays, targets: Arrays) -> None:
    samples: dict[str, int] = {}
    for node in plan.inputs:
        samples |= _batch(node.name, inputs.get(node.name, node.default), len(node.units.shape))
    for target in plan.targets if targets else ():
        samples |= _batch(target.name, targets.get(target.name, target.default), len(target.shape))
    try:
        check_batches(samples)
    except ValueError as error:
        raise Problem("E283", str(error), help="the first axis of arrays with one more axis is the batch") from None


def _batch(name: str, array: NDArray | None, sample_ndim: int) -> dict[str, int]:
    """The length of the batch axis under the name, nothing where there is no such axis."""
    return {name: len(array)} if array is not None and array.ndim > sample_ndim else {}


@contextmanager
def _fitting() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        raise Problem("E282", str(error)) from None
