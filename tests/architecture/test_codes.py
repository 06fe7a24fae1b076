"""Every diagnostic code has a page that explains it and a program that shows it, and there are no pages beside."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache

import pytest
from package import PACKAGE, ROOT, modules

CODE = re.compile(r"[EW]\d{3}")
EXPLAIN = PACKAGE / "explain"
BAD = ROOT / "tests" / "bad"

WITHOUT_BAD_PROGRAM: dict[str, str] = {
    "E019": "about a program of thousands of lines, which is made in tests/test_bad_input.py",
    **dict.fromkeys(
        [f"E{number}" for number in range(280, 290)],
        "about the arrays that a command of a built network is given: tests/cli",
    ),
    **dict.fromkeys(["E544", "E545", "E546"], "about a training, which no program text shows: tests/training"),
    "E550": "about an operation that a target lacks, and both have all there are: tests/backend/test_printed_text.py",
    "E552": "about a library that is not installed, as all are in tests: tests/evaluation/test_measuring.py",
    "E551": "about a matrix of more than 2,147,483,647 entries: tests/backend/test_printed_text.py",
    **dict.fromkeys(
        [f"E{number}" for number in range(530, 544)],
        "about a saved network, which has no program text: tests/plan/test_archive*.py",
    ),
}
"""Code -> why no program can show it, and the tests that do instead."""


@cache
def codes_used() -> dict[str, set[str]]:
    """Each code that stands as a string of its own in the package -> the modules that name it."""
    found = defaultdict(set)
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found[node.value].add(module.name)
    return dict(found)


def pages() -> set[str]:
    return {page.stem for page in EXPLAIN.glob("*.md")}


def shown() -> set[str]:
    """The codes that a folder in tests/bad is named after."""
    return {folder.name.split("_")[0] for folder in BAD.iterdir() if folder.is_dir()}


def test_codes_are_found() -> None:
    assert codes_used()["E001"]
    assert len(codes_used()) > 50


def test_every_code_has_a_page() -> None:
    assert {code: places for code, places in codes_used().items() if code not in pages()} == {}


def test_every_page_explains_a_code_in_use() -> None:
    assert sorted(pages() - codes_used().keys()) == []


@pytest.mark.parametrize("code", sorted(pages()))
def test_a_page_has_a_title_and_a_body(code: str) -> None:
    title, blank, *body = (EXPLAIN / f"{code}.md").read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(rf"# {code}: \S.*[^.]", title)
    assert blank == ""
    assert len("".join(body)) > 100


def test_every_code_has_a_bad_program() -> None:
    assert sorted(codes_used().keys() - shown() - WITHOUT_BAD_PROGRAM.keys()) == []


def test_every_bad_program_shows_a_code_in_use() -> None:
    assert sorted(shown() - codes_used().keys()) == []


def test_codes_without_a_bad_program_are_in_use_and_have_none() -> None:
    assert sorted(WITHOUT_BAD_PROGRAM.keys() - codes_used().keys()) == []
    assert sorted(WITHOUT_BAD_PROGRAM.keys() & shown()) == []
