"""Printed programs, written to folders and run in the environments of their targets.

Classic Theano needs a Python and a NumPy of its time: `./dev theano` makes an environment with them in `.venv-theano`
(or in GNN_THEANO_VENV). Without it the tests that need it are skipped; where GNN_THEANO is `required`, as in the gate,
they fail.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from graphnn_compiler.backend.program.module import Comments, print_module
from graphnn_compiler.backend.program.targets import TargetName
from graphnn_compiler.topology.npy import write_npz
from graphnn_compiler.topology.plan import Plan

ROOT = Path(__file__).parents[1]
RUNNER = Path(__file__).with_name("run_printed.py")
TARGET_NAMES: tuple[TargetName, ...] = ("pytensor", "theano")


def python_of(target: TargetName) -> str:
    """The interpreter that has the target."""
    if target == "pytensor":
        return sys.executable
    environment = Path(os.environ.get("GNN_THEANO_VENV") or ROOT / ".venv-theano")
    python = environment / "bin" / "python"
    if not python.exists():
        missing = f"there is no classic Theano in {environment}: `./dev theano` makes its environment"
        if os.environ.get("GNN_THEANO") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    return str(python)


def theano_flags(folder: Path) -> str:
    """Neither a BLAS to link with nor a C++ compiler is asked for."""
    return f"blas.ldflags=,cxx=,base_compiledir={folder / 'theano'}"


@cache
def _server(target: TargetName, python: str) -> subprocess.Popen[str]:
    """A process that runs programs one after another; it ends with this one, which closes its input."""
    flags = {"THEANO_FLAGS": theano_flags(Path(os.environ.get("TMPDIR", "/tmp")))} if target == "theano" else {}
    return subprocess.Popen(
        [python, "-I", str(RUNNER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **flags},
    )


def write_printed(
    plan: Plan, values: Mapping[str, NDArray], target: TargetName, folder: Path, comments: Comments | None = None
) -> str:
    """The program in a folder, as `network.py` and `network.npz`; its text."""
    module = print_module(plan, values, target, "network", comments)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.py").write_text(module.text, encoding="utf-8")
    with (folder / "network.npz").open("wb") as stream:
        write_npz(stream, module.arrays)
    return module.text


def run_printed(target: TargetName, folder: Path, given: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """What the program in a folder makes of arrays: see `run_printed.py`."""
    np.savez(folder / "given.npz", **dict(given))
    server = _server(target, python_of(target))
    assert server.stdin is not None
    assert server.stdout is not None
    print(folder, file=server.stdin, flush=True)
    answer = server.stdout.readline().rstrip("\n")
    assert answer == "ok", ast.literal_eval(answer) if answer else "the process that runs programs has ended"
    with np.load(folder / "found.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


EVERY_TARGET = pytest.mark.parametrize("target", TARGET_NAMES)
