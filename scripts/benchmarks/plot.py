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
