"""The peers: which adapter, which environment, what to install in it. Not for: running them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1]
ROOT = BENCHMARKS.parent
THREADS = 2


@dataclass(frozen=True)
class Peer:
    """`environment` names a virtual environment and its requirements file; None is the one that runs the benchmark.

    `only` is how the names of this peer's formulations begin, where an adapter serves several. `variables` are of the
    worker's process; in them `{caches}` stands for a folder of its own, which outlives the run. `build` are packages
    that are installed first, where others have to be built by them and not by the newest ones.
    """

    name: str
    title: str
    adapter: str
    environment: str | None = None
    pythons: tuple[str, ...] = ()
    only: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    build: tuple[str, ...] = ()


OURS, REFERENCE, SCIPY = "ours", "c", "scipy"
CACHED = {"PYTENSOR_FLAGS": "base_compiledir={caches}"}
MODERN = ("python3.11", "python3.12", "python3.10")
CLASSIC = ("python3.9", "python3.8", "python3.10", "python3.11")
PEERS = (
    Peer(OURS, "graphnn_compiler", "ours"),
    Peer(REFERENCE, "C reference", "c_reference", variables={"GNN_BENCH_CACHE": "{caches}"}),
    Peer(SCIPY, "SciPy", "scipy_csr"),
    Peer("pytensor-numba", "PyTensor stock, numba linker", "pytensor_stock", only="structured_dot, numba",
         variables=CACHED),
    Peer("pytensor-c", "PyTensor stock, C linker", "pytensor_stock", only="structured_dot, C", variables=CACHED),
    Peer("theano", "Theano", "theano_layers", "theano", CLASSIC, variables={
        "THEANO_FLAGS": "base_compiledir={caches},blas.ldflags=,floatX=float32,openmp=True",
    }, build=("setuptools<60", "wheel")),
    Peer("torch", "PyTorch", "torch_layers", "torch", MODERN, variables={"TORCHINDUCTOR_CACHE_DIR": "{caches}"}),
    Peer("jax", "JAX", "jax_layers", "jax", MODERN),
    Peer("tensorflow", "TensorFlow", "tensorflow_layers", "tensorflow", MODERN),
    Peer("dgl", "DGL", "dgl_layers", "dgl", MODERN),
    Peer("pyg", "PyTorch Geometric", "pyg_layers", "pyg", MODERN),
)  # fmt: skip
BY_NAME = {peer.name: peer for peer in PEERS}

ALIKE = {
    "OMP_NUM_THREADS": str(THREADS),
    "OPENBLAS_NUM_THREADS": str(THREADS),
    "OPENBLAS_THREAD_TIMEOUT": "14",
    "MKL_NUM_THREADS": str(THREADS),
    "NUMBA_NUM_THREADS": str(THREADS),
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_NUM_INTRAOP_THREADS": str(THREADS),
    "TF_NUM_INTEROP_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "DGLBACKEND": "pytorch",
}
"""Of every worker alike: two threads, waiting as their library has them wait; those of OpenBLAS do not spin long."""
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")
"""Settings of a machine that would slow a library down, or point it to another environment."""


def default_environments() -> Path:
    return ROOT / "build" / "peers"


def requirements(peer: Peer) -> Path:
    return BENCHMARKS / "peers" / f"requirements-{peer.environment}.txt"


def interpreter(peer: Peer, environments: Path) -> Path:
    return Path(sys.executable) if peer.environment is None else environments / peer.environment / "bin" / "python"


def missing(peer: Peer, environments: Path) -> str | None:
    """Why a peer cannot run, and what makes it run; None if its environment is there."""
    if peer.name == REFERENCE and shutil.which("gcc") is None:
        return "not installed: gcc is not on PATH"
    if interpreter(peer, environments).exists():
        return None
    return f"not installed: `python benchmarks/speed.py setup {peer.environment}` makes its environment"


def variables(peer: Peer, environments: Path) -> dict[str, str]:
    """The environment variables of a worker."""
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    caches = environments / "caches" / peer.name
    own = {name: value.replace("{caches}", str(caches)) for name, value in peer.variables.items()}
    if peer.environment is None:
        own["PYTHONPATH"] = str(ROOT)
    return {**kept, **ALIKE, **own}


def _runs(python: str) -> bool:
    """Whether a Python is there: a version manager has names on the path for those that it could install."""
    return subprocess.run([python, "-c", "import venv"], check=False, capture_output=True).returncode == 0


def set_up(names: list[str], environments: Path) -> list[str]:
    """Make the environments of these names (none: all), one after another; the names of those that failed.

    pip is the one of each new environment, with the settings and indexes that it finds.
    """
    wanted = {peer.environment: peer for peer in PEERS if peer.environment}
    failed = []
    for name in names or list(wanted):
        peer = wanted.get(name)
        if peer is None:
            print(f"{name}: no such environment; there are {', '.join(wanted)}")
            failed.append(name)
            continue
        python = next((found for found in map(shutil.which, peer.pythons) if found and _runs(found)), None)
        if python is None:
            print(f"{name}: needs one of {', '.join(peer.pythons)} on PATH")
            failed.append(name)
            continue
        print(f"{name}: {python}, {requirements(peer).relative_to(ROOT)}", flush=True)
        folder = environments / name
        install = [str(interpreter(peer, environments)), "-m", "pip", "install", "--quiet"]
        with_these = ["--no-build-isolation"] if peer.build else []
        commands = [
            [python, "-m", "venv", "--clear", str(folder)],
            *([[*install, *peer.build]] if peer.build else []),
            [*install, *with_these, "-r", str(requirements(peer))],
        ]
        if any(subprocess.run(command, check=False).returncode for command in commands):
            shutil.rmtree(folder, ignore_errors=True)
            failed.append(name)
    return failed
