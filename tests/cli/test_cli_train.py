"""`gnnc train`: a model, a log, curves, checkpoints; what an interrupt leaves behind; every refusal."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytensor
import pytest
from command import Command, start
from pytensor.compile.mode import Mode

import graphnn_compiler as gnn
from graphnn_compiler.cli.main import main
from graphnn_compiler.training import Adam

FIT = """\
gnn 1
input x[3]
output label[2] { from x via all  activation = softmax }
target truth
loss cost = cross_entropy(label, truth)
metric acc = accuracy(label, truth)
"""
HELD = """\
gnn 1
input x[3] = read("x.npy")
output y[1] { from x via all }
target t = read("t.npy")
loss cost = mse(y, t)
"""
X = np.random.default_rng(0).standard_normal((40, 3))
TRUTH = (X[:, 0] > 0).astype(np.int64)


@pytest.fixture(autouse=True)
def _fit(folder: Path) -> Iterator[None]:
    (folder / "fit.gnn").write_text(FIT, encoding="utf-8")
    np.savez("d.npz", x=X, truth=TRUTH)
    with pytensor.config.change_flags(mode=Mode(linker="py", optimizer=None)):
        yield


def test_a_program_is_trained(gnnc: Command, folder: Path) -> None:
    result = gnnc("train", "fit.gnn", "--data", "d.npz", "--epochs", "30", "--rate", "0.05", "--seed", "4")
    assert (result.status, result.out) == (0, "")
    assert result.err.startswith("wrote fit.trained.gnnz (30 epochs: loss 0.0")
    assert result.err.count("\n") == 1
    net = gnn.build("fit.gnn", seed=4)
    net.fit(X, TRUTH, epochs=30, optimiser=Adam(0.05))
    trained = gnn.load("fit.trained.gnnz")
    np.testing.assert_array_equal(trained.weights["label.bias"], net.weights["label.bias"])
    assert sorted(path.name for path in folder.glob("fit.*")) == ["fit.gnn", "fit.trained.gnnz"]


def test_a_saved_model_is_trained_further(gnnc: Command, folder: Path) -> None:
    gnnc("build", "fit.gnn", "-o", "fit.gnnz")
    assert gnnc("train", "fit.gnnz", "--data", "d.npz", "--seed", "4", "--epochs", "2", "-o", "a.gnnz").status == 0
    assert gnnc("train", "fit.gnnz", "--data", "d.npz", "--seed", "5", "--epochs", "2", "-o", "b.gnnz").status == 0
    assert (folder / "a.gnnz").read_bytes() != (folder / "b.gnnz").read_bytes()  # another order of samples


def test_a_log_and_early_stopping(gnnc: Command, folder: Path) -> None:
    options = ["--validation", "0.25", "--stop-after", "3", "--metric", "val_acc", "--rate", "0.1", "--epochs", "50"]
    result = gnnc("train", "fit.gnn", "--data", "d.npz", "--log", "l.jsonl", *options)
    lines = [json.loads(line) for line in (folder / "l.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, len(lines) + 1))
    assert set(lines[0]) == {"epoch", "steps", "rate", "scores"}
    assert set(lines[0]["scores"]) == {"loss", "val_loss", "val_acc"}
    best = int(np.argmax([line["scores"]["val_acc"] for line in lines])) + 1
    assert len(lines) == best + 3
    assert f"({len(lines)} epochs: best in epoch {best}, stopped early: loss " in result.err


def test_curves(gnnc: Command, folder: Path) -> None:
    np.savez("v.npz", x=X[:9], truth=TRUTH[:9])
    common = ["train", "fit.gnn", "--data", "d.npz", "--epochs", "3", "--validation", "v.npz", "--stop-after", "9"]
    for name in ("a.svg", "b.svg"):
        assert gnnc(*common, "--curves", name).status == 0
    text = (folder / "a.svg").read_text(encoding="utf-8")
    for name in ("loss", "val_loss", "val_acc", "epoch"):
        assert f">{name}</text>" in text
    assert (folder / "b.svg").read_text(encoding="utf-8") == text


def test_curves_without_matplotlib(gnnc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    result = gnnc("train", "fit.gnn", "--data", "d.npz", "--curves", "a.svg")
    assert result.status == 2
    assert result.err.startswith("error: `--curves` needs matplotlib, which cannot be imported (")
    assert result.err.endswith("  = help: pip install 'graphnn-compiler[curves]', or leave --curves out\n")


class Terminal(io.StringIO):
    """A standard error that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(gnnc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert main(["train", "fit.gnn", "--data", "d.npz", "--epochs", "2", "-o", "o.gnnz"]) == 0
    assert "epoch 2 of 2" in terminal.getvalue()
    assert "wrote o.gnnz (2 epochs: loss " in terminal.getvalue()


def test_data_in_the_program(gnnc: Command, folder: Path) -> None:
    np.save("x.npy", X)
    np.save("t.npy", np.ones(1))
    (folder / "held.gnn").write_text(HELD, encoding="utf-8")
    result = gnnc("train", "held.gnn", "--epochs", "2", "-o", "o.gnnz", "--log", "l.jsonl")
    assert result.err.startswith("wrote o.gnnz (2 epochs: loss ")
    assert json.loads((folder / "l.jsonl").read_text(encoding="utf-8").splitlines()[1])["steps"] == 4


# ------------------------------------------------------------------ going on


def test_an_interrupt_says_how_to_go_on(gnnc: Command, folder: Path) -> None:
    """A process of its own gets the signal in the middle; the command that it prints finishes the same training."""
    words = ["train", "fit.gnn", "--data", "d.npz", "--epochs", "60", "--batch", "2", "--log", "l.jsonl"]
    process = start([*words, "-o", "a.gnnz"])
    while process.poll() is None and not (os.path.exists("l.jsonl") and os.path.getsize("l.jsonl")):
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    first, command = err.splitlines()
    assert first.startswith("interrupted: ")
    assert first.endswith(" are done and in a.checkpoint.gnnz; go on with")
    going_on = "-o a.gnnz --checkpoint a.checkpoint.gnnz --resume"
    assert command == f"  gnnc train fit.gnn --data d.npz --epochs 60 --batch 2 --log l.jsonl {going_on}"
    with pytensor.config.change_flags(mode="FAST_COMPILE"):  # as that process has it
        assert main(shlex.split(command)[1:]) == 0
        assert main([*words, "-o", "b.gnnz"]) == 0
    assert (folder / "a.gnnz").read_bytes() == (folder / "b.gnnz").read_bytes()
    assert len((folder / "l.jsonl").read_text(encoding="utf-8").splitlines()) == 60


def test_resuming(gnnc: Command, folder: Path) -> None:
    common = ["train", "fit.gnn", "--data", "d.npz", "--checkpoint", "c.gnnz", "--resume"]
    result = gnnc(*common, "--epochs", "2", "-o", "a.gnnz")
    assert result.err.startswith("there is no checkpoint `c.gnnz` yet: training begins anew\nwrote a.gnnz (2 epochs: ")
    assert gnnc(*common, "--epochs", "4", "-o", "a.gnnz").err.startswith("wrote a.gnnz (4 epochs: ")
    gnnc("train", "fit.gnn", "--data", "d.npz", "--epochs", "4", "-o", "b.gnnz")
    assert (folder / "a.gnnz").read_bytes() == (folder / "b.gnnz").read_bytes()
    result = gnnc(*common, "--epochs", "5", "--rate", "0.2")
    assert (result.status, result.err) == (
        1,
        "error[E545]: `c.gnnz` is of a training with another optimiser\n"
        "  --> c.gnnz\n"
        "  = help: resume with what it began with, or name another checkpoint and begin anew\n"
        "  = note: it has Adam(rate=0.001, b1=0.9, b2=0.999, epsilon=1e-08)\n"
        "  = note: this training has Adam(rate=0.2, b1=0.9, b2=0.999, epsilon=1e-08)\n\n"
        "1 error in c.gnnz\n",
    )


def test_a_loss_that_is_not_finite(gnnc: Command) -> None:
    np.savez("d.npz", x=X * np.inf, truth=TRUTH)
    result = gnnc("train", "fit.gnn", "--data", "d.npz")
    assert (result.status, result.err.splitlines()[0]) == (
        1,
        "error[E546]: the loss is nan in step 1 (epoch 1), and training stopped before it",
    )


# ------------------------------------------------------------------ what is refused

WRONG = {
    "--epochs 0": "--epochs: `0` is not positive",
    "--batch x": "--batch: `x` is not an integer",
    "--rate -1": "--rate: `-1` is not a positive number",
    "--rate nan": "--rate: `nan` is not a positive number",
    "--optimiser adan": "--optimiser: there is no `adan`; did you mean `adam`?",
    "--schedule step=0.5": "--schedule: `step=0.5` does not have the form step=0.5/10",
    "--schedule cosin": "--schedule: there is no `cosin`; did you mean `cosine`?",
    "--validation 2": "--validation: `2` is not between 0 and 1",
    "--mode most": "--mode: there is no `most`; there are min, max",
}


@pytest.mark.parametrize("options", WRONG)
def test_options_that_cannot_be(gnnc: Command, options: str) -> None:
    result = gnnc("train", "fit.gnn", "--data", "d.npz", *options.split())
    assert (result.status, result.out) == (2, "")
    assert result.err == f"error: {WRONG[options]}\n  = help: `gnnc train --help` shows the usage\n"


REFUSED = {
    "train": "error: the following arguments are required: MODEL\n  = help: `gnnc train --help` shows the usage\n",
    "train none.gnn": "error: there is no file `none.gnn`\n",
    "train - --data d.npz": (
        "error: a program from standard input has no name to make another of\n  = help: add -o OUT\n"
    ),
    "train fit.gnn --data d.npz -o d.npz": (
        "error: `d.npz` would be overwritten by the result\n  = help: name another file with -o\n"
    ),
    "train fit.gnn --data d.npz -o c.gnnz --checkpoint c.gnnz": (
        "error: `c.gnnz` is both the checkpoint and the trained model\n  = help: give them two names\n"
    ),
    "train fit.gnn --data d.npz --momentum 0.9": (
        "error: `adam` has no `--momentum`\n  = help: it is of sgd and rmsprop\n"
    ),
    "train fit.gnn --data d.npz --metric acc": "error: `--metric` is of early stopping\n  = help: add --stop-after N\n",
    "train fit.gnn --data d.npz --metric acc --stop-after 2": ("error: there is no score `acc`; known: `loss`\n"),
    "train fit.gnn --data d.npz --freeze bias": "error: there is no parameter `bias`; known: {}\n",
    "train fit.gnn --data d.npz --non-negative label.bias --keep-sign label.bias": (
        "error: parameter `label.bias` is given to `--non-negative` and to `--keep-sign`\n"
    ),
    "train roads.gnn --data x.npz": ("error: the network declares no loss, so that there is nothing to train for\n"),
}


@pytest.mark.parametrize("command", REFUSED)
def test_refusals(gnnc: Command, command: str) -> None:
    np.savez("x.npz", x=np.ones((2, 4, 3)))
    result = gnnc(*command.split())
    assert (result.status, result.out) == (2, "")
    assert result.err == REFUSED[command].format("`label.x.weights`, `label.bias`")


def test_wrong_data(gnnc: Command) -> None:
    np.savez("x.npz", x=X)
    np.savez("short.npz", x=X, truth=TRUTH[1:])
    np.savez("wide.npz", x=X[:, :2], truth=TRUTH)
    np.savez("class.npz", x=X, truth=TRUTH + 1)
    np.savez("three.npz", x=X, truth=np.arange(len(TRUTH)) % 3)
    expected = {
        "x.npz": "E281]: target `truth` is not given and has no default data",
        "short.npz": "E283]: all batches must be equally long, but `x` has 40 samples, `truth` has 39 samples",
        "wide.npz": "E282]: input `x` takes arrays of shape (3,) or (batch, 3), not (40, 2)",
        "three.npz": "E282]: target `truth` has 3 classes (`0`, `1`, `2`), and the network tells 2 apart",
        "class.npz": "E282]: target `truth` has no class `2`",
    }
    for name, message in expected.items():
        ways = [["--data", name], ["--data", "d.npz", "--validation", name]]
        if name in ("three.npz", "class.npz"):  # training learns what the classes are, validation must know them
            ways = [ways[name == "class.npz"]]
        for options in ways:
            result = gnnc("train", "fit.gnn", *options)
            assert (result.status, result.err.splitlines()[:2]) == (1, [f"error[{message}", f"  --> {name}"])
