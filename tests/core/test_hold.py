"""Hold files: written, read back, and read when people wrote them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.core.hold import HOLD_ALL_PATH, Hold, hold_path, parse_hold, render_hold
from gitops.core.text.plain import one_line
from gitops.errors import ManifestError

PATH = ".gitops/holds/prod.yaml"
SINCE = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HOLD = Hold("Ana", SINCE, "INC-42", "a" * 40, "a" * 40, "b" * 40)


def test_the_file() -> None:
    """A plain file that a person can read, with every value quoted."""
    expected = f"""\
# Automation leaves this alone until `gitops resume`.
by: "Ana"
since: "2026-03-02T09:30:00Z"
reason: "INC-42"
release: "{"a" * 40}"
restores: "{"a" * 40}"
rolledBack: "{"b" * 40}"
"""

    assert expected == render_hold(HOLD).decode()


@pytest.mark.parametrize("hold", [HOLD, Hold("Ana", SINCE, "why"), Hold("Ana", None, "why")])
def test_what_is_written_is_read_back(hold: Hold) -> None:
    """Every field survives; what is not known is left out."""
    assert hold == parse_hold(render_hold(hold), PATH)


@given(st.text(), st.text())
def test_any_text_survives(by: str, reason: str) -> None:
    """Names and reasons come back as one clean line, whatever they hold."""
    hold = Hold(f"x{by}", SINCE, f"x{reason}")

    actual = parse_hold(render_hold(hold), PATH)

    assert Hold(one_line(hold.by), SINCE, one_line(hold.reason)) == actual


def test_since_is_written_in_utc() -> None:
    """A time of another zone is the same moment in UTC."""
    seoul = timezone(timedelta(hours=9))

    written = render_hold(Hold("Ana", SINCE.astimezone(seoul), "why"))

    assert b'since: "2026-03-02T09:30:00Z"\n' in written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("by: ana\nreason: INC-42\n", Hold("ana", None, "INC-42")),
        ("by: no\nreason: 42\n", Hold("no", None, "42")),
        ("{by: ana, reason: why, release: ~}", Hold("ana", None, "why")),
        ("by: ana\nreason: why\nticket: [1, 2]\n[a]: b\n", Hold("ana", None, "why")),
        ("\ufeffby: ana\r\nreason: why\r\n", Hold("ana", None, "why")),
        ("by: ana\nreason: |\n  two\n  lines\n", Hold("ana", None, "two lines")),
        ("by: a\nreason: b\nsince: 2026-03-02T09:30:00Z\n", Hold("a", SINCE, "b")),
        ("by: a\nreason: b\nsince: 2026-03-02 18:30:00+09:00\n", Hold("a", SINCE, "b")),
        ("by: a\nreason: b\nsince: 2026-03-02T09:30\n", Hold("a", SINCE, "b")),
    ],
)
def test_holds_that_people_wrote(text: str, expected: Hold) -> None:
    """Any YAML that says who and why is a hold; unknown keys are passed over."""
    assert expected == parse_hold(text.encode(), PATH)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", (1, 1), "a hold is a mapping"),
        ("- by", (1, 1), "a hold is a mapping"),
        ("by: ana\n", (1, 1), "reason is missing"),
        ("reason: why\n", (1, 1), "by is missing"),
        ("by: ''\nreason: why\n", (1, 1), "by is missing"),
        ("by: ana\nreason: why\nby: bo\n", (3, 5), "by stands twice"),
        ("by: ana\nreason: [why]\n", (2, 9), "reason is no text"),
        ("by: ana\nreason: why\nsince: soon\n", (3, 8), "since is no time"),
        ("by: ana\nreason: why\nsince: 0001-01-01T00:00+09:00\n", (3, 8), "since is no time"),
    ],
)
def test_what_is_no_hold(text: str, place: tuple[int, int], words: str) -> None:
    """A file that is no hold says where and why."""
    with pytest.raises(ManifestError) as error:
        parse_hold(text.encode(), PATH)

    assert place == (error.value.line, error.value.column)
    assert error.value.problem.startswith(words)


@pytest.mark.parametrize("content", [b"\xff", b"by: a\n\tb", b"{", b"by: \x00"])
def test_what_is_no_yaml(content: bytes) -> None:
    """Bytes that no parser takes are a ManifestError too."""
    with pytest.raises(ManifestError, match=PATH):
        parse_hold(content, PATH)


def test_where_holds_are() -> None:
    """One file for each environment, of each app where there are apps."""
    assert hold_path("prod", None) == ".gitops/holds/prod.yaml"
    assert hold_path("prod", "shop") == ".gitops/holds/shop/prod.yaml"
    assert HOLD_ALL_PATH == ".gitops/hold.yaml"
