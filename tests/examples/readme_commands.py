"""The commands that an example's README shows, and what it says they print.

A command stands in a block marked `console`, on a line that begins with `$ `; the lines below it are its output as a
terminal shows it, messages included. In the output `...` stands for any text, and numbers with a decimal point
may differ a little: machines add up in different orders.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DECIMAL = re.compile(r"(\d+\.\d+)")
_TOLERANCE = 0.05
PROGRAMS = MappingProxyType({"python": sys.executable, "gnnc": str(Path(sys.executable).with_name("gnnc"))})
"""What a command may begin with: the Python of the tests, and the script installed beside it."""


@dataclass(frozen=True)
class Shown:
    """A command and the output that is shown below it."""

    command: str
    output: str


def shown_commands(readme: str) -> Iterator[Shown]:
    for block in _BLOCK.findall(readme):
        first, *others = re.split(r"^\$ ", block, flags=re.MULTILINE)
        assert not first, f"output without a command: {first}"
        for text in others:
            command, _, output = text.partition("\n")
            yield Shown(command, output)


def run(command: str, folder: Path) -> str:
    """What a command prints, to both streams. It must succeed; its program is one that READMEs may use."""
    program, *arguments = shlex.split(command)
    done = subprocess.run(
        [PROGRAMS[program], *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def matches(shown: str, printed: str) -> bool:
    """Whether output is as it is shown."""
    pieces = re.split(r"(\.\.\.|\d+\.\d+)", shown)
    pattern = "".join(
        ".*" if piece == "..." else _DECIMAL.pattern if _DECIMAL.fullmatch(piece) else re.escape(piece)
        for piece in pieces
    )
    found = re.fullmatch(pattern, printed, re.DOTALL)
    wanted = [float(piece) for piece in pieces if _DECIMAL.fullmatch(piece)]
    return found is not None and all(
        abs(float(number) - want) <= _TOLERANCE for number, want in zip(found.groups(), wanted, strict=True)
    )
