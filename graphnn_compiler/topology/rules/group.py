"""The rule `group(N, by = ..)`: one unit for each distinct value, and who belongs to it.

Input: a node set and its column. Output: a node set; an edge set from the members to their groups. Not for: pooling,
which is a clause over that edge set.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, canonical, distinct, is_string

_WHOLE = 2.0**53


def group_keys(values: NDArray) -> NDArray:
    """The key of each member's group: strings and int64 as they are, whole reals as int64; shape (n,).

    Raises Problem E327 for truth values and for reals that are not whole.
    """
    if is_string(values) or values.dtype.kind == "i":
        return values
    if values.dtype.kind == "b":
        help = 'make it text, as in `by = "open" if free else "closed"`'
        raise Problem("E327", "groups need keys that are text or whole numbers, and `by` is a truth value", help=help)
    broken = np.flatnonzero(~((values == np.floor(values)) & (np.abs(values) <= _WHOLE)))
    if len(broken):
        message = f"groups need keys that are text or whole numbers, and `by` is {values[broken[0]]:g} at one unit"
        raise Problem("E327", message, help="make classes of it, as in `by = floor(height / 100)`")
    return values.astype(np.int64)


def groups(keys: NDArray) -> NodeSet:
    """A unit for each distinct key, in the order of first appearance."""
    found, first, _ = distinct(keys)
    return NodeSet(found[np.argsort(first)])


def members(units: NodeSet, keys: NDArray, among: NodeSet) -> EdgeSet:
    """An edge from each unit to the one of `groups(keys)` that it belongs to; `keys` has one entry per unit."""
    return canonical(units, among, among.find(keys), np.arange(len(units), dtype=np.int64))
