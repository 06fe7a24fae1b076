"""`gnnc check`: what is wrong with programs, and with their data.

Input: parsed arguments. Output: diagnostics on standard error, or as JSON on standard output. With `--no-data` neither
NumPy nor any other library for numbers is imported. Not for: emission.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from graphnn_compiler import compiler
from graphnn_compiler.cli import output
from graphnn_compiler.cli.programs import read_program, settings, shown
from graphnn_compiler.diagnostics import Diagnostic, GnnError, to_json


def check(arguments: argparse.Namespace) -> int:
    """0 if no file has an error, 1 if one has, 2 if one cannot be read; the others are checked all the same."""
    found: list[Diagnostic] = []
    status = 0
    for name in arguments.files:
        try:
            diagnostics = _diagnostics(name, arguments)
        except output.UsageError as error:
            output.complain(error.message, error.help)
            status = 2
            continue
        found += diagnostics
        if not arguments.json:
            output.show(diagnostics)
        output.say(output.tally(diagnostics, shown(name)))
        if any(diagnostic.severity == "error" for diagnostic in diagnostics):
            status = max(status, 1)
    if arguments.json:
        output.write_json(to_json(found))
    return status


def _diagnostics(name: str, arguments: argparse.Namespace) -> Sequence[Diagnostic]:
    chosen = settings(arguments)
    try:
        source = read_program(name)
    except GnnError as error:
        return error.diagnostics
    if arguments.no_data:
        return compiler.analyse(source, chosen.params).diagnostics
    return compiler.compile_plan(source, chosen).diagnostics
