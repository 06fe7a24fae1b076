"""The benchmark of approaches: its problem is what it says, and its oracle agrees with SciPy."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.sparse


@pytest.fixture(scope="module")
def approaches() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "approaches.py"
    spec = importlib.util.spec_from_file_location("approaches_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("n", [10, 100, 5_000])
def test_the_problem_has_2_to_6_distinct_inputs_a_unit(approaches: ModuleType, n: int) -> None:
    indptr, indices, weights, x, gy = approaches.problem(n)
    degrees = np.diff(indptr)
    assert degrees.min() >= 2
    assert degrees.max() <= 6
    assert len(indices) == len(weights) == indptr[-1]
    assert indices.min() >= 0
    assert indices.max() < n
    assert len(np.unique(np.repeat(np.arange(n), degrees) * n + indices)) == len(indices)
    matrix = scipy.sparse.csr_matrix((weights, indices, indptr), (n, n))
    y, slopes = approaches.expected(indptr, indices, weights, x, gy)
    np.testing.assert_allclose(y, (matrix @ x.T).T, rtol=1e-4, atol=1e-4)
    rows, columns = matrix.nonzero()
    np.testing.assert_allclose(slopes, (x[:, columns] * gy[:, rows]).sum(axis=0), rtol=1e-4, atol=1e-3)


def test_a_case_that_fails_says_how(approaches: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GNN_THEANO_VENV", str(tmp_path))
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\necho \'{"failed": "MemoryError: 37 GiB"}\'\n')
    python.chmod(0o755)
    assert approaches.cells(approaches.run("masked", 10))[-1] == "MemoryError: 37 GiB"
