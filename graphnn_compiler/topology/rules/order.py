"""Longest paths, cycles and components of the pairs of an edge set from units to the same units.

Input: neighbours. Output: one number a unit, or the units of a cycle. Not for: shortest paths (`hops`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from graphnn_compiler.topology.graph import Positions
from graphnn_compiler.topology.rules.square import Neighbours

_NARROW = 12


def longest_paths(following: Neighbours) -> Positions:
    """The number of edges of the longest path that ends at each unit, -1 for those on a cycle or behind one.

    `following` holds the targets of each unit. Round k takes off the units that only earlier rounds lead to (Kahn
    1962). O(n + E); where rounds hold few units they are taken one by one, since a path has as many rounds as units.
    """
    waiting = np.bincount(following.indices, minlength=len(following))
    depth = np.full(len(following), -1, dtype=np.int64)
    current = np.flatnonzero(waiting == 0)
    step = 0
    while len(current):
        depth[current] = step
        step += 1
        if len(current) < _NARROW:
            current, step = _one_by_one(following, waiting, depth, current.tolist(), step)
            continue
        found, _ = following.of(current)
        np.subtract.at(waiting, found, 1)
        current = np.unique(found[waiting[found] == 0])
    return depth


def _one_by_one(
    following: Neighbours, waiting: Positions, depth: Positions, current: list[int], step: int
) -> tuple[Positions, int]:
    """Rounds of few units from `current` on; the first round of more, and its number."""
    arrays = following.indptr, following.indices, waiting, depth
    indptr, indices, left, reached = (memoryview(array.data) for array in arrays)
    while current and len(current) < _NARROW:
        upcoming = []
        for unit in current:
            reached[unit] = step - 1
            for place in range(indptr[unit], indptr[unit + 1]):
                target = indices[place]
                left[target] -= 1
                if left[target] == 0:
                    upcoming.append(target)
        current, step = upcoming, step + 1
    return np.array(current, dtype=np.int64), step - 1


def strong_components(following: Neighbours) -> tuple[int, NDArray[np.int32]]:
    """How many sets of units there are in which each reaches each, and the number of every unit's set."""
    n, labels = csgraph.connected_components(following.matrix(np.int8), directed=True, connection="strong")
    return int(n), labels


def weak_components(following: Neighbours) -> Positions:
    """The number of every unit's component, direction left aside; components are numbered by their first unit."""
    _, labels = csgraph.connected_components(following.matrix(np.int8), directed=True, connection="weak")
    _, first, label = np.unique(labels, return_index=True, return_inverse=True)
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[label]


def find_cycle(following: Neighbours) -> Positions | None:
    """The units of a cycle, each once, in the order of its edges; None where there is no cycle. O(n + E).

    A self loop if there is one; else a shortest cycle through the first unit that is on any.
    """
    units = np.repeat(np.arange(len(following), dtype=np.int64), following.counts)
    loops = np.flatnonzero(units == following.indices)
    if len(loops):
        return units[loops[:1]]
    _, labels = strong_components(following)
    cyclic = np.flatnonzero(np.bincount(labels)[labels] > 1)
    if not len(cyclic):
        return None
    start = int(cyclic[0])
    order, before = csgraph.breadth_first_order(following.matrix(np.int8), start, directed=True)
    leads_back = np.zeros(len(following), dtype=bool)
    leads_back[units[following.indices == start]] = True
    path = [int(order[np.argmax(leads_back[order])])]
    while path[-1] != start:
        path.append(int(before[path[-1]]))
    return np.array(path[::-1], dtype=np.int64)
