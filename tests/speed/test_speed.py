"""The parts of the benchmark of speed that need no peers: problems, checks, rounds and report; never times."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from peers import measure, networks, problem, registry, report, svg
from peers.adapters import c_reference, ours_networks, scipy_csr
from scipy.sparse import csr_array
from scipy.special import log_softmax

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "benchmarks" / "speed.py")]
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="the C reference kernels need gcc")


def dense(drawn: problem.Problem) -> dict[str, np.ndarray]:
    """The results by a dense matrix, edge by edge."""
    matrix = np.zeros((drawn.units, drawn.units))
    for t in range(drawn.units):
        for e in range(drawn.indptr[t], drawn.indptr[t + 1]):
            matrix[t, drawn.indices[e]] = drawn.weights[e]
    gw = [drawn.gy[t] @ drawn.x[s] for t, s in zip(drawn.rows, drawn.indices, strict=True)]
    results = {"y": matrix @ drawn.x + drawn.bias[:, None], "gw": np.array(gw), "gb": drawn.gy.sum(axis=1)}
    return {**results, "gx": matrix.T @ drawn.gy}


@pytest.mark.parametrize("units", [1, 3, 50])
def test_a_problem_is_a_graph_of_given_degrees(units: int) -> None:
    drawn = problem.draw(units, 2, seed=5)
    degree = np.diff(drawn.indptr)
    assert degree.min() >= min(2, units)
    assert degree.max() <= min(6, units)
    for t in range(units):
        own = drawn.indices[drawn.indptr[t] : drawn.indptr[t + 1]]
        assert np.all(np.diff(own) > 0)
        assert own.max() < units
    again = problem.draw(units, 7, seed=5)
    assert np.array_equal(drawn.indices, again.indices), "the graph depends on units and seed alone"
    assert np.array_equal(drawn.weights, again.weights)


def test_the_reference_is_what_a_dense_matrix_gives(tmp_path: Path) -> None:
    drawn = problem.draw(30, 4, seed=1)
    problem.write(tmp_path / "p", drawn)
    problem.write_reference(tmp_path / "p", drawn)
    expected = dense(drawn)
    assert max(problem.deviations(tmp_path / "p", expected).values()) < 1e-6
    wrong = {**expected, "gx": expected["gx"] + np.eye(30, 4)}
    assert problem.deviations(tmp_path / "p", wrong)["gx"] > problem.TOLERANCE
    with pytest.raises(ValueError, match="shape"):
        problem.deviations(tmp_path / "p", {"y": expected["y"].T})


def checked(adapter: object, units: int, batch: int, tmp_path: Path) -> int:
    """How many formulations of an adapter suit a batch; all of them must give the reference's results."""
    drawn = problem.draw(units, batch, seed=2)
    folder = tmp_path / f"{units}-{batch}"
    problem.write(folder, drawn)
    problem.write_reference(folder, drawn)
    suits = getattr(adapter, "suits", lambda *_: True)
    names = [name for name in adapter.FORMULATIONS if suits(name, batch)]  # type: ignore[attr-defined]
    for name in names:
        layer = adapter.FORMULATIONS[name](problem.read(folder))  # type: ignore[attr-defined]
        alone = layer.numpy([layer.forward()])[0].copy()
        results = dict(zip(problem.RESULTS, layer.numpy(layer.both()), strict=True))
        assert max(problem.deviations(folder, results).values()) < problem.TOLERANCE, name
        assert problem.deviations(folder, {"y": alone})["y"] < problem.TOLERANCE, name
    return len(names)


def test_scipy_by_hand_agrees(tmp_path: Path) -> None:
    assert checked(scipy_csr, 300, 3, tmp_path) == 2


@needs_gcc
@pytest.mark.parametrize(("batch", "number"), [(1, 2), (16, 6), (32, 12), (64, 18), (128, 18)])
@pytest.mark.parametrize("units", [5, 400])
def test_the_kernels_of_the_c_reference_agree(
    units: int, batch: int, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("GNN_BENCH_CACHE", str(tmp_path))
    assert checked(c_reference, units, batch, tmp_path) == number


def sparse_tanh(arrays: dict[str, np.ndarray], number: int, signal: np.ndarray) -> np.ndarray:
    """signal (units, batch) through sparse layer `number`."""
    names = (f"{name}_{number}" for name in ("weights", "indices", "indptr"))
    return np.tanh(csr_array(tuple(arrays[name] for name in names)) @ signal + arrays[f"bias_{number}"][:, None])


def first_loss(name: str, arrays: dict[str, np.ndarray]) -> float:
    signal = arrays["x"].T.astype(float)
    if name == "deep":
        for number in range(networks.DEPTH):
            signal = sparse_tanh(arrays, number, signal)
        return float(np.mean((signal - arrays["truth"].T) ** 2))
    hidden = np.tanh(arrays["first"].T @ signal + arrays["first_bias"][:, None])
    logits = sparse_tanh(arrays, 0, hidden).T @ arrays["last"] + arrays["last_bias"]
    return float(-log_softmax(logits, axis=1)[np.arange(len(logits)), arrays["truth"]].mean())


@pytest.mark.parametrize("name", ["wired", "deep", "gcn"])
def test_our_networks_learn(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    networks.write(folder, name, 140, 3, seed=0)
    training = ours_networks.NETWORKS[name]["program"](folder, 0.0)
    start = networks.read(folder)
    losses = [training.step() for _ in range(3)]
    assert losses[0] > losses[1] > losses[2]
    if name != "gcn":
        assert np.isclose(losses[0], first_loss(name, start), rtol=1e-5)
    values = training.values()
    assert values.keys() == start.keys() - {"x", "truth"} - {key for key in start if key.startswith("ind")}
    assert all(np.abs(values[key] - start[key]).max() > 0 for key in values)


def test_what_goes_into_the_rounds() -> None:
    case = measure.Case({"a": 1.0, "b": 1.1, "c": 2.0, "d": "n x n does not fit"})
    assert measure.kept(case) == ["a", "b"]
    found = measure.Layers(cases={("p", 32, "both"): measure.Case({"a": 1.0, "b": 100.0, "c": "no"})})
    assert measure.hopeless(found, "p", 64, "both", "a") is None
    assert measure.hopeless(found, "p", 64, "both", "b") == "not tried: 100 times slower than the fastest at batch 32"
    assert measure.hopeless(found, "p", 64, "both", "c") == "no"
    assert measure.hopeless(found, "p", 64, "forward", "c") is None


def test_every_peer_says_how_to_install_it(tmp_path: Path) -> None:
    for peer in registry.PEERS:
        if peer.environment is not None:
            assert registry.requirements(peer).is_file()
            reason = registry.missing(peer, tmp_path)
            assert (
                reason == f"not installed: `python benchmarks/speed.py setup {peer.environment}` makes its environment"
            )


def test_figures_are_xml() -> None:
    bars = svg.bars("<title>", "ms", ["1", "32"], {"a & b": [0.5, 20.0], "c": [None, 3.0]})
    lines = svg.lines("growth", "edges", "ns", {"a": [(1e3, 5.0), (1e6, 6.0)], "b": [(1e3, 5.0)]})
    assert len(ElementTree.fromstring(bars).findall(".//{*}rect")) == 1 + 3 + 2
    assert len(ElementTree.fromstring(lines).findall(".//{*}polyline")) == 2


def test_failures_stand_in_the_report() -> None:
    peers = (registry.BY_NAME["ours"], registry.BY_NAME["torch"])
    settings = measure.Settings(peers, Path(), batches=(32,))
    cases = {
        ("ours", 32, "forward"): measure.Case({"edge_dot": 0.002}, 1e-7, "edge_dot", 0.002),
        ("ours", 32, "both"): measure.Case({"edge_dot": 0.004}, 1e-7, "edge_dot", 0.004),
        ("torch", 32, "forward"): measure.Case({"sparse CSR": 0.01}, 1e-7, "sparse CSR", 0.01),
        ("torch", 32, "both"): measure.Case({"sparse CSR": "RuntimeError: 40000000000 bytes"}),
    }
    versions = {"ours": "1", "torch": "2"}
    layers = measure.Layers(versions, versions, cases=cases, n_edges=4)
    text, figures = report.write(report.Results(settings, layers=layers), "name")
    assert "| PyTorch | 5 | - |" in text, "five times slower forward, nothing backward"
    assert "| PyTorch | sparse CSR | 10 | RuntimeError: 40000000000 bytes |" in text
    assert list(figures) == ["name-layers.svg"]


def test_the_command_measures_what_is_installed(tmp_path: Path) -> None:
    out = tmp_path / "page.md"
    options = ["--quick", "--units", "200", "--only", "ours", "scipy", "torch", "--parts", "layers", "memory"]
    places = ["--environments", str(tmp_path), "--out", str(out), "--log", str(tmp_path / "log")]
    done = subprocess.run([*COMMAND, *options, *places], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()
    text = out.read_text()
    assert "- PyTorch: not installed: `python benchmarks/speed.py setup torch` makes its environment" in text
    figures = [line.split(" | ")[1:] for line in text.splitlines() if line.startswith("| graphnn_compiler | 0.")]
    assert len(figures[0]) == 4
    assert all(float(cell.strip(" |")) > 0 for cell in figures[0])
    assert "| SciPy | csr, edges in chunks | " in text
    assert (tmp_path / "page-layers.svg").exists()
