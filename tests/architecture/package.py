"""The package's own files, parsed: what the architecture tests look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "graphnn_compiler"
NAME = PACKAGE.name

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A module by its name inside the package, such as `topology.csr`; the package itself is the empty name."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    def imports(self) -> Iterator[str]:
        """The full name of everything imported, also inside functions, but not for type checkers alone."""
        for node in _run_statements(self.tree):
            match node:
                case ast.Import(names):
                    yield from (alias.name for alias in names)
                case ast.ImportFrom(module=module, names=names, level=level):
                    assert level == 0, f"{self.path}: import by the full name, not relatively"
                    yield from (f"{module}.{alias.name}" for alias in names)

    def functions(self) -> Iterator[FunctionNode]:
        return (node for node in ast.walk(self.tree) if isinstance(node, FunctionNode))


@cache
def modules() -> dict[str, Module]:
    return {module.name: module for module in map(_read, sorted(PACKAGE.rglob("*.py")))}


def internal_imports(module: Module) -> set[str]:
    """The names of the package's modules that a module imports, itself excepted."""
    found = {_longest(name) for name in module.imports() if name == NAME or name.startswith(f"{NAME}.")}
    return found - {module.name}


def third_party_imports(module: Module, standard: frozenset[str]) -> set[str]:
    """The top names of the libraries imported that are neither ours nor the standard library's."""
    return {name.split(".")[0] for name in module.imports()} - standard - {NAME}


def _read(path: Path) -> Module:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    text = path.read_text(encoding="utf-8")
    return Module(".".join(part for part in parts if part != "__init__"), path, text, ast.parse(text))


def _longest(full_name: str) -> str:
    """`graphnn_compiler.topology.csr.Csr` is imported from module `topology.csr`."""
    name = full_name.removeprefix(NAME).removeprefix(".")
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name


def _run_statements(node: ast.AST) -> Iterator[ast.AST]:
    """A tree's nodes without the blocks that stand under `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            for alternative in child.orelse:
                yield alternative
                yield from _run_statements(alternative)
            continue
        yield child
        yield from _run_statements(child)
