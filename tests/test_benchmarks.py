"""The benchmark of the connectivity rules has every rule and operator, runs, and its page is the one in the docs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import get_args

import pytest

from graphnn_compiler.model import scalars
from graphnn_compiler.model.functions import FUNCTIONS
from graphnn_compiler.model.types import EdgeExpr, NodeExpr

FOLDER = Path(__file__).parents[1] / "benchmarks"
ELSEWHERE = {"table", "units", "channels", "min", "max", *scalars.FUNCTIONS}
"""Functions of the language that connect nothing; and `table`, which is reading."""
UNITS = 400


@pytest.fixture(scope="module")
def rules():
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("rules_benchmark", FOLDER / "rules.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # where dataclasses look their annotations up
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


def named(value, found: set[str]) -> None:
    """The kinds of set expressions in an expression."""
    if isinstance(value, EdgeExpr | NodeExpr):
        found.add(type(value).__name__)
    for part in vars(value).values() if hasattr(value, "__dict__") else value if isinstance(value, tuple) else ():
        named(part, found)


def test_every_rule_and_operator_is_measured(rules):
    texts = " ".join(rule.text for rule in rules.RULES.values())
    missing = [name for name in FUNCTIONS if name not in ELSEWHERE and f"{name}(" not in texts]
    missing += [sign for sign in ("~", " @ ", " | ", " & ", " - ") if sign not in texts]
    assert missing == []


def test_every_kind_of_set_is_measured(rules):
    found: set[str] = set()
    for rule in rules.RULES.values():
        named(rules.declared(rule, UNITS).sets[-1], found)
    assert {kind.__name__ for kind in (*get_args(EdgeExpr), *get_args(NodeExpr))} - found == {"Table"}


def test_every_rule_runs(rules):
    for text, rule in rules.RULES.items():
        assert len(rules.timed(rule, UNITS)()) > 0 or text == "r.edges & s.edges", text


def test_the_page_has_the_rules_of_the_benchmark(rules):
    lines = rules.PAGE.read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| `")] == [
        f"| {rule.name}".split(" | ")[0] for rule in rules.RULES.values()
    ]
