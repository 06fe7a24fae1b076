"""The statements of a program as Python objects: graphs, node and edge sets, inputs, layers, losses.

Input: names, expressions, Python objects as data. Output: syntax nodes. A declaration is itself the expression of its
name. Not for: which declarations belong to a program, and in which order (see `program`).
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from graphnn_compiler.building.expressions import NOWHERE, Expr, Names, call, declared_name, expression, option
from graphnn_compiler.language import nodes as n

_TYPES = {int: "int", float: "float", bool: "bool", str: "str", Path: "path"}


class Statement(ABC):
    """One statement of a program."""

    @abstractmethod
    def _used(self) -> tuple[Expr, ...]:
        """The expressions in the statement."""

    @abstractmethod
    def _statement(self, names: Names) -> n.Statement:
        """The statement as syntax, once every declaration has its name."""


class Declaration(Statement, Expr):
    """A statement that gives something a name; as an expression it is that name.

    `_prefix` starts the names of those that may go without one; `_data` is the object that is bound to the name.
    """

    _prefix: ClassVar[str] = ""

    def __init__(self, name: str | None, data: object = None) -> None:
        super().__init__(lambda: n.NoneValue(span=NOWHERE))
        if name is None and not self._prefix:
            raise TypeError(f"`{type(self).__name__}` needs a name")
        self._name = None if name is None else declared_name(name)
        self._data = data

    def _node(self, names: Names, parts: Sequence[n.Expr]) -> n.Expr:
        return n.Name(names[id(self)], span=NOWHERE)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name or 'without a name'}>"


class Param(Declaration):
    """`param name: type in within = default`; `type` is int, float, bool, str or Path, or the word for it."""

    def __init__(self, name: str, type: type | str, default: object = None, *, within: object = None) -> None:
        super().__init__(name)
        self._type = type if isinstance(type, str) else _TYPES[type]
        self._allowed = None if within is None else expression(within)
        self._default = None if default is None else expression(default)

    def _used(self) -> tuple[Expr, ...]:
        return tuple(expr for expr in (self._allowed, self._default) if expr is not None)

    def _statement(self, names: Names) -> n.Param:
        return n.Param(
            **_named(self, names),
            type=self._type,
            type_span=NOWHERE,
            allowed=_written(self._allowed, names),
            default=_written(self._default, names),
        )


class _Valued(Declaration):
    """A declaration of the form `keyword name = value`."""

    _form: ClassVar[type[n.GraphDecl | n.NodesDecl | n.LossDecl | n.MetricDecl]]

    def __init__(self, name: str | None, value: object, data: object = None) -> None:
        super().__init__(name, data)
        self._value = expression(value)

    def _used(self) -> tuple[Expr, ...]:
        return (self._value,)

    def _statement(self, names: Names) -> n.Statement:
        return self._form(**_named(self, names), value=self._value._syntax(names))


class Graph(_Valued):
    """`graph name = read(..)`; made by `read` and `graph`."""

    _prefix = "g"
    _form = n.GraphDecl


class Nodes(_Valued):
    """`nodes name = value`."""

    _prefix = "n"
    _form = n.NodesDecl


class Loss(_Valued):
    """`loss name = value`."""

    _prefix = "loss"
    _form = n.LossDecl


class Metric(_Valued):
    """`metric name = value`."""

    _prefix = "metric"
    _form = n.MetricDecl


class Edges(Declaration):
    """`edges name: sources -> targets = value`; without `sources` and `targets`, `edges name = value`."""

    _prefix = "e"

    def __init__(
        self, name: str | None, value: object, *, sources: object = None, targets: object = None, data: object = None
    ) -> None:
        super().__init__(name, data)
        if (sources is None) != (targets is None):
            raise TypeError("`sources` and `targets` are given together or not at all")
        self._value = option(value)
        self._domain = () if sources is None else (expression(sources), expression(targets))

    def _used(self) -> tuple[Expr, ...]:
        return (*self._domain, self._value)

    def _statement(self, names: Names) -> n.EdgesDecl:
        ends = [end._syntax(names) for end in self._domain]
        domain = n.Domain(*ends, span=NOWHERE) if ends else None
        return n.EdgesDecl(**_named(self, names), domain=domain, value=self._value._syntax(names))


class _Shaped(Declaration):
    """A declaration with `[units, channels]` and options."""

    def __init__(
        self, name: str, units: object, channels: object, options: dict[str, object], data: object = None
    ) -> None:
        super().__init__(name, data)
        if units is None and channels is not None:
            raise TypeError(f"`{name}` has channels but no units")
        self._shape = [expression(size) for size in (units, channels) if size is not None]
        self._options = {name: option(value) for name, value in options.items()}

    def _used(self) -> tuple[Expr, ...]:
        return (*self._shape, *self._options.values())

    def _brackets(self, names: Names) -> n.Shape | None:
        units, channels, *_ = [*(size._syntax(names) for size in self._shape), None, None]
        return None if units is None else n.Shape(units, channels, span=NOWHERE)

    def _braces(self, names: Names) -> tuple[n.Option, ...]:
        return _options(self._options, names)


class Input(_Shaped):
    """`input name[units, channels] = read(..)`.

    `data` is the path of a file, `array(..)` of one, or an object: an array, a nested list or a SciPy sparse matrix,
    row i being unit i.
    """

    def __init__(self, name: str, units: object, channels: object = None, data: object = None) -> None:
        self._value, bound = _values(name, data)
        super().__init__(name, units, channels, {}, bound)

    def _used(self) -> tuple[Expr, ...]:
        return (*super()._used(), *([] if self._value is None else [self._value]))

    def _statement(self, names: Names) -> n.InputDecl:
        shape = self._brackets(names)
        assert shape is not None
        return n.InputDecl(**_named(self, names), shape=shape, value=_written(self._value, names), options=())


class Target(_Shaped):
    """`target name[units, channels] = value`; `data` is as in `Input`, or a column such as `roads.nodes.label`."""

    def __init__(self, name: str, units: object = None, channels: object = None, data: object = None) -> None:
        self._value, bound = _values(name, data)
        super().__init__(name, units, channels, {}, bound)

    def _used(self) -> tuple[Expr, ...]:
        return (*super()._used(), *([] if self._value is None else [self._value]))

    def _statement(self, names: Names) -> n.TargetDecl:
        value = _written(self._value, names)
        return n.TargetDecl(**_named(self, names), shape=self._brackets(names), value=value, options=())


class Layer(_Shaped):
    """`layer name[units, channels] { .. }`, or with a `value` `layer name = value`.

    Options of the layer (`activation="relu"`, `dropout=0.5`) are named arguments; a string is a word of the language.
    """

    _kind: ClassVar[Literal["layer", "output"]] = "layer"

    def __init__(
        self, name: str, value: object = None, *, units: object = None, channels: object = None, **options: object
    ) -> None:
        super().__init__(name, units, channels, options)
        self._value = None if value is None else expression(value)
        self._clauses: list[_Clause] = []

    def connect(self, source: object, via: object, *, label: str | None = None, **options: object) -> Layer:
        """Add the clause `from source via via as label { options }`; returns the layer itself.

        `via` is an edge expression, or a rule's word such as "all". TypeError where the layer is given by a value.
        """
        if self._value is not None:
            raise TypeError(f"layer `{self._name}` is given by an expression and has no clauses")
        self._clauses.append(_Clause(source, via, label, options))
        return self

    def _used(self) -> tuple[Expr, ...]:
        value = () if self._value is None else (self._value,)
        return (*super()._used(), *value, *(part for clause in self._clauses for part in clause.used))

    def _statement(self, names: Names) -> n.Statement:
        shape, options = self._brackets(names), self._braces(names)
        head = {**_named(self, names), "kind": self._kind, "shape": shape, "options": options}
        if self._value is not None:
            return n.LayerExprDecl(**head, value=self._value._syntax(names))
        return n.LayerDecl(**head, clauses=tuple(clause.syntax(names) for clause in self._clauses))


class Output(Layer):
    """`output name[units, channels] { .. }`, otherwise as a `Layer`."""

    _kind = "output"


class _Clause:
    """One `from .. via ..` of a layer."""

    def __init__(self, source: object, via: object, label: str | None, options: dict[str, object]) -> None:
        self._source, self._via = expression(source), option(via)
        self._label = None if label is None else declared_name(label)
        self._options = {name: option(value) for name, value in options.items()}

    @property
    def used(self) -> tuple[Expr, ...]:
        return (self._source, self._via, *self._options.values())

    def syntax(self, names: Names) -> n.Clause:
        source, via = self._source._syntax(names), self._via._syntax(names)
        return n.Clause(source, via, self._label, NOWHERE, _options(self._options, names), span=NOWHERE)


class Assert(Statement):
    """`assert condition, "message"`."""

    def __init__(self, condition: Expr, message: str | None = None) -> None:
        self._condition = condition
        self._message = message

    def _used(self) -> tuple[Expr, ...]:
        return (self._condition,)

    def _statement(self, names: Names) -> n.AssertStmt:
        return n.AssertStmt(condition=self._condition._syntax(names), message=self._message, span=NOWHERE)


# ------------------------------------------------------------------ data


def read(path: str | os.PathLike[str] | Expr, *, name: str | None = None, **options: object) -> Graph:
    """The graph in a file: `graph name = read(path, ..)`; `g1`, `g2`, .. where it has no name."""
    return Graph(name, call("read", path, **options))


def graph(data: object, *, name: str | None = None, **options: object) -> Graph:
    """A graph that is at hand: a NetworkX graph, a SciPy sparse matrix, a NumPy matrix."""
    return Graph(name, call("read", "bound from Python", **options), data)


def table(data: object, *, name: str | None = None, **options: object) -> Expr:
    """The edge set `table(path, ..)`, declared if it has a name.

    In place of a path an object may stand, as for `graph`, a pair of arrays (sources, targets), or a mapping of column
    names to arrays.
    """
    if not isinstance(data, str | os.PathLike | Expr):
        return Edges(name, call("table", "bound from Python", **options), data=data)
    edges = call("table", data, **options)
    return edges if name is None else Edges(name, edges)


def array(path: str | os.PathLike[str] | Expr, **options: object) -> Expr:
    """The array in a file, `read(path, ..)`, as the data of an `Input` or a `Target`."""
    return call("read", path, **options)


def _values(name: str, data: object) -> tuple[Expr | None, object]:
    """What stands after the `=` of an input or target, and the object that is bound to its name."""
    match data:
        case None | Expr():
            return data, None
        case str() | os.PathLike():
            return array(data), None
    return array("bound from Python"), data


# ------------------------------------------------------------------ parts of statements


def _named(declaration: Declaration, names: Names) -> dict[str, Any]:
    return {"name": names[id(declaration)], "name_span": NOWHERE, "span": NOWHERE}


def _written(expr: Expr | None, names: Names) -> n.Expr | None:
    return None if expr is None else expr._syntax(names)


def _options(options: dict[str, Expr], names: Names) -> tuple[n.Option, ...]:
    return tuple(n.Option(name, value._syntax(names), NOWHERE, span=NOWHERE) for name, value in options.items())
