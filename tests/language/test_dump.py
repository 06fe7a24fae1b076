"""The dump of a tree: the whole text for a small program."""

from __future__ import annotations

from graphnn_compiler.language.dump import dump
from graphnn_compiler.language.parser import parse
from graphnn_compiler.source import Source

TEXT = """gnn 1
## Says hello.
layer h[u, 3] {
  from x via all as a { norm = row }
  dropout = -0.5
}
"""
EXPECTED = """Program edition=1
  statements[0]: LayerDecl doc='Says hello.' name='h' kind='layer'  3:1
    shape: Shape  3:8
      units: Name id='u'  3:9
      channels: Number value=3  3:12
    clauses[0]: Clause label='a'  4:3
      source: Name id='x'  4:8
      rule: Name id='all'  4:14
      options[0]: Option name='norm'  4:25
        value: Name id='row'  4:32
    options[0]: Option name='dropout'  5:3
      value: Unary operator='-'  5:13
        operand: Number value=0.5  5:14
"""


def test_the_dump_of_a_layer() -> None:
    program, _ = parse(Source("test", TEXT))
    assert program is not None
    assert dump(program) == EXPECTED


def test_names_of_a_next_statement_are_shown() -> None:
    program, _ = parse(Source("test", "repeat a = x, b = y times 2 tied { next a, b = f(a, b) }"))
    assert program is not None
    assert "body[0]: Next names=('a', 'b')  1:36" in dump(program)
