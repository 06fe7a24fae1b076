"""Columns of text cells, typed while they stream by, without a Python object per cell.

Input: batches of an Arrow string column. Output: `Cells`, which are int64 where all cells are decimal integers, else
float64, else bool, else codes into distinct texts. Not for: opening files; what columns mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import STRING, Column

Kind = Literal["int", "float", "bool", "text"]

_BATCH = 1 << 16
# A number with a leading zero ("007") is a name; `nan(..)` is an oddity of the C parser.
_NO_NUMBER = r"^[+-]?0[0-9]|\("


@dataclass(frozen=True, eq=False)
class Cells:
    """A column: an array of the kind's type, or an Arrow dictionary column for text. `missing` is of shape (n,)."""

    kind: Kind | None
    """None where every cell is missing, or there is none."""
    values: Any
    missing: NDArray[np.bool_] | None

    def column(self) -> Column:
        """The cells as an attribute."""
        if self.kind != "text":
            return Column(self.values, self.missing)
        texts, codes = joined(self.values)
        return Column(texts[codes], self.missing)

    def texts(self) -> Any:
        """The cells as an Arrow dictionary column; only integers and texts are still known as they were written."""
        if self.kind == "text":
            return self.values
        written = pc.cast(pa.array(self.values), pa.string())
        if self.missing is not None:
            written = pc.if_else(pa.array(self.missing), "", written)
        return pa.chunked_array([written.dictionary_encode()])


class CellsBuilder:
    """One column of a file that is read in batches. Its type is that of the batches so far.

    `retyped` is true once a later batch showed that earlier numbers were text: then the column is read again, with
    `kind` "text" from the start.
    """

    def __init__(self, kind: Kind | None = None) -> None:
        self.kind: Kind | None = kind
        self.retyped = False
        self._chunks: list[Any] = []
        self._missing: list[NDArray[np.bool_] | int] = []
        self._n_rows = self._n_joined = self._n_loose = 0

    def add(self, cells: Any) -> None:
        """Take in the next cells, an Arrow string array."""
        if self.retyped:
            return
        empty = pc.equal(cells, "")
        some_missing = bool(pc.any(empty).as_py())
        self._add_values(cells, empty if some_missing else None)
        self._missing.append(flags(empty) if some_missing else len(cells))

    def _add_values(self, cells: Any, empty: Any | None) -> None:
        if self.kind == "text":
            self._add_texts(cells.dictionary_encode())
            return
        filled = cells if empty is None else pc.if_else(empty, pa.scalar(None, pa.string()), cells)
        if filled.null_count == len(filled):
            self._chunks.append(len(cells))
            return
        kind, values = _parsed(filled, self.kind)
        if kind == "text":
            self._become_text(cells)
            return
        self.kind = kind
        self._chunks.append(values.copy())  # out of the memory pool of Arrow, which keeps what was once used

    def _become_text(self, cells: Any) -> None:
        if self.kind in ("float", "bool"):
            self.retyped = True
            self._chunks.clear()
            return
        before = self.finished() if self._chunks else None
        self.kind = "text"
        self._chunks = [] if before is None else list(before.texts().chunks)
        self._chunks.append(cells.dictionary_encode())

    def _add_texts(self, chunk: Any) -> None:
        """Every batch has a dictionary of its own; they are joined whenever they have doubled, and more."""
        self._chunks.append(chunk)
        self._n_rows += len(chunk)
        self._n_loose += len(chunk.dictionary)
        if self._n_loose > 2 * self._n_joined + self._n_rows // 4 + _BATCH:
            self._chunks = [_single(self._chunks)]
            self._n_joined, self._n_loose = len(self._chunks[0].dictionary), 0

    def finished(self) -> Cells:
        """The whole column; the builder keeps nothing of it but what is missing."""
        missing = self._whole_mask()
        chunks, self._chunks = self._chunks, []
        if self.kind == "text":
            return Cells(self.kind, pa.chunked_array([_single(chunks)]), missing)
        dtype = {"int": np.int64, "bool": np.bool_}.get(self.kind or "", np.float64)
        values: NDArray = np.zeros(sum(_length(chunk) for chunk in chunks), dtype=dtype)
        start = 0
        chunks.reverse()
        while chunks:
            chunk = chunks.pop()
            end = start + _length(chunk)
            values[start:end] = 0 if isinstance(chunk, int) else chunk
            start = end
        return Cells(self.kind, values, missing)

    def _whole_mask(self) -> NDArray[np.bool_] | None:
        if all(isinstance(part, int) for part in self._missing):
            return None
        return np.concatenate([np.zeros(p, dtype=bool) if isinstance(p, int) else p for p in self._missing])


def _single(chunks: list[Any]) -> Any:
    """Dictionary arrays as one, with one dictionary in order of first appearance."""
    unified = pa.chunked_array(chunks).unify_dictionaries().chunks
    codes = pa.concat_arrays([chunk.indices for chunk in unified])
    return pa.DictionaryArray.from_arrays(codes, unified[-1].dictionary)


def _length(chunk: Any) -> int:
    return chunk if isinstance(chunk, int) else len(chunk)


def _parsed(cells: Any, known: Kind | None) -> tuple[Kind, Any]:
    """The values of a batch in the first type that fits both it and the type of the batches before it."""
    parsers: dict[Kind, Callable[[Any], NDArray | None]] = {"int": _integers, "float": _floats, "bool": _booleans}
    allowed: dict[Kind | None, tuple[Kind, ...]] = {
        None: ("int", "float", "bool"),
        "int": ("int", "float"),
        "float": ("float",),
        "bool": ("bool",),
    }
    for kind in allowed[known]:
        values = parsers[kind](cells)
        if values is not None:
            return kind, values
    return "text", None


def flags(array: Any) -> NDArray[np.bool_]:
    """An Arrow boolean column as an array."""
    return np.asarray(array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy())


def _cast(cells: Any, to: Any) -> Any | None:
    try:
        return pc.cast(cells, to)
    except pa.ArrowInvalid:
        return None


def _integers(cells: Any) -> NDArray[np.int64] | None:
    """The cells as int64 (0 for null), or None unless each is the decimal text of its value."""
    integers = _cast(cells, pa.int64())
    if integers is None or pc.any(pc.not_equal(pc.cast(integers, pa.string()), cells)).as_py():
        return None
    values: NDArray[np.int64] = pc.fill_null(integers, 0).to_numpy()
    return values


def _floats(cells: Any) -> NDArray[np.float64] | None:
    if pc.any(pc.match_substring_regex(cells, _NO_NUMBER)).as_py():
        return None
    numbers = _cast(cells, pa.float64())
    if numbers is None:
        return None
    values: NDArray[np.float64] = pc.fill_null(numbers, 0.0).to_numpy()
    return values


def _booleans(cells: Any) -> NDArray[np.bool_] | None:
    if pc.max(pc.binary_length(cells)).as_py() > len("false"):
        return None
    lower = pc.utf8_lower(cells)
    if not pc.all(pc.is_in(lower, value_set=pa.array(["true", "false", None]))).as_py():
        return None
    return flags(pc.fill_null(pc.equal(lower, "true"), False))


def strings(array: Any) -> NDArray:
    """An Arrow string array as variable-width strings, through at most `_BATCH` Python objects at a time."""
    out = np.empty(len(array), dtype=STRING)
    for start in range(0, len(array), _BATCH):
        out[start : start + _BATCH] = array.slice(start, _BATCH).to_pylist()
    return out


def joined(cells: Any) -> tuple[NDArray, NDArray[np.int32]]:
    """The distinct texts of an Arrow dictionary column in order of first appearance, and the code of every cell."""
    unified = cells.unify_dictionaries()
    if unified.num_chunks == 0:
        return np.empty(0, dtype=STRING), np.empty(0, dtype=np.int32)
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in unified.chunks])
    return strings(unified.chunk(unified.num_chunks - 1).dictionary), codes


def joined_columns(columns: Sequence[Any]) -> tuple[NDArray, list[NDArray[np.int64]]]:
    """The distinct texts over several Arrow dictionary columns, and each column's codes."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    texts, codes = joined(pa.chunked_array(chunks, type=pa.dictionary(pa.int32(), pa.string())))
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return texts, [part.astype(np.int64) for part in np.split(codes, ends)]
