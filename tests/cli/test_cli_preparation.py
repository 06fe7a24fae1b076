"""`gnnc train` with missing cells, scaling and a warm start; what `evaluate`, `predict` and `inspect` make of it."""

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

HEIGHTS = """\
gnn 1
graph g = read("trees.csv", source = "a", target = "b")
input x[g.nodes]
output y[2] { from x via all  activation = softmax }
target kind
loss cost = cross_entropy(y, kind)
metric acc = accuracy(y, kind)
"""
ROWS = ["s1,1.0,200,,old", "s2,3.0,,5.0,new", "s3,2.0,400,7.0,old", "s4,,300,6.0,new"]


@pytest.fixture(autouse=True)
def _files(folder: Path) -> Iterator[None]:
    (folder / "heights.gnn").write_text(HEIGHTS, encoding="utf-8")
    (folder / "trees.csv").write_text("a,b\noak,elm\nelm,ash\n", encoding="utf-8")
    (folder / "rows.csv").write_text("\n".join(["sample,oak,elm,ash,kind", *ROWS, ""]), encoding="utf-8")
    (folder / "one.csv").write_text("sample,ash,elm,oak,kind\nt1,9.0,,2.0,new\n", encoding="utf-8")
    with pytensor.config.change_flags(mode=Mode(linker="py", optimizer=None)):
        yield


TRAIN = ("train", "heights.gnn", "--data", "rows.csv", "--index", "sample", "--epochs", "2")
PREPARED = ("--missing", "mean", "--scale", "x=standardize")


def test_means_and_scales_of_the_training_go_with_the_model(gnnc: Command, folder: Path) -> None:
    result = gnnc(*TRAIN, *PREPARED, "-o", "t.gnnz")
    assert result.status == 0, result.err
    assert "3 missing cells of rows.csv: means of the training data stand there\n" in result.err
    net = gnn.load("t.gnnz")
    node = net.plan.inputs[0]
    assert node.fill is not None
    assert dict(zip(node.units.keys.tolist(), node.fill.tolist(), strict=True)) == {"oak": 2, "elm": 300, "ash": 6}
    expected = net(np.array([[2.0, 300, 9]]))[0]  # the file has other columns first, and no elm
    for options in ([], ["--missing", "mean"]):
        result = gnnc("predict", "t.gnnz", "--data", "one.csv", "--index", "sample", *options, "-o", "p.npz")
        assert result.status == 0, result.err
        assert "1 missing cell of one.csv: means of the training data stand there\n" in result.err
        with np.load("p.npz") as found:
            np.testing.assert_array_equal(found["y"][0], expected)
    report = json.loads(gnnc("evaluate", "t.gnnz", "--data", "one.csv", "--index", "sample", "--json").out)
    assert report["losses"]["cost"] == pytest.approx(-np.log(expected[0]), rel=1e-5)  # `new` is before `old`
    zero = gnnc("predict", "t.gnnz", "--data", "one.csv", "--missing", "zero", "--index", "sample", "-o", "p.npz")
    assert "means" not in zero.err
    with np.load("p.npz") as found:
        np.testing.assert_array_equal(found["y"][0], net(np.array([[2.0, 0, 9]]))[0])
    shown = gnnc("inspect", "t.gnnz")
    assert shown.out.endswith(
        "\ninput x: missing values become means of the training data, standardized by mean and deviation of the "
        "training data\n"
    )


def test_without_stored_means_they_are_those_of_the_file(gnnc: Command) -> None:
    assert gnnc(*TRAIN, "--missing", "zero", "-o", "t.gnnz").status == 0
    result = gnnc("predict", "t.gnnz", "--data", "rows.csv", "--index", "sample", "--missing", "mean", "-o", "p.npz")
    assert result.status == 0
    assert "means" not in result.err
    with np.load("p.npz") as found:
        np.testing.assert_array_equal(found["y"][3], gnn.load("t.gnnz")(np.array([[2.0, 300, 6]]))[0])
    assert gnnc("predict", "t.gnnz", "--data", "rows.csv", "-o", "p.npz").status == 1  # no policy


def test_missing_numbers_of_arrays_are_nan(gnnc: Command) -> None:
    x = np.array([[1, 200, np.nan], [3, np.nan, 5], [2, 400, 7], [np.nan, 300, 6]])
    np.savez("d.npz", x=x, kind=np.array([0, 1, 0, 1]))
    assert gnnc("train", "heights.gnn", "--data", "d.npz", "--epochs", "1", *PREPARED, "-o", "t.gnnz").status == 0
    fill = gnn.load("t.gnnz").plan.inputs[0].fill
    assert fill is not None
    assert fill.tolist() == [2, 300, 6]


def test_a_warm_start(gnnc: Command, folder: Path) -> None:
    assert gnnc(*TRAIN, *PREPARED, "-o", "old.gnnz").status == 0
    (folder / "trees.csv").write_text("a,b\nash,oak\noak,elm\n", encoding="utf-8")  # another order of units
    result = gnnc(*TRAIN, "--rate", "1e-30", "--warm-start", "old.gnnz", "-o", "new.gnnz")
    assert result.status == 0, result.err
    assert result.err.startswith("warm start from old.gnnz: 2 parameters copied; scaling of `x` taken over\n")
    old, new = gnn.load("old.gnnz"), gnn.load("new.gnnz")
    assert new.plan.inputs[0].units.keys.tolist() == ["ash", "oak", "elm"]
    np.testing.assert_allclose(new(np.array([[6.0, 1, 200]])), old(np.array([[1.0, 200, 6]])), rtol=1e-6)


LEARNED = "the classes of `kind` are `new`, `old`, in this order\n"
REFUSED = {
    "--scale x": (2, "error: --scale: `x` does not have the form INPUT=METHOD\n"),
    "--scale x=standard": (2, "error: --scale: there is no `standard`; did you mean `standardize`?\n"),
    "--scale z=standardize": (2, LEARNED + "error: there is no input `z`; known: `x`\n"),
    "--scale x=standardize --scale x=row_normalize": (2, LEARNED + "error: input `x` is scaled twice\n"),
    "--warm-start none.gnnz": (2, "error: there is no file `none.gnnz`\n"),
    "--warm-start rows.csv": (1, "error[E531]: `rows.csv` cannot be loaded: it is no saved model, or it was cut off\n"),
    "--warm-start other.gnnz": (
        2,
        "error: `other.gnnz` is no start for this network: parameter `y.x.weights` has keys that are texts here and "
        "numbers there\n",
    ),
}


@pytest.mark.parametrize("options", REFUSED)
def test_refusals(gnnc: Command, folder: Path, options: str) -> None:
    other = HEIGHTS.replace('graph g = read("trees.csv", source = "a", target = "b")\n', "").replace("g.nodes", "3")
    gnn.build(other).save("other.gnnz")
    result = gnnc(*TRAIN, "--missing", "zero", *options.split())
    status, start = REFUSED[options]
    assert (result.status, result.out) == (status, "")
    assert result.err.startswith(start)


def test_a_unit_without_any_value(gnnc: Command, folder: Path) -> None:
    (folder / "rows.csv").write_text("sample,oak,elm,ash,kind\ns1,1.0,2.0,,old\ns2,2.0,3.0,,new\n", encoding="utf-8")
    result = gnnc(*TRAIN, "--missing", "mean")
    assert (result.status, result.err.split("error")[1]) == (
        1,
        "[E287]: no sample that is trained on has a value for `ash` of input `x`\n  --> rows.csv\n"
        "  = help: there is no mean of nothing: leave these units out of the network, or put numbers there\n\n1 ",
    )
