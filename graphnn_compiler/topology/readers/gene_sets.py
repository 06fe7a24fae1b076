"""GMT files, which list gene sets, as graphs from members to sets.

Input: a `.gmt` file: a line a set, with tabs between its name, its description and its members. Output: a `Graph` with
an edge from each member to its set. Not for: expression data (GCT).

The format is that of the Molecular Signatures Database (MSigDB).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Column, Graph, string_array
from graphnn_compiler.topology.readers.declared import Declared, declared_graph, line_places
from graphnn_compiler.topology.readers.files import require_text
from graphnn_compiler.topology.readers.options import GraphOptions, refuse_options
from graphnn_compiler.topology.readers.rescan import encoding_problem, nul_problem
from graphnn_compiler.topology.readers.text_files import text_file

DESCRIPTION = "description"
"""The node attribute that holds the descriptions of sets; of members it is missing."""


def read_gene_sets(path: Path, shown: str, options: GraphOptions) -> Graph:
    """The graph of a GMT file: member -> set; nodes in order of first appearance, a set before its members.

    E229 at a line that is no set, E214 where a set is named twice; a member named twice in a set is a duplicate edge.
    """
    unfit = ("source", "target", "type", "nodes", "key", "rows", "separator")
    refuse_options(options, unfit, shown, "a GMT file")
    file = text_file(path, shown, options.encoding)
    digest = file.fingerprint()
    require_text(digest, shown, "a GMT file")
    if digest.has_nul:
        raise encoding_problem(file) or nul_problem(file)
    sets = _Sets(shown)
    try:
        with file.text(errors="strict", newline=None) as lines:
            sets.read(lines)
    except UnicodeDecodeError:
        raise encoding_problem(file) or _no_set(shown, None, "it is not UTF-8 text") from None
    return declared_graph(sets.declared(), options, digest.sha256, "name it in a line")


class _Sets:
    """One pass over the lines of one file."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._codes: dict[str, int] = {}
        self._first_lines = array("q")
        self._set_lines: dict[int, int] = {}
        self._descriptions: dict[int, str] = {}
        self._ends = array("q")
        self._edge_lines = array("q")

    def read(self, lines: Iterable[str]) -> None:
        """Take in all lines; blank ones are no sets."""
        for number, line in enumerate(lines, start=1):
            cells = line.rstrip("\r\n").rstrip("\t").split("\t")
            if cells != [""]:
                self._take(number, cells, line)

    def _take(self, number: int, cells: list[str], line: str) -> None:
        name, *rest = cells
        if not name:
            raise _no_set(self._shown, number, "the name of the set is empty")
        if not rest and "\t" not in line:
            raise _no_set(self._shown, number, "no tab in this line")
        if "" in rest[1:]:
            raise _no_set(self._shown, number, f"`{name}` has an empty cell among its members")
        code = self._code(name, number)
        if code in self._set_lines:
            raise Problem(
                "E214",
                f"`{self._shown}` lists the set `{name}` more than once",
                help="give every set one line and a name of its own",
                places=[
                    (DataPlace(self._shown, self._set_lines[code]), f"`{name}` stands here"),
                    (DataPlace(self._shown, number), "and again here"),
                ],
            )
        self._set_lines[code] = number
        self._descriptions[code] = rest[0] if rest else ""
        for member in rest[1:]:
            self._ends.extend((self._code(member, number), code))
            self._edge_lines.append(number)

    def _code(self, name: str, line: int) -> int:
        code = self._codes.setdefault(name, len(self._codes))
        if code == len(self._first_lines):
            self._first_lines.append(line)
        return code

    def declared(self) -> Declared:
        """What the file declares."""
        texts = [self._descriptions.get(code, "") for code in range(len(self._codes))]
        missing = np.array([not text for text in texts], dtype=bool)
        return Declared(
            self._shown,
            directed=True,
            ids=string_array(list(self._codes)),
            nodes=np.arange(len(self._codes)),
            ends=np.array(self._ends, dtype=np.int64),
            node_columns={DESCRIPTION: Column(string_array(texts), missing if missing.any() else None)},
            edge_columns={},
            node_places=line_places(self._shown, self._first_lines),
            edge_places=line_places(self._shown, self._edge_lines),
        )


def _no_set(shown: str, line: int | None, what: str) -> Problem:
    return Problem(
        "E229",
        f"a line of `{shown}` is no gene set",
        help="a line is the set's name, its description and its members, with a tab between each two",
        places=[(DataPlace(shown, line), what)],
    )
