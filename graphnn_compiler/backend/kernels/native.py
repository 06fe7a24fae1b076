"""Loops as machine code of their own, called by name: compiled once per machine, not into every network.

A loop does one piece of some work; it takes the number of the piece, one-dimensional contiguous arrays, and sizes, and
returns nothing. For each pair of types it is compiled behind a C entry `void entry(intp *table, intp piece)`, where the
table holds the address and length of every argument; the entry is cached on disk, and its address is made
known to LLVM under a name. `Loop.call(arguments, n_pieces, n_products)` fills a table and hands it to a dispatcher,
which runs the pieces on one thread or on all; compiled code and Python may call it alike. So the code of a network
holds a call and not the loop, and threads are in one place. Not for: the loops themselves.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from functools import cache, cached_property, partial
from hashlib import sha256
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import cfunc, njit, prange, set_num_threads, typeof
from numba.core import cgutils, types
from numba.core.caching import FunctionCache
from numba.extending import intrinsic, overload
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype
from numba.np.ufunc.parallel import _launch_threads
from pytensor.configdefaults import config
from pytensor.link.numba.cache import compile_numba_function_src

from graphnn_compiler.backend import float32
from graphnn_compiler.backend.kernels.primitives import compiled_parallel, pays_in_parallel


class Loop:
    """A loop of this name; `make(dtype)` is it for numbers of float32 or float64.

    `arguments` has a letter for each argument after the piece: f and i for arrays of the loop's two types, numbers and
    indices, b for arrays of int64, n for a size. An array that is left out (None) arrives with length 0.
    """

    def __init__(self, name: str, arguments: str, make: Callable[[str], Any]) -> None:
        self.name = name
        self.arguments = arguments
        self._make = cache(make)
        self._entries: dict[str, Any] = {}
        self._ready: set[tuple[Any, ...]] = set()
        self.call = _caller(self)
        """Takes the arguments as one tuple, the number of pieces, and that of multiplications."""

    def run(self, arguments: tuple[Any, ...], n_pieces: int, n_products: int) -> None:
        """What `call` does outside compiled code, without the lock of Python's interpreter."""
        kinds = tuple([getattr(one, "dtype", None) for one in arguments])
        if kinds not in self._ready:
            self._get_ready(arguments, n_pieces, n_products)
            self._ready.add(kinds)
        self._from_python(arguments, n_pieces, n_products)

    def _get_ready(self, arguments: tuple[Any, ...], n_pieces: int, n_products: int) -> None:
        """Compile what `run` calls for arguments of these types, or fetch it from the cache."""
        given = typeof(arguments)
        self.prepare(*_types_of(self, given.types))  # code that comes out of the cache expects the loop to be there
        signature = (given, typeof(n_pieces), typeof(n_products))
        _mended(self._from_python.py_func, lambda: self._from_python.compile(signature))

    @cached_property
    def _from_python(self) -> Any:
        """`call` as a function for Python: numba takes arrays apart in a thirtieth of the time that ctypes needs."""
        name = f"graphnn_call_{self.name}"
        source = f"def {name}(arguments, n_pieces, n_products):\n    call(arguments, n_pieces, n_products)\n"
        names = {"call": _compiled_caller(self), "__name__": __name__}
        function = compile_numba_function_src(source, name, names, cache_key=f"{name}_{kernels_digest()}")
        return njit(nogil=True, cache=config.numba__cache)(function)

    def prepare(self, dtype: str, index_dtype: str) -> str:
        """Compile the loop for these types, or fetch it from the cache, and return the name by which it is called."""
        _dispatcher()
        name = f"graphnn_{self.name}_{dtype}_{index_dtype}"
        if name not in self._entries:
            loop = self._make(dtype)
            entry = _entry(loop, name, [_numba_type(letter, dtype, index_dtype) for letter in self.arguments])
            llvm.add_symbol(name, entry.address)
            self._entries[name] = entry
        return name


def _numba_type(letter: str, dtype: str, index_dtype: str) -> Any:
    if letter == "n":
        return types.uintp
    scalar = {"f": dtype, "i": index_dtype, "b": "int64"}[letter]
    return types.Array(from_dtype(np.dtype(scalar)), 1, "C")


def _entry(loop: Any, name: str, argument_types: list[Any]) -> Any:
    """The loop behind a table of addresses and lengths, cached as PyTensor caches what it compiles."""
    parts = {f"part_{i}": _part(i, one) for i, one in enumerate(argument_types)}
    source = f"def {name}(table, piece):\n    loop({', '.join(['piece', *(f'{part}(table)' for part in parts)])})\n"
    names = {**parts, "loop": loop, "__name__": __name__}
    function = compile_numba_function_src(source, name, names, cache_key=f"{name}_{kernels_digest()}")
    return _cached(types.void(types.CPointer(types.intp), types.uintp), function)


def _cached(signature: Any, function: Any) -> Any:
    """The C entry of a function, out of the cache or into it; what the cache holds but cannot be read is replaced."""
    if not config.numba__cache:
        return cfunc(signature)(function)
    return _mended(function, lambda: cfunc(signature, cache=True)(function))


def _mended(function: Any, fetch: Callable[[], Any]) -> Any:
    """What `fetch` gets out of the cache for a function, once more with an empty cache where that fails."""
    try:
        return fetch()
    except Exception:  # half a file may raise anything; another error comes again
        FunctionCache(function).flush()
        return fetch()


@cache
def kernels_digest() -> str:
    """A digest of the text of all kernels: part of every key, so that an edited one is compiled anew."""
    package = __name__.rpartition(".")[0]
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith((package, float32.__name__))]
    return sha256("".join(inspect.getsource(module) for module in modules).encode()).hexdigest()


def _part(position: int, argument_type: Any) -> Any:
    """What reads one argument out of a table."""

    @intrinsic  # type: ignore[untyped-decorator]
    def part(typing_context: Any, table: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def field(number: int) -> Any:
                offset = context.get_constant(types.intp, 2 * position + number)
                return builder.load(builder.gep(arguments[0], [offset]))

            if argument_type == types.uintp:
                return field(0)
            array = context.make_array(argument_type)(context, builder)
            item = context.get_abi_sizeof(context.get_data_type(argument_type.dtype))
            item_size = context.get_constant(types.intp, item)
            populate_array(
                array,
                data=builder.inttoptr(field(0), context.get_data_type(argument_type.dtype).as_pointer()),
                shape=cgutils.pack_array(builder, [field(1)]),
                strides=cgutils.pack_array(builder, [item_size]),
                itemsize=item_size,
                meminfo=None,
            )
            return array._getvalue()

        return argument_type(table), generate

    return part


def _caller(loop: Loop) -> Any:
    def call(arguments: Any, n_pieces: Any, n_products: Any) -> None:
        loop.run(arguments, n_pieces, n_products)

    compiled_call = _compiled_caller(loop)

    @overload(call, strict=False)  # type: ignore[untyped-decorator]
    def _call(arguments: Any, n_pieces: Any, n_products: Any) -> Any:
        return lambda arguments, n_pieces, n_products: compiled_call(arguments, n_pieces, n_products)

    return call


def _compiled_caller(loop: Loop) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def call(typing_context: Any, arguments: Any, n_pieces: Any, n_products: Any) -> Any:
        name = loop.prepare(*_types_of(loop, arguments.types))

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            word = context.get_value_type(types.intp)
            table = cgutils.alloca_once(builder, ir.ArrayType(word, 2 * len(arguments.types)))
            for position, one in enumerate(arguments.types):
                value = builder.extract_value(values[0], position)
                data, length = word(0), word(0)
                if isinstance(one, types.Array):
                    array = context.make_array(one)(context, builder, value)
                    data, length = builder.ptrtoint(array.data, word), array.nitems
                elif isinstance(one, types.Integer):
                    data = context.cast(builder, value, one, types.intp)
                for number, content in enumerate((data, length)):
                    builder.store(content, cgutils.gep_inbounds(builder, table, 0, 2 * position + number))
            entry_type = ir.FunctionType(ir.VoidType(), [word.as_pointer(), word])
            entry = cgutils.get_or_insert_function(builder.module, entry_type, name)
            dispatcher_type = ir.FunctionType(ir.VoidType(), [word] * 4)
            dispatcher = cgutils.get_or_insert_function(builder.module, dispatcher_type, _DISPATCHER)
            pieces = context.cast(builder, values[1], n_pieces, types.intp)
            products = context.cast(builder, values[2], n_products, types.intp)
            addresses = [builder.ptrtoint(one, word) for one in (entry, table)]
            builder.call(dispatcher, [*addresses, pieces, products])
            return context.get_dummy_value()

        return types.none(arguments, n_pieces, n_products), generate

    return call


def _types_of(loop: Loop, given: Any) -> tuple[str, str]:
    """The two types of a call. TypeError for arguments that the loop does not take."""
    found = {"f": "", "i": "int32", "b": "int64"}
    if len(given) != len(loop.arguments):
        raise TypeError(f"loop {loop.name} takes {len(loop.arguments)} arguments, not {len(given)}")
    seen: set[str] = set()
    for position, (letter, one) in enumerate(zip(loop.arguments, given, strict=True)):
        if isinstance(one, types.NoneType):
            continue
        if letter == "n":
            if not isinstance(one, types.Integer):
                raise TypeError(f"argument {position} of loop {loop.name} is a size, not {one}")
            continue
        if not isinstance(one, types.Array) or one.ndim != 1 or one.layout != "C":
            raise TypeError(f"argument {position} of loop {loop.name} is a flat contiguous array, not {one}")
        if (letter in seen or letter == "b") and found[letter] != str(one.dtype):
            raise TypeError(f"argument {position} of loop {loop.name} is of {found[letter]}, not of {one.dtype}")
        found[letter] = str(one.dtype)
        seen.add(letter)
    return found["f"], found["i"]


# ------------------------------------------------------------------ threads

_DISPATCHER = "graphnn_dispatcher"


@intrinsic  # type: ignore[untyped-decorator]
def _do_piece(typing_context: Any, entry: Any, table: Any, piece: Any) -> Any:
    """Call the entry at an address, with the table at an address."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = context.get_value_type(types.intp)
        entry_type = ir.FunctionType(ir.VoidType(), [word.as_pointer(), word])
        function = builder.inttoptr(values[0], entry_type.as_pointer())
        builder.call(function, [builder.inttoptr(values[1], word.as_pointer()), values[2]])
        return context.get_dummy_value()

    return types.none(types.intp, types.intp, types.intp), generate


@compiled_parallel
def _on_all_threads(entry: Any, table: Any, n_pieces: Any) -> None:
    for piece in prange(n_pieces):
        _do_piece(entry, table, np.intp(piece))


@cache
def _dispatcher() -> Any:
    """What every call goes through, compiled and known by its name; the object keeps its code alive."""
    _launch_threads()  # code that comes out of the cache expects them to be there
    if hasattr(os, "register_at_fork"):  # a child has none of them, and GNU OpenMP ends it when it calls for them
        os.register_at_fork(after_in_child=partial(set_num_threads, 1))
    source = f"""def {_DISPATCHER}(entry, table, n_pieces, n_products):
    if pays_in_parallel(n_products):
        on_all_threads(entry, table, n_pieces)
    else:
        for piece in range(n_pieces):
            do_piece(entry, table, piece)
"""
    names = {
        "pays_in_parallel": pays_in_parallel,
        "on_all_threads": _on_all_threads,
        "do_piece": _do_piece,
        "__name__": __name__,
    }
    key = f"{_DISPATCHER}_{kernels_digest()}"
    function = compile_numba_function_src(source, _DISPATCHER, names, cache_key=key)
    dispatcher = _cached(types.void(*[types.intp] * 4), function)
    llvm.add_symbol(_DISPATCHER, dispatcher.address)
    return dispatcher
