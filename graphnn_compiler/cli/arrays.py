"""The samples that `gnnc run`, `evaluate`, `predict` and `train` read.

Input: a plan, and the names of files as they were given. Output: inputs and targets by name, each known to fit.
Raises `UsageError` for a file that cannot be read, `Problem` for what is in it. Not for: computing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from graphnn_compiler.cli.output import UsageError
from graphnn_compiler.cli.programs import require_file
from graphnn_compiler.samples.reading import FORMATS, Arrays, Samples, read_samples, split_name
from graphnn_compiler.samples.tables import Missing, is_table
from graphnn_compiler.topology.plan import Plan
from graphnn_compiler.topology.readers.text_files import format_of


def read_arrays(plan: Plan, name: str | None) -> tuple[Arrays, Arrays]:
    """The inputs, and the targets where the file holds any."""
    samples = samples_of(plan, [] if name is None else [name])
    return samples.inputs, samples.targets


def samples_of(
    plan: Plan,
    names: Sequence[str],
    *,
    index: str | None = None,
    missing: Missing | None = None,
    targets: bool | None = None,
    learn_classes: bool = False,
    mapped: bool = False,
) -> Samples:
    """What the files hold, as `read_samples`; UsageError for options that they have no use for."""
    files = [split_name(plan, name)[1] for name in names]
    for file in files:
        if format_of(Path(file)) not in FORMATS:
            known = ", ".join(FORMATS[:-1])
            message = f"`{file}` is not named as an {known} or {FORMATS[-1]} file"
            raise UsageError(message, help="save arrays with `numpy.savez`, a table as CSV")
        require_file(file)
    tables = [file for file in files if is_table(Path(file))]
    for option, value in (("--index", index), ("--missing", missing)):
        if value not in (None, "keep") and not tables:
            raise UsageError(f"`{option}` is of tables, and --data names none", help="leave it out")
    if missing == "drop" and len(files) > 1:
        message = "`--missing drop` leaves samples out of one file, and --data names several"
        raise UsageError(message, help="put the columns into one table, or name another policy")
    return read_samples(
        plan, names, index=index, missing=missing, targets=targets, learn_classes=learn_classes, mapped=mapped
    )
