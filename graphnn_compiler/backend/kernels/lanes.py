"""Vectors of numbers as a type of numba's: what a compiled loop holds in registers.

`load(array, offset, n)` takes n neighbouring numbers out of a one-dimensional contiguous array, n being a literal; the
other functions compute with what it returns. A vector may be wider than a register of the machine: LLVM then holds it
in several. Nothing here tests a bound. Not for: loops, memory.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic, models, register_model

LINE_BYTES = 64
"""Of a cache line."""

_REORDERED = ("reassoc", "nsz")
"""A horizontal sum may take any order; the compiler settles it once."""


class Lanes(types.Type):  # type: ignore[misc] # numba ships no types
    """n numbers of one scalar type, in the vector registers of the machine."""

    def __init__(self, scalar: types.Float, n: int) -> None:
        self.scalar, self.n = scalar, n
        super().__init__(name=f"Lanes({scalar}, {n})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        scalar = dmm.lookup(fe_type.scalar).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(scalar, fe_type.n))


def _place(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, lanes: Lanes) -> Any:
    """The address of `array[offset]` as that of a vector."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), context.get_value_type(lanes).as_pointer())


def _item_size(context: Any, scalar: types.Float) -> int:
    return int(context.get_abi_sizeof(context.get_value_type(scalar)))


def _read(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, lanes: Lanes) -> Any:
    place = _place(context, builder, array_type, array, offset, lanes)
    return builder.load(place, align=_item_size(context, lanes.scalar))


def _write(context: Any, builder: Any, place: Any, vector: Any, lanes: Lanes) -> None:
    builder.store(vector, place, align=_item_size(context, lanes.scalar))


def _write_past_cache(context: Any, builder: Any, place: Any, vector: Any, lanes: Lanes) -> None:
    instruction = builder.store(vector, place, align=LINE_BYTES)
    instruction.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))


@intrinsic  # type: ignore[untyped-decorator]
def counted_from(typing_context: Any, array: Any, first: Any) -> Any:
    """The same numbers under the positions from `first` on: what a loop would else subtract at every step."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        shifted = context.make_array(array)(context, builder, arguments[0])
        shifted.data = builder.gep(shifted.data, [builder.neg(arguments[1])])
        return impl_ret_borrowed(context, builder, array, shifted._getvalue())

    return array(array, first), generate


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def load(typing_context: Any, array: Any, offset: Any, n: Any) -> Any:
    """array[offset : offset + n]; n is a literal, the array contiguous."""
    if not isinstance(n, types.IntegerLiteral):
        return None
    lanes = Lanes(array.dtype, n.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _read(context, builder, array, arguments[0], arguments[1], lanes)

    return lanes(array, offset, n), generate


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def fetch_ahead(typing_context: Any, array: Any, offset: Any, n: Any) -> Any:
    """Have array[offset : offset + n] on its way to the second cache; n is a literal. A hint: nothing waits for it.

    Not to the first: fewer lines can be on their way there at a time.
    """
    if not isinstance(n, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0]).data
        bytes_of_it = n.literal_value * _item_size(context, array.dtype)
        start = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
        flag = ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [start.type, flag, flag, flag])
        function = builder.module.declare_intrinsic("llvm.prefetch", [start.type], function_type)
        for line in range(0, bytes_of_it, LINE_BYTES):
            place = builder.gep(start, [context.get_constant(types.intp, line)])
            builder.call(function, [place, flag(0), flag(2), flag(1)])  # to read, for the second cache, data
        return context.get_dummy_value()

    return types.none(array, offset, n), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(typing_context: Any, array: Any, offset: Any, vector: Any) -> Any:
    """array[offset : offset + n] = vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, array, arguments[0], arguments[1], vector)
        _write(context, builder, place, arguments[2], vector)
        return context.get_dummy_value()

    return types.none(array, offset, vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def store_past_cache(typing_context: Any, array: Any, offset: Any, vector: Any) -> Any:
    """The same as `store`, without reading what stood there and without a place in any cache.

    The vector fills whole cache lines; `wait_for_stores` has to follow before another thread reads them.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, array, arguments[0], arguments[1], vector)
        _write_past_cache(context, builder, place, arguments[2], vector)
        return context.get_dummy_value()

    return types.none(array, offset, vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def wait_for_stores(typing_context: Any) -> Any:
    """Have stores past the caches done before anything that follows: no lock of another thread orders them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.none(), generate


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """n vectors of n numbers, n a power of 2, as the n columns of the square that they are.

    In log2 n steps, each of which exchanges the halves of blocks twice as large as the step before: J. O. Eklundh, "A
    fast computer method for matrix transposing", IEEE Transactions on Computers 21 (1972), 801-803.
    """
    n, step = len(rows), 1
    pattern_type = ir.VectorType(ir.IntType(32), n)
    while step < n:
        upper = pattern_type([n + lane - step if lane & step else lane for lane in range(n)])
        lower = pattern_type([n + lane if lane & step else lane + step for lane in range(n)])
        for row in range(n):
            if not row & step:
                pair = rows[row], rows[row + step]
                rows[row] = builder.shuffle_vector(*pair, upper)
                rows[row + step] = builder.shuffle_vector(*pair, lower)
        step *= 2
    return rows


def _turning(write: Any) -> Any:
    @intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
    def turn(
        typing_context: Any, turned: Any, to: Any, to_step: Any, array: Any, start: Any, step: Any, n: Any
    ) -> Any:  # fmt: skip
        if not isinstance(n, types.IntegerLiteral):
            return None
        lanes = Lanes(array.dtype, n.literal_value)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            into, first_to, step_to, out_of, first, step_of, _ = arguments

            def offset(begin: Any, step: Any, number: int) -> Any:
                return builder.add(begin, builder.mul(step, step.type(number)))

            rows = [
                _read(context, builder, array, out_of, offset(first, step_of, row), lanes) for row in range(lanes.n)
            ]
            for number, column in enumerate(_transposed(builder, rows)):
                place = _place(context, builder, turned, into, offset(first_to, step_to, number), lanes)
                write(context, builder, place, column, lanes)
            return context.get_dummy_value()

        return types.none(turned, to, to_step, array, start, step, n), generate

    return turn


turn_square = _turning(_write)
"""turn_square(turned, to, to_step, array, start, step, n): turned[to + j to_step + i] = array[start + i step + j].

For all i and j below n, a literal and a power of 2; the squares do not overlap.
"""

turn_square_past_cache = _turning(_write_past_cache)
"""The same with stores as those of `store_past_cache`."""


@intrinsic  # type: ignore[untyped-decorator]
def successor(typing_context: Any, number: Any) -> Any:
    """number + 1, which the compiler cannot foresee: it leaves a loop that counts by it as it stands.

    Unrolled, a loop over the handful of edges of a row takes longer, for its remainders and the jumps among them.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = arguments[0].type
        same = ir.FunctionType(word, [word])
        return builder.asm(same, "", "=r,0", [builder.add(arguments[0], word(1))], side_effect=True)

    return number(number), generate


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def splat(typing_context: Any, value: Any, n: Any) -> Any:
    """A vector of n times the same number; n is a literal."""
    if not isinstance(n, types.IntegerLiteral):
        return None
    lanes = Lanes(value, n.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector_type = context.get_value_type(lanes)
        first = builder.insert_element(ir.Constant(vector_type, ir.Undefined), arguments[0], ir.IntType(32)(0))
        pattern = ir.Constant(ir.VectorType(ir.IntType(32), lanes.n), None)
        return builder.shuffle_vector(first, ir.Constant(vector_type, ir.Undefined), pattern)

    return lanes(value, n), generate


@intrinsic  # type: ignore[untyped-decorator]
def multiply_add(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c of three vectors, in one rounding where the machine has an instruction for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector_type = context.get_value_type(c)
        name = f"llvm.fmuladd.v{c.n}f{c.scalar.bitwidth}"
        function_type = ir.FunctionType(vector_type, [vector_type] * 3)
        function = cgutils.get_or_insert_function(builder.module, function_type, name)
        return builder.call(function, arguments)

    return c(a, b, c), generate


@intrinsic  # type: ignore[untyped-decorator]
def total(typing_context: Any, vector: Any) -> Any:
    """The sum of a vector's numbers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = context.get_value_type(vector.scalar)
        name = f"llvm.vector.reduce.fadd.v{vector.n}f{vector.scalar.bitwidth}"
        function_type = ir.FunctionType(scalar, [scalar, context.get_value_type(vector)])
        function = cgutils.get_or_insert_function(builder.module, function_type, name)
        return builder.call(function, [scalar(0.0), arguments[0]], fastmath=_REORDERED)

    return vector.scalar(vector), generate
