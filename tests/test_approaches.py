"""The benchmark of approaches: its problem is as told, its oracle agrees with SciPy, and every approach with that."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.sparse
from printed_programs import python_of

UNITS = 30


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


@pytest.mark.parametrize("approach", ["numpy", "ours"])
def test_the_approaches_without_theano_are_right(approaches: ModuleType, approach: str) -> None:
    given = approaches.problem(UNITS)
    forward, both, by_edge = approaches.compiled_functions(approach, given)
    _agree(approaches.expected(*given), forward(given[3]), both(*given[3:]), by_edge)


def _agree(expected, value, value_and_slopes, by_edge) -> None:
    for found in (value, value_and_slopes[0]):
        np.testing.assert_allclose(found, expected[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(by_edge(value_and_slopes[1]), expected[1], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("approach", ["list", "padded", "blocks", "masked", "csr"])
def test_the_approaches_in_theano_pass_their_own_check(
    approaches: ModuleType, approach: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python_of("theano")  # skips, or fails in the gate, where there is none
    monkeypatch.setenv("THEANO_FLAGS", "cxx=")
    assert "failed" not in (result := approaches.run_once(approach, UNITS, str(tmp_path))), result


def test_a_wrong_result_is_not_timed(approaches: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    right = approaches.expected
    monkeypatch.setattr(approaches, "expected", lambda *given: (right(*given)[0] + 1, right(*given)[1]))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        approaches.measure("numpy", UNITS)


def test_stored_results_are_not_measured_again(approaches: ModuleType, tmp_path: Path) -> None:
    keep = tmp_path / "kept.json"
    keep.write_text(
        '{"ours 7": {"first": 9, "compile": 1, "forward": 0.001, "both": 0.002, "memory": 1048576},'
        ' "masked 7": {"failed": "MemoryError: 37 | GiB"}}'
    )
    page = approaches.report([7], ["ours", "masked"], keep).splitlines()
    assert page[-2] == "| 7 | this project | 9.0 | 1.0 | 1.00 | 2.00 | 1 |  |"
    assert page[-1] == "| 7 | masked dense matrix |  |  |  |  |  | MemoryError: 37 / GiB |"


def test_a_case_over_the_time_limit_is_ended(approaches: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approaches, "SECONDS", 0.01)
    assert approaches.run("numpy", UNITS) == {"failed": "not compiled, checked and timed within 0.01 s"}


def test_a_case_that_fails_says_how(approaches: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GNN_THEANO_VENV", str(tmp_path))
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\necho \'{"failed": "MemoryError: 37 GiB"}\'\n')
    python.chmod(0o755)
    assert approaches.cells(approaches.run("masked", 10))[-1] == "MemoryError: 37 GiB"
