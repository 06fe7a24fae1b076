"""The canonical text: same tree, same comments, its own canonical text; and how it looks."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import NOWHERE, programs

from graphnn_compiler.compiler import room_for_nesting
from graphnn_compiler.language import nodes as n
from graphnn_compiler.language.formatting import formatted
from graphnn_compiler.language.parser import parse, tokens
from graphnn_compiler.language.printer import WIDTH, canonical
from graphnn_compiler.source import Source

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```gnn[^\n]*\n(.*?)^```$", re.M | re.S)


def written_programs() -> dict[str, str]:
    """Every program of the repository that has no syntax errors, by where it stands."""
    files = [path for path in ROOT.rglob("*.gnn") if not {".venv", "build", ".git"} & set(path.parts)]
    files += (ROOT.parent / "shared" / "design" / "examples").rglob("*.gnn")
    texts = {str(path.relative_to(ROOT.parent)): path.read_bytes() for path in files}
    found = {name: text.decode("utf-8") for name, text in texts.items() if _is_text(text)}
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")]
    for page in [*pages, *(ROOT / "graphnn_compiler" / "explain").glob("*.md")]:
        blocks = FENCE.findall(page.read_text(encoding="utf-8"))
        found |= {f"{page.relative_to(ROOT)}:{i}": block for i, block in enumerate(blocks)}
    return {name: text for name, text in found.items() if formatted(Source(name, text))[0] is not None}


def _is_text(content: bytes) -> bool:
    return content.decode("utf-8", "replace").encode() == content and b"\r" not in content


WRITTEN = written_programs()


def form(text: str) -> str:
    result, diagnostics = formatted(Source("test", text))
    assert result is not None, diagnostics
    return result


def comments(text: str) -> Counter[str]:
    """The comments of a text; those that document nothing may lose a `#`."""
    return Counter(t.text.lstrip("#").strip() for t in tokens(Source("test", text)) if t.kind == "comment")


# ------------------------------------------------------------------ properties


def test_there_are_many_programs() -> None:
    assert len(WRITTEN) > 150


@pytest.mark.parametrize("name", WRITTEN)
def test_written_programs_keep_their_tree_and_comments(name: str) -> None:
    text = WRITTEN[name]
    result = form(text)
    assert parse(Source("test", result))[0] == parse(Source("test", text))[0]
    assert comments(result) == comments(text)
    assert form(result) == result


EXAMPLES = sorted((ROOT / "examples").rglob("*.gnn"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_examples_are_canonical(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert form(text) == text
    assert max(map(len, text.split("\n"))) <= WIDTH


@settings(max_examples=60)
@given(name=st.sampled_from(sorted(WRITTEN)), seed=st.integers(0, 10**6), sign=st.sampled_from(["#", "##"]))
def test_comments_are_kept_wherever_they_stand(name: str, seed: int, sign: str) -> None:
    draw = random.Random(seed)
    text = WRITTEN[name]
    places = [token.start for token in tokens(Source("test", text)) if token.kind != "comment"]
    for k, place in enumerate(sorted(draw.choices([*places, len(text)], k=draw.randint(1, 5)), reverse=True)):
        gap = draw.choice(["", " ", "\n", "\n\n"])
        text = f"{text[:place]}{gap}{sign} comment {k}\n{draw.choice(['', chr(10)])}{text[place:]}"
    result = form(text)
    assert comments(result) == comments(text)
    assert form(result) == result


@settings(max_examples=60)
@given(programs)
def test_random_trees_are_printed_and_read_back(program: n.Program) -> None:
    text = canonical(program)
    again, problems = parse(Source("test", text))
    assert [problem.code for problem in problems] == []
    assert again == program
    assert form(text) == text


@pytest.mark.parametrize("nest", ["[{}]", "f({})", "(1 + {}) * 2", "-{}", "a[{}]", "({} if a else b)", "not {}"])
def test_the_deepest_programs_are_printed(nest: str) -> None:
    inner = "x"
    for _ in range(99):
        inner = nest.format(inner)
    with room_for_nesting():
        assert form(form(f"let a = {inner}\n")) == form(f"let a = {inner}\n")


# ------------------------------------------------------------------ expressions

EXPRESSIONS = {
    "((a))": "a",
    "(a + b) + c": "a + b + c",
    "a + (b + c)": "a + (b + c)",
    "a - (b - c) * -(d)": "a - (b - c) * -d",
    "(a * b) ** c ** (d ** e)": "(a * b) ** c ** d ** e",
    "-(a ** b)": "-a ** b",
    "(-a) ** b": "(-a) ** b",
    "not (a == b)": "not a == b",
    "(not a) == b": "(not a) == b",
    "(a or b) and (c and d)": "(a or b) and (c and d)",
    "~(a | b)[c]": "~(a | b)[c]",
    "(a@b).c(d)": "(a @ b).c(d)",
    "a in (1..3)": "a in 1..3",
    "(n // 2)..n": "n // 2 .. n",
    "-1..g.x[0]": "-1..g.x[0]",
    "(a if b else c) if (d if e else f) else g": "(a if b else c) if (d if e else f) else g",
    "10_000 + 1e-4 + 1.50": "10_000 + 1e-4 + 1.50",
    "'it' + 'a \"b\"'": '"it" + "a \\"b\\""',
    r"'\u0041\'\t\\' ": '"A\'\\t\\\\"',
    "[ ]": "[]",
    "[1,[2,],]": "[1, [2]]",
    "f(a=1,b = 2,)": "f(a = 1, b = 2)",
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions(text: str) -> None:
    assert form(f"let v = {text}") == f"let v = {EXPRESSIONS[text]}\n"


def test_numbers_without_a_text_are_short() -> None:
    values = {9999: "9999", 100_000: "100_000", 0.5: "0.5", 1e-05: "1e-5", 1e30: "1e30", 2.5e-04: "0.00025", 1.0: "1.0"}
    for value, text in values.items():
        program = n.Program(NOWHERE.source, None, (let("a", n.Number(value, span=NOWHERE)),))
        assert canonical(program) == f"let a = {text}\n"


def let(name: str, value: n.Expr) -> n.Let:
    return n.Let(name=name, value=value, span=NOWHERE, name_span=NOWHERE)


# ------------------------------------------------------------------ layout

UGLY = """# before
gnn   1 # edition
## Of the file.


import 'a.gnn' as a  import b,c as d from "b.gnn"
param w:int in 1..3=2   # w
param width : int       # width

graph g=read("a very long name of a file that has edges.csv", # the file
  source = "source of the edge", target = "target of the edge",
  nodes = "nodes.csv"
  # no more
  )
layer h[g.nodes,w]{ # inside
  activation=relu
  from x via g.edges{weights=shared,norm=row} ## a clause

  from x via (same) as s { # shared
    weights=shared }
  # last
}
let s = 1 + # lifted
  (2) # s
layer r = relu(h)+x {dropout=0.5 # half
  # last
  }
output y[2] {from r via all}   # out
layer k[2] {from y via all bias=none, activation = relu}
layer l[2] {
  from y via all}
layer m[2000000] {from the_layer_of_all_the_roads via the_edges_of_all_the_roads bias=none act=softmax(axis=units)}
layer none_[2]{ }
repeat z=y,q=1 times 3 tied { ## of next
  next z=f(z) }
repeat z=y for i in 1..3 untied {}
block b(x:layer,k=1,) { let t=x  # t

  return (t) # r
}
assert count(g.edges) == 100_000 and count(g.nodes) == 100_000 and acyclic(g.edges),
"the graph made for this test alone"
# end"""
PRETTY = """# before
gnn 1  # edition
## Of the file.

import "a.gnn" as a
import b, c as d from "b.gnn"
param w: int in 1..3 = 2  # w
param width: int          # width

graph g = read(
  "a very long name of a file that has edges.csv",  # the file
  source = "source of the edge",
  target = "target of the edge",
  nodes = "nodes.csv",
  # no more
)
layer h[g.nodes, w] {
  # inside
  activation = relu
  from x via g.edges { weights = shared, norm = row }  ## a clause

  from x via same as s {
    # shared
    weights = shared
  }
  # last
}
# lifted
let s = 1 + 2  # s
layer r = relu(h) + x {
  dropout = 0.5  # half
  # last
}
output y[2] { from r via all }  # out
layer k[2] { from y via all  bias = none  activation = relu }
layer l[2] {
  from y via all
}
layer m[2000000] {
  from the_layer_of_all_the_roads via the_edges_of_all_the_roads
  bias = none
  act = softmax(axis = units)
}
layer none_[2] {}
repeat z = y, q = 1 times 3 tied {
  ## of next
  next z = f(z)
}
repeat z = y for i in 1..3 untied {}
block b(x: layer, k = 1) {
  let t = x  # t

  return t  # r
}
assert count(g.edges) == 100_000 and count(g.nodes) == 100_000 and acyclic(g.edges),
  "the graph made for this test alone"
# end
"""


def test_the_layout() -> None:
    assert form(UGLY) == PRETTY


def test_long_sums_break_before_their_operators() -> None:
    term = "cross_entropy(classes_of_the_junctions, names_of_the_junctions)"
    assert form(f"loss cost = {term} + 0.5 * {term}") == f"loss cost = {term}\n  + 0.5 * {term}\n"


def test_empty_programs() -> None:
    assert form("") == ""
    assert form("\n\n# only this\n\n\n\n## doc") == "# only this\n\n## doc\n"


def test_a_tree_without_a_text_has_its_docs_and_room_between_tall_statements() -> None:
    parsed, _ = parse(Source("test", PRETTY))
    assert parsed is not None
    text = canonical(n.Program(NOWHERE.source, 1, parsed.statements, "One.\n\nTwo."))
    assert text.startswith("gnn 1\n## One.\n##\n## Two.\n\nimport")
    assert "\n\nlayer h[g.nodes, w] {\n  activation = relu\n" in text
    assert "}\n\nlet s = 1 + 2\nlayer r = relu(h) + x { dropout = 0.5 }\noutput y[2]" in text
    assert "{ from r via all }\n\nlayer k[2] {\n  from y via all\n" in text
