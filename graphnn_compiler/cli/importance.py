"""`gnnc importance`: how much units or edges contribute to an output of a model, over data.

Input: parsed arguments. Output: a table with keys, as CSV or Parquet by its ending. Not for: what is computed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graphnn_compiler.cli import output
from graphnn_compiler.cli.arrays import samples_of
from graphnn_compiler.cli.programs import about, data_files, plan_of_model, shown
from graphnn_compiler.diagnostics import count, size_text
from graphnn_compiler.importance import EdgeImportance, UnitImportance, edge_importance, unit_importance
from graphnn_compiler.importance.results import WRITERS
from graphnn_compiler.network import Network
from graphnn_compiler.samples.reading import split_name

_NOTABLE = 0.02
"""A larger share of the difference that the steps miss is told."""


def importance(arguments: argparse.Namespace) -> int:
    """0, or an exception for anything that is wrong."""
    ending = Path(arguments.output).suffix.lower()
    if ending not in WRITERS:
        message = f"`{arguments.output}` is not named as a .csv or .parquet file"
        raise output.UsageError(message, help="the ending says what is written")
    if arguments.method != "integrated":
        for option in ("steps", "baseline"):
            if vars(arguments)[option] is not None:
                raise output.UsageError(f"`--{option}` is of integrated gradients", help="add --method integrated")
    output.require_destination(arguments.output, [arguments.model, *arguments.data])
    plan, values = plan_of_model(arguments.model, arguments)
    read = [split_name(plan, name)[1] for name in arguments.data]
    output.require_destination(arguments.output, [*read, *data_files(arguments.model, plan)])
    with about(arguments.data[0] if arguments.data else shown(arguments.model)):
        options = {"index": arguments.index, "missing": arguments.missing}
        samples = samples_of(plan, arguments.data, targets=False, **options)
    for note in samples.notes:
        output.say(note)
    with _usage():
        found = _measured(Network(plan, values), samples.inputs, arguments)
    output.write_file(arguments.output, lambda stream: WRITERS[ending](stream, found.columns()))
    output.say(f"wrote {arguments.output} ({_summary(found, Path(arguments.output))}")
    return 0


@contextmanager
def _usage() -> Iterator[None]:
    """Names and keys that are not there, as errors of usage."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise output.UsageError(str(error.args[0])) from error


def _measured(network: Network, inputs: Any, arguments: argparse.Namespace) -> UnitImportance | EdgeImportance:
    of, colon, key = (arguments.of or "").partition(":")
    options = {
        "of": of or None,
        "key": key if colon else None,
        "unit": arguments.unit,
        "method": arguments.method,
        "baseline": arguments.baseline or "zero",
        "steps": arguments.steps or 50,
        "batch_size": arguments.batch_size,
    }
    if arguments.edges is None:
        return unit_importance(network, inputs, arguments.layer, **options)
    layer, label = arguments.edges, None
    if layer not in network.plan.layer and "." in layer:
        layer, _, label = layer.rpartition(".")
    return edge_importance(network, layer, label, inputs, **options)


def _summary(found: UnitImportance | EdgeImportance, written: Path) -> str:
    rows = count(found.mean.size, "row")
    text = f"{rows}, {size_text(written.stat().st_size)}): {found.of} is {found.score:.6g} on average"
    text += f" over {count(found.n_samples, 'sample')}"
    if found.baseline_score is None or found.gap is None:
        return text
    text += f", {found.baseline_score:.6g} at the baseline"
    if abs(found.gap) > _NOTABLE * abs(found.score - found.baseline_score):
        text += f"; the steps miss {found.gap:.3g} of that difference, take more --steps"
    return text
