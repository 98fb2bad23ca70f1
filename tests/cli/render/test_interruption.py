"""What an interrupted call says of what it pushed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitops import interrupts
from gitops.cli.errors import interrupted
from gitops.cli.render import wait
from gitops.cli.render.interruption import interruption
from gitops.core.report import WriteReport

URL = "https://git.example.com/shop/manifests.git"
NEW, OTHER = "1" * 40, "2" * 40


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of which nothing is known."""
    monkeypatch.setattr(interrupts, "_state", interrupts._State())
    interrupts.writes("intent-1")


def push(landed: bool | None, **moves: str | None) -> None:
    """Push, and hear what became of it; None: nothing was heard."""
    answered = interrupts.pushing(URL, moves)
    if landed is not None:
        answered(landed)


def test_nothing_was_pushed() -> None:
    """One word is enough, and no id is told that leads nowhere; a lost race has written nothing."""
    push(False, main=NEW)
    error = interruption()

    assert ("interrupted", None, None) == (error.message, error.hint, error.id)


def test_after_it_landed() -> None:
    """What landed is said to have landed, also where a second push is not known of."""
    push(True, main=NEW)
    after = interruption()
    push(None, **{"gitops/prod": OTHER})
    later = interruption()

    assert "interrupted afterwards: 1111111 on main had landed" == after.message
    assert "intent-1" in (after.hint or "")
    assert (
        "interrupted while a push was on its way: 1111111 on main had landed, "
        "2222222 on gitops/prod may have landed"
    ) == later.message
    assert [True, None] == [one["landed"] for one in later.pushes]


def test_a_later_push_takes_nothing_back() -> None:
    """The answer to one push got lost, the next one lost the race: the first may have landed."""
    push(None, main=NEW)
    push(False, main=OTHER)

    assert "1111111 on main may have landed" in interruption().message


def test_a_branch_that_goes() -> None:
    """A push that deletes is told as such."""
    push(None, **{"gitops/dev": None})

    assert "the end of gitops/dev may have landed" in interruption().message


def test_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the id, beside the error and in it."""
    push(None, main=NEW)
    code = interrupted(["deploy", "shop/api:2", "-o", "json"])
    document = json.loads(capsys.readouterr().out)

    assert (130, "intent-1") == (code, document["id"])
    assert {"id": "intent-1", "code": "interrupted"}.items() <= document["error"].items()
    assert [{"branch": "main", "commit": NEW, "landed": None}] == document["error"]["pushes"]


def test_while_argo_cd_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--wait -o json` still has the document of what was written, with the error in it."""

    def stop(*_: object, **__: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("gitops.actions.wait.wait_for", stop)
    push(True, main=NEW)
    report = WriteReport(
        action="deploy", outcome="committed", branch="main", repository=URL, commit=NEW
    )
    session: Any = None
    options: Any = None
    code = wait.follow(session, report, options, "json")
    document = json.loads(capsys.readouterr().out)

    assert (130, NEW, "interrupted") == (code, document["commit"], document["error"]["code"])
    assert interrupts.is_taken()
