"""Results as Markdown: the figures that were asked for, and all the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import Rows, crowd_figures, far_figures, figures_table, single_figures, table

_WORDS = {
    "small": "small repository",
    "large": "large repository",
    "deep": "deep repository",
    "crowded": "crowded repository",
    "wide": "wide overlays",
    "start": "starting",
    "editing": "editing alone",
}
_SHELL = "shell recipe"


def put_between(path: Path, name: str, text: str) -> None:
    """Replace what stands between the markers called `name` in a Markdown file."""
    begin, end = f"<!-- bench:{name} -->", f"<!-- bench:{name} end -->"
    whole = path.read_text(encoding="utf-8")
    before, found, rest = whole.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{path}: no {begin} … {end}")
    path.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", encoding="utf-8")


def single_text(results: Mapping[str, Any]) -> str:
    """The generated part about single runs."""
    rows: Rows = results["rows"]
    parts = [on_machine(results), figures_table(single_figures(rows))]
    for case in dict.fromkeys(row["case"] for row in rows):
        mine = [row for row in rows if row["case"] == case]
        parts.append(f"### {_title(case, results)}\n\n{_single_table(mine)}")
    return "\n\n".join([*parts, _left_out(results)])


def crowd_text(results: Mapping[str, Any]) -> str:
    """The generated part about many writers."""
    rows: Rows = results["rows"]
    header = (
        "writers",
        "who",
        "trials",
        "landed (worst)",
        "lost",
        "doubled",
        "gave up",
        "wall s (min-max)",
        "p50 s",
        "p99 s",
        "pushes",
        "per landed",
        "published",
        "CPU s",
    )
    lines = [
        (
            row["writers"],
            row["peer"],
            row["trials"],
            f"{row['landed']} of {row['writers']}",
            row["lost"],
            row["doubled"],
            row["failed"],
            f"{row['wall']:.2f} ({row['low']:.2f}-{row['high']:.2f})",
            f"{row['p50']:.2f}",
            f"{row['p99']:.2f}",
            f"{row['pushes']:.0f}",
            "-" if row["per_landed"] is None else f"{row['per_landed']:.1f}",
            f"{row['intents']:.0f}",
            f"{row['cpu']:.1f}",
        )
        for row in rows
    ]
    left = sum(row["left"] for row in rows)
    unsound = sum(row["unsound"] for row in rows)
    after = (
        f"Refs of gitops left over after all trials: {left}. Trials after which `git fsck` "
        f"complained: {unsound}."
    )
    steady: Rows = results.get("steady", [])
    figures = figures_table(crowd_figures([*rows, *steady]))
    parts = [
        on_machine(results),
        figures,
        table(header, lines) if rows else "",
        _steady_text(steady),
    ]
    return "\n\n".join([*filter(None, parts), after, _left_out(results)])


def _steady_text(rows: Rows) -> str:
    """The table of workers that deploy again and again."""
    header = ("workers", "who", "landed", "lost", "doubled", "gave up", "wall s", "p50 s", "p99 s")
    lines = [
        (
            row["writers"],
            row["peer"],
            f"{row['landed']} of {row['deploys']}",
            row["lost"],
            row["doubled"],
            row["failed"],
            f"{row['wall']:.0f}",
            f"{row['p50']:.2f}",
            f"{row['p99']:.2f}",
            "-" if row["per_landed"] is None else f"{row['per_landed']:.1f}",
            f"{row['cpu']:.0f}",
        )
        for row in rows
    ]
    told = "A steady load: whoever has landed begins anew at once, until all deploys are made."
    return f"{told}\n\n{table((*header, 'pushes per landed', 'CPU s'), lines)}" if rows else ""


def far_text(results: Mapping[str, Any]) -> str:
    """The generated part about a long way to the server."""
    rows: Rows = results["rows"]
    parts = [on_machine(results), figures_table(far_figures(rows))]
    for case in dict.fromkeys(row["case"] for row in rows):
        mine = [row for row in rows if row["case"] == case]
        parts.append(f"### {_title(case, results)}\n\n{_single_table(mine)}")
    return "\n\n".join([*parts, _left_out(results)])


def on_machine(results: Mapping[str, Any]) -> str:
    """When and on what it was measured."""
    machine = results["machine"]
    quick = " **A smoke run on small repositories: no figure of it means anything.**"
    return (
        f"{results['date']}, {machine['cores']} cores, {machine['system']}, "
        f"git {machine['git']}, Python {machine['python']}, {machine['gitops'] or 'no gitops'}; "
        f"work trees {'on a memory disk' if machine.get('disk') == 'memory' else 'kept'}; "
        f"{results['runs']} {'trials' if results['part'] == 'crowd' else 'runs'} each, interleaved."
        f"{quick if results['quick'] else ''}"
    )


def _title(case: str, results: Mapping[str, Any]) -> str:
    word, _, rtt = case.partition(" +")
    shape = results["shapes"].get(word)
    title = _WORDS[word]
    if shape is not None:
        title += f": {shape['files']:,} files, {shape['commits']:,} commits"
        title += f", {shape['images']} images per overlay"
        title += f", {shape['refs']:,} branches" if shape["refs"] else ""
    return f"{title}, {rtt} round trip" if rtt else title


def _single_table(rows: Rows) -> str:
    first = next((row.get("wall") for row in rows if row["peer"] == _SHELL), None)
    header = (
        "who",
        "wall ms (min-max)",
        "beside the shell",
        "CPU ms",
        "memory MB",
        "requests",
        "connections",
        "bytes up",
        "bytes down",
        "failed",
    )
    lines = []
    for row in rows:
        if "wall" not in row:
            lines.append((row["peer"], *["-"] * 8, f"all: {_one_line(row['words'])}"))
            continue
        lines.append(
            (
                row["peer"],
                f"{_ms(row['wall'])} ({_ms(row['low'])}-{_ms(row['high'])})",
                f"{row['wall'] / first:.2f}x" if first else "-",
                _ms(row["cpu"]),
                f"{row['memory'] / 1e6:.0f}" if row["memory"] else "-",
                f"{row['requests']:.0f}",
                f"{row['connections']:.0f}",
                f"{row['up']:,.0f}",
                f"{row['down']:,.0f}",
                row["failures"],
            )
        )
    return table(header, lines)


def _left_out(results: Mapping[str, Any]) -> str:
    missing: Sequence[str] = results["missing"]
    if not missing:
        return "Nobody was left out."
    return "Left out:\n\n" + "\n".join(f"- {_one_line(text)}" for text in missing)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:160]
