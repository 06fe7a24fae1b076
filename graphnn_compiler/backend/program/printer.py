"""What the parts of one program have in common while it is printed: the target, its lines, its names, its arrays.

Input: a plan and a target. Output: calls of the target's operations, each known to exist; numbers that keep the plan's
dtype; the functions that the program has to define. Not for: layers, losses.
"""

from __future__ import annotations

import numpy as np

from graphnn_compiler.backend.program.code import Code, atom, call, key
from graphnn_compiler.backend.program.functions import FUNCTIONS, MASKS, NUMBERS, Function
from graphnn_compiler.backend.program.targets import OPERATIONS, TARGETS, Target
from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.plan import Plan

RESERVED = (
    *("np", "Path", "pt", "tt", "pytensor", "theano", "sparse", "RandomStreams"),
    *("FILE", "SHAPES", "TRAINABLE", "SEED", "parameters", "save", "forward", "loss", "metrics", "updates"),
    *("p", "layers", "masks", "dropout", "sum", "abs", *FUNCTIONS),
)


class Printer:
    """Collects what one program needs. Raises Problem (E550) where its target lacks an operation.

    `drops` is whether it draws masks, `collects` whether its forward function takes a list for updates in training.
    """

    def __init__(self, plan: Plan, target: Target) -> None:
        self.plan = plan
        self.target = target
        self._functions: set[str] = set()
        self.drops = False
        self.collects = False

    def op(self, name: str, *arguments: Code | str) -> Code:
        """A call of an operation of the table."""
        return call(self._operation(name), *arguments)

    def function(self, name: str, *arguments: Code | str) -> Code:
        """A call of a function that the program defines."""
        self._need(name)
        return call(name, *arguments)

    def dropout(self, x: Code, rate: float) -> Code:
        self.drops = self.collects = True
        self._filled(MASKS[self.target.name])
        return call("dropout", x, repr(rate), "masks")

    def batch_norm(self, x: Code, parameters: tuple[str, ...], axis: str) -> Code:
        self.collects = True
        return self.function("batch_norm", x, *map(self.array, parameters), axis, "masks")

    def number(self, value: float) -> Code:
        """A number that leaves arrays in the plan's dtype.

        Both targets take a bare number in the smallest type that holds it exactly; any other would be float64.
        """
        with np.errstate(over="ignore"):
            exact = float(np.float16(value)) == value
        text = str(int(value)) if exact and value == int(value) else repr(value)
        number = atom(text.lstrip("-") if exact else f"np.{self.plan.dtype}({value!r})")
        return number.negative() if exact and value < 0 else number

    def array(self, name: str) -> Code:
        """An array or parameter of the file, as functions find it."""
        return atom(f"p[{key(name)}]")

    def definitions(self) -> list[str]:
        """The text of every function that is called, each after those it calls."""
        texts = [self._filled(FUNCTIONS[name]) for name in FUNCTIONS if name in self._functions]
        return [*([self._filled(MASKS[self.target.name])] if self.drops else []), *texts]

    def _need(self, name: str) -> None:
        self._filled(FUNCTIONS[name])
        self._functions.update((name, *FUNCTIONS[name].calls))

    def _filled(self, function: Function) -> str:
        return function.text.strip("\n").format_map(_Operations(self))

    def _operation(self, name: str) -> str:
        found = self.target.operation(name)
        if found is None:
            message = f"{self.target.title} has no operation `{name}`: {OPERATIONS[name].signature}"
            raise Problem("E550", message, help=_other_targets(name))
        return found


class _Operations(dict[str, str]):
    """What stands for the names in the text of a function."""

    def __init__(self, printer: Printer) -> None:
        super().__init__({name: str(printer.number(value)) for name, value in NUMBERS.items()})
        self._printer = printer

    def __missing__(self, name: str) -> str:
        return self._printer._operation(name)


def _other_targets(name: str) -> str:
    having = [target.name for target in TARGETS.values() if target.operation(name) is not None]
    return f"print it with `--target {having[0]}`" if having else "no target has it yet"
