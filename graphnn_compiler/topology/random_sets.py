"""The random edge expressions of a model to edge sets: seeds, candidates and in-degrees of each.

Input: an expression, and the units of a use. Output: an `EdgeSet`. Not for: drawing (see `rules.random`,
`rules.probability` and `rules.shuffled`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.model.columns import ColumnExpr
from graphnn_compiler.model.types import All, EdgeExpr, EdgeOperation, RandomDegree, RandomPairs, Shuffled
from graphnn_compiler.topology import columns, refusals
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.environments import NodeEnvironment, edge_keys
from graphnn_compiler.topology.graph import EdgeSet, NodeSet
from graphnn_compiler.topology.rules import algebra, probability, random, shuffled
from graphnn_compiler.topology.rules.limits import check_edges
from graphnn_compiler.topology.streams import Stream

if TYPE_CHECKING:
    from graphnn_compiler.topology.sets import Sets


def by_degree(expr: RandomDegree, sets: Sets, sources: NodeSet, targets: NodeSet) -> EdgeSet:
    """`random(in_degree = ..)` between given units."""
    excluded = _barred(expr.among)
    listed = None if excluded is not None or expr.among is None or isinstance(expr.among, All) else expr.among
    degrees = _degrees(expr, targets, _stream(expr, sets, "in_degree"))
    check_edges("`random`", int(np.minimum(degrees, len(sources)).sum()), sets.max_edges)
    return random.random_in_degree(
        sources,
        targets,
        degrees,
        stream=_stream(expr, sets, "edges"),
        candidates=None if listed is None else sets.open_edges(listed, sources, targets),
        excluded=None if excluded is None else sets.open_edges(excluded, sources, targets),
        shortfall=expr.shortfall,
    )


def by_probability(expr: RandomPairs, sets: Sets, sources: NodeSet, targets: NodeSet) -> EdgeSet:
    """`random(p = ..)` between given units; an expression for p is evaluated on every candidate."""
    stream = _stream(expr, sets, "pairs")
    excluded = _barred(expr.among)
    if isinstance(expr.p, float) and (excluded is not None or expr.among is None or isinstance(expr.among, All)):
        barred = None if excluded is None else sets.open_edges(excluded, sources, targets)
        return probability.random_pairs(
            sources, targets, expr.p, stream=stream, excluded=barred, max_edges=sets.max_edges
        )
    assert expr.among is not None
    listed = algebra.restrict(sets.open_edges(expr.among, sources, targets), sources, targets)[0]
    candidates = algebra.first_of_each_pair(listed)
    if isinstance(expr.p, float):
        return probability.random_candidates(candidates, expr.p, stream=stream)
    environment = sets.edge_environment(candidates, expr.among)
    p = columns.numbers(expr.p, environment, len(candidates), "the probability", lambda: edge_keys(candidates))
    with located(expr.p.span):
        return probability.random_candidates(candidates, p, stream=stream)


def shuffled_edges(expr: Shuffled, sets: Sets) -> EdgeSet:
    """`shuffled(R, ..)` on the units of R."""
    return shuffled.shuffled(sets.bound_edges(expr.base), expr.keep, stream=_stream(expr, sets, "shuffled"))


def _stream(expr: RandomDegree | RandomPairs | Shuffled, sets: Sets, purpose: str) -> Stream:
    return Stream(sets.seed if expr.seed is None else expr.seed, purpose, expr.stream)


def _barred(among: EdgeExpr | None) -> EdgeExpr | None:
    """R of `all - R`, whose candidates need no product."""
    if isinstance(among, EdgeOperation) and among.operator == "-" and isinstance(among.left, All):
        return among.right
    return None


def _degrees(expr: RandomDegree, targets: NodeSet, stream: Stream) -> NDArray[np.int64]:
    degree: int | tuple[int, int] | ColumnExpr = expr.degree
    if isinstance(degree, int):
        return np.full(len(targets), degree, dtype=np.int64)
    if isinstance(degree, tuple):
        return random.draw_degrees(targets, *degree, stream)
    environment = NodeEnvironment(targets)
    values = columns.numbers(degree, environment, len(targets), "the in-degree", lambda: targets.keys)
    if np.any(values != np.floor(values)) or np.any(values < 0):
        refusals.no_degrees(values, targets, degree.span)
    return values.astype(np.int64)
