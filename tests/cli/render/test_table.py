"""`gitops status` on a terminal: a table as wide as the screen, widths as a screen counts."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from gitops.cli.render.table import status_table
from gitops.cli.render.terminal import columns, cut, width_of
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger.verdicts import CountedVerdict
from gitops.core.report import OverlayStatus
from manifests import Manifests, read_terminal

AGO = datetime.now(UTC) - timedelta(minutes=12, seconds=30)


def age() -> str:
    """Return how long ago that is by now: the tests before this one take their time."""
    return f"{(datetime.now(UTC) - AGO) // timedelta(minutes=1)}m"


STAGE = Environment("stage", "s")
PROD = Environment("prod", "p", after=("stage",))
DEGRADED = CountedVerdict("degraded", AGO, "Ana", None, 1)


def entry(
    environment: Environment, tag: str, app: str | None = None, image: str = "shop/api"
) -> OverlayStatus:
    """One overlay with one image, released twelve minutes ago."""
    return OverlayStatus(
        Overlay(environment, app),
        "main",
        {image: ImageValue(tag=tag)},
        commit="1" * 40,
        time=AGO,
        by="김철수 김철수",
    )


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("abc", 3),
        ("한글", 4),
        ("🚀", 2),
        ("e\u0301", 1),
        ("a\u200db", 2),
        ("café", 4),
        ("", 0),
        ("…", 1),
    ],
)
def test_widths_are_those_of_a_screen(text: str, width: int) -> None:
    """Korean and emoji take two columns, what combines takes none."""
    assert width_of(text) == width


def test_columns_stand_below_each_other() -> None:
    """Whatever a cell holds, the next column begins at the same place on the screen."""
    lines = columns([("한글", "x"), ("abc", "x"), ("🚀", "x")])

    assert {width_of(text[: text.index("x")]) for text in lines} == {6}


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("abcdef", 6, "abcdef"), ("abcdef", 4, "abc…"), ("한글한글", 5, "한글…"), ("한글", 3, "한…")],
)
def test_what_is_too_long_is_cut(text: str, width: int, expected: str) -> None:
    """It ends in `…` and never takes more columns."""
    assert cut(text, width) == expected
    assert width_of(cut(text, width)) <= width


def test_one_overlay_each() -> None:
    """Age and author stand in the head, the image by its short name, what is behind is marked."""
    table = status_table([entry(STAGE, "1.5"), entry(PROD, "1.4")], 80)

    assert table == [
        "     stage           prod",
        f"     {age()} 김철수 김…  {age()} 김철수 김…",
        "api  1.5             1.4 <",
        "< the environment before it has another",
    ]


def test_apps_have_all_in_the_cell() -> None:
    """Twelve apps in five environments take a line each; `!` marks what is held or bad."""
    environments = [Environment(name, name) for name in ("local", "dev", "test")] + [STAGE, PROD]
    entries = [
        entry(one, f"1.{number}.0", f"app-{number}", f"shop/app-{number}")
        for one in environments
        for number in range(12)
    ]
    held = Hold(by="Ana", since=AGO, reason="INC-42")
    entries[0] = OverlayStatus(entries[0].overlay, "main", entries[0].images, hold=held)
    table = status_table(entries, 120)

    assert table is not None
    assert len(table) <= 40
    assert max(map(width_of, table)) <= 120
    assert re.match(rf"app-0 +1\.0\.0 ! +1\.0\.0 {age()}", table[1])


def test_narrow_terminals_lose_the_author_then_the_age_then_the_table() -> None:
    """Nothing wraps: what is least needed goes first."""
    entries = [entry(one, "1.5.0", "api") for one in (STAGE, PROD)]
    wide, middle, small = (status_table(entries, width) for width in (80, 28, 20))

    assert "김철수" in str(wide)
    assert age() in str(wide)
    assert "김철수" not in str(middle)
    assert age() in str(middle)
    assert age() not in str(small)
    assert status_table(entries, 10) is None


def test_one_environment_is_no_table() -> None:
    """There the blocks say more."""
    assert status_table([entry(PROD, "1.4")], 80) is None


def test_names_that_are_not_unique_stay_whole() -> None:
    """Two images that end alike are told apart."""
    images = {"shop/api": ImageValue(tag="1"), "team/api": ImageValue(tag="2")}
    entries = [OverlayStatus(Overlay(one), "main", images) for one in (STAGE, PROD)]
    table = status_table(entries, 80)

    assert table is not None
    assert [text.split()[0] for text in table[1:]] == ["shop/api", "team/api"]


def test_failing() -> None:
    """A bad verdict or an overlay that cannot be read fails; a hold does not."""
    fine = entry(PROD, "1.4")
    assert not fine.is_failing
    assert OverlayStatus(fine.overlay, "main", None, problem="broken").is_failing
    assert OverlayStatus(fine.overlay, "main", {}, words=(DEGRADED,)).is_failing


def on_a_terminal(manifests: Manifests, *words: str, columns: int = 100) -> str:
    """Return what gitops prints on a terminal."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "COLUMNS": str(columns), "GITOPS_REPO": str(manifests.path)}
    with subprocess.Popen(
        [sys.executable, "-m", "gitops", *words],
        cwd=manifests.elsewhere,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as running:
        os.close(theirs)
        text = b"".join(read_terminal(ours))
        os.close(ours)
        assert running.wait() == 0
    return text.decode().replace("\r\n", "\n")


def test_the_sample_on_a_terminal(manifests: Manifests) -> None:
    """A table with ages; --wide has the blocks, with local time and age; a pipe stays as it was."""
    assert manifests.gitops("deploy", "shop/api:1.5.0", "--to", "dev").code == 0
    table = on_a_terminal(manifests, "status").splitlines()
    wide = on_a_terminal(manifests, "status", "--wide")
    piped = manifests.gitops("status").out

    assert table[0].split() == ["local", "dev", "test", "stage", "prod"]
    assert re.match(r"api +\S+ +1\.5\.0 ", table[2])
    assert re.search(r"dev +shop/api +1\.5\.0 +\d\d:\d\d, (\d+ \w+ ago|now) by ", wide)
    assert re.search(r"dev +shop/api +1\.5\.0 +\d{4}-\d\d-\d\d \d\d:\d\d by ", piped)
    assert manifests.gitops("status", "--wide").out == piped


def test_history_is_cut_to_the_terminal(manifests: Manifests) -> None:
    """No line wraps; a pipe gets all of it."""
    lines = on_a_terminal(manifests, "history", "dev", columns=40).splitlines()

    assert max(map(width_of, lines)) <= 40
    assert lines[0].endswith("…")
    assert "…" not in manifests.gitops("history", "dev").out


def test_only_what_fails(manifests: Manifests) -> None:
    """--failing leaves out the rest, in JSON too."""
    manifests.commit("Break it", {"overlays/test/kustomization.yaml": "images: {"})

    found = manifests.gitops("status", "--failing", "-o", "json").json["environments"]
    assert [one["name"] for one in found] == ["test"]
    assert manifests.gitops("status", "dev", "--failing").out == "nothing fails\n"
