"""Every kind of error has a program that makes it, with the full text of what the compiler says about it.

`tests/bad/<CODE>_<slug>/` holds `model.gnn`, the data files that it reads, `expected.txt`, and where the build needs
more an `options.json`: `params`, `data` (a list becomes an array, an object a NetworkX graph by its node-link form),
`max_edges`, `max_bytes`. To write the expected texts anew after a change of wording, run the tests with
GNN_UPDATE_EXPECTED=1 in the environment, and read the difference.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import networkx
import numpy as np
import pytest

from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.diagnostics import render
from graphnn_compiler.language.parser import load_source
from graphnn_compiler.source import Source

BAD = Path(__file__).parent / "bad"
FOLDERS = sorted((folder for folder in BAD.iterdir() if folder.is_dir()), key=lambda folder: folder.name)


def settings(folder: Path) -> Settings:
    """How the program of a folder is to be built."""
    options = folder / "options.json"
    given = json.loads(options.read_text(encoding="utf-8")) if options.is_file() else {}
    given["data"] = {name: _bound(value) for name, value in given.get("data", {}).items()}
    return Settings(**given)


def _bound(value: object) -> object:
    if isinstance(value, list):
        return np.array(value)
    return networkx.node_link_graph(value, edges="links") if isinstance(value, dict) else value


def diagnose(folder: Path) -> str:
    """The full text of all diagnostics of the program in a folder."""
    with contextlib.chdir(folder):
        source, diagnostics = load_source(Path("model.gnn"))
        if source is not None:
            diagnostics = list(compile_plan(source, settings(folder)).diagnostics)
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


LINTS = [folder for folder in FOLDERS if folder.name.startswith("W")]


@pytest.mark.parametrize("folder", LINTS, ids=lambda folder: folder.name)
def test_a_lint_can_be_silenced_and_stops_no_build(folder: Path) -> None:
    code = folder.name.split("_")[0]
    with contextlib.chdir(folder):
        text = Path("model.gnn").read_text(encoding="utf-8")
        found = [
            compile_plan(Source("model.gnn", it), settings(folder)) for it in (text, f"# gnn: allow {code}\n{text}")
        ]
    codes = [{one.code for one in result.diagnostics} for result in found]
    assert code in codes[0]
    assert codes[1] == codes[0] - {code}
