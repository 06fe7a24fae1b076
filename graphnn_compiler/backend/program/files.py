"""A printed program as its two files.

Input: a module and a folder. Output: NAME.npz and NAME.py, each whole or not at all, the arrays before the text that
reads them. Not for: printing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from numpy.typing import NDArray

from graphnn_compiler.backend.program.code import identifier
from graphnn_compiler.backend.program.module import Comments, Module, Unprintable, print_module
from graphnn_compiler.backend.program.targets import TARGETS, TargetName
from graphnn_compiler.diagnostics import GnnError
from graphnn_compiler.files import replace_file
from graphnn_compiler.topology.npy import write_npz
from graphnn_compiler.topology.plan import Plan


def module_name(text: str) -> str:
    """A name that `import` takes, made of the name of a file or a program."""
    return identifier(text) if text else "network"


def write_module(module: Module, folder: Path, name: str) -> Path:
    """Write both files into a folder, which is made if it is not there; the path of the text. OSError if that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / f"{name}.py"
    replace_file(text.with_suffix(".npz"), lambda stream: write_npz(stream, module.arrays))

    def write(stream: BinaryIO) -> None:
        stream.write(module.text.encode("utf-8"))

    replace_file(text, write)
    return text


def write_program(
    plan: Plan, values: Mapping[str, NDArray], folder: Path, target: TargetName, name: str, comments: Comments | None
) -> Path:
    """Print a plan and write both files; the path of the text.

    ValueError for a target or module name that there cannot be, GnnError (E550, E551) for what the target lacks,
    OSError where a file cannot be written.
    """
    if target not in TARGETS:
        raise ValueError(f"there is no target `{target}`; there are {', '.join(TARGETS)}")
    if module_name(name) != name:
        raise ValueError(f"a module cannot be named `{name}`; `{module_name(name)}` would do")
    try:
        module = print_module(plan, values, target, name, comments)
    except Unprintable as refusal:
        program = plan.provenance.source_name or "<program>"
        found = [problem.about(f"{program}, `{owner}`") for owner, problem in refusal.problems]
        raise GnnError(found) from None
    return write_module(module, folder, name)
