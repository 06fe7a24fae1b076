"""What an expression means: constants, paths, graphs, node sets and edge sets.

Input: syntax and the names declared so far. Output: a constant or a part of the model. Expressions over layers and
over columns have modules of their own. Not for: statements, options.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import NoReturn

from graphnn_compiler.diagnostics import count, did_you_mean, listed
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model import scalars
from graphnn_compiler.model.binding import bound
from graphnn_compiler.model.column_rules import Group, GroupMembers
from graphnn_compiler.model.distance_calls import level, level_member
from graphnn_compiler.model.distance_rules import Level, Levels
from graphnn_compiler.model.emission import ROOT, Emission, Path
from graphnn_compiler.model.functions import call
from graphnn_compiler.model.names import Scope
from graphnn_compiler.model.predicates import Predicates
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.types import (
    All,
    DataPath,
    EdgeExpr,
    EdgeOperation,
    FilteredEdges,
    FilteredNodes,
    GraphEdges,
    GraphNodes,
    IntegerUnits,
    NodeColumn,
    NodeExpr,
    OneToOne,
    Read,
    RelationEdges,
    Reverse,
    Same,
)
from graphnn_compiler.model.values import EDGE_TYPES, NODE_TYPES, Home, Library, NumberRange, Value, kind_of
from graphnn_compiler.source import Span

_LONGEST_TEXT = 100_000


class Expressions:
    """Evaluates expressions in one scope of the file `home`; what it makes goes to `emission`, named below `base`.

    `declaring` is the name being declared, which names tables and random streams.
    """

    def __init__(self, scope: Scope, home: Home, emission: Emission, path: Path = ROOT) -> None:
        self.scope = scope
        self.home = home
        self.emission = emission
        self.base = path
        self.declaring = ""
        self._streams: Counter[str] = Counter()
        self._enclosing = path
        self._direct: syntax.Expr | None = None
        self._taken: dict[Path, set[str]] = defaultdict(set)

    def stream_name(self) -> str:
        """The name of the next random stream of the declaration: its own name, then `name/2`, `name/3`, .."""
        self._streams[self.declaring] += 1
        number = self._streams[self.declaring]
        return self.declaring if number == 1 else f"{self.declaring}/{number}"

    # -------------------------------------------------------------- the names of layers that calls make

    @contextmanager
    def declaring_at(self, path: Path, direct: syntax.Expr | None = None) -> Iterator[None]:
        """What is evaluated in the block belongs to `path`; the call `direct` has the path for itself."""
        before = self._enclosing, self._direct, self.declaring
        self._enclosing, self._direct, self.declaring = path, direct, path.parameters
        try:
            yield
        finally:
            self._enclosing, self._direct, self.declaring = before

    def call_path(self, call: syntax.Call, name: str) -> Path:
        """Where the layers go that a call of `name` makes."""
        return self._enclosing if call is self._direct else self.free_path(self._enclosing, name)

    def free_path(self, path: Path, name: str) -> Path:
        """A path below another one: `name`, or `name_2`, `name_3`, .. where that is taken."""
        taken, free, number = self._taken[path], name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free)
        return path.child(free)

    def take(self, path: Path, names: Iterable[str]) -> None:
        """Keep names below a path free of calls."""
        self._taken[path].update(names)

    def callee(self, function: syntax.Expr) -> Value:
        """What is called, where it is a name of the program or of an imported file; None for built-in functions."""
        match function:
            case syntax.Name(id=name) if name in self.scope:
                return self.scope.lookup(function)
            case syntax.Member(base=syntax.Name(id=name)) if name in self.scope:
                return self.value(function)
        return None

    # -------------------------------------------------------------- one kind of value

    def number(self, expr: syntax.Expr, what: str) -> int | float:
        value = self.value(expr)
        if not scalars.is_number(value):
            self._wrong_kind(expr.span, what, "a number", value)
        return value  # type: ignore[no-any-return]

    def integer(self, expr: syntax.Expr, what: str) -> int:
        value = self.number(expr, what)
        if not isinstance(value, int):
            reject("E110", f"{what} must be a whole number, not {value}", expr.span)
        return value

    def boolean(self, expr: syntax.Expr, what: str) -> bool:
        value = self.value(expr)
        if not isinstance(value, bool):
            self._wrong_kind(expr.span, what, "`true` or `false`", value)
        return value

    def string(self, expr: syntax.Expr, what: str) -> str:
        """A string; a bare word that is no name of the program stands for itself, as the choices of options do."""
        if isinstance(expr, syntax.Name) and expr.id not in self.scope:
            return expr.id
        value = self.value(expr)
        if not isinstance(value, str):
            self._wrong_kind(expr.span, what, "a string", value)
        return value

    def path(self, expr: syntax.Expr, what: str) -> DataPath:
        value = self.value(expr)
        if isinstance(value, str):
            return self.home.data(value)
        if not isinstance(value, DataPath):
            self._wrong_kind(expr.span, what, "the path of a file", value)
        return value

    def nodes(self, expr: syntax.Expr, what: str) -> NodeExpr:
        value = self.value(expr)
        if isinstance(value, Read):
            reject("E110", f"{what} is a graph, not a node set", expr.span, help=f"write `{value.name}.nodes`")
        if scalars.is_number(value):
            return self._integer_units(value, expr.span, what)
        if not isinstance(value, NODE_TYPES):
            self._wrong_kind(expr.span, what, "a node set or a number of units", value)
        return value  # type: ignore[no-any-return]

    def edges(self, expr: syntax.Expr, what: str) -> EdgeExpr:
        value = self.value(expr)
        if isinstance(value, Read):
            reject("E110", f"{what} is a graph, not an edge set", expr.span, help=f"write `{value.name}.edges`")
        if not isinstance(value, EDGE_TYPES):
            self._wrong_kind(expr.span, what, "an edge set", value)
        return value  # type: ignore[no-any-return]

    def bound_edges(self, expr: syntax.Expr, what: str) -> EdgeExpr:
        """An edge set with units of its own."""
        edges = self.edges(expr, what)
        self.require_bound(edges, expr.span, what)
        return edges

    def require_bound(self, edges: EdgeExpr, span: Span, what: str) -> None:
        if not bound(edges):
            reject(
                "E340",
                f"{what} has no units of its own",
                span,
                help="declare it with a domain, as in `edges e: a -> b = ..`, and use that name",
            )

    def _integer_units(self, size: int | float, span: Span, what: str) -> IntegerUnits:
        if not isinstance(size, int) or size < 1:
            reject("E411", f"{what} must be a whole number of units, at least 1, not {size}", span)
        units: IntegerUnits = self.emission.interned(IntegerUnits(size, span=span))
        return units

    def _wrong_kind(self, span: Span, what: str, wanted: str, value: Value) -> NoReturn:
        reject("E110", f"{what} must be {wanted}, not {kind_of(value)}", span)

    # -------------------------------------------------------------- any value

    def value(self, expr: syntax.Expr) -> Value:
        """The meaning of an expression outside brackets and clause options."""
        return self.emission.interned(self._evaluated(expr))

    def _evaluated(self, expr: syntax.Expr) -> Value:
        match expr:
            case syntax.Name():
                return self._name(expr)
            case syntax.Number(value=value) | syntax.String(value=value) | syntax.Boolean(value=value):
                return value
            case syntax.NoneValue():
                return None
            case syntax.ListExpr(items=items):
                return tuple(self.value(item) for item in items)
            case syntax.Range(low=low, high=high):
                return NumberRange(self.number(low, "the low end"), self.number(high, "the high end"))
            case syntax.Unary():
                return self._unary(expr)
            case syntax.Binary():
                return self._binary(expr)
            case syntax.Compare():
                return self._compare(expr)
            case syntax.Conditional(condition=condition, then=then, otherwise=otherwise):
                return self.value(then if self.boolean(condition, "the condition") else otherwise)
            case syntax.Member():
                return self._member(expr)
            case syntax.Call():
                return self._call(expr)
            case syntax.Select():
                return self._select(expr)

    def _name(self, expr: syntax.Name) -> Value:
        match expr.id:
            case "all":
                return All(span=expr.span)
            case "same":
                return Same(span=expr.span)
            case "one_to_one":
                return OneToOne(span=expr.span)
        return self.scope.lookup(expr)

    def _unary(self, expr: syntax.Unary) -> Value:
        match expr.operator:
            case "~":
                return Reverse(self.edges(expr.operand, "the operand of `~`"), span=expr.span)
            case "not":
                return not self.boolean(expr.operand, "the operand of `not`")
            case "-":
                return -self.number(expr.operand, "the operand of `-`")

    def _binary(self, expr: syntax.Binary) -> Value:
        symbol = expr.operator
        if symbol in ("and", "or"):
            left = self.boolean(expr.left, f"the left of `{symbol}`")
            right = self.boolean(expr.right, f"the right of `{symbol}`")
            return (left and right) if symbol == "and" else (left or right)
        left, right = self.value(expr.left), self.value(expr.right)
        if isinstance(left, DataPath) and isinstance(right, str) and symbol in "/+":
            return self._joined(left, right, symbol, expr.span)
        if isinstance(left, str) and isinstance(right, str) and symbol == "+":
            return self._text(left, right, expr.span)
        if scalars.is_number(left) and scalars.is_number(right) and symbol not in ("|", "&", "@"):
            try:
                return scalars.arithmetic(symbol, left, right)
            except ArithmeticError as error:
                reject("E124", f"this cannot be computed: {error}", expr.span)
        if isinstance(left, EDGE_TYPES) and isinstance(right, EDGE_TYPES) and symbol in ("|", "&", "-", "@"):
            if symbol == "@":
                self.require_bound(left, expr.left.span, "the left of `@`")
                self.require_bound(right, expr.right.span, "the right of `@`")
            return EdgeOperation(symbol, left, right, span=expr.span)
        help = "edge sets are joined by `|`, `&`, `-` and `@`" if isinstance(left, EDGE_TYPES) else None
        reject("E110", f"`{symbol}` cannot join {kind_of(left)} and {kind_of(right)}", expr.span, help=help)

    def _text(self, left: str, right: str, span: Span) -> str:
        if len(left) + len(right) > _LONGEST_TEXT:
            reject("E124", f"this cannot be computed: a text of more than {_LONGEST_TEXT:,} characters", span)
        return left + right

    def _joined(self, left: DataPath, right: str, symbol: str, span: Span) -> DataPath:
        self._text(left.shown, right, span)
        if symbol == "/":
            return DataPath(left.path / right, f"{left.shown.rstrip('/')}/{right}")
        return DataPath(FilePath(str(left.path) + right), left.shown + right)

    def _compare(self, expr: syntax.Compare) -> bool:
        left, right = self.value(expr.left), self.value(expr.right)
        symbol = expr.operator
        if symbol in ("in", "not in"):
            return self._contains(right, left, expr) == (symbol == "in")
        for side, value in ((expr.left, left), (expr.right, right)):
            if not isinstance(value, int | float | str):
                reject("E110", f"`{symbol}` compares constants, not {kind_of(value)}", side.span)
        try:
            return scalars.compare(symbol, left, right)
        except TypeError as error:
            reject("E110", str(error), expr.span)

    def _contains(self, group: Value, item: Value, expr: syntax.Compare) -> bool:
        if isinstance(group, tuple):
            return item in group
        if isinstance(group, NumberRange) and scalars.is_number(item):
            return bool(group.low <= item <= group.high)
        reject("E110", f"`{expr.operator}` needs a list or a range, not {kind_of(group)}", expr.right.span)

    # -------------------------------------------------------------- members, calls, brackets

    def _member(self, expr: syntax.Member) -> Value:
        base = self.value(expr.base)
        if isinstance(base, Read):
            match expr.name:
                case "edges":
                    return GraphEdges(base, span=expr.span)
                case "nodes" | "sources" | "targets":
                    return GraphNodes(base, expr.name, span=expr.span)
            help = did_you_mean(expr.name, ("nodes", "edges"), "a graph has `.nodes` and `.edges`")
            reject("E111", f"a graph has no `.{expr.name}`", expr.name_span, help=help)
        if isinstance(base, Group) and expr.name == "members":
            return GroupMembers(base, span=expr.span)
        if isinstance(base, Level):
            return level_member(base, expr)
        if isinstance(base, NODE_TYPES):
            return NodeColumn(base, expr.name, span=expr.span)
        if isinstance(base, Library):
            return self._imported(base, expr)
        reject("E111", f"{kind_of(base)} has no `.{expr.name}`", expr.name_span)

    def _imported(self, library: Library, expr: syntax.Member) -> Value:
        if expr.name not in library.scope:
            help = did_you_mean(expr.name, library.scope.own, f"it declares {listed(library.scope.own) or 'nothing'}")
            reject("E144", f"`{library.shown}` declares no `{expr.name}`", expr.name_span, help=help)
        return library.scope.lookup(syntax.Name(expr.name, span=expr.name_span))

    def _call(self, expr: syntax.Call) -> Value:
        return call(self, expr)

    def _select(self, expr: syntax.Select) -> Value:
        base = self.value(expr.base)
        if isinstance(base, NODE_TYPES):
            return FilteredNodes(base, Predicates(self, "node").condition(expr.index), span=expr.span)
        if isinstance(base, EDGE_TYPES):
            if isinstance(expr.index, syntax.String):
                return RelationEdges(base, expr.index.value, span=expr.span)
            return FilteredEdges(base, Predicates(self, "edge").condition(expr.index), span=expr.span)
        if isinstance(base, tuple):
            return self._item(base, expr)
        if isinstance(base, Levels):
            return level(self, base, expr)
        reject("E110", f"brackets select from node sets, edge sets and lists, not from {kind_of(base)}", expr.base.span)

    def _item(self, items: tuple[Value, ...], expr: syntax.Select) -> Value:
        index = self.integer(expr.index, "the index of a list")
        if not 0 <= index < len(items):
            help = f"indices count from 0 to {len(items) - 1}" if items else None
            message = f"index {index} is outside the list, which has {count(len(items), 'item')}"
            reject("E114", message, expr.index.span, help=help)
        return items[index]
