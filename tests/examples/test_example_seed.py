"""The example of 100,000 neurons at its full size: within 1 GiB at every stage, and wired as its file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from folders import copied
from peak_memory import peak_bytes
from readme_commands import PROGRAMS, run

import graphnn_compiler as gnn

GIB = 1 << 30


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied("seed_100k", tmp_path_factory.mktemp("seed"))
    run("python make_data.py", folder)
    return folder


@pytest.mark.parametrize(
    ("command", "sign_of_success"),
    [
        (["gnnc", "check", "model.gnn"], "no errors"),
        (["gnnc", "build", "model.gnn", "-o", "network.gnnz"], "wrote network.gnnz"),
        (["python", "run.py", "--batch", "32"], "backward pass of 32 samples"),  # builds, runs forward and backward
    ],
    ids=["check", "build", "forward and backward"],
)
def test_peak_memory_is_below_one_gib(example: Path, command: list[str], sign_of_success: str) -> None:
    program, *arguments = command
    peak, printed = peak_bytes([PROGRAMS[program], *arguments], example)
    assert sign_of_success in printed
    assert peak < GIB


def test_peak_memory_is_measured(tmp_path: Path) -> None:
    python = PROGRAMS["python"]
    much, _ = peak_bytes([python, "-c", "bytearray(b'x' * (300 << 20))"], tmp_path)
    little, printed = peak_bytes([python, "-c", "print('little')"], tmp_path)
    assert 300 << 20 < much < 800 << 20
    assert little < 100 << 20
    assert "little" in printed


def test_edges_are_those_of_the_file(example: Path) -> None:
    net = gnn.build(example / "model.gnn")
    listed = np.loadtxt(example / "edges.csv", delimiter=",", skiprows=1, dtype=np.int64)
    by_target = listed[np.lexsort((listed[:, 0], listed[:, 1]))]
    for layer in ("first", "second"):
        edges = net.edges(layer)
        degrees = np.diff(edges.indptr)
        assert (degrees.min(), degrees.max()) == (2, 6)
        assert np.all(np.abs(np.bincount(degrees)[2:] - 20_000) < 700)  # uniform, to within 5.5 standard deviations
        assert np.array_equal(edges.source_keys, by_target[:, 0])
        assert np.array_equal(edges.target_keys, by_target[:, 1])


def test_an_unlisted_neuron_breaks_the_assert(tmp_path: Path) -> None:
    folder = copied("seed_100k", tmp_path)
    run("python make_data.py --units 1000", folder)
    rows = (folder / "edges.csv").read_text().splitlines()
    (folder / "edges.csv").write_text("\n".join(row for row in rows if not row.endswith(",17")) + "\n")
    with pytest.raises(gnn.GnnError, match="2 to 6"):
        gnn.build(folder / "model.gnn", params={"units": 1000})
