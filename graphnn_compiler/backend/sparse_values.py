"""Values of which only the numbers that are not 0 are held and computed with: data that is mostly zeros.

Input: the default data of an input, and expressions that keep zeros. Output: `SparseValue`, whose product with a shared
block takes its nonzeros times the columns of the block. Not for: values of batched inputs, gradients by the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray

from graphnn_compiler.backend.activations import Drops, activate, constant
from graphnn_compiler.backend.csr_dot import edge_dot
from graphnn_compiler.backend.expressions import OPERATORS
from graphnn_compiler.backend.layout import Tensor
from graphnn_compiler.backend.structure import EdgeStructure
from graphnn_compiler.topology.csr import Csr, csr_from_pairs
from graphnn_compiler.topology.plan import (
    Activation,
    Apply,
    Arithmetic,
    Constant,
    Dropout,
    Input,
    Ref,
    RowNormalize,
    TensorExpr,
)

SPARSE_UP_TO = 1 / 8
"""The share of numbers that are not 0 up to which data is sparse.

There a product with a block of 4 to 256 columns and its gradient take less time than BLAS takes for the dense ones, and
structure and numbers less memory than the dense data; at a quarter neither holds everywhere.
"""

KEEP_ZEROS = frozenset({"linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softsign", "tanh"})
"""The activations that are 0 at 0, each number by itself."""

_NUMBERS_AT_ONCE = 2**22


@dataclass(frozen=True, eq=False)
class SparseValue:
    """A value (U, 1, C) that is 0 but at the edges of `structure`, whose destinations are units and sources channels.

    `values` (E,) is an array while it depends on nothing but the data, and a variable from the first dropout on.
    """

    structure: EdgeStructure
    values: Any

    @cached_property
    def variable(self) -> Tensor:
        if not isinstance(self.values, np.ndarray):
            return self.values
        return pytensor.shared(self.values, name="nonzeros", borrow=True, shape=self.values.shape)

    def project(self, block: Tensor) -> Tensor:
        """The product of every unit's channels with a block: (C, C_out) -> (U, 1, C_out)."""
        rows = edge_dot(self.variable, block.dimshuffle(0, 1, "x"), self.structure)
        return rows.dimshuffle(0, 2, 1)

    def dense(self) -> Tensor:
        """The same as a variable (U, 1, C), made when something asks for it."""
        n_units, channels = self.structure.csr.shape
        indices = self.structure.arrays(self.variable.dtype)[1]
        places = pt.repeat(pt.arange(n_units) * channels, self._numbers_of_units) + indices
        flat = pt.zeros((n_units * channels,), dtype=self.variable.dtype)
        return pt.set_subtensor(flat[places], self.variable).reshape((n_units, 1, channels))

    def scaled(self, operator: str, number: float) -> SparseValue:
        """Multiplied with a number, or divided by it."""
        return self._of(OPERATORS[operator](self.values, np.asarray(number, self.values.dtype)))

    def activated(self, function: Activation) -> SparseValue:
        """A function of `KEEP_ZEROS` of each number."""
        return self if function.name == "linear" else self._of(activate(function, self.variable))

    def row_normalized(self) -> SparseValue:
        """Each unit's numbers divided by their sum; a zero sum gives 0."""
        csr, values = self.structure.csr, self.values
        if isinstance(values, np.ndarray):
            sums = np.bincount(csr.rows, values, csr.shape[0]).astype(values.dtype)
            sums[sums == 0] = np.inf  # by which everything is 0
            return self._of(values / sums[csr.rows])
        ones = pt.ones((csr.shape[1], 1, 1), dtype=values.dtype)
        sums = edge_dot(values, ones, self.structure).reshape((csr.shape[0],))
        divisors = pt.switch(pt.eq(sums, constant(0, sums)), constant(np.inf, sums), sums)
        return self._of(values / pt.repeat(divisors, self._numbers_of_units))

    def dropped(self, drops: Drops, rate: float) -> SparseValue:
        """With a dropout of the numbers that are there: of the others there is nothing to drop."""
        return self._of(drops(self.variable, rate)) if drops.draws(rate) else self

    @property
    def _numbers_of_units(self) -> Tensor:
        """How many of the numbers each unit has, (U,)."""
        indptr = self.structure.arrays(self.variable.dtype)[0]
        return indptr[1:] - indptr[:-1]

    def _of(self, values: Any) -> SparseValue:
        return SparseValue(self.structure, values)


# ------------------------------------------------------------------ which values are sparse


def sparse_default(node: Input, dtype: str) -> SparseValue | None:
    """The default data of an input as layers read it, filled and scaled; None unless it is sparse.

    Sparse is data without a batch axis, with several channels, at most the share `SPARSE_UP_TO` of which is not 0. NaN
    is not 0. Scaling by mean and deviation keeps no zeros.
    """
    default, scaling = node.default, node.scaling
    if default is None or not default.size or default.shape != node.units.shape or node.units.channels == 1:
        return None
    if scaling is not None and scaling.mean is not None:
        return None
    csr = _nonzeros(default)
    if csr is None:
        return None
    numbers = default[csr.rows, csr.indices].astype(dtype)
    if node.fill is not None:
        numbers = np.where(np.isnan(numbers), node.fill[csr.rows, csr.indices].astype(dtype), numbers)
    value = SparseValue(EdgeStructure(csr, None, None, csr.n_edges), numbers)
    return value if scaling is None else value.row_normalized()


def _nonzeros(array: NDArray) -> Csr | None:
    """Where a matrix is not 0; None, soon, for one that is not sparse. Nothing as large as the matrix is made."""
    n_rows, n_columns = array.shape
    limit, found = array.size * SPARSE_UP_TO, 0
    rows, columns = [], []
    at_once = max(1, _NUMBERS_AT_ONCE // n_columns)
    for start in range(0, n_rows, at_once):
        there = array[start : start + at_once] != 0
        found += int(np.count_nonzero(there))
        if found > limit:
            return None
        row, column = np.nonzero(there)
        rows.append((row + start).astype(np.int32))
        columns.append(column.astype(np.int32))
    return csr_from_pairs(np.concatenate(rows), np.concatenate(columns), array.shape)


def sparse_expression(expr: TensorExpr, values: Mapping[str, SparseValue], drops: Drops) -> SparseValue | None:
    """The value of an expression of the one sparse value it names; None where zeros would not stay zeros."""

    def inner(operand: TensorExpr) -> SparseValue | None:
        return sparse_expression(operand, values, drops)

    match expr:
        case Ref(layer=name):
            return values.get(name)
        case Apply(function=function, operand=operand) if function.name in KEEP_ZEROS:
            return (x := inner(operand)) and x.activated(function)
        case Arithmetic(operator="*" | "/" as operator, left=operand, right=Constant(value=number)) if _is_tame(number):
            return (x := inner(operand)) and x.scaled(operator, number)
        case Arithmetic(operator="*", left=Constant(value=number), right=operand) if _is_tame(number):
            return (x := inner(operand)) and x.scaled("*", number)
        case Dropout(operand=operand, rate=rate):
            return (x := inner(operand)) and x.dropped(drops, rate)
        case RowNormalize(operand=operand):
            return (x := inner(operand)) and x.row_normalized()
        case _:
            return None


def _is_tame(number: float) -> bool:
    """Whether 0 times a number, and 0 divided by it, is 0 in float32 too."""
    return 1e-30 < abs(number) < 1e30
