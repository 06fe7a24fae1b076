"""Random syntax trees, of every kind of node, for Hypothesis."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from graphnn_compiler.language import nodes as n
from graphnn_compiler.source import Source, Span

NOWHERE = Span(Source("test", ""), 0, 0)
RESERVED = frozenset({
    "and", "as", "assert", "block", "edges", "else", "false", "for", "from", "gnn", "graph", "if", "import", "in",
    "input", "layer", "let", "loss", "metric", "next", "nodes", "none", "not", "or", "output", "param", "repeat",
    "return", "target", "tied", "times", "true", "untied", "via",
})  # fmt: skip
FOREIGN = frozenset({"True", "False", "None"})

words = st.from_regex(r"[a-zA-Z_é][a-z0-9_]{0,5}", fullmatch=True).filter(lambda word: word not in FOREIGN)
words |= st.sampled_from(sorted(RESERVED))
names = words.filter(lambda word: word not in RESERVED)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=8)
doc_lines = st.text(st.characters(categories=["L", "P", "Zs"], exclude_characters="\r"), max_size=12).map(str.rstrip)
docs = st.none() | st.lists(doc_lines, min_size=1, max_size=3).map("\n".join)


def of(node: type, /, **fields: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """A node of a kind; the places of its names are nowhere too."""
    spans = {field.name: st.just(NOWHERE) for field in dataclasses.fields(node) if field.name.endswith("span")}
    return st.builds(node, **(spans | fields))


numbers = st.integers(0, 2**63 - 1) | st.integers(0, 20) | st.floats(0, allow_infinity=False, allow_nan=False)
atoms = (
    of(n.Name, id=names)
    | of(n.Number, value=numbers)
    | of(n.String, value=texts)
    | of(n.Boolean, value=st.booleans())
    | of(n.NoneValue)
)


def _larger(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    arithmetic = st.sampled_from(["|", "&", "+", "-", "*", "/", "//", "%", "@", "**", "and", "or"])
    comparing = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
    argument = of(n.Argument, name=st.none() | words, value=inner)
    return (
        of(n.ListExpr, items=st.lists(inner, max_size=4).map(tuple))
        | of(n.Range, low=inner, high=inner)
        | of(n.Unary, operator=st.sampled_from(["-", "~", "not"]), operand=inner)
        | of(n.Binary, operator=arithmetic, left=inner, right=inner)
        | of(n.Compare, operator=comparing, left=inner, right=inner)
        | of(n.Conditional, condition=inner, then=inner, otherwise=inner)
        | of(n.Member, base=inner, name=words)
        | of(n.Call, function=inner, arguments=st.lists(argument, max_size=4).map(tuple))
        | of(n.Select, base=inner, index=inner)
    )


expressions = st.recursive(atoms, _larger, max_leaves=12)
maybe = st.none() | expressions


def _some(strategy: SearchStrategy[Any], least: int = 0) -> SearchStrategy[Any]:
    return st.lists(strategy, min_size=least, max_size=3).map(tuple)


_options = _some(of(n.Option, name=words, value=expressions))
_shapes = of(n.Shape, units=expressions, channels=maybe)
_clauses = of(n.Clause, source=expressions, rule=expressions, label=st.none() | names, options=_options)
_domains = of(n.Domain, sources=expressions, targets=expressions)
_kinds = st.sampled_from(["layer", "output"])
_outermost = (
    of(n.ImportAs, doc=docs, path=texts, name=names)
    | of(n.ImportNames, doc=docs, path=texts, names=_some(of(n.ImportedName, name=names, alias=st.none() | names), 1))
    | of(n.Param, doc=docs, name=names, type=words, allowed=maybe, default=maybe)
    | of(n.GraphDecl, doc=docs, name=names, value=expressions)
    | of(n.InputDecl, doc=docs, name=names, shape=_shapes, value=maybe, options=_options)
    | of(n.TargetDecl, doc=docs, name=names, shape=st.none() | _shapes, value=maybe, options=_options)
    | of(n.LossDecl, doc=docs, name=names, value=expressions)
    | of(n.MetricDecl, doc=docs, name=names, value=expressions)
)
_anywhere = (
    of(n.Let, doc=docs, name=names, value=expressions)
    | of(n.NodesDecl, doc=docs, name=names, value=expressions)
    | of(n.EdgesDecl, doc=docs, name=names, domain=st.none() | _domains, value=expressions)
    | of(n.AssertStmt, doc=docs, condition=expressions, message=st.none() | texts)
)
_layer_fields: dict[str, SearchStrategy[Any]] = {"doc": docs, "name": names, "shape": st.none() | _shapes}


def _layers(kinds: SearchStrategy[str]) -> SearchStrategy[Any]:
    return of(n.LayerDecl, **_layer_fields, kind=kinds, clauses=_some(_clauses), options=_options) | of(
        n.LayerExprDecl, **_layer_fields, kind=kinds, value=expressions, options=_options
    )


def _repeats(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    body = _some(inner | of(n.Next, doc=docs, names=_some(names, 1), value=expressions))
    head = {"doc": docs, "states": _some(of(n.State, name=names, start=expressions), 1), "tied": st.booleans()}
    counted = of(n.Repeat, **head, times=expressions, variable=st.none(), range=st.none(), body=body)
    return counted | of(n.Repeat, **head, times=st.none(), variable=names, range=expressions, body=body)


_inner = st.recursive(_anywhere | _layers(st.just("layer")), _repeats, max_leaves=3)
_formals = _some(of(n.Formal, name=names, type=st.none() | words, default=maybe))
_blocks = of(n.BlockDecl, doc=docs, name=names, formals=_formals, body=_some(_inner), result=expressions)
statements = _outermost | _anywhere | _layers(_kinds) | _inner | _blocks


def _documented(program: n.Program) -> bool:
    """Whether the docs can be written: those of a first import would be the file's."""
    first = program.statements[0] if program.statements else None
    imports = isinstance(first, n.ImportAs | n.ImportNames)
    return not (imports and program.doc is None and first is not None and first.doc is not None)


programs = st.builds(
    n.Program, st.just(NOWHERE.source), st.none() | st.integers(0, 9), st.lists(statements, max_size=4).map(tuple), docs
).filter(_documented)
