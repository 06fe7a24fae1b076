"""The small statements of which the verification of a plan is made.

Input: a condition, or an array and what it should be. Output: nothing, or ValueError. Not for: errors of a program.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import distinct


def require(holds: bool, message: str) -> None:
    """Raise ValueError with the message unless the condition holds."""
    if not holds:
        raise ValueError(message)


def all_distinct(values: NDArray) -> bool:
    """Whether no value of a one-dimensional array stands twice; NaN counts as one value."""
    if values.dtype.kind == "i" and bool(np.all(values[1:] > values[:-1])):
        return True
    return len(distinct(values)[0]) == len(values)


def verify_default(place: str, default: NDArray | None, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless default data is numeric and has the shape of one sample, or a batch axis in front."""
    if default is None:
        return
    require(default.dtype.kind in "iufb", f"{place}: its default data is of dtype {default.dtype}")
    fits = default.shape == shape or (default.ndim == len(shape) + 1 and default.shape[1:] == shape)
    require(fits, f"{place}: its default data has shape {default.shape}, one sample has {shape}")
