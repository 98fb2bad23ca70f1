"""A merge whose first parent is a side line brings no releases into a branch's history unseen."""

from __future__ import annotations

import pytest

from checking import PROD, check, edited, messages
from manifests import Manifests


def put(manifests: Manifests, path: str, content: str, message: str) -> str:
    """Commit one file in the checkout, pushed nowhere."""
    (manifests.checkout / path).write_text(content)
    manifests.in_checkout("add", "-A")
    manifests.in_checkout("commit", "-q", "-m", message)
    return manifests.in_checkout("rev-parse", "HEAD")


@pytest.fixture
def merged(manifests: Manifests) -> tuple[str, str, str]:
    """Push a merge of main into a side line that has an evil release of prod.

    Returns the commits: of main before, of the evil release, of the merge.
    """
    start = manifests.git("rev-parse", "main").strip()
    manifests.commit("dev: x", {"docs.md": "x\n"})
    before = manifests.git("rev-parse", "main").strip()
    manifests.in_checkout("checkout", "-q", "-b", "side", start)
    prod = edited(manifests, PROD, 'newTag: "1.4.0"', 'newTag: "6.6.6"')
    evil = put(manifests, PROD, prod, "prod: shop/api 1.4.0 -> 6.6.6")
    manifests.in_checkout("merge", "-q", "--no-commit", "--no-ff", "-s", "ours", before)
    manifests.in_checkout("checkout", "-q", before, "--", ".")
    manifests.in_checkout("commit", "-q", "-m", "Merge main")
    manifests.in_checkout("push", "-q", "origin", "HEAD:main")
    return before, evil, manifests.in_checkout("rev-parse", "HEAD")


def test_the_merge_is_reported(manifests: Manifests, merged: tuple[str, str, str]) -> None:
    """Though it changes nothing of prod, the step that leaves the branch's line is an error."""
    before, evil, merge = merged
    document = check(manifests, f"{before}..{merge}")

    assert [(merge, "error", "history")] == [
        (one["commit"], one["level"], one["rule"]) for one in document["findings"]
    ]
    assert f"its first parent is {evil[:7]}, and main was at {before[:7]}" in messages(document)


def test_what_it_brought_is_no_release(manifests: Manifests, merged: tuple[str, str, str]) -> None:
    """A rollback in the same push cannot restore what the branch never was at."""
    before, evil, _ = merged
    prod = manifests.file(PROD, evil)
    message = (
        "prod: roll back shop/api 1.4.0 -> 6.6.6\n\nGitops-Action: rollback\n"
        f"Gitops-Environment: prod\nGitops-Restores: {evil}\n"
    )
    back = put(manifests, PROD, prod, message)
    manifests.in_checkout("push", "-q", "origin", "HEAD:main")
    document = check(manifests, f"{before}..{back}")

    assert {"history", "rollback"} == {one["rule"] for one in document["findings"]}
    assert f"{evil[:12]}, which it names, is no earlier release" in messages(document)


def test_steps_on_both_sides_are_read(manifests: Manifests) -> None:
    """Releases of the branch's own line from before such a merge can still be restored."""
    before = manifests.git("rev-parse", "main").strip()
    newer = edited(manifests, PROD, 'newTag: "1.4.0"', 'newTag: "1.5.0"')
    old = manifests.file(PROD)
    manifests.commit("prod: shop/api 1.4.0 -> 1.5.0", {PROD: newer})
    release = manifests.git("rev-parse", "main").strip()
    manifests.in_checkout("checkout", "-q", "-b", "side", before)
    put(manifests, "docs.md", "x\n", "docs")
    manifests.in_checkout("merge", "-q", "--no-ff", "-m", "Merge main", release)
    message = (
        "prod: roll back shop/api 1.5.0 -> 1.4.0\n\nGitops-Action: rollback\n"
        f"Gitops-Environment: prod\nGitops-Restores: {before}\n"
    )
    back = put(manifests, PROD, old, message)
    manifests.in_checkout("push", "-q", "origin", "HEAD:main")
    document = check(manifests, f"{release}..{back}")

    assert ["history"] == [one["rule"] for one in document["findings"]]
    assert "rollback" == document["commits"][-1]["standing"]


def test_a_rollback_does_not_offer_it(manifests: Manifests, merged: tuple[str, str, str]) -> None:
    """Nor is it what `rollback` restores: the merge that took it back took its values away."""
    _, evil, _ = merged
    chosen = manifests.gitops("rollback", "prod", "--dry-run")
    named = manifests.gitops("rollback", "prod", "--to", evil, "--dry-run")

    assert "6.6.6" not in chosen.out
    assert named.code != 0


@pytest.fixture
def merged_later(manifests: Manifests) -> tuple[str, str]:
    """As `merged`, where main has a release since both parted; return main's and the evil one."""
    start = manifests.git("rev-parse", "main").strip()
    newer = edited(manifests, PROD, 'newTag: "1.4.0"', 'newTag: "1.5.0"')
    manifests.commit("prod: shop/api 1.4.0 -> 1.5.0", {PROD: newer})
    before = manifests.git("rev-parse", "main").strip()
    manifests.in_checkout("checkout", "-q", "-b", "side", start)
    prod = manifests.file(PROD, start).replace('newTag: "1.4.0"', 'newTag: "6.6.6"')
    evil = put(manifests, PROD, prod, "prod: shop/api 1.4.0 -> 6.6.6")
    manifests.in_checkout("merge", "-q", "--no-commit", "--no-ff", "-s", "ours", before)
    manifests.in_checkout("checkout", "-q", before, "--", ".")
    manifests.in_checkout("commit", "-q", "-m", "Merge main")
    manifests.in_checkout("push", "-q", "origin", "HEAD:main")
    return before, evil


def test_history_follows_the_branch(manifests: Manifests, merged_later: tuple[str, str]) -> None:
    """Of a merge that drops what its first parent had, history is the side that it kept."""
    before, evil = merged_later
    listed = manifests.gitops("history", "prod", "-o", "json").json["releases"]
    back = manifests.gitops("rollback", "prod", "--dry-run")
    named = manifests.gitops("rollback", "prod", "--to", evil, "--dry-run")

    assert before == listed[0]["commit"]
    assert evil not in [one["commit"] for one in listed]
    assert "1.5.0 -> 1.4.0" in back.out
    assert named.code != 0


def test_a_later_rollback_to_it_is_reported(
    manifests: Manifests, merged_later: tuple[str, str]
) -> None:
    """A commit that restores it does not pass, whenever it comes and whatever range is checked."""
    _, evil = merged_later
    message = (
        "prod: roll back shop/api 1.5.0 -> 6.6.6\n\nGitops-Action: rollback\n"
        f"Gitops-Environment: prod\nGitops-Restores: {evil}\n"
    )
    put(manifests, PROD, manifests.file(PROD, evil), message)
    manifests.in_checkout("push", "-q", "origin", "HEAD:main")

    assert "is no earlier release" in messages(check(manifests))


def test_merges_the_right_way_round_stay(manifests: Manifests) -> None:
    """A pull request of images, merged while other files of the folder changed, is a release."""
    start = manifests.git("rev-parse", "main").strip()
    manifests.commit("prod: a patch", {"overlays/prod/resources.yaml": "kind: Deployment\n"})
    manifests.in_checkout("checkout", "-q", "-b", "pr", start)
    put(manifests, PROD, edited(manifests, PROD, '"1.4.0"', '"1.5.0"'), "prod: 1.5.0")
    manifests.in_checkout("fetch", "-q")
    manifests.in_checkout("checkout", "-q", "-B", "main", "origin/main")
    manifests.in_checkout("merge", "-q", "--no-ff", "-m", "Merge pull request 1", "pr")
    merge = manifests.in_checkout("rev-parse", "HEAD")
    manifests.in_checkout("push", "-q", "origin", "main")
    listed = manifests.gitops("history", "prod", "-o", "json").json["releases"]

    assert [merge, start] == [one["commit"] for one in listed]
