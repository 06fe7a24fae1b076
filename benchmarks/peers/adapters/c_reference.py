"""The hand-written C kernels of `kernels.c`, called through ctypes: what this machine can do.

Outputs and scratch are allocated beforehand, aligned; the values lie in the order that suits a kernel. gcc compiles
the text on first use, into the folder that GNN_BENCH_CACHE names.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers.layer import Layer, plain, timed
from peers.problem import Problem

LAYOUT = "units x batch; at batch 1 values sorted by in-degree, in slices of 16 rows"
SOURCE = Path(__file__).with_name("kernels.c")
FLAGS = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
SLICE = 16
BYTES_AHEAD = 8192
"""Of rows that are on their way, where rows are fetched ahead."""


def version() -> str:
    done = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True)
    return f"gcc {done.stdout.strip()} {' '.join(FLAGS[:3])}, {library().lanes()} floats in a vector"


@cache
def library() -> Any:
    """The compiled kernels; CalledProcessError or FileNotFoundError where gcc cannot make them."""
    key = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("GNN_BENCH_CACHE") or tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"kernels-{key}.so"
    if not path.exists():
        beside = path.with_suffix(f".{os.getpid()}")
        subprocess.run(["gcc", *FLAGS, "-o", str(beside), str(SOURCE)], check=True)
        beside.replace(path)
    loaded = ctypes.CDLL(str(path))
    loaded.gather.restype = ctypes.c_float
    return loaded


def aligned(*shape: int) -> NDArray:
    """Zeros, float32, at a multiple of 64 bytes. `empty`, unlike `zeros`, asks for large pages."""
    size = int(np.prod(shape))
    room = np.empty(4 * size + 64, np.uint8)
    start = -room.ctypes.data % 64
    room.fill(0)
    return room[start : start + 4 * size].view(np.float32).reshape(shape)


def aligned_copy(array: NDArray) -> NDArray:
    copy = aligned(*array.shape)
    copy[...] = array
    return copy


def call(function: Any, *arguments: Any) -> None:
    """Arrays as pointers, integers as int; ValueError where the kernel refuses its arguments."""
    given = [a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else a for a in arguments]
    if function(*given) == -1:
        raise ValueError("the kernel does not take this batch")


def parts(indptr: NDArray, threads: int) -> NDArray:
    """Rows at which the work of each thread begins, about as many edges each: int32 (threads + 1,)."""
    shares = np.linspace(0, indptr[-1], threads + 1)
    bounds = np.searchsorted(indptr, shares).astype(np.int32)
    bounds[0], bounds[-1] = 0, len(indptr) - 1
    return bounds


def rows(problem: Problem, block: int, *, tiled: bool, stream: bool, fetched: bool = False) -> Layer:
    """Blocks of columns in registers. `tiled`: each is copied before to a scratch that stays in the cache; `fetched`:
    rows are fetched ahead."""
    c, threads = library(), library().threads()
    n, B, E = problem.units, problem.batch, problem.n_edges
    tp, target, edge = problem.transpose()
    part, back_part = parts(problem.indptr, threads), parts(tp, threads)
    x, gy = aligned_copy(problem.x), aligned_copy(problem.gy)
    y, gx, gw, gb = aligned(n, B), aligned(n, B), aligned(E), aligned(n)
    wt, gwt, scratch = aligned(E), aligned(E), aligned(n if tiled else 0, block)
    edges = (problem.indptr, problem.indices, problem.weights, problem.bias, x, y)
    settings, ahead = (threads, block, int(stream)), BYTES_AHEAD // (4 * block) if fetched else 0

    def forward() -> NDArray:
        if tiled:
            call(c.forward_tiles, *settings, part, n, B, *edges, scratch)
        else:
            call(c.forward_rows, *settings, ahead, part, B, *edges)
        return y

    def both() -> tuple[NDArray, ...]:
        forward()
        transpose = (back_part, n, B, tp, target, edge)
        results = (gx, gw, gb, wt, gwt, scratch)
        call(c.backward, *settings, ahead, int(tiled), *transpose, problem.weights, x, gy, *results)
        return y, gw, gb, gx

    return Layer(forward, both, plain)


def slices(problem: Problem, threads: int) -> Layer:
    """A batch of one: slices of rows of one degree; backward scatters into an input gradient per thread."""
    c, n = library(), problem.units
    row, begin, rest, order, n_slices = _slices(problem)
    part = parts(begin, threads)
    x, gy = problem.x.ravel(), problem.gy.ravel()
    w, indices = problem.weights[order], problem.indices[order]
    y, gx, gw, gb, own = aligned(n), aligned(n), aligned(len(w)), aligned(n), aligned(threads, n)
    structure = (threads, part, n_slices, n, row, begin, rest, indices, w)

    def forward() -> NDArray:
        call(c.forward_one, *structure, problem.bias, x, y)
        return y

    def both() -> tuple[NDArray, ...]:
        forward()
        call(c.backward_one, *structure, x, gy, gx, gw, gb, own)
        return y, gw, gb, gx

    def numpy(results: Any) -> list[NDArray]:
        if len(results) == 1:
            return [results[0][:, None]]
        values = np.empty_like(gw)
        values[order] = results[1]
        return [results[0][:, None], values, results[2], results[3][:, None]]

    return Layer(forward, both, numpy)


def bandwidth(batches: list[int]) -> dict[str, Any]:
    """Bytes per second, best of several: `copy` (read and written counted) and, by batch, rows read at random.

    The rows are those of a signal: 100,000 of 4 x batch bytes, 400,000 of them read.
    """
    c, threads, size = library(), library().threads(), 1 << 26
    x, y = aligned(size), aligned(size)
    copied = min(timed(lambda: call(c.copy, threads, 1, ctypes.c_ssize_t(size), x, y), 0.5, 5))
    index = np.random.default_rng(0).integers(100_000, size=400_000, dtype=np.int32)
    found: dict[str, Any] = {"copy": 8 * size / copied, "gather": {}}
    for batch in batches:
        read = partial(call, c.gather, threads, len(index), batch, index, x[: 100_000 * batch])
        found["gather"][str(batch)] = 4 * batch * len(index) / min(timed(read, 0.2, 5))
    return found


def _slices(problem: Problem) -> tuple[NDArray, NDArray, NDArray, NDArray, int]:
    """The rows in order, where slices and rows left over begin, the edge at every place, the number of slices."""
    degree = np.diff(problem.indptr)
    full, left, starts, places = [], [], [0], []
    for d in np.unique(degree):
        own = np.flatnonzero(degree == d)
        whole, remainder = np.split(own, [len(own) - len(own) % SLICE])
        full.append(whole)
        left.append(remainder)
        edges = problem.indptr[whole].reshape(-1, 1, SLICE) + np.arange(d)[None, :, None]
        places.append(edges.ravel())
        starts += (starts[-1] + SLICE * d * np.arange(1, len(whole) // SLICE + 1)).tolist()
    others = np.concatenate(left)
    rest = starts[-1] + np.concatenate([[0], np.cumsum(degree[others])])
    places += [np.arange(problem.indptr[t], problem.indptr[t + 1]) for t in others]
    row = np.concatenate([*full, others]).astype(np.int32)
    begin = np.array(starts, np.int32)
    return row, begin, rest.astype(np.int32), np.concatenate(places).astype(np.int64), len(begin) - 1


def suits(formulation: str, batch: int) -> bool:
    """Whether a kernel takes a batch: the number in its name, columns, divides it; slices are for a batch of one."""
    if formulation.startswith("slices"):
        return batch == 1
    block = next(int(word) for word in formulation.split() if word.isdigit())
    return batch % block == 0


def _variants() -> dict[str, Callable[[Problem], Any]]:
    found: dict[str, Callable[[Problem], Any]] = {
        "slices of 16 rows, 1 thread": partial(slices, threads=1),
        "slices of 16 rows": lambda problem: slices(problem, library().threads()),
    }
    for block in (16, 32, 64):
        for stream in (False, True):
            past = ", streaming stores" if stream else ""
            found[f"rows, {block} columns{past}"] = partial(rows, block=block, tiled=False, stream=stream)
            found[f"rows, {block} columns{past}, fetched ahead"] = partial(
                rows, block=block, tiled=False, stream=stream, fetched=True
            )
            found[f"tiles of {block} columns{past}"] = partial(rows, block=block, tiled=True, stream=stream)
    return found


FORMULATIONS = _variants()
