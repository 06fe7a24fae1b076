"""`init` of a clause to an initialiser: what a weight's start value is before its random draw.

Input: the option's expression and an environment. Output: an `Initialiser`. An expression may hold one draw, added to
and multiplied by columns, since a sum and a product of these are again of the same family. Not for: drawing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.model.columns import ColumnExpr, Draw, Operation, walk
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.topology import columns
from graphnn_compiler.topology.columns import Environment, located
from graphnn_compiler.topology.initialisers import (
    Amount,
    Constant,
    Glorot,
    He,
    Initialiser,
    Lecun,
    Normal,
    Orthogonal,
    PerEdge,
    Uniform,
)

NAMED: dict[str, Initialiser] = {
    "glorot": Glorot(),
    "he": He(),
    "lecun": Lecun(),
    "orthogonal": Orthogonal(),
    "zeros": Constant(0.0),
}


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A random variable: for normal (mean, deviation), for uniform (one end, the other)."""

    distribution: Literal["normal", "uniform"]
    first: Amount
    second: Amount

    def plus(self, amount: Amount) -> _Drawn:
        second = self.second if self.distribution == "normal" else self.second + amount
        return _Drawn(self.distribution, self.first + amount, second)

    def times(self, amount: Amount) -> _Drawn:
        return _Drawn(self.distribution, self.first * amount, self.second * amount)


def initialiser(
    init: str | ColumnExpr, environment: Environment, n_edges: int | None, keys: Callable[[], NDArray]
) -> Initialiser:
    """The initialiser of a clause. `n_edges` is None where weights are not per edge; amounts are then constants."""
    if isinstance(init, str):
        return NAMED[init]
    evaluation = _Evaluation(environment, n_edges, keys)
    if not any(isinstance(part, Draw) for part in walk(init)):
        amount = evaluation.amount(init)
        with located(init.span):
            return PerEdge(amount) if isinstance(amount, np.ndarray) else Constant(amount)
    with np.errstate(all="ignore"):  # the initialiser reports what is not finite
        drawn = evaluation.drawn(init)
    with located(init.span):
        if drawn.distribution == "normal":
            # a negative factor turns a normal variable round, which leaves its distribution as it is
            return Normal(drawn.first, np.abs(drawn.second))
        low, high = np.minimum(drawn.first, drawn.second), np.maximum(drawn.first, drawn.second)
        return Uniform(_plain(low), _plain(high))


@dataclass(frozen=True)
class _Evaluation:
    environment: Environment
    n_edges: int | None
    keys: Callable[[], NDArray]

    def amount(self, expr: ColumnExpr) -> Amount:
        """An expression without draws: a number, or one number an edge."""
        column = columns.evaluate(expr, self.environment)
        if columns.kind(column) != "number":
            reject("E132", f"a start value must be a number, and this is a {columns.kind(column)}", expr.span)
        columns.require_complete(column, "the start value", expr.span, self.keys)
        values = column.values.astype(np.float64)
        if values.ndim == 0:
            return float(values)
        if self.n_edges is None:
            message = "weights that edges share cannot start from values of single edges"
            reject("E416", message, expr.span, help="use `weights = per_edge`, or a start value without columns")
        return values

    def drawn(self, expr: ColumnExpr) -> _Drawn:
        """An expression with exactly one draw that sums and products lead to."""
        match expr:
            case Draw(distribution=distribution, first=first, second=second):
                return self._draw(distribution, first, second)
            case Operation(operator="+" | "-" | "*" | "/" as operator, arguments=(left, right)):
                return self._combined(operator, left, right, expr)
            case Operation(operator="neg", arguments=(inner,)):
                return self.drawn(inner).times(-1.0)
            case _:
                reject("E133", "a random draw can only be added to and multiplied by columns", expr.span)

    def _draw(self, distribution: Literal["normal", "uniform"], first: ColumnExpr, second: ColumnExpr) -> _Drawn:
        one, other = self.amount(first), self.amount(second)
        with located(second.span):
            # the initialiser refuses a negative deviation, or low above high, before factors could hide it
            Normal(one, other) if distribution == "normal" else Uniform(one, other)
        return _Drawn(distribution, one, other)

    def _combined(self, operator: str, left: ColumnExpr, right: ColumnExpr, expr: Operation) -> _Drawn:
        drawn_left, drawn_right = (any(isinstance(part, Draw) for part in walk(side)) for side in (left, right))
        if drawn_left and drawn_right:
            reject("E133", "a start value can hold one random draw, and this has two", expr.span)
        if operator == "/" and drawn_right:
            reject("E133", "a random draw can only be added to and multiplied by columns", expr.span)
        drawn = self.drawn(left if drawn_left else right)
        amount = self.amount(right if drawn_left else left)
        match operator:
            case "+":
                return drawn.plus(amount)
            case "-":
                return drawn.plus(-amount) if drawn_left else drawn.times(-1.0).plus(amount)
            case "*":
                return drawn.times(amount)
            case _:
                return drawn.times(_plain(np.true_divide(1.0, amount)))


def _plain(amount: NDArray | np.generic) -> Amount:
    return amount if isinstance(amount, np.ndarray) and amount.ndim else float(amount)
