"""QA's word over HTTP: words, bumps and rollbacks at once, and what a repository without pays."""

from __future__ import annotations

import json
import os

import pytest

import warm
from manifests import Manifests
from servers.git_http import GitServer

LEDGER = "gitops/ledger"


@pytest.mark.slow
def test_words_bumps_and_a_rollback_at_once(manifests: Manifests, server: GitServer) -> None:
    """No word is lost, none falls on a bump that arrives, and main has all of its commits."""
    releases = []
    for number in range(6):
        result = manifests.gitops(
            *("deploy", f"shop/api:1.5.{number}", "--to", "stage", "-o", "json"),
            repo=server.repo,
        )
        releases.append(result.json["commit"])
    calls = [["qa", "stage", "--pass", "--release", commit] for commit in releases[:5]]
    calls += [["deploy", f"shop/web:9.0.{number}", "--to", "stage"] for number in range(3)]
    calls += [["qa", "stage", "--fail", "--release", releases[5]]]
    running = [
        warm.start(
            [*arguments, "--push-timeout", "110s"],
            manifests.elsewhere,
            {**os.environ, "GITOPS_REPO": server.repo},
        )
        for arguments in calls
    ]
    errors = [process.communicate()[1] for process in running]
    back = manifests.gitops("rollback", "stage", "--image", "shop/api", repo=server.repo)

    assert [0] * len(calls) == [process.returncode for process in running], errors
    records = [json.loads(line) for line in manifests.file("stage.jsonl", LEDGER).splitlines()]
    said = {record["commit"]: record["verdict"] for record in records}
    expected = dict.fromkeys(releases[:5], "qa-passed") | {releases[5]: "qa-failed"}
    assert (len(calls) - 3, expected) == (len(records), said)
    history = manifests.gitops("history", "stage", "-o", "json", repo=server.repo).json
    bumps = [one for one in history["releases"] if "9.0." in one["subject"]]
    assert [[]] * 3 == [one["verdicts"] for one in bumps]
    assert 0 == back.code, back.err
    assert "1.5.4" in manifests.file("overlays/stage/kustomization.yaml")


def test_repository_without_a_ledger(manifests: Manifests, server: GitServer) -> None:
    """Nobody pays for the ledger that is not there."""
    deployed = manifests.gitops("deploy", "shop/api:1.5.0", "--to", "dev", repo=server.repo)
    plain = server.count(push=False)
    status = manifests.gitops("status", "local", repo=server.repo)
    looked = server.count(push=False) - plain

    assert (0, 0, "") == (deployed.code, status.code, status.err)
    # The tip, and with it that there is no ledger; the history that `status` reads beside it takes
    # up to three.
    assert 2 == plain
    assert looked <= 2 + 3
