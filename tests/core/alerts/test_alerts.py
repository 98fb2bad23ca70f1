"""Bodies of Alertmanager, and every guard that says no."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.core.alerts.alert import Alert, read_alerts
from gitops.core.alerts.rule import (
    AlertPlace,
    Unplaced,
    at_once,
    elsewhere,
    limited,
    place_of,
    untimely,
)
from gitops.core.environments.rows import AlertRow

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
BUDGET = AlertRow("budget", {"alertname": "Burn"}, environment_label="env", app_label="service")
FIXED = AlertRow("errors", {"alertname": "Errors", "severity": "page"}, environment="prod")
LABELS = ("prod", "shop/prod", "shop/stage")


def alert(labels: Mapping[str, str], **fields: Any) -> Alert:
    """An alert that fires since now."""
    return Alert(**{"fingerprint": "f1", "firing": True, "starts_at": NOW, **fields}, labels=labels)


def body(**changes: Any) -> bytes:
    """A body with one alert, as Alertmanager 0.25 sends it."""
    one = {
        "status": "firing",
        "labels": {"alertname": "Burn", "env": "prod"},
        "annotations": {"summary": "too many\nerrors"},
        "startsAt": "2026-11-29T03:00:00.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph?g0.expr=x",
        "fingerprint": "c2a9",
        **changes.pop("alert", {}),
    }
    told = {"version": "4", "status": "firing", "truncatedAlerts": 0, "alerts": [one], **changes}
    return json.dumps(told).encode()


def test_a_body() -> None:
    """Labels, times, words on one line; a repeat has the same key, a new firing another one."""
    (one,) = read_alerts(body()).alerts

    assert ("Burn", True, "too many errors") == (one.name, one.firing, one.summary)
    assert NOW == one.starts_at.replace(microsecond=0)
    assert one.ends_at is None
    again = read_alerts(body(alert={"startsAt": "2026-11-29T04:00:00Z"})).alerts[0]
    assert one.key == read_alerts(body()).alerts[0].key != again.key


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no list"),
        (b'{"alerts": 3}', "no list"),
        (b'{"alerts": [3]}', "no mapping"),
        (body(version="3"), "version"),
        (body(alert={"status": "maybe"}), "status"),
        (body(alert={"labels": {"a": 1}}), "not all texts"),
        (body(alert={"labels": {str(n): "" for n in range(100)}}), "at most 64"),
        (body(alert={"startsAt": "yesterday"}), "startsAt"),
        (b" " * (1 << 21), "larger"),
    ],
)
def test_what_is_no_body(content: bytes, words: str) -> None:
    """Each is said, so that its sender gets a 400, and never again."""
    with pytest.raises(ValueError, match=words):
        read_alerts(content)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_anything_is_read_or_refused(told: Any) -> None:
    """Whatever stands in a body, it is read or refused, and breaks nothing."""
    try:
        read_alerts(json.dumps({"alerts": [told], "version": "4"}).encode())
    except ValueError:
        return


def test_truncated_bodies_say_so() -> None:
    """What Alertmanager left out is counted."""
    assert 3 == read_alerts(body(truncatedAlerts=3)).truncated


def test_the_overlay_of_an_alert() -> None:
    """By a label or a fixed name; the app where the row says one."""
    found = place_of(
        alert({"alertname": "Burn", "env": "prod", "service": "shop"}), [BUDGET], LABELS
    )
    fixed = place_of(alert({"alertname": "Errors", "severity": "page"}), [BUDGET, FIXED], LABELS)

    assert isinstance(found, AlertPlace)
    assert "shop/prod" == found.label
    assert isinstance(fixed, AlertPlace)
    assert "prod" == fixed.label


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"alertname": "Other"}, "no row"),
        ({"alertname": "burn", "env": "prod"}, "no row"),
        ({"alertname": "Errors", "severity": "ticket"}, "no row"),
        ({"alertname": "Burn", "service": "shop"}, "no label env"),
        ({"alertname": "Burn", "env": "prod"}, "no label service"),
        ({"alertname": "Burn", "env": "", "service": "shop"}, "no label env"),
        ({"alertname": "Burn", "env": "prod", "service": "../x"}, "no overlay"),
        ({"alertname": "Burn", "env": "prod", "service": "web"}, "no overlay web/prod"),
    ],
)
def test_no_overlay(labels: dict[str, str], words: str) -> None:
    """Labels fit exactly one row and one overlay, or nothing is done."""
    found = place_of(alert(labels), [BUDGET, FIXED], LABELS)

    assert isinstance(found, Unplaced)
    assert words in found.why


def test_two_rows_are_none() -> None:
    """Where two rows fit, nobody knows which is meant."""
    found = place_of(alert({"alertname": "Errors", "severity": "page"}), [FIXED, FIXED], LABELS)

    assert isinstance(found, Unplaced)
    assert "several rows" in found.why


@pytest.mark.parametrize(
    ("live", "fields", "words"),
    [
        (NOW - timedelta(minutes=5), {}, None),
        (NOW, {}, None),
        (NOW + timedelta(seconds=1), {}, "older trouble"),
        (NOW - timedelta(minutes=31), {}, "`within` is 30m"),
        (None, {}, "nobody knows"),
        (NOW - timedelta(minutes=5), {"firing": False}, "ended"),
    ],
)
def test_time(live: datetime | None, fields: dict[str, Any], words: str | None) -> None:
    """Only what began after the release, and soon after it, is its doing."""
    why = untimely(alert({}, **fields), live, 1800, "5f2c5f2")

    assert (words is None) is (why is None)
    assert (words or "") in (why or "")


@pytest.mark.parametrize(
    ("wanting", "released", "stops"),
    [
        ({}, 1, False),
        ({"a": NOW}, 1, False),
        ({"a": NOW, "b": NOW}, 1, True),
        ({"a": NOW, "b": NOW - timedelta(minutes=6)}, 1, False),
        ({"a": NOW, "b": NOW}, 100, False),
        ({str(n): NOW for n in range(20)}, 100, True),
    ],
)
def test_many_at_once(wanting: dict[str, datetime], released: int, stops: bool) -> None:
    """Three, and a fifth of what was released lately, are nobody's release."""
    assert stops is (at_once("mine", wanting, NOW, released) is not None)


def test_the_same_alert_elsewhere() -> None:
    """What fires in another environment as well is seldom one release."""
    place = AlertPlace(FIXED, "prod", None)
    mine = alert({"alertname": "Errors"})

    assert elsewhere(mine, place, [("Errors", "prod"), ("Burn", "stage")]) is None
    assert "stage" in (elsewhere(mine, place, [("Errors", "stage")]) or "")


@pytest.mark.parametrize(
    ("on_alert", "why", "today", "action"),
    [
        ("off", None, 0, "none"),
        ("off", "x", 0, "none"),
        ("tell", None, 0, "tell"),
        ("propose", None, 0, "propose"),
        ("propose", "x", 0, "tell"),
        ("rollback", "x", 0, "tell"),
        ("rollback", None, 1, "rollback"),
        ("rollback", None, 2, "propose"),
    ],
)
def test_what_on_alert_allows(on_alert: Any, why: str | None, today: int, action: str) -> None:
    """A guard that says no leaves it to people; beyond the day's limit it proposes."""
    assert action == limited(on_alert, why, today, 2).action
