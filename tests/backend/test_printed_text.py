"""What a printed program cannot hold is told at its place; what strangers write into a plan stays text."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from graphnn_compiler import compiler
from graphnn_compiler.backend.program import matrices, targets
from graphnn_compiler.backend.program.module import Comments, print_module
from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.diagnostics import GnnError, Problem
from graphnn_compiler.source import Source
from graphnn_compiler.topology.csr import csr_from_pairs
from graphnn_compiler.topology.plan import EdgePart

PROGRAM = """gnn 1
input x[3]
layer a[3, 2] { from x via all  activation = gelu }
layer b[3] { from a via all  activation = tanh }
output y = gelu(b)
"""

TOLD = """\
error[E550]: PyTensor has no operation `erf`: x
  --> model.gnn:3:7
   |
 3 | layer a[3, 2] { from x via all  activation = gelu }
   |       ^
  = help: print it with `--target theano`

error[E550]: PyTensor has no operation `erf`: x
  --> model.gnn:5:8
   |
 5 | output y = gelu(b)
   |        ^
  = help: print it with `--target theano`
"""


def test_every_operation_that_a_target_lacks_is_told_at_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    without = dict(targets.OPERATIONS) | {"erf": dataclasses.replace(targets.OPERATIONS["erf"], pytensor=None)}
    monkeypatch.setattr(targets, "OPERATIONS", without)
    made = compile_plan(Source("model.gnn", PROGRAM, Path()), Settings())
    with pytest.raises(GnnError) as caught:
        compiler.printed(made, "pytensor", "model")
    assert str(caught.value) == TOLD
    assert "tt.erf(z" in compiler.printed(made, "theano", "model").text


def test_a_matrix_with_more_entries_than_int32_counts_is_refused_before_it_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matrices, "LARGEST", 11)
    part = EdgePart(csr_from_pairs(np.array([0, 1, 1]), np.array([0, 0, 1]), (2, 2)))
    assert matrices.of_blocks(part, 9, 1, 3).n_entries == 9
    with pytest.raises(Problem, match=r"sparse matrix of .* with 12 entries") as caught:
        matrices.of_blocks(part, 12, 2, 2)
    assert caught.value.code == "E551"


def test_strange_texts_are_no_code() -> None:
    made = compile_plan(Source("model.gnn", PROGRAM, Path()), Settings())
    assert made.resolution is not None
    evil = 'a"""\nimport os\n\rimport os\x0cimport os\u2028import os\\'
    for target in ("pytensor", "theano"):
        text = print_module(
            made.resolution.plan, made.resolution.values, target, "model", Comments(evil, {"a": evil, "b": "\r" + evil})
        ).text
        imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import)]
        assert {alias.name for node in imported for alias in node.names} <= {
            "numpy", "pytensor", "pytensor.tensor", "theano", "theano.tensor",
        }  # fmt: skip
