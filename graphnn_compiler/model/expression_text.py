"""The expressions of a checked model as text: node sets, edge sets, columns, values of layers.

Input: expressions. Output: text in the words of the language, with the fewest parentheses that keep its meaning. Not
for: whole models (`dump`).
"""

from __future__ import annotations

import json
from collections import Counter
from typing import assert_never

from graphnn_compiler.model.column_rules import (
    Group,
    GroupMembers,
    Match,
    Nearest,
    OpenColumnRule,
    Pairs,
    Top,
    Within,
)
from graphnn_compiler.model.columns import (
    ColumnExpr,
    ColumnRef,
    Draw,
    Interval,
    Measure,
    Members,
    Operation,
    Scalar,
    Value,
)
from graphnn_compiler.model.distance_rules import Closure, DistanceRule, Hops, LevelEdges, LevelNodes, Levels, Walks
from graphnn_compiler.model.tensors import (
    Apply,
    Arithmetic,
    Concat,
    Constant,
    Dropout,
    LayerNorm,
    Mean,
    Ref,
    RowNormalize,
    TensorExpr,
)
from graphnn_compiler.model.types import (
    All,
    Bounded,
    EdgeEnds,
    EdgeExpr,
    EdgeOperation,
    FilteredEdges,
    FilteredNodes,
    GraphEdges,
    GraphNodes,
    IntegerUnits,
    NodeExpr,
    Offset,
    OneToOne,
    RandomDegree,
    RandomPairs,
    RelationEdges,
    Reverse,
    Same,
    Shuffled,
    Stencil,
    Sym,
    Table,
)

_LEVELS = (("if",), ("or",), ("and",), ("not",), ("==", "!=", "<", "<=", ">", ">=", "in", "not in"), ("|",), ("&",),
           ("+", "-"), ("*", "/", "//", "%", "@"), ("neg", "~"), ("**",))  # fmt: skip
_PRECEDENCE = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}
_ATOM = len(_LEVELS)
_SIMPLE = (GraphNodes, IntegerUnits, GraphEdges, Table, All, Same, OneToOne)

Written = tuple[str, int]
"""A text and how tightly its outermost operator binds."""


def literal(value: Scalar) -> str:
    """A constant as a program writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _stencil(expr: Stencil) -> str:
    wrap = f"wrap = {literal(expr.wrap)}"
    if expr.shape is None:
        return f"offset({[step for (step,) in expr.offsets]}, {wrap})"
    return f"offset({[list(it) for it in expr.offsets]}, shape = {list(expr.shape)}, {wrap})"


def _stream(expr: RandomDegree | RandomPairs | Shuffled) -> str:
    seed = "the build's" if expr.seed is None else str(expr.seed)
    return f"seed = {seed}, stream = {literal(expr.stream)}"


class ExpressionText:
    """Texts of expressions. Sets among `repeated` (by identity) are written as `$1`, `$2` .. and kept in `shared`.

    A first round over a model only counts which sets those are: it gives no text worth reading.
    """

    def __init__(self, repeated: frozenset[int] | None = None) -> None:
        self._repeated = repeated
        self._uses: Counter[int] = Counter()
        self._names: dict[int, str] = {}
        self.shared: list[str] = []

    @property
    def repeated(self) -> frozenset[int]:
        """The identities of the sets that were written more than once."""
        return frozenset(identity for identity, uses in self._uses.items() if uses > 1)

    # -------------------------------------------------------------- sets

    def nodes(self, expr: NodeExpr) -> str:
        return self._set(expr)[0]

    def edges(self, expr: EdgeExpr) -> str:
        return self._set(expr)[0]

    def member(self, base: NodeExpr, name: str) -> str:
        """`base.name`."""
        return f"{self._within(self._set(base), _ATOM)}.{name}"

    def _set(self, expr: NodeExpr | EdgeExpr) -> Written:
        if isinstance(expr, _SIMPLE):
            return self._body(expr)
        identity = id(expr)
        self._uses[identity] += 1
        if self._repeated is None:
            return self._body(expr) if self._uses[identity] == 1 else ("", _ATOM)
        if identity not in self._repeated:
            return self._body(expr)
        if identity not in self._names:
            text = self._body(expr)[0]
            self._names[identity] = f"${len(self._names) + 1}"
            self.shared.append(f"{self._names[identity]} = {text}")
        return self._names[identity], _ATOM

    def _body(self, expr: NodeExpr | EdgeExpr) -> Written:
        match expr:
            case GraphNodes() | IntegerUnits() | FilteredNodes() | EdgeEnds() | Group() | LevelNodes():
                return self._nodes(expr), _ATOM
            case EdgeOperation(operator=operator, left=left, right=right):
                return self._binary(operator, self._set(left), self._set(right))
            case Reverse(base=base):
                return f"~{self._within(self._set(base), _PRECEDENCE['~'])}", _PRECEDENCE["~"]
            case _:
                return self._edges(expr), _ATOM

    def _nodes(self, expr: NodeExpr) -> str:
        match expr:
            case GraphNodes(graph=graph, side=side):
                return f"{graph.name}.{side}"
            case IntegerUnits(size=size):
                return str(size)
            case FilteredNodes(base=base, predicate=predicate):
                return f"{self._within(self._set(base), _ATOM)}[{self.column(predicate)}]"
            case EdgeEnds(edges=edges, side=side):
                return f"{side}({self.edges(edges)})"
            case Group(base=base, by=by):
                return f"group({self.nodes(base)}, by = {self.column(by)})"
            case LevelNodes(levels=levels, index=index):
                return f"{self._levels(levels)}[{index}].nodes"
            case _:
                assert_never(expr)

    def _edges(self, expr: EdgeExpr) -> str:
        """The edge sets without operators."""
        match expr:
            case GraphEdges(graph=graph):
                return f"{graph.name}.edges"
            case Table(data=data, drop=drop):
                return f"table({data.name}, missing = {'drop' if drop else 'error'})"
            case All():
                return "all"
            case Same():
                return "same"
            case OneToOne():
                return "one_to_one"
            case Offset(low=low, high=high, wrap=wrap):
                return f"offset({low}..{high}, wrap = {literal(wrap)})"
            case Stencil():
                return _stencil(expr)
            case RandomDegree():
                return self._random(expr)
            case RandomPairs(p=p, among=among):
                chance = literal(p) if isinstance(p, float) else self.column(p)
                return f"random(p = {chance}, among = {self._among(among)}, {_stream(expr)})"
            case Shuffled(base=base, keep=keep):
                return f"shuffled({self.edges(base)}, keep = {keep}, {_stream(expr)})"
            case Sym(base=base):
                return f"sym({self.edges(base)})"
            case RelationEdges(base=base, relation=relation):
                return f"{self._within(self._set(base), _ATOM)}[{literal(relation)}]"
            case FilteredEdges(base=base, predicate=predicate):
                return f"{self._within(self._set(base), _ATOM)}[{self.column(predicate)}]"
            case Bounded(base=base, sources=sources, targets=targets):
                return f"({self.edges(base)} from {self.nodes(sources)} to {self.nodes(targets)})"
            case Within() | Nearest() | Match() | Pairs():
                return self._column_rule(expr)
            case Hops() | Walks() | Closure() | LevelEdges():
                return self._distance_rule(expr)
            case Top(base=base, k=k, by=by, per=per):
                return f"top({self.edges(base)}, {k}, by = {self.column(by)}, per = {per})"
            case GroupMembers(group=group):
                return self.member(group, "members")
            case EdgeOperation() | Reverse():
                return self._body(expr)[0]
            case _:
                assert_never(expr)

    def _random(self, expr: RandomDegree) -> str:
        if isinstance(expr.degree, tuple):
            degree = f"{expr.degree[0]}..{expr.degree[1]}"
        else:
            degree = str(expr.degree) if isinstance(expr.degree, int) else self.column(expr.degree)
        among, shortfall = self._among(expr.among), expr.shortfall
        return f"random(in_degree = {degree}, among = {among}, shortfall = {shortfall}, {_stream(expr)})"

    def _among(self, among: EdgeExpr | None) -> str:
        return "all" if among is None else self.edges(among)

    def _column_rule(self, expr: OpenColumnRule) -> str:
        match expr:
            case Within(radius=radius, at=at, metric=metric):
                return f"within({literal(radius)}, at = {self._columns(at)}, metric = {metric})"
            case Nearest(k=k, at=at, metric=metric, shortfall=shortfall):
                return f"nearest({k}, at = {self._columns(at)}, metric = {metric}, shortfall = {shortfall})"
            case Match(equations=equations):
                level = _PRECEDENCE["=="] + 1
                sides = [[self._within(self._column(side), level) for side in equation] for equation in equations]
                return f"match({' and '.join(f'{source} == {target}' for source, target in sides)})"
            case Pairs(predicate=predicate, limit=limit):
                return f"pairs({self.column(predicate)}, limit = {limit})"

    def _distance_rule(self, expr: DistanceRule) -> str:
        match expr:
            case Hops(base=base, low=low, high=high):
                return f"hops({self.edges(base)}, {low}..{high})"
            case Walks(base=base, length=length):
                return f"walks({self.edges(base)}, {length})"
            case Closure(base=base):
                return f"closure({self.edges(base)})"
            case LevelEdges(levels=levels, index=index):
                return f"{self._levels(levels)}[{index}].edges"

    def _levels(self, levels: Levels) -> str:
        root = "added" if levels.root is None else literal(levels.root)
        return f"levels({self.edges(levels.base)}, root = {root}, depth = {levels.depth})"

    def _columns(self, exprs: tuple[ColumnExpr, ...]) -> str:
        return f"[{', '.join(self.column(expr) for expr in exprs)}]"

    # -------------------------------------------------------------- columns

    def column(self, expr: ColumnExpr) -> str:
        return self._column(expr)[0]

    def _column(self, expr: ColumnExpr) -> Written:
        match expr:
            case Value(value=value):
                negative = isinstance(value, int | float) and value < 0
                return literal(value), _PRECEDENCE["neg"] if negative else _ATOM
            case Members(values=values):
                return f"[{', '.join(map(literal, values))}]", _ATOM
            case Interval(low=low, high=high):
                tighter = _PRECEDENCE["+"]
                return f"{self._within(self._column(low), tighter)}..{self._within(self._column(high), tighter)}", _ATOM
            case ColumnRef(scope=scope, name=name):
                return f"{scope}.{name}" if name.isidentifier() else f"{scope}[{literal(name)}]", _ATOM
            case Measure(function=function, argument=argument):
                return f"{function}({self._set(argument)[0]})", _ATOM
            case Draw(distribution=distribution, first=first, second=second):
                return f"{distribution}({self.column(first)}, {self.column(second)})", _ATOM
            case Operation(operator=operator, arguments=arguments):
                return self._operation(operator, [self._column(argument) for argument in arguments])
            case _:
                assert_never(expr)

    def _operation(self, operator: str, arguments: list[Written]) -> Written:
        level = _PRECEDENCE.get(operator)
        if level is None:
            return f"{operator}({', '.join(text for text, _ in arguments)})", _ATOM
        if operator == "if":
            condition, then, otherwise = arguments
            text = f"{self._within(then, 1)} if {self._within(condition, 1)} else {self._within(otherwise, 0)}"
            return text, level
        if len(arguments) == 1:
            sign = "-" if operator == "neg" else "not "
            return f"{sign}{self._within(arguments[0], level)}", level
        return self._binary(operator, *arguments)

    # -------------------------------------------------------------- layers

    def tensor(self, expr: TensorExpr) -> str:
        return self._tensor(expr)[0]

    def _tensor(self, expr: TensorExpr) -> Written:
        match expr:
            case Ref(layer=name):
                return name, _ATOM
            case Constant(value=value):
                return literal(value), _ATOM if value >= 0 else _PRECEDENCE["neg"]
            case Apply(function=function, operand=operand):
                axis = f", axis = {function.axis}" if function.name == "softmax" else ""
                return f"{function.name}({self.tensor(operand)}{axis})", _ATOM
            case Arithmetic(operator=operator, left=left, right=right):
                return self._binary(operator, self._tensor(left), self._tensor(right))
            case Concat(operands=several):
                return f"concat({', '.join([self.tensor(operand) for operand in several])})", _ATOM
            case Dropout(operand=operand, rate=rate):
                return f"dropout({self.tensor(operand)}, {literal(rate)})", _ATOM
            case RowNormalize(operand=operand):
                return f"row_normalize({self.tensor(operand)})", _ATOM
            case LayerNorm(operand=operand):
                return f"layernorm({self.tensor(operand)})", _ATOM
            case Mean(operand=operand, axis=axis):
                return f"mean({self.tensor(operand)}, axis = {axis})", _ATOM
            case _:
                assert_never(expr)

    # -------------------------------------------------------------- operators

    def _binary(self, operator: str, left: Written, right: Written) -> Written:
        """Operators join to the left, `**` to the right; comparisons do not join."""
        level = _PRECEDENCE[operator]
        power, compares = operator == "**", level == _PRECEDENCE["=="]
        first = self._within(left, level + (power or compares))
        second = self._within(right, _PRECEDENCE["neg"] if power else level + 1)
        return f"{first} {operator} {second}", level

    @staticmethod
    def _within(written: Written, level: int) -> str:
        """The text, in parentheses unless it binds as tightly as `level`."""
        text, own = written
        return text if own >= level else f"({text})"
