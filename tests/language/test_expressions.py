"""Precedence is Python's, and every node knows its text: checked against Python's own parser."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn_compiler.language import nodes as n
from graphnn_compiler.language.parser import parse
from graphnn_compiler.source import Source

BINARY = {
    ast.BitOr: "|", ast.BitAnd: "&", ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//",
    ast.Mod: "%", ast.MatMult: "@", ast.Pow: "**", ast.And: "and", ast.Or: "or",
}  # fmt: skip
UNARY = {ast.USub: "-", ast.Invert: "~", ast.Not: "not"}
COMPARE = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in",
}  # fmt: skip

atoms = st.sampled_from(["a", "b", "1", "2.5", '"s"', "f(a)", "f(a, k = b + 1)", "a.b", "a[b]", "[a, 1]"])
signs = st.sampled_from(["| ", "&", " + ", "-", "*", " / ", "//", "%", " @ ", "**", " and ", " or "])
comparing = st.sampled_from([" == ", "!=", " < ", "<=", ">", ">=", " in ", " not in "])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, signs, inner).map("".join),
        st.tuples(inner, signs, inner).map("".join),
        st.tuples(st.sampled_from(["-", "~", "not "]), inner).map("".join),
        st.tuples(st.just("("), inner, comparing, inner, st.just(")")).map("".join),
        inner.map("({})".format),
        st.tuples(inner, inner, inner).map(lambda t: f"{t[0]} if {t[1]} else {t[2]}"),
    )


expressions = st.recursive(atoms, _larger, max_leaves=12)


def ours(tree: Any) -> Any:
    """A node as nested tuples."""
    match tree:
        case n.Name():
            return tree.id
        case n.Number() | n.String():
            return repr(tree.value)
        case n.Unary():
            return (tree.operator, ours(tree.operand))
        case n.Binary() | n.Compare():
            return (tree.operator, ours(tree.left), ours(tree.right))
        case n.Conditional():
            return ("if", ours(tree.condition), ours(tree.then), ours(tree.otherwise))
        case n.Call():
            return ("call", ours(tree.function), *[(a.name, ours(a.value)) for a in tree.arguments])
        case n.Member():
            return (".", ours(tree.base), tree.name)
        case n.Select():
            return ("[]", ours(tree.base), ours(tree.index))
        case n.ListExpr():
            return ("list", *map(ours, tree.items))
    raise TypeError(tree)


def pythons(tree: ast.expr) -> Any:
    """Python's tree as the same tuples."""
    match tree:
        case ast.Name():
            return tree.id
        case ast.Constant():
            return repr(tree.value)
        case ast.UnaryOp():
            return (UNARY[type(tree.op)], pythons(tree.operand))
        case ast.BinOp():
            return (BINARY[type(tree.op)], pythons(tree.left), pythons(tree.right))
        case ast.BoolOp():  # Python joins `a and b and c` in one node
            first, *rest = map(pythons, tree.values)
            for right in rest:
                first = (BINARY[type(tree.op)], first, right)
            return first
        case ast.Compare():
            assert len(tree.ops) == 1
            return (COMPARE[type(tree.ops[0])], pythons(tree.left), pythons(tree.comparators[0]))
        case ast.IfExp():
            return ("if", pythons(tree.test), pythons(tree.body), pythons(tree.orelse))
        case ast.Call():
            keywords = [(k.arg, pythons(k.value)) for k in tree.keywords]
            return ("call", pythons(tree.func), *[(None, pythons(a)) for a in tree.args], *keywords)
        case ast.Attribute():
            return (".", pythons(tree.value), tree.attr)
        case ast.Subscript():
            return ("[]", pythons(tree.value), pythons(tree.slice))
        case ast.List():
            return ("list", *map(pythons, tree.elts))
    raise TypeError(tree)


def read(text: str) -> Any:
    program, diagnostics = parse(Source("test", f"let x = {text}"))
    assert not diagnostics, f"{text}\n{diagnostics[0]}"
    assert program is not None
    return program.statements[0].value  # type: ignore[union-attr]


def python_tree(text: str) -> ast.expr | None:
    """None where Python and this language refuse the text alike (`a + not b`)."""
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


@settings(max_examples=300, deadline=None)
@given(expressions)
def test_an_expression_is_grouped_as_python_groups_it(text: str) -> None:
    tree = python_tree(text)
    if tree is None:
        assert parse(Source("test", f"let x = {text}"))[1]
    else:
        assert ours(read(text)) == pythons(tree)


def test_a_range_binds_looser_than_sets_and_tighter_than_comparisons() -> None:
    assert ours_range("1 + 2..3 | 4") == (("+", "1", "2"), ("|", "3", "4"))
    compare = read("a in 1..2")
    assert isinstance(compare, n.Compare)
    assert isinstance(compare.right, n.Range)


def ours_range(text: str) -> tuple[Any, Any]:
    tree = read(text)
    assert isinstance(tree, n.Range)
    return ours(tree.low), ours(tree.high)


def nodes_of(node: Any) -> Iterator[Any]:
    yield node
    for field in dataclasses.fields(node):
        held = getattr(node, field.name)
        for child in held if isinstance(held, tuple) else [held]:
            if dataclasses.is_dataclass(child) and hasattr(child, "span"):
                yield from nodes_of(child)


@settings(max_examples=150, deadline=None)
@given(expressions)
def test_the_text_of_a_node_reads_as_that_node(text: str) -> None:
    if python_tree(text) is None:
        return
    for node in nodes_of(read(text)):
        if isinstance(node, n.Argument):
            assert node.name is None or node.name_span.text == node.name
        else:
            assert read(node.span.text) == node


def test_the_spans_of_statements() -> None:
    text = "## doc\nlayer h[u, 3] {\n  from (x) via f(r) as k { w = (1) }\n  a = -b\n}\nparam p: int = 3\n"
    program, _ = parse(Source("test", text))
    assert program is not None
    layer, param = program.statements
    assert isinstance(layer, n.LayerDecl)
    assert isinstance(param, n.Param)
    clause = layer.clauses[0]
    assert layer.span.text == text[text.index("layer") : text.index("param") - 1]
    assert layer.name_span.text == "h"
    assert layer.shape is not None
    assert layer.shape.span.text == "[u, 3]"
    assert clause.span.text == "from (x) via f(r) as k { w = (1) }"
    assert clause.label_span is not None
    assert clause.label_span.text == "k"
    assert clause.options[0].span.text == "w = (1)"
    assert clause.options[0].name_span.text == "w"
    assert layer.options[0].value.span.text == "-b"
    assert (param.span.text, param.type_span.text) == ("param p: int = 3", "int")
    assert (param.span.line, param.span.column) == (6, 1)
