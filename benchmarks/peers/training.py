"""The measurement of whole networks: one training step of ours and of every formulation in PyTorch."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from numpy.typing import NDArray

from peers import networks
from peers.measure import Settings, say, turn
from peers.processes import Failure, Worker
from peers.registry import BY_NAME, OURS

TOLERANCE = 2e-3
"""Of the largest change of a parameter in two steps: float32 sums in another order, and another tanh."""
ADAPTERS = {OURS: "ours_networks", "torch": "torch_networks"}


@dataclass
class NetworkCase:
    """One network at one batch: by peer and formulation, seconds of one training step or why there are none."""

    name: str
    units: int
    batch: int
    seconds: dict[tuple[str, str], float | str] = field(default_factory=dict)
    deviation: float = 0.0

    def best(self, peer: str) -> tuple[str, float] | None:
        """The fastest formulation of a peer, and its seconds."""
        numbers = [
            (taken, key[1]) for key, taken in self.seconds.items() if key[0] == peer and isinstance(taken, float)
        ]
        return (min(numbers)[1], min(numbers)[0]) if numbers else None


def network(settings: Settings, name: str, units: int, batch: int, drop: float) -> NetworkCase:
    """All formulations must agree with the first after two steps without dropout; then they are timed in rounds."""
    case = NetworkCase(name, units, batch)
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place) / "network"
        networks.write(folder, name, units, batch, settings.seed)
        ready: list[tuple[Worker, str]] = []
        expected: dict[str, NDArray] = {}
        for peer in settings.named(*ADAPTERS):
            worker = stack.enter_context(
                Worker(BY_NAME[peer.name], settings.environments, settings.log, ADAPTERS[peer.name])
            )
            try:
                offered = worker.ask("networks", network=name)["formulations"]
            except Failure as failure:
                case.seconds[peer.name, "all"] = str(failure)
                continue
            for formulation in offered:
                try:
                    deviation = agree(worker, name, formulation, folder, drop, expected)
                except Failure as failure:
                    case.seconds[peer.name, formulation] = str(failure)
                else:
                    case.deviation = max(case.deviation, deviation)
                    ready.append((worker, formulation))
        say(f"{name}, batch {batch}: checked")
        case.seconds |= medians(ready, settings)
    return case


def agree(
    worker: Worker, name: str, formulation: str, folder: Path, drop: float, expected: dict[str, NDArray]
) -> float:
    """Two steps without dropout: the deviation from `expected`, which is filled if empty. Then made with dropout.

    Failure where they differ.
    """
    saved = folder / "values.npz"
    given = {"network": name, "formulation": formulation, "folder": str(folder), "save": str(saved)}
    worker.ask("train", **given, drop=0.0)
    values, start = networks.load(saved), networks.read(folder)
    expected |= {} if expected else values
    worst = max(networks.difference(values[key], expected[key], start[key]) for key in values)
    if not worst <= TOLERANCE:
        raise Failure(f"differs after two steps, by {worst:.1g} of the largest change")
    if drop:
        worker.ask("train", **given, drop=drop)
    return worst


def medians(ready: list[tuple[Worker, str]], settings: Settings) -> dict[tuple[str, str], float]:
    """By peer and formulation: the median of the turns' medians."""
    turns: dict[tuple[str, str], list[float]] = {}
    for number in range(settings.rounds if ready else 0):
        start = number % len(ready)
        for worker, formulation in ready[start:] + ready[:start]:
            taken = turn(worker, formulation, "step", settings)
            if taken is not None:
                turns.setdefault((worker.peer.name, formulation), []).append(taken)
    return {key: statistics.median(taken) for key, taken in turns.items()}
