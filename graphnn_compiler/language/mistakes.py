"""A word or sign that cannot stand where it does, as a diagnostic.

Input: a `Surprise`, which says what was found and what could have stood there, in the words of the language. Output:
one diagnostic; each way to be wrong that deserves better than `expected .., found ..` is one function. Not for:
terminals of the grammar, which have no name here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphnn_compiler.diagnostics import Diagnostic, Related, did_you_mean
from graphnn_compiler.language.tokens import CLOSERS, STARTERS, Token
from graphnn_compiler.source import Source, Span

A_NAME, AN_OPTION, AN_INTEGER, A_NUMBER, A_STRING = "a name", "an option", "a whole number", "a number", "a string"
THE_END = "the end of the program"
_CLASSES = frozenset({A_NAME, AN_OPTION, AN_INTEGER, A_NUMBER, A_STRING, THE_END})
_EXPRESSION = frozenset(
    {A_NAME, AN_INTEGER, A_NUMBER, A_STRING, "true", "false", "none", "not", "[", "(", "-", "~"}
)  # fmt: skip
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not"})
_OPERATORS = _COMPARISONS | {
    "if", "or", "and", "..", "|", "&", "+", "-", "*", "/", "//", "%", "@", "**", ".", "(", "["
}  # fmt: skip
_JOINING_WORDS = frozenset({"and", "or", "in", "if", "else", "as", "via", "for", "times", "from", "tied", "untied"})
_PLACES = {
    "gnn": "the edition line comes first in the file",
    "from": "`from .. via ..` stands in the braces of a `layer` or `output`",
    "next": "`next` stands in the braces of a `repeat`",
    "return": "`return` is the last statement of a `block`",
    "as": "`as` follows an import or the rule of a `from` clause",
    "via": "`via` follows the source of a `from` clause",
}


@dataclass(frozen=True)
class Surprise:
    """What was found (`token`; None at the end) and all that could have stood there.

    `accepted` holds signs and keywords as they are written, and kinds of words as the constants above. `before` are
    the tokens of the program up to it, `opened` the brackets open there; `unclosed` says that one of them is open to
    the end of the program, `starts_statement` that the token begins a statement, so that mostly the one before it is
    to blame, `cut` that text which has been set aside follows the end.
    """

    source: Source
    token: Token | None
    span: Span
    accepted: frozenset[str]
    before: Sequence[Token]
    opened: Sequence[Token]
    unclosed: bool
    starts_statement: bool
    cut: bool

    @property
    def opener(self) -> Token | None:
        return self.opened[-1] if self.opened else None

    @property
    def after_operand(self) -> bool:
        return "+" in self.accepted

    @property
    def text(self) -> str:
        return self.token.text if self.token else ""

    @property
    def found(self) -> str:
        if self.token is None:
            return "the end of the statement" if self.cut else THE_END
        if self.token.kind == "string":
            return "a string"
        return f"`{self.text}`" if len(self.text) <= 40 else f"`{self.text[:40]}..`"

    def wrong(self, code: str, message: str, help: str | None = None, *related: Related) -> Diagnostic:
        return Diagnostic(code, message, self.span, help, related=related)


def expected(accepted: frozenset[str]) -> str:
    """What could have stood there, as a phrase: `an expression`, `` `,` or `)` ``."""
    left = set(accepted)
    parts = []
    after_operand = "+" in left
    if after_operand:
        left -= _OPERATORS
    elif {A_NAME, "~", "true"} <= left:
        parts.append("an expression")
        left -= _EXPRESSION
    if len(left & STARTERS) > 2:
        parts.append("a new statement")
        left -= STARTERS | {THE_END}
    if after_operand and left <= {THE_END}:
        parts.insert(0, "an operator")
    parts += sorted(left & _CLASSES) + [f"`{text}`" for text in sorted(left - _CLASSES)]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def explain(surprise: Surprise) -> Diagnostic:
    """The diagnostic of a surprise: that of the first kind of mistake that it is."""
    for kind in _KINDS:
        diagnostic = kind(surprise)
        if diagnostic is not None:
            return diagnostic
    return _unexpected(surprise)


def _opened(surprise: Surprise) -> tuple[Related, ...]:
    opener = surprise.opener
    if opener is None:
        return ()
    return (Related(Span(surprise.source, opener.start, opener.end), f"this `{opener.text}` is open"),)


def _single_equals(surprise: Surprise) -> Diagnostic | None:
    required = surprise.accepted & {"->", "via", "else"}
    if surprise.text != "=" or not surprise.after_operand or required:
        return None
    return surprise.wrong("E015", "`=` gives a value to a name; it does not compare", "compare with `==`")


def _chain(surprise: Surprise) -> Diagnostic | None:
    if not surprise.after_operand or surprise.text not in _COMPARISONS | {".."}:
        return None
    kinds = {".."} if surprise.text == ".." else _COMPARISONS
    first = next((i for i in reversed(range(len(surprise.before))) if surprise.before[i].text in kinds), None)
    if first is None:
        return None
    token = surprise.before[first]
    related = Related(Span(surprise.source, token.start, token.end), "the first one")
    if surprise.text == "..":
        return surprise.wrong("E008", "a range has two ends", "write `a..b`, both included", related)
    joined = any(between.text in ("|", "&") for between in surprise.before[first + 1 :])
    help = (
        "join conditions with `or` and `and`: `|` and `&` bind tighter than comparisons"
        if joined
        else "join two comparisons with `and`: `a < b and b < c`"
    )
    return surprise.wrong("E008", "comparisons do not chain", help, related)


def _bracket(surprise: Surprise) -> Diagnostic | None:
    opener, text = surprise.opener, surprise.text
    closes = text in CLOSERS.values()
    if opener is None:
        return surprise.wrong("E016", f"`{text}` closes no bracket", "remove it") if closes else None
    closer = CLOSERS[opener.text]
    token = surprise.token
    new_line = token is not None and token.indent is not None and closer != "}"
    ends = token is None or surprise.starts_statement or text in STARTERS or new_line or (closes and text != closer)
    if not (ends and surprise.unclosed and closer in surprise.accepted):
        return None
    message = f"`{opener.text}` is not closed before {surprise.found}"
    return surprise.wrong("E004", message, f"add `{closer}`", *_opened(surprise))


def _reserved(surprise: Surprise) -> Diagnostic | None:
    token = surprise.token
    if token is None or token.kind != "keyword" or A_NAME not in surprise.accepted:
        return None
    for_value = "~" in surprise.accepted
    if token.indent is not None or (for_value and token.text in _JOINING_WORDS):
        return None
    help = (
        f"choose another name; a column of that name is `node.{token.text}` or `edge.{token.text}`"
        if for_value
        else "choose another name"
    )
    return surprise.wrong("E007", f"`{token.text}` is a reserved word and cannot be a name", help)


def _no_statement(surprise: Surprise) -> Diagnostic | None:
    token = surprise.token
    if token is None or len(surprise.accepted & STARTERS) < 3 or (surprise.after_operand and token.indent is None):
        return None
    if token.kind == "keyword":
        inside = surprise.opener is not None and token.text in STARTERS
        help = f"`{token.text}` stands outside all braces" if inside else _PLACES.get(token.text)
        return surprise.wrong("E018", f"`{token.text}` cannot stand here", help, *_opened(surprise))
    if token.kind == "name":
        words = surprise.accepted & STARTERS
        otherwise = "a statement starts with its keyword, such as `layer` or `let`"
        help = did_you_mean(token.text, sorted(words), otherwise)
        return surprise.wrong("E006", f"no statement starts with `{token.text}`", help)
    if token.text == "//":
        return surprise.wrong("E009", "`//` starts no comment", "a comment starts with `#`")
    return None


def _unexpected(surprise: Surprise) -> Diagnostic:
    token = surprise.token
    related = _opened(surprise) if token is None or surprise.starts_statement else ()
    code = "E005" if token is None else "E001"
    help = None
    if token is not None and token.kind == "name":
        keywords = [text for text in surprise.accepted - _CLASSES if text.isalpha()]
        help = did_you_mean(token.text, sorted(keywords))
        if help is None and AN_OPTION in surprise.accepted:
            help = f"an option is written `{token.text} = value`"
    message = f"expected {expected(surprise.accepted)}, found {surprise.found}"
    return surprise.wrong(code, message, help, *related)


_KINDS: tuple[Callable[[Surprise], Diagnostic | None], ...] = (
    _single_equals,
    _chain,
    _bracket,
    _reserved,
    _no_statement,
)
