"""The reference interpreter against numbers worked out by hand, NumPy's own algebra and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse
import scipy.special
from plans import units

from graphnn_compiler.backend import reference
from graphnn_compiler.topology.csr import csr_from_pairs
from graphnn_compiler.topology.plan import (
    Activation,
    Combination,
    Compared,
    Concat,
    DenseClause,
    EdgePart,
    Input,
    Layer,
    Mean,
    Objective,
    Parameter,
    Penalty,
    Plan,
    Ref,
    RowNormalize,
    SparseClause,
    Sum,
    Target,
    Units,
    Weighted,
    Weights,
)

rng = np.random.default_rng(0)
ROW, COLUMN = np.array([0, 0, 2, 2, 2]), np.array([0, 3, 0, 1, 3])
CSR = csr_from_pairs(ROW, COLUMN, (3, 4))
C = np.array([1.0, -2, 0.5, 3, 1])


def network(
    clause: SparseClause | DenseClause, c_in: int | None, c_out: int | None, bias: tuple[int, ...] | None = None
) -> Plan:
    """x (4 units) -> y (3 units)."""
    name = None if bias is None else "y.bias"
    layer = Layer("y", units(3, c_out), Combination((clause,), name), output=True)
    parameters = () if bias is None else (Parameter("y.bias", bias),)
    return Plan(1, "float64", (Input("x", units(4, c_in)),), (layer,), parameters)


def sparse(weights: Weights, groups: np.ndarray | None = None) -> SparseClause:
    return SparseClause("x", "x", (EdgePart(CSR, C, groups),), weights)


def test_per_edge_scalars_are_a_scipy_matrix() -> None:
    w, x, b = rng.normal(size=5), rng.normal(size=(6, 4)), rng.normal(size=3)
    plan = network(sparse(Weights("per_edge", "w")), None, None, (3,))
    matrix = scipy.sparse.csr_array((C * w, CSR.indices, CSR.indptr), shape=(3, 4))
    found = reference.evaluate(plan, {"w": w, "y.bias": b}, {"x": x})["y"]
    np.testing.assert_allclose(found, (matrix @ x.T).T + b)


def test_shared_blocks_are_a_matrix_on_each_side() -> None:
    w, x, b = rng.normal(size=(2, 3)), rng.normal(size=(4, 2)), rng.normal(size=3)
    plan = network(sparse(Weights("shared", "w")), 2, 3, (3,))
    matrix = scipy.sparse.csr_array((C, CSR.indices, CSR.indptr), shape=(3, 4)).toarray()
    found = reference.evaluate(plan, {"w": w, "y.bias": b}, {"x": x})["y"]
    np.testing.assert_allclose(found, matrix @ x @ w + b)


def test_groups_choose_blocks() -> None:
    w, x = rng.normal(size=(2, 2, 3)), rng.normal(size=(4, 2))
    groups = np.array([1, 0, 0, 1, 1])
    plan = network(sparse(Weights("per", "w"), groups), 2, 3)
    expected = np.zeros((3, 3))
    for t, s, c, g in zip(ROW, COLUMN, C, groups, strict=True):
        expected[t] += c * x[s] @ w[g]
    np.testing.assert_allclose(reference.evaluate(plan, {"w": w}, {"x": x})["y"], expected)


def test_fixed_weights_are_a_multiple_of_the_identity() -> None:
    x = rng.normal(size=(4, 2))
    plan = network(sparse(Weights("fixed", value=1.5)), 2, 2)
    matrix = scipy.sparse.csr_array((C, CSR.indices, CSR.indptr), shape=(3, 4)).toarray()
    np.testing.assert_allclose(reference.evaluate(plan, {}, {"x": x})["y"], 1.5 * matrix @ x)


def test_a_dense_clause_is_a_matrix_over_units_and_channels() -> None:
    w, x, b = rng.normal(size=(8, 9)), rng.normal(size=(5, 4, 2)), rng.normal(size=(3, 3))
    plan = network(DenseClause("x", "x", Weights("per_edge", "w"), 0.5), 2, 3, (3, 3))
    found = reference.evaluate(plan, {"w": w, "y.bias": b}, {"x": x})["y"]
    np.testing.assert_allclose(found, 0.5 * (x.reshape(5, 8) @ w).reshape(5, 3, 3) + b)


@pytest.mark.parametrize("mode", ["shared", "fixed"])
def test_a_dense_clause_of_one_block_sums_over_units(mode: str) -> None:
    w, x = rng.normal(size=(2, 2)), rng.normal(size=(4, 2))
    weights = Weights("shared", "w") if mode == "shared" else Weights("fixed", value=3.0)
    found = reference.evaluate(network(DenseClause("x", "x", weights), 2, 2), {"w": w}, {"x": x})["y"]
    row = x.sum(0) @ (w if mode == "shared" else 3 * np.eye(2))
    np.testing.assert_allclose(found, np.tile(row, (3, 1)))


def test_a_bias_of_one_channel_reaches_every_unit() -> None:
    plan = network(DenseClause("x", "x", Weights("fixed", value=0.0)), None, None, (1,))
    found = reference.evaluate(plan, {"y.bias": [2.5]}, {"x": np.zeros(4)})["y"]
    np.testing.assert_array_equal(found, [2.5] * 3)


def test_magnitude_sums_absolute_values() -> None:
    w, x, b = rng.normal(size=5), rng.normal(size=(2, 4)), rng.normal(size=3)
    plan = network(sparse(Weights("per_edge", "w")), None, None, (3,))
    matrix = scipy.sparse.csr_array((abs(C * w), CSR.indices, CSR.indptr), shape=(3, 4))
    found = reference.magnitude(plan, {"w": w, "y.bias": b}, {"x": x})["y"]
    np.testing.assert_allclose(found, (matrix @ abs(x).T).T + abs(b))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("linear", lambda x: x),
        ("relu", lambda x: np.maximum(x, 0)),
        ("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x)),
        ("elu", lambda x: np.where(x > 0, x, np.exp(x) - 1)),
        ("selu", lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1))),
        ("gelu", lambda x: x * scipy.special.ndtr(x)),
        ("silu", lambda x: x * scipy.special.expit(x)),
        ("softplus", lambda x: np.logaddexp(0, x)),
        ("softsign", lambda x: x / (1 + abs(x))),
        ("tanh", np.tanh),
        ("sigmoid", scipy.special.expit),
        ("exp", np.exp),
        ("softmax", lambda x: scipy.special.softmax(x, axis=1)),
    ],
)
def test_activations(name: str, function: object) -> None:
    x = rng.normal(0, 3, (4, 3))
    np.testing.assert_allclose(reference.activate(Activation(name), x), function(x), atol=1e-14)


def test_softmax_over_units() -> None:
    x = rng.normal(size=(4, 3))
    np.testing.assert_allclose(reference.activate(Activation("softmax", "units"), x), scipy.special.softmax(x, axis=0))


def test_expressions() -> None:
    sources = {"a": np.array([[1.0, 3], [2, -2]]), "b": np.array([[10.0], [20]])}
    cases = {
        RowNormalize(Ref("a")): [[0.25, 0.75], [0, 0]],
        Concat((Ref("b"), Ref("a"))): [[10, 1, 3], [20, 2, -2]],
        Mean(Ref("a"), "units"): [[1.5, 0.5]],
        Mean(Ref("a"), "channels"): [[2], [0]],
    }
    for expr, expected in cases.items():
        np.testing.assert_allclose(reference.expression(expr, sources), expected)


def test_layer_norm() -> None:
    np.testing.assert_allclose(reference.normalized(np.array([[1.0, 3]])), np.array([[-1, 1]]) / math.sqrt(1 + 1e-5))


# ------------------------------------------------------------------ objectives


def test_objectives_by_hand() -> None:
    shares = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    layer = Layer("y", units(2, 3), Ref("x"), activation=Activation("softmax"), output=True)
    flat = Layer("z", units(2), Ref("v"), output=True)
    goals = {
        "ce": Compared("cross_entropy", "y", "classes"),
        "ce_on": Compared("cross_entropy", "y", "classes", on=np.array([1])),
        "accuracy": Compared("accuracy", "y", "classes"),
        "mse": Compared("mse", "z", "truth"),
        "mae": Compared("mae", "z", "truth"),
        "bce": Compared("binary_cross_entropy", "z", "truth"),
        "hits": Compared("accuracy", "z", "truth"),
        "sum": Sum((Weighted(0.5, Penalty("l1", ("w",))), Penalty("l2", ("w",)))),
    }
    plan = Plan(
        1,
        "float64",
        (Input("x", units(2, 3)), Input("v", units(2))),
        (layer, flat),
        (Parameter("w", (2,)),),
        (Target("classes", (2,), 3), Target("truth", (2,), default=np.array([1.0, 0]))),
        tuple(Objective(name, "loss", value) for name, value in goals.items()),
    )
    v = np.array([2.0, 1])
    found = reference.objective(plan, {"w": [3, -4]}, {"x": np.log(shares), "v": v}, {"classes": np.array([1, 2])})
    sigmoid = scipy.special.expit(v)
    expected = {
        "ce": -(math.log(0.25) + math.log(0.8)) / 2,
        "ce_on": -math.log(0.8),
        "accuracy": 0.5,
        "mse": (1 + 1) / 2,
        "mae": 1.0,
        "bce": -(math.log(sigmoid[0]) + math.log(1 - sigmoid[1])) / 2,
        "hits": 0.5,
        "sum": 3.5 + 25,
    }
    assert found == pytest.approx(expected)


def test_classes_without_a_channel_axis_are_units() -> None:
    shape = Units(np.arange(3))
    plan = Plan(
        1,
        "float64",
        (Input("x", shape),),
        (Layer("y", shape, Ref("x"), output=True),),
        (),
        (Target("t", (), 3),),
        (Objective("l", "loss", Compared("cross_entropy", "y", "t")),),
    )
    x = rng.normal(size=(2, 3))
    expected = -np.mean(scipy.special.log_softmax(x, axis=1)[[0, 1], [2, 0]])
    assert reference.objective(plan, {}, {"x": x}, {"t": np.array([2, 0])})["l"] == pytest.approx(expected)
