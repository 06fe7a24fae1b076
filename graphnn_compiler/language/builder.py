"""The parser's tree as syntax nodes: shapes only, nothing is judged.

Input: a tree of `Piece`s, named as the grammar names them, and the doc comments. Output: a `Program`. Not for: errors;
whatever could be wrong with a word has been refused before. Works from the leaves up, without recursion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Protocol

from graphnn_compiler.language import nodes as n
from graphnn_compiler.source import Source, Span

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'"}


class Place(Protocol):
    """Where a piece stands, as offsets of characters."""

    @property
    def start_pos(self) -> int: ...

    @property
    def end_pos(self) -> int: ...


class Piece(Protocol):
    """One piece of the tree: the rule it is made by, and its pieces, words (strings that know their place), or None."""

    data: str
    children: list[Any]

    @property
    def meta(self) -> Place: ...

    def iter_subtrees(self) -> Iterator[Piece]: ...


def build(tree: Piece, source: Source, doc: str | None, docs: Mapping[int, str]) -> n.Program:
    """The program of a tree; `docs` are the doc comments of statements by the offset where the statement starts."""
    builder = _Builder(source, docs)
    made: dict[int, Any] = {}
    for piece in tree.iter_subtrees():
        children = [made.get(id(child), child) for child in piece.children]
        if piece is tree:
            break
        span = Span(source, getattr(piece.meta, "start_pos", 0), getattr(piece.meta, "end_pos", 0))
        rule: Callable[..., Any] = getattr(builder, piece.data)
        made[id(piece)] = rule(span, *children)
    edition, *statements = children
    return n.Program(source, edition, tuple(statements), doc)


class _Builder:
    """One method for each rule of the grammar: the span of the piece and its children, already built, to a node."""

    def __init__(self, source: Source, docs: Mapping[int, str]) -> None:
        self._source = source
        self._docs = docs

    def _at(self, word: Any) -> Span:
        return Span(self._source, word.start_pos, word.end_pos)

    def _statement(self, span: Span) -> dict[str, Any]:
        return {"span": span, "doc": self._docs.get(span.start)}

    def _named(self, span: Span, name: Any) -> dict[str, Any]:
        return {**self._statement(span), "name": str(name), "name_span": self._at(name)}

    # -------------------------------------------------------------- files and parameters

    def edition(self, span: Span, number: str) -> int:
        return _integer(number)

    def import_as(self, span: Span, path: str, name: str) -> n.ImportAs:
        return n.ImportAs(**self._named(span, name), path=_unquoted(path))

    def import_names(self, span: Span, *parts: Any) -> n.ImportNames:
        *names, path = parts
        return n.ImportNames(**self._statement(span), path=_unquoted(path), names=tuple(names))

    def import_name(self, span: Span, name: str, alias: str | None) -> n.ImportedName:
        return n.ImportedName(str(name), _text(alias), span=span)

    def param(self, span: Span, name: str, type: str, allowed: n.Expr | None, default: n.Expr | None) -> n.Param:
        type_span = self._at(type)
        return n.Param(**self._named(span, name), type=str(type), type_span=type_span, allowed=allowed, default=default)

    def let_stmt(self, span: Span, name: str, value: n.Expr) -> n.Let:
        return n.Let(**self._named(span, name), value=value)

    # -------------------------------------------------------------- graphs, node sets, edge sets

    def graph_decl(self, span: Span, name: str, value: n.Expr) -> n.GraphDecl:
        return n.GraphDecl(**self._named(span, name), value=value)

    def nodes_decl(self, span: Span, name: str, value: n.Expr) -> n.NodesDecl:
        return n.NodesDecl(**self._named(span, name), value=value)

    def edges_decl(self, span: Span, name: str, domain: n.Domain | None, value: n.Expr) -> n.EdgesDecl:
        return n.EdgesDecl(**self._named(span, name), domain=domain, value=value)

    def domain(self, span: Span, sources: n.Expr, targets: n.Expr) -> n.Domain:
        return n.Domain(sources, targets, span=span)

    # -------------------------------------------------------------- the network

    def input_decl(self, span: Span, name: str, shape: n.Shape, value: n.Expr | None, options: Any) -> n.InputDecl:
        return n.InputDecl(**self._named(span, name), shape=shape, value=value, options=options or ())

    def target_decl(
        self, span: Span, name: str, shape: n.Shape | None, value: n.Expr | None, options: Any
    ) -> n.TargetDecl:
        return n.TargetDecl(**self._named(span, name), shape=shape, value=value, options=options or ())

    def layer_decl(self, span: Span, name: str, shape: n.Shape | None, content: Any) -> n.LayerDecl | n.LayerExprDecl:
        return self._layer("layer", span, name, shape, content)

    def output_decl(self, span: Span, name: str, shape: n.Shape | None, content: Any) -> n.LayerDecl | n.LayerExprDecl:
        return self._layer("output", span, name, shape, content)

    def _layer(
        self, kind: Literal["layer", "output"], span: Span, name: str, shape: n.Shape | None, content: Any
    ) -> n.LayerDecl | n.LayerExprDecl:
        head = self._named(span, name)
        if isinstance(content, tuple):
            value, options = content
            return n.LayerExprDecl(**head, kind=kind, shape=shape, value=value, options=options or ())
        clauses = tuple(part for part in content if isinstance(part, n.Clause))
        options = tuple(part for part in content if isinstance(part, n.Option))
        return n.LayerDecl(**head, kind=kind, shape=shape, clauses=clauses, options=options)

    def shape(self, span: Span, units: n.Expr, channels: n.Expr | None) -> n.Shape:
        return n.Shape(units, channels, span=span)

    def layer_body(self, span: Span, *parts: n.Clause | n.Option) -> list[n.Clause | n.Option]:
        return list(parts)

    def layer_value(self, span: Span, value: n.Expr, options: Any) -> tuple[n.Expr, Any]:
        return value, options

    def clause(self, span: Span, source: n.Expr, rule: n.Expr, label: str | None, options: Any) -> n.Clause:
        label_span = self._at(label) if label is not None else None
        return n.Clause(source, rule, _text(label), label_span, options or (), span=span)

    def options(self, span: Span, *options: n.Option) -> tuple[n.Option, ...]:
        return options

    def option(self, span: Span, name: str, value: n.Expr) -> n.Option:
        return n.Option(str(name), value, self._at(name), span=span)

    # -------------------------------------------------------------- repetition and reuse

    def repeat_stmt(self, span: Span, *parts: Any) -> n.Repeat:
        states = tuple(part for part in parts if isinstance(part, n.State))
        (times, variable, range_), tied, *body = parts[len(states) :]
        head = self._statement(span)
        return n.Repeat(
            **head, states=states, times=times, variable=variable, range=range_, tied=tied, body=tuple(body)
        )

    def state(self, span: Span, name: str, start: n.Expr) -> n.State:
        return n.State(str(name), start, span=span)

    def times(self, span: Span, number: n.Expr) -> tuple[n.Expr, None, None]:
        return number, None, None

    def for_range(self, span: Span, variable: str, values: n.Expr) -> tuple[None, str, n.Expr]:
        return None, str(variable), values

    def tied(self, span: Span) -> bool:
        return True

    def untied(self, span: Span) -> bool:
        return False

    def next_stmt(self, span: Span, *parts: Any) -> n.Next:
        *names, value = parts
        return n.Next(**self._statement(span), names=tuple(str(name) for name in names), value=value)

    def block_decl(self, span: Span, name: str, formals: Any, *parts: Any) -> n.BlockDecl:
        *body, result = parts
        return n.BlockDecl(**self._named(span, name), formals=formals or (), body=tuple(body), result=result)

    def formals(self, span: Span, *formals: n.Formal) -> tuple[n.Formal, ...]:
        return formals

    def formal(self, span: Span, name: str, type: str | None, default: n.Expr | None) -> n.Formal:
        return n.Formal(str(name), _text(type), default, span=span)

    def return_stmt(self, span: Span, value: n.Expr) -> n.Expr:
        return value

    # -------------------------------------------------------------- training and checks

    def loss_decl(self, span: Span, name: str, value: n.Expr) -> n.LossDecl:
        return n.LossDecl(**self._named(span, name), value=value)

    def metric_decl(self, span: Span, name: str, value: n.Expr) -> n.MetricDecl:
        return n.MetricDecl(**self._named(span, name), value=value)

    def assert_stmt(self, span: Span, condition: n.Expr, message: str | None) -> n.AssertStmt:
        text = None if message is None else _unquoted(message)
        return n.AssertStmt(**self._statement(span), condition=condition, message=text)

    # -------------------------------------------------------------- expressions

    def conditional(self, span: Span, then: n.Expr, condition: n.Expr, otherwise: n.Expr) -> n.Conditional:
        return n.Conditional(condition, then, otherwise, span=span)

    def or_(self, span: Span, left: n.Expr, right: n.Expr) -> n.Binary:
        return n.Binary("or", left, right, span=span)

    def and_(self, span: Span, left: n.Expr, right: n.Expr) -> n.Binary:
        return n.Binary("and", left, right, span=span)

    def not_(self, span: Span, operand: n.Expr) -> n.Unary:
        return n.Unary("not", operand, span=span)

    def compare(self, span: Span, left: n.Expr, *parts: Any) -> n.Compare:
        *words, right = parts
        operator: Any = " ".join(words)
        return n.Compare(operator, left, right, span=span)

    def range_(self, span: Span, low: n.Expr, high: n.Expr) -> n.Range:
        return n.Range(low, high, span=span)

    def union(self, span: Span, left: n.Expr, right: n.Expr) -> n.Binary:
        return n.Binary("|", left, right, span=span)

    def intersection(self, span: Span, left: n.Expr, right: n.Expr) -> n.Binary:
        return n.Binary("&", left, right, span=span)

    def binary(self, span: Span, left: n.Expr, sign: Any, right: n.Expr) -> n.Binary:
        operator: Any = str(sign)
        return n.Binary(operator, left, right, span=span)

    def power(self, span: Span, base: n.Expr, exponent: n.Expr) -> n.Binary:
        return n.Binary("**", base, exponent, span=span)

    def negative(self, span: Span, operand: n.Expr) -> n.Unary:
        return n.Unary("-", operand, span=span)

    def reverse(self, span: Span, operand: n.Expr) -> n.Unary:
        return n.Unary("~", operand, span=span)

    def member(self, span: Span, base: n.Expr, name: str) -> n.Member:
        return n.Member(base, str(name), self._at(name), span=span)

    def call(self, span: Span, function: n.Expr, *arguments: n.Argument) -> n.Call:
        return n.Call(function, arguments, span=span)

    def positional(self, span: Span, value: n.Expr) -> n.Argument:
        return n.Argument(None, value, span=span)

    def keyword(self, span: Span, name: str, value: n.Expr) -> n.Argument:
        return n.Argument(str(name), value, self._at(name), span=span)

    def select(self, span: Span, base: n.Expr, index: n.Expr) -> n.Select:
        return n.Select(base, index, span=span)

    def name(self, span: Span, name: str) -> n.Name:
        return n.Name(str(name), span=span)

    def integer(self, span: Span, digits: str) -> n.Number:
        return n.Number(_integer(digits), span=span)

    def real(self, span: Span, digits: str) -> n.Number:
        return n.Number(float(digits.replace("_", "")), span=span)

    def string(self, span: Span, quoted: str) -> n.String:
        return n.String(_unquoted(quoted), span=span)

    def true(self, span: Span) -> n.Boolean:
        return n.Boolean(True, span=span)

    def false(self, span: Span) -> n.Boolean:
        return n.Boolean(False, span=span)

    def none(self, span: Span) -> n.NoneValue:
        return n.NoneValue(span=span)

    def list(self, span: Span, *items: n.Expr) -> n.ListExpr:
        return n.ListExpr(items, span=span)


def _text(word: str | None) -> str | None:
    return None if word is None else str(word)


def _integer(digits: str) -> int:
    return int(digits.replace("_", ""))


def _unquoted(quoted: str) -> str:
    def character(match: re.Match[str]) -> str:
        escape = match.group(1)
        return chr(int(escape[1:], 16)) if len(escape) > 1 else _SIMPLE_ESCAPES[escape]

    return _ESCAPE.sub(character, quoted[1:-1])
