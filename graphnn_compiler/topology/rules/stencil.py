"""The rule `offset([..])`: steps along the order of the units, or in the dimensions that they are laid out in.

Input: node sets and a list of steps. Output: an edge set with the int64 column `offset`. Not for: ranges of steps in
one dimension (see `offset`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.topology.graph import Column, EdgeSet, NodeSet, Positions, canonical
from graphnn_compiler.topology.rules.limits import check_edges

Vector = tuple[int, ...]


def steps(
    sources: NodeSet, targets: NodeSet, offsets: Sequence[int], *, wrap: bool = False, max_edges: int | None = None
) -> EdgeSet:
    """Every pair whose destination position minus source position is one of `offsets`, which is its column `offset`.

    Offsets fit in int64.

    Without `wrap` what falls off an end is clipped; with it the difference is taken modulo the number of units.
    Raises Problem E303 where `wrap` meets sizes that differ, E304 where two offsets name the same pairs, E308. Time
    O(E log E).
    """
    if wrap and len(sources) != len(targets):
        raise Problem(
            "E303",
            f"`offset` with `wrap` needs as many sources as destinations, but there are {len(sources):,} and"
            f" {len(targets):,}",
            help="give both the same number of units, or leave `wrap` out",
        )
    vectors = [(offset,) for offset in offsets]
    return _stencil(sources, targets, (len(sources),), (len(targets),), vectors, list(offsets), wrap, max_edges)


def grid_steps(
    sources: NodeSet,
    targets: NodeSet,
    offsets: Sequence[Vector],
    shape: Vector,
    *,
    wrap: bool = False,
    max_edges: int | None = None,
) -> EdgeSet:
    """Every pair that lies one of `offsets` apart, destination minus source, where units fill `shape` in C order.

    The column `offset` is the index of the offset in the list. Clipping and `wrap` as in `steps`, in every dimension.
    Raises Problem E304, E308, and E334 where a side has not as many units as `shape`. O(E log E).
    """
    size = math.prod(shape)
    for units, side in ((sources, "sources"), (targets, "destinations")):
        if len(units) != size:
            product = " x ".join(f"{extent:,}" for extent in shape)
            raise Problem(
                "E334",
                f"the shape of `offset` is {product} = {count(size, 'unit')}, and there are {len(units):,} {side}",
                help="`shape` is the number of units along each dimension; both sides of the clause fill it",
            )
    return _stencil(sources, targets, shape, shape, offsets, range(len(offsets)), wrap, max_edges)


def _stencil(
    sources: NodeSet,
    targets: NodeSet,
    source_shape: Vector,
    target_shape: Vector,
    offsets: Sequence[Vector],
    labels: Sequence[int],
    wrap: bool,
    max_edges: int | None,
) -> EdgeSet:
    vectors = [_reduced(vector, source_shape, target_shape, wrap) for vector in offsets]
    _refuse_repeated(vectors, offsets, len(targets), wrap)
    axes = [
        [_along(n_source, n_target, step, wrap) for n_source, n_target, step in sides]
        for sides in (zip(source_shape, target_shape, vector, strict=True) for vector in vectors)
    ]
    check_edges("`offset`", sum(math.prod(len(into) for into, _ in sides) for sides in axes), max_edges)
    rows = [_positions([into for into, _ in sides], target_shape) for sides in axes]
    columns = [_positions([out for _, out in sides], source_shape) for sides in axes]
    found = np.repeat(np.array(labels, dtype=np.int64), [len(row) for row in rows])
    return canonical(sources, targets, np.concatenate(rows), np.concatenate(columns), {"offset": Column(found)})


def _reduced(vector: Vector, source_shape: Vector, target_shape: Vector, wrap: bool) -> Vector:
    """The vector with steps whose differences fit in int64: modulo the size, or just off the end."""
    sides = zip(vector, source_shape, target_shape, strict=True)
    if wrap:
        return tuple(step % max(extent, 1) for step, extent, _ in sides)
    return tuple(min(max(step, -n_source), n_target) for step, n_source, n_target in sides)


def _refuse_repeated(vectors: Sequence[Vector], offsets: Sequence[Vector], n_units: int, wrap: bool) -> None:
    known = vectors if wrap else offsets
    first: dict[Vector, Vector] = {}
    for vector, written in zip(known, offsets, strict=True):
        if vector in first:
            one, other = (str(it[0]) if len(it) == 1 else str(list(it)) for it in (first[vector], written))
            where = f", on {count(n_units, 'unit')} with `wrap`," if wrap and one != other else ""
            message = f"the offsets {one} and {other}{where} name the same pairs"
            raise Problem("E304", message, help="name each offset once")
        first[vector] = written


def _along(n_source: int, n_target: int, step: int, wrap: bool) -> tuple[Positions, Positions]:
    """Along one dimension, the positions of destinations that have a source this step before them, and the source's."""
    into = np.arange(n_target, dtype=np.int64)
    out = into - step
    if wrap:
        return into, out % max(n_source, 1)
    inside = (out >= 0) & (out < n_source)
    return into[inside], out[inside]


def _positions(along: Sequence[Positions], shape: Vector) -> Positions:
    """The positions in C order of every combination of positions along the dimensions."""
    return np.ravel_multi_index(np.ix_(*along), shape).reshape(-1).astype(np.int64)
