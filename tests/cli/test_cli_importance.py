"""`gnnc importance` and `gnnc train --null`: tables, reports, every refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytensor
import pytest
from command import Command
from pytensor.compile.mode import Mode

import graphnn_compiler as gnn
from graphnn_compiler.importance import edge_importance

WIRED = """\
gnn 1
graph g = read("edges.csv", source = "a", target = "b")
input x[g.nodes]
layer h[g.nodes] { from x via g.edges | same as near  activation = tanh }
output label[2] { from h via all  activation = softmax }
target truth
loss cost = cross_entropy(label, truth)
metric acc = accuracy(label, truth)
"""
X = np.random.default_rng(0).standard_normal((20, 4))
TRUTH = np.where(X[:, 0] > 0, "warm", "cold")


@pytest.fixture(autouse=True)
def _wired(folder: Path) -> Iterator[None]:
    (folder / "wired.gnn").write_text(WIRED, encoding="utf-8")
    np.savez("d.npz", x=X, truth=TRUTH)
    with pytensor.config.change_flags(mode=Mode(linker="py", optimizer=None)):
        yield


def test_tables_of_units_and_edges(gnnc: Command, folder: Path) -> None:
    assert gnnc("train", "wired.gnn", "--data", "d.npz", "--epochs", "1", "-o", "w.gnnz").status == 0
    common = ["importance", "w.gnnz", "--data", "d.npz", "--of", "label:warm"]
    result = gnnc(*common, "-o", "u.csv")
    assert (result.status, result.out) == (0, "")
    assert result.err.startswith("wrote u.csv (4 rows, ")
    assert " bytes): label:warm is 0." in result.err
    assert result.err.endswith(" on average over 20 samples\n")
    assert (folder / "u.csv").read_text(encoding="utf-8").splitlines()[0] == '"unit","mean","mean_abs"'
    assert gnnc(*common, "--edges", "h.near", "-o", "e.csv").status == 0
    lines = (folder / "e.csv").read_text(encoding="utf-8").splitlines()
    found = edge_importance(gnn.load("w.gnnz"), "h", "near", X, key="warm")
    assert lines[0] == '"source","target","mean","mean_abs"'
    assert [line.split(",")[2] for line in lines[1:]] == [repr(value) for value in found.mean.tolist()]
    result = gnnc(
        *common, "--method", "integrated", "--steps", "1", "--baseline", "mean", "--layer", "h", "-o", "h.parquet"
    )
    assert " at the baseline" in result.err


def test_too_few_steps_are_told(gnnc: Command) -> None:
    np.savez("far.npz", x=9 * X)
    result = gnnc("importance", "wired.gnn", "--data", "far.npz", "--of", "label:0", "-o", "u.csv",
                  "--method", "integrated", "--steps", "1")  # fmt: skip
    assert result.err.endswith(" of that difference, take more --steps\n")


REFUSED = {
    "importance wired.gnn --data d.npz -o u.txt": (
        "error: `u.txt` is not named as a .csv or .parquet file\n  = help: the ending says what is written\n"
    ),
    "importance wired.gnn --data d.npz -o u.csv": "error: `label` has 2 classes: choose one, `0`, `1`\n",
    "importance wired.gnn --data d.npz -o u.csv --of lable:1": (
        "error: there is no output or layer `lable`; did you mean `label`?\n"
    ),
    "importance wired.gnn --data d.npz -o u.csv --of label:1 --edges h.nera": (
        "error: layer `h` has no clause `nera`, but `near`\n"
    ),
    "importance wired.gnn --data d.npz -o u.csv --of label:1 --steps 9": (
        "error: `--steps` is of integrated gradients\n  = help: add --method integrated\n"
    ),
    "train wired.gnn --data d.npz --null 0": (
        "error: --null: `0` is not positive\n  = help: `gnnc train --help` shows the usage\n"
    ),
    "train wired.gnn --data d.npz --null-keep in_degree": (
        "error: `--null-keep` is of null models\n  = help: add --null N\n"
    ),
    "train - --data d.npz -o w.gnnz --null 2": (
        "error: null models are built from a program again and again, and standard input is read once\n"
        "  = help: name a file\n"
    ),
    "train w.gnnz --data d.npz --null 2": (
        "error: null models begin with new weights, and `w.gnnz` has been built already\n"
        "  = help: name the program that it was built from\n"
    ),
    "train wired.gnn --data d.npz --null 2 --warm-start d.npz": (
        "error: null models begin with weights of their own, and `--warm-start` would favour the real wiring\n"
        "  = help: leave one of the two out\n"
    ),
}


@pytest.mark.parametrize("command", REFUSED)
def test_refusals(gnnc: Command, command: str) -> None:
    if "w.gnnz" in command:
        gnnc("build", "wired.gnn", "-o", "w.gnnz")
    result = gnnc(*command.split())
    assert (result.status, result.out, result.err) == (2, "", REFUSED[command])


def test_null_models(gnnc: Command, folder: Path) -> None:
    common = ["train", "wired.gnn", "--data", "d.npz", "--epochs", "2", "--validation", "0.25", "-o", "w.gnnz"]
    result = gnnc(*common, "--null", "2", "--null-report", "r.json", "--null-keep", "in_degree")
    assert result.status == 0
    learned, wrote = result.err.splitlines()
    assert learned == "the classes of `truth` are `cold`, `warm`, in this order"
    assert wrote.startswith("wrote w.gnnz (2 epochs: loss ")
    lines = result.out.splitlines()
    assert lines[0].startswith("2 null models: ")
    assert lines[0].endswith(" % of 8 edges moved")
    assert lines[2].split() == ["score", "network", "null", "models", "deviation", "difference", "p"]
    assert [line.split()[0] for line in lines[3:6]] == ["loss", "val_loss", "val_acc"]
    data = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert (data["null_models"], data["keep"], len(data["scores"])) == (2, "in_degree", 3)
    assert len(set(data["scores"][0]["null"])) == 2
    again = gnnc(*common, "--null", "2", "--null-keep", "in_degree")
    assert again.out == result.out


def test_a_program_whose_edges_cannot_move(gnnc: Command, folder: Path) -> None:
    (folder / "wired.gnn").write_text(WIRED.replace("g.edges | same", "same"), encoding="utf-8")
    result = gnnc("train", "wired.gnn", "--data", "d.npz", "--epochs", "1", "--null", "2")
    assert result.status == 1
    assert "error[E345]: there are no edges that a null model could shuffle\n  --> wired.gnn:1:1\n" in result.err
