"""The grammar file: without ambiguity, with a phrase for everything that can be expected, quick to load."""

from __future__ import annotations

import re
import subprocess
import sys

import lark
import pytest

from graphnn_compiler.language import mistakes
from graphnn_compiler.language.parser import _grammar, grammar_file
from graphnn_compiler.language.tokens import STARTERS

GRAMMAR = grammar_file().read_text(encoding="utf-8")


def test_the_grammar_is_unambiguous_to_a_strict_reader() -> None:
    pytest.importorskip("interegular")
    lark.Lark(GRAMMAR, parser="lalr", lexer="contextual", strict=True)


def test_names_exclude_exactly_the_keywords() -> None:
    reserved = re.search(r"^NAME:\s+/\(\?!\(\?:([a-z|]+)\)", GRAMMAR, re.MULTILINE)
    assert reserved is not None
    keywords = re.findall(r"^_[A-Z]+_K:\s+/([a-z]+)\(", GRAMMAR, re.MULTILINE)
    assert sorted(reserved[1].split("|")) == sorted(keywords)
    assert set(keywords) > STARTERS


def test_every_terminal_has_a_phrase() -> None:
    words = _grammar().words
    assert {terminal.name for terminal in _grammar().parser.terminals} | {"$END"} == set(words)
    for word in words.values():
        assert not re.search(r"[A-Z_]{2}|\(\?", word), word


def test_everything_that_can_be_expected_has_a_phrase() -> None:
    grammar = _grammar()
    states = grammar.parser.parser.parser._parse_table.states  # type: ignore[attr-defined]
    rendered = set()
    for actions in states.values():
        terminals = [name for name in actions if name in grammar.words]
        if terminals:
            rendered.add(mistakes.expected(frozenset(grammar.words[name] for name in terminals)))
    assert len(rendered) > 20
    for phrase in rendered:
        assert phrase
        assert not re.search(r"[A-Z_]{2}|\$|``", phrase), phrase
    assert {"an expression", "a name", "`->`", "a whole number"} <= rendered


def test_parsing_needs_nothing_but_lark() -> None:
    code = (
        "import sys; sys.modules['interegular'] = None\n"
        "from graphnn_compiler.language.parser import parse\n"
        "from graphnn_compiler.source import Source\n"
        "assert not parse(Source('m', 'layer h[10, 3] { from x via all { weights = shared } activation = relu }'))[1]\n"
        "assert not {'numpy', 'pytensor', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
