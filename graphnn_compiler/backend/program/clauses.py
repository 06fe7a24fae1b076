"""Clauses as expressions: `from x via R` in the forms that sparse and dense products of both targets have.

Input: a clause and the value of its source. Output: its sum over edges, in the axes of its layer. Three forms: a matrix
of numbers over units; a matrix of blocks over units and channels; and, where few groups share blocks, sums by group
followed by one dense product, as a convolution is a product of patches. Not for: layers, the arrays' contents.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import assert_never

from numpy.typing import NDArray

from graphnn_compiler.backend.program import matrices
from graphnn_compiler.backend.program.block import Arrays, Block
from graphnn_compiler.backend.program.code import Code, atom, call, infix, tuple_of
from graphnn_compiler.backend.program.matrices import Matrix
from graphnn_compiler.backend.program.printer import Printer
from graphnn_compiler.backend.program.values import Value, as_in, flat, unflat, with_channels
from graphnn_compiler.topology.plan import Clause, DenseClause, EdgePart, SparseClause, Units, block_shape

MOST_SUMS = 4
"""Sums by group, one for each target and group, are made where there are at most so many for each edge."""


@dataclass(frozen=True)
class _Place:
    """A clause, or one part of it: what its arrays and its variables are named after."""

    layer: str
    label: str
    suffix: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join([self.layer, self.label, *self.suffix])

    @property
    def hint(self) -> str:
        return "_".join([self.label, "to", self.layer, *self.suffix])

    def below(self, name: str) -> _Place:
        return replace(self, suffix=(*self.suffix, name))

    def parts(self, clause: SparseClause) -> list[tuple[_Place, EdgePart]]:
        several = len(clause.parts) > 1
        return [(self.below(str(number)) if several else self, part) for number, part in enumerate(clause.parts)]


class Clauses:
    """Prints the clauses of the layers of one program; `block` is the body of its forward function."""

    def __init__(self, printer: Printer, arrays: Arrays, block: Block) -> None:
        self._printer = printer
        self._arrays = arrays
        self._block = block
        self._constant: dict[tuple[str, ...], Code] = {}

    def clause(self, layer: str, clause: Clause, x: Value, units: Units) -> Value:
        """The clause's sum in the axes of `units`; n_units is 1 where it is the same for all of them."""
        if isinstance(clause, DenseClause):
            y = self._dense(clause, x, units)
            y = y if clause.coefficient == 1 else self._times(self._printer.number(clause.coefficient), y)
        else:
            y = self._sparse(_Place(layer, clause.label), clause, x, units)
        return as_in(self._printer, y, units.channel_axis)

    # -------------------------------------------------------------- sparse

    def _sparse(self, place: _Place, clause: SparseClause, x: Value, units: Units) -> Value:
        weights = clause.weights
        match weights.mode:
            case "fixed":
                return self._times(self._printer.number(weights.value), self._sums(place, clause, x))
            case "shared" if weights.mix == "full":
                if units.channels < x.channels:  # the narrower side of the product is the cheaper to add up
                    return self._sums(place, clause, self._project(clause, x, units.channels))
                return self._project(clause, self._sums(place, clause, x), units.channels)
            case "shared":
                return self._by_channel(clause, self._sums(place, clause, x))
            case "per" | "per_edge":
                if weights.mix == "scalar" or x.channels == units.channels == 1:
                    return self._added([self._numbers(one, clause, part, x) for one, part in place.parts(clause)])
                if weights.mix == "full" and self._few_groups(clause, len(units)):
                    return self._by_group(place, clause, x, units)
                return self._added([self._blocks(one, clause, part, x, units) for one, part in place.parts(clause)])
            case _:
                assert_never(weights.mode)

    def _few_groups(self, clause: SparseClause, n_targets: int) -> bool:
        return clause.weights.mode == "per" and n_targets * self._n_groups(clause) <= MOST_SUMS * clause.n_edges

    def _n_groups(self, clause: SparseClause) -> int:
        assert clause.weights.parameter is not None
        return self._printer.plan.parameter[clause.weights.coefficients or clause.weights.parameter].shape[0]

    def _sums(self, place: _Place, clause: SparseClause, x: Value) -> Value:
        """Along the edges with their coefficients: in the axes of x, for the units of the layer."""
        matrix = matrices.of_sums(clause.parts)
        if matrix.is_identity and matrix.scale is None:
            return x
        return self._along(self._constant_matrix(place, matrix), matrix.shape[0], x)

    def _numbers(self, place: _Place, clause: SparseClause, part: EdgePart, x: Value) -> Value:
        matrix = matrices.of_numbers(part, self._n_groups(clause))
        values = self._entries(place, matrix, self._blocks_of(clause, ()))
        if matrix.is_identity:
            return x.of(infix(x.code, "*", self._printer.op("shape_padright", values) if x.channel_axis else values))
        return self._along(self._csr(place, matrix, values), matrix.shape[0], x)

    def _blocks(self, place: _Place, clause: SparseClause, part: EdgePart, x: Value, units: Units) -> Value:
        c_in, c_out = x.channels, units.channels
        diagonal = clause.weights.mix == "diagonal"
        block = block_shape(clause.weights.mix, c_in, c_out)
        n_weights = self._n_groups(clause) * prod(block)
        if diagonal:
            matrix = matrices.of_diagonals(part, n_weights, c_in)
        else:
            matrix = matrices.of_blocks(part, n_weights, c_in, c_out)
        edges = self._csr(place, matrix, self._entries(place, matrix, self._blocks_of(clause, block).method("flatten")))
        rows = Value(flat(x), x.batched, False, x.n_units * c_in, 1)
        y = self._along(edges, matrix.shape[0], rows)
        return Value(unflat(y.code, x, units), x.batched, units.channel_axis, len(units), c_out)

    def _by_group(self, place: _Place, clause: SparseClause, x: Value, units: Units) -> Value:
        n_groups, c_in, c_out = self._n_groups(clause), x.channels, units.channels
        matrix = matrices.of_sums_by_group(clause.parts, n_groups)
        edges = self._constant_matrix(place.below("by_group"), matrix)
        y = self._along(edges, matrix.shape[0], x)
        sizes = [*([f"{x.code}.shape[0]"] * x.batched), len(units), n_groups * c_in]
        sums = self._block.named(f"{place.hint}_sums", y.code.method("reshape", tuple_of(sizes)))
        block = self._blocks_of(clause, block_shape("full", c_in, c_out)).method(
            "reshape", tuple_of([n_groups * c_in, c_out])
        )
        if clause.weights.coefficients is not None:
            block = self._block.named(f"{place.hint}_weights", block)
        return Value(self._printer.op("dot", sums, block), x.batched, True, len(units), c_out)

    def _along(self, edges: Code, n_targets: int, x: Value) -> Value:
        """`edges` times every sample and channel of x."""
        if x.batched and x.channel_axis:
            code = self._printer.function("edge_sums", edges, x.code)
        elif x.batched:
            code = self._printer.op("structured_dot", edges, x.code.attribute("T")).attribute("T")
        elif x.channel_axis:
            code = self._printer.op("structured_dot", edges, x.code)
        else:
            column = self._printer.op("shape_padright", x.code)
            code = self._printer.op("structured_dot", edges, column).item(":, 0")
        return Value(code, x.batched, x.channel_axis, n_targets, x.channels)

    # -------------------------------------------------------------- matrices

    def _constant_matrix(self, place: _Place, matrix: Matrix) -> Code:
        """A matrix without weights, the same variable for all clauses that have it."""
        if matrix.scale is None:
            values = call("np.ones", str(matrix.n_entries), f'"{self._printer.plan.dtype}"')
        else:
            values = self._stored(f"{place}.scale", matrix.scale.astype(self._printer.plan.dtype))
        parts = self._csr_parts(place, matrix, values)
        known = tuple(map(str, parts))
        if known not in self._constant:
            self._constant[known] = self._block.named(place.hint, self._printer.op("CSR", *parts))
        return self._constant[known]

    def _csr(self, place: _Place, matrix: Matrix, values: Code) -> Code:
        return self._block.named(place.hint, self._printer.op("CSR", *self._csr_parts(place, matrix, values)))

    def _csr_parts(self, place: _Place, matrix: Matrix, values: Code) -> list[Code]:
        indices = self._stored(f"{place}.indices", matrix.indices)
        return [values, indices, self._stored(f"{place}.indptr", matrix.indptr), atom(tuple_of(matrix.shape))]

    def _entries(self, place: _Place, matrix: Matrix, weights: Code) -> Code:
        """The values of a matrix: the weight of each entry times its coefficient."""
        values = weights
        if matrix.entries is not None:
            values = weights.item(str(self._stored(f"{place}.entries", matrix.entries)))
        if matrix.scale is None:
            return values
        return infix(self._stored(f"{place}.scale", matrix.scale.astype(self._printer.plan.dtype)), "*", values)

    def _stored(self, name: str, array: NDArray) -> Code:
        return self._printer.array(self._arrays.add(name, array))

    # -------------------------------------------------------------- weights

    def _weights(self, clause: Clause) -> Code:
        assert clause.weights.parameter is not None
        return self._printer.array(clause.weights.parameter)

    def _blocks_of(self, clause: SparseClause, block: tuple[int, ...]) -> Code:
        """All numbers of the clause's groups; their shape is (G, *block), or (G, prod(block)) where bases make them."""
        weights = self._weights(clause)
        if clause.weights.coefficients is None:
            return weights
        n_bases = self._printer.plan.parameter[clause.weights.parameter or ""].shape[0]
        bases = weights.method("reshape", tuple_of([n_bases, prod(block)])) if len(block) > 1 else weights
        return self._printer.op("dot", self._printer.array(clause.weights.coefficients), bases)

    def _project(self, clause: Clause, x: Value, c_out: int) -> Value:
        """x @ W for every unit: (.., C_in) and (C_in, C_out) -> (.., C_out)."""
        weights = self._weights(clause)
        if x.channel_axis:
            return Value(self._printer.op("dot", x.code, weights), x.batched, True, x.n_units, c_out)
        if c_out == 1:
            return x.of(infix(x.code, "*", weights.item("0, 0")))
        wide = with_channels(self._printer, x)
        return Value(infix(wide.code, "*", weights.item("0")), x.batched, True, x.n_units, c_out)

    # -------------------------------------------------------------- dense

    def _dense(self, clause: DenseClause, x: Value, units: Units) -> Value:
        weights = clause.weights
        match weights.mode:
            case "per_edge" if weights.mix == "full":
                y = self._printer.op("dot", flat(x), self._weights(clause))
                return Value(unflat(y, x, units), x.batched, units.channel_axis, len(units), units.channels)
            case "per_edge":
                return self._dense_by_channel(clause, x, len(units))
            case "fixed":
                return self._times(self._printer.number(weights.value), self._total(x))
            case "shared" if weights.mix == "full":
                return self._project(clause, self._total(x), units.channels)
            case "shared":
                return self._by_channel(clause, self._total(x))
            case "per":
                raise ValueError(f"the dense clause `{clause.label}` has no edges to group its weights by")
            case _:
                assert_never(weights.mode)

    def _dense_by_channel(self, clause: DenseClause, x: Value, n_targets: int) -> Value:
        """(S, T) for multiples of the identity, (C, S, T) for diagonals: a product for each channel."""
        weights = self._weights(clause)
        if clause.weights.mix == "diagonal":
            weights = weights.item("c" if x.channel_axis else "0")
        if not x.channel_axis:
            return Value(self._printer.op("dot", x.code, weights), x.batched, False, n_targets, 1)
        channel = x.code.item(":, :, c" if x.batched else ":, c")
        products = f"[{self._printer.op('dot', channel, weights)} for c in range({x.channels})]"
        return Value(self._printer.op("stack", products, "axis=-1"), x.batched, True, n_targets, x.channels)

    def _total(self, x: Value) -> Value:
        """The sum over all units, which broadcasts along them."""
        code = x.code.method("sum", f"axis={x.units_axis}", "keepdims=True")
        return Value(code, x.batched, x.channel_axis, 1, x.channels)

    # -------------------------------------------------------------- sums and factors

    def _times(self, factor: Code, x: Value) -> Value:
        return x if str(factor) == "1" else x.of(infix(factor, "*", x.code))

    def _by_channel(self, clause: Clause, x: Value) -> Value:
        """A factor for all channels, of shape (), or one for each, (C,)."""
        weights = self._weights(clause)
        if clause.weights.mix == "diagonal" and not x.channel_axis:
            weights = weights.item("0")
        return x.of(infix(x.code, "*", weights))

    def _added(self, terms: list[Value]) -> Value:
        total = terms[0]
        for term in terms[1:]:
            total = total.of(infix(total.code, "+", term.code))
        return total
