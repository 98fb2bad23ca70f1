"""The plot: medians as bars, with a line from the fastest run to the slowest. Plain SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_LEFT, _WIDTH, _RIGHT = 260, 520, 110  # pixels: names, bars, figures
_BAR, _GAP, _HEAD = 16, 8, 34
_OURS, _OTHERS, _INK, _FAINT = "#0b7285", "#adb5bd", "#212529", "#868e96"


def svg(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """Return the drawing of all rows that have a wall time, one group for each case.

    The scale is logarithmic: a large repository costs some peers a hundred times a small one.
    """
    shown = [row for row in rows if "wall" in row]
    groups = {
        case: [row for row in shown if row["case"] == case]
        for case in dict.fromkeys(row["case"] for row in shown)
    }
    low = min((row["low"] for row in shown), default=0.01)
    high = max((row["high"] for row in shown), default=1.0)
    start, end = math.floor(math.log10(low * 1000)), math.ceil(math.log10(high * 1000))
    scale = _WIDTH / max(end - start, 1)

    def x(seconds: float) -> float:
        return _LEFT + (math.log10(seconds * 1000) - start) * scale

    parts: list[str] = []
    y = 10
    for case, members in groups.items():
        y += _HEAD
        parts.append(_text(10, y - 12, titles.get(case, case), weight="bold"))
        for row in members:
            parts += _bar(row, y, x)
            y += _BAR + _GAP
    bottom = y + 6
    grid = [
        _tick(_LEFT + (power - start) * scale, bottom, _duration(10**power))
        for power in range(start, end + 1)
    ]
    width, height = _LEFT + _WIDTH + _RIGHT, bottom + 40
    caption = "wall time of the whole process: median, and fastest to slowest run (log scale)"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'role="img" aria-label="{caption}" font-family="sans-serif" font-size="12">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            *grid,
            *parts,
            _text(_LEFT, bottom + 34, caption, colour=_FAINT),
            "</svg>",
            "",
        ]
    )


def growth_svg(lines: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    """Return the drawing of CPU over size, one line for each command, both scales logarithmic."""
    points = [point for line in lines.values() for point in line]
    left, top, width, height = 60, 20, 460, 360
    ends = [
        (math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))))
        for values in ([one[0] for one in points] or [1], [one[1] for one in points] or [1])
    ]
    (from_x, to_x), (from_y, to_y) = ends

    def x(size: float) -> float:
        return left + (math.log10(size) - from_x) * width / max(to_x - from_x, 1)

    def y(seconds: float) -> float:
        return top + height - (math.log10(seconds) - from_y) * height / max(to_y - from_y, 1)

    parts = []
    for power in range(from_x, to_x + 1):
        parts += [_rule(x(10**power), top, x(10**power), top + height)]
        parts += [_text(x(10**power), top + height + 16, f"{10**power:,}", anchor="middle")]
    for power in range(from_y, to_y + 1):
        parts += [_rule(left, y(10**power), left + width, y(10**power))]
        parts += [_text(left - 6, y(10**power) + 4, f"{10.0**power:g} s", anchor="end")]
    places: list[float] = []
    for number, (what, line) in enumerate(sorted(lines.items(), key=lambda one: -one[1][-1][1])):
        colour = f"hsl({number * 137 % 360},60%,40%)"
        path = " ".join(f"{x(size):.1f},{y(seconds):.1f}" for size, seconds in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at = max(y(line[-1][1]), places[-1] + 14 if places else 0)
        places.append(at)
        parts.append(_text(left + width + 10, at + 4, what, colour=colour))
    caption = "CPU over apps, commits or lines, both logarithmic"
    box = f"0 0 {left + width + 200} {max(top + height + 50, int(max(places, default=0)) + 20)}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" '
            f'aria-label="{caption}" font-family="sans-serif" font-size="12">',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            *parts,
            _text(left, top + height + 36, caption, colour=_FAINT),
            "</svg>",
            "",
        ]
    )


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#e9ecef"/>'


def _bar(row: Mapping[str, Any], y: int, x: Any) -> list[str]:
    left, middle = _LEFT, y + _BAR / 2
    colour = _OURS if row["peer"].startswith("gitops") else _OTHERS
    end = x(row["wall"])
    return [
        _text(left - 8, y + 12, row["peer"], anchor="end"),
        f'<rect x="{left}" y="{y}" width="{max(end - left, 1):.1f}" height="{_BAR}" '
        f'fill="{colour}"/>',
        f'<line x1="{x(row["low"]):.1f}" x2="{x(row["high"]):.1f}" y1="{middle}" y2="{middle}" '
        f'stroke="{_INK}" stroke-width="1.5"/>',
        _text(x(row["high"]) + 6, y + 12, _duration(row["wall"] * 1000)),
    ]


def _tick(x: float, bottom: int, words: str) -> str:
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="24" y2="{bottom}" stroke="#e9ecef"/>'
    return line + _text(x, bottom + 14, words, anchor="middle", colour=_FAINT)


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    weight: str = "normal",
    colour: str = _INK,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{colour}">{escape(words)}</text>'
    )


def _duration(milliseconds: float) -> str:
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.3g} s"
    return f"{milliseconds:.3g} ms"
