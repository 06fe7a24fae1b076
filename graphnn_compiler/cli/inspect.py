"""`gnnc inspect`: the sizes of a saved model or of a program, as a table or as JSON.

Input: parsed arguments. Output: text on standard output. Not for: building.
"""

from __future__ import annotations

import argparse

from graphnn_compiler.cli import output
from graphnn_compiler.cli.programs import plan_of_model
from graphnn_compiler.topology.plan_summary import summary, summary_text


def inspect(arguments: argparse.Namespace) -> int:
    """0, or an exception for anything that is wrong."""
    plan, _ = plan_of_model(arguments.model, arguments)
    if arguments.json:
        output.write_json(summary(plan))
    else:
        output.write_result(summary_text(plan))
    return 0
