"""Results as Markdown: the figures that were asked for, and all the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]
_WORDS = {
    "small": "small repository",
    "large": "large repository",
    "deep": "deep repository",
    "crowded": "crowded repository",
    "wide": "wide overlays",
    "start": "starting",
}
_SHELL = "shell recipe"
_RETRY = "shell, pull --rebase, random retry"


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
    parts = [_on(results), _figures(_single_figures(rows))]
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
        "landed (worst trial)",
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
    figures = _figures(_crowd_figures(rows))
    return "\n\n".join([_on(results), figures, _table(header, lines), after, _left_out(results)])


def _on(results: Mapping[str, Any]) -> str:
    machine = results["machine"]
    quick = " **A smoke run on small repositories: no figure of it means anything.**"
    return (
        f"{results['date']}, {machine['cores']} cores, {machine['system']}, "
        f"git {machine['git']}, Python {machine['python']}, {machine['gitops'] or 'no gitops'}; "
        f"{results['runs']} {'trials' if results['crowd'] else 'runs'} each, interleaved."
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
        "bytes up",
        "bytes down",
        "failed",
    )
    lines = []
    for row in rows:
        if "wall" not in row:
            lines.append((row["peer"], *["-"] * 7, f"all: {_one_line(row['words'])}"))
            continue
        lines.append(
            (
                row["peer"],
                f"{_ms(row['wall'])} ({_ms(row['low'])}-{_ms(row['high'])})",
                f"{row['wall'] / first:.2f}x" if first else "-",
                _ms(row["cpu"]),
                f"{row['memory'] / 1e6:.0f}",
                f"{row['requests']:.0f}",
                f"{row['up']:,.0f}",
                f"{row['down']:,.0f}",
                row["failures"],
            )
        )
    return _table(header, lines)


Figure = tuple[str, str, str, str]


def _single_figures(rows: Rows) -> list[Figure]:
    """What was asked for, at least, the aim, and what was seen."""

    def value(case: str, peer: str, column: str = "wall") -> float | None:
        for row in rows:
            if row["case"] == case and row["peer"].startswith(peer):
                found: float | None = row.get(column)
                return found
        return None

    small, large = value("small", "gitops"), value("large", "gitops")
    deep = value("deep", "gitops")
    memory = value("small", "gitops", "memory")
    cold, warm = value("small", "gitops", "requests"), value("small", "gitops, warm", "requests")
    return [
        ("a bump, small, beside the shell", "1.0x", "0.6x", _by(small, value("small", _SHELL))),
        ("a bump, large, beside the shell", "0.12x", "0.06x", _by(large, value("large", _SHELL))),
        ("large beside our own small", "1.3x", "1.1x", _by(large, small)),
        ("requests of a cold / warm bump", "5 / 3", "4 / 2", f"{_whole(cold)} / {_whole(warm)}"),
        (
            "rollback, deep, beside a bump there",
            "2.5x",
            "1.3x",
            _by(value("deep", "gitops rollback, the"), deep),
        ),
        (
            "the same, 90 % of history ago",
            "-",
            "-",
            _by(value("deep", "gitops rollback, 90"), deep),
        ),
        (
            "all images in 5 environments beside one",
            "1.5x",
            "-",
            _by(_wide(rows), value("wide", "gitops")),
        ),
        (
            "`gitops --help` beside `python -c pass`",
            "10x",
            "6x",
            _by(value("start", "gitops --help"), value("start", "python")),
        ),
        (
            "memory of a bump, all processes",
            "120 MB",
            "80 MB",
            "-" if memory is None else f"{memory / 1e6:.0f} MB",
        ),
    ]


def _wide(rows: Rows) -> float | None:
    return next((row.get("wall") for row in rows if " images in " in row["peer"]), None)


def _crowd_figures(rows: Rows) -> list[Figure]:
    def value(peer: str, column: str, writers: int = 32) -> float | None:
        for row in rows:
            if row["peer"] == peer and row["writers"] == writers:
                found: float | None = row[column]
                return found
        return None

    def fate(writers: int) -> str:
        seen = [
            f"{row['landed']}, {row['lost']}, {row['doubled']} ({row['peer']})"
            for row in rows
            if row["writers"] == writers and row["peer"].startswith("gitops")
        ]
        return "; ".join(seen) or "-"

    shell = value(_RETRY, "wall")
    pushes = value("gitops with the key", "per_landed")
    return [
        ("32 writers: landed, lost, doubled", "32, 0, 0", "32, 0, 0", fate(32)),
        ("64 writers: the same", "-", "64, 0, 0", fate(64)),
        (
            "32 with the key, wall beside shell",
            "0.6x",
            "0.2x",
            _by(value("gitops with the key", "wall"), shell),
        ),
        ("pushes per landed, 32 with the key", "4", "2.5", f"{pushes:.1f}" if pushes else "-"),
        (
            "32 without the key, wall beside shell",
            "0.9x",
            "0.6x",
            _by(value("gitops", "wall"), shell),
        ),
    ]


def _figures(figures: Sequence[Figure]) -> str:
    return _table(("what", "at least", "aim", "seen"), figures)


def _left_out(results: Mapping[str, Any]) -> str:
    missing: Sequence[str] = results["missing"]
    if not missing:
        return "Nobody was left out."
    return "Left out:\n\n" + "\n".join(f"- {_one_line(text)}" for text in missing)


def _table(header: Sequence[object], lines: Sequence[Sequence[object]]) -> str:
    return "\n".join([_line(header), "|" + "---|" * len(header), *map(_line, lines)])


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _by(value: float | None, other: float | None) -> str:
    return "-" if value is None or not other else f"{value / other:.2f}x"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:160]
