"""How the manifest refers to arrays.

Input and output: `{"array": 3}` is array 3 of the archive; `{"text": [3, 4]}` are strings, array 3 holding their bytes
and array 4 the offsets. The same array object is written once and read back as one object. Not for: the bytes of
arrays (`container`).
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from graphnn_compiler.archive.fields import Fields, broken
from graphnn_compiler.diagnostics import Problem, listed
from graphnn_compiler.topology.graph import is_string
from graphnn_compiler.topology.npy import decode_strings, encode_strings


class WrittenArrays:
    """The arrays of an archive, each once. It holds on to every array, so that no `id` is used again."""

    def __init__(self) -> None:
        self.arrays: list[NDArray] = []
        self._seen: dict[int, tuple[NDArray, dict[str, Any]]] = {}

    def reference(self, array: NDArray) -> dict[str, Any]:
        if id(array) not in self._seen:
            self._seen[id(array)] = (array, self._added(array))
        return self._seen[id(array)][1]

    def optional(self, array: NDArray | None) -> dict[str, Any] | None:
        return None if array is None else self.reference(array)

    def _added(self, array: NDArray) -> dict[str, Any]:
        first = len(self.arrays)
        if not is_string(array):
            self.arrays.append(array)
            return {"array": first}
        if array.ndim != 1:
            raise ValueError(f"strings of {array.ndim} dimensions")
        self.arrays += encode_strings(array)
        return {"text": [first, first + 1]}


class ReadArrays:
    """The arrays of an archive by reference; the same reference gives the same array object."""

    def __init__(self, arrays: tuple[NDArray, ...]) -> None:
        self._arrays = arrays
        self._strings: dict[tuple[int, int], NDArray] = {}
        self._used: set[int] = set()

    def optional(self, fields: Fields, name: str) -> NDArray | None:
        reference = fields.optional_nested(name)
        return None if reference is None else self._resolved(reference)

    def required(self, fields: Fields, name: str) -> NDArray:
        return self._resolved(fields.nested(name))

    def _resolved(self, reference: Fields) -> NDArray:
        with reference:
            if reference.has("text"):
                return self._text(reference.place, reference.integers("text"))
            return self._numbered(reference.place, reference.integer("array"))

    def _numbered(self, place: str, number: int) -> NDArray:
        if number >= len(self._arrays):
            raise broken(place, f"refers to array {number}, and there are {len(self._arrays)}")
        self._used.add(number)
        return self._arrays[number]

    def _text(self, place: str, numbers: tuple[int, ...]) -> NDArray:
        if len(numbers) != 2:
            raise broken(place, "does not refer to two arrays")
        pair = (numbers[0], numbers[1])
        if pair not in self._strings:
            data, offsets = (self._numbered(place, number) for number in pair)
            try:
                self._strings[pair] = decode_strings(data, offsets)
            except ValueError as error:
                raise Problem("E540", f"{place}: {error}") from error
        return self._strings[pair]

    def refuse_unused(self) -> None:
        """Raise `Problem` where an array is referred to by nothing."""
        unused = [number for number in range(len(self._arrays)) if number not in self._used]
        if unused:
            raise broken("the manifest", f"refers nowhere to the arrays {listed(unused)}")
