"""`gnnc evaluate` and `gnnc predict` on programs small enough to compute by hand."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytensor
import pytest
import scipy.sparse
from command import Command

import graphnn_compiler as gnn

TREES = """\
gnn 1
graph g = read("trees.csv", source = "a", target = "b")
input x[g.nodes]
target kind
output y[2] { from x via all as a { weights = fixed(1) }  activation = softmax }
loss cost = cross_entropy(y, kind)
metric acc = accuracy(y, kind)
metric area = auc(y, kind)
"""
ROWS = "sample,elm,oak,kind,ash\ns1,1,2,0,3\ns2,4,5,0,6\ns3,7,8,1,\n"
# all outputs are equal, so both classes have probability 1/2 and the first is said
REPORT = """\
3 samples

loss    cost  0.693147
metric  acc   0.666667
metric  area  0.5

`y` and `kind` (cost, acc, area): rows true, columns said
   0  1
0  2  0
1  1  0
"""


@pytest.fixture(autouse=True)
def _uncompiled() -> Iterator[None]:
    """PyTensor's own compilation takes longer than all of these tests."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


@pytest.fixture(autouse=True)
def _trees(folder: Path) -> None:
    (folder / "trees.csv").write_text("a,b\noak,elm\nelm,ash\n", encoding="utf-8")
    (folder / "trees.gnn").write_text(TREES, encoding="utf-8")
    (folder / "rows.csv").write_text(ROWS, encoding="utf-8")


def test_a_report_of_a_table(gnnc: Command, folder: Path) -> None:
    table = ("trees.gnn", "--data", "rows.csv", "--index", "sample", "--missing", "mean")
    result = gnnc("evaluate", *table)
    assert (result.status, result.out, result.err) == (0, REPORT, "")
    result = gnnc("evaluate", *table, "--batch-size", "2", "-o", "report.txt")
    assert (result.status, result.out, result.err) == (0, "", "wrote report.txt\n")
    assert (folder / "report.txt").read_text(encoding="utf-8") == REPORT


def test_a_report_as_json(gnnc: Command) -> None:
    result = gnnc("evaluate", "trees.gnn", "--data", "rows.csv", "--missing", "drop", "--json")
    assert result.status == 0
    assert result.err == (
        "left out 1 column of rows.csv that belong to no unit and no target: `sample`\n"
        "left out 1 sample of rows.csv with missing cells\n"
    )
    report = json.loads(result.out)
    assert report["losses"] == {"cost": pytest.approx(np.log(2))}
    assert report["metrics"] == {"acc": 1, "area": None}  # one class is absent
    assert report["confusion"][0]["counts"] == [[2, 0], [0, 0]]
    assert (report["format_version"], report["samples"]) == (1, 2)


def test_missing_cells_are_refused(gnnc: Command) -> None:
    result = gnnc("evaluate", "trees.gnn", "--data", "rows.csv", "--index", "sample")
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        "error[E287]: `rows.csv` has 1 missing cell in 1 column of input `x`\n  --> rows.csv\n"
        "  --> rows.csv:4: `ash` is empty here\n"
        "  = help: fill them in, or say `--missing mean`, `--missing zero`, or `--missing drop` (of the samples)\n"
        "\n1 error in rows.csv\n"
    )


def test_targets_are_needed(gnnc: Command) -> None:
    np.save("x.npy", np.ones((2, 3)))
    result = gnnc("evaluate", "trees.gnn", "--data", "x.npy")
    assert result.status == 1
    assert result.err.startswith("error[E281]: target `kind` is not given and has no default data\n  --> x.npy\n")


def test_a_sparse_matrix_and_targets_of_another_file(gnnc: Command) -> None:
    scipy.sparse.save_npz("x.npz", scipy.sparse.csr_array(np.array([[1.0, 0, 0], [0, 0, 2]])))
    np.save("kind.npy", np.array([0, 1]))
    result = gnnc("evaluate", "trees.gnn", "--data", "x.npz", "--data", "kind=kind.npy")
    assert result.status == 0, result.err
    assert result.out.startswith("2 samples\n\nloss    cost  0.693147\nmetric  acc   0.5\n")


def test_classes_of_nodes(gnnc: Command, folder: Path) -> None:
    """A saved model whose targets have default data and names of classes; one graph is one sample."""
    (folder / "nodes.csv").write_text("id,colour,split\n1,red,a\n2,blue,a\n3,red,a\n4,blue,b\n", encoding="utf-8")
    text = (
        'gnn 1\ngraph g = read("edges.csv", source = "a", target = "b", nodes = "nodes.csv", key = "id")\n'
        "input x[g.nodes, 2]\noutput y[g.nodes, 2] { from x via same as s { weights = fixed(1) }  bias = none }\n"
        "target colour = g.nodes.colour\n"
        'metric acc = accuracy(y, colour, on = g.nodes[split == "a"])\nmetric f = f1(y, colour)\n'
    )
    (folder / "colours.gnn").write_text(text, encoding="utf-8")
    np.save("x.npy", np.array([[0.0, 1], [0, 1], [0, 1], [1, 0]]))  # says red, red, red, blue
    assert gnnc("build", "colours.gnn").status == 0
    result = gnnc("evaluate", "colours.gnnz", "--data", "x.npy")
    assert result.status == 0, result.err
    assert result.out == (
        "one sample, without a batch axis\n\nmetric  acc  0.666667\nmetric  f    0.8\n\n"
        "`y` and `colour` (acc, over 3 units): rows true, columns said\n"
        "      blue  red\nblue     0    1\nred      0    2\n\n"
        "`y` and `colour` (f): rows true, columns said\n      blue  red\nblue     1    1\nred      0    2\n"
    )
    result = gnnc("predict", "colours.gnnz", "--data", "x.npy", "-o", "said.csv")
    assert result.status == 0, result.err
    with (folder / "said.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["unit"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["y"] for row in rows] == ["red", "red", "red", "blue"]
    assert float(rows[0]["y.red"]) == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-6)


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_predictions(gnnc: Command, folder: Path, ending: str) -> None:
    table = ("--data", "rows.csv", "--index", "sample", "--missing", "zero", "--batch-size", "2")
    result = gnnc("predict", "trees.gnn", *table, "-o", f"said.{ending}")
    assert (result.status, result.out) == (0, ""), result.err
    assert result.err.startswith(f"wrote said.{ending} (1 output, ")
    if ending == "npz":
        with np.load("said.npz") as arrays:
            found = {name: arrays[name] for name in arrays.files}
        assert {name: array.tolist() for name, array in found.items()} == {
            "sample": ["s1", "s2", "s3"], "y": [[0.5, 0.5]] * 3, "y.probabilities": [[0.5, 0.5]] * 3,
            "y.class": [0, 0, 0], "y.classes": [0, 1], "y.units": [0, 1],
        }  # fmt: skip
        return
    if ending == "csv":
        text = (folder / "said.csv").read_text(encoding="utf-8")
        assert text == '"sample","y","y.0","y.1"\n' + "".join(f'"s{k}",0,0.5,0.5\n' for k in (1, 2, 3))
        return
    read = pq.read_table("said.parquet").to_pydict()
    assert read == {"sample": ["s1", "s2", "s3"], "y": [0, 0, 0], "y.0": [0.5] * 3, "y.1": [0.5] * 3}


def test_predictions_of_values_are_those_of_run(gnnc: Command, folder: Path) -> None:
    x, z = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]), np.array([1.0, 2.0])
    np.savez("in.npz", x=x, z=z, t=np.zeros((2, 2)))
    assert gnnc("predict", "sums.gnn", "--data", "in.npz", "-o", "out.csv").status == 0
    assert (folder / "out.csv").read_text(encoding="utf-8") == '"sample","y.0","y.1"\n0,7,8\n1,25,26\n'


def test_outputs_that_no_table_holds(gnnc: Command, folder: Path) -> None:
    (folder / "two.gnn").write_text("gnn 1\ninput x[2, 2]\noutput a = x + 1\noutput b = x * 2\n", encoding="utf-8")
    np.save("x.npy", np.ones((1, 2, 2)))
    result = gnnc("predict", "two.gnn", "--data", "x.npy", "-o", "out.csv")
    assert (result.status, result.err) == (
        2,
        "error: the outputs `a`, `b` do not fit into one table\n  = help: write them to an .npz file\n",
    )
    assert gnnc("predict", "two.gnn", "--data", "x.npy", "-o", "out.npz").status == 0
    with np.load("out.npz") as arrays:
        assert sorted(arrays.files) == ["a", "a.units", "b", "b.units"]


def test_two_columns_of_one_name(gnnc: Command, folder: Path) -> None:
    (folder / "rows.csv").write_text(ROWS.replace("sample", "y.0").replace("1,\n", "1,2\n"), encoding="utf-8")
    result = gnnc("predict", "trees.gnn", "--data", "rows.csv", "--index", "y.0", "-o", "out.csv")
    assert (result.status, result.err) == (
        1,
        "error[E286]: two columns would be called `y.0`\n  --> out.csv\n"
        "  = help: write an .npz file, or rename the index\n\n1 error in out.csv\n",
    )
    assert not (folder / "out.csv").exists()


def test_huber_and_poisson_are_saved(gnnc: Command, folder: Path) -> None:
    text = (
        "gnn 1\ninput x[2]\ntarget t\noutput y[2] { from x via same as s { weights = fixed(1) }  bias = none }\n"
        "loss cost = huber(y, t, delta = 2) + poisson(y, t)\n"
    )
    (folder / "m.gnn").write_text(text, encoding="utf-8")
    assert gnnc("build", "m.gnn").status == 0
    x, t = np.array([[0.5, 4.0]]), np.array([[0.0, 1.0]])
    expected = (0.125 + 2 * (3 - 1)) / 2 + (np.exp(0.5) + np.exp(4) - 4) / 2
    assert gnn.load("m.gnnz").evaluate(x, t)["cost"] == pytest.approx(expected)
    plan = gnnc("build", "m.gnn", "--emit", "plan").out
    assert "loss cost = huber(y, t, delta = 2) + poisson(y, t)\n" in plan
    assert "huber(y, t, delta = 2.0)" in gnnc("build", "m.gnn", "--emit", "model").out
