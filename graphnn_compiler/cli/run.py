"""`gnnc run`: the outputs of a model for the arrays in a file.

Input: parsed arguments. Output: an `.npz` file of arrays by output names, the same bytes for the same model and data;
where the data holds targets, losses and metrics on standard error. Not for: training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from graphnn_compiler.cli import output
from graphnn_compiler.cli.arrays import read_arrays
from graphnn_compiler.cli.programs import about, data_files, plan_of_model, shown
from graphnn_compiler.diagnostics import count, size_text
from graphnn_compiler.topology.npy import write_npz


def run(arguments: argparse.Namespace) -> int:
    """0, or an exception for anything that is wrong."""
    output.require_destination(arguments.output, [arguments.model, arguments.data])
    plan, values = plan_of_model(arguments.model, arguments)
    output.require_destination(arguments.output, data_files(arguments.model, plan))
    with about(arguments.data or shown(arguments.model)):
        inputs, targets = read_arrays(plan, arguments.data)
    from graphnn_compiler.network import Network

    network = Network(plan, values)
    results = network(inputs)
    arrays = results if isinstance(results, dict) else {network.outputs[0]: results}
    scores = network.evaluate(inputs, targets) if targets else {}
    output.write_file(arguments.output, lambda stream: write_npz(stream, arrays))
    size = size_text(Path(arguments.output).stat().st_size)
    output.say(f"wrote {arguments.output} ({count(len(arrays), 'output')}, {size})")
    if scores:
        output.say("  ".join(f"{name} {value:.4g}" for name, value in scores.items()))
    return 0
