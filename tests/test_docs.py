"""Every program and every line of Python in the documentation is run.

A ```gnn block is built in a copy of `docs_data`. It begins with `gnn 1`, or an HTML comment before it names the file
that stands before it: `<!-- with: roads -->` is `docs_data/with_roads.gnn`; where the whole then has no output, one
is added. `<!-- error: E344 -->` says which code, and no other, it must give; without that it gives none, lints
included.
```gnn file=NAME is saved for the Python and the commands on the same page. ```python blocks run in order in one
namespace; `# -> text`, at the end of a statement or below it, is what doctest is to expect. Every line of a ```sh block
is a `gnnc` command that succeeds.
"""

from __future__ import annotations

import ast
import csv
import doctest
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx
import numpy as np
import pytensor
import pytest
import scipy.sparse

from graphnn_compiler.cli.main import main
from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.source import Source

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DATA = Path(__file__).parent / "docs_data"
PAGES = (
    "language.md",
    "python-api.md",
    "training.md",
    "evaluation.md",
    "importance.md",
    "estimators.md",
    "python-builder.md",
    "saved-models.md",
)

_BLOCK = re.compile(
    r"(?:^<!-- (?P<notes>[^\n]+) -->\n)?^```(?P<kind>\w+)(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.M | re.S
)
_EXPECTED = re.compile(r"^(?P<code>.*?)\s*# -> (?P<want>.*)$")
_EXCEPTION = re.compile(r"\w+Error: ")


@dataclass(frozen=True)
class Block:
    """A fenced block; `notes` are of the comment before it, `info` of the fence: name -> value."""

    page: str
    line: int
    kind: str
    text: str
    notes: dict[str, str]
    info: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> Iterator[Block]:
    content = (DOCS / page).read_text(encoding="utf-8")
    for match in _BLOCK.finditer(content):
        notes = dict(note.split(": ") for note in (match["notes"] or "").split("; ") if note)
        info = dict(word.split("=") for word in match["info"].split())
        yield Block(page, content.count("\n", 0, match.start("text")) + 1, match["kind"], match["text"], notes, info)


ALL = [block for page in PAGES for block in blocks(page)]
PROGRAMS = [block for block in ALL if block.kind == "gnn"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the data files, and the same roads in the formats that are not text; it becomes the working folder."""
    shutil.copytree(DATA, tmp_path, dirs_exist_ok=True)
    with (DATA / "places.csv").open(encoding="utf-8") as places, (DATA / "roads.csv").open(encoding="utf-8") as roads:
        names = [row["id"] for row in csv.DictReader(places)]
        km = {(row["from"], row["to"]): float(row["km"]) for row in csv.DictReader(roads)}
    rows, columns = (np.array([names.index(pair[end]) for pair in km]) for end in (0, 1))
    matrix = scipy.sparse.csr_array((np.array(list(km.values())), (rows, columns)), shape=(len(names), len(names)))
    scipy.sparse.save_npz(tmp_path / "km.npz", matrix)
    np.save(tmp_path / "km.npy", matrix.toarray())
    np.savez(tmp_path / "x.npz", x=np.ones(len(names)))
    np.savez(tmp_path / "features.npz", f=np.ones((len(names), 3)), keys=np.array(names))
    ends = {end: np.array([pair[k] for pair in km]) for k, end in enumerate(("source", "target"))}
    np.savez(tmp_path / "roads.npz", **ends, km=np.array(list(km.values())))
    np.savez(tmp_path / "flowers.npz", x=np.random.default_rng(0).standard_normal((150, 4)), truth=np.arange(150) % 3)
    graph = networkx.DiGraph()
    graph.add_edges_from((source, target, {"km": length}) for (source, target), length in km.items())
    networkx.write_graphml(graph, tmp_path / "roads.graphml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def codes(text: str, folder: Path) -> list[str]:
    """The code of every diagnostic of a program, in the order of the text."""
    return [diagnostic.code for diagnostic in compile_plan(Source("page", text, folder), Settings()).diagnostics]


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_program_builds_or_gives_its_error(block: Block, folder: Path) -> None:
    text = block.text
    assert text.startswith("gnn 1\n") != ("with" in block.notes), "either whole, or with something before it"
    if "with" in block.notes:
        text = (DATA / f"with_{block.notes['with']}.gnn").read_text(encoding="utf-8") + text
        if not re.search(r"^output ", text, re.M):
            text += "output of_the_test[1] { from x via all }\n"
    wanted = [block.notes["error"]] if "error" in block.notes else []
    assert codes(text, folder) == wanted


def save_programs(page: str, folder: Path) -> None:
    """The programs that the page calls by a name."""
    for block in blocks(page):
        if "file" in block.info:
            (folder / block.info["file"]).write_text(block.text, encoding="utf-8")


# ------------------------------------------------------------------ commands and Python


@pytest.mark.parametrize("page", ["language.md", "saved-models.md", "training.md", "evaluation.md"])
def test_commands_succeed(page: str, folder: Path) -> None:
    save_programs(page, folder)
    commands = [line for block in blocks(page) if block.kind == "sh" for line in block.text.splitlines()]
    assert commands
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        for command in commands:
            name, *arguments = shlex.split(command, comments=True)
            assert name == "gnnc"
            assert main(arguments) == 0, command


def examples(block: Block) -> Iterator[doctest.Example]:
    """One example for each statement of a Python block, with what its comment expects."""
    lines = block.text.splitlines()
    for statement in ast.parse(block.text).body:
        assert statement.end_lineno is not None
        found = _EXPECTED.match(lines[statement.end_lineno - 1])
        below = lines[statement.end_lineno] if statement.end_lineno < len(lines) else ""
        if found is None and below.startswith("# -> "):
            found = _EXPECTED.match(below)
        want = found["want"] if found else ""
        error = want if _EXCEPTION.match(want) else None
        source = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
        yield doctest.Example(source, "" if error else want, error, lineno=block.line + statement.lineno - 2)


@pytest.mark.parametrize("page", PAGES)
def test_python_gives_what_the_page_says(page: str, folder: Path) -> None:
    save_programs(page, folder)
    lines = [example for block in blocks(page) if block.kind == "python" for example in examples(block)]
    test = doctest.DocTest(lines, {"__name__": "page"}, page, str(DOCS / page), 0, None)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    report: list[str] = []
    with pytensor.config.change_flags(mode="FAST_COMPILE"):  # pages show plain calls, whose compilation takes longer
        results = doctest.DocTestRunner(optionflags=flags, verbose=False).run(test, out=report.append)
    assert results.failed == 0, "".join(report)


def test_every_expectation_is_checked() -> None:
    """No `# ->` stands where it would not be compared with anything."""
    for block in ALL:
        if block.kind == "python":
            found = [example for example in examples(block) if example.want.strip() or example.exc_msg]
            assert len(found) == block.text.count("# ->"), str(block)


# ------------------------------------------------------------------ what the pages name


def test_pages_name_existing_codes_only() -> None:
    known = {page.stem for page in (ROOT / "graphnn_compiler" / "explain").glob("*.md")}
    for page in PAGES:
        named = set(re.findall(r"\b[EW]\d{3}\b", (DOCS / page).read_text(encoding="utf-8")))
        assert named - known == set(), page


def test_blocks_are_of_a_kind_that_is_run() -> None:
    assert {block.kind for block in ALL} == {"gnn", "python", "sh", "csv"}


def test_links_lead_somewhere() -> None:
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (DOCS / target).exists(), f"{page.name}: {target}"
