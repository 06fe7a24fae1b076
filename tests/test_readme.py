"""What README.md shows works: its marked blocks run, in order, in a copy of the checkout.

A block is marked by a line `<!-- run -->` before its fence, which says `sh` or `python`. The two set-up commands,
`./dev demo` and `./dev test`, would install an environment: it is checked that they exist and are what the gate calls.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^(?P<marked><!-- run -->\n\n?)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^<!-- run -->$", re.MULTILINE)
SET_UP = ("./dev demo", "./dev test")
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*cache", ".hypothesis", "build", "dist")


@dataclass(frozen=True)
class Block:
    """A fenced block of a Markdown text."""

    language: str
    text: str
    marked: bool

    @property
    def commands(self) -> list[str]:
        """Its lines without comments at their end."""
        return [line.split(" #")[0].rstrip() for line in self.text.splitlines()]


def blocks(markdown: str) -> list[Block]:
    return [Block(found["language"], found["text"], bool(found["marked"])) for found in FENCE.finditer(markdown)]


def arguments(block: Block) -> list[str]:
    """The command that runs a block, without its set-up commands."""
    match block.language:
        case "sh":
            lines = zip(block.text.splitlines(), block.commands, strict=True)
            return ["sh", "-euc", "\n".join(line for line, command in lines if command not in SET_UP)]
        case "python":
            return [sys.executable, "-W", "error", "-c", block.text]
    raise ValueError(f"a block of {block.language} cannot be run")


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_two_commands_are_shown() -> None:
    shown = [command for block in blocks(readme()) if block.language == "sh" for command in block.commands]
    assert set(SET_UP) <= set(shown), f"README.md shows no {set(SET_UP) - set(shown)}"


def test_the_two_commands_exist_and_are_what_the_gate_calls() -> None:
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True, cwd="/").stdout
    assert all(command in usage for command in SET_UP)
    assert "\n./dev test\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_mark_stands_before_a_block_that_can_run() -> None:
    marked = [block for block in blocks(readme()) if block.marked]
    assert len(MARK.findall(readme())) == len(marked)
    assert {block.language for block in marked} <= {"sh", "python"}


def test_the_marked_blocks_run(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT, checkout, ignore=NOT_COPIED)
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    for block in blocks(readme()):
        if not block.marked:
            continue
        done = subprocess.run(
            arguments(block), cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"


def test_blocks_are_read_as_they_are_written() -> None:
    markdown = "<!-- run -->\n```sh\n./dev test   # the gate\nls\n```\n\n```python\nx = 1\n```\n"
    first, second = blocks(markdown)
    assert first == Block("sh", "./dev test   # the gate\nls\n", marked=True)
    assert first.commands == ["./dev test", "ls"]
    assert arguments(first) == ["sh", "-euc", "ls"]
    assert second == Block("python", "x = 1\n", marked=False)
