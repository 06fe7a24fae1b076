"""Program text to its canonical text.

Input: a `Source`. Output: the text, or nothing and the syntax errors. Not for: files.
"""

from __future__ import annotations

from graphnn_compiler.diagnostics import Diagnostic
from graphnn_compiler.language.parser import parse, tokens
from graphnn_compiler.language.printer import canonical
from graphnn_compiler.source import Source


def formatted(source: Source) -> tuple[str | None, list[Diagnostic]]:
    """The canonical text of a program, which parses to an equal tree, and its lints; None if it has syntax errors."""
    program, diagnostics = parse(source)
    if program is None or any(diagnostic.severity == "error" for diagnostic in diagnostics):
        return None, diagnostics
    text = canonical(program, tokens(source))
    again, _ = parse(Source(source.name, text, source.folder))
    assert again == program, "the canonical text says something else"
    return text, diagnostics
