"""`--audit` and the member `audit`: whatever passed policy is told to machines, in one line."""

from __future__ import annotations

import json

from manifests import Manifests, Result

BEN = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}


def lines(result: Result) -> list[dict[str, object]]:
    """The lines of JSON on standard error."""
    return [json.loads(text) for text in result.err.splitlines() if text.startswith('{"audit"')]


def test_what_passed_policy_is_told(manifests: Manifests) -> None:
    """An override and what it passed, one that a proposal brought, a rollback past approval."""
    over = ("--override", "boss said so", "--audit")
    proposed = manifests.gitops("deploy", "shop/api:6.6.6", "--to", "prod", *over, "-o", "json")
    (told,) = lines(proposed)
    entry = {
        "kind": "override",
        "environment": "prod",
        "by": "Mona Test",
        "reason": "boss said so",
        "passed": "prod: shop/api 6.6.6 is not a release of stage",
    }
    assert ([entry], "deploy", "proposed") == (told["audit"], told["action"], told["outcome"])
    assert [entry] == proposed.json["audit"]
    assert proposed.json["commit"] == told["commit"]

    manifests.gitops("hold", "prod", "--reason", "INC-1")
    approved = manifests.gitops("approve", "prod", "--override", "INC-2", "--audit", env=BEN)
    (told,) = lines(approved)
    kinds = [(one["by"], one["reason"], one["passed"]) for one in told["audit"]]  # type: ignore[attr-defined]
    assert ("Mona Test", "boss said so", entry["passed"]) == kinds[0]
    assert ("Ben", "INC-2") == kinds[1][:2]
    assert "held by Mona Test: INC-1" in kinds[1][2]

    back = manifests.gitops("rollback", "prod", "--audit", "-o", "json")
    (told,) = lines(back)
    assert [("bypass", "prod", "Mona Test")] == [
        (one["kind"], one["environment"], one["by"])
        for one in told["audit"]  # type: ignore[attr-defined]
    ]


def test_nothing_to_tell(manifests: Manifests) -> None:
    """Where nothing was passed there is no line and no entry; without the option no line."""
    quiet = manifests.gitops("deploy", "shop/api:1.5.0", "--to", "stage", "--audit", "-o", "json")
    assert ([], []) == (lines(quiet), quiet.json["audit"])
    over = ("--override", "boss said so")
    silent = manifests.gitops("deploy", "shop/api:6.6.6", "--to", "prod", *over)
    assert (0, []) == (silent.code, lines(silent))
