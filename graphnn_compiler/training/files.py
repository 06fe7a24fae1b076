"""Data named by a file: the arrays of an `.npz` by the names of inputs and targets.

Input: a path. Output: inputs and targets, large ones mapped. Raises `Problem` as the readers of arrays do, ValueError
for a file that is no `.npz`. Not for: whether the arrays fit.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from graphnn_compiler.topology.plan import Plan
from graphnn_compiler.topology.readers.arrays import open_arrays
from graphnn_compiler.training.refusals import require


def named_arrays(plan: Plan, inputs: Any, targets: Any) -> tuple[Any, Any]:
    """Inputs and targets as they were given, or those in the file if `inputs` is its name and nothing else is given."""
    if not isinstance(inputs, str | os.PathLike):
        return inputs, targets
    path = Path(inputs)
    require(targets is None, "a file holds inputs and targets: give its name alone")
    require(path.suffix.lower() == ".npz", f"`{path}` is not named as an .npz file, in which arrays have names")
    file = open_arrays(path, str(path))
    of_targets = {target.name for target in plan.targets}
    arrays = {name: file.map(name) for name in file.names}
    return (
        {name: array for name, array in arrays.items() if name not in of_targets},
        {name: array for name, array in arrays.items() if name in of_targets},
    )
