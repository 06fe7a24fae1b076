"""What all loops share: how they are compiled, an edge's value, and how work is divided among threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numba.core import types
from numba.extending import overload, register_jitable
from numba.np.ufunc.parallel import _iget_num_threads

from graphnn_compiler.backend.kernels.lanes import LINE_BYTES

_Loop = TypeVar("_Loop", bound=Callable[..., Any])

# `contract` makes a multiplication and an addition one instruction; `reassoc` and `nsz` let a sum over the batch, or at
# batch one over a row's edges, run in vector lanes. The compiler settles the order of summation once, so that equal
# inputs give equal bits in every run on one machine. Infinities and NaN keep their meaning: no flag assumes them away.
FAST_MATH = {"contract", "reassoc", "nsz"}
compiled: Callable[[_Loop], _Loop] = njit(fastmath=FAST_MATH, no_cpython_wrapper=True, no_cfunc_wrapper=True)
compiled_parallel: Callable[[_Loop], _Loop] = njit(fastmath=FAST_MATH, parallel=True)

in_both: Callable[[_Loop], _Loop] = register_jitable(fastmath=FAST_MATH)
"""For functions that Python runs as they stand and that compiled code contains: they prepare and call loops."""


def _last_cache_bytes() -> int:
    """The size of the third-level cache as Linux tells it, 32 MiB elsewhere."""
    told = Path("/sys/devices/system/cpu/cpu0/cache/index3/size")
    size = told.read_text().strip() if told.is_file() else ""
    return int(size[:-1]) * 2**10 if size[:-1].isdecimal() and size.endswith("K") else 2**25


CACHED_NUMBERS = 8192
"""Numbers of a result that are made in one go, so that what follows finds them in the nearest cache."""

N_PIECES = 64
"""Pieces of units that threads share: a fixed number, as the order of sums must not depend on the threads."""

PARALLEL_FROM = 200_000
"""Multiplications from which a second thread pays: below, waking it costs more than it does."""

HELD_BY_CACHE = _last_cache_bytes() // 4
"""Bytes of arrays that a cache holds while others pass through it. Larger results are written past it, as nothing that
follows would find them there, and rows of larger arrays are fetched ahead."""


@compiled
def pays_in_parallel(n_products: Any) -> Any:
    # with one thread the loop must not enter the threading layer, which does not survive a fork
    return n_products >= PARALLEL_FROM and _iget_num_threads() > 1


@compiled
def strided(values: Any, absent: Any) -> Any:
    """`values` and the step between them; of an array that was left out, the number `absent` and step 0.

    So an optional array costs no branch on any edge, and the compiler need not make a loop for every combination.
    """
    if len(values):
        return values, np.uintp(1)
    one = np.empty(1, values.dtype)
    one[0] = absent
    return one, np.uintp(0)


@compiled
def number_of(strided_values: Any, position: Any) -> Any:
    values, step = strided_values
    return values[position * step]


@compiled
def group_of(strided_groups: Any, edge: Any) -> Any:
    """The group of an edge; its own number where groups were left out (as 0)."""
    groups, step = strided_groups
    return np.uintp(groups[edge * step]) + edge * (np.uintp(1) - step)


@in_both
def fresh(size: Any, dtype: Any) -> Any:
    """A new array of one dimension that begins with a cache line, so that fewer rows of it lie across two."""
    room = np.empty(size + LINE_BYTES, dtype)
    start = -room.ctypes.data % LINE_BYTES // room.itemsize
    return room[start : start + size]


@in_both
def passes_cache(result: Any, width: Any) -> Any:
    """1 for a `fresh` result of so large size that it is written past the caches, its rows of whole lines; or 0."""
    # the widest vectors have 16 numbers, which are one line of float32 and two of float64
    return 1 if result.size * result.itemsize >= HELD_BY_CACHE and width % 16 == 0 else 0


@in_both
def flat(x: Any) -> Any:
    """An array as a contiguous one-dimensional one, a copy where it is not contiguous."""
    return np.ascontiguousarray(x).reshape(x.size)


def flat_or_none(x: Any) -> Any:
    """`flat(x)`, or None for None."""
    return None if x is None else flat(x)


@overload(flat_or_none)  # type: ignore[untyped-decorator]
def _flat_or_none(x: Any) -> Any:
    # one of two functions by type: numba does not prune the branch of one that tests for None
    def none(x: Any) -> Any:
        return None

    def contiguous(x: Any) -> Any:
        return flat(x)

    return none if isinstance(x, types.NoneType) else contiguous
