"""Syntax errors: several in one run, each at its place, and none for any text that raises."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn_compiler.diagnostics import Diagnostic, render
from graphnn_compiler.language.dump import dump
from graphnn_compiler.language.parser import MOST_ERRORS, allowed_codes, load_source, parse
from graphnn_compiler.source import Source, Span

EXPLAIN = Path(__file__).parents[2] / "graphnn_compiler" / "explain"
LANGUAGE = Path(__file__).parents[2] / "graphnn_compiler" / "language"
BAD = Path(__file__).parents[1] / "bad"

GOOD = """gnn 1
## A program with a bit of everything.

import gcn, neck as n from "lib.gnn"
param width: int in 1..512 = 16
graph g = read("e.csv", source = "a", directed = true)
edges near: g.nodes -> g.nodes = sym(g.edges)[w > 0.1 and src.x == dst.x] | same
input x[g.nodes, 8] = read("x.npz")
layer h[g.nodes, width] {
  from x via near as near { weights = per(edge.type), norm = row }
  activation = relu, dropout = 0.5
}
repeat up = h times 3 untied {
  layer m[g.nodes, 16] { from up via near }
  next up = gru(up, m)
}
block b(x: layer, k = 2) { let j = k * 2 return dropout(x, 1 / j) }
output y[10] { from up via all activation = softmax }
loss cost = cross_entropy(y, t, on = g.nodes[split == "train"]) + 2.5e-4 * l2(h.near.weights)
assert in_degree(near) in 2..6, "why"
"""


def errors(text: str) -> list[Diagnostic]:
    return parse(Source("test", text))[1]


def codes(text: str) -> list[str]:
    return [diagnostic.code for diagnostic in errors(text)]


def test_good_statements_survive_bad_ones() -> None:
    program, found = parse(Source("test", "let a = 1\nlet b = = 2\nlet c = 3\nlaier d = 3\nlet e = 5\n"))
    assert [(d.code, d.span.line) for d in found] == [("E001", 2), ("E006", 4)]
    assert program is not None
    assert [s.name for s in program.statements] == ["a", "c", "e"]  # type: ignore[union-attr]


def test_a_bad_statement_inside_a_block_leaves_the_others() -> None:
    text = "block b(x) {\n  let i = (1\n  let j = 2\n  let k = 3 3\n  return j\n}\nlet z = 1\n"
    program, found = parse(Source("test", text))
    assert [(d.code, d.span.line) for d in found] == [("E004", 3), ("E001", 4)]
    assert program is not None
    block, last = program.statements
    assert [s.name for s in block.body] == ["j"]  # type: ignore[union-attr]
    assert last.name == "z"  # type: ignore[union-attr]


def test_no_more_than_twenty_errors() -> None:
    program, found = parse(Source("test", "let a = 1 1\n" * 100))
    assert program is None
    assert len(found) == MOST_ERRORS
    assert found[-1].notes
    assert len(errors("let a = $\n" * 100)) == MOST_ERRORS


def test_the_end_of_the_program_is_after_its_last_character() -> None:
    (found,) = errors("let a =\n  # nothing more  \n\n")
    assert (found.code, found.span.line, found.span.column) == ("E005", 2, 17)


def test_an_end_before_text_that_was_set_aside_is_not_the_end_of_the_program() -> None:
    first, second = errors("let a = b +\nlet c = $")
    assert first.message == "expected an expression, found the end of the statement"
    assert second.code == "E002"


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("laier h[3] {}", "no statement starts with `laier`", "did you mean `layer`?"),
        ("layer h[3] { form x via all }", "expected an option, `from` or `}`, found `form`", "did you mean `from`?"),
        ("layer h[3] { from x vai all }", "expected `via`, found `vai`", "did you mean `via`?"),
        ("repeat h = x times 3 teid {}", "expected `tied` or `untied`, found `teid`", "did you mean `tied`?"),
        ("edges m: a = b", "expected `->`, found `=`", None),
        ("let a 3", "expected `=`, found `3`", None),
        ("let a == 3", "expected `=`, found `==`", None),
        ("gnn 1.5", "expected a whole number, found `1.5`", None),
        ("layer in[3] {}", "`in` is a reserved word and cannot be a name", "choose another name"),
        ("let a = b.", "expected a name, found the end of the program", None),
        ("let a = ", "expected an expression, found the end of the program", None),
        ("input x", "expected `[`, found the end of the program", None),
        ("let a = f(x y)", "expected `)` or `,`, found `y`", None),
        ('let a = "x" "y"', "expected an operator or a new statement, found a string", None),
    ],
)
def test_messages(text: str, message: str, help: str | None) -> None:
    (found,) = errors(text)
    assert (found.message, found.help) == (message, help)


def test_an_unclosed_bracket_points_to_where_it_opens() -> None:
    (found,) = errors("layer h[3] {\n  from x via f(a\n  activation = relu\n\nlet b = 1")
    (related,) = found.related
    assert (found.code, found.message) == ("E004", "`(` is not closed before `activation`")
    assert isinstance(related.place, Span)
    assert (related.place.line, related.place.column) == (2, 15)


@pytest.mark.parametrize(
    "text",
    [
        "let a = " + "(" * 10_000,
        "let a = " + "(" * 10_000 + "x" + ")" * 10_000,
        "let a = " + "[" * 10_000 + "]" * 10_000,
        "let a = " + "f(" * 10_000,
        "let a = " + "-" * 10_000 + "x",
        "let a = " + "not " * 10_000 + "x",
        "let a = " + " ** ".join(["a"] * 10_000),
        "let a = " + "x if c else " * 10_000 + "x",
        "let a = " + " + ".join(["a"] * 100_000),
        "let a = b" + ".c" * 10_000,
        "let a = b" + "(1)" * 300,
    ],
    ids=lambda text: text[8:20],
)
def test_deep_programs_are_refused(text: str) -> None:
    program, found = parse(Source("test", text + "\nlet ok = 1"))
    assert [d.code for d in found if d.code != "E004"] == ["E013"]
    assert program is not None
    assert len(program.statements) <= 1


def test_two_hundred_levels_are_allowed() -> None:
    for text in ["+".join(["a"] * 201), "(" * 200 + "a" + ")" * 200, "-" * 200 + "a", "f(" * 200 + "a" + ")" * 200]:
        program, found = parse(Source("test", f"let a = {text}"))
        assert not found
        assert program is not None
        assert dump(program).count("\n") >= 3
    assert codes("let a = " + "+".join(["a"] * 202)) == ["E013"]
    assert codes("let a = " + "-" * 201 + "a") == ["E013"]


def test_a_number_of_thousands_of_digits() -> None:
    assert codes("let a = " + "9" * 5_000) == ["E011"]
    assert codes("let a = 1e" + "9" * 400) == ["E011"]


def test_words_of_other_languages_are_fine_as_members() -> None:
    assert codes("let a = b.True") == []
    assert codes("let a = true.False") == []


# ------------------------------------------------------------------ the lint and its comment


def test_a_glued_operator_is_a_lint_only_between_options() -> None:
    assert codes("layer h[3] { a = d -0.5 b = f [1] c = g (2) }") == ["W010"] * 3
    assert codes("layer h[3] { a = d - 0.5 b = d-1 c = f[1] d = -1 e = [1] g = f(a -1) h = 2 * (3) }") == []
    assert codes("let a = d -0.5") == []


def test_a_comment_silences_a_lint() -> None:
    assert codes("# gnn: allow W010\nlayer h[3] { a = d -0.5 }") == []
    assert codes('let s = "# gnn: allow W010"\nlayer h[3] { a = d -0.5 }') == ["W010"]


def test_allowed_codes() -> None:
    text = 'let a = 1 # gnn: allow W210, W312\n## gnn: allow W010\nlet b = "# gnn: allow W999" # see W111'
    assert allowed_codes(Source("test", text)) == {"W210", "W312", "W010"}
    assert allowed_codes(Source("test", "let $ = (")) == set()


# ------------------------------------------------------------------ files


def test_a_file_is_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "m.gnn"
    path.write_bytes("\ufeff# é\r\nlet a = 1\r\n".encode())
    source, found = load_source(path)
    assert not found
    assert source is not None
    assert (source.text, source.name, source.folder) == ("# é\nlet a = 1\n", str(path), tmp_path)


def test_other_encodings_are_refused_at_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "m.gnn"
    path.write_bytes(b"\xef\xbb\xbfgnn 1\r\n# \xc3\xa9 caf\xe9\n")
    source, (found,) = load_source(path)
    assert source is None
    assert (found.code, found.span.line, found.span.column) == ("E014", 2, 8)
    assert "0xE9 at offset 18" in found.message


def test_a_missing_file_is_left_to_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_source(tmp_path / "none.gnn")


# ------------------------------------------------------------------ any text at all


def _never_raises(text: str) -> None:
    program, found = parse(Source("test", text))
    assert program is not None or found
    assert len(found) <= MOST_ERRORS or all(d.severity == "warning" for d in found[MOST_ERRORS:])
    for diagnostic in found:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        assert re.fullmatch(r"E0\d\d|W010", diagnostic.code)
        assert not re.search(r"\b_?[A-Z]{2,}(_[A-Z]+)*\b", re.sub(r"`.*?`|UTF-8|U\+[0-9A-F]+", "", diagnostic.message))
        assert diagnostic.message in render(diagnostic)
    if program is not None:
        assert dump(program)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_a_program_or_diagnostics(text: str) -> None:
    _never_raises(text)


WORDS = re.findall(r"\w+|[^\w\s]|\s", GOOD) + ["==", "&&", "$", '"', "1..", "True", "gnn", "layer", "}", "{", "(", "\n"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(sorted(set(WORDS))), max_size=40).map(" ".join))
def test_any_words_give_a_program_or_diagnostics(text: str) -> None:
    _never_raises(text)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_a_damaged_program_gives_few_diagnostics(seed: int, damages: int) -> None:
    draw = random.Random(seed)
    words = re.findall(r"\w+|[^\w\s]|\s", GOOD)
    for _ in range(damages):
        at = draw.randrange(len(words))
        words[at : at + draw.randrange(2)] = [draw.choice(WORDS)] * draw.randrange(2)
    text = "".join(words)
    _never_raises(text)
    # a damage can break the statement it is in and the one before; a lone quote or bracket hardly more
    assert len(errors(text)) <= 3 * damages


def test_one_misplaced_statement_is_told_once() -> None:
    text = "let a = 1\nlayer m = a\nnext h = m\nlet b = f(2 {\nlet c = 3\n"
    program, found = parse(Source("test", text))
    assert [(d.code, d.span.line) for d in found] == [("E018", 3), ("E001", 4)]
    assert program is not None
    assert [s.name for s in program.statements] == ["a", "m", "c"]  # type: ignore[union-attr]


def test_the_undamaged_program_is_good() -> None:
    assert codes(GOOD) == []


# ------------------------------------------------------------------ every code


def test_every_code_has_a_page_and_a_bad_program() -> None:
    used = set()
    for path in LANGUAGE.glob("*.py"):
        used |= set(re.findall(r'"([EW]\d{3})"', path.read_text(encoding="utf-8")))
    assert len(used) > 15
    shown = {folder.name.split("_")[0] for folder in BAD.iterdir()}
    for code in sorted(used):
        page = (EXPLAIN / f"{code}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {code}: ")
        assert code in shown


@pytest.mark.parametrize("text", ["param p:\ngraph g = r\n", "let a = b.\nlayer h = r\n", "param p: gnn int\n"])
def test_a_keyword_taken_for_a_word_does_not_start_a_cascade(text: str) -> None:
    program, found = parse(Source("test", text + "let b = 1\nlet c = 2\n"))
    assert len(found) == 1
    assert program is not None
    assert len(program.statements) == 2
