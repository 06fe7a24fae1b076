"""Edge sets above the limit are refused before they are built: the memory of a refusal, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from peak_memory import peak_bytes

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
