"""Blocks: their declarations, and their calls, each of which makes fresh layers named after the place of the call.

Input: syntax, and the names that the caller sees. Output: a `Block`, or the layer that a call returns. A block sees its
own arguments and statements, and the constants, sets and blocks of its file that stand above it. It is checked where it
is called, with the arguments that it is called with. Not for: built-in functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from graphnn_compiler.diagnostics import Diagnostic, Related, did_you_mean
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.emission import Path
from graphnn_compiler.model.expressions import Expressions
from graphnn_compiler.model.layer_expressions import is_layer_expression
from graphnn_compiler.model.layers import named_layer
from graphnn_compiler.model.names import Scope, declarations
from graphnn_compiler.model.rejection import Rejected, collecting, reject
from graphnn_compiler.model.signatures import Signature, bind
from graphnn_compiler.model.types import InputModel, LayerModel, Read, TargetModel
from graphnn_compiler.model.values import Block, Value, kind_of

RunBody = Callable[[Expressions, Sequence[syntax.Statement]], Mapping[str, LayerModel | InputModel]]
"""Elaborates the statements of a body; gives the values after `next`, by state."""

KINDS = ("layer", "edges", "nodes", "graph", "int", "float", "bool", "str", "path")

_CALLED = "in this call of"
_MOST_CALLS = 3

# ------------------------------------------------------------------ declarations


def declared_block(expressions: Expressions, decl: syntax.BlockDecl) -> Block:
    """`block name(formals) { .. return .. }`, whose head is checked here."""
    seen: set[str] = set()
    optional = ""
    for formal in decl.formals:
        if formal.name in seen:
            reject("E101", f"`{decl.name}` has two arguments `{formal.name}`", formal.span)
        seen.add(formal.name)
        if formal.type is not None and formal.type not in KINDS:
            help = did_you_mean(formal.type, KINDS, f"the kinds are {', '.join(KINDS)}")
            reject("E145", f"an argument cannot be of kind `{formal.type}`", formal.span, help=help)
        if formal.default is None and optional:
            message = f"`{formal.name}` has no default, and `{optional}` before it has one"
            reject("E145", message, formal.span, help="put the arguments that have a default last")
        optional = formal.name if formal.default is not None else optional
    return Block(decl, expressions.scope.closure(_is_layer), expressions.home)


def _is_layer(value: object) -> bool:
    return isinstance(value, LayerModel | InputModel | TargetModel)


def recursive(statements: Sequence[syntax.Statement], problems: list[Diagnostic]) -> set[str]:
    """Report blocks that call themselves, directly or through each other; their names."""
    blocks = {statement.name: statement for statement in statements if isinstance(statement, syntax.BlockDecl)}
    calls = {name: [call for call in _calls(block) if call.id in blocks] for name, block in blocks.items()}
    found: set[str] = set()
    for name in blocks:
        way = None if name in found else _way_back(name, calls)
        if way is None:
            continue
        found |= {call.id for call in way}
        path = " -> ".join([name, *(call.id for call in way)])
        message = f"the blocks call each other in a circle: {path}" if len(way) > 1 else f"`{name}` calls itself"
        related = tuple(Related(call.span, f"`{call.id}` is called here") for call in way[1:])
        help = "write what is to be done several times with `repeat`"
        problems.append(Diagnostic("E146", message, way[0].span, help, related=related))
    return found


def _way_back(start: str, calls: Mapping[str, Sequence[syntax.Name]]) -> list[syntax.Name] | None:
    """A shortest chain of calls from a block to itself."""
    ways = [[call] for call in calls[start]]
    seen: set[str] = set()
    for way in ways:  # grows while it is gone through
        last = way[-1].id
        if last == start:
            return way
        if last not in seen:
            seen.add(last)
            ways += [[*way, call] for call in calls[last]]
    return None


def _calls(block: syntax.BlockDecl) -> Iterator[syntax.Name]:
    """The names that stand as functions in a block."""
    own = {formal.name for formal in block.formals}
    pending = [*expressions_in(block.body), block.result]
    while pending:
        part = pending.pop(0)
        if isinstance(part, syntax.Call) and isinstance(part.function, syntax.Name) and part.function.id not in own:
            yield part.function
        pending = [*syntax.operands(part), *pending]


def expressions_in(statements: Sequence[syntax.Statement]) -> Iterator[syntax.Expr]:
    """The expressions over layers in the statements of a body."""
    for statement in statements:
        match statement:
            case syntax.LayerExprDecl(value=value) | syntax.Let(value=value) | syntax.Next(value=value):
                yield value
            case syntax.LayerDecl(clauses=clauses):
                yield from (clause.source for clause in clauses)
            case syntax.Repeat(states=states, body=body):
                yield from (state.start for state in states)
                yield from expressions_in(body)


# ------------------------------------------------------------------ calls


def expand(caller: Expressions, block: Block, call: syntax.Call, run: RunBody) -> LayerModel | InputModel:
    """The layer that a call returns, after those that it makes on the way."""
    decl, emission = block.decl, caller.emission
    emission.count_expansion(call.span)
    path = caller.call_path(call, decl.name)
    scope = Scope(declarations(decl.body), outer=block.scope, shadows=True)
    inside = Expressions(scope, block.home, emission, path)
    _bind(caller, inside, decl, call)
    before = len(emission.problems)
    result: LayerModel | InputModel | None = None
    with collecting(emission.problems):
        run(inside, decl.body)
        if len(emission.problems) == before:
            with inside.declaring_at(path.child("return"), decl.result):
                result = named_layer(inside, decl.result, path.child("return"), f"what `{decl.name}` returns")
    for place, problem in enumerate(emission.problems[before:], before):
        emission.problems[place] = _called(problem, call, decl.name)
    if result is None:
        raise Rejected(None)
    return result


def _called(problem: Diagnostic, call: syntax.Call, name: str) -> Diagnostic:
    """A problem in a block with the place of the call; of many calls the innermost ones and the outermost."""
    calls = [place for place in problem.related if place.label.startswith(_CALLED)]
    related = [place for place in problem.related if place not in calls[_MOST_CALLS - 1 :]]
    return replace(problem, related=(*related, Related(call.span, f"{_CALLED} `{name}`")))


def _bind(caller: Expressions, inside: Expressions, decl: syntax.BlockDecl, call: syntax.Call) -> None:
    """Give every argument its value: what the call says, in the words of the caller, or the default."""
    formals = decl.formals
    required = sum(formal.default is None for formal in formals)
    given = bind(call, Signature(decl.name, tuple(formal.name for formal in formals), required=required))
    for formal in formals:
        at = inside.base.child(formal.name)
        if formal.name in given:
            value = _argument(caller, formal, given[formal.name].value, at)
        else:
            assert formal.default is not None
            value = _argument(inside, formal, formal.default, at)
        inside.scope.declare(formal.name, value, formal.span)


def _argument(expressions: Expressions, formal: syntax.Formal, expr: syntax.Expr, at: Path) -> Value:
    what = f"the argument `{formal.name}`"
    with expressions.declaring_at(at, expr):
        match formal.type:
            case "layer":
                return named_layer(expressions, expr, at, what)
            case "edges":
                return expressions.edges(expr, what)
            case "nodes":
                return expressions.nodes(expr, what)
            case "int":
                return expressions.integer(expr, what)
            case "float":
                return float(expressions.number(expr, what))
            case "bool":
                return expressions.boolean(expr, what)
            case "str":
                return expressions.string(expr, what)
            case "path":
                return expressions.path(expr, what)
            case None if is_layer_expression(expressions, expr):
                return named_layer(expressions, expr, at, what)
        value = expressions.value(expr)
    if formal.type == "graph" and not isinstance(value, Read):
        reject("E110", f"{what} must be a graph, not {kind_of(value)}", expr.span)
    return value
