"""`gnnc` as a process: streams, signals, what is imported, and what happens when we are at fault."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROADS, TWO_ERRORS, Command, finish, start

from graphnn_compiler import compiler


def test_exit_status_and_streams_of_a_build(folder: Path) -> None:
    result = finish(start(["build", "-", "-o", "out.gnnz"]), stdin=ROADS)
    assert (result.status, result.out) == (0, "")
    assert result.err.startswith("wrote out.gnnz (2 layers, ")
    result = finish(start(["check", "-"]), stdin=TWO_ERRORS)
    assert (result.status, result.out) == (1, "")
    assert result.err.endswith("2 errors in <stdin>\n")


@pytest.mark.parametrize(
    "line", ["check --no-data roads.gnn", "check --no-data bad.gnn", "--help", "--version", "explain E010", "zzz"]
)
def test_what_needs_no_numbers_imports_no_library_for_them(folder: Path, line: str) -> None:
    heavy = "numpy scipy pyarrow pytensor numba networkx"
    program = (
        "import sys\nfrom graphnn_compiler.cli.main import main\nmain()\n"
        f"print('imported', *sorted(set('{heavy}'.split()) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, *line.split()], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "imported"


def test_an_answer_without_data_imports_no_compiler(folder: Path) -> None:
    program = (
        "import sys\nfrom graphnn_compiler.cli.main import main\nmain(['--version'])\nprint('lark' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(("given", "seen"), [(None, "14"), ("20", "20")])
def test_idle_threads_of_openblas_leave_the_cores_soon(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, seen: str
) -> None:
    """OpenBLAS reads the setting when NumPy is imported: it is there by then, and what a user sets stays."""
    name = "OPENBLAS_THREAD_TIMEOUT"
    monkeypatch.delenv(name, raising=False)
    if given is not None:
        monkeypatch.setenv(name, given)
    program = (
        "import os, sys\nfrom importlib.abc import MetaPathFinder\nfrom graphnn_compiler.cli.main import main\n"
        "class Witness(MetaPathFinder):\n"
        "    def find_spec(self, module, *_):\n"
        f"        if module == 'numpy': print('numpy sees', os.environ.get({name!r}), file=sys.stderr)\n"
        "sys.meta_path.insert(0, Witness())\nsys.exit(main(['build', 'roads.gnn']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [line for line in done.stderr.splitlines() if line.startswith("numpy sees")] == [f"numpy sees {seen}"]


@pytest.mark.skipif(os.name != "posix", reason="signals and named pipes")
def test_ctrl_c_while_data_is_read(folder: Path) -> None:
    """The edges come through a pipe: opening our end of it waits until the build is at the data."""
    (folder / "edges.csv").unlink()
    os.mkfifo(folder / "edges.csv")
    before = sorted(os.listdir(folder))
    process = start(["build", "roads.gnn"])
    with (folder / "edges.csv").open("w"):
        process.send_signal(signal.SIGINT)
        result = finish(process)
    assert (result.status, result.out, result.err) == (130, "", "interrupted\n")
    assert sorted(os.listdir(folder)) == before


@pytest.mark.skipif(os.name != "posix", reason="pipes")
@pytest.mark.parametrize("arguments", [["build", "-", "--emit", "ast"], ["check", "-", "--json"]])
def test_a_reader_that_goes_away(folder: Path, arguments: list[str]) -> None:
    """Nobody reads the result by the time that the program arrives."""
    with start(arguments) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        result = finish(process, ROADS)
    assert result.status == 141
    assert result.err.replace("<stdin>: no errors\n", "") == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_result_that_cannot_be_printed(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "graphnn_compiler.cli.main", "build", "sums.gnn", "--emit", "ast"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "error[E542]: `standard output` cannot be written: no space left on device\n"
        "  --> standard output\n\n1 error in standard output\n"
    )


def test_an_encoding_that_lacks_characters(folder: Path) -> None:
    (folder / "word.gnn").write_text('gnn 1\nparam word: str = "größe"\ninput x[3]\noutput y = x\n', encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "graphnn_compiler.cli.main", "build", "word.gnn", "--emit", "model"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert 'param word = "gr\\xf6\\xdfe"' in done.stdout


def test_our_own_bugs_are_called_so(gnnc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(compiler, "compile_plan", broken)
    result = gnnc("check", "roads.gnn")
    assert (result.status, result.out) == (101, "")
    first, second, third, *rest = result.err.splitlines()
    assert first == "error: internal error: KeyError"
    assert second == "  = help: this is a bug in gnnc, not in your program; please report it with the text below"
    assert third.startswith("  = note: gnnc ")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "KeyError: 'lost'"


def test_too_little_memory(gnnc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(compiler, "compile_plan", too_large)
    result = gnnc("check", "roads.gnn")
    assert (result.status, result.out) == (1, "")
    assert result.err == "error: there is not enough memory\n  = help: `--max-bytes` refuses such builds early\n"
