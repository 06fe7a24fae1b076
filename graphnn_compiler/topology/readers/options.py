"""What `read(..)` and `table(..)` may say about their data, and what reading an input's data gives.

Not for: defaults that depend on the data (they are applied where the data is known).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.source import DataPlace

Duplicates = Literal["error", "sum", "mean", "min", "max", "first", "last"]
KeyType = Literal["string", "int"]


@dataclass(frozen=True)
class GraphOptions:
    """The options of `read(..)` for a graph; None where the program does not name one.

    `source`, `target` and `type` name columns of the edge table, `nodes` is the node table as the program names it,
    `key` the column of its keys. `rows` says which end of an edge the rows of a matrix are ("source" by default).
    `separator` and `encoding` are of text files, the node table as well.
    """

    source: str | None = None
    target: str | None = None
    type: str | None = None
    nodes: str | None = None
    key: str | None = None
    directed: bool | None = None
    duplicates: Duplicates | None = None
    key_type: KeyType | None = None
    rows: Literal["source", "target"] | None = None
    separator: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class TableOptions:
    """The options of `table(..)`.

    `missing` is about keys that match no unit, so it is read where units are known, never by a reader.
    """

    source: str | None = None
    target: str | None = None
    by: Literal["key", "position"] = "key"
    duplicates: Duplicates | None = None
    missing: Literal["error", "drop"] = "error"
    key_type: KeyType | None = None
    rows: Literal["source", "target"] | None = None
    separator: str | None = None
    encoding: str | None = None

    def as_graph_options(self) -> GraphOptions:
        """The same wishes, for data that is read as a whole graph."""
        return GraphOptions(
            source=self.source,
            target=self.target,
            duplicates=self.duplicates,
            key_type=self.key_type,
            rows=self.rows,
            separator=self.separator,
            encoding=self.encoding,
        )


@dataclass(frozen=True, eq=False)
class LoadedArray:
    """Default data of an input: one row of `values` per unit, shape (n,) or (n, channels).

    `values` is int64, float32, float64 or string. `keys` (n,) says which unit each row is, None where the data does
    not. `files` is provenance: file as the program names it -> sha256.
    """

    values: NDArray
    keys: NDArray | None = None
    files: Mapping[str, str] = field(default_factory=dict)


def refuse_options(options: GraphOptions, names: tuple[str, ...], shown: str, kind: str) -> None:
    """Raise E218 where one of the named options is given: for data of this kind it would do nothing."""
    given = [name for name in names if getattr(options, name) is not None]
    if given:
        listing = ", ".join(f"`{name} =`" for name in given)
        raise Problem(
            "E218",
            f"{listing} {'does' if len(given) == 1 else 'do'} not apply to {kind}",
            help=f"remove {count(len(given), 'option')}",
            places=[(DataPlace(shown), f"this is {kind}")],
        )
