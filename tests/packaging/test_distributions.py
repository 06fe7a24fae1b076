"""The wheel, the sdist and the editable install each hold the whole program and run from any folder.

Each is built as a user's pip would build it, but without a network: the build tool is the one that the tests run with,
and the fresh environments see the installed dependencies through a `.pth` file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest

import graphnn_compiler

ROOT = Path(__file__).parents[2]
PROGRAM = """\
gnn 1
input x[4]
layer h[3] { from x via all activation = tanh }
output y[2] { from h via all }
"""
BUILD = """\
import numpy as np
import graphnn_compiler as gnn
from pytensor.compile.mode import Mode

net = gnn.build("model.gnn", mode=Mode(linker="py", optimizer=None))
print(gnn.__file__, net(np.ones((5, 4))).shape, sep="\\n")
"""


@dataclass(frozen=True)
class Distributions:
    """The built files: the wheel made from the checkout, the sdist, and the wheel made from the unpacked sdist."""

    wheel: Path
    sdist: Path
    wheel_of_sdist: Path


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    wheel = build("--wheel", ROOT, tmp_path_factory.mktemp("wheel"))
    sdist = build("--sdist", ROOT, tmp_path_factory.mktemp("sdist"))
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    wheel_of_sdist = build("--wheel", next(unpacked.iterdir()), tmp_path_factory.mktemp("wheel-of-sdist"))
    return Distributions(wheel, sdist, wheel_of_sdist)


def build(kind: str, source: Path, target: Path) -> Path:
    run(sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", str(target), str(source), folder=target)
    (built,) = target.iterdir()
    return built


def run(*command: str, folder: Path) -> str:
    """What a command printed; its failure is the test's, with all that it said."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def fresh_environment(folder: Path) -> Path:
    """The programs' folder of an empty virtual environment that sees the dependencies installed here.

    A `.pth` file adds a folder but not that folder's own `.pth` files: an editable install seen by the tests is not
    seen there.
    """
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    site = run(str(programs / "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder)
    here = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    Path(site.strip(), "dependencies.pth").write_text("\n".join(here), encoding="utf-8")
    return programs


def install(folder: Path, *requirement: str) -> Path:
    """The programs' folder of a fresh environment into which pip has installed nothing but `requirement`."""
    programs = fresh_environment(folder)
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--ignore-installed")
    pip = (sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--quiet", *offline)
    run(*pip, *requirement, folder=folder)
    return programs


def exercise(programs: Path, elsewhere: Path) -> Path:
    """Run the installed program and library in a folder that has nothing to do with it; where it was imported from."""
    (elsewhere / "model.gnn").write_text(PROGRAM, encoding="utf-8")
    gnnc = str(programs / "gnnc")
    assert graphnn_compiler.__version__ in run(gnnc, "--version", folder=elsewhere)
    run(gnnc, "check", "--no-data", "model.gnn", folder=elsewhere)
    assert "E001" in run(gnnc, "explain", "E001", folder=elsewhere)
    imported_from, shape = run(str(programs / "python"), "-c", BUILD, folder=elsewhere).splitlines()
    assert shape == "(5, 2)"
    return Path(imported_from)


def wheel_files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def package_files() -> set[str]:
    """The files that the package is made of, caches excepted, as a wheel names them."""
    found = {path.relative_to(ROOT) for path in (ROOT / "graphnn_compiler").rglob("*") if path.is_file()}
    ours = {path.as_posix() for path in found if not any(part.startswith((".", "__pycache__")) for part in path.parts)}
    return ours | {"graphnn_compiler/grammar/gnn.lark"}


def test_the_wheel_holds_the_package_and_nothing_else(distributions: Distributions) -> None:
    files = {name for name in wheel_files(distributions.wheel) if ".dist-info/" not in name}
    assert files == package_files()
    assert "graphnn_compiler/py.typed" in files
    assert "graphnn_compiler/explain/E001.md" in files


def test_the_wheel_says_what_it_is(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as archive:
        (information,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = Parser().parsestr(archive.read(f"{information}/METADATA").decode())
        entry_points = archive.read(f"{information}/entry_points.txt").decode()
        assert f"{information}/licenses/LICENSE" in archive.namelist()
    assert metadata["Version"] == graphnn_compiler.__version__
    assert metadata["Requires-Python"] == "<3.14,>=3.11"
    assert "gnnc = graphnn_compiler.cli.main:main" in entry_points


def test_the_sdist_holds_what_the_gate_needs(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as archive:
        files = {name.split("/", 1)[1] for name in archive.getnames()}
    needed = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "dev", ".ci/run", "grammar/gnn.lark"}
    assert needed <= files
    assert "tests/conftest.py" in files
    assert not {name for name in files if name.startswith((".venv", ".hypothesis", "build", "dist", ".mypy_cache"))}


def test_the_sdist_makes_the_same_wheel(distributions: Distributions) -> None:
    assert distributions.wheel_of_sdist.name == distributions.wheel.name
    with zipfile.ZipFile(distributions.wheel) as ours, zipfile.ZipFile(distributions.wheel_of_sdist) as theirs:
        assert {name: ours.read(name) for name in ours.namelist()} == {
            name: theirs.read(name) for name in theirs.namelist()
        }


@pytest.mark.parametrize("kind", ["wheel", "wheel_of_sdist"])
def test_the_wheel_runs_from_another_folder(distributions: Distributions, kind: str, tmp_path: Path) -> None:
    environment, elsewhere = tmp_path / "environment", tmp_path / "elsewhere"
    elsewhere.mkdir()
    programs = install(environment, str(getattr(distributions, kind)))
    assert exercise(programs, elsewhere).is_relative_to(environment)


def test_the_editable_install_runs_from_another_folder(tmp_path: Path) -> None:
    environment, elsewhere = tmp_path / "environment", tmp_path / "elsewhere"
    elsewhere.mkdir()
    programs = install(environment, "--editable", str(ROOT))
    assert exercise(programs, elsewhere) == ROOT / "graphnn_compiler" / "__init__.py"
