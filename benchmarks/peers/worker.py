"""A peer's process: reads requests as lines of JSON, answers each with one line.

    python -m peers.worker ADAPTER

Runs in the peer's environment, from the folder `benchmarks`. Between requests it waits for its input, and does nothing.
What libraries print goes to standard error. Python 3.8 and later.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from peers import problem as problems
from peers.layer import Layer, Training, timed


def in_layout(layer: Layer, which: str, results: Any) -> dict[str, Any]:
    names = problems.RESULTS[:1] if which == "forward" else problems.RESULTS
    arrays = layer.numpy([results] if which == "forward" else list(results))
    return {name: arrays[position] for position, name in enumerate(names)}


class Worker:
    """The state between requests: one problem, and the layers prepared for it."""

    def __init__(self, adapter: str) -> None:
        self.adapter = importlib.import_module(f"peers.adapters.{adapter}")
        self.folder = Path()
        self.problem: problems.Problem | None = None
        self.layers: dict[str, Layer | Training] = {}

    def describe(self) -> dict[str, Any]:
        adapter = self.adapter
        return {"version": adapter.version(), "layout": adapter.LAYOUT}

    def load(self, folder: str) -> dict[str, Any]:
        """The problem in a folder; everything made for the one before is dropped."""
        self.drop()
        self.folder = Path(folder)
        self.problem = problems.read(self.folder)
        return {"formulations": [name for name in self.adapter.FORMULATIONS if self._suits(name)]}

    def _suits(self, formulation: str) -> bool:
        """Whether the adapter offers a formulation for the problem's batch."""
        assert self.problem is not None
        return bool(getattr(self.adapter, "suits", lambda *_: True)(formulation, self.problem.batch))

    def drop(self) -> dict[str, Any]:
        self.layers.clear()
        self.problem = None
        gc.collect()
        return {}

    def forget(self, formulation: str) -> dict[str, Any]:
        self.layers.pop(formulation, None)
        gc.collect()
        return {}

    def prepare(self, formulation: str, which: str) -> dict[str, Any]:
        """Make the layer and call it once: the deviations from SciPy, and the seconds that it took."""
        assert self.problem is not None
        started = time.perf_counter()
        if formulation not in self.layers:
            self.layers[formulation] = self.adapter.FORMULATIONS[formulation](self.problem)
        layer = self.layers[formulation]
        assert isinstance(layer, Layer)
        results = getattr(layer, which)()
        taken = time.perf_counter() - started
        return {"seconds": taken, "deviations": problems.deviations(self.folder, in_layout(layer, which, results))}

    def networks(self, network: str) -> dict[str, Any]:
        return {"formulations": list(self.adapter.NETWORKS[network])}

    def train(self, network: str, formulation: str, folder: str, drop: float, save: str) -> dict[str, Any]:
        """Make a network and take two steps: their losses, and the parameters after them in the file `save`."""
        started = time.perf_counter()
        made: Training = self.adapter.NETWORKS[network][formulation](Path(folder), drop)
        losses = [made.step(), made.step()]
        np.savez(save, **made.values())
        self.layers[formulation] = made
        return {"losses": losses, "seconds": time.perf_counter() - started}

    def time(self, formulation: str, which: str, seconds: float, calls: int) -> dict[str, Any]:
        """Seconds of each call, after one that does not count: for `seconds`, and `calls` at least."""
        return {"times": timed(getattr(self.layers[formulation], which), seconds, calls)}

    def memory(self, formulation: str, warm: str, folder: str) -> dict[str, Any]:
        """Bytes by which the peak rises while a problem is loaded, and computed forward and backward, twice.

        A small problem (`warm`) comes first, so that imports and the like count as start-up.
        """
        self.load(warm)
        self._both(formulation)
        self.drop()
        release()
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        self.load(folder)
        assert self.problem is not None
        ideal = self.problem.ideal_bytes
        self._both(formulation)
        return {"bytes": resident("VmHWM") - before, "start_up": before, "ideal": ideal}

    def _both(self, formulation: str) -> None:
        both = self.adapter.FORMULATIONS[formulation](self.problem).both
        both()
        both()

    def bandwidth(self, batches: list[int]) -> dict[str, Any]:
        found: dict[str, Any] = self.adapter.bandwidth(batches)
        return found


def release() -> None:
    """Give freed memory back to the system, so that it does not hide what is allocated next."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def resident(field: str) -> int:
    """`VmRSS` or `VmHWM` of this process in bytes (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def answer(worker: Worker, request: dict[str, Any]) -> dict[str, Any]:
    """What a method gives, or `error`: benchmarks report what a peer cannot do, and go on."""
    try:
        found: dict[str, Any] = getattr(worker, request.pop("do"))(**request)
        return found
    except Exception as problem:  # whatever a peer raises, MemoryError included
        traceback.print_exc()
        return {"error": f"{type(problem).__name__}: {problem}"}


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        replies.write(json.dumps(answer(worker, json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
