"""The graphs that the rules are measured on: made from a number of units, the same every time.

Not for: rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import STRING, Column, Graph, NodeSet, Relations, canonical

DEGREE = 4


def units(n: int) -> NodeSet:
    """n units with places, classes of four and two names each class, and an in-degree from 2 to 6."""
    rng = np.random.default_rng(n)
    side = math.sqrt(n)
    columns: dict[str, NDArray] = {
        "x": rng.uniform(0, side, n),
        "y": rng.uniform(0, side, n),
        "lon": rng.uniform(-180, 180, n),
        "lat": np.degrees(np.arcsin(rng.uniform(-1, 1, n))),
        "class": rng.integers(0, max(n // 4, 1), n),
        "name": np.array([f"name {i}" for i in range(50)], dtype=STRING)[rng.integers(0, 50, n)],
        "wanted": rng.integers(2, 7, n),
    }
    return NodeSet(np.arange(n), {name: Column(values) for name, values in columns.items()})


def text_units(n: int, seed: int) -> NodeSet:
    """n units with keys such as `unit 17`, in an order that the seed decides."""
    return NodeSet(np.strings.add("unit ", np.random.default_rng(seed).permutation(n).astype(STRING)))


def graph(nodes: NodeSet, row: NDArray, column: NDArray, relations: int = 0) -> Graph:
    """The graph of these pairs, equal ones once, with a column `w`; of so many relations."""
    n = len(nodes)
    pairs = np.unique(row * n + column)
    rng = np.random.default_rng(len(pairs))
    names = tuple("abcdefgh"[:relations])
    codes = Relations(rng.integers(0, relations, len(pairs), dtype=np.int32), names) if relations else None
    weights = {"w": Column(rng.uniform(size=len(pairs)))}
    return Graph(nodes, nodes, canonical(nodes, nodes, pairs // n, pairs % n, weights, codes))


def random_graph(nodes: NodeSet, seed: int, relations: int = 0) -> Graph:
    """`DEGREE` draws of a source for each unit."""
    n = len(nodes)
    target = np.repeat(np.arange(n), DEGREE)
    return graph(nodes, target, np.random.default_rng(seed).integers(0, n, len(target)), relations)


def layered_graph(nodes: NodeSet) -> Graph:
    """Four layers of equal size, each unit with `DEGREE` draws of a target in the next one: short paths only."""
    width = len(nodes) // 4
    source = np.repeat(np.arange(3 * width), DEGREE)
    target = (source // width + 1) * width + np.random.default_rng(2).integers(0, width, len(source))
    return graph(nodes, target, source)


def tree_graph(nodes: NodeSet) -> Graph:
    """Child -> parent: every unit but the first has one parent, ten children each, in no order."""
    place = np.random.default_rng(1).permutation(len(nodes))
    child = np.arange(1, len(nodes))
    return graph(nodes, place[(child - 1) // 10], place[child])


def ring_graph(nodes: NodeSet, around: int) -> Graph:
    """Rings of so many units each, `around` a divisor of their number; a ring of all is cut open to a chain."""
    n = len(nodes)
    target = np.arange(n)
    source = np.where(target % around, target - 1, target + around - 1)
    return graph(nodes, target[around == n :], source[around == n :])


OPERANDS: Mapping[str, Callable[[int], Graph]] = {
    "r": lambda n: random_graph(units(n), 0),
    "s": lambda n: random_graph(units(n), 3),
    "kg": lambda n: random_graph(units(n), 4, relations=5),
    "other_kg": lambda n: random_graph(units(n), 5, relations=8),
    "keys": lambda n: random_graph(text_units(n, 6), 6),
    "turned": lambda n: random_graph(text_units(n, 7), 7),
    "layered": lambda n: layered_graph(units(n)),
    "tree": lambda n: tree_graph(units(n)),
    "chain": lambda n: ring_graph(units(n), n),
    "ring": lambda n: ring_graph(units(n), 10),
    "few": lambda n: random_graph(units(DEGREE), 8),
}
