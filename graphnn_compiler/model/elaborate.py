"""Syntax tree to checked model: `check` is the stage's one function.

Input: a `Program` and the values of its params. Output: a `Model`, or None beside at least one error; and every
diagnostic found. Statements are checked in the order of the text; one that is refused does not stop the others.
Not for: reading data.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphnn_compiler.diagnostics import Diagnostic, did_you_mean
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model import checks, parameters
from graphnn_compiler.model.expressions import Expressions
from graphnn_compiler.model.layers import Layers
from graphnn_compiler.model.names import Scope
from graphnn_compiler.model.objectives import Objectives
from graphnn_compiler.model.predicates import Predicates
from graphnn_compiler.model.reads import graph_read
from graphnn_compiler.model.rejection import collecting, reject
from graphnn_compiler.model.types import (
    AssertModel,
    Bounded,
    DataPath,
    EdgeExpr,
    InputModel,
    LayerModel,
    Model,
    ObjectiveModel,
    Read,
    TargetModel,
)
from graphnn_compiler.model.values import EDGE_TYPES, NODE_TYPES

EDITION = 1
SETS = (Read, *NODE_TYPES, *EDGE_TYPES)

_NAMED = (
    syntax.Param,
    syntax.Let,
    syntax.GraphDecl,
    syntax.NodesDecl,
    syntax.EdgesDecl,
    syntax.InputDecl,
    syntax.TargetDecl,
    syntax.LayerDecl,
    syntax.LayerExprDecl,
    syntax.LossDecl,
    syntax.MetricDecl,
)
_LATER = {syntax.ImportAs: "import", syntax.ImportNames: "import", syntax.Repeat: "repeat", syntax.BlockDecl: "block"}


def check(
    program: syntax.Program, params: Mapping[str, parameters.Given] | None = None
) -> tuple[Model | None, list[Diagnostic]]:
    """The checked model of a program. `params` are values by name; text stands for what it says."""
    elaboration = _Elaboration(program, params or {})
    elaboration.run()
    problems = elaboration.problems
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    model = elaboration.model()
    problems += checks.run(model)
    return (None if any(problem.severity == "error" for problem in problems) else model), problems


class _Elaboration:
    def __init__(self, program: syntax.Program, params: Mapping[str, parameters.Given]) -> None:
        self.program = program
        self.given = params
        self.problems: list[Diagnostic] = []
        named = [statement for statement in program.statements if isinstance(statement, _NAMED)]
        self.scope = Scope({statement.name: statement.name_span for statement in reversed(named)})
        self.expressions = Expressions(self.scope, program.source.folder)
        self.layers = Layers(self.expressions, self.problems)
        self.objectives = Objectives(self.expressions)
        self.params: dict[str, int | float | bool | str] = {}
        self.asserts: list[AssertModel] = []
        self.declared: list[object] = []

    def run(self) -> None:
        """Check every statement, in order."""
        with collecting(self.problems):
            self._edition()
        self._unknown_params()
        circular = checks.circles(self.program, self.problems)
        for name in circular:
            self.scope.refuse(name)
        for statement in self.program.statements:
            name = statement.name if isinstance(statement, _NAMED) else ""
            if name in circular:
                continue
            with collecting(self.problems):
                self._statement(statement, name)
            if name and name not in self.scope:
                self.scope.refuse(name)

    def model(self) -> Model:
        """The model of what was declared; for programs without errors."""

        def all_of(type_: type | tuple[type, ...]) -> tuple:
            return tuple(value for value in self.declared if isinstance(value, type_))

        inputs, targets = all_of(InputModel), all_of(TargetModel)
        arrays = [node.default for node in (*inputs, *targets) if isinstance(node.default, Read)]
        reads = [*all_of(Read), *arrays, *self.expressions.reads]
        return Model(
            self.program.source,
            EDITION,
            self.params,
            inputs,
            all_of(LayerModel),
            targets,
            all_of(ObjectiveModel),
            tuple(self.asserts),
            all_of(SETS),
            {read.name: read for read in reads},
        )

    def _edition(self) -> None:
        edition = self.program.edition
        if edition is not None and edition != EDITION:
            message = f"edition {edition} is not known; this compiler knows edition {EDITION}"
            reject("E125", message, self.program.source.whole())

    def _unknown_params(self) -> None:
        known = [statement.name for statement in self.program.statements if isinstance(statement, syntax.Param)]
        for name in self.given:
            if name not in known:
                otherwise = "its parameters are " + ", ".join(known) if known else "it has no `param` statement"
                help = did_you_mean(name, known, otherwise)
                with collecting(self.problems):
                    reject("E120", f"the program has no parameter `{name}`", self.program.source.whole(), help=help)

    # -------------------------------------------------------------- statements

    def _statement(self, statement: syntax.Statement, name: str) -> None:
        self.expressions.declaring = name
        match statement:
            case syntax.ImportAs() | syntax.ImportNames() | syntax.Repeat() | syntax.BlockDecl():
                word = _LATER[type(statement)]
                reject("E112", f"`{word}` is part of the language but not compiled yet", statement.span)
            case syntax.Next():
                reject("E112", "`next` has a meaning only inside `repeat`", statement.span)
            case syntax.AssertStmt(condition=condition, message=message):
                column = Predicates(self.expressions, "assert").condition(condition)
                self.asserts.append(AssertModel(column, message, span=condition.span))
            case _:
                value = self._value(statement)
                self.scope.declare(name, value, statement.name_span)
                if not isinstance(statement, syntax.Let):
                    self.declared.append(value)

    def _value(self, statement: syntax.Statement) -> object:
        match statement:
            case syntax.Param():
                return self._param(statement)
            case syntax.Let(value=value):
                return self.expressions.value(value)
            case syntax.GraphDecl(name=name, value=value):
                return graph_read(self.expressions, value, name)
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
        raise AssertionError(statement)

    def _param(self, statement: syntax.Param) -> object:
        value = parameters.parameter(self.expressions, statement, self.given.get(statement.name))
        self.params[statement.name] = value.shown if isinstance(value, DataPath) else value
        return value

    def _edges(self, statement: syntax.EdgesDecl) -> EdgeExpr:
        base = self.expressions.edges(statement.value, "the value of `edges`")
        if statement.domain is None:
            return base
        sources = self.expressions.nodes(statement.domain.sources, "the domain's sources")
        targets = self.expressions.nodes(statement.domain.targets, "the domain's targets")
        return Bounded(base, sources, targets, span=statement.value.span)
