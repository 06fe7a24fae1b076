"""Columns as CSV and Parquet files.

Input: named columns of equal length. Output: the bytes of a file. Not for: what the columns mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray


def write_csv(stream: BinaryIO, columns: Mapping[str, NDArray]) -> None:
    """A header and a row a line; text is quoted, numbers are the shortest that read back as the same."""
    pyarrow.csv.write_csv(_table(columns), stream)


def write_parquet(stream: BinaryIO, columns: Mapping[str, NDArray]) -> None:
    """A Parquet file, compressed as its library has it."""
    pq.write_table(_table(columns), stream)


def _table(columns: Mapping[str, NDArray]) -> pa.Table:
    return pa.table({name: pa.array(_cells(values)) for name, values in columns.items()})


def _cells(values: NDArray) -> NDArray | list[str]:
    return values if values.dtype.kind in "biuf" else [str(text) for text in values.tolist()]
