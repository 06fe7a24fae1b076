"""The results as one page of Markdown with figures. Not for: measuring."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers import svg
from peers.growth import Growth
from peers.measure import PASSES, Layers, Settings
from peers.registry import BY_NAME, OURS, REFERENCE, THREADS, Peer
from peers.training import NetworkCase

MIB = 1 << 20
NETWORKS = {
    "wired": "784 - dense {units:,} - sparse {units:,} - softmax 10",
    "deep": "four sparse layers of {units:,} in a row, tanh",
    "gcn": "GCN of examples/cora, {units:,} papers",
}


@dataclass
class Results:
    """What was measured; parts that were not are None or empty."""

    settings: Settings
    bandwidth: dict[str, Any] | None = None
    layers: Layers | None = None
    memory: dict[tuple[str, int], dict[str, float] | str] = field(default_factory=dict)
    growth: list[Growth] = field(default_factory=list)
    networks: list[NetworkCase] = field(default_factory=list)
    first_results: dict[str, dict[str, float]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def rivals(self) -> list[Peer]:
        """The peers that are neither ours nor the C reference."""
        return [peer for peer in self.settings.peers if peer.name not in (OURS, REFERENCE)]


def write(found: Results, stem: str) -> tuple[str, dict[str, str]]:
    """The page, and its figures by file name; these names begin with `stem`."""
    figures: dict[str, str] = {}
    parts = [_head(found)]
    if found.layers is not None:
        parts += [_times(found, found.layers), _ratios(found, found.layers)]
        figures[f"{stem}-layers.svg"] = _bars(found, found.layers)
        parts.append(f"![Milliseconds forward and backward]({stem}-layers.svg)")
    if found.networks:
        parts.append(_networks(found))
    if found.memory:
        parts.append(_memory(found))
    if found.growth:
        figures[f"{stem}-growth.svg"] = _growth_lines(found, "seconds", "nanoseconds per edge", 1e9)
        figures[f"{stem}-memory.svg"] = _growth_lines(found, "bytes", "bytes per edge", 1.0)
        parts.append(_growth(found))
        parts.append(f"![Time per edge]({stem}-growth.svg)\n\n![Memory per edge]({stem}-memory.svg)")
    if found.first_results:
        parts.append(_first_results(found))
    if found.layers is not None:
        parts.append(_tried(found.layers))
    return "\n\n".join(parts) + "\n", figures


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)])


def _number(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ms(seconds: float | None) -> str:
    return _number(None if seconds is None else 1000 * seconds)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.machine()
    fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    names = {key.strip(): value.strip() for key, value in fields.items()}
    widest = next((name for name in ("avx512f", "avx2", "avx", "sse2") if name in names.get("flags", "")), "?")
    return f"{names.get('model name', platform.machine())}, {os.cpu_count()} cores, {widest}"


def _head(found: Results) -> str:
    settings = found.settings
    lines = [
        "# Speed beside the peers",
        "Written by `python benchmarks/speed.py --out FILE`, not by hand; [development.md](development.md) says how.",
        f"One sparse layer, y = A x + b, of {settings.units:,} units with in-degree 2 to 6"
        + (f" ({found.layers.n_edges:,} edges)" if found.layers else "")
        + f", float32, sources drawn from the whole layer (seed {settings.seed}). Backward gives the gradients of the"
        " values, the bias and the input, for a given gradient of y; `forward + backward` computes y too.",
        f"Every peer is a process of its own with {THREADS} threads; all but the one that is timed are stopped by the"
        f" system. Peers take turns, {settings.rounds} rounds, each time another one first; a figure is the median of"
        " the medians of the turns. Of several formulations of a peer the fastest counts, at each batch and pass. Every"
        " formulation's results were compared with SciPy's in float64 before it was timed. Only ratios within one run"
        " compare: other work on a machine moves all figures.",
        f"Machine: {_processor()}; Python {platform.python_version()}.",
    ]
    if found.layers is not None:
        rows = [
            (BY_NAME[name].title, version, found.layers.layouts[name])
            for name, version in found.layers.versions.items()
        ]
        lines.append(_table(("peer", "version", "layout of x, y and their gradients"), rows).replace("---:", "---"))
    if found.absent:
        lines.append("\n".join(f"- {BY_NAME[name].title}: {reason}" for name, reason in found.absent.items()))
    if found.bandwidth is not None:
        gathered = ", ".join(f"{rate / 1e9:.1f} at batch {batch}" for batch, rate in found.bandwidth["gather"].items())
        lines.append(
            f"Bandwidth, {THREADS} threads: {found.bandwidth['copy'] / 1e9:.1f} GB/s copied (bytes read and written),"
            f" rows of 4 bytes x batch read at random, GB/s: {gathered}."
        )
    return "\n\n".join(lines)


def floor(found: Results, batch: int, which: str) -> float | None:
    """Seconds in which the copy bandwidth moves everything once: x, y, values, bias, structure; backward gy, x, values,
    bias, structure and the gradients."""
    if found.bandwidth is None or found.layers is None:
        return None
    n, edges = found.settings.units, found.layers.n_edges
    forward = 2 * n * batch + 2 * edges + 2 * n
    backward = 3 * n * batch + 3 * edges + 2 * n
    moved = forward if which == "forward" else forward + backward
    return float(4 * moved / found.bandwidth["copy"])


def _columns(settings: Settings) -> list[tuple[int, str]]:
    return [(batch, which) for batch in settings.batches for which in PASSES]


def _heads(settings: Settings) -> list[str]:
    words = {"forward": "forward", "both": "forward + backward"}
    return [f"{words[which]}, {batch}" for batch, which in _columns(settings)]


def _times(found: Results, layers: Layers) -> str:
    columns = _columns(found.settings)
    rows = [
        [peer.title, *(_ms(layers.seconds(peer.name, *column)) for column in columns)] for peer in found.settings.peers
    ]
    rows.append(["floor: everything moved once", *(_ms(floor(found, *column)) for column in columns)])
    worst = max((case.deviation for case in layers.cases.values()), default=0.0)
    return "\n\n".join(
        [
            "## One sparse layer, milliseconds by pass and batch",
            _table(["", *_heads(found.settings)], rows),
            f"Largest deviation from SciPy: {worst:.1g} of the largest entry.",
        ]
    )


def _ratios(found: Results, layers: Layers) -> str:
    rows, columns = [], _columns(found.settings)

    def ratio(name: str, column: tuple[int, str]) -> float | None:
        ours, other = layers.seconds(OURS, *column), layers.seconds(name, *column)
        return None if ours is None or other is None else other / ours

    for peer in found.rivals:
        rows.append([peer.title, *(_number(ratio(peer.name, column)) for column in columns)])
    best = [
        min((value for peer in found.rivals if (value := ratio(peer.name, column)) is not None), default=None)
        for column in columns
    ]
    rows.append(["**the fastest peer**", *(f"**{_number(value)}**" for value in best)])
    reference = [ratio(REFERENCE, column) for column in columns]
    rows.append(["C reference: our time, times its", *(_number(value and 1 / value) for value in reference)])
    ours = [layers.seconds(OURS, *column) for column in columns]
    floors = [floor(found, *column) for column in columns]
    to_floor = [a / b if a and b else None for a, b in zip(ours, floors, strict=True)]
    rows.append(["floor: our time, times it", *(_number(value) for value in to_floor)])
    return "## How many times faster than each peer\n\n" + _table(["", *_heads(found.settings)], rows)


def _bars(found: Results, layers: Layers) -> str:
    batches = found.settings.batches
    series = {
        peer.title: [None if s is None else 1000 * s for s in (layers.seconds(peer.name, b, "both") for b in batches)]
        for peer in found.settings.peers
    }
    known = {name: values for name, values in series.items() if any(values)}
    return svg.bars(
        "Forward and backward of one sparse layer", "milliseconds", [f"batch {batch}" for batch in batches], known
    )


def _networks(found: Results) -> str:
    rows, notes = [], []
    for case in found.networks:
        title = NETWORKS[case.name].format(units=case.units) + ("" if case.name == "gcn" else f", batch {case.batch}")
        ours, torch = case.best(OURS), case.best("torch")
        ratio = torch[1] / ours[1] if ours and torch else None
        rows.append([title, _ms(ours and ours[1]), _ms(torch and torch[1]), torch[0] if torch else "-", _number(ratio)])
        others = [
            f"{formulation} {_ms(taken) if isinstance(taken, float) else _short(taken)}"
            for (peer, formulation), taken in case.seconds.items()
            if peer == "torch" or isinstance(taken, str)
        ]
        notes.append(f"- {title}: {'; '.join(others)}; largest difference {case.deviation:.1g}")
    head = ["one step of SGD, ms", "ours", "PyTorch, best", "its formulation", "times faster"]
    return "\n\n".join(
        [
            "## Whole networks",
            "One training step, with its update, from the same start values; parameters after two steps (without"
            " dropout) agree, as a part of their largest change. Ours takes batch x units, as users give it; PyTorch"
            " gets units x batch where that is faster, and its fused SGD.",
            _table(head, rows),
            "Every formulation of PyTorch, ms:\n\n" + "\n".join(notes),
        ]
    )


def _memory(found: Results) -> str:
    rows = []
    for (name, batch), used in found.memory.items():
        title = BY_NAME[name].title
        if isinstance(used, str):
            rows.append([title, str(batch), _short(used), "", ""])
            continue
        cells = [_number(used[key] / MIB) for key in ("start_up", "bytes")]
        rows.append([title, str(batch), *cells, _number(used["bytes"] / used["ideal"])])
    head = ["", "batch", "start-up, MiB", "peak beyond it, MiB", "of the least"]
    return "\n\n".join(
        [
            "## Peak memory, forward and backward",
            "A process of its own for each figure: the rise of the peak resident set beyond what is there after imports"
            " and a layer of 500 units. The least is x, y and their gradients, parameters and their gradients, and the"
            " structure in CSR once.",
            _table(head, rows),
        ]
    )


def _growing(found: Results) -> list[Peer]:
    return [peer for peer in found.settings.peers if any(peer.name in row.seconds for row in found.growth)]


def _growth(found: Results) -> str:
    peers = _growing(found)
    head = ["units", "edges", *(f"{peer.title}: ns, bytes" for peer in peers)]
    rows = []
    for row in found.growth:
        cells = []
        for peer in peers:
            taken, used = row.seconds.get(peer.name), row.bytes.get(peer.name)
            nanoseconds = _number(None if taken is None else 1e9 * taken / row.n_edges)
            cells.append(f"{nanoseconds}, {_number(None if used is None else used / row.n_edges)}")
        rows.append([f"{row.units:,}", f"{row.n_edges:,}", *cells])
    return "## Growth\n\nPer edge, forward and backward at batch 32.\n\n" + _table(head, rows)


def _growth_lines(found: Results, what: str, vertical: str, factor: float) -> str:
    series = {}
    for peer in _growing(found):
        points = [
            (float(row.n_edges), factor * getattr(row, what)[peer.name] / row.n_edges)
            for row in found.growth
            if getattr(row, what).get(peer.name, 0) > 0
        ]
        if points:
            series[peer.title] = points
    return svg.lines("Forward and backward at batch 32", "edges", vertical, series)


def _first_results(found: Results) -> str:
    rows = [
        [state, *(f"{taken[key]:.2f}" for key in ("build", "result", "process"))]
        for state, taken in found.first_results.items()
    ]
    head = ["caches", "imports and `build`, s", "to the first result, s", "whole process, s"]
    return "\n\n".join(
        [
            "## examples/seed_100k from its files to its first result",
            "Cold: no cache of any kind but Python's own; warm: the same again.",
            _table(head, rows),
        ]
    )


def _tried(layers: Layers) -> str:
    """Every formulation's first try."""
    rows: dict[tuple[str, str], list[str]] = {}
    columns = list(dict.fromkeys((batch, which) for _, batch, which in layers.cases))
    for (name, batch, which), case in layers.cases.items():
        for formulation, taken in case.tried.items():
            cells = rows.setdefault((name, formulation), ["-"] * len(columns))
            cells[columns.index((batch, which))] = _ms(taken) if isinstance(taken, float) else _short(taken)
    head = ["peer", "formulation", *(f"{which}, {batch}" for batch, which in columns)]
    return "\n\n".join(
        [
            "## Every formulation",
            "A first try, milliseconds, or why there is none; those close to a peer's fastest went into the rounds.",
            _table(head, [[BY_NAME[name].title, formulation, *cells] for (name, formulation), cells in rows.items()]),
        ]
    )


def _short(message: str) -> str:
    """The first line of a message, at most 120 characters."""
    line = message.splitlines()[0] if message else "failed"
    return line if len(line) <= 120 else line[:117] + "..."
