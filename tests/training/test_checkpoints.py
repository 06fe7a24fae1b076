"""A training that is interrupted, killed or continued gives the bits of one that was not.

GNN_KILLS says how often it is killed, 3 times if it is not set.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from trained import CLASSES, INTERPRETED, POINTS, T, X, dropped, linear, steps

import graphnn_compiler as gnn
from graphnn_compiler.archive import load_checkpoint, save
from graphnn_compiler.training import SGD, Adam, Cosine, EarlyStopping, History, KeepSign

OPTIONS = {"batch": 5, "validation": 0.25, "optimiser": Adam(0.02), "schedule": Cosine(9, unit="epoch")}


def trained(path: Path, epochs: int, **options: object) -> tuple[gnn.Network, History]:
    net = dropped()
    history = net.fit(POINTS, CLASSES, epochs=epochs, checkpoint=path, **{**OPTIONS, **options})
    return net, history


def assert_same(one: gnn.Network, other: gnn.Network) -> None:
    for name, array in one.weights.items():
        np.testing.assert_array_equal(array, other.weights[name], err_msg=name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[gnn.Network, History, bytes]:
    """Nine epochs without a pause, and the last checkpoint."""
    path = tmp_path_factory.mktemp("whole") / "c.gnnz"
    net, history = trained(path, 9)
    return net, history, path.read_bytes()


def test_a_continued_training_is_the_whole_one(tmp_path: Path, whole: tuple[gnn.Network, History, bytes]) -> None:
    path = tmp_path / "c.gnnz"
    for epochs in (4, 5, 9):
        net, history = trained(path, epochs, resume=True)
    assert_same(net, whole[0])
    assert history == whole[1]
    assert path.read_bytes() == whole[2]
    assert_same(gnn.load(path), net)


def test_an_interrupt_in_an_epoch(tmp_path: Path, whole: tuple[gnn.Network, History, bytes]) -> None:
    path = tmp_path / "c.gnnz"

    def interrupt(done: int, of: int) -> None:
        calls.append(done)
        if len(calls) == 10:
            signal.raise_signal(signal.SIGINT)

    calls: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        trained(path, 9, on_step=interrupt)
    state = load_checkpoint(path)[2]
    assert state is not None
    assert (state.epoch, state.batch, state.step) == (2, 2, 10)
    net, history = trained(path, 9, resume=True)
    assert_same(net, whole[0])
    assert history == whole[1]
    assert path.read_bytes() == whole[2]


def test_checkpoints_are_written_every_so_many_epochs(tmp_path: Path) -> None:
    path, found = tmp_path / "c.gnnz", []

    def look(*_: object) -> None:
        state = load_checkpoint(path)[2] if path.exists() else None
        found.append(0 if state is None else state.epoch)

    trained(path, 5, every=2, on_epoch=look)
    assert found == [0, 0, 2, 2, 4]
    state = load_checkpoint(path)[2]
    assert state is not None
    assert state.epoch == 5


def test_the_signs_of_the_start_are_remembered(tmp_path: Path) -> None:
    one, two = linear(), linear()
    options = {"optimiser": SGD(0.5, momentum=0.5), "constraints": {"y.weights": KeepSign()}}
    steps(one, 12, **options)
    for number in (5, 12):
        steps(two, number, **options, checkpoint=tmp_path / "c.gnnz", resume=True)
    assert_same(one, two)
    assert np.any(one.weights["y.x.weights"] == 0)


# ------------------------------------------------------------------ early stopping


def test_early_stopping_keeps_the_best_weights(tmp_path: Path) -> None:
    kept: list[tuple[float, np.ndarray]] = []
    net = dropped()
    history = net.fit(
        POINTS, CLASSES, epochs=60, batch=8, validation=0.3, optimiser=Adam(0.1), stop=EarlyStopping("val_acc", 4),
        on_epoch=lambda epoch: kept.append((epoch.scores["val_acc"], net.weights["h.x.weights"])),
    )  # fmt: skip
    scores = history["val_acc"]
    best = int(np.argmax(scores))
    assert history.best_epoch == best + 1
    assert history.stopped_early
    assert len(history.epochs) == best + 1 + 4 < 60
    np.testing.assert_array_equal(net.weights["h.x.weights"], kept[best][1])
    assert not np.array_equal(net.weights["h.x.weights"], kept[-1][1])


def test_early_stopping_goes_on_too(tmp_path: Path) -> None:
    options = {"stop": EarlyStopping(patience=3), "optimiser": Adam(0.1), "schedule": Cosine(40)}
    net, history = trained(tmp_path / "a.gnnz", 40, **options)
    for epochs in (2, 4, 40, 41):  # the last finds that all is over
        again, resumed = trained(tmp_path / "b.gnnz", epochs, resume=True, **options)
    assert history.stopped_early
    assert resumed == history
    assert_same(again, net)


def test_what_decides() -> None:
    net = dropped()
    stop = EarlyStopping("val_lss")
    with pytest.raises(ValueError, match=r"^there is no score `val_lss`; did you mean `val_loss`\?$"):
        net.fit(POINTS, CLASSES, validation=0.2, stop=stop)
    rising = EarlyStopping("loss", 2, mode="max")  # the loss falls, so that the first epoch is the best
    history = steps(linear(), 30, optimiser="sgd", stop=rising)
    assert (history.best_epoch, len(history.epochs)) == (1, 3)
    hardly = EarlyStopping("loss", 2, least=100.0)
    assert len(steps(linear(), 30, optimiser="sgd", stop=hardly).epochs) == 3
    error = EarlyStopping("val_off", 30)  # a mean absolute error: less is better
    history = linear().fit(X, T, epochs=30, validation=(X, T), stop=error)
    assert history.best_epoch == int(np.argmin(history["val_off"])) + 1 > 1


# ------------------------------------------------------------------ kills

KILLED = """\
import sys
sys.path.insert(0, {folder!r})
from trained import INTERPRETED, CLASSES, POINTS, dropped
net = dropped()
net.fit(POINTS, CLASSES, epochs=80, batch=3, checkpoint="c.gnnz", resume=True)
net.save("out.gnnz")
"""
TIMES = int(os.environ.get("GNN_KILLS", "3"))


def test_kills_at_random_moments(tmp_path: Path) -> None:
    program = [sys.executable, "-c", KILLED.format(folder=str(Path(__file__).parent))]
    draw, checkpoint, moments = random.Random(), tmp_path / "c.gnnz", []
    for _ in range(TIMES):
        process = subprocess.Popen(program, cwd=tmp_path)
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        while process.poll() is None and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
            time.sleep(0.005)
        moments.append(draw.uniform(0, 0.25))
        time.sleep(moments[-1])
        process.kill()
        process.wait()
        state = load_checkpoint(checkpoint)[2]  # always loadable
        assert state is not None
    assert state.epoch < 80, "the training was over before it was killed"
    subprocess.run(program, cwd=tmp_path, check=True)
    net = dropped()
    net.fit(POINTS, CLASSES, epochs=80, batch=3)
    net.save(tmp_path / "whole.gnnz")
    same = (tmp_path / "whole.gnnz").read_bytes() == (tmp_path / "out.gnnz").read_bytes()
    assert same, f"killed {moments} seconds after a checkpoint"


# ------------------------------------------------------------------ what is refused


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(gnn.GnnError) as caught:
        trained(path, 2, resume=True, **options)
    return str(caught.value).replace(str(path), "c.gnnz")


def test_a_model_without_a_state(tmp_path: Path) -> None:
    dropped().save(tmp_path / "c.gnnz")
    assert refusal(tmp_path / "c.gnnz") == (
        "error[E544]: `c.gnnz` holds a model and no state of a training to go on from\n"
        "  --> c.gnnz\n"
        "  = help: name a file that was written as a checkpoint, or train without resuming\n"
    )


def test_other_settings(tmp_path: Path) -> None:
    path = tmp_path / "c.gnnz"
    trained(path, 1)
    assert refusal(path, batch=4) == (
        "error[E545]: `c.gnnz` is of a training with another batch size\n"
        "  --> c.gnnz\n"
        "  = help: resume with what it began with, or name another checkpoint and begin anew\n"
        "  = note: it has 5\n"
        "  = note: this training has 4\n"
    )
    different = [
        ({"optimiser": Adam(0.03)}, "optimiser"),
        ({"seed": 1}, "seed"),
        ({"weights": {"truth": "balanced"}}, "weights of samples"),
        ({"frozen": ["label.bias"]}, "frozen parameters"),
        ({"validation": (POINTS, CLASSES)}, "number of samples"),
    ]
    for options, what in different:
        assert f"is of a training with another {what}\n" in refusal(path, **options)
    with pytest.raises(gnn.GnnError, match="another data"):
        dropped().fit(POINTS + 1, CLASSES, epochs=2, checkpoint=path, resume=True, **OPTIONS)
    other = gnn.build(_OTHER, dtype="float64", seed=3)
    with pytest.raises(gnn.GnnError, match="another network"):
        other.fit(POINTS, CLASSES, epochs=2, checkpoint=path, resume=True, **OPTIONS)


_OTHER = """\
gnn 1
input x[3]
output label[3] { from x via all  activation = softmax }
target truth
loss cost = cross_entropy(label, truth)
"""


def test_a_state_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "c.gnnz"
    trained(path, 1)
    plan, values, state = load_checkpoint(path)
    assert state is not None
    name = "random:h.0.dropout"
    changes = {
        f"it lacks `{name}`": {key: array for key, array in state.arrays.items() if key != name},
        f"`{name}` is uint64 (1,), not uint64 (6,)": {**state.arrays, name: np.zeros(1, np.uint64)},
        "a random state is none that there can be": {**state.arrays, name: np.full(6, 2, np.uint64)},
        "it holds `more`, which this training does not have": {**state.arrays, "more": np.zeros(1)},
    }
    for message, arrays in changes.items():
        save(path, plan, values, type(state)(**{**vars(state), "arrays": arrays}))
        found = refusal(path)
        assert found.startswith(
            f"error[E541]: the state of the training in the checkpoint is inconsistent: {message}\n"
        )


def test_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(gnn.GnnError, match=r"E542.*no such file or directory"):
        trained(tmp_path / "none" / "c.gnnz", 1)


def test_resuming_needs_a_checkpoint() -> None:
    with pytest.raises(ValueError, match=r"^`resume` needs the name of the `checkpoint`$"):
        dropped().fit(POINTS, CLASSES, resume=True)


# ------------------------------------------------------------------ numbers that are not finite


_EXPLODING = """\
gnn 1
input x[3]
layer h[2] { from x via all { init = normal(1, 0) }  activation = exp }
output label[3] { from h via all  activation = softmax }
target truth
loss cost = cross_entropy(label, truth)
"""


def test_a_layer_that_overflows() -> None:
    net = gnn.build(_EXPLODING, dtype="float64", mode=INTERPRETED)
    points = POINTS.copy()
    points[3] = 1e4
    with pytest.raises(gnn.GnnError) as caught:
        net.fit(points, CLASSES, epochs=1, batch=23)
    assert str(caught.value) == (
        "error[E546]: the loss is nan in step 1 (epoch 1), and training stopped before it\n"
        "  --> <program>\n"
        "  = help: a smaller learning rate, `clip_norm`, or inputs of moderate size keep numbers finite\n"
        "  = note: layer `h` is the first whose value is not finite (2 of 46 numbers)\n"
    )
    assert all(np.isfinite(array).all() for array in net.weights.values())


def test_an_input_and_a_rate_that_are_not_moderate() -> None:
    points = X.copy()
    points[0, 1] = np.nan
    with pytest.raises(gnn.GnnError, match=r"note: input `x` is not finite \(1 of 24 numbers\)"):
        linear().fit(points, T, batch=8)
    with pytest.raises(gnn.GnnError, match=r"in step \d+ \(epoch \d+\)(.|\n)*it is the loss itself that is not"):
        steps(linear(), 2000, optimiser=SGD(50.0))
