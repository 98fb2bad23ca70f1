"""What people are told of: events of commits, who hears, and the words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gitops.core.environments.rows import NotifyRow
from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.notifications.event import Event, channels_of, events_of_commits
from gitops.core.notifications.told import ToldMark, Undelivered, read_told
from gitops.core.notifications.words import body_of, page_of, summary_of, title_of
from gitops.core.text.documents import write_document

WHEN = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)


def commit(message: str) -> CommitInfo:
    """A commit by Ana."""
    return CommitInfo("c" * 40, ("b" * 40,), Identity("Ana", "ana@example.com"), WHEN, message)


def event(kind: str = "rollback", *labels: str, **fields: str) -> Event:
    """An event of some overlays."""
    made = {"id": "1", "what": "rolled back", **fields}
    return Event(kind=kind, labels=labels or ("prod",), **made)  # type: ignore[arg-type]


ROLLBACK = """\
prod: rollback shop/api 1.5.0 -> 1.4.2

Reason: errors since 03:00

Gitops-Action: rollback
Gitops-Environment: prod
Gitops-Environment: shop/stage
"""


def test_a_rollback_is_told_with_its_reason() -> None:
    """The overlays, who, when and why come from the commit."""
    (found,) = events_of_commits([commit(ROLLBACK)])

    assert ("rollback", ("prod", "shop/stage"), "Ana") == (found.kind, found.labels, found.by)
    assert "prod: rollback shop/api 1.5.0 -> 1.4.2" == found.subject
    assert WHEN == found.time


@pytest.mark.parametrize(
    "message",
    [
        "prod: shop/api 1.5.0\n\nGitops-Action: deploy\nGitops-Environment: prod\n",
        "by hand\n",
        "prod: rollback\n\nGitops-Action: rollback\n",
        "prod: rollback\n\nGitops-Action: rollback\nGitops-Environment: prod\nand prose\n",
        "",
    ],
)
def test_other_commits_are_not_told(message: str) -> None:
    """Deploys, commits by hand, and what only looks like a rollback."""
    assert () == events_of_commits([commit(message)])


def test_foreign_words_stay_one_line() -> None:
    """What anybody may push cannot make lines, or move a terminal's cursor."""
    message = "a\x1b[2J\u2028b\n\nGitops-Action: hold\nGitops-Environment: p\x07rod\n"
    (found,) = events_of_commits([commit(message)])

    assert (title_of(found) + body_of(found, None).replace("\n", "")).isprintable()


def test_who_hears() -> None:
    """By environment and kind, the app's too; nothing named is all; each channel once."""
    rows = (
        NotifyRow("oncall", ("prod",), ("rollback",)),
        NotifyRow("oncall"),
        NotifyRow("qa", ("stage",)),
        NotifyRow("holds", (), ("hold",)),
    )

    assert ("oncall",) == channels_of(event("rollback", "shop/prod"), rows)
    assert ("oncall", "qa") == channels_of(event("rollback", "prod", "shop/stage"), rows)
    assert ("oncall", "holds") == channels_of(event("hold", "dev"), rows)


def test_words_fit_a_locked_phone() -> None:
    """The title says what and where; the body who, why, and where to look."""
    proposal = event(
        "proposal", "shop/prod", what="waits for approval", by="Ana", url="https://git.example/7"
    )

    assert "⏳ shop/prod waits for approval" == title_of(proposal)
    assert "↩ dev, prod: rolled back" == title_of(event("rollback", "dev", "prod"))
    assert "by Ana\nhttps://git.example/7\nhttps://g.example/e/prod/shop/approve" == body_of(
        proposal, "https://g.example"
    )
    assert "gitops approve shop/prod" in body_of(proposal, None)


def test_links_are_quoted() -> None:
    """No label leaves its place in a path."""
    assert "/e/prod%3F/a%20b" == page_of(event("hold", "a b/prod?"))
    assert "/" == page_of(event("hold", "dev", "prod"))


def test_many_become_one() -> None:
    """A storm is one message with a count."""
    title, body = summary_of(tuple(event("hold", f"e{n}") for n in range(30)), None)

    assert "30 more events of your environments" == title
    assert "and 20 more" == body.split("\n")[-1]


def test_told_comes_back() -> None:
    """What is kept reads the same, with new lines for a diff."""
    told = ToldMark(
        {"main": "a" * 40}, {"prod": "b" * 40}, {}, (Undelivered("oncall", "t", "why", "now"),)
    )

    assert told == read_told(write_document(told))
    assert b"\n" in write_document(told).strip()


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"[]",
        b'{"tips": 3}',
        b"\xff",
        b"[" * 100_000,
        b'{"tips":{}, "x":' + b" " * 5_000_000,
    ],
)
def test_damaged_told_is_none(content: bytes | None) -> None:
    """Whoever may push can put anything there: telling begins anew, and nothing breaks."""
    assert read_told(content) is None


def test_words_of_others_call_nobody() -> None:
    """Chats take messages as Markdown: no ping of everybody, no link under another name."""
    said = "see [Approve](https://evil.example) <@U1> <https://evil.example|Approve> @everyone"
    event = Event("c", "rollback", ("prod",), "rolled back @here", said, f"Ana {said}", said)
    told = f"{title_of(event)}\n{body_of(event, None)}"
    for call in ("](", "<@", "<h", "@everyone", "@here"):
        assert call not in told
    assert "https://evil.example" in told
    assert "see [Approve]\u2060(https://evil.example)" in told
