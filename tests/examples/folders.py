"""The examples as folders ready to be built: copied, with generated data of a small size."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from readme_commands import run

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = tuple(sorted(program.parent.name for program in EXAMPLES.glob("*/model.gnn")))

PARAMETERS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {"seed_100k": {"units": 1000}, "cora": {"words": 60}, "tied_depth": {"steps": 2}}
)
"""What `small` asks of the program, where an example can be had in several sizes."""

_SMALL_DATA: Mapping[str, str] = MappingProxyType(
    {
        "seed_100k": "python make_data.py --units 1000 -o edges.csv",
        "cora": "python make_lookalike.py --papers 140 --words 60 -o data",
    }
)


def copied(name: str, to: Path) -> Path:
    """A copy of an example without the files that it generates, which its own .gitignore names."""
    source = EXAMPLES / name
    ignored = source / ".gitignore"
    generated = [line.strip("/") for line in ignored.read_text("utf-8").splitlines()] if ignored.exists() else []
    return shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.gnnz", *generated))


def small(name: str, to: Path) -> Path:
    """A copy of an example with data of the size that goes with `PARAMETERS`."""
    folder = copied(name, to)
    if name in _SMALL_DATA:
        run(_SMALL_DATA[name], folder)
    return folder
