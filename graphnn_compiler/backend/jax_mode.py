"""How a network is compiled where JAX is asked for: PyTensor's mode of JAX, between NumPy's arrays and generators.

PyTensor's own linker leaves arrays of JAX in shared variables, and draws from copies of their random generators. Here
both stay what a network, its training and its files take them for: a call moves a generator on by one draw of NumPy,
which is the key from which JAX draws. Not for: the formulas (`jax_formulas`), when they are loaded (`compiled_ops`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import Mode, optdb
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from pytensor.link.jax.linker import JAXLinker
from pytensor.tensor.elemwise import CAReduce
from pytensor.tensor.shape import Reshape

RandomState: TypeAlias = dict[str, Any]
"""What JAX gets of a generator: its key, under the name by which PyTensor's formulas know it, and whose it is."""

KEY, POSITION = "jax_state", "position"


class _BetweenNumPy(JAXLinker):  # type: ignore[misc] # PyTensor's types are not checked, see pyproject.toml
    """PyTensor's linker, but that a function takes NumPy's generators and leaves NumPy's arrays and generators.

    Scalar arguments are traced: they cannot be sizes of arrays, as they can in PyTensor's.
    """

    def fgraph_convert(self, fgraph: Any, input_storage: Any, storage_map: Any, **options: Any) -> Any:
        from pytensor.link.jax.dispatch import jax_funcify  # it loads JAX

        return jax_funcify(fgraph, input_storage=input_storage, storage_map=storage_map, **options)

    def create_thunk_inputs(self, storage_map: dict[Variable, list[Any]]) -> list[list[Any]]:
        return [storage_map[variable] for variable in self.fgraph.inputs]

    def jit_compile(self, fn: Callable[..., Sequence[Any]]) -> Callable[..., list[Any]]:
        compiled = super().jit_compile(fn)

        def call(*arguments: Any) -> list[Any]:
            moved, given = {}, list(arguments)
            for position, argument in enumerate(arguments):
                if isinstance(argument, np.random.Generator):
                    moved[position] = copy.deepcopy(argument)
                    given[position] = _key(moved[position], position)
            return [moved[int(one[POSITION])] if isinstance(one, dict) else np.array(one) for one in compiled(*given)]

        return call


def _key(generator: np.random.Generator, position: int) -> RandomState:
    """A key of JAX for a generator, which moves on."""
    word = int(generator.bit_generator.random_raw())
    return {KEY: np.array([word >> 32, word & 0xFFFFFFFF], np.uint32), POSITION: np.int32(position)}


@node_rewriter([CAReduce])  # type: ignore[untyped-decorator]
def _sums_have_their_dtype(fgraph: Any, node: Apply) -> list[Variable] | None:
    """A sum over float32 is kept in float64 and is float32: JAX's is left in float64, and all that comes after it."""
    op, (result,) = node.op, node.outputs
    if getattr(op, "acc_dtype", None) in (None, result.type.dtype):
        return None
    kept = op.clone(dtype=op.acc_dtype)(*node.inputs)
    return [kept.astype(result.type.dtype)]


@node_rewriter([Reshape])  # type: ignore[untyped-decorator]
def _shape_of_constants(fgraph: Any, node: Apply) -> list[Variable] | None:
    """The one size that is not known is -1: JAX takes shapes of constants only, and traces what computes a size."""
    x, shape = node.inputs
    sizes = [-1 if size is None else size for size in node.outputs[0].type.shape]
    if isinstance(shape, Constant) or sizes.count(-1) > 1 or 0 in sizes:
        return None
    reshaped: Variable = node.op(x, pt.constant(np.array(sizes, np.int64)))
    return [reshaped]


# beside the rewrites that PyTensor has for JAX, at 100
optdb.register("graphnn_shape_of_constants", dfs_rewriter(_shape_of_constants), "jax", position=99)
optdb.register("graphnn_sums_have_their_dtype", dfs_rewriter(_sums_have_their_dtype), "jax", position=101)


@cache
def jax_mode() -> Mode:
    """The mode in which `mode="JAX"` compiles a network."""
    mode = Mode(_BetweenNumPy(), RewriteDatabaseQuery(include=["fast_run", "jax"]))
    # JAX leaves them out anyway, with a warning for each; lengths of batches and sizes are checked before a call
    return mode.including("local_remove_all_assert")
