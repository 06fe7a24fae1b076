"""Ops that are one compiled loop, which runs in every linker but JAX's, for which each has a formula.

Not for: the loops, formulas of gradients.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeAlias

from pytensor.compile.mode import optdb
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from graphnn_compiler.backend.kernels.native import Loop, kernels_digest
from graphnn_compiler.backend.kernels.primitives import compiled
from graphnn_compiler.backend.memory import keep_freed_arrays

Formula: TypeAlias = tuple[str, Mapping[str, Any]]
"""The name of a function of `jax_formulas`, and the keyword arguments that it takes beside the inputs of a node."""


class WithFormula:
    """An Op that the JAX linker computes by one of `jax_formulas`."""

    @abstractmethod
    def formula(self, node: Apply) -> Formula:
        """Which one, for a node. It takes the inputs, None for `NoneConst`, and returns the output, or several."""


class CompiledOp(WithFormula, Op):  # type: ignore[misc] # PyTensor's types are not checked, see pyproject.toml
    """An Op whose outputs are what a compiled function returns for its inputs."""

    @abstractmethod
    def kernel(self, node: Apply) -> tuple[str, Any, tuple[Loop, ...]]:
        """A name that no other function has, the function of a node, and the loops that it calls.

        The function takes the inputs, arrays or None, and returns one array, or a tuple of the outputs. It is one of
        `in_both`: Python runs it, or compiled code contains it.
        """

    def index_dtype(self, node: Apply) -> str:
        """The type of the indices that the loops take."""
        return "int32"

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        _, kernel, _ = self.kernel(node)
        results = kernel(*inputs)
        for storage, value in zip(output_storage, results if len(node.outputs) > 1 else [results], strict=True):
            storage[0] = value


@register_funcify_and_cache_key(CompiledOp)  # type: ignore[untyped-decorator]
def _numba_kernel(op: CompiledOp, node: Apply, **kwargs: Any) -> tuple[Any, str]:
    keep_freed_arrays()
    name, kernel, loops = op.kernel(node)
    for loop in loops:  # a function that comes out of the cache expects to find them
        loop.prepare(node.outputs[0].type.dtype, op.index_dtype(node))
    return compiled(kernel), f"{name}:{kernels_digest()}"


class _FormulasForJax(GraphRewriter):  # type: ignore[misc]
    """It changes no graph: being asked by a mode of the JAX linker is what tells that JAX is used, and to be loaded."""

    def add_requirements(self, fgraph: Any) -> None:
        _register_formulas()

    def apply(self, fgraph: Any) -> None:
        self.add_requirements(fgraph)


optdb.register("graphnn_formulas_for_jax", _FormulasForJax(), "jax", position=0)


@cache
def _register_formulas() -> None:
    """Let the JAX linker find the formulas. ImportError where JAX is not installed."""
    try:
        from pytensor.link.jax.dispatch import jax_funcify

        from graphnn_compiler.backend import jax_formulas
    except ModuleNotFoundError as error:
        if error.name not in ("jax", "jaxlib"):
            raise
        message = "the mode JAX needs JAX, which is not installed: pip install 'graphnn-compiler[jax]'"
        raise ImportError(message) from None

    def formula(op: WithFormula, node: Apply, **kwargs: Any) -> Callable[..., Any]:
        jax_formulas.require_dtypes([one.type.dtype for one in node.outputs])
        name, settings = op.formula(node)
        return partial(getattr(jax_formulas, name), **settings)

    jax_funcify.register(WithFormula, formula)
