"""Syntax nodes, with the comments of their text woven in, as canonical text.

Input: a `Program`, and the tokens of its text if it was parsed from one. Output: text that parses to an equal program
and is its own canonical form. Comments keep their words and, up to the next bracket or statement, their places; of
several empty lines one is kept. Not for: programs with syntax errors, meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

from graphnn_compiler.language import nodes as n
from graphnn_compiler.language.expression_printer import ExpressionPrinter, quoted
from graphnn_compiler.language.layout import Break, Comment, Doc, Either, Group, Line, Nest, Row, rows
from graphnn_compiler.language.tokens import Token
from graphnn_compiler.language.weaving import OwnLine, Weaver

WIDTH = 120


def canonical(program: n.Program, tokens: Sequence[Token] | None = None) -> str:
    """The canonical text of a program; without tokens it has no comments but the docs of its nodes."""
    printer = _Printer(program.source.text, tokens)
    entries = printer.program(program)
    if tokens is None:
        entries = _spaced(entries)
    return "".join(f"{line}\n" for line in _aligned(rows(_joined(entries), WIDTH))) if entries else ""


class _Entry(NamedTuple):
    """What starts on a line of its own; `blank` if an empty line stands before it; no `code` if it is a comment."""

    doc: Doc
    blank: bool = False
    code: bool = True


def _joined(entries: Sequence[_Entry]) -> Doc:
    return tuple((Break(entry.blank), entry.doc) if i else entry.doc for i, entry in enumerate(entries))


def _spaced(entries: Sequence[_Entry]) -> list[_Entry]:
    """With an empty line around every entry of more than one line."""
    tall = [len(rows(entry.doc, WIDTH)) > 1 for entry in entries]
    around = (i > 0 and (tall[i - 1] or tall[i]) for i in range(len(entries)))
    return [_Entry(entry.doc, entry.blank or blank) for entry, blank in zip(entries, around, strict=True)]


def _aligned(lines: Sequence[Row]) -> list[str]:
    """Lines whose comments stand one under the other where they stand on neighbouring lines of one indentation."""
    texts = []
    for (commented, _), run in groupby(lines, lambda row: (row.comment is not None, _indentation(row.text))):
        block = list(run)
        if not commented:
            texts += [row.text for row in block]
            continue
        column = max(len(row.text) for row in block)
        if any(column + 2 + len(row.comment or "") > WIDTH for row in block):
            column = 0
        texts += [f"{row.text:<{column}}  {row.comment}" for row in block]
    return texts


def _indentation(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


class _Printer:
    """Makes documents of statements, in the order of the text, so that each comment is met once."""

    def __init__(self, text: str, tokens: Sequence[Token] | None) -> None:
        self._parsed = tokens is not None
        self._weaver = Weaver(text, tokens or ())
        self._expressions = ExpressionPrinter(self._weaver)
        self._expr = self._expressions.doc

    def program(self, program: n.Program) -> list[_Entry]:
        entries = [] if program.edition is None else self._edition(program.edition)
        if not self._parsed and program.doc is not None:
            entries = [_Entry(_joined([*entries, *_docs(program.doc)]))]
        statements = [self._statement(statement) for statement in program.statements]
        blank = not self._parsed and bool(entries)
        for entry in (entry for each in statements for entry in each):
            entries.append(_Entry(entry.doc, entry.blank or blank))
            blank = False
        return entries + _own_lines(self._weaver.before())

    def _edition(self, edition: int) -> list[_Entry]:
        if not self._parsed:
            return [_Entry(f"gnn {edition}")]
        keyword, digits = self._weaver.first_code()
        lines = _own_lines(self._weaver.before(keyword.start))
        inner = _own_lines(self._weaver.before(digits.start))
        line = _Entry(f"gnn {edition}", bool(inner) and self._weaver.blank_before(digits.start))
        comment = self._weaver.after(digits.end, docs=False)
        line = line._replace(doc=(line.doc, _remark(comment)))
        return [*lines, *_first_blank([*inner, line], self._weaver.blank_before(keyword.start))]

    # -------------------------------------------------------------- lines of statements, clauses, options

    def _statement(self, statement: n.Statement) -> list[_Entry]:
        span = statement.span
        if not self._parsed:
            docs = [] if statement.doc is None else _docs(statement.doc)
            return [_Entry(_joined([*docs, _Entry(self._content(statement))]))]
        lines = _own_lines(self._weaver.before(span.start))
        blank = self._weaver.blank_before(span.start)
        content, lifted = self._weaver.around(span.end, partial(self._content, statement))
        # a doc comment inside the statement says nothing to anyone; above it, it would become its documentation
        inner = [OwnLine("#" + words.lstrip("#"), False) for words, _ in lifted]
        comment = self._weaver.after(span.end, docs=False)
        return [*lines, *_first_blank([*_own_lines(inner), _Entry((content, _remark(comment)))], blank)]

    def _item(self, item: n.Clause | n.Option) -> list[_Entry]:
        """A clause or an option on lines of its own."""
        lines = _own_lines(self._weaver.before(item.span.start))
        blank = self._parsed and self._weaver.blank_before(item.span.start)
        build = partial(self._clause, item) if isinstance(item, n.Clause) else partial(self._option, item)
        content, lifted = self._weaver.around(item.span.end, build)
        comment = self._weaver.after(item.span.end)
        return [*lines, *_first_blank([*_own_lines(lifted), _Entry((content, _remark(comment)))], blank)]

    def _enter(self, head: int) -> None:
        """Set aside the comments before the `{` that follows the offset `head`, which would else go behind it."""
        self._weaver.lift(self._weaver.brace_after(head))

    def _lines(self, entries: Sequence[_Entry], end: float) -> Doc:
        """Entries between braces, and the comments that are left before the closing one."""
        every = [*entries, *_own_lines(self._weaver.before(end))]
        return ("{", Nest((Break(), _joined(every))), Break(), "}") if every else "{}"

    # -------------------------------------------------------------- statements

    def _content(self, statement: n.Statement) -> Doc:
        match statement:
            case n.ImportAs(path=path, name=name):
                return f"import {quoted(path)} as {name}"
            case n.ImportNames(path=path, names=names):
                words = [name.name if name.alias is None else f"{name.name} as {name.alias}" for name in names]
                return f"import {', '.join(words)} from {quoted(path)}"
            case n.Param():
                return self._param(statement)
            case n.Let() | n.GraphDecl() | n.NodesDecl() | n.LossDecl() | n.MetricDecl():
                return (f"{_KEYWORDS[type(statement)]} {statement.name} = ", self._expr(statement.value))
            case n.EdgesDecl():
                return self._edges(statement)
            case n.InputDecl() | n.TargetDecl():
                keyword = "input" if isinstance(statement, n.InputDecl) else "target"
                return (keyword, self._with_value(statement))
            case n.LayerDecl():
                return self._layer(statement)
            case n.LayerExprDecl(kind=kind):
                return (kind, self._with_value(statement))
            case n.Repeat():
                return self._repeat(statement)
            case n.Next(names=names, value=value):
                return (f"next {', '.join(names)} = ", self._expr(value))
            case n.BlockDecl():
                return self._block(statement)
            case n.AssertStmt(condition=condition, message=message):
                reason: Doc = "" if message is None else (",", Nest((Line(), quoted(message))))
                return Group(("assert ", self._expr(condition), reason))

    def _param(self, param: n.Param) -> Doc:
        allowed = "" if param.allowed is None else (" in ", self._expr(param.allowed))
        return (f"param {param.name}: {param.type}", allowed, self._value(param.default))

    def _edges(self, edges: n.EdgesDecl) -> Doc:
        domain: Doc = ""
        if edges.domain is not None:
            domain = (": ", self._expr(edges.domain.sources), " -> ", self._expr(edges.domain.targets))
        return (f"edges {edges.name}", domain, self._value(edges.value))

    def _with_value(self, statement: n.InputDecl | n.TargetDecl | n.LayerExprDecl) -> Doc:
        head = (f" {statement.name}", self._shape(statement.shape), self._value(statement.value))
        return (head, self._options(statement.options, statement.name_span.end, statement.span.end))

    def _value(self, value: n.Expr | None) -> Doc:
        return "" if value is None else (" = ", self._expr(value))

    def _shape(self, shape: n.Shape | None) -> Doc:
        if shape is None:
            return ""
        units = self._expr(shape.units)
        return ("[", units, "" if shape.channels is None else (", ", self._expr(shape.channels)), "]")

    def _layer(self, layer: n.LayerDecl) -> Doc:
        """A body that was written on one line stays on one if it fits; without a text, that of one item does."""
        head = (f"{layer.kind} {layer.name}", self._shape(layer.shape), " ")
        self._enter(layer.name_span.end)
        items: list[n.Clause | n.Option] = [*layer.clauses, *layer.options]
        items.sort(key=lambda item: item.span.start)
        entries = [entry for item in items for entry in self._item(item)]
        entries += _own_lines(self._weaver.before(layer.span.end))
        start = self._weaver.brace_after(layer.name_span.end)
        short = self._weaver.on_one_line(start, layer.span.end) if self._parsed else len(entries) == 1
        if not short or not entries:
            return (head, self._lines(entries, layer.span.end))
        parts = [(Line("  "), entry.doc) if i else entry.doc for i, entry in enumerate(entries)]
        return (head, Group(("{", Nest((Line(), tuple(parts))), Line(), "}")))

    def _clause(self, clause: n.Clause) -> Doc:
        rule = ("from ", self._expr(clause.source), " via ", self._expr(clause.rule))
        label = "" if clause.label is None else f" as {clause.label}"
        return (rule, label, self._options(clause.options, clause.span.start, clause.span.end))

    def _options(self, options: Sequence[n.Option], start: int, end: int) -> Doc:
        """Options in braces: on the line with commas, or one a line without."""
        if not options:
            return ""
        self._enter(start)
        entries = [entry for option in options for entry in self._item(option)]
        entries += _own_lines(self._weaver.before(end))
        if not all(entry.code for entry in entries):
            return (" ", self._lines(entries, end))
        parts = [(Either(",", ""), Line(), entry.doc) if i else entry.doc for i, entry in enumerate(entries)]
        return (" ", Group(("{", Nest((Line(), tuple(parts))), Line(), "}")))

    def _option(self, option: n.Option) -> Doc:
        return (f"{option.name} = ", self._expr(option.value))

    # -------------------------------------------------------------- statements that hold statements

    def _repeat(self, repeat: n.Repeat) -> Doc:
        states = [(f"{state.name} = ", self._expr(state.start)) for state in repeat.states]
        head: Doc = ("repeat ", tuple((", ", state) if i else state for i, state in enumerate(states)))
        if repeat.times is not None:
            head = (head, " times ", self._expr(repeat.times))
        if repeat.range is not None:
            head = (head, f" for {repeat.variable} in ", self._expr(repeat.range))
        self._enter(repeat.span.start)
        entries = [entry for statement in repeat.body for entry in self._statement(statement)]
        return (head, " tied " if repeat.tied else " untied ", self._lines(entries, repeat.span.end))

    def _block(self, block: n.BlockDecl) -> Doc:
        formals = [self._formal(formal) for formal in block.formals]
        parts = [(",", Line(), formal) if i else formal for i, formal in enumerate(formals)]
        head = Group((f"block {block.name}(", Nest((Line(""), tuple(parts))), Line(""), ")"))
        self._enter(block.span.start)
        entries = [entry for statement in block.body for entry in self._statement(statement)]
        return (head, " ", self._lines([*entries, *self._result(block.result)], block.span.end))

    def _formal(self, formal: n.Formal) -> Doc:
        return (formal.name, "" if formal.type is None else f": {formal.type}", self._value(formal.default))

    def _result(self, result: n.Expr) -> list[_Entry]:
        start = self._weaver.keyword_before("return", result.span.start)
        lines = _own_lines(self._weaver.before(start))
        blank = self._parsed and self._weaver.blank_before(start)
        content, lifted = self._weaver.around(result.span.end, partial(self._expr, result))
        comment = self._weaver.after(result.span.end, past=")")
        return [*lines, *_first_blank([*_own_lines(lifted), _Entry(("return ", content, _remark(comment)))], blank)]


_KEYWORDS = {n.Let: "let", n.GraphDecl: "graph", n.NodesDecl: "nodes", n.LossDecl: "loss", n.MetricDecl: "metric"}


def _own_lines(comments: Sequence[OwnLine]) -> list[_Entry]:
    return [_Entry(comment.text, comment.blank, code=False) for comment in comments]


def _first_blank(entries: Sequence[_Entry], blank: bool) -> list[_Entry]:
    return [entries[0]._replace(blank=blank), *entries[1:]]


def _remark(comment: str | None) -> Doc:
    return "" if comment is None else Comment(comment)


def _docs(text: str) -> list[_Entry]:
    return [_Entry(f"## {line}".rstrip()) for line in text.split("\n")]
