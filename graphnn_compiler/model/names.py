"""The names of a program: what each was declared as, and where.

Input: declarations in the order of the text. Output: values by name, or a refusal that says what was meant.
Not for: what an expression means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from graphnn_compiler.diagnostics import did_you_mean
from graphnn_compiler.language import nodes as syntax
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


_NAMED = (
    syntax.ImportAs,
    syntax.Param,
    syntax.Let,
    syntax.GraphDecl,
    syntax.NodesDecl,
    syntax.EdgesDecl,
    syntax.InputDecl,
    syntax.TargetDecl,
    syntax.LayerDecl,
    syntax.LayerExprDecl,
    syntax.BlockDecl,
    syntax.LossDecl,
    syntax.MetricDecl,
)


def declared_by(statement: syntax.Statement) -> Mapping[str, Span]:
    """The names that a statement declares around it, and where it does."""
    match statement:
        case syntax.ImportNames(names=names):
            return {one.alias or one.name: one.span for one in names}
        case syntax.Repeat(states=states):
            return {state.name: state.span for state in states}
    return {statement.name: statement.name_span} if isinstance(statement, _NAMED) else {}


def declarations(statements: Sequence[syntax.Statement]) -> Mapping[str, Span]:
    """The names that statements declare, and where each is declared first."""
    found: dict[str, Span] = {}
    for statement in statements:
        found = {**declared_by(statement), **found}
    return found


@dataclass(frozen=True)
class _Entry:
    value: Any
    span: Span


@dataclass
class Scope:
    """Names declared so far. `later` holds the places of all declarations of the text, for better errors.

    A declaration that was refused is known but has no value; its uses are not reported again. Names that are not found
    are those of `outer`, and may be declared anew here only if the scope `shadows` it. `hidden` names exist around the
    scope but have no meaning in it.
    """

    later: Mapping[str, Span] = field(default_factory=dict)
    outer: Scope | None = None
    shadows: bool = False
    hidden: Mapping[str, Span] = field(default_factory=dict)
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)

    def closure(self, hides: Callable[[Any], bool]) -> Scope:
        """The names that are declared now, as a scope of its own, in which those whose value it `hides` are hidden."""
        hidden = {name: entry.span for name, entry in self._entries.items() if hides(entry.value)}
        visible = {name: entry for name, entry in self._entries.items() if name not in hidden}
        return Scope(self.later, self.outer, hidden=hidden, _entries=visible, _refused=set(self._refused))

    def declare(self, name: str, value: object, span: Span) -> None:
        """Give a name its value. Refuses what `check_free` does."""
        self.check_free(name, span)
        self._refused.discard(name)
        self._entries[name] = _Entry(value, span)

    def check_free(self, name: str, span: Span) -> None:
        """Refuse reserved names and second declarations."""
        if name in RESERVED:
            reject("E102", f"`{name}` is {RESERVED[name]} and cannot be declared", span, help="choose another name")
        if name in self._entries or (not self.shadows and self._around(name) is not None):
            first = self.span(name)
            reject("E101", f"`{name}` is declared twice", span, related=[(first, "first declared here")])

    def refuse(self, name: str) -> None:
        """Note that the declaration of a name was refused, if it has no value here."""
        if name not in self._entries:
            self._refused.add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._entries or name in self._refused or (self.outer is not None and name in self.outer)

    def span(self, name: str) -> Span:
        """Where a declared name was declared."""
        entry = self._entries.get(name) or self._around(name)
        assert entry is not None
        return entry.span

    def _around(self, name: str) -> _Entry | None:
        """What a name means in the scopes around this one."""
        scope = self.outer
        while scope is not None and name not in scope._entries:
            scope = scope.outer
        return None if scope is None else scope._entries[name]

    def lookup(self, node: Name) -> Any:
        """The value of a name. Refuses names that are not declared, or not yet."""
        name = node.id
        if name in self._entries:
            return self._entries[name].value
        if name in self._refused:
            raise Rejected(None)
        if name in self.hidden:
            self._reject_hidden(node)
        if name in self.later:
            reject(
                "E103",
                f"`{name}` is used before it is declared",
                node.span,
                help=f"move the declaration of `{name}` above this line",
                related=[(self.later[name], "declared here")],
            )
        if self.outer is not None:
            return self.outer.lookup(node)
        reject("E100", f"unknown name `{name}`", node.span, help=did_you_mean(name, self.known))

    def _reject_hidden(self, node: Name) -> NoReturn:
        help = "pass it as an argument, as in `block b(x: layer) { .. }`"
        message = f"`{node.id}` is outside the block, which sees only the layers that it is given"
        reject("E142", message, node.span, help=help, related=[(self.hidden[node.id], "declared here")])

    @property
    def own(self) -> list[str]:
        """The names that are declared in this scope itself."""
        return [*self._entries]

    @property
    def known(self) -> list[str]:
        """Every name that an expression may use here."""
        around = ["all", "same", "one_to_one"] if self.outer is None else self.outer.known
        return [*self._entries, *around]
