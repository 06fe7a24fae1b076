"""Calls of the rules about paths: `hops`, `walks`, `closure`, `levels`; and what a list of levels gives.

Input: a call, an index, a member. Output: a part of the model. Not for: evaluating; the table of all functions
(`functions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnn_compiler.diagnostics import count, did_you_mean
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.distance_rules import Closure, Hops, Level, LevelEdges, LevelNodes, Levels, Walks
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.signatures import Signature, bind
from graphnn_compiler.model.types import EdgeExpr
from graphnn_compiler.model.values import NumberRange, kind_of

if TYPE_CHECKING:
    from graphnn_compiler.model.expressions import Expressions

_MOST_STEPS = 10_000


def hops(expressions: Expressions, expr: syntax.Call) -> Hops:
    """`hops(R, k)`, `hops(R, a..b)`."""
    bound = bind(expr, Signature("hops", ("edges", "distance"), required=2))
    base, place = _base(expressions, bound["edges"].value, "hops"), bound["distance"]
    value = expressions.value(place.value)
    low, high = (value.low, value.high) if isinstance(value, NumberRange) else (value, value)
    if type(low) is not int or type(high) is not int:
        help = "as in `hops(r, 2)` or `hops(r, 1..3)`"
        reject("E110", "`hops` needs a whole number of steps or a range of them", place.span, help=help)
    if low < 0:
        reject("E317", f"a distance cannot be {low}", place.span, help="the nearest unit is itself, at distance 0")
    if low > high:
        help = f"write it as `{high}..{low}`, lowest first"
        reject("E317", f"the range of distances `{low}..{high}` is empty", place.span, help=help)
    return Hops(base, low, high, span=expr.span)


def walks(expressions: Expressions, expr: syntax.Call) -> Walks:
    """`walks(R, k)`."""
    bound = bind(expr, Signature("walks", ("edges", "length"), required=2))
    base = _base(expressions, bound["edges"].value, "walks")
    length = expressions.integer(bound["length"].value, "the number of steps")
    if not 0 <= length <= _MOST_STEPS:
        message = f"`walks` takes 0 to {_MOST_STEPS:,} steps, not {length:,}"
        reject("E317", message, bound["length"].span, help="for paths of any length write `closure(..)`")
    return Walks(base, length, span=expr.span)


def closure(expressions: Expressions, expr: syntax.Call) -> Closure:
    """`closure(R)`."""
    bound = bind(expr, Signature("closure", ("edges",), required=1))
    return Closure(_base(expressions, bound["edges"].value, "closure"), span=expr.span)


def levels(expressions: Expressions, expr: syntax.Call) -> Levels:
    """`levels(R, root = key, depth = n)`."""
    bound = bind(expr, Signature("levels", ("edges",), ("root", "depth"), required=1))
    base = _base(expressions, bound["edges"].value, "levels")
    if "depth" not in bound:
        reject("E109", "`levels` lacks `depth`", expr.span, help="as in `levels(r, depth = 4)`")
    depth = expressions.integer(bound["depth"].value, "`depth`")
    if not 1 <= depth <= _MOST_STEPS:
        reject("E317", f"`levels` takes a depth of 1 to {_MOST_STEPS:,}, not {depth:,}", bound["depth"].span)
    root = expressions.value(bound["root"].value) if "root" in bound else None
    if root is not None and type(root) not in (str, int):
        message = f"`root` must be a key, a string or a whole number, not {kind_of(root)}"
        reject("E110", message, bound["root"].span, help='as in `root = "R-HSA-1"`')
    return Levels(base, root, depth, span=expr.span)


def _base(expressions: Expressions, expr: syntax.Expr, name: str) -> EdgeExpr:
    return expressions.bound_edges(expr, f"the first argument of `{name}`")


# ------------------------------------------------------------------ lists of levels


def level(expressions: Expressions, base: Levels, expr: syntax.Select) -> Level:
    """`cut[k]`."""
    index = expressions.integer(expr.index, "the index of a list")
    if not 0 <= index <= base.depth:
        message = f"index {index} is outside the list, which has {count(base.depth + 1, 'level')}"
        reject("E114", message, expr.index.span, help=f"indices count from 0, the root, to {base.depth}")
    return Level(base, index, span=expr.span)


def level_member(base: Level, expr: syntax.Member) -> LevelNodes | LevelEdges:
    """`cut[k].nodes`, `cut[k].edges`."""
    match expr.name:
        case "nodes":
            return LevelNodes(base.levels, base.index, span=expr.span)
        case "edges" if base.index == 0:
            help = "`cut[k].edges` are the edges from level k to level k - 1; the first are those of level 1"
            message = "the edges of a level lead to the level above, and above level 0 there is none"
            reject("E322", message, expr.span, help=help)
        case "edges":
            return LevelEdges(base.levels, base.index, span=expr.span)
    near = did_you_mean(expr.name, ("nodes", "edges"), "a level has `.nodes` and `.edges`")
    reject("E111", f"a level has no `.{expr.name}`", expr.name_span, help=near)
