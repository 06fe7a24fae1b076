"""Refusals that show what was looked for beside what is there.

Input: what a rule found, or did not. Output: a refusal at a place of the program. Not for: deciding that something is
wrong.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count
from graphnn_compiler.model.columns import ColumnExpr, ColumnRef, walk
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.types import Read
from graphnn_compiler.source import Span
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, distinct, is_string
from graphnn_compiler.topology.readers.table import sampled


def nobody_passes(nodes: NodeSet, predicate: ColumnExpr) -> NoReturn:
    """No node passes a condition: of the text columns that it looks at, what they hold."""
    notes = []
    for name in dict.fromkeys(part.name for part in walk(predicate) if isinstance(part, ColumnRef)):
        column = nodes.columns.get(name)
        if column is not None and is_string(column.values):
            held, _, _ = distinct(column.values if column.missing is None else column.values[~column.missing])
            notes.append(
                f"`{name}` holds {sampled(held[:3].tolist(), len(held))}" if len(held) else f"`{name}` holds nothing"
            )
    message = f"none of the {count(len(nodes), 'node')} passes this condition"
    reject("E253", message, predicate.span, notes=notes)


def strange_keys(keys: NDArray, side: str, data: Read, span: Span) -> NoReturn:
    """Keys of a table that match no unit."""
    some = sampled(keys[:3].tolist(), len(keys))
    matches = "matches" if len(keys) == 1 else "match"
    message = f"{count(len(keys), f'{side} key')} of `{data.file.shown}` {matches} no unit: {some}"
    reject("E342", message, span, help="write `missing = drop` in the `table(..)` if such rows are to be left out")


def no_degrees(values: NDArray[np.float64], targets: NodeSet, span: Span) -> NoReturn:
    """In-degrees from a column that are no numbers of edges."""
    wrong = np.flatnonzero((values != np.floor(values)) | (values < 0))
    some = sampled([f"{values[i]:g} at {targets.keys[i]}" for i in wrong[:3]], len(wrong))
    message = f"the in-degree of {count(len(wrong), 'destination')} is no whole number, 0 or more: {some}"
    reject("E306", message, span, help="correct the column: an in-degree is a number of edges")


def no_edge(names: tuple[str, str], source: NodeSet, target: NodeSet, whole: EdgeSet | None, span: Span) -> NoReturn:
    """No edge connects the units of two layers: samples of all sides; `whole` is the rule's edge set, if bound."""
    notes = []
    for name, nodes in zip(names, (source, target), strict=True):
        notes.append(f"`{name}` has {count(len(nodes), 'unit')}: {sampled(nodes.keys[:3].tolist(), len(nodes))}")
    if whole is not None and len(whole):
        first = range(min(3, len(whole)))
        pairs = [f"{whole.sources.keys[whole.column[i]]} -> {whole.targets.keys[whole.row[i]]}" for i in first]
        notes.append(f"the rule has {count(len(whole), 'edge')}: {sampled(pairs, len(whole))}")
    elif whole is not None:
        notes.append("the rule has no edges at all")
    message = f"no edge connects `{names[0]}` to `{names[1]}`"
    help = "units are matched by key: those of both layers must be ends of the rule's edges"
    reject("E344", message, span, help=help, notes=notes)
