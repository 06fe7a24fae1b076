"""The rules that look at columns of units or edges, on their units.

Input: a rule of `model.column_rules` and the columns that it may name. Output: edge sets; keys of groups. Not for:
which units a rule is used on (`sets`); the rules themselves (`rules`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count, listed
from graphnn_compiler.model.column_rules import Group, Match, Nearest, OpenColumnRule, Pairs, Top, Within
from graphnn_compiler.model.columns import ColumnExpr
from graphnn_compiler.model.rejection import Rejected, reject
from graphnn_compiler.source import Span
from graphnn_compiler.topology import columns
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.environments import EdgeEnvironment, NodeEnvironment, edge_keys
from graphnn_compiler.topology.graph import Column, EdgeSet, NodeSet
from graphnn_compiler.topology.rules import group, match, near, pairs, top

Side = Literal["source", "destination"]


def open_edges(
    rule: OpenColumnRule, sources: NodeEnvironment, targets: NodeEnvironment, max_edges: int | None
) -> EdgeSet:
    """The edges of a rule between given units."""
    match rule:
        case Within(radius=radius, at=at, metric=metric):
            placed = _placed(at, sources, "source"), _placed(at, targets, "destination")
            return near.within(*placed, radius, metric, max_edges=max_edges)
        case Nearest(k=k, at=at, metric=metric, shortfall=shortfall):
            placed = _placed(at, sources, "source"), _placed(at, targets, "destination")
            return near.nearest(*placed, k, metric, shortfall=shortfall, max_edges=max_edges)
        case Match():
            return _matched(rule, sources, targets, max_edges)
        case Pairs(predicate=predicate, limit=limit):

            def passes(tried: EdgeSet) -> NDArray[np.bool_]:
                return columns.truth(predicate, EdgeEnvironment(tried, sources, targets), len(tried))

            return pairs.pairs(sources.nodes, targets.nodes, passes, limit=limit, max_edges=max_edges)
        case _:
            assert_never(rule)


def top_edges(rule: Top, edges: EdgeSet, environment: EdgeEnvironment) -> EdgeSet:
    """The best edges of each unit."""
    what = "the `by` of `top`"
    by = _known(
        _numeric(rule.by, environment, len(edges), what), what, rule.by.span, lambda few: edge_keys(edges.take(few))
    )
    return top.top(edges, rule.k, by, rule.per)


def group_keys(rule: Group, environment: NodeEnvironment) -> NDArray:
    """The key of the group of each unit."""
    units = environment.nodes
    column = columns.evaluate(rule.by, environment)
    columns.require_complete(column, "the `by` of `group`", rule.by.span, lambda: units.keys)
    with located(rule.by.span):
        return group.group_keys(np.broadcast_to(column.values, (len(units),)))


# ------------------------------------------------------------------ columns of one side


@contextmanager
def _naming(side: Side, units: NodeSet) -> Iterator[None]:
    """Say of which units a refusal speaks."""
    try:
        yield
    except Rejected as rejected:
        if rejected.diagnostic is None:
            raise
        some = listed([f"`{key}`" for key in units.keys[:4]]) if len(units) <= 4 else f"`{units.keys[0]}`, .."
        note = f"this is about the {count(len(units), side)}: {some}"
        raise Rejected(replace(rejected.diagnostic, notes=(*rejected.diagnostic.notes, note))) from None


def _placed(at: tuple[ColumnExpr, ...], environment: NodeEnvironment, side: Side) -> near.Placed:
    units = environment.nodes
    points = np.empty((len(units), len(at)))
    with _naming(side, units):
        for axis, expr in enumerate(at):
            column = _numeric(expr, environment, len(units), "a coordinate")
            points[:, axis] = _known(column, "a coordinate", expr.span, lambda few: units.keys[few])
    return near.Placed(units, points)


def _numeric(expr: ColumnExpr, environment: columns.Environment, n: int, what: str) -> Column:
    column = columns.evaluate(expr, environment)
    if columns.kind(column) != "number":
        reject("E132", f"{what} must be a number, and this is a {columns.kind(column)}", expr.span)
    missing = None if column.missing is None else np.broadcast_to(column.missing, (n,))
    return Column(np.broadcast_to(column.values, (n,)), missing)


def _known(column: Column, what: str, span: Span, keys: Callable[[NDArray], NDArray]) -> NDArray:
    """The values of a column, none of which is missing, infinite or NaN; `keys` names a few by their positions."""
    unknown = ~np.isfinite(column.values)
    if column.missing is not None:
        unknown |= column.missing
    if not unknown.any():
        return column.values
    where = np.flatnonzero(unknown)
    first = ", ".join(str(key) for key in keys(where[:3]))
    message = f"{what} is missing or not finite in {count(len(where), 'place')} (first: {first})"
    help = "fill the data, or leave these out, as in `g.nodes[not missing(x)]` or `g.edges[not missing(w)]`"
    reject("E134", message, span, help=help)


def _matched(rule: Match, sources: NodeEnvironment, targets: NodeEnvironment, max_edges: int | None) -> EdgeSet:
    equal = []
    for left, right in rule.equations:
        with _naming("source", sources.nodes):
            source = columns.evaluate(left, sources)
        with _naming("destination", targets.nodes):
            target = columns.evaluate(right, targets)
        if columns.kind(source) != columns.kind(target):
            message = f"`==` compares a {columns.kind(source)} with a {columns.kind(target)}"
            help = "a column is text if one of its cells is no number"
            reject("E132", message, left.span, help=help)
        equal.append((source, target))
    return match.match(sources.nodes, targets.nodes, equal, max_edges=max_edges)
