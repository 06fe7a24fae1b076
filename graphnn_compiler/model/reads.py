"""`read(..)` and `table(..)`: which file, with which options. No file is opened here.

Input: a call. Output: a `Read` or `Table` of the model. Not for: reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind, choice
from graphnn_compiler.model.types import Read, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphnn_compiler.model.expressions import Expressions

_DUPLICATES = ("error", "sum", "mean", "min", "max", "first", "last")
_CHOICES = {
    "duplicates": _DUPLICATES,
    "key_type": ("string", "int"),
    "rows": ("source", "target"),
    "by": ("key", "position"),
    "missing": ("error", "drop"),
}
_TEXT = ("separator", "encoding")
_GRAPH = Signature(
    "read",
    ("path",),
    ("source", "target", "type", "nodes", "key", "key_type", "directed", "duplicates", "rows", *_TEXT),
    1,
)
_TABLE = Signature(
    "table", ("path",), ("source", "target", "by", "duplicates", "missing", "key_type", "rows", *_TEXT), 1
)
_ARRAY = Signature("read", ("path",), ("name", "key", *_TEXT), 1)


def graph_read(expressions: Expressions, expr: syntax.Expr, name: str) -> Read:
    """`graph name = read(..)`."""
    bound = bind(_read_call(expr, "graph"), _GRAPH)
    nodes = expressions.path(bound["nodes"].value, "`nodes`") if "nodes" in bound else None
    if "key" in bound and nodes is None and _is_table(expressions, bound["path"].value):
        reject(
            "E109",
            "`key` names a column of the node table, which is not given",
            bound["key"].span,
            help="add `nodes =`",
        )
    return Read(
        name,
        expressions.path(bound["path"].value, "the first argument of `read`"),
        _options(expressions, bound, skip=("path", "nodes")),
        nodes,
        span=expr.span,
    )


def array_read(expressions: Expressions, expr: syntax.Expr, name: str, keyword: str) -> Read:
    """`input name[..] = read(..)` or `target name = read(..)`."""
    bound = bind(_read_call(expr, keyword), _ARRAY)
    file = expressions.path(bound["path"].value, "the first argument of `read`")
    return Read(name, file, _options(expressions, bound, skip=("path",)), span=expr.span)


def table(expressions: Expressions, expr: syntax.Call) -> Table:
    """`table(..)` in an edge expression."""
    bound = bind(expr, _TABLE)
    file = expressions.path(bound["path"].value, "the first argument of `table`")
    options = _options(expressions, bound, skip=("path",))
    read = Read(expressions.declaring or file.shown, file, options, span=expr.span)
    expressions.emission.reads.append(read)
    return Table(read, drop=options.get("missing") == "drop", span=expr.span)


def _read_call(expr: syntax.Expr, keyword: str) -> syntax.Call:
    if isinstance(expr, syntax.Call) and isinstance(expr.function, syntax.Name) and expr.function.id == "read":
        return expr
    reject("E110", f"`{keyword}` needs data here", expr.span, help='as in `read("file.csv", ..)`')


def _is_table(expressions: Expressions, expr: syntax.Expr) -> bool:
    shown = expressions.path(expr, "the first argument of `read`").shown
    return shown.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".parquet"))


def _options(
    expressions: Expressions, bound: Mapping[str, syntax.Argument], skip: Iterable[str]
) -> dict[str, str | bool]:
    options: dict[str, str | bool] = {}
    for name, argument in bound.items():
        if name in skip:
            continue
        if name == "directed":
            options[name] = expressions.boolean(argument.value, "`directed`")
            continue
        value = expressions.string(argument.value, f"`{name}`")
        if name in _CHOICES:
            choice(value, _CHOICES[name], f"`{name}`", argument.value.span)
        options[name] = value
    return options
