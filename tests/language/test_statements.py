"""Programs and the nodes that they are read as."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from graphnn_compiler.language import nodes as n
from graphnn_compiler.language.parser import parse
from graphnn_compiler.source import Source

PLACE = Source("expected", "").whole()
DESIGN_EXAMPLES = sorted((Path(__file__).parents[3] / "shared" / "design" / "examples").rglob("*.gnn"))


def program(text: str) -> n.Program:
    parsed, diagnostics = parse(Source("test", text))
    assert not diagnostics, "\n".join(map(str, diagnostics))
    assert parsed is not None
    return parsed


def statement(text: str) -> Any:
    (only,) = program(text).statements
    return only


def value(text: str) -> Any:
    return statement(f"let x = {text}").value


def make(kind: type, /, *values: Any, **fields: Any) -> Any:
    """A node whose place does not count in comparisons."""
    places = {f.name: PLACE for f in dataclasses.fields(kind) if f.name.endswith("span")}
    return kind(*values, **{**places, **fields})


def name(id: str) -> n.Name:
    return make(n.Name, id)


def number(value: float) -> n.Number:
    return make(n.Number, value)


def option(key: str, given: Any) -> n.Option:
    return make(n.Option, name=key, value=given)


def shape(units: Any, channels: Any = None) -> n.Shape:
    return make(n.Shape, units, channels)


def test_the_edition_is_read() -> None:
    assert program("gnn 1 let a = 2").edition == 1
    assert program("let a = 2").edition is None
    assert program("").statements == ()


def test_imports() -> None:
    assert statement('import "lib.gnn" as lib') == make(n.ImportAs, path="lib.gnn", name="lib")
    names = (make(n.ImportedName, "gcn", None), make(n.ImportedName, "bottleneck", "neck"))
    assert statement("import gcn, bottleneck as neck from 'b.gnn'") == make(n.ImportNames, path="b.gnn", names=names)


def test_a_param_has_a_type_allowed_values_and_a_default() -> None:
    allowed = make(n.Range, number(1), number(512))
    expected = make(n.Param, name="width", type="int", allowed=allowed, default=number(16))
    assert statement("param width: int in 1..512 = 16") == expected
    assert statement("param g: graph") == make(n.Param, name="g", type="graph", allowed=None, default=None)


@pytest.mark.parametrize(
    ("keyword", "kind"),
    [
        ("let", n.Let),
        ("graph", n.GraphDecl),
        ("nodes", n.NodesDecl),
        ("loss", n.LossDecl),
        ("metric", n.MetricDecl),
    ],
)
def test_declarations_of_one_value(keyword: str, kind: type) -> None:
    assert statement(f"{keyword} a = b") == make(kind, name="a", value=name("b"))


def test_an_edge_set_may_have_a_domain() -> None:
    domain = make(n.Domain, name("gene"), name("pathway"))
    assert statement("edges m: gene -> pathway = r") == make(n.EdgesDecl, name="m", domain=domain, value=name("r"))
    assert statement("edges m = r") == make(n.EdgesDecl, name="m", domain=None, value=name("r"))


def test_inputs_and_targets() -> None:
    expected = make(n.InputDecl, name="x", shape=shape(name("u"), number(8)), value=name("r"), options=())
    assert statement("input x[u, 8] = r") == expected
    plain = make(n.InputDecl, name="x", shape=shape(number(3)), value=None, options=(option("dtype", name("f")),))
    assert statement("input x[3] { dtype = f }") == plain
    assert statement("target t") == make(n.TargetDecl, name="t", shape=None, value=None, options=())
    column = make(n.Member, name("u"), "label")
    assert statement("target t = u.label") == make(n.TargetDecl, name="t", shape=None, value=column, options=())


def test_a_layer_holds_clauses_and_options_in_any_order() -> None:
    layer = statement("layer h[u] { a = 1 from x via r as s { w = v, } norm = row, from y via q }")
    first = make(n.Clause, name("x"), name("r"), "s", options=(option("w", name("v")),))
    second = make(n.Clause, name("y"), name("q"), None, options=())
    assert layer == make(
        n.LayerDecl,
        name="h",
        kind="layer",
        shape=shape(name("u")),
        clauses=(first, second),
        options=(option("a", number(1)), option("norm", name("row"))),
    )


def test_an_output_may_be_an_expression() -> None:
    expected = make(
        n.LayerExprDecl, name="y", kind="output", shape=None, value=name("h"), options=(option("a", number(1)),)
    )
    assert statement("output y = h { a = 1 }") == expected


def test_repeat_counts_or_runs_over_a_range() -> None:
    state = make(n.State, "h", name("x"))
    following = make(n.Next, names=("h",), value=name("h"))
    shared = {"states": (state,), "body": (following,)}
    counted = make(n.Repeat, **shared, times=number(8), variable=None, range=None, tied=True)
    assert statement("repeat h = x times 8 tied { next h = h }") == counted
    steps = make(n.Range, number(1), number(4))
    ranged = make(n.Repeat, **shared, times=None, variable="level", range=steps, tied=False)
    assert statement("repeat h = x for level in 1..4 untied { next h = h }") == ranged
    two = statement("repeat h = x, c = y times 2 tied { next h, c = lstm(h, c) }")
    assert [state.name for state in two.states] == ["h", "c"]
    assert two.body[0].names == ("h", "c")


def test_a_block_has_formals_a_body_and_a_result() -> None:
    formals = (
        make(n.Formal, "x", "layer", None),
        make(n.Formal, "on", None, None),
        make(n.Formal, "drop", "float", number(0.5)),
    )
    body = (make(n.Let, name="k", value=number(2)),)
    expected = make(n.BlockDecl, name="b", formals=formals, body=body, result=name("x"))
    assert statement("block b(x: layer, on, drop: float = 0.5,) { let k = 2 return x }") == expected
    assert statement("block b() { return x }").formals == ()


def test_assertions_may_say_why() -> None:
    assert statement("assert a") == make(n.AssertStmt, condition=name("a"), message=None)
    assert statement('assert a, "why"') == make(n.AssertStmt, condition=name("a"), message="why")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("100_000", 100_000),
        ("0.5", 0.5),
        ("1_0.2_5e-1", 1.025),
        ("1e-4", 1e-4),
        ("9223372036854775807", 2**63 - 1),
        ("0007", 7),
    ],
)
def test_numbers(text: str, expected: float) -> None:
    read = value(text)
    assert read == number(expected)
    assert type(read.value) is type(expected)


def test_strings_and_their_escapes() -> None:
    assert value(r'"a\n\t\\\"\'\u00e9 # no comment"') == make(n.String, "a\n\t\\\"'é # no comment")
    assert value("'say \"yes\"'") == make(n.String, 'say "yes"')
    assert value(r'"\\n"') == make(n.String, "\\n")


def test_small_expressions() -> None:
    assert value("[true, false, none,]") == make(
        n.ListExpr, (make(n.Boolean, True), make(n.Boolean, False), make(n.NoneValue))
    )
    assert value("[]") == make(n.ListExpr, ())
    assert value("a[b]") == make(n.Select, name("a"), name("b"))
    assert value("a if b else c") == make(n.Conditional, name("b"), name("a"), name("c"))
    assert value("a not in b") == make(n.Compare, "not in", name("a"), name("b"))
    call = make(n.Call, name("f"), (make(n.Argument, None, name("a")), make(n.Argument, "k", number(1))))
    assert value("f(a, k = 1,)") == call
    assert value("f()") == make(n.Call, name("f"), ())


def test_reserved_words_are_names_after_a_dot_and_before_equals() -> None:
    assert value("g.nodes").name == "nodes"
    assert value("edge.in").name == "in"
    assert [argument.name for argument in value('f(target = 1, in = 2, not = 3, true # why\n = 4)').arguments] == [
        "target", "in", "not", "true",
    ]  # fmt: skip
    layer = statement("layer h[3] { in = 1 not = 2 target = 3 from x via r { layer = 4 } from = 5 }")
    assert [o.name for o in layer.options] == ["in", "not", "target", "from"]
    assert layer.clauses[0].options[0].name == "layer"


def test_a_keyword_ends_at_the_end_of_a_word() -> None:
    assert statement("let layera = not_in").name == "layera"
    assert value("notable") == name("notable")


def test_layout_carries_no_meaning() -> None:
    spread = "layer\nh [ 3 ]\r\n{ # why\n from\n x via\tr activation\n=\nrelu }"
    assert statement(spread) == statement("layer h[3]{from x via r activation=relu}")


def test_doc_comments_stay_with_their_statement() -> None:
    text = "gnn 1\n## The file,\n## two lines.\n\n## a\n# plain\n##  b\nlet a = 1 # aside\nlet b = 2\n## c\n\nlet c = 3"
    read = program(text)
    assert read.doc == "The file,\ntwo lines."
    assert [s.doc for s in read.statements] == ["a\n b", None, "c"]


@pytest.mark.parametrize(
    ("text", "of_file", "of_first"),
    [
        ("gnn 1\n## a\nlet a = 1", None, "a"),
        ("## a\ngnn 1\nlet a = 1", None, "a"),
        ("## a\n\ngnn 1\nlet a = 1", "a", None),
        ("## a\n\n## b\nlet a = 1", "a", "b"),
        ('## a\nimport "b" as b', "a", None),
        ("let a = 1\n## end", None, None),
    ],
)
def test_which_doc_comment_is_the_files(text: str, of_file: str | None, of_first: str | None) -> None:
    read = program(text)
    assert (read.doc, read.statements[0].doc) == (of_file, of_first)


def test_nested_statements_keep_their_doc() -> None:
    repeat = statement("repeat h = x times 2 tied {\n ## inner\n layer m = h\n ## next\n next h = m }")
    assert [s.doc for s in repeat.body] == ["inner", "next"]


@pytest.mark.skipif(not DESIGN_EXAMPLES, reason="the design's examples are not beside this checkout")
def test_the_examples_of_the_design_parse() -> None:
    for path in DESIGN_EXAMPLES:
        read = program(path.read_text(encoding="utf-8"))
        assert read.edition == 1
        assert read.doc
