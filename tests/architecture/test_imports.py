"""Imports point one way, and each third-party library has one place."""

from __future__ import annotations

import subprocess
import sys
from graphlib import TopologicalSorter

import pytest
from package import Module, internal_imports, modules, third_party_imports

MAY_IMPORT: dict[str, set[str]] = {
    "source": set(),
    "diagnostics": {"source"},
    "files": set(),
    "language": {"source", "diagnostics"},
    "building": {"source", "language"},
    "model": {"source", "diagnostics", "language"},
    "topology": {"source", "diagnostics", "model"},
    "backend": {"diagnostics", "files", "topology"},
    "arguments": {"diagnostics", "topology"},
    "edges": {"diagnostics", "topology"},
    "evaluation": {"diagnostics", "topology", "backend"},
    "samples": {"diagnostics", "topology", "arguments"},
    # a network is given to training by its own method, and is known there to type checkers alone
    "training": {"diagnostics", "topology", "backend", "arguments", "archive", "evaluation"},
    "importance": {"diagnostics", "files", "topology", "backend", "arguments", "edges", "evaluation"},
    "network": {"diagnostics", "topology", "backend", "arguments", "edges", "archive", "evaluation", "training"}
    | {"warm_start"},
    "warm_start": {"diagnostics", "topology"},
    "archive": {"diagnostics", "files", "topology"},
    "compiler": {"source", "diagnostics", "language", "model", "topology", "backend", "network", "archive"},
    "api": {"source", "diagnostics", "language", "building", "model", "topology", "samples", "compiler", "network"}
    | {"archive"},
    "estimator": {"diagnostics", "language", "topology", "backend", "arguments", "evaluation", "samples", "training"}
    | {"network", "archive", "api"},
    "__main__": {"cli"},
    "cli": {"source", "diagnostics", "files", "language", "model", "topology", "backend", "arguments", "edges"}
    | {"network", "warm_start", "training", "importance", "archive", "samples", "evaluation", "compiler", "api", ""},
    # the public names, imported when first used: for type checkers, and by name
    "": {"source", "diagnostics", "building", "network", "api", "estimator"},
}
"""Layer -> the layers below it that it may know. A layer is a top-level module or folder of the package."""

MUST_NOT_KNOW: dict[str, tuple[str, ...]] = {
    # nodes hold names as strings: no parser, no meaning
    "language.nodes": ("lark", "numpy", "language.parser", "language.builder", "diagnostics"),
    # shapes only: what is wrong with a program is said elsewhere
    "language.builder": ("lark", "diagnostics"),
    # tables and readers are below the rules, the layers and the program
    "topology.graph": ("model", "language", "topology.rules", "topology.plan", "topology.csr"),
    "topology.readers": ("model", "language", "topology.rules", "topology.plan", "topology.csr"),
    # rules are pure functions on tables
    "topology.rules": ("model", "language", "topology.readers", "topology.plan", "topology.csr"),
    "topology.csr": ("model", "topology.rules", "topology.readers", "topology.weights", "topology.plan"),
    # the intermediate form knows neither how it was written nor what runs it; tensor expressions it takes as they are
    "topology.plan": ("source", "language", "model.types", "model.layers", "model.elaborate"),
    # the oracle of the tests must share nothing with what it judges
    "backend.reference": ("pytensor", "numba", "scipy", "backend.symbolic", "backend.csr_dot", "backend.kernels"),
    "backend.reference_functions": ("pytensor", "numba", "scipy", "backend.activations", "backend.batch_norm"),
    "backend.kernels": ("topology",),
    "backend.float32": ("pytensor", "topology", "scipy"),
    "backend.csr_dot": ("topology.plan",),
}
"""Module or folder -> the modules and libraries that it must not import, whatever its layer may."""

MAY_USE: dict[str, tuple[str, ...]] = {
    # the text of programs
    "lark": ("language.parser",),
    # the numeric base: arrays are the currency of every stage that holds data
    "numpy": ("topology", "backend", "network", "archive", "arguments", "edges", "evaluation", "samples", "cli")
    + ("training", "warm_start", "importance", "estimator"),
    # sparse matrix products, trees of neighbours and special functions, where the standard base ends; `edges` hands
    # users their edges as SciPy matrices; correlations
    "scipy": ("topology", "backend", "edges", "evaluation.scores"),
    # metrics, which only programs that name them need, and estimators; both are extras
    "sklearn": ("evaluation.scores", "estimator"),
    # tables: the parser of text, the typing of its cells, and Parquet, whose columns are Arrow's own; predictions
    "pyarrow": tuple(f"topology.readers.{name}" for name in ("delimited", "arrow_cells", "texts", "parquet"))
    + ("evaluation.table_files",),
    # graphs that users hand over as objects
    "networkx": ("topology.readers.objects",),
    # the target of the compiler: the backend emits it, the network holds its variables and compiled functions
    "pytensor": ("backend", "training", "importance", "network"),
    # progress on a terminal
    "rich": ("cli.progress",),
    # pictures of curves, where it is installed
    "matplotlib": ("cli.curves",),
    # the loops behind the sparse products, the functions of one number, and what loops are translated to
    "numba": ("backend.kernels", "backend.float32"),
    "llvmlite": ("backend.kernels",),
    # the same sums for PyTensor's JAX linker, loaded when it is used; an extra
    "jax": ("backend.jax_formulas",),
}
"""Library -> the modules or folders that may import it. Another library needs a line here and one in pyproject.toml."""

STANDARD = frozenset(sys.stdlib_module_names)
NOT_AT_IMPORT = {"pytensor", "sklearn", "networkx", "numpy", "pyarrow", "numba", "llvmlite", "scipy", "lark"}
NOT_AT_IMPORT |= {"rich", "matplotlib", "jax"}


def layer(name: str) -> str:
    return name.split(".")[0]


def inside(name: str, folder: str) -> bool:
    return name == folder or name.startswith(f"{folder}.")


EVERY_MODULE = pytest.mark.parametrize("module", modules().values(), ids=lambda module: module.name or "__init__")


def test_the_package_is_found() -> None:
    assert {"", "source", "topology.csr", "topology.rules.algebra"} <= modules().keys()


@EVERY_MODULE
def test_layers_are_imported_one_way(module: Module) -> None:
    own = layer(module.name)
    assert own in MAY_IMPORT, f"`{own}` is a new layer: say in MAY_IMPORT what it may know"
    known = {layer(name) for name in internal_imports(module)} - {own}
    assert known <= MAY_IMPORT[own], f"{module.name} imports {known - MAY_IMPORT[own]}"


def test_the_table_of_layers_is_itself_one_way() -> None:
    TopologicalSorter(MAY_IMPORT).prepare()


def test_no_modules_import_each_other() -> None:
    TopologicalSorter({name: internal_imports(module) for name, module in modules().items()}).prepare()


def test_every_module_named_here_exists() -> None:
    folders = {name.rpartition(".")[0] for name in modules()} | set(modules())
    named = {name for places in MAY_USE.values() for name in places} | set(MUST_NOT_KNOW)
    assert named <= folders, named - folders


@EVERY_MODULE
def test_modules_do_not_know_what_they_must_not(module: Module) -> None:
    imported = internal_imports(module) | third_party_imports(module, STANDARD)
    for place, strangers in MUST_NOT_KNOW.items():
        if inside(module.name, place):
            assert not [name for name in imported for stranger in strangers if inside(name, stranger)]


@EVERY_MODULE
def test_libraries_are_imported_in_their_places(module: Module) -> None:
    for library in third_party_imports(module, STANDARD):
        assert library in MAY_USE, f"{module.name} imports {library}, which has no place yet"
        places = MAY_USE[library]
        assert any(inside(module.name, place) for place in places), f"{library} belongs to {places}"


def test_importing_the_package_is_light() -> None:
    program = "import sys, graphnn_compiler; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not NOT_AT_IMPORT & set(done.stdout.split())
    assert "graphnn_compiler" in done.stdout.split()
