"""`gnnc train --null N`: null models of a program, trained beside it, and the report.

Input: parsed arguments, the training of the program itself and its history. Output: a table on standard output, and a
file of JSON if asked for. Not for: shuffling, comparing.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

from graphnn_compiler import compiler
from graphnn_compiler.cli import output
from graphnn_compiler.cli.output import UsageError
from graphnn_compiler.cli.programs import STDIN, about, is_saved, read_program, settings
from graphnn_compiler.cli.progress import null_progress
from graphnn_compiler.diagnostics import GnnError
from graphnn_compiler.network import Network
from graphnn_compiler.source import Source
from graphnn_compiler.topology.resolve import Resolution
from graphnn_compiler.training import History
from graphnn_compiler.training.loop import Training
from graphnn_compiler.training.null import NullReport, null_report, share_moved


def check_null_options(arguments: argparse.Namespace) -> None:
    """UsageError where null models cannot be made of what is named."""
    if arguments.null is None:
        for option in ("--null-keep", "--null-report"):
            if vars(arguments)[option[2:].replace("-", "_")] is not None:
                raise UsageError(f"`{option}` is of null models", help="add --null N")
    elif arguments.model == STDIN:
        raise UsageError("null models are built from a program again and again, and standard input is read once",
                         help="name a file")  # fmt: skip
    elif is_saved(arguments.model):
        message = f"null models begin with new weights, and `{arguments.model}` has been built already"
        raise UsageError(message, help="name the program that it was built from")
    elif arguments.warm_start is not None:
        message = "null models begin with weights of their own, and `--warm-start` would favour the real wiring"
        raise UsageError(message, help="leave one of the two out")


def compare_null_models(arguments: argparse.Namespace, run: Training, history: History) -> None:
    """Train null models as the network was trained, and write what its wiring is worth."""
    source, ended, moved = read_program(arguments.model), [], []
    with null_progress(arguments.null) as tell:
        for number in range(1, arguments.null + 1):
            resolution = _null_model(arguments, source, number)
            moved.append(share_moved(run.network.plan, resolution.plan))
            try:
                ended.append(_trained(arguments, run, resolution, number))
            except KeyboardInterrupt:
                output.say(
                    f"interrupted: {number - 1} of {arguments.null} null models were trained; no report is written"
                )
                raise
            tell(number)
    _write(arguments, null_report(run.network.plan, history, ended, moved))


def _null_model(arguments: argparse.Namespace, source: Source, number: int) -> Resolution:
    asked = replace(settings(arguments), null=number, null_keep=arguments.null_keep or "both_degrees")
    compiled = compiler.compile_plan(source, asked)
    if compiled.resolution is None:
        raise GnnError(compiled.diagnostics)
    return compiled.resolution


def _trained(arguments: argparse.Namespace, run: Training, resolution: Resolution, number: int) -> History:
    plan = replace(resolution.plan, targets=run.network.plan.targets)  # with the classes that the data has
    alone = replace(run.settings, checkpoint=None, resume=False, on_epoch=None, on_step=None)
    with about(f"{arguments.model}, null model {number}"):
        return Training(Network(plan, resolution.values), run.data, alone).run()


def _write(arguments: argparse.Namespace, report: NullReport) -> None:
    output.write_result(str(report))
    if arguments.null_report is not None:
        data = {**report.data(), "keep": arguments.null_keep or "both_degrees"}
        output.write_text_file(arguments.null_report, json.dumps(data, indent=2, allow_nan=False) + "\n")
