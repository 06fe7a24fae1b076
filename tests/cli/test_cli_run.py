"""`gnnc run`: outputs that were computed by hand, and every way in which the data can be wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytensor
import pytest
from command import Command

X = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
Z = np.array([1.0, 2.0])
Y = np.array([[7.0, 8.0], [25.0, 26.0]])  # 2 * sum(x) + z
T = Y + np.array([1.0, -3.0])


@pytest.fixture(autouse=True)
def _uncompiled() -> Iterator[None]:
    """PyTensor's own compilation takes longer than all of these tests."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


def test_outputs(gnnc: Command, folder: Path) -> None:
    np.savez("in.npz", x=X, z=Z)
    gnnc("build", "sums.gnn")
    for model in ("sums.gnn", "sums.gnnz"):
        result = gnnc("run", model, "--data", "in.npz", "-o", f"{model}.npz")
        assert (result.status, result.out) == (0, "")
        assert result.err == f"wrote {model}.npz (1 output, 272 bytes)\n"
        with np.load(f"{model}.npz") as arrays:
            assert arrays.files == ["y"]
            assert arrays["y"].dtype == np.float32
            np.testing.assert_array_equal(arrays["y"], Y)
    assert (folder / "sums.gnn.npz").read_bytes() == (folder / "sums.gnnz.npz").read_bytes()


def test_several_outputs_without_a_batch(gnnc: Command, folder: Path) -> None:
    text = "gnn 1\ninput x[2]\noutput a = x + 1\noutput b = x * 2\n"
    (folder / "two.gnn").write_text(text, encoding="utf-8")
    np.save("x.npy", np.array([1, 5]))
    result = gnnc("run", "two.gnn", "--data", "x.npy", "-o", "out.npz")
    assert (result.status, result.err.split(",")[0]) == (0, "wrote out.npz (2 outputs")
    with np.load("out.npz") as arrays:
        assert {name: arrays[name].tolist() for name in arrays.files} == {"a": [2, 6], "b": [2, 10]}


def test_default_data(gnnc: Command, folder: Path) -> None:
    np.savez("z.npz", z=Z)
    text = (folder / "sums.gnn").read_text(encoding="utf-8").replace("input z[2]", 'input z[2] = read("z.npz")')
    (folder / "sums.gnn").write_text(text.replace("input x[3]", "input x[3]"), encoding="utf-8")
    np.save("x.npy", X)
    assert gnnc("run", "sums.gnn", "--data", "x.npy", "-o", "out.npz").status == 0
    with np.load("out.npz") as arrays:
        np.testing.assert_array_equal(arrays["y"], Y)
    (folder / "alone.gnn").write_text('gnn 1\ninput z[2] = read("z.npz")\noutput y = z - 1\n', encoding="utf-8")
    assert gnnc("run", "alone.gnn", "-o", "out.npz").status == 0
    with np.load("out.npz") as arrays:
        assert arrays["y"].tolist() == [0.0, 1.0]


def test_targets_give_losses_and_metrics(gnnc: Command) -> None:
    np.savez("in.npz", x=X, z=Z, t=T)
    result = gnnc("run", "sums.gnn", "--data", "in.npz", "-o", "out.npz")
    assert (result.status, result.out) == (0, "")
    assert result.err.splitlines()[1] == "cost 5  off 2"  # squares 1 and 9, distances 1 and 3
    with np.load("out.npz") as arrays:
        assert arrays.files == ["y"]


def test_class_targets_are_names(gnnc: Command, folder: Path) -> None:
    (folder / "nodes.csv").write_text("id,colour\n1,red\n2,blue\n3,red\n4,blue\n", encoding="utf-8")
    text = (
        'gnn 1\ngraph g = read("edges.csv", source = "a", target = "b", nodes = "nodes.csv", key = "id")\n'
        "input x[g.nodes, 2]\noutput y[g.nodes, 2] { from x via same as s { weights = fixed(1) }  bias = none }\n"
        "target colour = g.nodes.colour\nloss cost = cross_entropy(y, colour)\nmetric acc = accuracy(y, colour)\n"
    )
    (folder / "colours.gnn").write_text(text, encoding="utf-8")
    logits = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])  # says blue, blue, red, red
    np.savez("in.npz", x=logits, colour=np.array(["blue", "blue", "blue", "red"]))
    result = gnnc("run", "colours.gnn", "--data", "in.npz", "-o", "out.npz")
    assert result.status == 0, result.err
    assert result.err.endswith("  acc 0.75\n")
    np.savez("in.npz", x=logits, colour=np.array(["blue", "blue", "blue", "pink"]))
    result = gnnc("run", "colours.gnn", "--data", "in.npz", "-o", "out.npz")
    assert (result.status, result.err.splitlines()[0]) == (1, "error[E282]: target `colour` has no class `pink`")


WRONG = {
    "name": (
        {"x": X, "z": Z, "tt": T},
        "error[E280]: `in.npz` holds an array `tt`, which is no input and no target\n",
        "  = help: did you mean `t`?\n",
    ),
    "far_name": (
        {"x": X, "z": Z, "weights": T},
        "error[E280]: `in.npz` holds an array `weights`, which is no input and no target\n",
        "  = help: the inputs are `x`, `z`\n",
    ),
    "missing": (
        {"x": X},
        "error[E281]: input `z` is not given and has no default data\n",
        "  = help: add an array of that name to the file that --data names\n",
    ),
    "shape": (
        {"x": X.T, "z": Z},
        "error[E282]: input `x` takes arrays of shape (3,) or (batch, 3), not (3, 2)\n",
        "",
    ),
    "target_shape": (
        {"x": X, "z": Z, "t": T[:, :1]},
        "error[E282]: target `t` takes arrays of shape (2,) or (batch, 2), not (2, 1)\n",
        "",
    ),
    "batches": (
        {"x": X, "z": np.ones((3, 2))},
        "error[E283]: all batches must be equally long, but `x` has 2 samples, `z` has 3 samples\n",
        "  = help: the first axis of arrays with one more axis is the batch\n",
    ),
    "pickle": (
        {"x": np.array([{}]), "z": Z},
        "error[E230]: the array `x` of `in.npz` holds Python objects (pickle), which are never loaded\n",
        "  = help: save numbers or text: `array.astype(float)`, `array.astype(str)`\n",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_data(gnnc: Command, folder: Path, case: str) -> None:
    arrays, message, help = WRONG[case]
    np.savez("in.npz", **arrays)
    before = sorted(os.listdir(folder))
    result = gnnc("run", "sums.gnn", "--data", "in.npz", "-o", "out.npz")
    assert (result.status, result.out) == (1, "")
    assert result.err == f"{message}  --> in.npz\n{help}\n1 error in in.npz\n"
    assert sorted(os.listdir(folder)) == before


def test_text_where_numbers_are_taken(gnnc: Command) -> None:
    np.savez("in.npz", x=np.array(["a", "b", "c"]), z=Z)
    result = gnnc("run", "sums.gnn", "--data", "in.npz", "-o", "out.npz")
    assert result.status == 1
    assert result.err.startswith("error[E282]: input `x` takes real numbers, not values of type ")


@pytest.mark.parametrize("kept", [0, 1, 100, 300])
def test_a_file_that_was_cut_off(gnnc: Command, folder: Path, kept: int) -> None:
    np.savez("whole.npz", x=X, z=Z)
    (folder / "in.npz").write_bytes((folder / "whole.npz").read_bytes()[:kept])
    result = gnnc("run", "sums.gnn", "--data", "in.npz", "-o", "out.npz")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("error[E231]: `in.npz` is cut short or damaged\n  --> in.npz\n")
    assert not (folder / "out.npz").exists()


def test_one_array_for_two_inputs(gnnc: Command) -> None:
    np.save("in.npy", X)
    result = gnnc("run", "sums.gnn", "--data", "in.npy", "-o", "out.npz")
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        "error[E284]: `in.npy` holds one array without a name, and the model has 2 inputs\n  --> in.npy\n"
        "  = help: save arrays by name in an .npz file: `x`, `z`\n\n1 error in in.npy\n"
    )


def test_no_data_for_inputs_that_need_it(gnnc: Command) -> None:
    result = gnnc("run", "sums.gnn", "-o", "out.npz")
    assert result.status == 1
    assert result.err.startswith("error[E281]: input `x`, `z` is not given and has no default data\n")


def test_the_result_replaces_neither_model_nor_data(gnnc: Command) -> None:
    np.savez("in.npz", x=X, z=Z)
    for name in ("in.npz", "sums.gnn"):
        result = gnnc("run", "sums.gnn", "--data", "in.npz", "-o", name)
        assert (result.status, result.err.splitlines()[0]) == (
            2,
            f"error: `{name}` would be overwritten by the result",
        )
