"""Time and peak memory of every connectivity rule and operator at 10,000, 100,000 and 1,000,000 units.

    python benchmarks/rules.py [--units N ..] [--rules TEXT ..] [--write]

A rule is an expression of the language, evaluated as in a build on graphs that are ready in memory. Each figure is of
a process of its own, so that its peak memory is its own. Prints a Markdown table; `--write` puts it into
`docs/benchmarks-rules.md`. A new rule is one line in `OPEN`, `BOUND` or `NODES`.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rule_operands import DEGREE, OPERANDS

from graphnn_compiler.compiler import analyse
from graphnn_compiler.model.types import Model, NodeExpr, Read
from graphnn_compiler.source import Source
from graphnn_compiler.topology.data import Data
from graphnn_compiler.topology.graph import EdgeSet, Graph, NodeSet
from graphnn_compiler.topology.sets import Sets

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks-rules.md"
MAX_EDGES = 100_000_000

# `{n}` is the number of units. Between `r.nodes` and themselves, unless a domain stands behind the bar:
SELF = "r.nodes -> r.nodes"
OPEN = """
same
same | keys.nodes -> turned.nodes
one_to_one
all | few.nodes -> r.nodes
random(in_degree = 4)
random(in_degree = 2..6)
random(in_degree = 2..6) | keys.nodes -> keys.nodes
random(in_degree = wanted)
random(in_degree = 4, among = all - same)
random(p = 4 / {n})
offset(-2..2)
offset(-2..2, wrap = true)
offset([-8, -1, 1, 8])
offset([[0, -1], [0, 1], [-1, 0], [1, 0]], shape = [{n} // 100, 100], wrap = true)
within(1.13, at = [x, y])
within(25484000 / sqrt({n}), at = [lon, lat], metric = haversine)
nearest(4, at = [x, y])
nearest(4, at = [lon, lat], metric = haversine)
match(src.class == dst.class)
match(src.class == dst.class and src.name == dst.name)
pairs(src.x < dst.x, limit = 1e7) | few.nodes -> r.nodes
r.edges | half -> half
"""

BOUND = """
random(in_degree = 2, among = r.edges, shortfall = all)
random(p = edge.w, among = r.edges)
shuffled(r.edges, keep = in_degree)
shuffled(r.edges, keep = both_degrees)
shuffled(r.edges, keep = count)
r.edges[w > 0.5 and src.x < dst.x]
kg.edges["a"]
~r.edges
~kg.edges
sym(r.edges)
sym(kg.edges)
sym(keys.edges)
r.edges | same
r.edges | s.edges
kg.edges | other_kg.edges
keys.edges | turned.edges
r.edges & s.edges
r.edges & all
r.edges - s.edges
r.edges @ s.edges
hops(r.edges, 2)
hops(r.edges, 0..2)
hops(chain.edges, 1..8)
walks(r.edges, 2)
closure(layered.edges)
closure(ring.edges)
top(r.edges, 2, by = w)
top(r.edges, 2, by = w, per = src)
group(r.nodes, by = class).members
~group(r.nodes, by = name).members
levels(tree.edges, depth = 8)[8].edges
levels(tree.edges, depth = 8)[3].edges
"""

NODES = """
range({n})
r.nodes[x > 1 and in_degree > 3]
r.nodes[in_degree(s.edges) > 3]
r.nodes[component == 0]
layered.nodes[depth > 1]
chain.nodes[height > 1]
sources(r.edges)
targets(r.edges)
group(r.nodes, by = class)
group(r.nodes, by = name)
levels(tree.edges, depth = 8)[8].nodes
"""

PROGRAM = """gnn 1
graph r = read("r.csv")             graph s = read("s.csv")
graph kg = read("kg.csv")           graph other_kg = read("other_kg.csv")
graph keys = read("keys.csv")       graph turned = read("turned.csv")
graph layered = read("layered.csv") graph tree = read("tree.csv")
graph chain = read("chain.csv")     graph ring = read("ring.csv")
graph few = read("few.csv")
nodes half = r.nodes[index % 2 == 0]
input probe[1]
output answer[1] { from probe via all }
"""


@dataclass(frozen=True)
class Rule:
    """A declaration without its value, and its value, an expression of the language."""

    declaration: str
    text: str

    @property
    def name(self) -> str:
        """What stands in the table."""
        domain = self.declaration.partition(": ")[2]
        where = f", {domain}" if domain and domain != SELF else ""
        return f"`{self.text}`{where}".replace("{n}", "n").replace("|", "\\|")

    def statement(self, n: int) -> str:
        """The declaration of the rule for n units."""
        return f"{self.declaration} = {self.text}".replace("{n}", str(n))


def _open_rule(line: str) -> Rule:
    text, _, domain = line.partition(" | ")
    return Rule(f"edges it: {domain or SELF}", text)


RULES: Mapping[str, Rule] = {
    **{line: _open_rule(line) for line in OPEN.strip().splitlines()},
    **{line: Rule("edges it", line) for line in BOUND.strip().splitlines()},
    **{line: Rule("nodes it", line) for line in NODES.strip().splitlines()},
}


class Ready(Data):
    """Data that is in memory already."""

    def __init__(self, graphs: Mapping[str, Graph]) -> None:
        super().__init__({})
        self.graphs = graphs

    def graph(self, read: Read) -> Graph:
        return self.graphs[read.name]


# ------------------------------------------------------------------ measuring


def declared(rule: Rule, n: int) -> Model:
    """The program that declares a rule for n units, checked; the rule is the last of its sets."""
    model = analyse(Source("benchmark.gnn", f"{PROGRAM}{rule.statement(n)}\n")).model
    assert model is not None, rule.statement(n)
    return model


def timed(rule: Rule, n: int) -> Callable[[], EdgeSet | NodeSet]:
    """What evaluates a rule for n units, whose operands are there."""
    model, statement = declared(rule, n), rule.statement(n)
    used = [name for name in model.reads if f"{name}." in statement.replace("half", "r.")]
    sets = Sets(Ready({name: OPERANDS[name](n) for name in used}), 0, MAX_EDGES)
    expr = model.sets[-1]
    assert not isinstance(expr, Read)
    if isinstance(expr, NodeExpr):
        return lambda: sets.nodes(expr)
    return lambda: sets.bound_edges(expr)


def peak_mib() -> float:
    """Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def measure(name: str, n: int) -> None:
    """One rule in this process; its figures as JSON."""
    evaluate = timed(RULES[name], n)
    before = peak_mib()
    started = time.perf_counter()
    found = evaluate()
    seconds = time.perf_counter() - started
    print(json.dumps({"size": len(found), "seconds": seconds, "mib": peak_mib(), "before": before}))


def figures(name: str, n: int) -> dict[str, float]:
    """What `measure` prints in a process of its own."""
    command = [sys.executable, __file__, "--measure", name, "--units", str(n)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def table(names: Sequence[str], sizes: Sequence[int]) -> Iterator[str]:
    """The lines of the table, a rule each."""
    over = [f"{n:,}" for n in sizes]
    titles = ["rule", "size", *(f"s, {n}" for n in over), "growth", *(f"MiB, {n}" for n in over), "raised by"]
    yield f"| {' | '.join(titles)} |"
    yield "|---|" + "---:|" * (len(titles) - 1)
    for name in names:
        found = [figures(name, n) for n in sizes]
        seconds, mib = [f"{it['seconds']:.3f}" for it in found], [f"{it['mib']:.0f}" for it in found]
        last = found[-1]
        raised = f"{last['mib'] - last['before']:.0f}"
        cells = [RULES[name].name, f"{last['size']:,}", *seconds, _growth(found, sizes), *mib, raised]
        yield f"| {' | '.join(cells)} |"


def _growth(found: Sequence[Mapping[str, float]], sizes: Sequence[int]) -> str:
    """The exponent g of `seconds ~ units ** g` over the last two sizes, nothing where they are too short to tell."""
    if len(found) < 2 or found[-2]["seconds"] < 0.002:
        return ""
    return f"{math.log(found[-1]['seconds'] / found[-2]['seconds']) / math.log(sizes[-1] / sizes[-2]):.2f}"


def page(lines: Sequence[str]) -> str:
    """The page of the documentation."""
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}"
    return f"""# What the connectivity rules cost

Written by `python benchmarks/rules.py --write` ({versions}; one thread is used). The times are of one run.

Each line is a rule or an operator on graphs of so many units. Where nothing else is said it connects the units of `r`
with themselves. `r`, `s`, `kg` (5 relations) and `other_kg` (8) have about {DEGREE} in-edges a unit from anywhere;
`keys` and `turned` too, between units whose keys are texts, in two orders. `layered` has four layers, `tree` ten
children a unit, `chain` is one path of all units and `ring` many of ten; `few` has {DEGREE} units, `half` is every
second one of `r`.

* **size**: the edges that were found, or for node sets the units, at the largest number of units
* **s**: seconds for the rule alone; its operands are in memory
* **growth**: the exponent g in seconds ~ units^g over the last two columns; the edges grow as the units do, so 1 is
  linear in edges. Short times are left blank. Up to 1.7 is sorting and caches that a million units outgrow
* **MiB**: peak memory of a process that did nothing else, operands and about 115 MiB of Python and libraries included
* **raised by**: by how many MiB the rule raised the peak that making its operands had left, at the largest number of
  units; an edge is 16 bytes, or 24 with a column of its own

`read` and `table` have a benchmark of their own, `benchmarks/large_csv.py`. `all` is listed as edges only where it is
written so small; as a clause it is a dense product. `pairs` tries every pair, so it is measured from {DEGREE} units.

{chr(10).join(lines)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=list(RULES), metavar="TEXT")
    parser.add_argument("--write", action="store_true", help=f"write the table to docs/{PAGE.name} too")
    parser.add_argument("--measure", choices=list(RULES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.units[0])
        return
    lines = []
    for line in table(arguments.rules, arguments.units):
        print(line, flush=True)
        lines.append(line)
    if arguments.write:
        PAGE.write_text(page(lines))


if __name__ == "__main__":
    main()
