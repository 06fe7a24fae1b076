"""`gnnc fmt`: programs in canonical form.

Input: parsed arguments. Output: changed files, or a difference or the text of standard input on standard output. A
file with syntax errors is left alone. Not for: what the form is (see `language.printer`).
"""

from __future__ import annotations

import argparse
import difflib

from graphnn_compiler.cli import output
from graphnn_compiler.cli.programs import STDIN, read_program, shown
from graphnn_compiler.compiler import room_for_nesting
from graphnn_compiler.diagnostics import GnnError
from graphnn_compiler.language.formatting import formatted


def fmt(arguments: argparse.Namespace) -> int:
    """0 if all is well, 1 if a file has syntax errors or `--check` finds one to change, 2 if one cannot be read."""
    status = 0
    for name in arguments.files:
        try:
            changed = _format(name, arguments)
        except output.UsageError as error:
            output.complain(error.message, error.help)
            status = 2
        except GnnError as error:
            output.report(error.diagnostics)
            status = max(status, 1)
        else:
            if changed and arguments.check:
                output.say(f"{shown(name)} would change")
                status = max(status, 1)
    return status


def _format(name: str, arguments: argparse.Namespace) -> bool:
    """Format one file as the options say; whether its text is not the canonical one."""
    source = read_program(name)
    with room_for_nesting():
        text, diagnostics = formatted(source)
    if text is None:
        raise GnnError(diagnostics)
    output.show(diagnostics)
    changed = text != source.text
    if arguments.diff and changed:
        output.write_result(_difference(shown(name), source.text, text))
    if arguments.check or arguments.diff:
        return changed
    if name == STDIN:
        output.write_result(text)
    elif changed:
        output.write_text_file(name, text.replace("\n", _line_ending(name)))
        output.say(f"formatted {name}")
    return changed


def _line_ending(name: str) -> str:
    """That of a file's first line, which the whole file keeps."""
    with open(name, "rb") as stream:
        return "\r\n" if stream.readline().endswith(b"\r\n") else "\n"


def _difference(name: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(_lines(before), _lines(after), name, f"{name} (formatted)")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    """With their endings. `splitlines` would end lines at characters that a program may hold in strings."""
    lines = [f"{line}\n" for line in text.split("\n")]
    return [*lines[:-1], lines[-1][:-1]] if lines[-1] != "\n" else lines[:-1]
