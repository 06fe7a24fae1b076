"""Nanoseconds per element of float32 functions, PyTensor's own and ours, as a Markdown table with errors in ulp.

    python benchmarks/elementwise.py [-o docs/benchmarks-elementwise.md] [--step N]

Times: one thread, medians of rounds in which the two versions alternate, on whole compiled functions, so that the
ratio is the figure to keep. Errors: the largest over every N-th of the 2^32 floats against float64, in units in the
last place of the exact result; `--step 1` takes all of them (15 minutes), the default every 257th. The error of
softmax is over random rows.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytensor
import pytensor.tensor as pt
import scipy.special
from numpy.typing import NDArray
from pytensor.compile.mode import get_default_mode

from graphnn_compiler.backend import arrays32, float32
from graphnn_compiler.backend.activations import activate
from graphnn_compiler.backend.elementwise import EVERYWHERE
from graphnn_compiler.topology.plan import Activation

N_ROUNDS = 15
STOCK = get_default_mode().excluding("float32_rows")
OURS = get_default_mode().including(EVERYWHERE)

# ------------------------------------------------------------------ errors

_exact = numba.njit(error_model="numpy")


@_exact
def sigmoid(x: float) -> float:
    return (math.exp(-abs(x)) if x < 0 else 1.0) / (1.0 + math.exp(-abs(x)))


@_exact
def silu(x: float) -> float:
    if x < -745.0:
        return -0.0
    return (x * math.exp(-abs(x)) if x < 0 else x) / (1.0 + math.exp(-abs(x)))


@_exact
def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x))) if x == x else x


@_exact
def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x * math.sqrt(0.5))


@_exact
def gelu(x: float) -> float:
    return -0.0 if x < -40.0 else x * normal_cdf(x)


EXACT: dict[str, tuple[Any, Any]] = {
    "exp": (float32.exp32, _exact(lambda x: np.exp(x))),
    "expm1": (float32.expm1_32, _exact(lambda x: np.expm1(x))),
    "tanh": (float32.tanh32, _exact(lambda x: math.tanh(x))),
    "sigmoid": (float32.sigmoid32, sigmoid),
    "silu": (float32.silu32, silu),
    "softplus": (float32.softplus32, softplus),
    "erfc": (float32.erfc32, _exact(lambda x: math.erfc(x))),
    "normal_cdf": (float32.normal_cdf32, normal_cdf),
    "gelu": (float32.gelu32, gelu),
}
"""Our function and the same in float64."""


def largest_error(ours: Any, exact: Any, step: int) -> tuple[float, float]:
    """The largest error in ulp of the exact result over every `step`-th float, and where it is."""

    @numba.njit(error_model="numpy")
    def search(values: NDArray, results: NDArray) -> tuple[float, float]:
        worst, place = 0.0, 0.0
        for i in range(values.size):
            results[i] = ours(values[i])
        for i in range(values.size):
            wanted, found = exact(np.float64(values[i])), results[i]
            rounded = np.float32(wanted)
            if found == rounded or (wanted != wanted and found != found):
                continue
            size = min(abs(rounded), np.float32(3.4028235e38))
            ulp = 2.0 ** max(math.frexp(size)[1] - 24, -149)
            error = abs(np.float64(found) - wanted) / ulp
            if not error <= worst:
                worst, place = error, np.float64(values[i])
        return worst, place

    found = []
    for start in range(0, 2**32, 2**24):
        first = start + -start % step
        values = np.arange(first, start + 2**24, step).astype(np.uint32).view(np.float32)
        found.append(search(values, np.empty_like(values)))
    return max(found)


def softmax_error() -> float:
    worst = 0.0
    for scale in (0.1, 1.0, 10.0, 40.0):
        x = np.random.default_rng(0).normal(0, scale, (1, 4000, 64)).astype(np.float32)
        wanted = scipy.special.softmax(x.astype(np.float64), axis=1)
        ulp = np.spacing(wanted.astype(np.float32)).astype(np.float64)
        worst = max(worst, float((np.abs(arrays32.softmax(x) - wanted) / ulp).max()))
    return worst


# ------------------------------------------------------------------ times


def compiled(make: Callable[[Any], Any], shape: tuple[int | None, ...], mode: Any) -> Callable[[NDArray], Any]:
    x = pt.tensor("x", dtype="float32", shape=shape)
    return pytensor.function(
        [pytensor.In(x, borrow=True)], pytensor.Out(make(x), borrow=True), mode=mode, trust_input=True
    )


def medians(functions: list[Callable[[NDArray], Any]], x: NDArray) -> list[float]:
    """Nanoseconds per element of x of each function."""
    for function in functions:
        function(x)
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(N_ROUNDS):
        for function, own in zip(functions, times, strict=True):
            start = time.perf_counter()
            function(x)
            own.append((time.perf_counter() - start) / x.size * 1e9)
    return [float(np.median(own)) for own in times]


def activation(name: str, axis: str = "channels") -> Callable[[Any], Any]:
    return lambda x: activate(Activation(name, axis) if name == "softmax" else Activation(name), x)


def slope(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: pytensor.grad(make(x).sum(), x)


UNITS, BATCH = 1000, 64
BIAS = pytensor.shared(np.random.default_rng(1).normal(size=UNITS).astype(np.float32), shape=(UNITS,))

Case = tuple[str, Callable[[Any], Any], tuple[int | None, ...], tuple[int, ...], str]
NODES = (UNITS, None, 1), (UNITS, BATCH, 1)
CASES: list[Case] = [
    *((name, activation(name), *NODES, name) for name in ("exp", "tanh", "sigmoid", "gelu", "silu", "softplus")),
    ("elu", activation("elu"), *NODES, "expm1"),
    *((f"gradient of {name}", slope(activation(name)), *NODES, "") for name in ("tanh", "sigmoid", "gelu", "silu")),
    ("tanh(x + bias), a bias per column", lambda x: pt.tanh(x + BIAS), (None, UNITS), (BATCH, UNITS), ""),
    ("tanh of a transposed matrix", lambda x: pt.tanh(x.T), (None, UNITS), (BATCH, UNITS), ""),
    ("softmax, 10 units, batch 256", activation("softmax", "units"), (10, None, 1), (10, 256, 1), "softmax"),
    ("softmax, 7 channels, 2708 units", activation("softmax"), (2708, None, 7), (2708, 1, 7), "softmax"),
    ("softmax, 100,000 units", activation("softmax", "units"), (100_000, None, 1), (100_000, 1, 1), "softmax"),
]
"""Name, expression, shape known at compilation, shape, and whose error stands beside it."""


def table(step: int) -> str:
    errors = {name: largest_error(*pair, step)[0] for name, pair in EXACT.items()} | {"softmax": softmax_error()}
    lines = ["| function | PyTensor, ns | here, ns | times faster | largest error, ulp |", "|---|---|---|---|---|"]
    for name, make, known, shape, whose in CASES:
        x = np.random.default_rng(0).normal(0, 2, shape).astype(np.float32)
        stock, ours = medians([compiled(make, known, mode) for mode in (STOCK, OURS)], x)
        error = f"{errors[whose]:.2f}" if whose else ""
        lines.append(f"| {name} | {stock:.2f} | {ours:.2f} | {stock / ours:.1f} | {error} |")
    others = (f"{name} {errors[name]:.2f}" for name in ("expm1", "erfc", "normal_cdf"))
    lines += ["", f"Largest errors of the functions behind them, in ulp: {', '.join(others)}."]
    return "\n".join(lines)


def report(step: int) -> str:
    which = "all 2^32 floats" if step == 1 else f"every {step}th of the 2^32 floats"
    return f"""# Elementwise float32 functions

Nanoseconds per element, medians of {N_ROUNDS} alternating rounds, {UNITS} x {BATCH} elements unless it says otherwise;
one thread. Errors over {which} (softmax: random rows), against float64. Made by
`python benchmarks/elementwise.py`.

{table(step)}

{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, PyTensor {pytensor.__version__}, \
numba {numba.__version__}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="write the report to this file")
    parser.add_argument("--step", type=int, default=257, help="take every N-th float (default: 257)")
    arguments = parser.parse_args()
    text = report(arguments.step)
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
