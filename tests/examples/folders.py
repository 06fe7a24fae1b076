"""The examples as folders that are ready to be built: copied, with their generated data made."""

from __future__ import annotations

import shutil
from pathlib import Path

from readme_commands import run

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = tuple(sorted(folder.name for folder in EXAMPLES.iterdir() if (folder / "model.gnn").exists()))

PARAMETERS: dict[str, dict[str, int | str]] = {"seed_100k": {"units": 1000}, "cora": {"words": 60}}
"""Small sizes for the checks, where an example can be had in several."""

_SMALL_DATA = {
    "seed_100k": "python make_data.py --units 1000",
    "cora": "python make_lookalike.py --papers 140 --words 60",
}


def copied(name: str, to: Path) -> Path:
    """A copy of an example, without what a reader may have generated in the folder itself."""
    ignored = (EXAMPLES / name / ".gitignore").read_text().split() if (EXAMPLES / name / ".gitignore").exists() else []
    patterns = [pattern.strip("/") for pattern in ignored]
    return shutil.copytree(EXAMPLES / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.gnnz", *patterns))


def small(name: str, to: Path) -> Path:
    """A copy of an example with data of the size that `PARAMETERS` says."""
    folder = copied(name, to)
    if name in _SMALL_DATA:
        run(_SMALL_DATA[name], folder)
    return folder
