"""The statements of one scope, in order: a file's, a block's, or those of a step of a `repeat`.

Input: syntax. Output: names in the scope, parts of the model in the emission. A statement that is refused does not stop
the others. Not for: parameters and imports, which only files have (`elaborate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model import blocks, cells, repeats
from graphnn_compiler.model.expressions import Expressions
from graphnn_compiler.model.layers import Layers, named_layer
from graphnn_compiler.model.names import declared_by
from graphnn_compiler.model.objectives import Objectives
from graphnn_compiler.model.predicates import Predicates
from graphnn_compiler.model.reads import graph_read
from graphnn_compiler.model.rejection import collecting, reject
from graphnn_compiler.model.types import AssertModel, Bounded, EdgeExpr, InputModel, LayerModel
from graphnn_compiler.model.values import Block


def run_body(expressions: Expressions, body: Sequence[syntax.Statement]) -> Mapping[str, LayerModel | InputModel]:
    """Elaborate the statements of a block or a step; the values after `next`, by state."""
    statements = Statements(expressions)
    statements.run(body)
    return statements.after


def expand(caller: Expressions, block: Block, call: syntax.Call) -> LayerModel | InputModel:
    """The layer that a call of a block returns."""
    return blocks.expand(caller, block, call, run_body)


class Statements:
    """Elaborates statements in one scope; `after` holds what `next` said."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.scope = expressions.scope
        self.emission = expressions.emission
        self.layers = Layers(expressions, self.emission.problems)
        self.objectives = Objectives(expressions)
        self.after: dict[str, LayerModel | InputModel] = {}

    def run(self, statements: Sequence[syntax.Statement], without: frozenset[str] = frozenset()) -> None:
        """Check every statement but those that declare one of the names `without`."""
        for statement in statements:
            names = declared_by(statement)
            if not without.isdisjoint(names):
                continue
            with collecting(self.emission.problems):
                self.statement(statement)
            for name in names:
                self.scope.refuse(name)

    def statement(self, statement: syntax.Statement) -> None:
        """One statement, refused as a whole where it is wrong."""
        name = next(iter(declared_by(statement)), "")
        direct = statement.value if isinstance(statement, syntax.LayerExprDecl | syntax.Let) else None
        path = self.expressions.base.child(name) if name else self.expressions.base
        with self.expressions.declaring_at(path, direct):
            match statement:
                case syntax.Next():
                    self._next(statement)
                case syntax.Repeat():
                    for state in statement.states:
                        self.scope.check_free(state.name, state.span)
                    values = repeats.final_values(self.expressions, statement, run_body)
                    for state in statement.states:
                        self.scope.declare(state.name, values[state.name], state.span)
                case syntax.AssertStmt(condition=condition, message=message):
                    column = Predicates(self.expressions, "assert").condition(condition)
                    self.emission.asserts.append(AssertModel(column, message, span=condition.span))
                case _:
                    self.declare(statement, name)

    def declare(self, statement: syntax.Statement, name: str) -> None:
        """A statement that gives one name its value."""
        span = declared_by(statement)[name]
        self.scope.check_free(name, span)
        value = self.value(statement)
        self.scope.declare(name, value, span)
        if not isinstance(statement, syntax.Let | syntax.BlockDecl):
            self.emission.add(value)

    def value(self, statement: syntax.Statement) -> object:
        """What a declaration gives its name."""
        match statement:
            case syntax.Let(value=value):
                return self.expressions.value(value)
            case syntax.GraphDecl(value=value):
                return graph_read(self.expressions, value, self.expressions.declaring)
            case syntax.NodesDecl(value=value):
                return self.expressions.nodes(value, "the value of `nodes`")
            case syntax.EdgesDecl():
                return self._edges(statement)
            case syntax.InputDecl():
                return self.layers.input(statement)
            case syntax.TargetDecl():
                return self.layers.target(statement)
            case syntax.LayerDecl():
                return self.layers.layer(statement)
            case syntax.LayerExprDecl():
                return self.layers.expression(statement)
            case syntax.LossDecl() | syntax.MetricDecl():
                return self.objectives.objective(statement)
            case syntax.BlockDecl():
                return blocks.declared_block(self.expressions, statement)
        raise AssertionError(statement)

    def _edges(self, statement: syntax.EdgesDecl) -> EdgeExpr:
        base = self.expressions.edges(statement.value, "the value of `edges`")
        if statement.domain is None:
            return base
        sources = self.expressions.nodes(statement.domain.sources, "the domain's sources")
        targets = self.expressions.nodes(statement.domain.targets, "the domain's targets")
        bounded = Bounded(base, sources, targets, span=statement.value.span)
        return self.emission.interned(bounded)  # type: ignore[no-any-return]  # what it is given, or its equal

    def _next(self, statement: syntax.Next) -> None:
        """`next a = ..`, or two states from a cell that gives two values."""
        if len(statement.names) == 1:
            name = statement.names[0]
            path = self.expressions.base.child(name)
            self.after[name] = named_layer(self.expressions, statement.value, path, f"the next `{name}`")
            return
        match statement:
            case syntax.Next(names=(_, _), value=syntax.Call(function=syntax.Name(id="lstm")) as call):
                self.after.update(zip(statement.names, cells.lstm(self.expressions, call), strict=True))
            case _:
                help = "only `lstm` gives several values: `next h, c = lstm(h, c, m)`"
                message = f"`next` needs {len(statement.names)} values"
                reject("E150", message, statement.value.span, help=help)
