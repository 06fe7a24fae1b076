"""Arguments of calls, matched to the parameters of built-in functions by position and by name.

Not for: what the arguments mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphnn_compiler.diagnostics import did_you_mean, listed
from graphnn_compiler.language.nodes import Argument, Call
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.source import Span


@dataclass(frozen=True)
class Signature:
    """A function's name, its parameters that may be given by position, and those that are named.

    The first `required` positional parameters must be there.
    """

    name: str
    positional: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    required: int = 0

    def __str__(self) -> str:
        words = [*self.positional, *(f"{name} =" for name in self.named)]
        return f"{self.name}({', '.join(words)})"


def bind(call: Call, signature: Signature) -> Mapping[str, Argument]:
    """The arguments of a call by parameter name."""
    bound: dict[str, Argument] = {}
    free = list(signature.positional)
    usage = f"it is written `{signature}`"
    for argument in call.arguments:
        if argument.name is None:
            if not free:
                reject("E109", f"`{signature.name}` has too many arguments", argument.span, help=usage)
            bound[free.pop(0)] = argument
            continue
        name, place = argument.name, argument.name_span or argument.span
        if name not in signature.positional and name not in signature.named:
            known = (*signature.positional, *signature.named)
            reject("E109", f"`{signature.name}` has no argument `{name}`", place, help=did_you_mean(name, known, usage))
        if name in bound:
            reject("E109", f"`{signature.name}` is given `{name}` twice", place)
        bound[name] = argument
        if name in free:
            free.remove(name)
    missing = [name for name in signature.positional[: signature.required] if name not in bound]
    if missing:
        names = listed(f"`{name}`" for name in missing)
        reject("E109", f"`{signature.name}` lacks {names}", call.span, help=usage)
    return bound


def choice(value: str, choices: tuple[str, ...], what: str, span: Span) -> str:
    """`value` if it is one of the choices, else a refusal that lists them."""
    if value in choices:
        return value
    names = ", ".join(f"`{name}`" for name in choices)
    reject("E107", f"{what} cannot be `{value}`", span, help=did_you_mean(value, choices, f"it is one of {names}"))
