"""Expressions as documents: the fewest parentheses, numbers as they were written, comments kept between arguments.

Input: expression nodes, and the weaver of the text that they were parsed from. Output: documents for `layout`. Not for:
statements.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from graphnn_compiler.language import nodes as n
from graphnn_compiler.language.layout import Break, Comment, Doc, Either, Group, Line, Nest
from graphnn_compiler.language.weaving import Weaver

_NUMBER = re.compile(r"[0-9]+(_[0-9]+)*(\.[0-9]+(_[0-9]+)*)?([eE][+-]?[0-9]+)?")
_EXPONENT = re.compile(r"e([+-]?)0*(\d)")
_GROUPED_FROM = 10_000

_LOWEST, _OR, _AND, _NOT, _COMPARISON, _RANGE, _UNION, _INTERSECTION, _SUM, _TERM, _UNARY, _POWER, _POSTFIX, _ATOM = (
    range(14)
)
_LEVELS = {
    "or": _OR, "and": _AND, "not": _NOT, "|": _UNION, "&": _INTERSECTION, "+": _SUM, "-": _SUM, "*": _TERM, "/": _TERM,
    "//": _TERM, "%": _TERM, "@": _TERM, "**": _POWER,
}  # fmt: skip


def quoted(text: str) -> str:
    """A string of the language, between double quotes."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    simple = {"\n": "\\n", "\t": "\\t", "\\": "\\\\", '"': '\\"'}
    if character in simple:
        return simple[character]
    code = ord(character)
    invisible = not character.isprintable() and code <= 0xFFFF and not 0xD800 <= code <= 0xDFFF
    return f"\\u{code:04x}" if invisible else character


def number(node: n.Number) -> str:
    """As it was written, if the node was parsed, else as short as it can be."""
    written = node.span.text
    if _NUMBER.fullmatch(written) and isinstance(node.value, int) == written.replace("_", "").isdecimal():
        digits = written.replace("_", "")
        if (int(digits) if isinstance(node.value, int) else float(digits)) == node.value:
            return written
    if isinstance(node.value, int):
        return f"{node.value:_}" if node.value >= _GROUPED_FROM else str(node.value)
    return _EXPONENT.sub(lambda match: f"e{match[1].strip('+')}{match[2]}", repr(node.value))


def _level(expr: n.Expr) -> int:
    """How tightly an expression binds."""
    match expr:
        case n.Conditional():
            return _LOWEST
        case n.Compare():
            return _COMPARISON
        case n.Range():
            return _RANGE
        case n.Unary(operator="not"):
            return _NOT
        case n.Unary():
            return _UNARY
        case n.Binary(operator=operator):
            return _LEVELS[operator]
        case n.Member() | n.Call() | n.Select():
            return _POSTFIX
        case _:
            return _ATOM


class ExpressionPrinter:
    """Makes documents of expressions, which must come in the order of the text."""

    def __init__(self, weaver: Weaver) -> None:
        self.weaver = weaver

    def doc(self, expr: n.Expr, level: int = _LOWEST) -> Doc:
        """An expression, in parentheses if it binds less tightly than `level`."""
        if _level(expr) < level:
            return Group(("(", Nest((Line(""), self._bare(expr))), Line(""), ")"))
        return self._bare(expr)

    def _bare(self, expr: n.Expr) -> Doc:
        match expr:
            case n.Name(id=word):
                return word
            case n.Number():
                return number(expr)
            case n.String(value=text):
                return quoted(text)
            case n.Boolean(value=value):
                return "true" if value else "false"
            case n.NoneValue():
                return "none"
            case n.ListExpr(items=items):
                return self._bracketed("[]", items, expr.span.start, expr.span.end)
            case n.Range(low=low, high=high):
                dots = ".." if min(_level(low), _level(high)) >= _UNARY else " .. "
                return (self.doc(low, _UNION), dots, self.doc(high, _UNION))
            case n.Unary(operator="not", operand=operand):
                return ("not ", self.doc(operand, _NOT))
            case n.Unary(operator=operator, operand=operand):
                return (operator, self.doc(operand, _UNARY))
            case n.Binary():
                return self._chain(expr)
            case n.Compare(operator=operator, left=left, right=right):
                return (self.doc(left, _RANGE), f" {operator} ", self.doc(right, _RANGE))
            case n.Conditional():
                return self._conditional(expr)
            case n.Member(base=base, name=name):
                return (self._base(base), f".{name}")
            case n.Call(function=function, arguments=arguments):
                head = self._base(function)
                return (head, self._bracketed("()", arguments, function.span.end, expr.span.end))
            case n.Select(base=base, index=index):
                return (self._base(base), Group(("[", Nest((Line(""), self.doc(index))), Line(""), "]")))

    def _base(self, expr: n.Expr) -> Doc:
        # `1.x` would be read as a number that ends in a point
        return ("(", number(expr), ")") if isinstance(expr, n.Number) else self.doc(expr, _POSTFIX)

    def _chain(self, expr: n.Binary) -> Doc:
        """Operators of one level, which break together, each at the start of its line."""
        if expr.operator == "**":
            return (self.doc(expr.left, _POSTFIX), " ** ", self.doc(expr.right, _UNARY))
        level = _level(expr)
        links: list[n.Binary] = []
        first: n.Expr = expr
        while isinstance(first, n.Binary) and _level(first) == level:
            links.append(first)
            first = first.left
        start = self.doc(first, level)
        parts = tuple((Line(), f"{link.operator} ", self.doc(link.right, level + 1)) for link in reversed(links))
        return Group((start, Nest(parts)))

    def _conditional(self, expr: n.Conditional) -> Doc:
        then = self.doc(expr.then, _OR)
        condition = (Line(), "if ", self.doc(expr.condition, _OR))
        return Group((then, Nest((condition, (Line(), "else ", self.doc(expr.otherwise, _OR))))))

    def _bracketed(self, brackets: str, items: Sequence[n.Expr | n.Argument], start: int, end: int) -> Doc:
        """Items between brackets: on the line, or all on the next, or one a line with a comma after each."""
        if not items:
            return brackets
        self.weaver.lift(start)
        parts: list[Doc] = []
        for item in items:
            parts += [Line()] if parts else []
            parts += [(words, Break()) for words, _ in self.weaver.before(item.span.start)]
            content, lifted = self.weaver.around(item.span.end, partial(self._item, item))
            parts += [(words, Break()) for words, _ in lifted]
            parts += [content, Either("", ",") if item is items[-1] else ","]
            comment = self.weaver.after(item.span.end)
            parts += [] if comment is None else [Comment(comment)]
        dangling = [(Break(), words) for words, _ in self.weaver.before(end)]
        return Group((brackets[0], Nest((Line(""), Group((*parts, *dangling)))), Line(""), brackets[1]))

    def _item(self, item: n.Expr | n.Argument) -> Doc:
        if not isinstance(item, n.Argument):
            return self.doc(item)
        return (f"{item.name} = " if item.name is not None else "", self.doc(item.value))
