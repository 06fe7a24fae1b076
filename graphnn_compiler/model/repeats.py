"""`repeat`: its body elaborated once a step, each step on what the step before made.

Input: syntax and the names around it. Output: the last value of every state. Steps are told apart by their numbers in
the names of layers; in a tied repeat the names of parameters are without them, so that all steps share the parameters.
Not for: what a body says (`statements`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphnn_compiler.diagnostics import did_you_mean
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.blocks import RunBody
from graphnn_compiler.model.expressions import Expressions
from graphnn_compiler.model.layers import channels_of, named_layer
from graphnn_compiler.model.names import Scope, declarations
from graphnn_compiler.model.rejection import Rejected, reject
from graphnn_compiler.model.types import InputModel, LayerModel
from graphnn_compiler.model.values import NumberRange, kind_of

Values = Mapping[str, LayerModel | InputModel]


def final_values(around: Expressions, repeat: syntax.Repeat, run: RunBody) -> Values:
    """The value of every state after the last step, by name."""
    _check_states(repeat)
    steps = _steps(around, repeat)
    path = around.base.child(repeat.states[0].name)
    values: dict[str, LayerModel | InputModel] = {}
    for state in repeat.states:
        at = path.child("0").child(state.name)
        with around.declaring_at(at, state.start):
            values[state.name] = named_layer(around, state.start, at, f"the start of `{state.name}`")
    for number, value in enumerate(steps, 1):
        around.emission.count_expansion(repeat.span)
        scope = Scope(declarations(repeat.body), outer=around.scope)
        inside = Expressions(scope, around.home, around.emission, path.step(number, tied=repeat.tied))
        inside.take(inside.base, scope.later)
        values = _step(inside, repeat, values, value, run)
    return values


def _step(inside: Expressions, repeat: syntax.Repeat, values: Values, variable: int, run: RunBody) -> dict:
    for state in repeat.states:
        inside.scope.declare(state.name, values[state.name], state.span)
    if repeat.variable is not None:
        inside.scope.declare(repeat.variable, variable, repeat.span)
    problems = inside.emission.problems
    before = len(problems)
    after = run(inside, repeat.body)
    told_before = any(state.name not in after for state in repeat.states)  # what they need was refused outside the body
    if len(problems) > before or told_before:
        raise Rejected(None)
    if repeat.tied:
        _check_channels(repeat, values, after)
    return {state.name: after[state.name] for state in repeat.states}


def _check_states(repeat: syntax.Repeat) -> None:
    """Each state has one `next`, and each `next` is of states."""
    names = [state.name for state in repeat.states]
    for place, state in enumerate(repeat.states):
        if state.name in names[:place]:
            reject("E101", f"`{state.name}` is declared twice", state.span)
    given: dict[str, syntax.Next] = {}
    for statement in repeat.body:
        for name in statement.names if isinstance(statement, syntax.Next) else ():
            assert isinstance(statement, syntax.Next)
            if name not in names:
                help = did_you_mean(name, names, f"its states are {', '.join(names)}")
                reject("E147", f"`{name}` is no state of this `repeat`", statement.span, help=help)
            if name in given:
                related = [(given[name].span, "the first")]
                reject("E147", f"`{name}` has two `next`", statement.span, related=related)
            given[name] = statement
    for state in repeat.states:
        if state.name not in given:
            help = f"end the body with `next {state.name} = ..`"
            reject("E147", f"nothing says what `{state.name}` is after a step", state.span, help=help)


def _steps(around: Expressions, repeat: syntax.Repeat) -> Sequence[int]:
    """The value of the variable in each step, or the steps' numbers."""
    if repeat.range is not None:
        value = around.value(repeat.range)
        if not isinstance(value, NumberRange) or type(value.low) is not int or type(value.high) is not int:
            found = f"`{repeat.range.span.text}`" if isinstance(value, NumberRange) else kind_of(value)
            message = f"`for` needs a range of whole numbers, not {found}"
            reject("E148", message, repeat.range.span, help="as in `for level in 1..4`")
        if value.low > value.high + 1:
            help = f"write it as `{value.high}..{value.low}`, lowest first"
            reject("E148", f"the range `{value.low}..{value.high}` is empty", repeat.range.span, help=help)
        return range(value.low, value.high + 1)
    assert repeat.times is not None
    times = around.integer(repeat.times, "the number of steps")
    if times < 0:
        reject("E148", f"a repeat cannot have {times} steps", repeat.times.span)
    return range(1, times + 1)


def _check_channels(repeat: syntax.Repeat, before: Values, after: Values) -> None:
    """Tied steps share their parameters, so that they have to see equally many channels."""
    for statement in repeat.body:
        for name in statement.names if isinstance(statement, syntax.Next) else ():
            had, has = channels_of(before[name]), channels_of(after[name])
            if had != has:
                assert isinstance(statement, syntax.Next)
                message = f"`{name}` has {had} channels before a step of this tied repeat and {has} after it"
                help = "keep their number, or write `untied`"
                reject("E149", message, statement.value.span, help=help)
