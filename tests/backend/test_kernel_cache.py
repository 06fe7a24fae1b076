"""Kernels in other processes: out of the cache on disk, two at once, from files cut short, and after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NETWORK = """
import numpy as np, pytensor, pytensor.tensor as pt
from graphnn_compiler.backend.csr_dot import edge_dot
from graphnn_compiler.backend.structure import EdgeStructure
from graphnn_compiler.backend.kernels import blocks, native
from graphnn_compiler.topology.csr import csr_from_pairs

rows, columns = np.nonzero(np.random.default_rng(0).random((6, 5)) < 0.5)
structure = EdgeStructure(csr_from_pairs(rows, columns, (6, 5)), None, None, len(rows))
rng = np.random.default_rng(1)
weights, x = rng.standard_normal((len(rows), 2)), rng.standard_normal((5, 3, 2))
w, v = pt.dmatrix(), pt.dtensor3()
y = edge_dot(w, v, structure)
expected = np.zeros((6, 3, 2))
np.add.at(expected, rows, weights[:, None] * x[columns])
np.testing.assert_allclose(pytensor.function([w, v], y, mode="NUMBA")(weights, x), expected, rtol=1e-12)
entries = native._dispatcher(), blocks.DIAGONAL_DOT._entries[blocks.DIAGONAL_DOT.prepare("float64", "int32")]
print(*(entry.cache_hits for entry in entries))
"""

FORKED = """
import os, signal
import numba
import numpy as np
from graphnn_compiler.backend.kernels.primitives import pays_in_parallel
from graphnn_compiler.backend.kernels.slopes import sums_over_batch

pays = numba.njit(lambda n_products: pays_in_parallel(n_products))
gy = np.random.default_rng(0).standard_normal((2000, 500, 1)).astype("float32")
assert pays(gy.size)
sums = sums_over_batch(gy)
child = os.fork()
if not child:
    signal.alarm(60)  # a child that hangs ends, by a signal
    os._exit(0 if np.array_equal(sums_over_batch(gy), sums) and not pays(gy.size) else 3)
assert os.waitpid(child, 0)[1] == 0
assert pays(gy.size) and np.array_equal(sums_over_batch(gy), sums)
"""


def start(program: str, folder: Path | None = None, more: str = "") -> subprocess.Popen[str]:
    environment = dict(os.environ)
    if folder is not None:
        environment["PYTENSOR_FLAGS"] = f"base_compiledir={folder}{more}"
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=pipe, stderr=pipe, text=True)


def output(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    return out.strip()


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """The cached functions, and when each was written and how long it is."""
    found = (folder / "numba").iterdir()
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in found}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that two processes have filled at once."""
    folder = tmp_path_factory.mktemp("cache")
    both = [start(NETWORK, folder) for _ in range(2)]
    assert {output(process) for process in both} <= {"0 0", "1 0", "0 1", "1 1"}
    return folder


def test_a_fresh_process_compiles_nothing(filled: Path) -> None:
    before = files(filled)
    for kernel in ("graphnn_dispatcher", "graphnn_diagonal_dot"):
        assert any(kernel in name for name in before)
    assert not any(".tmp." in name for name in before)
    assert output(start(NETWORK, filled)) == "1 1"
    assert files(filled) == before  # whatever is compiled is written


def test_files_cut_short_are_replaced(filled: Path) -> None:
    """Nothing writes half a file, but a full disk or a machine that goes off leaves some."""
    (index,) = (filled / "numba").glob("*graphnn_dispatcher*.nbi")
    (code,) = (filled / "numba").glob("*graphnn_diagonal_dot*.nbc")
    lengths = index.stat().st_size, code.stat().st_size
    os.truncate(index, 0)
    os.truncate(code, lengths[1] // 2)
    assert output(start(NETWORK, filled)) == "0 0"
    assert index.stat().st_size > 0
    assert code.stat().st_size > lengths[1] // 2
    assert output(start(NETWORK, filled)) == "1 1"


def test_without_a_cache(filled: Path) -> None:
    before = files(filled)
    assert output(start(NETWORK, filled, ",numba__cache=False")) == "0 0"
    assert files(filled) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one thread only")
def test_a_forked_child_computes_with_one_thread() -> None:
    output(start(FORKED))
