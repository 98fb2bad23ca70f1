"""`gitops promote`: what goes from stage to prod, and every reason why it does not."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from manifests import Manifests

STAGE = "overlays/stage/kustomization.yaml"
PROD = "overlays/prod/kustomization.yaml"
LAST_DAY = datetime.now(UTC).date() + timedelta(days=9)
HOLIDAYS = f"""\
freeze:
  - {{name: year end, environments: [prod], reason: holidays,
     from: "2001-12-20", to: "{LAST_DAY}", timezone: Asia/Seoul}}
"""
# The midnight that ends the day in Seoul is 15:00 of the same day in UTC.
FROZEN = f"frozen by year end: holidays; opens {LAST_DAY}T15:00:00Z"
SHA = "5f2c" * 10


def configure(manifests: Manifests, *changes: tuple[str, str], more: str = "") -> None:
    """Commit a gitops.yaml with these replacements, and with `more` at its end."""
    text = manifests.file("gitops.yaml")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    manifests.commit("Change the rules", {"gitops.yaml": text + more})


def automatic(manifests: Manifests, *keys: str) -> None:
    """Let prod follow stage by itself, as commits, with further keys."""
    more = "".join(f"\n    {key}" for key in keys)
    configure(
        manifests,
        ("deploy: manual\n    change: pull-request", f"deploy: auto\n    change: commit{more}"),
    )


def release(manifests: Manifests, *images: str, ref: str = "release/1.5") -> None:
    """Put images into stage, as CI does for a release branch."""
    result = manifests.gitops("deploy", *images, "--ref", ref, "--commit", SHA)
    assert result.code == 0, result.err


def say(manifests: Manifests, verdict: str, time: str) -> None:
    """Write one line about the newest release of stage into the ledger, as a watcher does."""
    newest = manifests.gitops("history", "stage", "-o", "json").json["releases"][0]
    line = {"commit": newest["commit"], "verdict": verdict, "time": time, "by": "watcher"}
    record = json.dumps(line | {"images": newest["images"]}) + "\n"
    old = manifests.git("for-each-ref", "--format=%(objectname)", "refs/heads/gitops/ledger")
    before = manifests.file("stage.jsonl", "gitops/ledger") if old else ""
    blob = store(manifests, before + record, "hash-object", "-w", "--stdin")
    tree = store(manifests, f"100644 blob {blob}\tstage.jsonl\n", "mktree")
    parents = ("-p", old.strip()) if old else ()
    commit = manifests.git("commit-tree", tree, *parents, "-m", "say").strip()
    manifests.git("update-ref", "refs/heads/gitops/ledger", commit)


def store(manifests: Manifests, text: str, *arguments: str) -> str:
    """Give `text` to git in the bare repository; return the id that it prints."""
    command = ["git", "-C", str(manifests.path), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def reasons(result: Any) -> list[str]:
    """Return the reasons of a refusal."""
    assert (1, "refused") == (result.code, result.json["error"]["code"])
    return list(result.json["error"]["reasons"])


def test_promote_carries_all_images_as_one_proposal(manifests: Manifests) -> None:
    """What stage runs goes to prod together; main stays, and the source is recorded."""
    release(manifests, "shop/api:1.5.0@sha256:" + "ab" * 32, "shop/web:2.4.0")
    head = manifests.git("rev-parse", "main")
    result = manifests.gitops("promote", "--to", "prod", "-o", "json")
    message = manifests.git("log", "-1", "--format=%B", "gitops/prod")

    assert ("promote", "proposed") == (result.json["action"], result.json["outcome"])
    assert [
        ("prod", "shop/api", {"name": None, "tag": "1.5.0", "digest": "sha256:" + "ab" * 32}),
        ("prod", "shop/web", {"name": None, "tag": "2.4.0", "digest": None}),
    ] == [(row["environment"], row["image"], row["after"]) for row in result.json["changes"]]
    assert head == manifests.git("rev-parse", "main")
    assert "Gitops-Action: promote\nGitops-Environment: prod\n" in message
    assert f"Source-Revision: release/1.5@sha1:{SHA}\n" in message


def test_promote_again_is_unchanged(manifests: Manifests) -> None:
    """The same call finds its proposal waiting; with nothing that differs there is none at all."""
    nothing = manifests.gitops("promote", "--to", "prod", "-o", "json")
    release(manifests, "shop/api:1.5.0")
    manifests.gitops("promote", "--to", "prod")
    head = manifests.git("rev-parse", "gitops/prod")
    again = manifests.gitops("promote", "--to", "prod", "-o", "json")

    assert ("unchanged", []) == (nothing.json["outcome"], nothing.json["proposals"])
    assert "unchanged" == again.json["outcome"]
    assert ["gitops/prod"] == [row["branch"] for row in again.json["proposals"]]
    assert head == manifests.git("rev-parse", "gitops/prod")


def test_only_the_named_images_go(manifests: Manifests) -> None:
    """NAME carries one image and leaves the others of stage where they are."""
    release(manifests, "shop/api:1.5.0", "shop/web:2.4.0")
    result = manifests.gitops("promote", "shop/web", "--to", "prod", "-o", "json")

    assert ["shop/web"] == [row["image"] for row in result.json["changes"]]
    assert 'newTag: "1.4.0"' in manifests.file(PROD, "gitops/prod")


def test_an_image_that_prod_lacks_is_left_out(manifests: Manifests) -> None:
    """It is no error that stage has more than prod: a warning says so, the rest goes."""
    stage = manifests.file(STAGE) + "  - name: shop/beta\n    newTag: 0.1.0\n"
    manifests.commit("Try beta", {STAGE: stage})
    release(manifests, "shop/api:1.5.0")
    result = manifests.gitops("promote", "--to", "prod", "-o", "json")
    alone = manifests.gitops("promote", "shop/beta", "--to", "prod", "-o", "json")

    assert ["shop/api"] == [row["image"] for row in result.json["changes"]]
    assert "prod has no image shop/beta: left out" in result.json["warnings"]
    assert (3, "not-found") == (alone.code, alone.json["error"]["code"])


def test_every_reason_comes_at_once(manifests: Manifests) -> None:
    """Held, frozen, another branch, and no word of QA: one refusal names all four."""
    configure(
        manifests,
        ("after: [stage]", "after: [stage]\n    requires: [qa-passed]"),
        more=HOLIDAYS,
    )
    manifests.gitops("deploy", "shop/api:1.5.0", "--to", "stage", "--ref", "release/1.5")
    manifests.gitops("hold", "prod", "--reason", "INC-42")
    result = manifests.gitops("promote", "--to", "prod", "--ref", "release/1.4", "-o", "json")

    assert [
        "prod: held by Mona Test: INC-42",
        f"prod: {FROZEN}",
        "prod: shop/api 1.5.0 came from release/1.5, release/1.4 was asked for",
        "prod: stage has no qa-passed for shop/api 1.5.0",
    ] == reasons(result)


def test_a_source_branch_that_prod_does_not_accept(manifests: Manifests) -> None:
    """What came into stage from main by an override does not come further with it."""
    override = ("--override", "urgent")
    manifests.gitops("deploy", "shop/api:1.5.0", "--to", "stage", "--ref", "main", *override)
    result = manifests.gitops("promote", "--to", "prod", "-o", "json")

    assert ["prod: accepts release/{version}, not main"] == reasons(result)


def test_from_another_environment_is_judged_by_after(manifests: Manifests) -> None:
    """--from carries what dev has; prod still wants it released in stage."""
    manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev")
    result = manifests.gitops(
        *("promote", "shop/api", "--to", "prod", "--from", "dev", "-o", "json")
    )

    assert ["prod: shop/api 1.9.0 is not a release of stage"] == reasons(result)


def test_an_override_is_recorded(manifests: Manifests) -> None:
    """It passes the reasons that stood, and each stands in the commit."""
    configure(manifests, more=HOLIDAYS)
    release(manifests, "shop/api:1.5.0")
    result = manifests.gitops("promote", "--to", "prod", "--override", "INC-7", "-o", "json")
    message = manifests.git("log", "-1", "--format=%B", "gitops/prod")

    assert "proposed" == result.json["outcome"]
    assert f"Gitops-Override: INC-7 (passed: prod: {FROZEN})" in message


def test_a_waiting_proposal_is_made_anew_when_asked(manifests: Manifests) -> None:
    """--refresh makes a new head; an override does too, since the proposal must record it."""
    release(manifests, "shop/api:1.5.0")
    manifests.gitops("promote", "--to", "prod")
    configure(manifests, more=HOLIDAYS)
    call = ("promote", "--to", "prod", "--override", "INC-7", "-o", "json")
    first = manifests.git("rev-parse", "gitops/prod")
    overridden = manifests.gitops(*call)
    second = manifests.git("rev-parse", "gitops/prod")
    message = manifests.git("log", "-1", "--format=%B", "gitops/prod")
    refreshed = manifests.gitops(*call, "--refresh")

    assert ["proposed", "proposed"] == [one.json["outcome"] for one in (overridden, refreshed)]
    assert 3 == len({first, second, manifests.git("rev-parse", "gitops/prod")})
    assert f"Gitops-Override: INC-7 (passed: prod: {FROZEN})" in message


def test_qa_opens_the_way_and_the_next_bump_closes_it(manifests: Manifests) -> None:
    """QA's word covers the images that it saw, and no image that came after it."""
    configure(manifests, ("after: [stage]", "after: [stage]\n    requires: [qa-passed]"))
    release(manifests, "shop/api:1.5.0")
    say(manifests, "qa-passed", "2026-01-05T09:00:00Z")
    passed = manifests.gitops("promote", "--to", "prod", "--dry-run", "-o", "json")
    release(manifests, "shop/api:1.5.1")
    later = manifests.gitops("promote", "--to", "prod", "-o", "json")
    say(manifests, "qa-failed", "2026-01-05T10:00:00Z")
    failed = manifests.gitops("promote", "--to", "prod", "-o", "json")

    assert "planned" == passed.json["outcome"]
    assert ["prod: stage has no qa-passed for shop/api 1.5.1"] == reasons(later)
    assert [
        "prod: stage has shop/api 1.5.1 as qa-failed (watcher, 2026-01-05T10:00:00Z)"
    ] == reasons(failed)


def test_images_keep_their_own_sources(manifests: Manifests) -> None:
    """Images of different branches say where each came from, and the next step reads it."""
    automatic(manifests)
    release(manifests, "shop/api:1.5.0", ref="release/1.5")
    release(manifests, "shop/web:2.4.0", ref="release/2.4")
    result = manifests.gitops("promote", "--to", "prod", "-o", "json")
    message = manifests.git("log", "-1", "--format=%B", "main")

    assert "committed" == result.json["outcome"]
    assert f"Gitops-Source: prod shop/api release/1.5@sha1:{SHA}\n" in message
    assert f"Gitops-Source: prod shop/web release/2.4@sha1:{SHA}\n" in message
    assert "Source-Revision" not in message


def test_a_rollback_in_stage_keeps_the_source_of_what_it_restores(manifests: Manifests) -> None:
    """A rollback records no source: the commit that had set the value before tells it."""
    release(manifests, "shop/api:1.5.0", ref="release/1.5")
    release(manifests, "shop/api:1.6.0", ref="release/1.6")
    manifests.gitops("rollback", "stage")
    result = manifests.gitops("promote", "--to", "prod", "--ref", "release/1.5", "-o", "json")

    assert "proposed" == result.json["outcome"]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ((), 2, "usage"),
        (("--to", "dev"), 2, "usage"),
        (("--to", "prod", "--from", "prod"), 2, "usage"),
        (("--to", "prd"), 3, "not-found"),
        (("--to", "prod", "--from", "stag"), 3, "not-found"),
        (("shop/nope", "--to", "prod"), 3, "not-found"),
        (("--to", "prod", "--override", " "), 2, "usage"),
        (("--eligible", "--to", "prod"), 2, "usage"),
        (("--eligible", "--override", "x"), 2, "usage"),
    ],
)
def test_wrong_calls(
    manifests: Manifests, arguments: tuple[str, ...], code: int, word: str
) -> None:
    """A call that makes no sense says so and writes nothing."""
    head = manifests.git("rev-parse", "main")
    result = manifests.gitops("promote", *arguments, "-o", "json")

    assert (code, word) == (result.code, result.json["error"]["code"])
    assert head == manifests.git("rev-parse", "main")


def test_eligible_promotes_what_policy_allows(manifests: Manifests) -> None:
    """A scheduled job brings prod after stage, once."""
    automatic(manifests)
    release(manifests, "shop/api:1.5.0", "shop/web:2.4.0")
    planned = manifests.gitops("promote", "--eligible", "--dry-run", "-o", "json")
    first = manifests.gitops("promote", "--eligible", "-o", "json")
    second = manifests.gitops("promote", "--eligible", "-o", "json")

    assert ["planned", "committed", "unchanged"] == [
        result.json["outcome"] for result in (planned, first, second)
    ]
    assert [("prod", "shop/api"), ("prod", "shop/web")] == [
        (row["environment"], row["image"]) for row in first.json["changes"]
    ]
    assert [] == second.json["skipped"]


def test_eligible_leaves_manual_environments_alone(manifests: Manifests) -> None:
    """Prod of the sample is for a person to promote: it is not even listed."""
    release(manifests, "shop/api:1.5.0")
    result = manifests.gitops("promote", "--eligible", "-o", "json")

    assert ("unchanged", []) == (result.json["outcome"], result.json["skipped"])


def test_eligible_lists_what_keeps_an_environment_out(manifests: Manifests) -> None:
    """Held after a rollback, and frozen: exit 0, nothing written, every reason told."""
    automatic(manifests)
    release(manifests, "shop/api:1.5.0")
    manifests.gitops("promote", "--eligible")
    back = manifests.gitops("rollback", "prod", "--reason", "INC-42")
    held = manifests.gitops("promote", "--eligible", "-o", "json")
    configure(manifests, more=HOLIDAYS)
    frozen = manifests.gitops("promote", "--eligible", "-o", "json")

    assert 0 == back.code
    assert (0, "unchanged", ["held by Mona Test: INC-42"]) == (
        held.code,
        held.json["outcome"],
        [row["reason"] for row in held.json["skipped"]],
    )
    assert [f"held by Mona Test: INC-42; {FROZEN}"] == [
        row["reason"] for row in frozen.json["skipped"]
    ]


def test_soak_waits_until_it_was_stable_for_long_enough(manifests: Manifests) -> None:
    """Automation waits for a stable word and for its age; a person does not."""
    automatic(manifests, "soak: 24h")
    release(manifests, "shop/api:1.5.0")
    unseen = manifests.gitops("promote", "--eligible", "-o", "json")
    say(manifests, "stable", "2100-01-01T00:00:00Z")
    fresh = manifests.gitops("promote", "--eligible", "-o", "json")
    person = manifests.gitops("promote", "--to", "prod", "--dry-run", "-o", "json")
    say(manifests, "degraded", "2100-01-01T01:00:00Z")
    bad = manifests.gitops("promote", "--eligible", "-o", "json")
    say(manifests, "stable", "2001-01-01T00:00:00Z")
    ripe = manifests.gitops("promote", "--eligible", "-o", "json")

    assert [
        ["shop/api 1.5.0 must be stable in stage for 24h, and is not yet"],
        ["stable in stage since 2100-01-01T00:00:00Z; 24h are over 2100-01-02T00:00:00Z"],
    ] == [[row["reason"] for row in result.json["skipped"]] for result in (unseen, fresh)]
    assert "planned" == person.json["outcome"]
    assert "degraded" in bad.json["skipped"][0]["reason"]
    assert ("committed", []) == (ripe.json["outcome"], ripe.json["skipped"])
