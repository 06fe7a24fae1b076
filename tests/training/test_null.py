"""Null models: what shuffling keeps and moves, and the comparison with the network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray
from trained import INTERPRETED

import graphnn_compiler as gnn
from graphnn_compiler.topology.plan import Combination, SparseClause
from graphnn_compiler.training.null import NullReport, NullScore, compare, share_moved

N = 40
RELATIONAL = """\
# gnn: allow W210
gnn 1
graph kg = read("kg.csv", source = "a", target = "b", type = "r")
input x[kg.nodes, 2]
layer h[kg.nodes, 2] {
  from x via kg.edges | same { weights = per(default(edge.type, "own"))  norm = row(per = default(edge.type, "own")) }
}
repeat s = h times 2 tied {
  layer m[kg.nodes, 2] { from s via kg.edges["p"] { scale = edge.w }  activation = tanh }
  next s = gru(s, m)
}
layer back[kg.nodes, 2] { from s via ~(kg.edges["p"]) { weights = shared  norm = symmetric } }
output y[kg.nodes, 2] { from back via same }
"""
CLASSIFIER = """\
gnn 1
input x[12]
layer h[12] { from x via random(in_degree = 2, seed = 5)  activation = tanh }
output label[2] { from h via all  activation = softmax }
target truth
loss cost = cross_entropy(label, truth)
metric acc = accuracy(label, truth)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("null")
    random = np.random.default_rng(0)
    rows = ["a,b,r,w"]
    for relation in "pq":
        places = random.choice(N * N, 90, replace=False)
        loops = [k * (N + 1) for k in (0, 3)]
        rows += [f"{k // N},{k % N},{relation},{random.random():.3f}" for k in sorted({*places.tolist(), *loops})]
    rows += [f"{k},{(k + 1) % N},{r},0.5" for k in range(N) for r in "p" if f"{k},{(k + 1) % N},{r}" not in
             {",".join(row.split(",")[:3]) for row in rows}]  # fmt: skip
    (folder / "kg.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "kg.gnn").write_text(RELATIONAL, encoding="utf-8")
    (folder / "label.gnn").write_text(CLASSIFIER, encoding="utf-8")
    return folder


def relational(folder: Path, null: int, **options: object) -> gnn.Network:
    return gnn.build(folder / "kg.gnn", dtype="float64", mode=INTERPRETED, null=null, **options)  # type: ignore[arg-type]


def clauses(net: gnn.Network) -> dict[str, SparseClause]:
    found = [(f"{layer.name}.{it.label}", it) for layer in net.plan.layers if isinstance(layer.body, Combination)
             for it in layer.body.clauses]  # fmt: skip
    return {name: it for name, it in found if isinstance(it, SparseClause)}


def matrices(clause: SparseClause) -> list[scipy.sparse.csr_array]:
    return [
        scipy.sparse.csr_array((np.ones(part.csr.n_edges), part.csr.indices, part.csr.indptr), shape=part.csr.shape)
        for part in clause.parts
    ]


def degrees(matrix: scipy.sparse.csr_array) -> tuple[list[float], list[float]]:
    return matrix.sum(axis=0).tolist(), matrix.sum(axis=1).tolist()


@pytest.fixture(scope="module")
def real(folder: Path) -> dict[str, SparseClause]:
    return clauses(relational(folder, 0))


@pytest.fixture(scope="module")
def null(folder: Path) -> dict[str, SparseClause]:
    return clauses(relational(folder, 1))


def test_both_degrees_and_loops_are_kept_in_each_relation(
    real: dict[str, SparseClause], null: dict[str, SparseClause]
) -> None:
    assert real["h.x"].relations == null["h.x"].relations == (None, "p", "q")
    for before, after in zip(matrices(real["h.x"]), matrices(null["h.x"]), strict=True):
        assert degrees(before) == degrees(after)
        np.testing.assert_array_equal(before.diagonal(), after.diagonal())
        assert (before.nnz == N) == ((before != after).nnz == 0)  # `same` stays, the relations do not
    old = np.concatenate([part.coefficients for part in real["h.x"].parts])  # type: ignore[misc]
    new = np.concatenate([part.coefficients for part in null["h.x"].parts])  # type: ignore[misc]
    np.testing.assert_array_equal(np.sort(old), np.sort(new))


def test_equal_edges_stay_equal_and_reversed_ones_reversed(null: dict[str, SparseClause]) -> None:
    steps = [name for name in null if null[name].n_edges not in (N, null["h.x"].n_edges)]
    first, second, back = (matrices(null[name])[0] for name in steps)
    assert (first != second).nnz == 0
    assert (first.T.tocsr() != back).nnz == 0


def test_attributes_stay_with_their_destination(real: dict[str, SparseClause], null: dict[str, SparseClause]) -> None:
    name = next(
        name for name in real if real[name].weights.mode == "per_edge" and real[name].parts[0].coefficients is not None
    )
    before, after = real[name].parts[0], null[name].parts[0]
    assert before.coefficients is not None
    assert after.coefficients is not None
    for row in range(N):
        places = slice(before.csr.indptr[row], before.csr.indptr[row + 1])
        assert sorted(before.coefficients[places]) == sorted(after.coefficients[places])
    assert np.any(before.coefficients != after.coefficients)


def test_in_degree_alone(folder: Path, real: dict[str, SparseClause]) -> None:
    found = clauses(relational(folder, 1, null_keep="in_degree"))
    before, after = matrices(real["h.x"])[1], matrices(found["h.x"])[1]
    assert degrees(before)[1] == degrees(after)[1]
    assert degrees(before)[0] != degrees(after)[0]


def test_the_seed_and_the_number_decide(folder: Path) -> None:
    first, again, other, moved = (
        relational(folder, number, seed=seed) for number, seed in ((1, 0), (1, 0), (2, 0), (1, 1))
    )

    def indices(net: gnn.Network) -> NDArray:
        return np.concatenate([part.csr.indices for part in clauses(net)["h.x"].parts])

    np.testing.assert_array_equal(indices(first), indices(again))
    for name, values in first.weights.items():
        np.testing.assert_array_equal(values, again.weights[name])
    assert np.any(first.weights["h.x.weights"] != other.weights["h.x.weights"])
    assert np.any(indices(first) != indices(other))
    np.testing.assert_array_equal(indices(other), indices(moved)[: len(indices(other))])  # the sum of both counts
    assert share_moved(first.plan, first.plan) == 0
    assert 0.3 < share_moved(relational(folder, 0).plan, first.plan) < 0.9
    with pytest.raises(ValueError, match=r"^null models have the numbers 1, 2 and so on, not -1$"):
        relational(folder, -1)


def classified(folder: Path) -> tuple[NullReport, gnn.Network]:
    random = np.random.default_rng(1)
    x = random.standard_normal((60, 12))
    truth = (x[:, 0] * x[:, 1] > 0).astype(int)
    made: list[gnn.Network] = []

    def make(number: int) -> gnn.Network:
        made.append(gnn.build(folder / "label.gnn", mode=INTERPRETED, null=number))
        return made[-1]

    report = compare(make, 3, x, truth, epochs=2, validation=0.25, checkpoint=folder / "c.gnnz")
    alone = gnn.build(folder / "label.gnn", mode=INTERPRETED, null=2)
    history = alone.fit(x, truth, epochs=2, validation=0.25)
    assert report["val_loss"].null[1] == history["val_loss"][-1]
    assert (folder / "c.gnnz").exists()
    return report, made[0]


def test_a_comparison(folder: Path) -> None:
    report, net = classified(folder)
    assert [score.name for score in report.scores] == ["loss", "val_loss", "val_acc"]
    assert [score.lower for score in report.scores] == [True, True, False]
    assert (report.n_models, report.n_edges) == (3, 24)
    assert len(set(report["val_loss"].null)) == 3
    assert report == classified(folder)[0]
    with pytest.raises(KeyError, match="there is no score `acc`, but loss, val_loss, val_acc"):
        report["acc"]
    with pytest.raises(ValueError, match=r"^a comparison takes 1 null model or more, not 0$"):
        compare(lambda number: net, 0)


def test_a_report_in_text_and_as_data() -> None:
    less = NullScore("loss", True, 0.5, (0.5, 1.0, 1.5, 0.25))
    more = NullScore("acc", False, 0.9, (0.5, 0.6, 0.7, 0.6))
    none = NullScore("auc", False, 0.9, (math.nan, 0.6, 0.7, 0.6))
    report = NullReport(4, 1234, 0.8765, (less, more, none))
    assert str(report) == (
        "4 null models: 87.6 % of 1,234 edges moved\n"
        "\n"
        "score  network  null models  deviation  difference       p\n"
        "loss       0.5       0.8125       0.55     -0.3125  0.6000\n"
        "acc        0.9          0.6      0.082        +0.3  0.2000\n"
        "auc        0.9          nan        nan        +nan     nan\n"
        "\n"
        "p: (1 + null models at least as good) / 5\n"
    )
    data = report.data()
    assert {**data, "scores": None} == {
        "format_version": 1,
        "null_models": 4,
        "edges": 1234,
        "moved": 0.8765,
        "scores": None,
    }
    assert data["scores"][0] == {
        "name": "loss",
        "better": "less",
        "network": 0.5,
        "null": [0.5, 1.0, 1.5, 0.25],
        "mean": 0.8125,
        "deviation": pytest.approx(np.std([0.5, 1.0, 1.5, 0.25], ddof=1)),
        "difference": -0.3125,
        "at_least_as_good": 2,
        "p": 0.6,
    }
    assert data["scores"][2]["null"] == [None, 0.6, 0.7, 0.6]
    assert data["scores"][2]["p"] is None
    assert math.isnan(NullScore("one", False, 1.0, (0.5,)).deviation)
