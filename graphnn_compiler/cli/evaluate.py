"""`gnnc evaluate`: every loss and metric of a model on data, as a table or as JSON.

Input: parsed arguments. Output: a report on standard output or in a file. Not for: training.
"""

from __future__ import annotations

import argparse
import json

from graphnn_compiler.cli import output
from graphnn_compiler.cli.arrays import samples_of
from graphnn_compiler.cli.programs import about, data_files, plan_of_model, shown
from graphnn_compiler.samples.reading import split_name


def evaluate(arguments: argparse.Namespace) -> int:
    """0, or an exception for anything that is wrong."""
    if arguments.output is not None:
        output.require_destination(arguments.output, [arguments.model, *arguments.data])
    plan, values = plan_of_model(arguments.model, arguments)
    if arguments.output is not None:
        read = [split_name(plan, name)[1] for name in arguments.data]
        output.require_destination(arguments.output, [*read, *data_files(arguments.model, plan)])
    if not plan.objectives:
        help = "declare some, as in `metric acc = accuracy(y, truth)`"
        raise output.UsageError(f"`{shown(arguments.model)}` has no loss and no metric to evaluate", help=help)
    with about(arguments.data[0] if arguments.data else shown(arguments.model)):
        options = {"index": arguments.index, "missing": arguments.missing}
        samples = samples_of(plan, arguments.data, targets=True, **options)
    for note in samples.notes:
        output.say(note)
    from graphnn_compiler.evaluation.reports import report_text
    from graphnn_compiler.network import Network

    data = Network(plan, values).report(samples.inputs, samples.targets, arguments.batch_size)
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n" if arguments.json else report_text(data)
    if arguments.output is None:
        output.write_result(text)
    else:
        output.write_text_file(arguments.output, text)
        output.say(f"wrote {arguments.output}")
    return 0
