"""What listed edges look like before they are a graph, whichever file or object lists them.

Input: a `RowTable`, which is anything with named columns and rows. Output: `RawEdges` and `RawNodes`, whose ends are
codes into distinct keys. Not for: opening files; joining, doubling and ordering (`assemble`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, did_you_mean, listed
from graphnn_compiler.source import DataPlace
from graphnn_compiler.topology.graph import Column, Relations
from graphnn_compiler.topology.interning import Codes, relations_of
from graphnn_compiler.topology.readers.options import KeyType

Places = Callable[[Sequence[int]], list[DataPlace]]
"""Where the given rows stand in the data."""


class RowTable(Protocol):
    """Named columns of equal length."""

    @property
    def shown(self) -> str: ...

    @property
    def names(self) -> Sequence[str]: ...

    def keys(self, names: Sequence[str], key_type: KeyType | None) -> tuple[NDArray, list[Codes]]:
        """The distinct keys over the named columns, and each column's codes; a missing key is E212."""
        ...

    def column(self, name: str) -> Column: ...

    def labels(self, name: str) -> Relations: ...

    def places(self, rows: Sequence[int]) -> list[DataPlace]: ...


@dataclass(frozen=True, eq=False)
class RawEdges:
    """Listed edges. `source` and `target`, of shape (E,), index `keys`, which are distinct and in any order."""

    shown: str
    keys: NDArray
    source: Codes
    target: Codes
    columns: Mapping[str, Column]
    relations: Relations | None
    places: Places


@dataclass(frozen=True, eq=False)
class RawNodes:
    """Listed nodes: `keys` (n,) in order, perhaps with duplicates, and attribute columns."""

    shown: str
    keys: NDArray
    columns: Mapping[str, Column]
    places: Places


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that has been there before."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def sampled(first: Sequence[object], total: int) -> str:
    """The first few of `total` things in backticks, and how many more there are."""
    shown = ", ".join(f"`{item}`" for item in first)
    return shown if total <= len(first) else f"{shown} and {total - len(first):,} more"


def not_integers(shown: str, first: Sequence[str], total: int, places: Sequence[DataPlace]) -> Problem:
    """E213: keys that are not the decimal text of an integer where integers are asked for."""
    return Problem(
        "E213",
        f"`{shown}` has {count(total, 'key')} that {'is' if total == 1 else 'are'} no integer, "
        f"where integers are asked for: {sampled(first, total)}",
        help="an integer key is plain decimal text, without a leading zero or `+`",
        places=[(place, f"`{text}` is no integer") for place, text in zip(places, first, strict=False)],
    )


def taken_relation(columns: dict[str, Column], name: str, shown: str) -> Relations:
    """The relations that an edge attribute names, which is then no attribute any more; E210 where there is none."""
    if name in columns:
        return relations_of(columns.pop(name))
    raise Problem(
        "E210",
        f"the edges of `{shown}` have no attribute `{name}`, which `type =` names",
        help=did_you_mean(name, columns),
        places=[(DataPlace(shown), "this data")],
    )


def require_column(table: RowTable, name: str, option: str) -> str:
    """`name`, if it is a column of the table; else E210."""
    if name in table.names:
        return name
    columns = f"the columns are {listed((f'`{n}`' for n in table.names), limit=10)}"
    raise Problem(
        "E210",
        f"`{table.shown}` has no column `{name}`, which `{option} =` names",
        help=did_you_mean(name, table.names),
        notes=[columns],
        places=[(table.places([-1])[0], "the header names the columns")],
    )


def _default_column(table: RowTable, given: str | None, option: str) -> str:
    if given is not None:
        return require_column(table, given, option)
    if option in table.names:
        return option
    asked = {"source": "`source =` and `target =`", "target": "`source =` and `target =`", "key": "`key =`"}[option]
    raise Problem(
        "E211",
        f"`{table.shown}` has no column called `{option}`, so {asked} must say which to take",
        help=f"the columns are {listed((f'`{n}`' for n in table.names), limit=10)}",
        places=[(table.places([-1])[0], "the header names the columns")],
    )


def listed_edges(
    table: RowTable, source: str | None, target: str | None, type: str | None, key_type: KeyType | None
) -> RawEdges:
    """The edges that a table lists; every column that is no end and no type is an attribute."""
    ends = [_default_column(table, source, "source"), _default_column(table, target, "target")]
    relation = None if type is None else require_column(table, type, "type")
    keys, (source_codes, target_codes) = table.keys(ends, key_type)
    return RawEdges(
        shown=table.shown,
        keys=keys,
        source=source_codes,
        target=target_codes,
        columns={name: table.column(name) for name in table.names if name not in (*ends, relation)},
        relations=None if relation is None else table.labels(relation),
        places=table.places,
    )


def listed_nodes(table: RowTable, key: str | None, key_type: KeyType | None) -> RawNodes:
    """The nodes that a table lists; every column but the key is an attribute."""
    name = _default_column(table, key, "key")
    keys, (codes,) = table.keys([name], key_type)
    columns = {other: table.column(other) for other in table.names if other != name}
    return RawNodes(table.shown, keys[codes], columns, table.places)
