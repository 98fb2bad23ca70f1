"""`gitops hold --all`: the emergency stop for everything."""

from __future__ import annotations

import pytest

from manifests import Manifests


def test_hold_all_stops_automation_everywhere(manifests: Manifests) -> None:
    """CI's next call writes nothing and lists every environment with the reason."""
    held = manifests.gitops("hold", "--all", "--reason", "INC-42", "-o", "json")
    bumped = manifests.gitops("deploy", "shop/api:1.9.0", "--ref", "main", "-o", "json")
    named = manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev", "-o", "json")

    assert ("committed", "INC-42") == (held.json["outcome"], held.json["hold"]["reason"])
    assert 'reason: "INC-42"' in manifests.file(".gitops/hold.yaml")
    assert (0, "unchanged") == (bumped.code, bumped.json["outcome"])
    assert [("dev", "held by Mona Test: INC-42"), ("test", "held by Mona Test: INC-42")] == [
        (row["environment"], row["reason"]) for row in bumped.json["skipped"]
    ]
    assert (1, ["dev: held by Mona Test: INC-42"]) == (named.code, named.json["error"]["reasons"])


def test_rollback_goes_through_a_hold_of_everything(manifests: Manifests) -> None:
    """An emergency stop never stops the way back."""
    manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev")
    manifests.gitops("hold", "--all", "--reason", "INC-42")
    result = manifests.gitops("rollback", "dev", "-o", "json")

    assert "committed" == result.json["outcome"]


def test_hold_all_twice_names_the_holder(manifests: Manifests) -> None:
    """The second one is refused, so that nobody lifts somebody else's stop by accident."""
    manifests.gitops("hold", "--all", "--reason", "INC-42")
    again = manifests.gitops("hold", "--all", "--reason", "INC-43", "-o", "json")

    assert (1, "refused") == (again.code, again.json["error"]["code"])
    assert "Mona Test: INC-42" in again.json["error"]["message"]


def test_resume_all_keeps_the_holds_of_single_environments(manifests: Manifests) -> None:
    """What somebody held for a reason of its own stays held, and is named."""
    manifests.gitops("hold", "test", "--reason", "audit")
    manifests.gitops("hold", "--all", "--reason", "INC-42")
    single = manifests.gitops("resume", "dev", "-o", "json")
    lifted = manifests.gitops("resume", "--all", "-o", "json")
    nothing = manifests.gitops("resume", "--all", "-o", "json")
    after = manifests.gitops("deploy", "shop/api:1.9.0", "--ref", "main", "-o", "json")

    assert ("unchanged", ["dev: a wider hold stands, by Mona Test: INC-42"]) == (
        single.json["outcome"],
        single.json["warnings"],
    )
    assert ("committed", ["test stays held: it has a hold of its own"]) == (
        lifted.json["outcome"],
        lifted.json["warnings"],
    )
    assert "unchanged" == nothing.json["outcome"]
    assert ["dev"] == [change["environment"] for change in after.json["changes"]]
    assert ["held by Mona Test: audit"] == [row["reason"] for row in after.json["skipped"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("hold", "--reason", "x"),
        ("hold", "dev", "--all", "--reason", "x"),
        ("hold", "--all", "--app", "api", "--reason", "x"),
        ("hold", "--all", "--reason", " "),
        ("resume",),
        ("resume", "dev", "--all"),
    ],
)
def test_one_environment_or_all(manifests: Manifests, arguments: tuple[str, ...]) -> None:
    """A call that says neither, or both, is wrong usage and writes nothing."""
    head = manifests.git("rev-parse", "main")
    result = manifests.gitops(*arguments, "-o", "json")

    assert (2, "usage") == (result.code, result.json["error"]["code"])
    assert head == manifests.git("rev-parse", "main")
