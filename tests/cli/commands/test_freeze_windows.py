"""Freeze windows, end to end: what stops, what goes through, and where the opening is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from manifests import Manifests

LAST_DAY = datetime.now(UTC).date() + timedelta(days=9)
# The midnight that ends the day in Seoul is 15:00 of the same day in UTC.
OPENS = f"{LAST_DAY}T15:00:00Z"
FROZEN = f"frozen by year end: holidays; opens {OPENS}"


@pytest.fixture
def frozen(manifests: Manifests) -> Manifests:
    """The sample, dev frozen for some days more, after one deploy to dev and test."""
    manifests.gitops("deploy", "shop/api:1.8.0", "--ref", "main")
    window = (
        "freeze:\n  - {name: year end, environments: [dev], reason: holidays,\n"
        f'     from: "2001-12-20", to: "{LAST_DAY}", timezone: Asia/Seoul}}\n'
    )
    manifests.commit("Freeze dev", {"gitops.yaml": manifests.file("gitops.yaml") + window})
    return manifests


def test_deploy_by_ref_skips_a_frozen_environment(frozen: Manifests) -> None:
    """CI goes on with what is open, and tells why the rest waits."""
    result = frozen.gitops("deploy", "shop/api:1.9.0", "--ref", "main", "-o", "json")

    assert (0, "committed") == (result.code, result.json["outcome"])
    assert ["test"] == [row["environment"] for row in result.json["changes"]]
    assert [("dev", FROZEN)] == [
        (row["environment"], row["reason"]) for row in result.json["skipped"]
    ]


def test_deploy_by_name_is_refused_in_a_freeze(frozen: Manifests) -> None:
    """Nothing is half done; an override passes, and is recorded."""
    refused = frozen.gitops("deploy", "shop/api:1.9.0", "--to", "dev", "--to", "test", "-o", "json")
    passed = frozen.gitops("deploy", "shop/api:1.9.0", "--to", "dev", "--override", "INC-7")

    assert (1, [f"dev: {FROZEN}"]) == (refused.code, refused.json["error"]["reasons"])
    assert 0 == passed.code
    message = frozen.git("log", "-1", "--format=%B", "main")
    assert f"Gitops-Override: INC-7 (passed: dev: {FROZEN})" in message


def test_rollback_goes_through_a_freeze(frozen: Manifests) -> None:
    """Nobody waits for the new year with a broken release."""
    result = frozen.gitops("rollback", "dev", "-o", "json")

    assert "committed" == result.json["outcome"]
    assert ["1.4.1"] == [row["after"]["tag"] for row in result.json["changes"]]


def test_status_and_validate_show_the_opening(frozen: Manifests) -> None:
    """Whoever asks learns when it goes on, in text and as JSON."""
    rows = frozen.gitops("status", "-o", "json").json["environments"]
    text = frozen.gitops("status", "dev").out
    checked = frozen.gitops("validate")

    assert {
        "local": None,
        "dev": {"name": "year end", "reason": "holidays", "opens": OPENS},
        "test": None,
        "stage": None,
        "prod": None,
    } == {row["name"]: row["freeze"] for row in rows}
    assert f"! {FROZEN}" in text
    assert (0, True) == (checked.code, f"warning: dev is {FROZEN}" in checked.out)
