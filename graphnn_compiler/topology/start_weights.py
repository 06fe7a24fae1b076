"""The parameters of a clause's weights: names, shapes and start values.

Input: a checked clause, its resolved edges or sizes, an initialiser. Output: parameters with their values. Not for:
the distributions (see `weights`), the bytes that they may take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import NDArray

from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.types import ClauseModel
from graphnn_compiler.topology import weights
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.csr import Csr
from graphnn_compiler.topology.graph import is_string
from graphnn_compiler.topology.initialisers import Initialiser, Orthogonal
from graphnn_compiler.topology.plan import DType, Parameter, block_shape
from graphnn_compiler.topology.streams import GroupValue, Stream

Started = tuple[tuple[Parameter, NDArray], ...]
"""Parameters, each with its start values."""


@dataclass(frozen=True, eq=False)
class Grouping:
    """The sharing group of every edge, int32 (E,), and the value of each group, in rising order."""

    groups: NDArray
    values: NDArray


def weight_names(stem: str, bases: int | None) -> tuple[str, ...]:
    """The names of the parameters of the clause `layer.label`."""
    return (f"{stem}.weights",) if bases is None else (f"{stem}.bases", f"{stem}.coefficients")


@dataclass(frozen=True, eq=False)
class StartWeights:
    """Makes the parameters of one clause; `stem` is its `layer.label`, `channels` are (C_in, C_out)."""

    stem: str
    clause: ClauseModel
    channels: tuple[int, int]
    seed: int
    dtype: DType

    @property
    def single(self) -> tuple[int, ...]:
        """The shape of a block that stands alone."""
        c_in, c_out = self.channels
        return {"full": (c_in, c_out), "diagonal": (c_in,), "scalar": ()}[self.clause.weights.mix]

    @property
    def stored(self) -> tuple[int, ...]:
        """The shape of a block among others."""
        return block_shape(self.clause.weights.mix, *self.channels)

    @property
    def _fan_channels(self) -> tuple[int, int]:
        """Along a diagonal each channel hears only itself."""
        return self.channels if self.clause.weights.mix == "full" else (1, 1)

    def shared(self, init: Initialiser) -> Started:
        """One block for all edges."""
        self._check(init)
        fans = weights.fan("shared", (0, 0), *self._fan_channels)
        with located(self.clause.init_span):
            values = weights.init_shared(init, self._stream(), fans, block=self.single, dtype=self.dtype)
        return self._started(values)

    def dense(self, init: Initialiser, n_sources: int, target_keys: NDArray) -> Started:
        """The matrix of `all` with a weight of each pair."""
        self._check(init)
        stream, dtype = self._stream(), self.dtype
        with located(self.clause.init_span):
            if self.clause.weights.mix == "diagonal":
                c = self.channels[0]
                return self._started(weights.init_dense_diagonal(init, stream, n_sources, target_keys, c, dtype=dtype))
            return self._started(
                weights.init_dense(init, stream, n_sources, target_keys, *self._fan_channels, dtype=dtype)
            )

    def per_edge(self, init: Initialiser, csr: Csr, target_keys: NDArray) -> Started:
        """One block an edge."""
        self._check(init)
        fans = weights.fan("per_edge", csr, *self._fan_channels)
        with located(self.clause.init_span):
            values = weights.init_edges(
                init, self._stream(), csr, target_keys, fans, block=self.stored, dtype=self.dtype
            )
        return self._started(values)

    def per_group(self, init: Initialiser, csr: Csr, grouping: Grouping) -> Started:
        """One block a group, or the bases that the blocks are made of."""
        self._check(init)
        normed = self.clause.norm.kind != "none"
        fans = weights.fan("per", csr, *self._fan_channels, groups=grouping.groups, normed=normed)
        keys = _group_keys(grouping.values)
        bases, single, dtype = self.clause.weights.bases, self.single, self.dtype
        with located(self.clause.init_span):
            if bases is None:
                values = weights.init_groups(init, self._stream(), keys, fans, block=single, dtype=dtype)
                return self._started(values.reshape(len(keys), *self.stored))
            streams = self._stream(), self._stream(1)
            made, mixed = weights.init_bases(init, streams, bases, keys, fans, block=single, dtype=dtype)
        return self._started(made.reshape(bases, *self.stored), mixed)

    def _check(self, init: Initialiser) -> None:
        spec, span = self.clause.weights, self.clause.init_span
        if not isinstance(init, Orthogonal):
            return
        if spec.mix != "full":
            message = f"weights with `mix = {spec.mix}` have no orthogonal start value"
            reject("E424", message, span, help="use `mix = full`, or another start value")

    def _stream(self, number: int = 0) -> Stream:
        return Stream(self.seed, "init", weight_names(self.stem, self.clause.weights.bases)[number])

    def _started(self, *values: NDArray) -> Started:
        names = weight_names(self.stem, self.clause.weights.bases)
        return tuple(
            (Parameter(name, array.shape, self.clause.trainable), array)
            for name, array in zip(names, values, strict=True)
        )


def _group_keys(values: NDArray) -> Sequence[GroupValue]:
    return [str(value) for value in values] if is_string(values) else values.tolist()
