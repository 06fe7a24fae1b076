"""Every kind of error has a program that makes it, with the full text of what the compiler says about it.

`tests/bad/<CODE>_<slug>/` holds `model.gnn` and `expected.txt`. To write the expected texts anew after a change of
wording, run the tests with GNN_UPDATE_EXPECTED=1 in the environment, and read the difference.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from graphnn_compiler.diagnostics import render
from graphnn_compiler.language.parser import load_source, parse

BAD = Path(__file__).parent / "bad"
FOLDERS = sorted([*BAD.glob("E0*"), *BAD.glob("W010*")], key=lambda folder: folder.name)


def diagnose(folder: Path) -> str:
    """The full text of all diagnostics of the program in a folder."""
    with contextlib.chdir(folder):
        source, diagnostics = load_source(Path("model.gnn"))
    if source is not None:
        diagnostics = parse(source)[1]
    return "\n".join(render(diagnostic) for diagnostic in diagnostics)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_bad_program_is_told_what_is_wrong(folder: Path) -> None:
    said = diagnose(folder)
    expected = folder / "expected.txt"
    if os.environ.get("GNN_UPDATE_EXPECTED") == "1":
        expected.write_text(said, encoding="utf-8")
    assert expected.is_file(), f"{expected} is missing; GNN_UPDATE_EXPECTED=1 writes it"
    assert said == expected.read_text(encoding="utf-8")
    assert f"[{folder.name.split('_')[0]}]" in said


def test_there_are_bad_programs() -> None:
    assert len(FOLDERS) > 15
