"""The streaming parser of GraphML, with columnar accumulation.

Input: the bytes of a file: one graph, nodes, edges, typed data. Output: `Contents`. Document type declarations are
refused, so no entity is ever expanded. Nested graphs, hyperedges and ports are refused as unsupported. Not for:
what the ends of edges mean (`graphml`); what drawing programs keep beside the graph (it is passed over).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, did_you_mean, listed
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Column, string_array

_KINDS = {"int": "int", "long": "int", "float": "float", "double": "float", "boolean": "bool", "string": "string"}
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_BOOLEANS = {"true": 1, "1": 1, "false": 0, "0": 0}
_UNSUPPORTED = {"hyperedge": "a hyperedge", "port": "a port"}


@dataclass(eq=False)
class Values:
    """The values of one attribute while the file is read: rows and values in step, strings as codes."""

    kind: str
    rows: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(init=False)
    texts: dict[str, int] = field(default_factory=dict)
    default: float | None = None

    def __post_init__(self) -> None:
        self.values = array("d" if self.kind == "float" else "q")

    def parse(self, text: str) -> float | None:
        """The value of a text (a code for a string), None for the empty text; ValueError where it is none."""
        if self.kind == "string":
            return self.texts.setdefault(text, len(self.texts)) if text else None
        text = text.strip()
        if not text:
            return None
        if self.kind == "float":
            return float(text.replace("_", "?"))
        if self.kind == "bool":
            return _BOOLEANS[text.lower()]
        if not _INTEGER.fullmatch(text) or len(text) > 20 or not -(2**63) <= int(text) < 2**63:
            raise ValueError(text)
        return int(text)

    def column(self, n_rows: int) -> Column:
        """The column of n rows, the default where a row has no value."""
        raw = np.zeros(n_rows, dtype=np.float64 if self.kind == "float" else np.int64)
        missing = np.full(n_rows, self.default is None)
        if self.default is not None:
            raw[:] = self.default
        rows = np.array(self.rows, dtype=np.int64)
        raw[rows] = np.array(self.values)
        missing[rows] = False
        values: NDArray = raw
        if self.kind == "bool":
            values = raw.astype(bool)
        elif self.kind == "string":
            values = string_array([*self.texts, ""])[np.where(missing, len(self.texts), raw)]
        return Column(values, missing if missing.any() else None)


@dataclass(eq=False)
class Contents:
    """All that a file says."""

    directed: bool = True
    codes: dict[str, int] = field(default_factory=dict)
    nodes: array[int] = field(default_factory=lambda: array("q"))
    node_lines: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    edge_lines: array[int] = field(default_factory=lambda: array("q"))
    columns: dict[str, dict[str, Values]] = field(default_factory=lambda: {"node": {}, "edge": {}})


class GraphmlParser:
    """One pass over one file; the handlers are called by expat."""

    def __init__(self, shown: str) -> None:
        self.found = Contents()
        self._shown = shown
        self._expat = expat.ParserCreate(namespace_separator=" ")
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.StartDoctypeDeclHandler = self._doctype
        self._path: list[str] = []
        self._keys: dict[str, list[Values]] = {}
        self._domain_of_key: dict[str, tuple[str, ...]] = {}
        self._seen_graph = False
        self._row = -1
        self._text: list[str] = []
        self._data_key = ""
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {
            "graph": self._graph,
            "key": self._key,
            "node": self._node,
            "edge": self._edge,
            "data": self._data,
            "default": lambda _: self._collect(),
        }

    def feed(self, block: bytes, final: bool) -> None:
        """Parse some bytes; E220 where they are no well-formed XML."""
        try:
            self._expat.Parse(block, final)
        except expat.ExpatError as failure:
            reason = expat.ErrorString(failure.code)
            raise Problem(
                "E220",
                f"`{self._shown}` is not well-formed XML",
                places=[(DataPlace(self._shown, failure.lineno), f"{reason} here")],
            ) from None
        except LookupError as failure:  # of the codec that the XML declaration names
            raise Problem(
                "E220",
                f"`{self._shown}` is not well-formed XML",
                places=[(DataPlace(self._shown, 1), str(failure))],
            ) from None
        if final and not self._seen_graph:
            raise Problem(
                "E222",
                f"`{self._shown}` holds no graph",
                help="a GraphML file is `<graphml>` around one `<graph>`",
                places=[(DataPlace(self._shown), "no `<graph>` in this file")],
            )

    def _place(self) -> DataPlace:
        return DataPlace(self._shown, self._expat.CurrentLineNumber)

    def _refuse(self, code: str, message: str, label: str, help: str | None = None) -> Problem:
        return Problem(code, message, help=help, places=[(self._place(), label)])

    def _doctype(self, *_: object) -> None:
        raise self._refuse(
            "E221",
            f"`{self._shown}` declares a document type, which is refused",
            "the declaration begins here",
            "remove `<!DOCTYPE ..>`: GraphML needs none, and entities can be made to fill the memory",
        )

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        name = qualified.rpartition(" ")[2]
        inside_data = "data" in self._path
        self._path.append(name)
        if inside_data:
            return
        if not self._path[1:] and name != "graphml":
            raise self._refuse("E222", f"`{self._shown}` is XML but not GraphML", f"the root element is `<{name}>`")
        if name in _UNSUPPORTED:
            raise self._unsupported(_UNSUPPORTED[name])
        if name in self._starts:
            self._starts[name](attributes)

    def _unsupported(self, what: str) -> Problem:
        return self._refuse(
            "E222",
            f"`{self._shown}` holds {what}, which is not supported",
            f"{what} stands here",
            "write one flat graph of nodes and edges",
        )

    def _required(self, attributes: dict[str, str], name: str) -> str:
        if name in attributes:
            return attributes[name]
        raise self._refuse("E224", f"`<{self._path[-1]}>` in `{self._shown}` has no `{name}`", f"`{name}` is missing")

    def _graph(self, attributes: dict[str, str]) -> None:
        if self._path[:-1] != ["graphml"]:
            raise self._unsupported("a nested graph")
        if self._seen_graph:
            raise self._unsupported("a second graph")
        self._seen_graph = True
        direction = attributes.get("edgedefault", "directed")
        if direction not in ("directed", "undirected"):
            raise self._refuse("E224", f"`edgedefault` in `{self._shown}` is `{direction}`", "directed or undirected?")
        self.found.directed = direction == "directed"

    def _key(self, attributes: dict[str, str]) -> None:
        identity = self._required(attributes, "id")
        domain = attributes.get("for", "all")
        domains = ("node", "edge") if domain == "all" else (domain,)
        written = attributes.get("attr.type", "string")
        self._domain_of_key[identity] = domains
        self._keys[identity] = []
        self._data_key = identity
        if any(name.startswith("yfiles") for name in attributes):
            return
        if written not in _KINDS:
            raise self._refuse(
                "E224",
                f"`{self._shown}` declares the type `{written}`, which GraphML does not have",
                f"`{written}` stands here",
                did_you_mean(written, _KINDS, f"the types are {listed(_KINDS, 6)}"),
            )
        name = attributes.get("attr.name", identity)
        kind = _KINDS[written]
        self._keys[identity] = [self._declared(d, name, kind) for d in domains if d in self.found.columns]

    def _declared(self, domain: str, name: str, kind: str) -> Values:
        """The attribute's values; two keys of one name and type, which some writers make, share them."""
        columns = self.found.columns[domain]
        known = columns.setdefault(name, Values(kind))
        if known.kind == kind:
            return known
        if {known.kind, kind} == {"int", "float"} and not known.rows:
            merged = columns[name] = Values("float", default=known.default)
            for shared in self._keys.values():
                shared[:] = [merged if values is known else values for values in shared]
            return merged
        raise self._refuse(
            "E224",
            f"`{self._shown}` declares the {domain} attribute `{name}` as {known.kind} and as {kind}",
            "declared a second time here",
            "give the attribute one type",
        )

    def _node(self, attributes: dict[str, str]) -> None:
        identity = self._required(attributes, "id")
        self._row = len(self.found.nodes)
        self.found.nodes.append(self.found.codes.setdefault(identity, len(self.found.codes)))
        self.found.node_lines.append(self._expat.CurrentLineNumber)

    def _edge(self, attributes: dict[str, str]) -> None:
        if "sourceport" in attributes or "targetport" in attributes:
            raise self._unsupported("a port")
        source, target = self._required(attributes, "source"), self._required(attributes, "target")
        own = attributes.get("directed")
        if own is not None and _BOOLEANS.get(own.lower()) != int(self.found.directed):
            default = "directed" if self.found.directed else "undirected"
            raise self._refuse(
                "E225",
                f'an edge of `{self._shown}` says `directed="{own}"`, but the graph is {default}',
                f"from `{source}` to `{target}`",
                "a graph is either directed or undirected: write every edge so",
            )
        self._row = len(self.found.edge_lines)
        codes = self.found.codes
        self.found.ends.append(codes.setdefault(source, len(codes)))
        self.found.ends.append(codes.setdefault(target, len(codes)))
        self.found.edge_lines.append(self._expat.CurrentLineNumber)

    def _data(self, attributes: dict[str, str]) -> None:
        self._data_key = self._required(attributes, "key")
        if self._data_key not in self._keys:
            raise self._refuse(
                "E224",
                f"`{self._shown}` gives data for the key `{self._data_key}`, which it does not declare",
                "the data stands here",
                did_you_mean(self._data_key, self._keys, "declare it with `<key>` before the graph"),
            )
        self._collect()

    def _collect(self) -> None:
        self._text = []
        self._expat.CharacterDataHandler = self._text.append

    def _end(self, _: str) -> None:
        name = self._path.pop()
        if "data" in self._path or name not in ("data", "default"):
            return
        self._expat.CharacterDataHandler = None
        text = "".join(self._text)
        domain = self._path[-1]
        for column_domain, values in zip(self._domain_of_key[self._data_key], self._keys[self._data_key], strict=False):
            value = self._parsed(values, text)
            if name == "default":
                values.default = value
            elif column_domain == domain and value is not None:
                values.rows.append(self._row)
                values.values.append(value)

    def _parsed(self, values: Values, text: str) -> float | None:
        try:
            return values.parse(text)
        except (ValueError, KeyError):
            raise self._refuse(
                "E224",
                f"`{self._shown}` gives `{text.strip()[:40]}` for the key `{self._data_key}`, declared {values.kind}",
                "the value stands here",
                "correct the value, or declare the key as string",
            ) from None
