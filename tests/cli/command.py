"""Running `gnnc`, in this process or in one of its own, on programs small enough to compute by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphnn_compiler.cli.main import main

EDGES = "a,b\n1,2\n2,3\n3,1\n4,1\n"

# 2 layers; sym(g.edges) | same: 8 + 4 edges, 3 * 4 weights, 4 biases; 10 random edges of 4 weights each, 5 biases
ROADS = """\
gnn 1
param width: int in 1..64 = 4
graph g = read("edges.csv", source = "a", target = "b")
input x[g.nodes, 3]
layer h[g.nodes, width] {
  from x via sym(g.edges) | same as near { weights = shared, norm = symmetric }
  activation = relu
}
output y[5] { from h via random(in_degree = 2, seed = 3) as r }
"""

# y = 2 * (x0 + x1 + x2) + z
SUMS = """\
gnn 1
input x[3]
input z[2]
target t
output y[2] {
  from x via all as a { weights = fixed(2) }
  from z via same as b { weights = fixed(1) }
  bias = none
}
loss cost = mse(y, t)
metric off = mae(y, t)
"""

TWO_ERRORS = "gnn 1\ninput x[3]\noutput y[2] { from xx via all  dropot = 0.5 }\n"

LINT = "gnn 1\ninput x[3]\noutput y[2] { from x via all  dropout = 1 -0.5 }\n"


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    status: int
    out: str
    err: str


class Command:
    """`gnnc` run in this process: `command("check", "model.gnn")`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Result:
        status = main(arguments)
        captured = self._capsys.readouterr()
        return Result(status, captured.out, captured.err)


def start(arguments: Sequence[str], **options: object) -> subprocess.Popen[str]:
    """`gnnc` in a process of its own, as the installed script starts it."""
    program = "import sys; from graphnn_compiler.cli.main import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", env=os.environ | {"PYTENSOR_FLAGS": "mode=FAST_COMPILE"}, **options,
    )  # type: ignore[call-overload,no-any-return]  # fmt: skip


def finish(process: subprocess.Popen[str], stdin: str = "") -> Result:
    out, err = process.communicate(stdin, timeout=60)
    return Result(process.returncode, out, err)


def write(folder: Path, **programs: str) -> None:
    """Programs by name, and the edges that some of them read."""
    (folder / "edges.csv").write_text(EDGES, encoding="utf-8")
    for name, text in programs.items():
        (folder / f"{name}.gnn").write_text(text, encoding="utf-8")
