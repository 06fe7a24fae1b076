"""`gnnc fmt`: which files change, what is printed, and with which exit status."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from command import ROADS, SUMS, TWO_ERRORS, Command

UGLY = "gnn 1\ninput x[3] # in\noutput y[2] {from x via all}"
NICE = "gnn 1\ninput x[3]  # in\noutput y[2] { from x via all }\n"
DIFFERENCE = """\
--- ugly.gnn
+++ ugly.gnn (formatted)
@@ -1,3 +1,3 @@
 gnn 1
-input x[3] # in
-output y[2] {from x via all}
\\ No newline at end of file
+input x[3]  # in
+output y[2] { from x via all }
"""
UNCLOSED = "gnn 1\ninput x[3\noutput y[2] { from x via all }\n"


@pytest.fixture
def ugly(folder: Path) -> Path:
    (folder / "ugly.gnn").write_bytes(UGLY.encode())
    return folder / "ugly.gnn"


def test_files_are_changed_in_place(gnnc: Command, ugly: Path) -> None:
    assert gnnc("fmt", "ugly.gnn").err == "formatted ugly.gnn\n"
    assert ugly.read_bytes() == NICE.encode()
    again = gnnc("fmt", "ugly.gnn")
    assert (again.status, again.out, again.err) == (0, "", "")


def test_a_canonical_file_is_not_written(gnnc: Command, folder: Path) -> None:
    (folder / "nice.gnn").write_text(NICE, encoding="utf-8")
    before = (folder / "nice.gnn").stat()
    assert gnnc("fmt", "nice.gnn").status == 0
    after = (folder / "nice.gnn").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_check_lists_files_and_changes_none(gnnc: Command, ugly: Path) -> None:
    (ugly.parent / "nice.gnn").write_text(NICE, encoding="utf-8")
    result = gnnc("fmt", "--check", "nice.gnn", "ugly.gnn")
    assert (result.status, result.out, result.err) == (1, "", "ugly.gnn would change\n")
    assert gnnc("fmt", "--check", "nice.gnn").status == 0
    assert ugly.read_bytes() == UGLY.encode()


def test_diff_prints_and_changes_nothing(gnnc: Command, ugly: Path) -> None:
    result = gnnc("fmt", "--diff", "ugly.gnn")
    assert (result.status, result.out, result.err) == (0, DIFFERENCE, "")
    both = gnnc("fmt", "--check", "--diff", "ugly.gnn")
    assert (both.status, both.out, both.err) == (1, DIFFERENCE, "ugly.gnn would change\n")
    assert ugly.read_bytes() == UGLY.encode()


def test_standard_input_goes_to_standard_output(gnnc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def given(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    for text in (UGLY, NICE):
        given(text)
        result = gnnc("fmt", "-")
        assert (result.status, result.out, result.err) == (0, NICE, "")
    given(UGLY)
    checked = gnnc("fmt", "-", "--check")
    assert (checked.status, checked.out, checked.err) == (1, "", "<stdin> would change\n")


def test_errors_of_syntax_leave_a_file_alone(gnnc: Command, ugly: Path) -> None:
    broken = ugly.parent / "broken.gnn"
    broken.write_text(UNCLOSED, encoding="utf-8")
    result = gnnc("fmt", "broken.gnn", "ugly.gnn")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("error[E004]: `[` is not closed before `output`\n  --> broken.gnn:")
    assert result.err.endswith("\n1 error in broken.gnn\nformatted ugly.gnn\n")
    assert broken.read_text(encoding="utf-8") == UNCLOSED
    assert ugly.read_bytes() == NICE.encode()


def test_errors_of_meaning_do_not_matter_and_lints_are_shown(gnnc: Command, folder: Path) -> None:
    (folder / "bad.gnn").write_text(TWO_ERRORS.replace("{ ", "{"), encoding="utf-8")
    assert gnnc("fmt", "bad.gnn").status == 0
    assert (folder / "bad.gnn").read_text(encoding="utf-8") == TWO_ERRORS
    result = gnnc("fmt", "lint.gnn")
    assert result.status == 0
    assert result.err.startswith("warning[W010]: ")
    assert "  dropout = 1 - 0.5 }\n" in (folder / "lint.gnn").read_text(encoding="utf-8")


def test_a_file_that_is_not_there(gnnc: Command, ugly: Path) -> None:
    result = gnnc("fmt", "nosuch.gnn", "ugly.gnn")
    assert (result.status, result.err) == (2, "error: there is no file `nosuch.gnn`\nformatted ugly.gnn\n")


def test_line_endings_stay_as_they_are(gnnc: Command, ugly: Path) -> None:
    ugly.write_bytes(UGLY.replace("\n", "\r\n").encode())
    assert gnnc("fmt", "ugly.gnn").status == 0
    assert ugly.read_bytes() == NICE.replace("\n", "\r\n").encode()
    assert gnnc("fmt", "--check", "ugly.gnn").status == 0


@pytest.mark.parametrize(("name", "text"), [("roads", ROADS), ("sums", SUMS)])
def test_a_formatted_program_is_the_same_program(gnnc: Command, folder: Path, name: str, text: str) -> None:
    before = gnnc("build", f"{name}.gnn", "--emit", "plan").out
    assert gnnc("fmt", f"{name}.gnn").status == 0
    assert gnnc("build", f"{name}.gnn", "--emit", "plan").out == before != ""
