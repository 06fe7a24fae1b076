"""Time and peak memory of the connectivity rules at 10,000, 100,000 and 1,000,000 units, as a Markdown table.

    python benchmarks/rules.py [--units N ..] [--rules NAME ..]

Each figure is of a process of its own, so that its peak memory is its own; the operands of the rule, and some 90 MiB of
Python with NumPy and SciPy, are part of it. The operands are random edges with up to 4 into each unit, units in
four layers, or a tree. A new rule is one entry in `RULES`: from the number of units to what is to be timed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from graphnn_compiler.topology.graph import EdgeSet, canonical, integer_units
from graphnn_compiler.topology.rules import algebra, offset, random
from graphnn_compiler.topology.rules.closure import closure
from graphnn_compiler.topology.rules.hops import hops
from graphnn_compiler.topology.rules.levels import Hierarchy
from graphnn_compiler.topology.rules.walks import walks
from graphnn_compiler.topology.streams import Stream
from graphnn_compiler.topology.structure import Structure

Timed = Callable[[], object]
DEGREE = 4


def random_edges(n: int, seed: int = 0) -> EdgeSet:
    """`DEGREE` draws of a source for each of n units; equal draws count once."""
    units = integer_units(n)
    target = np.repeat(np.arange(n), DEGREE)
    pairs = np.unique(target * n + np.random.default_rng(seed).integers(0, n, len(target)))
    return canonical(units, units, pairs // n, pairs % n)


def hierarchy(n: int) -> EdgeSet:
    """Child -> parent: a tree in which every unit but the first has one parent, ten children each, in no order."""
    units = integer_units(n)
    name = np.random.default_rng(1).permutation(n)
    child = np.arange(1, n)
    return canonical(units, units, name[(child - 1) // 10], name[child])


def layered(n: int) -> EdgeSet:
    """Four layers of equal size, each unit with `DEGREE` draws of a target in the next one: short paths only."""
    units, width = integer_units(n), n // 4
    source = np.repeat(np.arange(3 * width), DEGREE)
    target = (source // width + 1) * width + np.random.default_rng(2).integers(0, width, len(source))
    pairs = np.unique(target * n + source)
    return canonical(units, units, pairs // n, pairs % n)


def random_in_degree(n: int) -> Timed:
    units, degrees = integer_units(n), np.full(n, DEGREE, dtype=np.int64)
    return lambda: random.random_in_degree(units, units, degrees, stream=Stream(0, "edges", "benchmark"))


def stencil(n: int) -> Timed:
    units = integer_units(n)
    return lambda: offset.offset(units, units, -2, 2)


def of_edges(
    rule: Callable[[EdgeSet], object], make: Callable[[int], EdgeSet] = random_edges
) -> Callable[[int], Timed]:
    """A rule of one edge set."""

    def prepare(n: int) -> Timed:
        edges = make(n)
        return lambda: rule(edges)

    return prepare


def union(n: int) -> Timed:
    left, right = random_edges(n), random_edges(n, seed=3)
    return lambda: algebra.union(left, right)


def all_levels(edges: EdgeSet) -> EdgeSet:
    cut = Hierarchy(edges, None, 4)
    return [cut.edges(level) for level in range(1, 5)][-1]


RULES: Mapping[str, Callable[[int], Timed]] = MappingProxyType(
    {
        "random(in_degree = 4)": random_in_degree,
        "offset(-2..2)": stencil,
        "sym(R)": of_edges(algebra.sym),
        "R | S": union,
        "R @ R": of_edges(lambda edges: algebra.compose(edges, edges)),
        "hops(R, 2)": of_edges(lambda edges: hops(edges, 2, 2)),
        "hops(R, 0..2)": of_edges(lambda edges: hops(edges, 0, 2)),
        "walks(R, 2)": of_edges(lambda edges: walks(edges, 2)),
        "closure of 4 layers": of_edges(closure, layered),
        "levels of a tree, depth 4": of_edges(all_levels, hierarchy),
        "component": of_edges(lambda edges: Structure(edges, "it").column("component")),
        "depth of 4 layers": of_edges(lambda edges: Structure(edges, "it").column("depth"), layered),
    }
)


def peak_mib() -> float:
    """Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def measure(rule: str, units: int) -> None:
    """One rule in this process; its figures as JSON."""
    timed = RULES[rule](units)
    started = time.perf_counter()
    result = timed()
    seconds = time.perf_counter() - started
    n = len(result) if isinstance(result, EdgeSet) else None
    print(json.dumps({"edges": n, "seconds": seconds, "mib": peak_mib()}))


def report(rules: list[str], sizes: list[int]) -> None:
    print("| rule | units | edges | seconds | peak memory, MiB |\n|---|---:|---:|---:|---:|")
    for rule in rules:
        name = rule.replace("|", "\\|")
        for units in sizes:
            command = [sys.executable, __file__, "--measure", rule, "--units", str(units)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            figures = json.loads(done.stdout)
            edges = "" if figures["edges"] is None else f"{figures['edges']:,}"
            print(f"| {name} | {units:,} | {edges} | {figures['seconds']:.3f} | {figures['mib']:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=list(RULES), metavar="NAME")
    parser.add_argument("--measure", choices=list(RULES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.units[0])
    else:
        report(arguments.rules, arguments.units)


if __name__ == "__main__":
    main()
