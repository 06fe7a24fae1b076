"""The rewrites to float32 functions: where they happen, where they do not, and that values and gradients stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from numpy.typing import NDArray
from pytensor.compile.mode import JAX, Mode, get_default_mode
from pytensor.gradient import verify_grad
from pytensor.graph.fg import FunctionGraph
from pytensor.link.numba.dispatch.basic import numba_funcify_and_cache_key
from pytensor.scalar.basic import Composite
from pytensor.tensor.elemwise import Elemwise

import graphnn_compiler as gnn
from graphnn_compiler.backend import elementwise
from graphnn_compiler.backend.activations import activate
from graphnn_compiler.backend.elementwise import EVERYWHERE, RowMajor, Softmax32, mark
from graphnn_compiler.topology.plan import Activation

EXPECTED = {
    "tanh": "Tanh32",
    "sigmoid": "Sigmoid32",
    "exp": "Exp32",
    "gelu": "Gelu32",
    "silu": "Sigmoid32",
    "softplus": "Softplus32",
    "elu": "Expm132",
    "selu": "Expm132",
    "softmax": "Softmax32",
}
EVERY_ACTIVATION = pytest.mark.parametrize("name", EXPECTED)
EVERY_AXIS = pytest.mark.parametrize(
    ("name", "axis"), [*((name, "channels") for name in EXPECTED), ("softmax", "units")]
)


def activated(name: str, x: Any, axis: Any = "units") -> Any:
    return activate(Activation(name, axis) if name == "softmax" else Activation(name), x)


def variable(dtype: str = "float32") -> Any:
    return pt.tensor("x", dtype=dtype, shape=(6, None, 3))


def values(dtype: str = "float32", scale: float = 2) -> NDArray:
    return np.random.default_rng(0).normal(0, scale, (6, 5, 3)).astype(dtype)


def ops(fgraph: Any) -> set[str]:
    """The names of all Ops and scalar Ops of a graph."""
    found = set()
    for node in fgraph.apply_nodes:
        found.add(type(node.op).__name__)
        if isinstance(node.op, Elemwise):
            scalar = node.op.scalar_op
            inner = [one.op for one in scalar.fgraph.apply_nodes] if isinstance(scalar, Composite) else [scalar]
            found |= {type(one).__name__ for one in inner}
    return found


OURS = {kind.__name__ for kind in elementwise._COMPILED} | {"Softmax32", "RowMajor"}


def everywhere() -> Any:
    return get_default_mode().including(EVERYWHERE)


@EVERY_ACTIVATION
def test_activations_are_rewritten(name: str) -> None:
    x = variable()
    found = pytensor.function([x], activated(name, x), mode=everywhere())
    names = ops(found.maker.fgraph)
    assert EXPECTED[name] in names
    assert not names & {"Tanh", "Sigmoid", "Exp", "Erf", "Erfc", "Softplus", "Expm1", "Softmax", "Max"}


@EVERY_ACTIVATION
def test_float64_is_left_alone(name: str) -> None:
    x = variable("float64")
    assert not ops(pytensor.function([x], activated(name, x), mode=everywhere()).maker.fgraph) & OURS


@EVERY_ACTIVATION
@pytest.mark.parametrize("mode", [JAX, Mode("cvm", "fast_run"), Mode("py", "fast_run")], ids=["jax", "cvm", "py"])
def test_other_linkers_are_left_alone(name: str, mode: Any) -> None:
    x = mark(variable())
    fgraph = FunctionGraph([x], [activated(name, x)], clone=False)
    mode.optimizer.rewrite(fgraph)
    assert not ops(fgraph) & OURS


def test_functions_of_others_are_left_alone() -> None:
    x = variable()
    assert not ops(pytensor.function([x], pt.tanh(x)).maker.fgraph) & OURS


def network(layers: str) -> Any:
    return gnn.build(f"gnn 1\ninput x[8]\n{layers}\n")


DENSE = "layer h[6] { from x via all  activation = tanh }\noutput y[4] { from h via all  activation = softmax }"


def test_functions_of_a_network_are_rewritten_and_agree() -> None:
    net = network(DENSE)
    x = pt.matrix("x", dtype="float32")
    given = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    ours = pytensor.function([x], net.symbolic(x))
    stock = pytensor.function([x], net.symbolic(x), mode=get_default_mode().excluding("float32_functions"))
    assert {"Tanh32", "Softmax32"} <= ops(ours.maker.fgraph)
    assert not ops(stock.maker.fgraph) & OURS
    np.testing.assert_allclose(ours(given), stock(given), rtol=2e-6)
    np.testing.assert_allclose(net(given), stock(given), rtol=2e-6)


@EVERY_AXIS
def test_values_and_derivatives_of_two_orders_agree_with_float64(name: str, axis: str) -> None:
    found, wanted = [], []
    for dtype, results in (("float32", found), ("float64", wanted)):
        x = variable(dtype)
        y = activated(name, x, axis)
        slope = pytensor.grad(pt.sqr(y).sum(), x)
        second = pytensor.grad(pt.sqr(slope).sum(), x)
        mode = everywhere() if dtype == "float32" else Mode("py", "fast_compile")
        function = pytensor.function([x], [y, slope, second], mode=mode)
        results += function(values(dtype, scale=1))
    for ours, exact in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())


@pytest.mark.parametrize(
    "make", [Elemwise(elementwise._GELU), Softmax32(1), RowMajor()], ids=["gelu", "softmax", "rows"]
)
def test_gradients_of_the_ops_themselves(make: Any) -> None:
    verify_grad(
        make,
        [values(scale=1)],
        rng=np.random.default_rng(1),
        mode=Mode("py", None),
        eps=1e-2,
        abs_tol=2e-2,
        rel_tol=2e-2,
    )


@pytest.mark.parametrize("mode", [Mode("py", None), Mode("cvm", None), "NUMBA"], ids=["py", "cvm", "numba"])
@pytest.mark.parametrize("kind", [*elementwise._COMPILED, Softmax32])
def test_every_linker_computes_the_ops(kind: Any, mode: Any) -> None:
    if mode != "NUMBA" and mode.linker.__class__.__name__ == "VMLinker" and not pytensor.config.cxx:
        pytest.skip("no C++ compiler")
    x = variable()
    if kind is Softmax32:
        y, wanted = Softmax32(1)(x), pt.special.softmax(x.astype("float64"), axis=1)
    else:
        stock = next((base for base, op in elementwise._FAST.items() if type(op) is kind), None)
        y = Elemwise(elementwise._FAST[stock] if stock else elementwise._GELU)(x)
        wide = x.astype("float64")
        wanted = Elemwise(stock(elementwise.same_out))(wide) if stock else wide * pt.erfc(-wide * 0.5**0.5) / 2
    found = pytensor.function([x], y, mode=mode)(values())
    np.testing.assert_allclose(found, pytensor.function([x], wanted)(values()), rtol=5e-7)
    assert found.dtype == np.float32


# ------------------------------------------------------------------ patterns


def test_gelu_is_found_in_products_of_more_factors() -> None:
    x, weight = variable(), variable()
    y = activated("gelu", x * weight) * weight * np.float32(3)
    function = pytensor.function([x, weight], y, mode=everywhere())
    assert "Gelu32" in ops(function.maker.fgraph)
    assert not ops(function.maker.fgraph) & {"Erfc", "Erfc32"}
    z = (values() * values()).astype(np.float64)
    wanted = 3 * values() * z * pt.erfc(-z * 0.5**0.5).eval() / 2
    np.testing.assert_allclose(function(values(), values()), wanted, rtol=2e-6)


@pytest.mark.parametrize("scale", [0.5, -(0.5**0.5)])
def test_other_products_with_erfc_are_no_gelu(scale: float) -> None:
    x, other = variable(), variable()
    y = other * pt.erfc(np.float32(scale) * x)
    function = pytensor.function([x, other], y, mode=everywhere())
    assert "Erfc32" in ops(function.maker.fgraph)
    assert "Gelu32" not in ops(function.maker.fgraph)
    wanted = values(scale=1) * pt.erfc(np.float64(np.float32(scale)) * values()).eval()
    np.testing.assert_allclose(function(values(), values(scale=1)), wanted, rtol=2e-5)


def test_softmax_less_another_maximum_keeps_it() -> None:
    x = variable()
    y = pt.special.softmax(x - x.max(axis=2, keepdims=True), axis=0)
    function = pytensor.function([x], y, mode=everywhere())
    exact = values().astype(np.float64)
    powers = np.exp(exact - exact.max(axis=2, keepdims=True))
    np.testing.assert_allclose(function(values()), powers / powers.sum(axis=0), rtol=1e-6)
    assert "Softmax32" in ops(function.maker.fgraph)


def test_softmax_over_several_axes_is_left_alone() -> None:
    x = variable()
    function = pytensor.function([x], pt.special.softmax(x, axis=(0, 2)), mode=everywhere())
    assert "Softmax32" not in ops(function.maker.fgraph)
    np.testing.assert_allclose(function(values()).sum(axis=(0, 2)), 1, rtol=1e-6)


# ------------------------------------------------------------------ rows


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_arguments_in_any_order_and_broadcast(order: tuple[int, int, int]) -> None:
    x, bias = pt.tensor("x", dtype="float32", shape=(None, None, None)), pt.vector("bias", dtype="float32")
    y = pt.tanh(x.transpose(*order) + bias)
    function = pytensor.function([x, bias], y, mode=everywhere())
    assert "RowMajor" in ops(function.maker.fgraph)
    for given in (values(), values().transpose(1, 2, 0), values()[::-1, :, :], values()[:, ::2]):
        b = np.arange(given.transpose(order).shape[2], dtype=np.float32)
        np.testing.assert_allclose(function(given, b), np.tanh(given.transpose(order) + b), rtol=1e-6)


def test_arguments_are_not_overwritten() -> None:
    x = pt.matrix("x", dtype="float32")
    function = pytensor.function([x], pt.exp(pt.tanh(x.T)), mode=everywhere())
    given = np.asfortranarray(values()[:, :, 0])
    kept = given.copy()
    function(given)
    np.testing.assert_array_equal(given, kept)


def test_cache_keys_follow_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    x = variable()
    nodes = [Elemwise(op)(x).owner for op in elementwise._FAST.values()] + [Softmax32(0)(x).owner, RowMajor()(x).owner]
    keys = [numba_funcify_and_cache_key(node.op, node=node)[1] for node in nodes]
    assert len(set(keys)) == len(keys)
    monkeypatch.setattr(elementwise, "_DIGEST", "another")
    edited = [numba_funcify_and_cache_key(node.op, node=node)[1] for node in nodes]
    assert not set(edited) & set(keys)
    assert numba_funcify_and_cache_key(Softmax32(1), node=nodes[-2])[1] not in edited
