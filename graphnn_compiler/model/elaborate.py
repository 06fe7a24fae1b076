"""Syntax tree to checked model: `check` is the stage's one function.

Input: a `Program`, the files that it imports, and the values of its params. Output: a `Model`, or None beside at least
one error; and every diagnostic found. Statements are checked in the order of the text; one that is refused does not
stop the others. Not for: reading files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from graphnn_compiler.diagnostics import Diagnostic, did_you_mean, listed
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.language.imports import ImportedFile, Imports
from graphnn_compiler.model import batch_norms, blocks, cells, checks, functions, layer_expressions, parameters
from graphnn_compiler.model.emission import ROOT, Emission, Path
from graphnn_compiler.model.expressions import Expressions
from graphnn_compiler.model.names import Scope, declarations
from graphnn_compiler.model.rejection import collecting, reject
from graphnn_compiler.model.statements import Statements, expand
from graphnn_compiler.model.tensors import ACTIVATIONS
from graphnn_compiler.model.types import (
    DataPath,
    InputModel,
    LayerModel,
    Model,
    ObjectiveModel,
    Read,
    TargetModel,
)
from graphnn_compiler.model.values import EDGE_TYPES, NODE_TYPES, Block, Home, Library

EDITION = 1
LAYER_MAKERS = {**cells.FUNCTIONS, **batch_norms.FUNCTIONS}
"""The functions that make layers of their own."""
SETS = (Read, *NODE_TYPES, *EDGE_TYPES)

_OF_LIBRARIES = (
    syntax.ImportAs,
    syntax.ImportNames,
    syntax.Param,
    syntax.Let,
    syntax.GraphDecl,
    syntax.NodesDecl,
    syntax.EdgesDecl,
    syntax.BlockDecl,
    syntax.AssertStmt,
)
Constants = dict[str, int | float | bool | str]


def check(
    program: syntax.Program,
    params: Mapping[str, parameters.Given] | None = None,
    imports: Imports | None = None,
) -> tuple[Model | None, list[Diagnostic]]:
    """The checked model of a program. `params` are values by name; text stands for what it says."""
    problems: list[Diagnostic] = []
    emission = Emission(problems, LAYER_MAKERS, expand)
    libraries = _Libraries(imports or Imports(), emission)
    main = _File(program, Home(program.source.folder), emission, libraries, params or {})
    main.check()
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    model = _model(program, main.params, emission, libraries.imports)
    problems += checks.run(model)
    return (None if any(problem.severity == "error" for problem in problems) else model), problems


def _model(program: syntax.Program, params: Constants, emission: Emission, imports: Imports) -> Model:
    """The model of what was declared; for programs without errors."""

    def all_of(type_: type | tuple[type, ...]) -> tuple:
        return tuple(value for value in emission.declared if isinstance(value, type_))

    inputs, targets = all_of(InputModel), all_of(TargetModel)
    arrays = [node.default for node in (*inputs, *targets) if isinstance(node.default, Read)]
    reads = [*all_of(Read), *arrays, *emission.reads]
    return Model(
        program.source,
        EDITION,
        params,
        inputs,
        all_of(LayerModel),
        targets,
        all_of(ObjectiveModel),
        tuple(emission.asserts),
        all_of(SETS),
        {read.name: read for read in reads},
        imports.digests,
    )


class _File(Statements):
    """The statements of one file: the program, or a file that it imports."""

    def __init__(
        self,
        program: syntax.Program,
        home: Home,
        emission: Emission,
        libraries: _Libraries,
        given: Mapping[str, parameters.Given],
        path: Path = ROOT,
    ) -> None:
        scope = Scope(declarations(program.statements))
        super().__init__(Expressions(scope, home, emission, path))
        self.program = program
        self.libraries = libraries
        self.given = given
        self.params: Constants = {}

    def check(self) -> None:
        """Check every statement, in order."""
        problems = self.emission.problems
        with collecting(problems):
            self._edition()
        self._unknown_params()
        circular = checks.circles(self.program, problems) | blocks.recursive(self.program.statements, problems)
        for name in circular:
            self.scope.refuse(name)
        self.run(self.program.statements, frozenset(circular))

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
                with collecting(self.emission.problems):
                    reject("E120", f"the program has no parameter `{name}`", self.program.source.whole(), help=help)

    # -------------------------------------------------------------- statements that only files have

    def statement(self, statement: syntax.Statement) -> None:
        match statement:
            case syntax.ImportAs(path=path, name=name, name_span=span):
                scope = self.libraries.scope(self.program, path)
                self.scope.declare(name, Library(path, scope), span)
            case syntax.ImportNames():
                self._import_names(statement)
            case _:
                super().statement(statement)

    def _import_names(self, statement: syntax.ImportNames) -> None:
        scope = self.libraries.scope(self.program, statement.path)
        for one in statement.names:
            with collecting(self.emission.problems):
                if one.name not in scope:
                    otherwise = f"it declares {listed(scope.own) or 'nothing'}"
                    help = did_you_mean(one.name, scope.own, otherwise)
                    reject("E144", f"`{statement.path}` declares no `{one.name}`", one.span, help=help)
                value = scope.lookup(syntax.Name(one.name, span=one.span))
                if isinstance(value, Block):
                    _check_name(one.alias or one.name, one)
                self.scope.declare(one.alias or one.name, value, one.span)

    def declare(self, statement: syntax.Statement, name: str) -> None:
        if isinstance(statement, syntax.BlockDecl):
            _check_name(name, statement)
        if not isinstance(statement, syntax.Param):
            super().declare(statement, name)
            return
        value = parameters.parameter(self.expressions, statement, self.given.get(name))
        self.params[name] = value.shown if isinstance(value, DataPath) else value
        self.scope.declare(name, value, statement.name_span)


def _check_name(name: str, node: syntax.BlockDecl | syntax.ImportedName) -> None:
    span = node.name_span if isinstance(node, syntax.BlockDecl) else node.span
    if name in (*functions.FUNCTIONS, *layer_expressions.LAYER_FUNCTIONS, *ACTIVATIONS, *LAYER_MAKERS, "read"):
        reject("E102", f"`{name}` is a built-in function and cannot be declared", span, help="choose another name")


# ------------------------------------------------------------------ imported files


class _LibraryFile(_File):
    """A file that is imported: it declares sets, constants and blocks; of what it reads nothing is read unless used."""

    def statement(self, statement: syntax.Statement) -> None:
        if not isinstance(statement, _OF_LIBRARIES):
            help = "put it into a `block`, or into the program itself"
            reject("E151", f"an imported file cannot declare {_what(statement)}", statement.span, help=help)
        if isinstance(statement, syntax.Param) and statement.default is None:
            help = "only the parameters of the program itself can be given with `-p` or `params=`"
            reject("E121", f"parameter `{statement.name}` has no value", statement.name_span, help=help)
        super().statement(statement)

    def declare(self, statement: syntax.Statement, name: str) -> None:
        before = len(self.emission.declared)
        super().declare(statement, name)
        self.emission.reads += [value for value in self.emission.declared[before:] if isinstance(value, Read)]
        del self.emission.declared[before:]


def _what(statement: syntax.Statement) -> str:
    words = {
        syntax.InputDecl: "an input",
        syntax.TargetDecl: "a target",
        syntax.LossDecl: "a loss",
        syntax.MetricDecl: "a metric",
    }
    return words.get(type(statement), "layers")


class _Libraries:
    """The names of every imported file, which is elaborated once however often it is imported."""

    def __init__(self, imports: Imports, emission: Emission) -> None:
        self.imports = imports
        self._emission = emission
        self._scopes: dict[str, Scope] = {}
        self._stems: Counter[str] = Counter()

    def scope(self, program: syntax.Program, path: str) -> Scope:
        """The names of the file that a program imports as `path`."""
        file = self.imports.file(program.source, path)
        if file.shown not in self._scopes:
            self._scopes[file.shown] = self._elaborated(file)
        return self._scopes[file.shown]

    def _elaborated(self, file: ImportedFile) -> Scope:
        shown = PurePosixPath(file.shown)
        stem = "".join(letter if letter.isalnum() else "_" for letter in shown.stem)
        self._stems[stem] += 1
        number = self._stems[stem]
        name = stem if number == 1 else f"{stem}_{number}"
        home = Home(file.program.source.folder, str(shown.parent))
        library = _LibraryFile(file.program, home, self._emission, self, {}, ROOT.child(name))
        library.check()
        return library.scope
