"""Wrong usage: exit status 2, one message that says what to change, nothing written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from command import Command

from graphnn_compiler import __version__

COMMANDS = ("check", "fmt", "build", "train", "run", "evaluate", "predict", "importance", "inspect", "why", "explain")
SHOWS_USAGE = "  = help: `gnnc {} --help` shows the usage\n"


def test_version(gnnc: Command) -> None:
    result = gnnc("--version")
    assert (result.status, result.out, result.err) == (0, f"gnnc {__version__}\n", "")


def test_help_names_the_commands_there_are(gnnc: Command) -> None:
    result = gnnc("--help")
    assert (result.status, result.err) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"^    {command}\s", result.out, re.M)
    for later in ("diff", "lsp"):
        assert later not in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(gnnc: Command, command: str) -> None:
    result = gnnc(command, "--help")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"usage: gnnc {command} ")


def test_no_command_shows_the_help_as_a_message(gnnc: Command) -> None:
    result = gnnc()
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("usage: gnnc ")


@pytest.mark.parametrize("command", ["new", "graph", "diff", "lsp"])
def test_commands_of_later_versions(gnnc: Command, command: str) -> None:
    result = gnnc(command, "--some", "thing")
    assert (result.status, result.out) == (2, "")
    assert result.err == f"error: `gnnc {command}` is not available yet in this version\n"


WRONG = {
    "chekc": ("there is no command `chekc`", "  = help: did you mean `check`?\n"),
    "zzz": (
        "there is no command `zzz`",
        f"  = help: the commands are {', '.join(COMMANDS)}\n",
    ),
    "--versoin": ("`gnnc` has no option `--versoin`", "  = help: did you mean `--version`?\n"),
    "check": ("the following arguments are required: FILE", SHOWS_USAGE.format("check")),
    "check roads.gnn --jason": ("`gnnc check` has no option `--jason`", "  = help: did you mean `--json`?\n"),
    "check roads.gnn --no-dat": ("`gnnc check` has no option `--no-dat`", "  = help: did you mean `--no-data`?\n"),
    "build roads.gnn --zzz=3": (
        "`gnnc build` has no option `--zzz`",
        "  = help: `gnnc build --help` lists its options\n",
    ),
    "build roads.gnn sums.gnn": ("`sums.gnn` is one argument too many", SHOWS_USAGE.format("build")),
    "build roads.gnn --target theano": (
        "`--target` is of `--emit python` only",
        "  = help: add --emit python, or leave --target out\n",
    ),
    "build roads.gnn --emit python --target tensorflow": (
        "--target: `tensorflow` is neither pytensor nor theano",
        SHOWS_USAGE.format("build"),
    ),
    "build roads.gnn --emit python": (
        "a printed program is two files",
        "  = help: name the folder for them with -o\n",
    ),
    "build roads.gnn --emit python -o roads.gnn": (
        "`roads.gnn` is a file, not a folder",
        "  = help: name the folder for the two files with -o\n",
    ),
    "build roads.gnn --emit modle": (
        "--emit: there is no form `modle`; did you mean `model`?",
        SHOWS_USAGE.format("build"),
    ),
    "build roads.gnn --emit x": (
        "--emit: there is no form `x`; there are ast, model, plan, python, npz",
        SHOWS_USAGE.format("build"),
    ),
    "build roads.gnn -p width": (
        "-p: `width` does not have the form NAME=VALUE",
        SHOWS_USAGE.format("build"),
    ),
    "build roads.gnn -p =3": ("-p: `=3` does not have the form NAME=VALUE", SHOWS_USAGE.format("build")),
    "build roads.gnn -p width=3 -p width=4": (
        "parameter `width` is given twice",
        "  = help: keep one of the two -p\n",
    ),
    "build roads.gnn --seed x": ("--seed: `x` is not an integer", SHOWS_USAGE.format("build")),
    "build roads.gnn --max-edges -1": ("--max-edges: `-1` is negative", SHOWS_USAGE.format("build")),
    "build roads.gnn --dtype int8": ("--dtype: `int8` is neither float32 nor float64", SHOWS_USAGE.format("build")),
    "build nosuch.gnn": ("there is no file `nosuch.gnn`", ""),
    "build ./": ("`./` is a folder, not a file", "  = help: name a file inside it\n"),
    "build roads.gnn/x.gnn": ("`roads.gnn/x.gnn` cannot be read: not a directory", ""),
    "build roads.gnn -o nowhere/out.gnnz": (
        "there is no folder `nowhere` to write `out.gnnz` to",
        "  = help: make it first\n",
    ),
    "build roads.gnn -o .": ("`.` is a folder", "  = help: name the file to write with -o\n"),
    "build roads.gnn -o ./roads.gnn": (
        "`roads.gnn` would be overwritten by the result",
        "  = help: name another file with -o\n",
    ),
    "build roads.gnn -o -": (
        "a model or arrays are not written to standard output",
        "  = help: name a file with -o\n",
    ),
    "build -": ("a program from standard input has no name to make another of", "  = help: add -o OUT\n"),
    "run sums.gnn": ("the following arguments are required: -o/--output", SHOWS_USAGE.format("run")),
    "run nosuch.gnnz -o out.npz": ("there is no file `nosuch.gnnz`", ""),
    "run sums.gnn --data in.txt -o out.npz": (
        "`in.txt` is not named as an .npz, .npy, .csv, .tsv or .parquet file",
        "  = help: save arrays with `numpy.savez`, a table as CSV\n",
    ),
    "evaluate roads.gnn": (
        "`roads.gnn` has no loss and no metric to evaluate",
        "  = help: declare some, as in `metric acc = accuracy(y, truth)`\n",
    ),
    "evaluate sums.gnn --index id": ("`--index` is of tables, and --data names none", "  = help: leave it out\n"),
    "evaluate sums.gnn --missing mean": ("`--missing` is of tables, and --data names none", "  = help: leave it out\n"),
    "evaluate sums.gnn --missing median": (
        "--missing: `median` is none of mean, zero, drop",
        SHOWS_USAGE.format("evaluate"),
    ),
    "evaluate sums.gnn --batch-size 0": ("--batch-size: `0` is below 1", SHOWS_USAGE.format("evaluate")),
    "evaluate sums.gnn --missing drop --data edges.csv --data x=edges.csv": (
        "`--missing drop` leaves samples out of one file, and --data names several",
        "  = help: put the columns into one table, or name another policy\n",
    ),
    "evaluate sums.gnn --data x=nosuch.npy": ("there is no file `nosuch.npy`", ""),
    "evaluate sums.gnn --data x=edges.csv -o edges.csv": (
        "`edges.csv` would be overwritten by the result",
        "  = help: name another file with -o\n",
    ),
    "predict sums.gnn -o out.json": (
        "`out.json` is not named as an .npz, .csv or .parquet file",
        "  = help: the ending says what is written\n",
    ),
    "predict sums.gnn": ("the following arguments are required: -o/--output", SHOWS_USAGE.format("predict")),
    "run sums.gnn --data in.npz -o out.npz": ("there is no file `in.npz`", ""),
    "inspect nosuch.gnn": ("there is no file `nosuch.gnn`", ""),
    "explain E9999": ("there is no code `E9999`", None),
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_usage(gnnc: Command, folder: Path, line: str) -> None:
    before = sorted(os.listdir(folder))
    result = gnnc(*line.split())
    message, help = WRONG[line]
    assert (result.status, result.out) == (2, "")
    if help is None:
        assert result.err.startswith(f"error: {message}\n  = help: ")
    else:
        assert result.err == f"error: {message}\n{help}"
    assert sorted(os.listdir(folder)) == before


def test_a_file_that_may_not_be_written(gnnc: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "old.gnnz").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "old.gnnz")
    result = gnnc("build", "roads.gnn", "-o", "old.gnnz")
    assert result.status == 2
    assert result.err == "error: `old.gnnz` may not be written\n  = help: name another file with -o\n"
    assert (folder / "old.gnnz").read_bytes() == b"old"


def test_control_characters_of_names_do_not_reach_the_terminal(gnnc: Command) -> None:
    assert gnnc("build", "a\x1b[2Jb.gnn").err == "error: there is no file `a\N{REPLACEMENT CHARACTER}[2Jb.gnn`\n"
