"""What `status` said is said again where nothing changed, and is what it would say anew."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from fakes import START, FakeClock
from gitops.actions import status as action
from gitops.actions.context.session import Session
from gitops.actions.status import status
from gitops.adapters.gitrepo.cache.index import KeptIndex
from gitops.cli.render import kept
from gitops.cli.render.read import print_status
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.hold import HOLD_ALL_PATH, Hold, hold_path, render_hold
from gitops.core.kustomization.image import ImageValue
from gitops.core.report import OverlayStatus, StatusPart, StatusReport
from index_stories import APPS, NOON, Story, config, session_of

Capture = pytest.CaptureFixture[str]
ROW = Environment("dev", "apps/{app}/dev")


def said(session: Session, capsys: Capture, output: str = "text") -> tuple[str, str]:
    """What `status` prints: on standard output, and beside it."""
    capsys.readouterr()
    assert print_status(status(session), output, session.index) == 0
    printed = capsys.readouterr()
    return printed.out, printed.err


def agrees(story: Story, index: KeptIndex, capsys: Capture) -> None:
    """With the index and without it, the same is said in both ways."""
    for output in ("text", "json"):
        again = said(session_of(story.repository, index), capsys, output)
        assert again == said(session_of(story.repository, None), capsys, output)


def words(index: KeptIndex) -> dict[str, bytes]:
    """What was kept of what was said."""
    return {name: page for name, page in index._pages.items() if name.startswith("said ")}


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(1, 13))
def test_it_says_what_it_would_say_anew(seed: int, capsys: Capture) -> None:
    """Deploys, holds of one and of all, words of the ledger, proposals, damage: at every step."""
    story, index = Story(seed), KeptIndex(None)

    def hold_all() -> None:
        held = story.draw.random() < 0.5
        file = render_hold(Hold("Ana", NOON, "INC-2")) if held else None
        story.commit({HOLD_ALL_PATH: file})

    steps = [*story.steps, story.say, hold_all]
    for _ in range(8):
        for _ in range(story.draw.choice([0, 1, 1, 2])):
            story.draw.choice(steps)()
        agrees(story, index, capsys)


def test_only_what_changed_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """One deploy later the overlays of its environment are told, and no other one is looked at."""
    story, index = Story(1), KeptIndex(None)
    agrees(story, index, capsys)
    plain = action._Told.status
    for tag, environments in (("9", {"dev"}), ("v" * 40, {"dev", "prod"})):
        asked: set[str] = set()

        def watched(
            self: action._Told, overlay: Overlay, known: object, asked: set[str] = asked
        ) -> OverlayStatus:
            asked.add(overlay.environment.name)
            return plain(self, overlay, known)  # type: ignore[arg-type]

        story.commit({story.file("a", "dev"): f"images: [{{name: a, newTag: {tag}}}]".encode()})
        monkeypatch.setattr(action._Told, "status", watched)
        text, _ = said(session_of(story.repository, index), capsys)
        assert tag in text
        # Where a column became wider all lines are laid out anew.
        assert asked == environments
        asked.clear()
        said(session_of(story.repository, index), capsys, "json")
        assert asked == {"dev"}
        monkeypatch.undo()
        agrees(story, index, capsys)


def test_what_is_warned_of_is_warned_of_again(capsys: Capture) -> None:
    """Something else runs than what a hold restored: each call says so."""
    story, index = Story(1), KeptIndex(None)
    path = story.file("a", "dev")
    good = story.commit({path: b"images: [{name: a, newTag: 2}]\n"})
    hold = Hold("Ana", NOON, "INC-1", restores=good, rolled_back=good)
    story.commit({hold_path("dev", "a"): render_hold(hold)})
    story.commit({path: b"images: [{name: a, newTag: 3}]\n"})
    for _ in range(2):
        agrees(story, index, capsys)
        assert "but runs a 3" in said(session_of(story.repository, index), capsys)[1]


def test_a_freeze_is_told_while_it_stands(capsys: Capture) -> None:
    """It begins and ends without a commit."""
    story, index = Story(1), KeptIndex(None)
    window = 'freeze:\n  - {name: x, reason: INC-9, from: "2026-01-01", to: "2026-01-06"}\n'
    story.commit({"gitops.yaml": config(story.pattern, None) + window.encode()})
    for days, frozen in ((0, True), (3, False), (0, True)):
        session = session_of(story.repository, index)
        clock = FakeClock(START + timedelta(days=days))
        for output in ("text", "json"):
            out, _ = said(replace(session, clock=clock), capsys, output)
            assert ("INC-9" in out) == frozen


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page[:-1],
        lambda page: page + b"x",
        lambda page: b"",
        lambda page: page[:-9] + bytes([page[-9] ^ 1]) + page[-8:],
    ],
)
def test_damaged_words_are_none(change: Callable[[bytes], bytes], capsys: Capture) -> None:
    """All is told anew, and kept."""
    story, index = Story(1), KeptIndex(None)
    agrees(story, index, capsys)
    whole = words(index)
    assert len(whole) == 4
    index._pages |= {name: change(page) for name, page in whole.items()}
    agrees(story, index, capsys)
    assert words(index) == whole


def test_words_of_another_version_are_none(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """What an older gitops said is not said by a newer one."""
    story, index = Story(1), KeptIndex(None)
    agrees(story, index, capsys)
    before = words(index)
    monkeypatch.setattr(kept, "_FORM", "another")
    agrees(story, index, capsys)
    assert set(before) == set(words(index))
    assert not set(before.values()) & set(words(index).values())


def test_what_hangs_on_more_is_not_kept(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part without a mark; and on a terminal, where times are as long ago as they are by now."""
    index = KeptIndex(None)
    entry = OverlayStatus(Overlay(ROW, "a"), "main", {"a": ImageValue(tag="1")}, "c" * 40, NOON)
    report = StatusReport("main", "memory", (StatusPart.of([entry]),))
    for output in ("text", "json"):
        print_status(report, output, index)
    assert not words(index)
    report = replace(report, parts=(StatusPart(lambda: (entry,), "x main:dev"),))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_status(report, "text", index, wide=True)
    assert not words(index)
    monkeypatch.undo()
    print_status(report, "text", index)
    assert list(words(index)) == ["said text main main:dev"]


def test_words_that_are_no_text(capsys: Capture) -> None:
    """Half of a pair of surrogates is shown as it ever was, and not kept."""
    index = KeptIndex(None)
    entry = OverlayStatus(Overlay(ROW, "a"), "main", None, problem="no \ud800")
    report = StatusReport("main", "memory", (StatusPart(lambda: (entry,), "x main:dev"),))
    print_status(report, "json", index)
    assert json.loads(capsys.readouterr().out)["environments"][0]["problem"] == "no \ud800"
    assert not words(index)
    for _ in range(2):
        print_status(report, "text", index)
        assert capsys.readouterr().out == "a/dev  no \ufffd\n"


def test_kept_words_in_another_encoding(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """A standard output that is not UTF-8 gets escapes, of what was kept, too."""
    story, index = Story(1), KeptIndex(None)
    story.commit({story.file("a", "dev"): "images: [{name: é, newTag: 1}]".encode()})
    wanted = json.loads(said(session_of(story.repository, index), capsys, "json")[0])
    for _ in range(2):
        stream = io.TextIOWrapper(io.BytesIO(), "ascii")
        monkeypatch.setattr(sys, "stdout", stream)
        print_status(status(session_of(story.repository, index)), "json", index)
        stream.flush()
        shown = stream.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
        monkeypatch.undo()
        assert json.loads(shown) == wanted
    assert APPS[0] in shown
