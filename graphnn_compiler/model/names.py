"""The names of a program: what each was declared as, and where.

Input: declarations in the order of the text. Output: values by name, or a refusal that says what was meant.
Not for: what an expression means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphnn_compiler.diagnostics import did_you_mean
from graphnn_compiler.language.nodes import Name
from graphnn_compiler.model.rejection import Rejected, reject
from graphnn_compiler.source import Span

RESERVED: Mapping[str, str] = {
    "all": "a connectivity rule",
    "same": "a connectivity rule",
    "one_to_one": "a connectivity rule",
    "node": "the node of a predicate",
    "edge": "the edge of a predicate",
    "src": "the source of an edge",
    "dst": "the destination of an edge",
}


@dataclass(frozen=True)
class _Entry:
    value: Any
    span: Span


@dataclass
class Scope:
    """Names declared so far. `later` holds the places of all declarations of the text, for better errors.

    A declaration that was refused is known but has no value; its uses are not reported again.
    """

    later: Mapping[str, Span] = field(default_factory=dict)
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)

    def declare(self, name: str, value: object, span: Span) -> None:
        """Give a name its value. Refuses reserved names and second declarations."""
        if name in RESERVED:
            reject("E102", f"`{name}` is {RESERVED[name]} and cannot be declared", span, help="choose another name")
        if name in self._entries:
            first = self._entries[name].span
            reject("E101", f"`{name}` is declared twice", span, related=[(first, "first declared here")])
        self._refused.discard(name)
        self._entries[name] = _Entry(value, span)

    def refuse(self, name: str) -> None:
        """Note that the declaration of a name was refused."""
        if name not in self._entries:
            self._refused.add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._entries or name in self._refused

    def span(self, name: str) -> Span:
        """Where a declared name was declared."""
        return self._entries[name].span

    def lookup(self, node: Name) -> Any:
        """The value of a name. Refuses names that are not declared, or not yet."""
        name = node.id
        if name in self._entries:
            return self._entries[name].value
        if name in self._refused:
            raise Rejected(None)
        if name in self.later:
            reject(
                "E103",
                f"`{name}` is used before it is declared",
                node.span,
                help=f"move the declaration of `{name}` above this line",
                related=[(self.later[name], "declared here")],
            )
        reject("E100", f"unknown name `{name}`", node.span, help=did_you_mean(name, self.known))

    @property
    def known(self) -> list[str]:
        """Every name that an expression may use here."""
        return [*self._entries, "all", "same", "one_to_one"]
