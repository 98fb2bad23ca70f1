"""Releases that change the database's schema: told, carried, and in the way of a rollback."""

from __future__ import annotations

from manifests import Manifests

STAGE = "overlays/stage/kustomization.yaml"
PROD = "overlays/prod/kustomization.yaml"
BEN = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}


def test_the_way_back(manifests: Manifests) -> None:
    """A breaking release is told by status and history; going back across it is refused with the
    way on, a preview too; taken with the risk it is recorded. Older ones are crossed again."""
    manifests.gitops("deploy", "shop/api:1.4.9", "--to", "stage")
    done = manifests.gitops("deploy", "shop/api:1.5.0", "--to", "stage", "--schema", "breaking")
    history = manifests.gitops("history", "stage")
    document = manifests.gitops("history", "stage", "-o", "json").json["releases"][0]
    status = manifests.gitops("status", "stage")
    refused = manifests.gitops("rollback", "stage", "--yes", "-o", "json")
    preview = manifests.gitops("rollback", "stage", "--dry-run")
    untouched = manifests.file(STAGE)
    taken = manifests.gitops("rollback", "stage", "--yes", "--accept-schema-risk")
    message = manifests.git("log", "-1", "--format=%B", "main")
    again = manifests.gitops("rollback", "stage", "--yes")
    undone = manifests.gitops("undo", "stage", "--yes")

    assert "the database's schema: breaking" in done.out + done.err
    assert "[schema: breaking]" in history.out
    assert "breaking" == document["schema"]
    assert "the database's schema: breaking: going back" in status.out
    assert (1, 1) == (refused.code, preview.code)
    error = refused.json["error"]
    assert "crosses a breaking change of the database's schema" in error["message"]
    assert "--accept-schema-risk" in error["hint"]
    assert document["commit"][:7] in error["reasons"][0]
    assert "newTag: 1.5.0" in untouched or '"1.5.0"' in untouched
    assert 0 == taken.code, taken.err
    assert "crosses a breaking change of the schema" in taken.out + taken.err
    assert f"Gitops-Schema-Risk: stage {document['commit']}\n" in message
    assert 1 == again.code
    assert 0 == undone.code, undone.err


def test_other_releases_are_free(manifests: Manifests) -> None:
    """Compatible ones, none, and a breaking one of another image are not in the way."""
    manifests.gitops("deploy", "shop/web:9", "--to", "dev", "--schema", "breaking")
    manifests.gitops("deploy", "shop/api:1.5.0", "--to", "dev", "--schema", "compatible")
    back = manifests.gitops("rollback", "dev", "--image", "shop/api", "--yes")
    wrong = manifests.gitops("deploy", "shop/api:1.6.0", "--to", "dev", "--schema", "major")

    assert 0 == back.code, back.err
    assert (2, True) == (wrong.code, "none, compatible, breaking" in wrong.err)


def test_what_waits_is_brought_along(manifests: Manifests) -> None:
    """A proposal that takes the place of a breaking one is breaking, too."""
    for tag in ("1.5.0", "1.5.1"):
        manifests.gitops("deploy", f"shop/api:{tag}", "--to", "stage")
    manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod", "--schema", "breaking")
    manifests.gitops("deploy", "shop/api:1.5.1", "--to", "prod", "--schema", "none")
    message = manifests.git("log", "-1", "--format=%B", "gitops/prod")

    assert "1.5.1" in message
    assert "Gitops-Schema: breaking\n" in message


def test_carried_and_proposed(manifests: Manifests) -> None:
    """A promotion carries the worst of what it brings, through the proposal into the release; who
    approves is told."""
    manifests.gitops("deploy", "shop/api:1.4.0", "--to", "stage")
    manifests.gitops("deploy", "shop/api:1.5.0", "--to", "stage", "--schema", "breaking")
    manifests.gitops("deploy", "shop/api:1.5.1", "--to", "stage", "--schema", "none")
    manifests.gitops("qa", "stage", "--pass", "--release", "newest")
    promoted = manifests.gitops("promote", "shop/api", "--to", "prod")
    proposed = manifests.git("log", "-1", "--format=%B", "gitops/prod")
    approved = manifests.gitops("approve", "prod", env=BEN)
    release = manifests.gitops("history", "prod", "-o", "json").json["releases"][0]
    back = manifests.gitops("rollback", "prod", "--yes")

    assert 0 == promoted.code, promoted.err
    assert "prod: the database's schema: breaking" in promoted.out + promoted.err
    assert "Gitops-Schema: breaking\n" in proposed
    assert "going back across it asks for --accept-schema-risk" in approved.out + approved.err
    assert ("breaking", 1) == (release["schema"], back.code)
