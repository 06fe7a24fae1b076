"""Losses and metrics as statements.

Input: a plan's objectives and what its forward function gives. Output: the bodies of `loss` and `metrics`, and the
names of what they need of the layers. Every comparison is a mean, as in the network. Not for: gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import assert_never

from graphnn_compiler.backend.objectives import without_logits
from graphnn_compiler.backend.program.block import Arrays, Block
from graphnn_compiler.backend.program.code import Code, atom, call, fits, infix, key
from graphnn_compiler.backend.program.printer import Printer
from graphnn_compiler.backend.symbolic import last_activation
from graphnn_compiler.topology.comparisons import FROM_LOGITS
from graphnn_compiler.topology.plan import (
    Compared,
    Layer,
    Objective,
    Penalty,
    Plan,
    ScalarExpr,
    Sum,
    Target,
    Weighted,
)


def result_name(plan: Plan, expr: Compared) -> str:
    """What a comparison reads: the layer, or its logits where the loss works from them."""
    layer = plan.layer[expr.layer]
    return f"{layer.name}.logits" if _takes_logits(expr, layer) else layer.name


def _takes_logits(expr: Compared, layer: Layer) -> bool:
    return expr.name in FROM_LOGITS and last_activation(layer).name != "linear"


class Objectives:
    """Prints the losses and metrics of one program."""

    def __init__(
        self, printer: Printer, arrays: Arrays, batched: Mapping[str, bool], targets: Mapping[str, str]
    ) -> None:
        """`batched` is of layers and targets; `targets` are the variables of targets by name."""
        self._printer = printer
        self._arrays = arrays
        self._batched = batched
        self._targets = targets

    def value(self, block: Block, goal: Objective, name: str) -> Code:
        """The value of an objective, after the statements that it needs; `name` is free to hold a part of it."""
        terms = goal.value.terms if isinstance(goal.value, Sum) else (goal.value,)
        first, *others = (self._scalar(block, goal.name, term) for term in terms)
        total = block.set(name, first) if others and not fits(f"{name} =", _added([first, *others])) else first
        for term in others:
            whole = infix(total, "+", term)
            total = whole if fits(f"{name} =", whole) else infix(total, "+", block.named("penalty", term))
        return total

    def _scalar(self, block: Block, goal: str, expr: ScalarExpr) -> Code:
        match expr:
            case Compared():
                return self._compared(block, goal, expr)
            case Penalty():
                return self._penalty(block, expr)
            case Weighted(factor=factor, term=term):
                return infix(self._printer.number(factor), "*", self._scalar(block, goal, term))
            case Sum(terms=terms):
                return _added([self._scalar(block, goal, term) for term in terms])
            case _:
                assert_never(expr)

    def _penalty(self, block: Block, expr: Penalty) -> Code:
        if len(expr.parameters) == 1:
            return _size(expr, self._printer.array(expr.parameters[0])).method("sum")
        names = block.named("penalized", atom(f"[{', '.join(map(key, expr.parameters))}]"))
        each = _size(expr, atom("p[name]")).method("sum")
        return call("sum", f"{each.text} for name in {names}")

    def _compared(self, block: Block, goal: str, expr: Compared) -> Code:
        layer = self._printer.plan.layer[expr.layer]
        problem = without_logits(layer, expr.name)
        if problem is not None:
            raise ValueError(problem)
        target = next(one for one in self._printer.plan.targets if one.name == expr.target)
        value = atom(f"layers[{key(result_name(self._printer.plan, expr))}]")
        truth = atom(self._targets[target.name])
        if expr.on is not None:
            on = self._printer.array(self._arrays.add(f"{goal}.on", expr.on, numbered=True))
            value = _selected(value, on, self._batched[layer.name])
            if target.n_classes is None or target.shape:
                truth = _selected(truth, on, self._batched[target.name])
        if target.n_classes is None:
            return self._of_values(expr, layer, value, truth)
        return self._of_classes(expr, layer, target, value, truth)

    def _of_classes(self, expr: Compared, layer: Layer, target: Target, value: Code, truth: Code) -> Code:
        if expr.name == "accuracy":
            return self._printer.op("eq", value.method("argmax", "axis=-1"), truth).method("mean")
        if expr.name != "cross_entropy":
            raise ValueError(f"`{expr.name}` does not compare with class numbers")
        rank = self._batched[layer.name] + len(layer.units.shape)
        rows = rank == 2 and self._batched[target.name] + len(target.shape) == 1
        return self._printer.function("cross_entropy" if rows else "broadcast_cross_entropy", value, truth)

    def _of_values(self, expr: Compared, layer: Layer, value: Code, truth: Code) -> Code:
        match expr.name:
            case "mse":
                return _power(infix(value, "-", truth)).method("mean")
            case "mae":
                return call("abs", infix(value, "-", truth)).method("mean")
            case "huber":
                return self._printer.function("huber", infix(value, "-", truth), self._printer.number(expr.delta))
            case "binary_cross_entropy" | "poisson":
                return self._printer.function(expr.name, value, truth)
            case "accuracy":
                # a linear layer holds logits, as it does for the binary cross entropy: probability 0.5 is logit 0
                threshold = "0" if last_activation(layer).name == "linear" else "0.5"
                sides = [_above(value, threshold), _above(truth, "0.5")]
                return self._printer.op("eq", *sides).method("mean")
            case "cross_entropy":
                raise ValueError(f"`{expr.name}` compares with class numbers, and target `{expr.target}` holds values")
            case _:  # scores are left out of printed programs
                raise ValueError(f"`{expr.name}` is no mean")


def _added(terms: list[Code]) -> Code:
    return reduce(lambda total, term: infix(total, "+", term), terms)


def _size(expr: Penalty, weights: Code) -> Code:
    return call("abs", weights) if expr.name == "l1" else _power(weights)


def _power(x: Code) -> Code:
    """The square; it binds less tightly than what may follow it."""
    simple = x.text.replace(".", "").isidentifier()
    return Code(f"{x.tight}**2" if simple else f"{x.tight} ** 2", 2)


def _above(x: Code, threshold: str) -> Code:
    return Code(f"{x.text} > {threshold}", 0)


def _selected(rows: Code, on: Code, batched: bool) -> Code:
    return rows.method("take", on, "axis=1") if batched else rows.item(str(on))
