"""The network as users see it: calls, errors, weights, edges, symbolic use, evaluation."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from graphnn_compiler.backend import reference
from graphnn_compiler.network import Network
from graphnn_compiler.topology.csr import csr_from_pairs
from graphnn_compiler.topology.graph import string_array
from graphnn_compiler.topology.plan import (
    Activation,
    Combination,
    Compared,
    DenseClause,
    EdgePart,
    Input,
    Layer,
    Objective,
    Parameter,
    Penalty,
    Plan,
    Ref,
    SparseClause,
    Target,
    Units,
    Weighted,
    Weights,
)

PY = pytensor.compile.mode.Mode("py", None)

GENES = Units(string_array(["tp53", "brca1", "egfr", "myc"]))
PATHS = Units(np.array([10, 20, 30]), 1, True)
SCORES = Units(string_array(["bad", "good"]))
ROW, COLUMN = np.array([0, 0, 2, 2, 2]), np.array([0, 3, 0, 1, 3])
CSR = csr_from_pairs(ROW, COLUMN, (3, 4))
COEFFICIENTS = np.array([1.0, -2, 0.5, 3, 1])


def plan(dtype: Any = "float64", dropout: float = 0.0, context: np.ndarray | None = None) -> Plan:
    """genes -> pathways (sparse, with coefficients) -> scores (dense, softmax over units), and a copy of pathways."""
    sparse = SparseClause("member", "x", (EdgePart(CSR, COEFFICIENTS),), Weights("per_edge", "path.member.weights"))
    shift = DenseClause("shift", "context", Weights("fixed", value=0.5))
    inputs = (Input("x", GENES),)
    if context is not None:
        inputs = (*inputs, Input("context", Units(np.arange(2)), context))
    clauses = (sparse,) if context is None else (sparse, shift)
    path = Layer("path", PATHS, Combination(clauses, "path.bias"), activation=Activation("tanh"), dropout=dropout)
    dense = DenseClause("path", "path", Weights("per_edge", "score.path.weights"))
    softmax = Activation("softmax", "units")
    score = Layer("score", SCORES, Combination((dense,), None), activation=softmax, output=True)
    parameters = (
        Parameter("path.member.weights", (5,)),
        Parameter("path.bias", (1,), kind="bias"),
        Parameter("score.path.weights", (3, 2), trainable=False),
    )
    targets = (Target("truth", (), 2, string_array(["bad", "good"])),)
    penalty = Weighted(0.1, Penalty("l2", ("path.member.weights",)))
    goals = (
        Objective("cost", "loss", Compared("cross_entropy", "score", "truth")),
        Objective("decay", "loss", penalty),
        Objective("accuracy", "metric", Compared("accuracy", "score", "truth")),
    )
    return Plan(1, dtype, inputs, (path, score), parameters, targets, goals)


def values(of: Plan, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {one.name: rng.normal(size=one.shape) for one in of.parameters}


def network(**options: Any) -> Network:
    one = plan(**options)
    return Network(one, values(one), PY)


def two_outputs() -> Network:
    """`a` and `b`, each a copy of an input of the same name with x in front; xb has channels."""
    ends = Units(np.arange(3)), Units(np.arange(2), 2, True)
    layers = tuple(
        Layer(name, end, Ref(f"x{name}"), activation=Activation("relu"), output=True)
        for name, end in zip("ab", ends, strict=True)
    )
    return Network(Plan(1, "float32", (Input("xa", ends[0]), Input("xb", ends[1])), layers, ()), {}, PY)


# ------------------------------------------------------------------ calls


@pytest.mark.parametrize("shape", [(4,), (0, 4), (1, 4), (5, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_call_computes_the_plan(dtype: str, shape: tuple[int, ...]) -> None:
    net = network(dtype=dtype)
    x = np.random.default_rng(1).normal(size=shape)
    found = net(x)
    assert found.dtype == dtype
    expected = reference.evaluate(net.plan, net.weights, {"x": x})["score"]
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-10)


def test_ways_to_give_one_input_agree() -> None:
    net, x = network(), np.arange(4)
    for other in (net({"x": x}), net(x=x), net(x.tolist()), net(x.astype(np.float16)), net(x[None])[0]):
        np.testing.assert_array_equal(net(x), other)


def test_several_inputs_and_outputs_go_by_name() -> None:
    net = two_outputs()
    found = net(xa=np.ones((5, 3)), xb=np.ones((2, 2)))
    assert {name: array.shape for name, array in found.items()} == {"a": (5, 3), "b": (2, 2)}
    assert net.inputs == ("xa", "xb")
    assert net.outputs == ("a", "b")


def test_default_data_may_be_left_out_or_replaced() -> None:
    net, x = network(context=np.array([1.0, 3.0])), np.zeros((2, 4))
    np.testing.assert_allclose(net(x), net(x=x, context=[1, 3]))
    assert not np.allclose(net(x), net(x=x, context=[9, 3]))
    expected = reference.evaluate(net.plan, net.weights, {"x": x})["score"]
    np.testing.assert_allclose(net(x), expected)


def test_batched_default_data_fixes_the_batch() -> None:
    net = network(context=np.ones((3, 2)))
    assert net(np.zeros((3, 4))).shape == (3, 2)
    assert net(np.zeros(4)).shape == (3, 2)
    with pytest.raises(ValueError, match="`context` has 3 samples"):
        net(np.zeros((2, 4)))


def test_nan_reaches_the_output() -> None:
    assert np.all(np.isnan(network()(np.full(4, np.nan))))


def test_dropout_is_off_in_calls() -> None:
    x = np.ones((3, 4))
    np.testing.assert_array_equal(network(dropout=0.9)(x), network()(x))


def test_functions_are_compiled_once_per_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    original = pytensor.function
    monkeypatch.setattr(pytensor, "function", lambda *a, **k: compiled.append(1) or original(*a, **k))
    net = network()
    for shape in [(4,), (2, 4), (5, 4), (4,)]:
        net(np.zeros(shape))
    assert len(compiled) == 2


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros(3), ValueError, r"input `x` takes arrays of shape \(4,\) or \(batch, 4\), not \(3,\)"),
        (np.zeros((3, 10)), ValueError, r"not \(3, 10\)"),
        (np.zeros((1, 1, 4)), ValueError, r"not \(1, 1, 4\)"),
        (5, ValueError, r"not \(\)"),
        (["a"] * 4, TypeError, "input `x` takes real numbers, not values of type <U1"),
        (np.zeros(4, complex), TypeError, "complex128"),
        (np.array([None] * 4), TypeError, "object"),
        ({"X": np.zeros(4)}, ValueError, r"there is no input `X`; (did you mean `x`\?|known: `x`)"),
        ({}, ValueError, "input `x` is not given"),
        (None, ValueError, "input `x` is not given"),
    ],
)
def test_refused_inputs(x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        network()(x)


def test_inputs_that_do_not_agree_are_refused() -> None:
    net = two_outputs()
    with pytest.raises(ValueError, match="`xa` has 5 samples, `xb` has 1 sample"):
        net(xa=np.ones((5, 3)), xb=np.ones((1, 2, 2)))
    with pytest.raises(TypeError, match=r"2 inputs \(`xa`, `xb`\): give them by name"):
        net(np.ones(3))
    with pytest.raises(TypeError, match="not both"):
        net(np.ones(3), xb=np.ones((2, 2)))
    with pytest.raises(TypeError, match=r"go to `Network\.symbolic`"):
        network()(pt.vector("x"))


def test_parameters_are_checked_when_a_network_is_made() -> None:
    one = plan()
    with pytest.raises(ValueError, match=r"parameter `path\.bias` has no value"):
        Network(one, {"path.member.weights": np.zeros(5)})
    with pytest.raises(ValueError, match=r"`path\.bias` has shape \(1,\), not \(2,\)"):
        Network(one, {**values(one), "path.bias": np.zeros(2)})


def test_the_callers_arrays_are_copied() -> None:
    one = plan()
    start = values(one)
    net = Network(one, start, PY)
    start["path.bias"][0] = 99
    assert net.weights["path.bias"][0] != 99


def test_repr_is_one_line() -> None:
    assert repr(network()) == "Network(x -> score; 2 layers, 12 parameters, float64)"


def test_importing_the_package_does_not_import_pytensor() -> None:
    code = "import graphnn_compiler, sys; sys.exit('pytensor' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ------------------------------------------------------------------ weights


def test_parameters_are_shared_variables_by_name() -> None:
    net = network()
    assert list(net.parameters) == ["path.member.weights", "path.bias", "score.path.weights"]
    assert [one.name for one in net.trainable] == ["path.member.weights", "path.bias"]
    assert all(variable.name == name for name, variable in net.parameters.items())
    with pytest.raises(TypeError):
        net.parameters["new"] = None  # type: ignore[index]


def test_set_weights_takes_arrays_and_short_names() -> None:
    net, x = network(), np.ones(4)
    new = {"path.weights": np.arange(5), "score.path.weights": np.eye(3)[:, :2], "path.bias": [0.5]}
    net.set_weights(new)
    full = {"path.member.weights": np.arange(5), **{k: v for k, v in new.items() if k != "path.weights"}}
    np.testing.assert_allclose(net(x), reference.evaluate(net.plan, full, {"x": x})["score"])


def test_set_weights_by_edge_leaves_the_others() -> None:
    net = network()
    before = net.weights["path.member.weights"]
    net.set_weights({"path.weights": {("myc", 10): 7, ("brca1", np.int64(30)): -1.5}})
    after = net.weights["path.member.weights"]
    np.testing.assert_array_equal(after[[1, 3]], [7, -1.5])
    np.testing.assert_array_equal(after[[0, 2, 4]], before[[0, 2, 4]])
    net.set_weights({"path.weights": {}})
    np.testing.assert_array_equal(net.weights["path.member.weights"], after)


def test_set_weights_by_pair_of_a_dense_clause() -> None:
    net = network()
    net.set_weights({"score.weights": {(30, "good"): 4.5, (10, "bad"): 2}})
    found = net.weights["score.path.weights"]
    assert found[2, 1] == 4.5
    assert found[0, 0] == 2


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"path.wieghts": 0}, KeyError, "no parameter `path.wieghts`; did you mean"),
        ({"path.weights": np.zeros(4)}, ValueError, r"has shape \(5,\), not \(4,\)"),
        ({"path.weights": ["a"] * 5}, TypeError, "real numbers"),
        ({"path.weights": {("tp53", 20): 1.0}}, ValueError, "no edge 'tp53' -> 20"),
        ({"path.weights": {("nope", 10): 1.0, (3, 10): 1.0}}, ValueError, "no edge 'nope' -> 10, 3 -> 10"),
        ({"path.weights": {("tp53", True): 1.0}}, ValueError, "no edge"),
        ({"path.weights": {"tp53": 1.0}}, ValueError, r"keyed by \(source key, target key\)"),
        ({"path.weights": {("tp53", 10): "a"}}, TypeError, "one real number"),
        ({"path.weights": {("tp53", 10): [1.0, 2.0]}}, TypeError, "one real number"),
        ({"path.bias": {("tp53", 10): 1.0}}, ValueError, "not the weights of edges"),
        ({"path.weights": np.zeros(5), "path.member.weights": np.zeros(5)}, ValueError, "given twice"),
    ],
)
def test_refused_weights_change_nothing(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    net = network()
    before = net.weights
    with pytest.raises(error, match=message):
        net.set_weights({"score.path.weights": np.zeros((3, 2)), **changes})
    for name, value in net.weights.items():
        np.testing.assert_array_equal(value, before[name])


# ------------------------------------------------------------------ edges


def test_edges_of_a_clause() -> None:
    net = network()
    for edges in (net.edges("path"), net.edges("path", "member")):
        assert len(edges) == 5
        assert edges.source_keys.tolist() == ["tp53", "myc", "tp53", "brca1", "myc"]
        assert edges.target_keys.tolist() == [10, 10, 30, 30, 30]
        np.testing.assert_array_equal(edges.indptr, [0, 2, 2, 5])
        np.testing.assert_array_equal(edges.indices, COLUMN)
        np.testing.assert_array_equal(edges.coefficients, COEFFICIENTS)
        np.testing.assert_array_equal(edges.weights, net.weights["path.member.weights"])
        with pytest.raises(ValueError, match="read-only"):
            edges.indices[0] = 1
    assert repr(net.edges("path")) == "Edges(member: 5 edges, 4 -> 3 units)"


def test_edges_as_a_scipy_matrix_compute_the_layer() -> None:
    net, x = network(), np.random.default_rng(1).normal(size=4)
    edges = net.edges("path")
    net.set_weights({"path.weights": np.arange(5.0)})  # the view shows the weights of now
    expected = reference.evaluate(net.plan, net.weights, {"x": x})["path"]
    np.testing.assert_allclose(np.tanh(edges.to_scipy() @ x + net.weights["path.bias"]), expected[:, 0])


@pytest.mark.parametrize("mode", ["per_edge", "shared", "per", "fixed"])
@pytest.mark.parametrize("channels", [1, 2])
def test_effective_weights_of_several_relations(mode: Any, channels: int) -> None:
    """The sum over `Edges` in its own order equals the reference, which walks the parts."""
    rng = np.random.default_rng(3)
    other = csr_from_pairs(np.array([0, 1]), np.array([3, 2]), (3, 4))
    groups = {"per": ([0, 1, 1, 0, 1], [1, 0]), "per_edge": ([0, 2, 4, 5, 6], [1, 3])}.get(mode, (None, None))
    parts = tuple(
        EdgePart(csr, c, None if g is None else np.array(g, np.int32))
        for csr, c, g in zip((CSR, other), (COEFFICIENTS, None), groups, strict=True)
    )
    block = () if channels == 1 else (2, 2)
    shape = {"per_edge": (7, *block), "per": (2, *block), "shared": (channels, channels)}.get(mode)
    weights = Weights("fixed", value=1.5) if shape is None else Weights(mode, "y.x.weights")
    ends = Units(np.arange(4), channels, True), Units(np.arange(3), channels, True)
    layer = Layer("y", ends[1], Combination((SparseClause("x", "x", parts, weights),)), output=True)
    parameters = () if shape is None else (Parameter("y.x.weights", shape),)
    one = Plan(1, "float64", (Input("x", ends[0]),), (layer,), parameters)
    net = Network(one, values(one), PY)
    edges, x = net.edges("y"), rng.normal(size=(4, channels))
    assert list(zip(edges.target_keys, edges.source_keys, strict=True)) == [
        (0, 0), (0, 3), (0, 3), (1, 2), (2, 0), (2, 1), (2, 3)
    ]  # fmt: skip
    assert edges.weights.shape == (7, *block)
    expected = np.zeros((3, channels))
    for k in range(7):
        w = edges.weights[k].reshape(channels, channels)
        expected[edges.target_keys[k]] += edges.coefficients[k] * x[edges.indices[k]] @ w
    np.testing.assert_allclose(reference.evaluate(one, net.weights, {"x": x})["y"], expected)
    if channels == 1:
        np.testing.assert_allclose(edges.to_scipy() @ x, expected)
    else:
        with pytest.raises(ValueError, match="blocks of 2 x 2"):
            edges.to_scipy()


def test_a_pair_of_two_relations_has_no_weight_of_its_own() -> None:
    parts = tuple(EdgePart(CSR, None, np.arange(5, dtype=np.int32) + 5 * i) for i in range(2))
    clause = SparseClause("x", "x", parts, Weights("per_edge", "y.x.weights"))
    layer = Layer("y", PATHS, Combination((clause,)), output=True)
    one = Plan(1, "float64", (Input("x", GENES),), (layer,), (Parameter("y.x.weights", (10,)),))
    with pytest.raises(ValueError, match="edges of several relations"):
        Network(one, values(one)).set_weights({"y.weights": {("tp53", 10): 1.0}})


def test_edges_that_are_not_there() -> None:
    net = network(context=np.zeros(2))
    with pytest.raises(KeyError, match="no layer `paht`; did you mean `path`"):
        net.edges("paht")
    with pytest.raises(KeyError, match=r"2 clauses .*`member`, `shift`"):
        net.edges("path")
    with pytest.raises(KeyError, match="no clause `nope`, but `member`, `shift`"):
        net.edges("path", "nope")
    with pytest.raises(ValueError, match="connects all pairs"):
        net.edges("score")
    with pytest.raises(KeyError, match="no `from` clauses"):
        two_outputs().edges("a")
    with pytest.raises(KeyError, match=r"could be any of `path\.member\.weights`, `path\.shift\.weights`"):
        net.set_weights({"path.weights": np.zeros(5)})


# ------------------------------------------------------------------ symbolic use


def test_symbolic_is_a_part_of_a_larger_graph() -> None:
    net = network()
    z = pt.matrix("z", dtype="float32")
    cost = pt.sqr(net.symbolic(pt.tanh(z)) - 0.25).sum()
    wrt = [z, net.parameters["path.member.weights"]]
    function = pytensor.function([z], [cost, *pytensor.grad(cost, wrt)], mode=PY)
    point = np.random.default_rng(5).normal(size=(3, 4)).astype("float32")
    found, by_z, by_w = function(point)

    def by_hand(z: np.ndarray, w: np.ndarray) -> float:
        new = {**net.weights, "path.member.weights": w}
        return float(((reference.evaluate(net.plan, new, {"x": np.tanh(z)})["score"] - 0.25) ** 2).sum())

    w, step = net.weights["path.member.weights"], 1e-6
    assert found == pytest.approx(by_hand(np.float64(point), w), rel=1e-6)
    for k in range(5):
        shift = step * np.eye(5)[k]
        slope = (by_hand(np.float64(point), w + shift) - by_hand(np.float64(point), w - shift)) / (2 * step)
        assert by_w[k] == pytest.approx(slope, rel=1e-4, abs=1e-7)
    shift = step * np.ones((3, 4))
    slope = (by_hand(point + shift, w) - by_hand(point - shift, w)) / (2 * step)
    assert by_z.sum() == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_symbolic_by_number_of_dimensions_and_name() -> None:
    net = two_outputs()
    outputs = net.symbolic({"xa": pt.vector(), "xb": pt.tensor3(dtype="int32")})
    assert {name: (one.type.ndim, one.type.dtype) for name, one in outputs.items()} == {
        "a": (1, "float32"),
        "b": (3, "float32"),
    }
    with pytest.raises(
        ValueError, match=r"input `xa` takes arrays of shape \(3,\) or \(batch, 3\), not \(\?, \?, \?\)"
    ):
        net.symbolic({"xa": pt.tensor3(), "xb": pt.tensor3()})
    with pytest.raises(ValueError, match=r"not \(5,\)"):
        net.symbolic({"xa": pt.vector(shape=(5,)), "xb": pt.tensor3()})
    with pytest.raises(TypeError, match="complex"):
        net.symbolic({"xa": pt.zvector(), "xb": pt.tensor3()})


def test_symbolic_of_an_unbatched_input_beside_a_batch() -> None:
    net = network(context=np.array([1.0, 2.0]))
    x, context = pt.matrix("x"), pt.vector("context")
    function = pytensor.function([x, context], net.symbolic({"x": x, "context": context}), mode=PY)
    for batch in (0, 1, 5):
        point = np.ones((batch, 4))
        np.testing.assert_allclose(function(point, np.array([1.0, 2.0])), net(point))


def test_a_training_step_in_the_default_mode() -> None:
    """Loss with dropout, its gradient and updates compile without another warning, and float32 stays float32."""
    one = plan("float32", dropout=0.5)
    net = Network(one, values(one))
    x, truth = pt.matrix("x", dtype="float32"), pt.lvector("truth")
    loss = net.loss(x, truth)
    slopes = pytensor.grad(loss, net.trainable)
    assert {loss.type.dtype, *(slope.type.dtype for slope in slopes)} == {"float32"}
    steps = {w: w - np.float32(0.05) * slope for w, slope in zip(net.trainable, slopes, strict=True)}
    function = pytensor.function([x, truth], loss, updates={**steps, **net.state_updates(loss)}, mode=net.mode)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(64, 4)).astype("float32")
    labels = (points[:, 0] > 0).astype(np.int64)
    before = net.evaluate(points, labels)
    losses = [float(function(points, labels)) for _ in range(60)]
    assert len(set(losses)) == 60  # every call draws its own mask
    assert (
        net.evaluate(points, labels)["cost"] + net.evaluate(points, labels)["decay"] < before["cost"] + before["decay"]
    )


def test_without_updates_masks_repeat_and_with_them_they_move() -> None:
    net = network(dropout=0.5)
    x = pt.matrix("x")
    y = net.symbolic(x, training=True)
    still = pytensor.function([x], y, mode=PY)
    points = np.ones((20, 4))
    np.testing.assert_array_equal(still(points), still(points))
    moving = pytensor.function([x], y, updates=net.state_updates(y), mode=PY)
    assert not np.array_equal(moving(points), moving(points))


# ------------------------------------------------------------------ objectives


def test_evaluate_gives_every_loss_and_metric() -> None:
    net, x = network(), np.random.default_rng(2).normal(size=(6, 4))
    truth = np.array([0, 1, 1, 0, 1, 0])
    expected = reference.objective(net.plan, net.weights, {"x": x}, {"truth": truth})
    names = np.array(["bad", "good"])[truth]
    for given in (truth, names, names.tolist(), string_array(names), {"truth": truth.astype(np.uint8)}, truth * 1.0):
        found = net.evaluate(x, given)
        assert found == pytest.approx(expected)
        assert all(type(value) is float for value in found.values())
    assert net.evaluate(x[0], "good")["accuracy"] in (0.0, 1.0)


@pytest.mark.parametrize(
    ("truth", "error", "message"),
    [
        (["bad", "goood", "bad"], ValueError, r"target `truth` has no class `goood`; did you mean `good`\?"),
        ([0, 2, 1], ValueError, "has no class `2`"),
        ([0.5, 0, 1], ValueError, "not fractions"),
        ([0, 1], ValueError, "equally long"),
        ([0, -1, 1], ValueError, "`truth` misses 1 value among the units that `cost` compares"),
        ([[0, 1, 1]], ValueError, r"takes arrays of a single value or shape \(batch,\), not \(1, 3\)"),
        (None, ValueError, "target `truth` is not given"),
        ({"turth": [0]}, ValueError, "no target `turth`; did you mean `truth`"),
        (np.zeros(3, complex), TypeError, "complex"),
    ],
)
def test_refused_targets(truth: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        network().evaluate(np.zeros((3, 4)), truth)


def node_classes(default: np.ndarray | None) -> Network:
    """A class per node, int64 class names 5 and 7, compared on the first two nodes only."""
    shape = Units(np.arange(3), 2, True)
    layer = Layer("y", shape, Ref("x"), output=True)
    target = Target("t", (3,), 2, np.array([5, 7]), default)
    goal = Objective("cost", "loss", Compared("cross_entropy", "y", "t", np.array([0, 1])))
    return Network(Plan(1, "float64", (Input("x", shape),), (layer,), (), (target,), (goal,)), {}, PY)


def test_integer_classes_are_coded_and_defaults_may_be_left_out() -> None:
    x = np.random.default_rng(4).normal(size=(3, 2))
    expected = reference.objective(node_classes(None).plan, {}, {"x": x}, {"t": np.array([1, 0, -1])})
    assert node_classes(None).evaluate(x, [7, 5, -1]) == pytest.approx(expected)
    assert node_classes(np.array([1, 0, -1])).evaluate(x) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no class `0`, `1`"):
        node_classes(None).evaluate(x, [0, 1, 5])
    with pytest.raises(TypeError, match="class numbers"):
        node_classes(None).evaluate(x, ["5", "7", "5"])


def test_objective_and_loss_are_symbolic() -> None:
    net, x = network(), np.random.default_rng(2).normal(size=(6, 4))
    truth = np.array([0, 1, 1, 0, 1, 0])
    inputs, targets = pt.matrix("x"), pt.lvector("truth")
    outputs = [net.objective("accuracy", inputs, targets), net.loss({"x": inputs}, {"truth": targets}, training=False)]
    accuracy, loss = pytensor.function([inputs, targets], outputs, mode=PY)(x, truth)
    found = net.evaluate(x, truth)
    assert accuracy == found["accuracy"]
    assert loss == pytest.approx(found["cost"] + found["decay"])
    with pytest.raises(KeyError, match="no loss or metric `acuracy`; did you mean `accuracy`"):
        net.objective("acuracy", inputs, targets)
    with pytest.raises(TypeError, match="takes class numbers, not float64"):
        net.loss(inputs, pt.dvector())
    with pytest.raises(ValueError, match="declares no loss"):
        two_outputs().loss({"xa": pt.vector(), "xb": pt.matrix()})
