"""A working folder with programs in it, and `gnnc` to run there."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import LINT, ROADS, SUMS, TWO_ERRORS, Command, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    write(tmp_path, roads=ROADS, sums=SUMS, bad=TWO_ERRORS, lint=LINT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.fixture
def gnnc(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)
