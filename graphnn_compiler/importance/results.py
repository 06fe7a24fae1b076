"""Importances with the keys of what they are of, as tables.

Input: arrays. Output: named columns, CSV and Parquet files. Not for: computing.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count
from graphnn_compiler.evaluation.table_files import write_csv, write_parquet
from graphnn_compiler.files import replace_file

Method: TypeAlias = Literal["gradient", "integrated"]
WRITERS = MappingProxyType({".csv": write_csv, ".parquet": write_parquet})
"""What writes a table, by the ending of its file."""


@dataclass(frozen=True, eq=False)
class _Importance(ABC):
    """What both kinds have in common.

    `of` names the number that was explained, `score` is its mean over the samples. `mean` and `mean_abs` are the means
    over the samples of the importances and of their absolute values, float64. Of integrated gradients,
    `baseline_score` is the number at the baseline (mean over the samples), and `gap` what the sum of slopes along the
    path misses of `score - baseline_score`: it is the error of the steps, and 0 by the axiom of completeness.
    """

    of: str
    method: Method
    n_samples: int
    score: float
    mean: NDArray[np.float64]
    mean_abs: NDArray[np.float64]
    baseline_score: float | None
    gap: float | None

    def columns(self) -> dict[str, NDArray]:
        """The table: keys, then `mean` and `mean_abs`; one row a number."""
        return {**self._keys(), "mean": self.mean.reshape(-1), "mean_abs": self.mean_abs.reshape(-1)}

    @abstractmethod
    def _keys(self) -> Mapping[str, NDArray]:
        """The key of each row."""

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the table to a `.csv` or `.parquet` file, whole or not at all. ValueError for another ending."""
        ending = Path(path).suffix.lower()
        if ending not in WRITERS:
            raise ValueError(f"`{os.fspath(path)}` is not named as a .csv or .parquet file")
        replace_file(path, lambda stream: WRITERS[ending](stream, self.columns()))


@dataclass(frozen=True, eq=False)
class UnitImportance(_Importance):
    """Of the units of an input or a layer: `mean` and `mean_abs` are (U,), or (U, C) with a channel axis.

    `keys`, (U,), are those of the units.
    """

    layer: str
    keys: NDArray

    def __repr__(self) -> str:
        return f"UnitImportance({self.layer} for {self.of}: {count(len(self.keys), 'unit')}, {self.method})"

    def _keys(self) -> Mapping[str, NDArray]:
        if self.mean.ndim == 1:
            return {"unit": self.keys}
        n_channels = self.mean.shape[1]
        channels = np.tile(np.arange(n_channels), len(self.keys))
        return {"unit": np.repeat(self.keys, n_channels), "channel": channels}


@dataclass(frozen=True, eq=False)
class EdgeImportance(_Importance):
    """Of the edges of a clause, in canonical order (by target, then source): all arrays are (E,).

    `relations` names the relation of each edge where a pair of units has edges of several, else it is None.
    """

    layer: str
    label: str
    source_keys: NDArray
    target_keys: NDArray
    relations: NDArray | None

    def __repr__(self) -> str:
        edges = count(len(self.source_keys), "edge")
        return f"EdgeImportance({self.layer}.{self.label} for {self.of}: {edges}, {self.method})"

    def _keys(self) -> Mapping[str, NDArray]:
        named = {} if self.relations is None else {"relation": self.relations}
        return {"source": self.source_keys, "target": self.target_keys, **named}
