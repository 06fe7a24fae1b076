"""`gnnc build`: a program to a saved model, or to one of the forms between.

Input: parsed arguments. Output: a file, or text on standard output. A build makes the network and its formulas, so
that whatever a backend refuses is found now; it does not compile them, which a run does for its own batch. Not for:
running.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from graphnn_compiler import compiler
from graphnn_compiler.cli import output
from graphnn_compiler.cli.output import UsageError
from graphnn_compiler.cli.programs import (
    STDIN,
    about,
    accepted,
    compilation,
    compiled,
    data_files,
    read_program,
    require_file,
    settings,
)
from graphnn_compiler.diagnostics import count, size_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphnn_compiler.topology.plan import Plan

_SUFFIXES = {None: ".gnnz", "npz": ".npz"}


def build(arguments: argparse.Namespace) -> int:
    """0, or an exception for anything that is wrong."""
    if arguments.emit == "python":
        _write_program(arguments)
        return 0
    if arguments.target is not None:
        raise UsageError("`--target` is of `--emit python` only", help="add --emit python, or leave --target out")
    destination = _destination(arguments)
    match arguments.emit:
        case "ast" | "model" | "plan":
            with compiler.room_for_nesting():
                text = _text(arguments)
            _write_text(text, destination)
        case "npz":
            _write_arrays(arguments, destination)
        case _:
            _write_model(arguments, destination)
    return 0


def _destination(arguments: argparse.Namespace) -> str | None:
    """Where to write, None for standard output."""
    name, suffix = arguments.output, _SUFFIXES.get(arguments.emit)
    if arguments.file != STDIN:
        require_file(arguments.file)
    if suffix is None and name in (None, "-"):
        return None
    if name == "-":
        raise UsageError("a model or arrays are not written to standard output", help="name a file with -o")
    if name is None:
        if arguments.file == STDIN:
            raise UsageError("a program from standard input has no name to make another of", help="add -o OUT")
        name = str(_renamed(Path(arguments.file), suffix or ""))
    output.require_destination(name, [None if arguments.file == STDIN else arguments.file])
    return str(name)


def _renamed(program: Path, suffix: str) -> Path:
    return program.with_suffix(suffix) if program.suffix == ".gnn" else program.with_name(program.name + suffix)


# ------------------------------------------------------------------ text


def _text(arguments: argparse.Namespace) -> str:
    if arguments.emit == "plan":
        from graphnn_compiler.topology.plan_text import dump as plan_text

        return plan_text(compiled(arguments.file, arguments)[0])
    if arguments.emit == "ast":
        from graphnn_compiler.language.dump import dump as syntax_text
        from graphnn_compiler.language.parser import parse

        program, problems = parse(read_program(arguments.file))
        accepted(tuple(problems))
        assert program is not None
        return syntax_text(program)
    from graphnn_compiler.model.dump import dump as model_text

    checked = compiler.analyse(read_program(arguments.file), settings(arguments).params)
    accepted(checked.diagnostics)
    assert checked.model is not None
    return model_text(checked.model)


def _write_text(text: str, destination: str | None) -> None:
    if destination is None:
        output.write_result(text)
    else:
        output.write_text_file(destination, text)
        output.say(f"wrote {destination}")


# ------------------------------------------------------------------ files


def _write_arrays(arguments: argparse.Namespace, destination: str | None) -> None:
    from graphnn_compiler.topology.npy import write_npz
    from graphnn_compiler.topology.plan_arrays import edge_arrays

    assert destination is not None
    plan, values = compiled(arguments.file, arguments)
    output.require_destination(destination, data_files(arguments.file, plan))
    arrays = edge_arrays(plan, values)
    output.write_file(destination, lambda stream: write_npz(stream, arrays))
    output.say(f"wrote {destination} ({count(len(arrays), 'array')}, {size_text(Path(destination).stat().st_size)})")


def _write_program(arguments: argparse.Namespace) -> None:
    """A module and its arrays, in a folder that is made if it is not there."""
    from graphnn_compiler.backend.program.files import module_name, write_module

    if arguments.file != STDIN:
        require_file(arguments.file)
    if arguments.output in (None, STDIN):
        raise UsageError("a printed program is two files", help="name the folder for them with -o")
    folder = Path(arguments.output)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"`{folder}` is a file, not a folder", help="name the folder for the two files with -o")
    name = module_name("network" if arguments.file == STDIN else Path(arguments.file).stem)
    made = compilation(arguments.file, arguments)
    assert made.resolution is not None
    if folder.is_dir():
        for suffix in (".py", ".npz"):
            sources = [arguments.file, *data_files(arguments.file, made.resolution.plan)]
            output.require_destination(str(folder / f"{name}{suffix}"), sources)
    module = compiler.printed(made, arguments.target or "pytensor", name)
    try:
        text = write_module(module, folder, name)
    except OSError as error:
        raise output.cannot_write(str(folder), error) from error
    arrays = f"{text.with_suffix('.npz').name} ({count(len(module.arrays), 'array')})"
    output.say(f"wrote {text} ({count(module.text.count(chr(10)), 'line')}) and {arrays}")


def _write_model(arguments: argparse.Namespace, destination: str | None) -> None:
    from graphnn_compiler.archive import save

    assert destination is not None
    plan, values = compiled(arguments.file, arguments)
    output.require_destination(destination, data_files(arguments.file, plan))
    _emit(plan, values)
    with about(destination):
        save(destination, plan, values)
    output.say(f"wrote {destination} ({_sizes(plan, Path(destination).stat().st_size)})")


def _emit(plan: Plan, values: Mapping[str, NDArray]) -> None:
    """Make every formula of the network, for inputs and targets of one sample, and forget them."""
    import numpy as np

    from graphnn_compiler.network import Network
    from graphnn_compiler.topology.comparisons import has_scores

    network = Network(plan, values)
    inputs = {node.name: np.zeros(node.units.shape, dtype=plan.dtype) for node in plan.inputs}
    targets = {
        target.name: np.zeros(target.shape, dtype=plan.dtype if target.n_classes is None else np.int64)
        for target in plan.targets
    }
    network.symbolic(inputs)
    for objective in plan.objectives:
        if not has_scores(objective.value):
            network.objective(objective.name, inputs, targets)


def _sizes(plan: Plan, n_bytes: int) -> str:
    from graphnn_compiler.topology.plan_summary import summary

    sizes = summary(plan)
    n_edges = sum(clause["edges"] for layer in sizes["layers"] for clause in layer["clauses"])
    parts = [count(len(plan.layers), "layer"), count(sizes["parameters"], "parameter"), count(n_edges, "edge")]
    return ", ".join([*parts, size_text(n_bytes)])
