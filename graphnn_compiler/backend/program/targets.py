"""What the two targets call the same operation: one row an operation, one column a target.

Input: nothing. Output: the table and the targets. Everything that a printed program takes from its target stands here,
so that what one of them lacks is known before anything is printed. Not for: layers, plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

TargetName = Literal["pytensor", "theano"]


@dataclass(frozen=True)
class Row:
    """An operation: how it is called, and its name in each target; None where a target lacks it."""

    signature: str
    pytensor: str | None
    theano: str | None


OPERATIONS: Mapping[str, Row] = MappingProxyType(
    {
        # products
        "dot": Row("(.., a), (a, b) -> (.., b)", "pt.dot", "tt.dot"),
        "CSR": Row("values (E,), indices (E,), indptr (T + 1,), (T, S)", "sparse.CSR", "sparse.CSR"),
        "structured_dot": Row(
            "sparse (T, S), dense (S, n) -> (T, n), with a gradient for stored values only",
            "sparse.structured_dot",
            "sparse.structured_dot",
        ),
        # shapes
        "shape_padright": Row("(..) -> (.., 1), which broadcasts", "pt.shape_padright", "tt.shape_padright"),
        "broadcast": Row("x, axis -> x, whose axis broadcasts", "pt.specify_broadcastable", "tt.addbroadcast"),
        "concatenate": Row("[..], axis", "pt.concatenate", "tt.concatenate"),
        "stack": Row("[..], axis: of equal shapes, along a new axis", "pt.stack", "tt.stack"),
        "alloc": Row("value, *shape", "pt.alloc", "tt.alloc"),
        "arange": Row("n -> (n,) of int64", "pt.arange", "tt.arange"),
        "cast": Row("x, dtype", "pt.cast", "tt.cast"),
        # elementwise
        "switch": Row("condition, x, y", "pt.switch", "tt.switch"),
        "isnan": Row("x", "pt.isnan", "tt.isnan"),
        "minimum": Row("x, y", "pt.minimum", "tt.minimum"),
        "eq": Row("x, y", "pt.eq", "tt.eq"),
        "exp": Row("x", "pt.exp", "tt.exp"),
        "expm1": Row("x", "pt.expm1", "tt.expm1"),
        "log": Row("x", "pt.log", "tt.log"),
        "sqrt": Row("x", "pt.sqrt", "tt.sqrt"),
        "erf": Row("x", "pt.erf", "tt.erf"),
        "tanh": Row("x", "pt.tanh", "tt.tanh"),
        "sigmoid": Row("x", "pt.sigmoid", "tt.nnet.sigmoid"),
        "softplus": Row("x", "pt.softplus", "tt.nnet.softplus"),
        # outside the graph
        "shared": Row("array, name=name", "pytensor.shared", "theano.shared"),
        "grad": Row("cost, [..] -> [..]", "pytensor.grad", "theano.grad"),
        "function": Row("[..], outputs, updates=pairs", "pytensor.function", "theano.function"),
        "bernoulli": Row(
            "p, size=shape, rng=state, return_next_rng=True -> next state, draws", "pt.random.bernoulli", None
        ),
        "RandomStreams": Row("seed; .binomial(shape, p=p), .updates()", None, "RandomStreams"),
    }
)


@dataclass(frozen=True)
class Target:
    """A library that programs are printed for; `imports` are those of every program, `for_masks` those of dropout."""

    name: TargetName
    title: str
    imports: tuple[str, ...]
    for_masks: tuple[str, ...] = ()

    def operation(self, name: str) -> str | None:
        """What the target calls an operation of the table; None where it lacks it."""
        row = OPERATIONS[name]
        return row.pytensor if self.name == "pytensor" else row.theano


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "pytensor": Target(
            "pytensor", "PyTensor", ("import pytensor", "import pytensor.tensor as pt", "from pytensor import sparse")
        ),
        "theano": Target(
            "theano",
            "Theano",
            ("import theano", "import theano.tensor as tt", "from theano import sparse"),
            ("from theano.tensor.shared_randomstreams import RandomStreams",),
        ),
    }
)
