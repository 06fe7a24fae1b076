"""GML files as graphs.

Input: a `.gml` file. Output: a `Graph` whose nodes stand in the order of the file. Lists inside a node or an edge, such
as the `graphics` of drawing programs, are passed over. Not for: characters (`gml_tokens`).

Himsolt, "GML: A portable Graph File Format", University of Passau, 1997.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Graph
from graphnn_compiler.topology.interning import intern
from graphnn_compiler.topology.readers.declared import Declared, declared_graph, line_places
from graphnn_compiler.topology.readers.files import require_text
from graphnn_compiler.topology.readers.gathered import Gathered, gathered_columns
from graphnn_compiler.topology.readers.gml_tokens import Token, syntax_problem, tokens
from graphnn_compiler.topology.readers.options import GraphOptions, refuse_options
from graphnn_compiler.topology.readers.rescan import encoding_problem, nul_problem
from graphnn_compiler.topology.readers.text_files import text_file

_UNSAID = {"NAN": float("nan"), "INF": float("inf")}
_INT64 = range(-(2**63), 2**63)


def read_gml(path: Path, shown: str, options: GraphOptions) -> Graph:
    """The graph in a GML file: undirected unless it says `directed 1`, or the options say otherwise.

    Node keys are the ids, or the attribute that `options.key` names, as `label`. E226 .. E228 are about the file.
    """
    refuse_options(options, ("source", "target", "nodes", "rows", "separator"), shown, "a GML file")
    file = text_file(path, shown, options.encoding)
    digest = file.fingerprint()
    require_text(digest, shown, "a GML file")
    if digest.has_nul:
        raise encoding_problem(file) or nul_problem(file)
    try:
        with file.text(errors="strict", newline=None) as lines:
            parser = _Parser(shown, tokens(lines, shown))
            parser.run()
    except UnicodeDecodeError:
        raise encoding_problem(file) or syntax_problem(shown, None, "it is not UTF-8 text") from None
    return declared_graph(parser.declared(), options, digest.sha256, "declare each with `node [ id .. ]`")


class _Parser:
    """One pass over the tokens of one file."""

    def __init__(self, shown: str, found: Iterator[Token]) -> None:
        self._shown = shown
        self._tokens = found
        self._directed = self._multigraph = self._seen = False
        self._ids = {"id": array("q"), "source": array("q"), "target": array("q")}
        self._lines = {"node": array("q"), "edge": array("q")}
        self._attributes: dict[str, dict[str, Gathered]] = {"node": {}, "edge": {}}

    def declared(self) -> Declared:
        """What the file declares."""
        ends = np.array([self._ids["source"], self._ids["target"]], dtype=np.int64).T.ravel()
        ids, (nodes, codes) = intern([np.array(self._ids["id"], dtype=np.int64), ends])
        if self._multigraph:
            # It tells parallel edges apart; here they are duplicates.
            self._attributes["edge"].pop("key", None)
        node_lines, edge_lines = self._lines["node"], self._lines["edge"]
        return Declared(
            self._shown,
            self._directed,
            ids,
            nodes,
            codes,
            gathered_columns(self._attributes["node"], len(node_lines)),
            gathered_columns(self._attributes["edge"], len(edge_lines)),
            line_places(self._shown, node_lines),
            line_places(self._shown, edge_lines),
        )

    def run(self) -> None:
        """Read the whole file."""
        for name, value in self._pairs(None):
            if name == "graph" and value.kind == "open":
                if self._seen:
                    raise self._refused(value.line, "holds a second graph", "a second graph begins here")
                self._seen = True
                self._graph(value.line)
            elif value.kind == "open":
                self._skip(value.line)
        if not self._seen:
            raise self._refused(None, "holds no graph", "no `graph [` in this file")

    def _graph(self, began: int) -> None:
        for name, value in self._pairs(began):
            if name in ("node", "edge") and value.kind == "open":
                self._record(name, value.line)
            elif value.kind == "open":
                self._skip(value.line)
            elif name in ("directed", "multigraph"):
                if value.value not in (0, 1):
                    raise self._refused(value.line, f"says `{name} {value.value}`", "0 or 1?")
                setattr(self, f"_{name}", value.value == 1)

    def _record(self, owner: str, began: int) -> None:
        """A node or an edge."""
        row = len(self._lines[owner])
        self._lines[owner].append(began)
        needed = ["id"] if owner == "node" else ["source", "target"]
        for name, value in self._pairs(began):
            if value.kind == "open":
                self._skip(value.line)
            elif name in needed:
                needed.remove(name)
                self._ids[name].append(self._identity(name, value))
            else:
                self._attribute(owner, name, row, value)
        if needed:
            raise self._refused(began, f"has {_a(owner)} without `{needed[0]}`", f"the {owner} begins here")

    def _identity(self, name: str, value: Token) -> int:
        if isinstance(value.value, int) and value.value in _INT64:
            return value.value
        found = f'"{value.value}"' if value.kind == "text" else str(value.value)
        raise self._refused(value.line, f"has the {name} `{found[:40]}`, which is no 64-bit integer", "it stands here")

    def _attribute(self, owner: str, name: str, row: int, token: Token) -> None:
        values = self._attributes[owner].setdefault(name, Gathered())
        wrong = "is given twice" if name in ("id", "source", "target") else values.add(row, token.value)
        if wrong:
            raise Problem(
                "E228",
                f"a value of the {owner} attribute `{name}` of `{self._shown}` {wrong}",
                help="an attribute is one number or one text, of one type throughout",
                places=[(DataPlace(self._shown, token.line), "the value stands here")],
            )

    def _pairs(self, began: int | None) -> Iterator[tuple[str, Token]]:
        """Names and values up to the end of a list that began on the given line, or of the file."""
        for token in self._tokens:
            if token.kind == "close" and began is not None:
                return
            if token.kind != "name":
                raise syntax_problem(self._shown, token.line, f"`{token.value}` stands where a name is due")
            value = next(self._tokens, None)
            if value is None or value.kind == "close":
                line = token.line if value is None else value.line
                raise syntax_problem(self._shown, line, f"`{token.value}` has no value")
            if value.kind == "name":
                if value.value not in _UNSAID:
                    raise syntax_problem(self._shown, value.line, f"`{value.value}` stands where a value is due")
                value = Token("number", _UNSAID[str(value.value)], value.line)
            yield str(token.value), value
        if began is not None:
            raise syntax_problem(self._shown, began, "the list that begins here is never closed")

    def _skip(self, began: int) -> None:
        depth = 1
        for token in self._tokens:
            depth += (token.kind == "open") - (token.kind == "close")
            if depth == 0:
                return
        raise syntax_problem(self._shown, began, "the list that begins here is never closed")

    def _refused(self, line: int | None, what: str, label: str) -> Problem:
        return Problem(
            "E227",
            f"`{self._shown}` {what}",
            help="a GML file is `graph [ node [ id 0 ] .. edge [ source 0 target 0 ] .. ]`",
            places=[(DataPlace(self._shown, line), label)],
        )


def _a(owner: str) -> str:
    return "an edge" if owner == "edge" else "a node"
