"""The data of a build: each file read once, or replaced by a Python object of the same name.

Input: the model's reads and the objects bound through `data=`. Output: graphs, tables, arrays, and the digests of the
files that were read. Not for: formats (see `readers`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from graphnn_compiler.model.rejection import Refused
from graphnn_compiler.model.types import Read
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.graph import Graph
from graphnn_compiler.topology.readers.delimited import SEPARATORS, separator_of
from graphnn_compiler.topology.readers.objects import array_from_object
from graphnn_compiler.topology.readers.options import GraphOptions, LoadedArray, TableOptions
from graphnn_compiler.topology.readers.read import (
    edge_table_from_object,
    graph_from_object,
    read_edge_table,
    read_graph,
)
from graphnn_compiler.topology.readers.rescan import place_of_row
from graphnn_compiler.topology.readers.text_files import format_of, text_file
from graphnn_compiler.topology.readers.values import read_array

Result = TypeVar("Result", Graph, LoadedArray)


class Data:
    """Reads on demand. `objects` are the values of `data=`, by declared name; `files` collects the digests."""

    def __init__(self, objects: Mapping[str, object]) -> None:
        self.objects = objects
        self.files: dict[str, str] = {}
        self._read: dict[int, tuple[Read, Any]] = {}
        self._refused = Refused()

    def graph(self, read: Read) -> Graph:
        """The graph of `graph g = read(..)`."""
        options: dict[str, Any] = dict(read.options)
        if read.nodes is not None:
            options["nodes"] = read.nodes.shown
        wishes = GraphOptions(**options)

        def from_file() -> Graph:
            nodes = read.nodes
            return read_graph(
                read.file.path,
                read.file.shown,
                wishes,
                None if nodes is None else nodes.path,
                None if nodes is None else nodes.shown,
            )

        return self._once(read, lambda obj: graph_from_object(obj, read.name, wishes), from_file)

    def table(self, read: Read) -> Graph:
        """The pairs of `table(..)`."""
        options: dict[str, Any] = dict(read.options)
        wishes = TableOptions(**options)
        return self._once(
            read,
            lambda obj: edge_table_from_object(obj, read.name, wishes),
            lambda: read_edge_table(read.file.path, read.file.shown, wishes),
        )

    def array(self, read: Read) -> LoadedArray:
        """The values of `input x[..] = read(..)` or `target t = read(..)`."""
        options = {option: str(value) for option, value in read.options.items()}
        return self._once(
            read,
            lambda obj: array_from_object(obj, read.name),
            lambda: read_array(read.file.path, read.file.shown, read.name, **options),
        )

    def place_of_edge(
        self, read: Read, source: int | str, target: int | str, relation: tuple[str | None, ...] = ()
    ) -> DataPlace:
        """Where a pair of keys is listed: the file, and the line in a text table; found by reading the file again.

        `relation` holds the one that the row is to have, if any is asked for.
        """
        if read.name in self.objects:
            return DataPlace(f"data[{read.name!r}]")
        path, shown = read.file.path, read.file.shown
        if format_of(path) not in SEPARATORS:
            return DataPlace(shown)
        wishes = {name: str(read.options[name]) for name in ("separator", "encoding") if name in read.options}
        delimiter = separator_of(path, shown, wishes.get("separator"))
        columns = [str(read.options.get("source", "source")), str(read.options.get("target", "target"))]
        cells: set[tuple[str, ...]] = {(str(source), str(target))}
        if read.options.get("directed") is False:
            cells.add((str(target), str(source)))
        if "type" in read.options:
            columns += [str(read.options["type"])] * len(relation)
            cells = {(*pair, *(name or "" for name in relation)) for pair in cells}
        return place_of_row(text_file(path, shown, wishes.get("encoding")), delimiter, columns, cells)

    def _once(self, read: Read, bind: Callable[[object], Result], load: Callable[[], Result]) -> Result:
        known = self._read.get(id(read))
        if known is None:
            with self._refused.once(read), located(read.span):
                found = bind(self.objects[read.name]) if read.name in self.objects else load()
            self.files.update(found.files)
            known = self._read[id(read)] = (read, found)
        result: Result = known[1]
        return result
