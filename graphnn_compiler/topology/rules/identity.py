"""The rules `same`, `one_to_one` and `all`: which units meet without looking at any table.

Input: node sets. Output: edge sets without attributes. Not for: dense layers, where `all` never becomes edges.
"""

from __future__ import annotations

import numpy as np

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import EdgeSet, NodeSet
from graphnn_compiler.topology.rules.align import place_units


def same(sources: NodeSet, targets: NodeSet) -> EdgeSet:
    """An edge between units with equal keys. Raises Problem E300 where key types differ."""
    column = place_units(targets, sources)
    row = np.flatnonzero(column >= 0)
    return EdgeSet(sources, targets, row, column[row])


def one_to_one(sources: NodeSet, targets: NodeSet) -> EdgeSet:
    """An edge between units at equal positions. Raises Problem E301 where the sizes differ."""
    if len(sources) != len(targets):
        raise Problem(
            "E301",
            f"`one_to_one` pairs units by position, but there are {len(sources):,} sources"
            f" and {len(targets):,} destinations",
            help="give both the same number of units, or write `same` to pair units with equal keys",
        )
    positions = np.arange(len(targets), dtype=np.int64)
    return EdgeSet(sources, targets, positions, positions)


def every_pair(sources: NodeSet, targets: NodeSet) -> EdgeSet:
    """Every source to every destination, written out: n_sources * n_targets edges.

    The caller has checked that so many are wanted.
    """
    row = np.repeat(np.arange(len(targets), dtype=np.int64), len(sources))
    column = np.tile(np.arange(len(sources), dtype=np.int64), len(targets))
    return EdgeSet(sources, targets, row, column)
