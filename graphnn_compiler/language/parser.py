"""Program text to syntax tree, or to what is wrong with the text.

Input: a `Source` (or the file to read one from). Output: a `Program` and diagnostics; a bad statement is set aside and
the rest parsed again, so that one run finds several mistakes. Never raises for a bad program. The only module that
knows Lark. Not for: what a program means.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lark
from lark.lexer import ContextualLexer, PatternStr

from graphnn_compiler.diagnostics import Diagnostic
from graphnn_compiler.language import mistakes
from graphnn_compiler.language.builder import build
from graphnn_compiler.language.lexical import MAX_NESTING, glued_operators, lexical_mistakes, too_deep
from graphnn_compiler.language.nodes import Program
from graphnn_compiler.language.recovery import innermost, to_blame
from graphnn_compiler.language.tokens import (
    Extent,
    Token,
    doc_comments,
    extents,
    open_brackets,
    scan,
    without_comments,
)
from graphnn_compiler.source import Source, Span

MOST_ERRORS = 20
_ALLOW = re.compile(r"#+\s*gnn:\s*allow\s+(.*)")
_CODE = re.compile(r"\b[EW]\d{3}\b")
_BLANK_OUT = re.compile(r"[^\n]")


def load_source(path: Path) -> tuple[Source | None, list[Diagnostic]]:
    """The program in a file; None and a diagnostic if it is not UTF-8. `OSError` is left to the caller."""
    return decoded(str(path), path.read_bytes(), path.parent)


def decoded(name: str, content: bytes, folder: Path) -> tuple[Source | None, list[Diagnostic]]:
    """The program in bytes that were read; None and a diagnostic if they are not UTF-8."""
    try:
        return Source(name, _text(content), folder), []
    except UnicodeDecodeError as error:
        source = Source(name, _text(content, errors="replace"), folder)
        at = len(_text(content[: error.start]))
        message = f"the file is not UTF-8: byte 0x{content[error.start]:02X} at offset {error.start:,}"
        return None, [Diagnostic("E014", message, Span(source, at, at + 1), "save it as UTF-8")]


def _text(content: bytes, errors: str = "strict") -> str:
    """Decoded, without a byte-order mark, lines ended by `\\n`."""
    text = content.decode("utf-8", errors).removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse(source: Source) -> tuple[Program | None, list[Diagnostic]]:
    """The program of a source, and every syntax error (20 at most) and lint in it, in order of place.

    The program holds the statements that parsed; it is None if the search for errors was given up.
    """
    parsing = _Parsing(source)
    program = parsing.run()
    diagnostics = sorted(parsing.diagnostics, key=lambda diagnostic: diagnostic.span.start)
    if program is None:
        note = f"no more than {MOST_ERRORS} syntax errors are looked for"
        diagnostics[-1] = replace(diagnostics[-1], notes=(*diagnostics[-1].notes, note))
    return program, diagnostics


def tokens(source: Source) -> list[Token]:
    """The tokens of a source, comments among them."""
    return scan(_grammar().pattern, source.text)


def allowed_codes(source: Source) -> set[str]:
    """The codes that comments such as `# gnn: allow W210` silence, in the whole file."""
    if "gnn:" not in source.text:
        return set()
    comments = (token.text for token in scan(_grammar().pattern, source.text) if token.kind == "comment")
    allowed = (_ALLOW.match(comment) for comment in comments)
    return {code for match in allowed if match for code in _CODE.findall(match.group(1))}


# ------------------------------------------------------------------ the grammar


class _TooDeep(Exception):
    """A piece of the tree nests too deeply; `start` is the offset where it starts."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.start = start


_LEVELS = frozenset({
    "conditional", "or_", "and_", "not_", "compare", "range_", "union", "intersection", "binary", "power", "negative",
    "reverse", "member", "call", "select", "list", "repeat_stmt", "block_decl",
})  # fmt: skip


class _Piece(lark.Tree[Any]):
    """A tree that counts its levels as it grows, so that a chain of any length is refused at once."""

    def __init__(self, data: str, children: list[Any], meta: Any = None) -> None:
        super().__init__(data, children, meta)
        pieces = [child for child in children if isinstance(child, _Piece)]
        self.depth: int = max((piece.depth for piece in pieces), default=0) + (data in _LEVELS)
        if self.depth > MAX_NESTING:
            raise _TooDeep(max(pieces, key=lambda piece: piece.depth).meta.start_pos)


class _UncheckedLexer(ContextualLexer):
    """Leaves out Lark's search for terminals that overlap, which takes longer than parsing; a test does it instead."""

    def __init__(self, conf: Any, states: Any, always_accept: Any = ()) -> None:
        conf.skip_validation = True
        super().__init__(conf, states, always_accept)


@dataclass(frozen=True)
class _Grammar:
    """Lark's parser, the pattern of all tokens, and every terminal in the words of the language."""

    parser: lark.Lark
    pattern: re.Pattern[str]
    words: dict[str, str]


_KINDS = {
    "NAME": ("name", mistakes.A_NAME),
    "WORD": (None, mistakes.A_NAME),
    "KEY": (None, mistakes.AN_OPTION),
    "INT": ("integer", mistakes.AN_INTEGER),
    "FLOAT": ("real", mistakes.A_NUMBER),
    "STRING": ("string", mistakes.A_STRING),
    "COMMENT": ("comment", "a comment"),
    "BLANK": ("blank", "a blank"),
}


def grammar_file() -> Path:
    """The grammar: inside an installed package, else in the folder `grammar` beside the package."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "grammar" / "gnn.lark"
    return packaged if packaged.is_file() else package.parent / "grammar" / "gnn.lark"


@functools.cache
def _grammar() -> _Grammar:
    parser = lark.Lark(
        grammar_file().read_text(encoding="utf-8"),
        parser="lalr",
        lexer="contextual",
        propagate_positions=True,
        tree_class=_Piece,
        _plugins={"ContextualLexer": _UncheckedLexer},
    )
    words = {"$END": mistakes.THE_END}
    patterns: defaultdict[str, list[str]] = defaultdict(list)
    for terminal in sorted(parser.terminals, key=lambda t: (-t.priority, -t.pattern.max_width, t.name)):
        kind, words[terminal.name] = _kind_and_word(terminal)
        if kind is not None:
            patterns[kind].append(terminal.pattern.to_regexp())
    return _Grammar(parser, _pattern(patterns), words)


def _kind_and_word(terminal: Any) -> tuple[str | None, str]:
    if isinstance(terminal.pattern, PatternStr):
        return "sign", terminal.pattern.value
    return _KINDS[terminal.name] if terminal.name in _KINDS else ("keyword", terminal.pattern.value.split("(")[0])


def _pattern(patterns: Mapping[str, list[str]]) -> re.Pattern[str]:
    order = ["blank", "comment", "name", "keyword", "real", "integer", "string", "sign"]
    groups = [f"(?P<{kind}>{'|'.join(patterns[kind])})" for kind in order]
    groups.append(r"""(?P<open_string>"(?:\\.|[^"\\\n])*\\?|'(?:\\.|[^'\\\n])*\\?)""")
    groups.append(r"(?P<unknown>[\s\S])")
    return re.compile("|".join(groups))


# ------------------------------------------------------------------ parsing with bad statements set aside


class _Parsing:
    """The text and its tokens as far as they are not set aside, and what has been found wrong."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._grammar = _grammar()
        self._text = source.text
        self._with_comments = scan(self._grammar.pattern, source.text)
        self._tokens = without_comments(self._with_comments)
        self.diagnostics: list[Diagnostic] = []

    def run(self) -> Program | None:
        found = list(lexical_mistakes(self._source, self._tokens))
        self.diagnostics += found[:MOST_ERRORS]
        for diagnostic in found:
            self._set_aside(innermost(self._statements, diagnostic.span.start))
        tree = self._tree()
        if tree is None:
            return None
        self._warn(tree)
        return build(tree, self._source, *doc_comments(self._with_comments, self._source.text))

    @functools.cached_property
    def _statements(self) -> list[Extent]:
        return extents(without_comments(self._with_comments))

    def _set_aside(self, extent: Extent) -> None:
        start, end = extent.start, extent.end
        self._text = self._text[:start] + _BLANK_OUT.sub(" ", self._text[start:end]) + self._text[end:]
        self._tokens = [token for token in self._tokens if not start <= token.start < end]

    def _tree(self) -> _Piece | None:
        while len(self.diagnostics) < MOST_ERRORS:
            try:
                tree = self._grammar.parser.parse(self._text)
            except lark.UnexpectedInput as error:
                self._refuse(error)
            except _TooDeep as error:
                self.diagnostics.append(too_deep(Span(self._source, error.start, error.start + 1)))
                self._set_aside(innermost(self._statements, error.start))
            else:
                assert isinstance(tree, _Piece)
                return tree
        return None

    def _refuse(self, error: lark.UnexpectedInput) -> None:
        at_end = isinstance(error, lark.UnexpectedToken) and error.token.type == "$END"
        position = len(self._text) if at_end else error.pos_in_stream or 0
        # the parser may stop inside a token, at the second half of `let a == 3`
        index = bisect.bisect_right(self._tokens, position, key=lambda token: token.end)
        surprise = self._surprise(index)
        self.diagnostics.append(mistakes.explain(surprise))
        left = len(self._tokens)
        for extent in to_blame(surprise, self._tokens[index:], self._statements):
            self._set_aside(extent)
        if len(self._tokens) == left:
            self._set_aside(Extent(0, len(self._text), ""))

    def _surprise(self, index: int) -> mistakes.Surprise:
        token = self._tokens[index] if index < len(self._tokens) else None
        before = self._tokens[:index]
        opened = open_brackets(before)
        end = len(self._text.rstrip())
        return mistakes.Surprise(
            source=self._source,
            token=token,
            span=Span(self._source, token.start, token.end) if token else Span(self._source, end, end),
            accepted=self._accepted(token.start if token else len(self._text)),
            before=before,
            opened=opened,
            unclosed=not set(opened).isdisjoint(open_brackets(self._tokens)),
            starts_statement=token is not None and self._starts_statement(token),
            cut=end < len(self._source.text.rstrip()),
        )

    def _starts_statement(self, token: Token) -> bool:
        return token.start > self._tokens[0].start and any(s.start == token.start for s in self._statements)

    def _accepted(self, position: int) -> frozenset[str]:
        """What may follow the text up to a position: asked before the next token lets the parser forget some of it."""
        state: Any = self._grammar.parser.parse_interactive(self._text[:position])
        state.exhaust_lexer()
        return frozenset(self._grammar.words[name] for name in state.accepts())

    def _warn(self, tree: _Piece) -> None:
        if "W010" in allowed_codes(self._source):
            return
        values = [(piece.meta.start_pos, piece.meta.end_pos) for piece in tree.find_data("option")]
        self.diagnostics += glued_operators(self._source, self._tokens, sorted(values))
