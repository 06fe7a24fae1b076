"""`gnnc check`, and `gnnc explain`: what is said, where, and with which exit status."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from command import ROADS, TWO_ERRORS, Command

from graphnn_compiler.cli import output

TOLD = """\
error[E100]: unknown name `xx`
  --> bad.gnn:3:20
   |
 3 | output y[2] { from xx via all  dropot = 0.5 }
   |                    ^^
  = help: did you mean `x`?

error[E105]: a layer has no option `dropot`
  --> bad.gnn:3:32
   |
 3 | output y[2] { from xx via all  dropot = 0.5 }
   |                                ^^^^^^
  = help: did you mean `dropout`?

"""


def test_a_good_program(gnnc: Command) -> None:
    result = gnnc("check", "roads.gnn")
    assert (result.status, result.out, result.err) == (0, "", "roads.gnn: no errors\n")


def test_a_bad_program(gnnc: Command) -> None:
    result = gnnc("check", "bad.gnn")
    assert (result.status, result.out) == (1, "")
    assert result.err == TOLD + "2 errors in bad.gnn\n"


def test_lints_are_no_errors(gnnc: Command) -> None:
    result = gnnc("check", "lint.gnn")
    assert (result.status, result.out) == (0, "")
    assert result.err.startswith("warning[W010]: ")
    assert result.err.endswith("\n\n1 warning in lint.gnn\n")


def test_several_files_and_one_that_is_not_there(gnnc: Command) -> None:
    result = gnnc("check", "roads.gnn", "nosuch.gnn", "bad.gnn", "sums.gnn")
    assert (result.status, result.out) == (2, "")
    lines = ["roads.gnn: no errors\n", "error: there is no file `nosuch.gnn`\n", TOLD, "2 errors in bad.gnn\n"]
    assert result.err == "".join([*lines, "sums.gnn: no errors\n"])


def test_data_is_read_unless_it_is_not_wanted(gnnc: Command, folder: Path) -> None:
    (folder / "edges.csv").unlink()
    result = gnnc("check", "roads.gnn")
    assert result.status == 1
    assert result.err.startswith("error[E201]: there is no file `edges.csv`\n  --> roads.gnn:3:11\n")
    assert result.err.endswith("\n1 error in roads.gnn\n")
    assert gnnc("check", "--no-data", "roads.gnn").status == 0


def test_params(gnnc: Command) -> None:
    assert gnnc("check", "roads.gnn", "-p", "width=64").status == 0
    result = gnnc("check", "roads.gnn", "-p", "width=65", "--no-data")
    assert result.status == 1
    assert result.err.startswith("error[E122]: ")
    assert "error[E120]: the program has no parameter `widht`" in gnnc("check", "roads.gnn", "-p", "widht=6").err


def test_the_limit_of_edges(gnnc: Command) -> None:
    assert gnnc("check", "roads.gnn", "--max-edges", "1000").status == 0
    assert gnnc("check", "roads.gnn", "--max-edges", "3").status == 1


def test_standard_input(gnnc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TWO_ERRORS.encode())))
    result = gnnc("check", "-")
    assert (result.status, result.err) == (1, TOLD.replace("bad.gnn", "<stdin>") + "2 errors in <stdin>\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ROADS.encode())))
    assert gnnc("check", "-").status == 0  # `edges.csv` is in the working folder


def test_a_program_in_another_folder(gnnc: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert gnnc("check", "../roads.gnn").status == 0


def test_a_param_that_is_a_path_is_relative_to_the_working_folder(
    gnnc: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = ROADS.replace('read("edges.csv"', "read(file").replace("gnn 1\n", 'gnn 1\nparam file: path = "edges.csv"\n')
    (folder / "paths.gnn").write_text(text, encoding="utf-8")
    (folder / "elsewhere").mkdir()
    (folder / "edges.csv").rename(folder / "elsewhere" / "mine.csv")
    monkeypatch.chdir(folder / "elsewhere")
    assert gnnc("check", "../paths.gnn").status == 1
    assert gnnc("check", "../paths.gnn", "-p", "file=mine.csv").status == 0


def test_text_that_is_not_utf8(gnnc: Command, folder: Path) -> None:
    (folder / "latin.gnn").write_bytes(b"gnn 1\n# caf\xe9\n")
    result = gnnc("check", "latin.gnn")
    assert result.status == 1
    assert result.err == (
        "error[E014]: the file is not UTF-8: byte 0xE9 at offset 11\n"
        "  --> latin.gnn:2:6\n   |\n 2 | # caf\N{REPLACEMENT CHARACTER}\n   |      ^\n  = help: save it as UTF-8\n\n"
        "1 error in latin.gnn\n"
    )
    assert gnnc("build", "latin.gnn").status == 1


# ------------------------------------------------------------------ JSON and colours


def test_json(gnnc: Command) -> None:
    result = gnnc("check", "--json", "bad.gnn", "lint.gnn")
    assert result.status == 1
    assert result.err == "2 errors in bad.gnn\n1 warning in lint.gnn\n"
    told = json.loads(result.out)
    first, _, last = told.pop("diagnostics")
    assert told == {"format_version": 1}
    assert first == {
        "code": "E100",
        "severity": "error",
        "message": "unknown name `xx`",
        "place": {"file": "bad.gnn", "line": 3, "column": 20, "end_line": 3, "end_column": 22},
        "related": [],
        "help": "did you mean `x`?",
        "notes": [],
    }
    assert (last["code"], last["severity"], last["place"]["file"]) == ("W010", "warning", "lint.gnn")


def test_json_without_diagnostics(gnnc: Command) -> None:
    assert json.loads(gnnc("check", "--json", "roads.gnn").out) == {"format_version": 1, "diagnostics": []}
    result = gnnc("check", "--json", "nosuch.gnn")
    assert result.status == 2
    assert json.loads(result.out)["diagnostics"] == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours(folder: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], coloured: bool) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    output.complain("wrong: very", "mend it")
    expected = "\x1b[1;31merror\x1b[0m: wrong: very" if coloured else "error: wrong: very"
    assert terminal.getvalue() == expected + "\n  = help: mend it\n"


def test_the_colours_of_errors_and_lints(gnnc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    gnnc("check", "bad.gnn", "lint.gnn")
    assert terminal.getvalue().startswith("\x1b[1;31merror[E100]\x1b[0m: unknown name")
    assert "\x1b[1;33mwarning[W010]\x1b[0m: " in terminal.getvalue()


# ------------------------------------------------------------------ explain


def test_explain(gnnc: Command) -> None:
    result = gnnc("explain", "e010")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("# E010: ")


def test_explain_lists_all_codes(gnnc: Command) -> None:
    lines = gnnc("explain").out.splitlines()
    assert len(lines) > 40
    assert lines == sorted(lines)
    assert any(line.startswith("E542: ") for line in lines)


@pytest.mark.parametrize(("code", "meant"), [("EO1O", "E010"), ("e0l0", "E010"), ("W011", "W010")])
def test_explain_knows_what_is_meant(gnnc: Command, code: str, meant: str) -> None:
    result = gnnc("explain", code)
    assert (result.status, result.out) == (2, "")
    assert result.err == f"error: there is no code `{code}`\n  = help: did you mean `{meant}`?\n"


def test_explain_reads_nothing_but_pages(gnnc: Command) -> None:
    assert gnnc("explain", "../../README").status == 2
