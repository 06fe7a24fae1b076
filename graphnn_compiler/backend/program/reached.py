"""Which parameters a plan's losses depend on.

Input: a plan. Output: names. Not for: gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from graphnn_compiler.topology.comparisons import compared
from graphnn_compiler.topology.plan import Combination, Penalty, Plan, ScalarExpr, Sum, Weighted


def reached(plan: Plan) -> set[str]:
    """The parameters that a loss depends on."""
    losses = [goal.value for goal in plan.objectives if goal.kind == "loss"]
    pending = [one.layer for value in losses for one in compared(value)]
    found = {name for value in losses for name in _penalized(value)}
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen or name not in plan.layer:
            continue
        seen.add(name)
        layer = plan.layer[name]
        pending += layer.sources
        if isinstance(layer.body, Combination):
            found.update(chain.from_iterable(clause.weights.parameters for clause in layer.body.clauses))
            found.update([layer.body.bias] if layer.body.bias else [])
    return found


def _penalized(expr: ScalarExpr) -> Iterator[str]:
    match expr:
        case Penalty(parameters=parameters):
            yield from parameters
        case Weighted(term=term):
            yield from _penalized(term)
        case Sum(terms=terms):
            for term in terms:
                yield from _penalized(term)
