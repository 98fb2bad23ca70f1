"""The figures that were asked for: what is wanted at least, what is the aim, what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peers import KEYED, RETRY

Rows = Sequence[Mapping[str, Any]]
_SHELL = "shell recipe"


@dataclass(frozen=True)
class Figure:
    """One figure; smaller is better.

    Attributes:
        what: for people.
        least: what is wanted at least; None: the figure is only shown.
        aim: what it should become; None: the same.
        seen: None when it was not measured.
        unit: `x` for a ratio, ` MB`, ` ms`, ` s`, or nothing for a count.
    """

    what: str
    least: float | None
    aim: float | None
    seen: float | None
    unit: str = "x"

    def cells(self) -> tuple[str, ...]:
        """What the table shows."""
        return (
            self.what,
            self._words(self.least),
            self._words(self.aim),
            self._words(self.seen),
            self.met(),
        )

    def met(self) -> str:
        """Say whether it is as wanted; the figure counts as it is shown."""
        if self.seen is None or self.least is None:
            return "-"
        seen = round(self.seen, self._digits)
        if self.aim is not None and seen <= self.aim:
            return "aim"
        return "yes" if seen <= self.least else "**no**"

    @property
    def _digits(self) -> int:
        return {"x": 2, " s": 2, "": 1}.get(self.unit, 0)

    def _words(self, value: float | None) -> str:
        if value is None:
            return "-"
        text = f"{value:.{self._digits}f}"
        return (text.removesuffix(".0") if not self.unit else text) + self.unit


def single_figures(rows: Rows) -> list[Figure]:
    """The figures of single runs."""

    def value(case: str, peer: str, column: str = "wall") -> float | None:
        for row in rows:
            if row["case"] == case and row["peer"].startswith(peer):
                found: float | None = row.get(column)
                return found
        return None

    small, large = value("small", "gitops"), value("large", "gitops")
    deep, wide = value("deep", "gitops"), value("wide", "gitops")
    many = next((row.get("wall") for row in rows if " images in " in row["peer"]), None)
    back = value("deep", "gitops rollback, the")
    editing = value("editing", "an overlay", "cpu")
    help_, python = value("start", "gitops --help"), value("start", "python")
    return [
        Figure("a bump, small, beside the shell", 1.2, 1.0, by(small, value("small", _SHELL))),
        Figure("a bump, large, beside the shell", 0.55, 0.4, by(large, value("large", _SHELL))),
        Figure(
            "large beside our own small, warm cache",
            1.3,
            1.1,
            by(value("large", "gitops, warm c"), value("small", "gitops, warm c")),
        ),
        Figure("the same without a cache", 1.3, 1.1, by(large, small)),
        Figure("requests of a cold bump", 4, 3, value("small", "gitops", "requests"), ""),
        Figure("requests of a warm bump", 2, 1, value("small", "gitops, warm c", "requests"), ""),
        Figure("the same, tip moved", 4, 3, value("small", "gitops, warm, t", "requests"), ""),
        Figure("connections, at most", 1, 1, _most(rows, "connections"), ""),
        Figure("rollback, deep, beside a bump there", 2.5, 1.3, by(back, deep)),
        Figure(
            "the same, 90 % of history ago",
            None,
            None,
            by(value("deep", "gitops rollback, 90"), deep),
        ),
        Figure("all images in 5 environments beside one", 1.5, None, by(many, wide)),
        Figure("CPU of editing 1,000 images", 20, None, _times(editing, 1000), " ms"),
        Figure("`gitops --help` beside `python -c pass`", 10, 6, by(help_, python)),
        Figure(
            "memory of a bump, all processes",
            120,
            80,
            _times(value("small", "gitops", "memory"), 1e-6),
            " MB",
        ),
        Figure(
            "the same with 100,000 branches",
            120,
            80,
            _times(value("crowded", "gitops", "memory"), 1e-6),
            " MB",
        ),
    ]


def far_figures(rows: Rows) -> list[Figure]:
    """The figures of a long way to the server."""
    found = []
    for case in dict.fromkeys(row["case"] for row in rows if row["case"].startswith("small")):
        walls = {row["peer"]: row.get("wall") for row in rows if row["case"] == case}
        shell, way = walls.get(_SHELL), case.partition("+")[2]
        aim = 0.7 if way.startswith("20 ") else 0.6
        for peer, least, best in (
            ("gitops", 0.85, aim),
            ("gitops, warm cache", 0.6, 0.45),
            ("gitops, warm, tip moved", 0.95, 0.6),
        ):
            seen = by(walls.get(peer), shell)
            found.append(Figure(f"{peer}, {way}, beside the shell", least, best, seen))
    return found


def forge_figures(rows: Rows) -> list[Figure]:
    """The figures of a real Gitea, at the longest way."""
    case = rows[-1]["case"]
    walls = {row["peer"]: row["wall"] for row in rows if row["case"] == case}
    api = next(wall for peer, wall in walls.items() if peer.startswith("contents"))
    way = case.partition("+")[2]
    return [
        Figure(f"cold beside two calls, {way}", 1.2, 1.0, by(walls["gitops"], api)),
        Figure(f"warm beside two calls, {way}", 0.8, 0.7, by(walls["gitops, warm cache"], api)),
    ]


def _most(rows: Rows, column: str) -> float | None:
    """Return the largest value of a column among the bumps by gitops."""
    bumps = ("gitops", "gitops, warm cache", "gitops, warm, tip moved")
    return max(
        (row[column] for row in rows if row["peer"] in bumps and column in row), default=None
    )


def crowd_figures(rows: Rows) -> list[Figure]:
    """The figures of many writers."""

    def value(peer: str, column: str, writers: int, *, steady: bool = False) -> float | None:
        for row in rows:
            if (row["peer"], row["writers"], "deploys" in row) == (peer, writers, steady):
                found: float | None = row[column]
                return found
        return None

    def astray(writers: int, peer: str) -> float | None:
        """Changes that did not land exactly once, and writers that gave up, in the worst trial."""
        landed = value(peer, "landed", writers)
        if landed is None:
            return None
        lost, doubled = value(peer, "lost", writers), value(peer, "doubled", writers)
        return writers - landed + (lost or 0) + (doubled or 0)

    shell = value(RETRY, "wall", 32)
    steady = {
        column: value("gitops", column, 32, steady=True)
        for column in ("landed", "deploys", "lost", "doubled", "p50", "p99")
    }
    astray_steady = None
    if steady["landed"] is not None and steady["deploys"] is not None:
        astray_steady = steady["deploys"] - steady["landed"] + (steady["doubled"] or 0)
    return [
        Figure("400 deploys by 32 workers: not landed, or doubled", 0, 0, astray_steady, ""),
        Figure("the same, p99 beside p50", 8, 4, by(steady["p99"], steady["p50"])),
        Figure("32 writers: not landed, lost or doubled", 0, 0, astray(32, "gitops"), ""),
        Figure("the same with the key", 0, 0, astray(32, KEYED), ""),
        Figure("64 writers, the same", 0, 0, astray(64, "gitops"), ""),
        Figure("the same with the key", 0, 0, astray(64, KEYED), ""),
        Figure(
            "32 with the key, wall beside the shell", 0.6, 0.2, by(value(KEYED, "wall", 32), shell)
        ),
        Figure("pushes per landed, 32 with the key", 4, 2.5, value(KEYED, "per_landed", 32), ""),
        Figure(
            "32 without the key, wall beside the shell",
            0.9,
            0.6,
            by(value("gitops", "wall", 32), shell),
        ),
    ]


def figures_table(figures: Sequence[Figure]) -> str:
    """The figures as a table."""
    header = ("what", "at least", "aim", "measured", "met")
    return table(header, [figure.cells() for figure in figures])


def table(header: Sequence[object], lines: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    return "\n".join([_line(header), "|" + "---|" * len(header), *map(_line, lines)])


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def by(value: float | None, other: float | None) -> float | None:
    """Return a value beside another one, None where one of them is not known."""
    return None if value is None or not other else value / other


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
