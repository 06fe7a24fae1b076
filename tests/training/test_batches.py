"""Which samples a step sees: order by seed and epoch, lengths, shares for validation, data mapped from files."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from trained import CLASSES, DROPPED, POINTS, T, X, dropped, linear

import graphnn_compiler as gnn
from graphnn_compiler.topology.readers import arrays as readers
from graphnn_compiler.topology.readers.arrays import open_arrays
from graphnn_compiler.training.batches import Batches, Data, batch_ends, split
from graphnn_compiler.training.sample_weights import SampleWeights


def data(n: int) -> Data:
    """Samples whose first number tells which they are."""
    x = np.column_stack([np.arange(n), np.zeros(n), np.ones(n)])
    return Data.of(linear().plan, x, np.zeros((n, 2)))


def seen(batches: Batches, epoch: int, first: int = 0) -> list[list[int]]:
    return [arguments[0][:, 0].astype(int).tolist() for _, arguments in batches.epoch(epoch, first)]


def test_an_epoch_sees_every_sample_once_and_its_order_is_of_seed_and_epoch() -> None:
    batches = Batches(data(23), 5, 7, True, SampleWeights())
    orders = [seen(batches, epoch) for epoch in range(3)]
    for order in orders:
        assert sorted(chain.from_iterable(order)) == list(range(23))
        assert [len(some) for some in order] == [5, 5, 5, 5, 3]
    assert len({str(order) for order in orders}) == 3
    assert seen(Batches(data(23), 5, 7, True, SampleWeights()), 2) == orders[2]
    assert seen(batches, 1, first=3) == orders[1][3:]
    assert seen(Batches(data(23), 5, 8, True, SampleWeights()), 0) != orders[0]
    assert seen(Batches(data(5), 2, 7, False, SampleWeights()), 4) == [[0, 1], [2, 3, 4]]


@pytest.mark.parametrize(
    ("n", "size", "ends"),
    [(6, 3, [3, 6]), (7, 3, [3, 7]), (8, 3, [3, 6, 8]), (2, 3, [2]), (1, 3, [1]), (3, 1, [1, 2, 3]), (4, 3, [4])],
)
def test_a_last_sample_alone_joins_the_batch_before(n: int, size: int, ends: list[int]) -> None:
    assert batch_ends(n, size).tolist() == ends


def test_a_share_for_validation() -> None:
    training, held = split(data(20), 0.25, seed=1)
    first, second = (set(part.all()[0]["x"][:, 0].astype(int).tolist()) for part in (training, held))
    assert (len(first), len(second)) == (15, 5)
    assert first | second == set(range(20))
    assert split(data(20), 0.25, seed=2)[1].all()[0]["x"][:, 0].tolist() != held.all()[0]["x"][:, 0].tolist()
    assert sorted(chain.from_iterable(seen(Batches(training, 4, 0, True, SampleWeights()), 0))) == sorted(first)


KINDS = """\
gnn 1
input x[3]
output label[3] { from x via all  activation = softmax }
target truth
loss cost = cross_entropy(label, truth)
"""


def test_every_class_gives_its_share_for_validation() -> None:
    plan = gnn.build(KINDS, mode=linear()._mode).plan
    truth = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [50, 25, 8]))
    held = {}
    for seed in range(4):
        parts = split(Data.of(plan, np.zeros((len(truth), 3)), truth), 0.2, seed)
        trained, held[seed] = (part.places(np.arange(part.n_samples or 0)) for part in parts)
        assert sorted([*trained, *held[seed]]) == list(range(len(truth)))
        assert len(held[seed]) == round(0.2 * len(truth))
        counts = np.bincount(truth[held[seed]], minlength=3)
        assert all(abs(counts - 0.2 * np.bincount(truth)) < 1)
    assert len({str(one) for one in held.values()}) == 4


WHOLE = """\
gnn 1
input x[3] = read("x.npy")
output label[3] { from x via all  activation = softmax }
target truth
loss cost = cross_entropy(label, truth)
metric acc = accuracy(label, truth)
"""


def test_data_without_a_batch_axis_is_one_step_an_epoch(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([1.0, 2, 3]))
    (tmp_path / "whole.gnn").write_text(WHOLE, encoding="utf-8")
    net = gnn.build(tmp_path / "whole.gnn", mode=linear()._mode)
    history = net.fit(targets=1, epochs=3)
    assert [epoch.steps for epoch in history.epochs] == [1, 2, 3]
    assert set(history.epochs[0].scores) == {"loss", "acc"}  # measured on all there is
    assert history["loss"][2] < history["loss"][0]
    message = "a share of the samples is kept for validation only where inputs or targets have a batch axis"
    with pytest.raises(ValueError, match=f"^{message}$"):
        net.fit(targets=1, validation=0.5)


def test_default_data_with_a_batch_axis_is_cut_into_batches(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", POINTS)
    (tmp_path / "whole.gnn").write_text(WHOLE, encoding="utf-8")
    net = gnn.build(tmp_path / "whole.gnn", mode=linear()._mode)
    assert net.fit(targets=CLASSES, epochs=2, batch=8).epochs[-1].steps == 6


# ------------------------------------------------------------------ mapped data


def test_mapped_data_is_the_same_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAPPED_FROM_BYTES", 1)
    np.savez(tmp_path / "data.npz", x=POINTS.astype(np.float32), truth=CLASSES.astype(np.int16))
    file = open_arrays(tmp_path / "data.npz", "data.npz")
    mapped = {name: file.map(name) for name in file.names}
    assert all(isinstance(array, np.memmap) for array in mapped.values())
    np.testing.assert_array_equal(mapped["x"], POINTS.astype(np.float32))
    first, second = dropped(), dropped()
    one = first.fit(mapped["x"], mapped["truth"], epochs=2, batch=8, validation=0.2)
    two = second.fit(POINTS.astype(np.float32), CLASSES, epochs=2, batch=8, validation=0.2)
    assert one == two
    for name, array in first.weights.items():
        np.testing.assert_array_equal(array, second.weights[name])


def test_what_cannot_be_mapped_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAPPED_FROM_BYTES", 1)
    np.savez_compressed(tmp_path / "packed.npz", x=POINTS)
    np.savez(tmp_path / "text.npz", names=np.array(["a", "b"]), none=np.zeros((0, 3)))
    np.save(tmp_path / "alone.npy", np.asfortranarray(POINTS))
    packed = open_arrays(tmp_path / "packed.npz", "packed.npz").map("x")
    assert not isinstance(packed, np.memmap)
    np.testing.assert_array_equal(packed, POINTS)
    assert open_arrays(tmp_path / "text.npz", "text.npz").map("names").tolist() == ["a", "b"]
    assert open_arrays(tmp_path / "text.npz", "text.npz").map("none").shape == (0, 3)
    alone = open_arrays(tmp_path / "alone.npy", "alone.npy").map("")
    assert isinstance(alone, np.memmap)
    np.testing.assert_array_equal(alone, POINTS)


def test_a_class_that_is_unknown_is_found_in_mapped_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = np.append(CLASSES[1:], 9)
    np.save(tmp_path / "truth.npy", wrong)
    with pytest.raises(ValueError, match=r"^target `truth` has no class `9`$"):
        dropped().fit(POINTS, np.load(tmp_path / "truth.npy", mmap_mode="r"))


def test_a_file_by_its_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=POINTS, truth=CLASSES)
    np.savez(tmp_path / "y.npz", x=POINTS, y=CLASSES)
    np.save(tmp_path / "x.npy", POINTS)
    one, two = dropped(), dropped()
    path = tmp_path / "d.npz"
    assert one.fit(path, epochs=1, validation=str(path)) == two.fit(
        POINTS, CLASSES, epochs=1, validation=(POINTS, CLASSES)
    )
    with pytest.raises(ValueError, match=r"^there is no input `y`; known: `x`$"):
        one.fit(tmp_path / "y.npz")
    with pytest.raises(ValueError, match=r"^a file holds inputs and targets: give its name alone$"):
        one.fit(path, CLASSES)
    with pytest.raises(ValueError, match=r"x\.npy` is not named as an \.npz file, in which arrays have names$"):
        one.fit(tmp_path / "x.npy")
    with pytest.raises(gnn.GnnError, match=r"E201.*there is no file"):
        one.fit(tmp_path / "none.npz")


def test_a_batch_norm_needs_two_samples() -> None:
    message = r"^the batch norm of layer `h` takes statistics of two samples or more, and a step has one$"
    with pytest.raises(ValueError, match=message):
        dropped().fit(POINTS, CLASSES, batch=1)
    assert dropped().fit(POINTS, CLASSES, batch=22, epochs=1).epochs[0].steps == 1


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("x", "t", "options", "message"),
    [
        (X, T[:7], {}, "all batches must be equally long, but `x` has 8 samples, `t` has 7 samples"),
        (X[:0], T[:0], {}, "there are no samples to train on: the batch axis has length 0"),
        (X[:, :2], T, {}, "input `x` takes arrays of shape (3,) or (batch, 3), not (8, 2)"),
        (X, T, {"validation": 1.5}, "the share of samples for validation is between 0 and 1, not 1.5"),
        (X, T, {"validation": 0.01}, "0.01 of 8 samples leaves none to validate or to train on"),
        (X, T, {"batch": 0}, "`batch` is a positive number, not 0"),
        (X, None, {}, "target `t` is not given and has no default data"),
    ],
)
def test_refusals(x: object, t: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        linear().fit(x, t, **options)


def test_a_network_without_a_loss() -> None:
    net = gnn.build(DROPPED.replace("loss cost", "metric cost"), mode=linear()._mode)
    with pytest.raises(ValueError, match=r"^the network declares no loss, so that there is nothing to train for$"):
        net.fit(POINTS, CLASSES)
