"""Edge sets above the limit are refused before they are built: the memory of a refusal, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from peak_memory import peak_bytes

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.rules import limits

FOLDER = Path(__file__).parent / "bad" / "E308_every_rule"
MIB = 1 << 20

NOTHING = "import graphnn_compiler.topology.resolve"
REFUSED = """
from pathlib import Path
from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.source import Source

source = Source("model.gnn", Path("model.gnn").read_text())
found = compile_plan(source, Settings(max_edges=10_000_000)).diagnostics
print([d.code for d in found])
print([d.message.split("`")[1] for d in found if "`" in d.message])
"""


def test_what_is_far_above_the_limit_is_refused_without_being_made() -> None:
    """Some of these rules would make 10,000,000,000 edges; a part of 10,000,000, which the limit is, takes 160 MB."""
    base, _ = peak_bytes([sys.executable, "-c", NOTHING], FOLDER)
    peak, printed = peak_bytes([sys.executable, "-c", REFUSED], FOLDER)
    codes, rules = (eval(line) for line in printed.splitlines()[:2])
    assert set(codes) == {"E308"}
    assert peak - base < 600 * MIB
    assert {"pairs", "closure", "hops", "walks", "within", "match", "@", "all", "nearest"} <= set(rules)


def test_a_result_that_only_begins_too_large_is_kept_after_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten units the first has all edges: going on like that there would be 60, and the limit is 50."""
    monkeypatch.setattr(limits, "KEPT_AT_LEAST", 5)
    calls = []

    def parts() -> Iterator[tuple[str, int, int]]:
        calls.append("called")
        yield "six", 6, 1
        yield "none", 0, 9
        yield "one", 1, 10

    assert limits.gathered("`hops`", parts, 10, 50) == ["six", "none", "one"]
    assert len(calls) == 2
    assert limits.gathered("`hops`", parts, 10, 60) == limits.gathered("`hops`", parts, 10, None)
    assert len(calls) == 4
    with pytest.raises(Problem, match="`hops` makes at least 7 edges, above the limit of 6"):
        limits.gathered("`hops`", parts, 10, 6)
