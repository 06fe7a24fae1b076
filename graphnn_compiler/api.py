"""The Python API: `build`, `check`, `load`, `read_samples`.

Input: a program as a path or as text. Output: a `Network`, or diagnostics. The edge at which collected errors become
one `GnnError`. Not for: printing, arguments of a command line.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from graphnn_compiler import compiler
from graphnn_compiler.building.declarations import Statement
from graphnn_compiler.building.program import Program, program_of
from graphnn_compiler.diagnostics import Diagnostic, GnnError, Problem, render
from graphnn_compiler.language.parser import load_source
from graphnn_compiler.model.parameters import Given
from graphnn_compiler.source import Source

if TYPE_CHECKING:
    from graphnn_compiler.network import Network
    from graphnn_compiler.samples.reading import Samples


class GnnWarning(UserWarning):
    """A lint about a program that builds all the same; `# gnn: allow CODE` in the program silences it."""


def build(
    program: str | os.PathLike[str] | Program | Statement,
    *,
    params: Mapping[str, Given] | None = None,
    data: Mapping[str, object] | None = None,
    seed: int = 0,
    dtype: Literal["float32", "float64"] = "float32",
    max_edges: int | None = None,
    max_bytes: int | None = None,
    mode: Any = None,
    null: int = 0,
    null_keep: Literal["both_degrees", "in_degree"] = "both_degrees",
) -> Network:
    """Compile a program to a network.

    `program` is the path of a `.gnn` file, a program's text (a string with a line break or a brace), or one that was
    written in Python: a `Program`, or its only output. `params` are
    values of its `param`s; `data` are objects that replace its reads by declared name (a NetworkX graph, a SciPy or
    NumPy matrix, arrays), whose files are then not opened. `seed` is that of every random rule and start value without
    one of its own: equal seed, program and data give byte-identical edge arrays and start values. `max_edges` limits
    each edge set, `max_bytes` the parameters and edge arrays together. `mode` is the PyTensor mode of calls.
    With `null` = 1, 2, .. it is the null model of that number: its edges are shuffled as the rule `shuffled` does, and
    keep what `null_keep` says; its random rules are those of `seed`, its start values those that `seed + null` draws.

    Raises GnnError with every diagnostic, OSError where the program cannot be read. Lints are `GnnWarning`s.
    """
    from graphnn_compiler.network import Network

    if null < 0:
        raise ValueError(f"null models have the numbers 1, 2 and so on, not {null}")
    bound = {**_given_objects(program), **(data or {})}
    settings = compiler.Settings(params or {}, bound, seed, dtype, max_edges, max_bytes, null, null_keep)
    compiled = compiler.compile_plan(source_of(program), settings)
    _raise_errors(compiled.diagnostics)
    assert compiled.resolution is not None
    for diagnostic in compiled.diagnostics:
        warnings.warn(render(diagnostic), GnnWarning, stacklevel=2)
    comments = compiler.author_comments(compiled.checked)
    return Network(compiled.resolution.plan, compiled.resolution.values, mode, comments)


def check(
    program: str | os.PathLike[str] | Program | Statement, *, params: Mapping[str, Given] | None = None
) -> list[Diagnostic]:
    """Everything that is wrong with a program, errors and lints, without opening its data files.

    `program` is as in `build`. Raises OSError where it cannot be read.
    """
    try:
        source = source_of(program)
    except GnnError as error:
        return list(error.diagnostics)
    return list(compiler.analyse(source, params).diagnostics)


def load(path: str | os.PathLike[str], *, mode: Any = None, max_bytes: int = 16 << 30) -> Network:
    """The network in a `.gnnz` file that `Network.save` or `gnnc build` wrote.

    At most `max_bytes` of arrays are read, 16 GiB by default. Raises GnnError where the file cannot be
    read, is damaged, of another kind or larger.
    """
    from graphnn_compiler.archive import load as load_archive
    from graphnn_compiler.network import Network

    path = Path(path)
    try:
        plan, values = load_archive(path, max_bytes=max_bytes)
    except Problem as problem:
        raise GnnError([problem.about(str(path))]) from None
    return Network(plan, values, mode=mode)


def read_samples(
    network: Network,
    *files: str | os.PathLike[str],
    index: str | None = None,
    missing: Literal["mean", "zero", "drop"] | None = None,
) -> Samples:
    """Inputs and targets of a network from files, as the option --data of the commands takes them.

    A file is an `.npz`, an `.npy`, a SciPy sparse matrix, or a `.csv`, `.tsv` or `.parquet` table, whose columns are
    found by the keys of units; `NAME=FILE` gives it to a single input or target. `index` is the column that labels
    samples, `missing` what becomes of missing cells of a table. The result has `inputs` and `targets`, mappings by name
    for `fit`, `evaluate` and `predict`, the `labels`, and in `notes` what was left out. Raises GnnError for what does
    not fit (E280 to E288), ValueError for another kind of file, OSError for one that cannot be read.
    """
    from graphnn_compiler.samples.reading import FORMATS, split_name
    from graphnn_compiler.samples.reading import read_samples as read
    from graphnn_compiler.topology.readers.text_files import format_of

    names = [os.fspath(file) for file in files]
    for name in names:
        path = Path(split_name(network.plan, name)[1])
        if format_of(path) not in FORMATS:
            raise ValueError(f"`{path}` is not named as one of {', '.join(FORMATS)}")
        path.stat()
    try:
        return read(network.plan, names, index=index, missing=missing)
    except Problem as problem:
        raise GnnError([problem.about(names[0] if names else network.plan.provenance.source_name)]) from None


def _given_objects(program: object) -> Mapping[str, object]:
    """The objects in a program that was written in Python, by name."""
    return program_of(program).data if isinstance(program, Program | Statement) else {}


def source_of(program: str | os.PathLike[str] | Program | Statement) -> Source:
    """The text of a program as `build` takes it. GnnError for a text that cannot be read, OSError for a file."""
    if isinstance(program, Program | Statement):
        return program_of(program).source
    if isinstance(program, str) and ("\n" in program or "{" in program):
        return Source("<program>", program, Path())
    source, problems = load_source(Path(program))
    _raise_errors(problems)
    assert source is not None
    return source


def _raise_errors(diagnostics: tuple[Diagnostic, ...] | list[Diagnostic]) -> None:
    if any(diagnostic.severity == "error" for diagnostic in diagnostics):
        raise GnnError(diagnostics)
