"""The rule `match(src.a == dst.b and ..)`: pairs of units whose columns are equal, by sorting.

Input: node sets and the columns to compare. Output: an edge set. Not for: other conditions (`pairs`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import Column, EdgeSet, NodeSet, Positions, distinct
from graphnn_compiler.topology.rules.limits import check_edges
from graphnn_compiler.topology.rules.runs import expand_runs


def match(
    sources: NodeSet,
    targets: NodeSet,
    equal: Sequence[tuple[Column, Column]],
    *,
    max_edges: int | None = None,
) -> EdgeSet:
    """Every pair in which, for each (column of sources, column of targets) of `equal`, the values are equal.

    The two columns of a pair are both strings, both truth values or both numbers. Missing values and NaN equal nothing.
    Raises Problem E308 above `max_edges`; the edges are counted first. O((n + m) log(n + m) + E).
    """
    code, known = _codes(len(sources), len(targets), equal)
    source_code, target_code = code[: len(sources)], code[len(sources) :]
    heard = np.flatnonzero(known[: len(sources)])
    order = heard[np.argsort(source_code[heard], kind="stable")]
    counts = np.bincount(source_code[heard], minlength=int(code.max(initial=-1)) + 1)
    starts = np.cumsum(counts) - counts
    wanted = np.where(known[len(sources) :], counts[target_code], 0)
    check_edges("`match`", int(wanted.sum()), max_edges)
    row, within = expand_runs(wanted)
    return EdgeSet(sources, targets, row, order[starts[target_code[row]] + within])


def _codes(
    n_sources: int, n_targets: int, equal: Sequence[tuple[Column, Column]]
) -> tuple[Positions, NDArray[np.bool_]]:
    """A number for each source, then each target, that is the same where all values are; and whether all are known."""
    code = np.zeros(n_sources + n_targets, dtype=np.int64)
    known = np.ones(len(code), dtype=np.bool_)
    for source, target in equal:
        values = np.concatenate([source.values, target.values])
        _, _, number = distinct(values)
        if values.dtype.kind == "f":
            known &= ~np.isnan(values)
        for column, part in ((source, known[:n_sources]), (target, known[n_sources:])):
            if column.missing is not None:
                part &= ~column.missing
        # numbering anew after each column keeps the codes below the number of units
        _, code = np.unique(code * (number.max(initial=0) + 1) + number, return_inverse=True)
    return code, known
