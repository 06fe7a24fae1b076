"""Two kinds of figures as SVG text: grouped bars on a logarithmic axis, and lines on logarithmic axes. No libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 420, 64, 190, 34, 46
COLOURS = ("#0b6e4f", "#444444", "#9a9a9a", "#c44536", "#e08e45", "#772e25", "#3d5a80", "#98c1d9", "#8f6fb0", "#b5a642")


class _Scale:
    """A logarithmic axis from decade to decade: value to position."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.first, self.last = floor(log10(min(values))), ceil(log10(max(values)))
        self.last = max(self.last, self.first + 1)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        share = (log10(value) - self.first) / (self.last - self.first)
        return self.start + share * (self.end - self.start)

    @property
    def decades(self) -> list[int]:
        return list(range(self.first, self.last + 1))


def _text(x: float, y: float, text: str, anchor: str = "middle", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{escape(text)}</text>'


def _frame(title: str, vertical: str, y: _Scale) -> list[str]:
    right = WIDTH - RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text((LEFT + right) / 2, 20, title, extra='font-size="14"'),
        _text(16, (TOP + HEIGHT - BOTTOM) / 2, vertical, extra=f'transform="rotate(-90 16 {HEIGHT / 2:.0f})"'),
    ]
    for decade in y.decades:
        at = y(10.0**decade)
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dddddd"/>')
        parts.append(_text(LEFT - 6, at + 4, f"{10.0**decade:g}", "end"))
    return parts


def _legend(names: Sequence[str]) -> list[str]:
    parts = []
    for position, name in enumerate(names):
        y = TOP + 8 + 18 * position
        colour = COLOURS[position % len(COLOURS)]
        parts.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 9}" width="11" height="11" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 30, y + 1, name, "start"))
    return parts


def bars(title: str, vertical: str, groups: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> str:
    """A group of bars for each of `groups`, one bar in each for every series; None leaves a gap."""
    known = [value for values in series.values() for value in values if value is not None]
    y = _Scale(known, HEIGHT - BOTTOM, TOP)
    parts = _frame(title, vertical, y)
    step = (WIDTH - LEFT - RIGHT) / len(groups)
    width = 0.84 * step / len(series)
    for number, group in enumerate(groups):
        start = LEFT + step * (number + 0.08)
        parts.append(_text(start + 0.42 * step, HEIGHT - BOTTOM + 18, group))
        for position, (name, values) in enumerate(series.items()):
            value = values[number]
            if value is None:
                continue
            top = y(value)
            parts.append(
                f'<rect x="{start + position * width:.1f}" y="{top:.1f}" width="{width * 0.92:.1f}" '
                f'height="{HEIGHT - BOTTOM - top:.1f}" fill="{COLOURS[position % len(COLOURS)]}">'
                f"<title>{escape(name)}, {escape(group)}: {value:.3g}</title></rect>"
            )
    return "\n".join([*parts, *_legend(list(series)), "</svg>", ""])


def lines(title: str, horizontal: str, vertical: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """A line through the points of every series, both axes logarithmic."""
    points = [point for line in series.values() for point in line]
    x = _Scale([point[0] for point in points], LEFT, WIDTH - RIGHT)
    y = _Scale([point[1] for point in points], HEIGHT - BOTTOM, TOP)
    parts = _frame(title, vertical, y)
    for decade in x.decades:
        at = x(10.0**decade)
        parts.append(f'<line y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="{at:.1f}" x2="{at:.1f}" stroke="#dddddd"/>')
        parts.append(_text(at, HEIGHT - BOTTOM + 18, f"{10.0**decade:,.0f}"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, horizontal))
    for position, (name, line) in enumerate(series.items()):
        colour = COLOURS[position % len(COLOURS)]
        places = [(x(a), y(b)) for a, b in line]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"><title>{escape(name)}</title></circle>'
            for a, b in places
        ]
    return "\n".join([*parts, *_legend(list(series)), "</svg>", ""])
