"""What an input becomes before any layer reads it: missing values filled, features scaled, as a training found it.

Input: made by a training, or read back from an archive. Output: read by the backends, `inspect` and the archive.
Not for: finding the numbers (`training.preparation`), applying them (`backend`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.consistency import require

ScalingMethod = Literal["standardize", "row_normalize"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """`standardize`: (x - mean) / deviation, each float64 of the shape of one sample. A feature that was constant has
    deviation 1.

    `row_normalize`: the channels of each unit divided by their sum, or of an input without channels the units of each
    sample; a zero sum gives 0. It has no numbers.
    """

    method: ScalingMethod
    mean: NDArray[np.float64] | None = None
    deviation: NDArray[np.float64] | None = None


def verify_scaling(place: str, scaling: Scaling | None, shape: tuple[int, ...], dtype: str) -> None:
    """Raise ValueError unless the numbers are those that the method has, for samples of `shape` and `dtype`."""
    if scaling is None:
        return
    has_numbers = scaling.method == "standardize"
    require(has_numbers or scaling.method == "row_normalize", f"{place}: there is no scaling `{scaling.method}`")
    for what, array in (("mean", scaling.mean), ("deviation", scaling.deviation)):
        require((array is not None) == has_numbers, f"{place}: `{scaling.method}` with a wrong number of arrays")
        verify_statistic(f"{place}: the {what} of its scaling", array, shape)
    if scaling.deviation is not None:
        positive = bool((scaling.deviation.astype(dtype) > 0).all())
        require(positive, f"{place}: a deviation of its scaling is not positive")


def verify_statistic(place: str, array: NDArray | None, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless there is no array, or one finite float64 for each number of a sample of `shape`."""
    if array is None:
        return
    require(array.dtype == np.float64, f"{place} is {array.dtype}, not float64")
    require(array.shape == shape, f"{place} has shape {array.shape}, one sample has {shape}")
    require(bool(np.isfinite(array).all()), f"{place} is not finite")
