"""Node-link JSON as graphs: what `networkx.node_link_data` makes, and what D3's force layouts read.

Input: a `.json` file: an object with `nodes`, and with `links` or `edges`. Output: a `Graph` whose nodes stand in the
order of the file. The whole file is held in memory once, and turned into columns at once. Not for: other JSON.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, listed
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Graph, string_array
from graphnn_compiler.topology.readers.declared import Declared, declared_graph
from graphnn_compiler.topology.readers.files import require_text
from graphnn_compiler.topology.readers.gathered import Gathered, gathered_columns
from graphnn_compiler.topology.readers.options import GraphOptions, refuse_options
from graphnn_compiler.topology.readers.rescan import encoding_problem
from graphnn_compiler.topology.readers.table import Places, first_repeated
from graphnn_compiler.topology.readers.text_files import TextFile, text_file

_SHAPE = 'as in {"directed": true, "nodes": [{"id": "a"}], "links": [{"source": "a", "target": "a"}]}'
_INT64 = range(-(2**63), 2**63)


def read_node_link(path: Path, shown: str, options: GraphOptions) -> Graph:
    """The graph in a node-link file, directed by its own word `directed` unless the options say otherwise.

    Keys are the ids, integers or texts as they are written. E258 no JSON, E259 no node-link graph, E260 a node or an
    edge that is none, E261 where nothing says whether it is directed.
    """
    refuse_options(options, ("source", "target", "nodes", "rows", "separator"), shown, "a node-link file")
    file = text_file(path, shown, options.encoding)
    digest = file.fingerprint()
    require_text(digest, shown, "a node-link file")
    found = _Reading(shown, _loaded(file), options.directed)
    return declared_graph(found.declared(), options, digest.sha256, "list it under `nodes`")


def _loaded(file: TextFile) -> Any:
    try:
        with file.text(errors="strict") as text:
            return json.load(text, object_pairs_hook=_object)
    except json.JSONDecodeError as failure:
        line: int | None = failure.lineno
        reason = f"{failure.msg[0].lower()}{failure.msg[1:]}, at column {failure.colno}"
    except _GivenTwice as failure:
        line, reason = None, f"an object has the name `{failure.args[0]}` twice"
    except RecursionError:
        line, reason = None, "lists or objects are nested too deeply"
    except UnicodeDecodeError:
        raise encoding_problem(file) or _no_json(file.shown, None, "it is not UTF-8 text") from None
    except UnicodeEncodeError as failure:
        line, reason = (
            None,
            f"`\\u{ord(failure.object[failure.start]):x}` is half of a character",
        )
    except ValueError:
        line, reason = None, "a number has too many digits"
    raise _no_json(file.shown, line, reason)


class _GivenTwice(Exception):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    for name, value in pairs:
        _require_characters(name)
        if isinstance(value, str):
            _require_characters(value)
    if len(made) < len(pairs):
        raise _GivenTwice(first_repeated(name for name, _ in pairs))
    return made


def _require_characters(text: str) -> None:
    """Raise UnicodeEncodeError for the halves of characters that escapes can make and no file can hold."""
    if not text.isascii():
        text.encode()


def _no_json(shown: str, line: int | None, reason: str) -> Problem:
    return Problem("E258", f"`{shown}` is not well-formed JSON", places=[(DataPlace(shown, line), reason)])


class _Reading:
    """The columns of a loaded file."""

    def __init__(self, shown: str, data: Any, directed: bool | None) -> None:
        self._shown = shown
        nodes, self._edge_list, edges = self._lists(data)
        self._directed = self._flag(data, "directed", directed)
        self._multigraph = self._flag(data, "multigraph", False)
        self._codes: dict[Any, int] = {}
        self._id_type: type | None = None
        self._nodes = array("q")
        self._ends = array("q")
        self._attributes: dict[str, dict[str, Gathered]] = {"nodes": {}, self._edge_list: {}}
        self._take("nodes", nodes, ("id",), self._nodes)
        self._take(self._edge_list, edges, ("source", "target"), self._ends)
        self._counts = (len(nodes), len(edges))

    def declared(self) -> Declared:
        """What the file declares."""
        nodes, edges = self._attributes["nodes"], self._attributes[self._edge_list]
        if self._multigraph:
            # It tells parallel edges apart; here they are duplicates.
            edges.pop("key", None)
        return Declared(
            self._shown,
            self._directed,
            self._ids(),
            np.array(self._nodes, dtype=np.int64),
            np.array(self._ends, dtype=np.int64),
            gathered_columns(nodes, self._counts[0]),
            gathered_columns(edges, self._counts[1]),
            self._places("nodes"),
            self._places(self._edge_list),
            typed=True,
        )

    def _ids(self) -> NDArray:
        return np.array(list(self._codes), dtype=np.int64) if self._id_type is int else string_array(list(self._codes))

    def _places(self, part: str) -> Places:
        def places(rows: Sequence[int]) -> list[DataPlace]:
            return [self._place(part, row) for row in rows]

        return places

    def _place(self, part: str, row: int) -> DataPlace:
        return DataPlace(f"{self._shown}: {part}[{row}]")

    def _lists(self, data: Any) -> tuple[list[Any], str, list[Any]]:
        if not isinstance(data, dict):
            raise self._no_graph("it is no object")
        edge_lists = [name for name in ("links", "edges") if name in data]
        if "nodes" not in data or len(edge_lists) != 1:
            names = listed((f"`{name[:40]}`" for name in data), 6) or "nothing"
            raise self._no_graph(f"it holds {names}, not `nodes` and one of `links` and `edges`")
        for name in ("nodes", edge_lists[0]):
            if not isinstance(data[name], list):
                raise self._no_graph(f"`{name}` is no list")
        return data["nodes"], edge_lists[0], data[edge_lists[0]]

    def _no_graph(self, reason: str) -> Problem:
        place = (DataPlace(self._shown), reason)
        return Problem("E259", f"`{self._shown}` is JSON, but no node-link graph", help=_SHAPE, places=[place])

    def _flag(self, data: dict[str, Any], name: str, default: bool | None) -> bool:
        value = data.get(name, default)
        if isinstance(value, bool):
            return value
        if name in data:
            raise self._no_graph(f"`{name}` is neither true nor false")
        raise Problem(
            "E261",
            f"`{self._shown}` does not say whether its edges are directed",
            help="write `directed = true` or `directed = false`",
            places=[(DataPlace(self._shown), f"no `{name}` beside `nodes`")],
        )

    def _take(self, part: str, items: list[Any], needed: tuple[str, ...], into: array[int]) -> None:
        attributes = self._attributes[part]
        for row, item in enumerate(items):
            if not isinstance(item, dict):
                raise self._refused(part, row, "is no object", "it stands here")
            for name in needed:
                if name not in item:
                    raise self._refused(part, row, f"has no `{name}`", "it stands here")
                into.append(self._code(part, row, name, item[name]))
            for name, value in item.items():
                if name not in needed:
                    wrong = attributes.setdefault(name, Gathered()).add(row, value)
                    if wrong:
                        raise self._refused(part, row, f"has a `{name[:40]}` that {wrong}", "it stands here")

    def _code(self, part: str, row: int, name: str, value: Any) -> int:
        kind = type(value)
        if kind not in (int, str) or value == "" or (kind is int and value not in _INT64):
            raise self._refused(part, row, f"has the {name} `{_short(value)}`", "keys are 64-bit integers or texts")
        self._id_type = self._id_type or kind
        if kind is not self._id_type:
            other = "integers" if self._id_type is int else "texts"
            raise self._refused(part, row, f"has the {name} `{_short(value)}`", f"the ids before it are {other}")
        return self._codes.setdefault(value, len(self._codes))

    def _refused(self, part: str, row: int, what: str, label: str) -> Problem:
        return Problem(
            "E260",
            f"`{part}[{row}]` of `{self._shown}` {what}",
            help=_SHAPE,
            places=[(self._place(part, row), label)],
        )


def _short(value: Any) -> str:
    return f"{type(value).__name__}" if isinstance(value, list | dict) else json.dumps(value)[:40]
