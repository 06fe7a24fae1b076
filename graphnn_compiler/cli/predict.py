"""`gnnc predict`: what a model says of data, with keys, class names and probabilities.

Input: parsed arguments. Output: an `.npz`, CSV or Parquet file, by its ending. Not for: targets; training.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from numpy.typing import NDArray

from graphnn_compiler.cli import output
from graphnn_compiler.cli.arrays import samples_of
from graphnn_compiler.cli.programs import about, data_files, plan_of_model, shown
from graphnn_compiler.diagnostics import count, size_text
from graphnn_compiler.evaluation.table_files import write_csv, write_parquet
from graphnn_compiler.samples.reading import split_name
from graphnn_compiler.topology.npy import write_npz

_TABLES = {".csv": write_csv, ".parquet": write_parquet}


def predict(arguments: argparse.Namespace) -> int:
    """0, or an exception for anything that is wrong."""
    ending = Path(arguments.output).suffix.lower()
    if ending not in (".npz", *_TABLES):
        message = f"`{arguments.output}` is not named as an .npz, .csv or .parquet file"
        raise output.UsageError(message, help="the ending says what is written")
    output.require_destination(arguments.output, [arguments.model, *arguments.data])
    plan, values = plan_of_model(arguments.model, arguments)
    read = [split_name(plan, name)[1] for name in arguments.data]
    output.require_destination(arguments.output, [*read, *data_files(arguments.model, plan)])
    with about(arguments.data[0] if arguments.data else shown(arguments.model)):
        options = {"index": arguments.index, "missing": arguments.missing}
        samples = samples_of(plan, arguments.data, targets=False, **options)
    for note in samples.notes:
        output.say(note)
    from graphnn_compiler.evaluation.predictions import as_arrays, as_table, predictions
    from graphnn_compiler.network import Network

    network = Network(plan, values)
    results = network.predict(samples.inputs, arguments.batch_size)
    outputs = results if isinstance(results, dict) else {network.outputs[0]: results}
    found = predictions(plan, outputs)
    if ending == ".npz":
        arrays = as_arrays(found, outputs, samples.labels, samples.label)
        output.write_file(arguments.output, lambda stream: write_npz(stream, arrays))
    else:
        try:
            with about(arguments.output):
                columns = as_table(found, samples.labels, samples.label)
        except ValueError as error:
            raise output.UsageError(str(error), help="write them to an .npz file") from None
        _write_table(arguments.output, columns, _TABLES[ending])
    size = size_text(Path(arguments.output).stat().st_size)
    output.say(f"wrote {arguments.output} ({count(len(outputs), 'output')}, {size})")
    return 0


def _write_table(
    path: str, columns: Mapping[str, NDArray], write: Callable[[BinaryIO, Mapping[str, NDArray]], None]
) -> None:
    output.write_file(path, lambda stream: write(stream, columns))
