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
import re
from pathlib import Path

import networkx
import numpy as np
import pytest

import graphnn_compiler
from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.diagnostics import render
from graphnn_compiler.language.parser import load_source

BAD = Path(__file__).parent / "bad"
FOLDERS = sorted((folder for folder in BAD.iterdir() if folder.is_dir()), key=lambda folder: folder.name)
PACKAGE = Path(graphnn_compiler.__file__).parent
EXPLAIN = PACKAGE / "explain"
WITHOUT_A_PROGRAM = re.compile(r"E019|E28\d|E5\d\d")
"""Of very long programs, of arrays given to `gnnc run`, of saved networks: their own tests make them."""


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


def codes_in_the_package() -> set[str]:
    """Every code that stands as a string in the package."""
    texts = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    return {code for text in texts for code in re.findall(r'"([EW]\d{3})"', text)}


def test_every_code_has_a_bad_program() -> None:
    wanted = {code for code in codes_in_the_package() if not WITHOUT_A_PROGRAM.fullmatch(code)}
    assert wanted - {folder.name.split("_")[0] for folder in FOLDERS} == set()


def test_every_code_has_a_page() -> None:
    pages = {page.stem: page.read_text(encoding="utf-8") for page in EXPLAIN.glob("*.md")}
    assert codes_in_the_package() - pages.keys() == set()
    for code, text in pages.items():
        assert re.match(rf"# {code}: \S", text), f"{code}.md begins with `# {code}: title`"
        assert len(text.splitlines()) >= 8, f"{code}.md is too short to help"
