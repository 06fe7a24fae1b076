"""What elaboration has made so far, wherever in a program it was written; and the paths that name it.

Input: parts of the model as they come into being, in `repeat`s and calls of blocks as at the top of a file. Output: the
same parts in order, each under a path of its own. Not for: deciding what is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from graphnn_compiler.diagnostics import Diagnostic
from graphnn_compiler.model.rejection import Rejected, reject
from graphnn_compiler.model.types import AssertModel, InputModel, LayerModel, Read
from graphnn_compiler.model.values import EDGE_TYPES, NODE_TYPES, Block, Value
from graphnn_compiler.source import Span

if TYPE_CHECKING:
    from graphnn_compiler.language import nodes as syntax
    from graphnn_compiler.model.expressions import Expressions

_SETS = (*NODE_TYPES, *EDGE_TYPES)

MOST_PARTS = 10_000
"""Layers, and calls of blocks together with steps of repeats, that one program may come to."""

Function = Callable[["Expressions", "syntax.Call"], Value]
Expand = Callable[["Expressions", Block, "syntax.Call"], LayerModel | InputModel]


@dataclass(frozen=True)
class Path:
    """Where something is declared: `name` is of nothing else, `parameters` is without the numbers of tied steps."""

    name: str = ""
    parameters: str = ""

    def child(self, name: str) -> Path:
        return Path(_joined(self.name, name), _joined(self.parameters, name))

    def step(self, number: int, *, tied: bool) -> Path:
        """A step of the repeat at this path."""
        return Path(_joined(self.name, str(number)), self.parameters if tied else _joined(self.parameters, str(number)))


ROOT = Path()


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class Emission:
    """Collects the parts of one model and everything that is wrong with it.

    `functions` are the built-in functions that make layers, `expand` calls a block.
    """

    def __init__(self, problems: list[Diagnostic], functions: Mapping[str, Function], expand: Expand) -> None:
        self.problems = problems
        self.functions = functions
        self.expand = expand
        self.declared: list[object] = []
        self.asserts: list[AssertModel] = []
        self.reads: list[Read] = []
        self.nodes: dict[str, LayerModel | InputModel] = {}
        self._expansions = 0
        self._interned: dict[object, object] = {}

    def add(self, value: object) -> None:
        """A declared part of the model; layers come in the order in which they are computed."""
        if isinstance(value, LayerModel | InputModel):
            if value.name in self.nodes:
                assert self.problems, f"two layers are named {value.name}"
                raise Rejected(None)  # the first is left of a declaration that was refused
            self._limit(len(self.nodes), "layers", value.span)
            self.nodes[value.name] = value
        self.declared.append(value)

    def count_expansion(self, span: Span) -> None:
        """Note one more step of a repeat or call of a block."""
        self._limit(self._expansions, "steps of repeats and calls of blocks", span)
        self._expansions += 1

    def _limit(self, number: int, what: str, span: Span) -> None:
        if number >= MOST_PARTS:
            message = f"the program comes to more than {MOST_PARTS:,} {what}"
            reject("E141", message, span, help="repeat less often, or do more in one layer")

    def interned(self, value: Value) -> Value:
        """The node or edge set that the same text with the same names gave before, so that it is evaluated once."""
        if not isinstance(value, _SETS):
            return value
        return self._interned.setdefault(_structure(value), value)


def _structure(value: Any) -> object:
    """A key that is equal for equal parts; sets inside are told apart by identity, for they are interned before."""
    if isinstance(value, Span):
        return (id(value.source), value.start, value.end)
    if isinstance(value, Mapping):
        return tuple((name, _structure(part)) for name, part in value.items())
    if isinstance(value, tuple):
        return tuple(_structure(part) for part in value)
    if is_dataclass(value):
        parts = [getattr(value, part.name) for part in fields(value)]
        return (type(value), *(id(part) if isinstance(part, _SETS) else _structure(part) for part in parts))
    return (type(value), value)
