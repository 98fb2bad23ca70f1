"""One reading of an Application, judged: every trap that its fields hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from applications import LATER, NEW, OLD, OTHER, T0, a_sync, an_application
from gitops.core.argocd.application import read_application
from gitops.core.argocd.health import (
    RANK,
    ExpectedRelease,
    Observation,
    ReleaseState,
    RevisionPosition,
    drift,
    judge,
    not_running,
)
from gitops.core.argocd.tracking import TrackingMatch
from gitops.core.kustomization.image import ImageValue

IMAGES = {"shop/api": ImageValue(tag="1.4.2"), "shop/web": ImageValue(tag="2.3.1")}
WANTED = ExpectedRelease(NEW, T0, IMAGES)
PLACES: dict[str, RevisionPosition] = {OLD: "before", NEW: "at", LATER: "at", OTHER: "other"}
RENDER = (
    "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = "
    "Unknown desc = Manifest generation error (cached): `kustomize build <path to cached "
    "source>/overlays/dev` failed exit status 1: Error: json: cannot unmarshal number into Go "
    "struct field Image.images.newTag of type string"
)


def look(told: dict[str, Any], wanted: ExpectedRelease = WANTED, **more: Any) -> Observation:
    """Judge an object at second 30."""
    application = read_application(told, "test")
    feed = TrackingMatch(application, application.sources[0])
    now = T0 + timedelta(seconds=30)
    return judge(feed, wanted, lambda commit: PLACES.get(commit, "unknown"), now=now, **more)


def running(revision: str = NEW, **more: Any) -> dict[str, Any]:
    """Return an operation that goes on."""
    return a_sync(revision, "Running", finished=None, **more)


def resources(**states: str) -> dict[str, Any]:
    """Return a status that lists config maps by name: `Synced`, `OutOfSync` or `extra`."""
    listed = [
        {"kind": "ConfigMap", "name": name, "status": "OutOfSync" if state == "extra" else state}
        | ({"requiresPruning": True} if state == "extra" else {})
        for name, state in states.items()
    ]
    return {"resources": listed}


CASES: dict[str, tuple[dict[str, Any], ReleaseState, str]] = {
    "live and healthy": (an_application(), "healthy", "Synced and Healthy"),
    "a later commit with the same images": (an_application(revision=LATER), "healthy", "Healthy"),
    "brand new, without a status": (
        an_application(status={"sync": {}, "health": {}, "operationState": {}}),
        "unseen",
        "has not looked at it yet",
    ),
    "just after the push": (an_application(revision=OLD), "unseen", "still at aaaaaaa"),
    "not on the branch": (an_application(revision="e" * 40), "unseen", "not on the branch"),
    "an older sync still fails and is tried again": (
        an_application(
            revision=OLD, operation=running(OLD, retries=3, message="namespaces x not found")
        ),
        "unseen",
        "3 tries: namespaces x not found",
    ),
    "an older sync still runs": (
        an_application(revision=OLD, operation=running(OLD)),
        "unseen",
        "a sync is still running",
    ),
    "superseded": (an_application(revision=OTHER), "superseded", "newer release is live"),
    "the moment before the sync": (
        an_application(sync="OutOfSync", operation=a_sync(OLD)),
        "syncing",
        "its sync has not started",
    ),
    "asked for": (
        an_application(sync="OutOfSync", operation={}, **{"x": 1}) | {"operation": {"sync": {}}},
        "syncing",
        "about to start",
    ),
    "running": (an_application(operation=running()), "syncing", "its sync is running"),
    "began without saying at what": (
        an_application(operation=running("")),
        "syncing",
        "its sync is running",
    ),
    "between two tries": (
        an_application(operation=a_sync(NEW, "Running", retries=1, message="one or more failed")),
        "retrying",
        "1 try: one or more failed",
    ),
    "failed": (
        an_application(sync="OutOfSync", operation=a_sync(NEW, "Failed", message="is invalid")),
        "failed",
        "its sync failed: is invalid",
    ),
    "an older sync failed": (
        an_application(sync="OutOfSync", operation=a_sync(OLD, "Failed")),
        "syncing",
        "its sync has not started",
    ),
    "a hook failed though all is in place": (
        an_application(operation=a_sync(NEW, "Failed", message="hook failed")),
        "failed",
        "hook failed",
    ),
    "out of sync by what is left to prune": (
        an_application(sync="OutOfSync", status=resources(live="Synced", old="extra")),
        "healthy",
        "out of sync only by what Git does not ask for: ConfigMap old",
    ),
    "the same with auto-sync off": (
        an_application(
            sync="OutOfSync", status=resources(live="Synced", old="extra"), automated=False
        ),
        "healthy",
        "ConfigMap old",
    ),
    "left to prune, and something differs": (
        an_application(
            sync="OutOfSync", status=resources(live="Synced", other="OutOfSync", old="extra")
        ),
        "syncing",
        "something there differs from Git",
    ),
    "everything is left to prune": (
        an_application(sync="OutOfSync", status=resources(one="extra", other="extra")),
        "syncing",
        "something there differs from Git",
    ),
    "left to prune, and degraded": (
        an_application(
            sync="OutOfSync", health="Degraded", status=resources(live="Synced", old="extra")
        ),
        "degraded",
        "Degraded",
    ),
    "drifted": (an_application(sync="OutOfSync"), "syncing", "something there differs from Git"),
    "auto-sync is off": (
        an_application(sync="OutOfSync", operation=a_sync(OLD), automated=False),
        "manual",
        "auto-sync is off",
    ),
    "auto-sync is switched off": (
        an_application(
            sync="OutOfSync",
            operation=a_sync(OLD),
            spec={"syncPolicy": {"automated": {"enabled": False}}},
        ),
        "manual",
        "auto-sync is off",
    ),
    "synced, and health is older than that": (
        an_application(operation=a_sync(finished=8), reconciled=6),
        "syncing",
        "health is not looked at yet",
    ),
    "Healthy with the pods of before": (
        an_application(images=("shop/api:1.4.1", "shop/web:2.3.1")),
        "progressing",
        "do not run shop/api:1.4.2 yet, but shop/api:1.4.1",
    ),
    "nothing to sync for it": (
        an_application(operation=a_sync(OLD, started=-90, finished=-80), changed=-70),
        "healthy",
        "Synced and Healthy",
    ),
    "progressing": (
        an_application(health="Progressing", message="Waiting for rollout to finish"),
        "progressing",
        "Progressing: Waiting for rollout to finish",
    ),
    "all is missing": (an_application(health="Missing"), "progressing", "Missing"),
    "degraded": (
        an_application(health="Degraded", message='Deployment "api" exceeded its deadline'),
        "degraded",
        'Degraded: Deployment "api"',
    ),
    "suspended": (an_application(health="Suspended"), "suspended", "waits for a person"),
    "health unknown": (an_application(health="Unknown"), "unknown", "its health is Unknown"),
    "does not render": (
        an_application(sync="Unknown", revision="main", conditions=(("ComparisonError", RENDER),)),
        "unrendered",
        "it does not render: Manifest generation error",
    ),
    "the path is gone": (
        an_application(
            sync="Unknown",
            revision="main",
            conditions=(("ComparisonError", "… desc = overlays/dev: app path does not exist"),),
        ),
        "unrendered",
        "overlays/dev: app path does not exist",
    ),
    "Git cannot be read": (
        an_application(
            sync="Unknown",
            revision="main",
            conditions=(
                ("ComparisonError", "rpc error: code = Unknown desc = failed to list refs"),
            ),
        ),
        "unknown",
        "cannot tell, ComparisonError: failed to list refs",
    ),
    "its spec is wrong": (
        an_application(
            sync="Unknown", revision="", conditions=(("InvalidSpecError", "no such project"),)
        ),
        "unknown",
        "cannot tell, InvalidSpecError: no such project",
    ),
    "an error beside Healthy": (
        an_application(conditions=(("UnknownError", "cannot reach the cluster"),)),
        "unknown",
        "cannot reach the cluster",
    ),
    "a warning beside Healthy": (
        an_application(conditions=(("SharedResourceWarning", "two own it"),)),
        "healthy",
        "Synced and Healthy",
    ),
    "left alone": (
        an_application(annotations={"argocd.argoproj.io/skip-reconcile": "true"}),
        "frozen",
        "skip-reconcile",
    ),
    "being deleted": (
        an_application(metadata={"name": "x", "deletionTimestamp": "2026-03-01T12:00:00Z"}),
        "unknown",
        "being deleted",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_states(name: str) -> None:
    """Each shape that an Application takes has its state and its words."""
    told, state, words = CASES[name]

    seen = look(told, asked=T0)

    assert (state, True) == (seen.state, words in seen.text), seen.text
    assert seen.text.isprintable()


def test_every_state_is_reached() -> None:
    """The table above leaves out no state, and each has its rank."""
    states = {look(told, asked=T0).state for told, _, _ in CASES.values()}

    assert set(RANK) == states


def test_healthy_since() -> None:
    """Healthy counts from the later of the change of health and the end of the sync."""
    assert T0 + timedelta(seconds=5) == look(an_application()).since
    later = an_application(operation=a_sync(started=7, finished=9), reconciled=9)
    assert T0 + timedelta(seconds=9) == look(later).since


def test_healthy_since_its_commit_when_nothing_was_synced() -> None:
    """A release that renders to what ran already is not healthy since before it existed."""
    old = an_application(operation=a_sync(OLD, started=-90, finished=-80), changed=-70)

    assert T0 == look(old).since


def test_inherited_degradation() -> None:
    """What was Degraded before the release was applied is not its doing."""
    before = an_application(health="Degraded", changed=0, operation=a_sync(started=3, finished=4))
    after = an_application(health="Degraded", changed=5, operation=a_sync(started=3, finished=4))

    assert (True, "since before this release" in look(before).text) == (
        look(before).inherited,
        True,
    )
    assert not look(after).inherited


def test_self_heal_does_not_make_it_inherited() -> None:
    """A later self-heal of the same commit does not move the time at which it was applied."""
    healed = an_application(health="Degraded", changed=5, operation=a_sync(started=9, finished=10))
    healed["status"]["reconciledAt"] = "2026-03-01T12:00:11Z"
    healed["status"]["history"] = [
        {"revision": OLD, "deployStartedAt": "2026-03-01T11:00:00Z"},
        {"revision": NEW, "deployStartedAt": "2026-03-01T12:00:01Z"},
    ]

    assert not look(healed).inherited


def test_rendering_counts_only_when_looked_at_since() -> None:
    """An old word on rendering is not believed: Argo CD must have looked after it was asked."""
    told = CASES["does not render"][0]

    assert "unseen" == look(told).state
    assert "unseen" == look(told, asked=T0 + timedelta(seconds=6)).state
    assert "unrendered" == look(told, asked=T0 + timedelta(seconds=5)).state


def test_rendering_of_a_newer_release() -> None:
    """When the branch asks for other images by now, what does not render may be that."""
    seen = look(CASES["does not render"][0], replace(WANTED, newest=False), asked=T0)

    assert ("unknown", True) == (seen.state, "a newer commit" in seen.text)


def test_sources_are_compared_by_their_index() -> None:
    """Of a multi-source Application only the revision of the overlay's own source counts."""
    told = an_application(
        spec={
            "sources": [
                {"repoURL": "https://charts.example.com", "chart": "x", "targetRevision": "1.2.3"},
                {"repoURL": "https://git.example.com/shop/manifests.git", "path": "overlays/dev"},
            ]
        }
    )
    told["status"]["sync"] = {"status": "Synced", "revisions": ["1.2.3", NEW]}
    told["status"]["operationState"]["syncResult"] = {"revisions": ["1.2.3", NEW]}
    application = read_application(told, "test")
    feed = TrackingMatch(application, application.sources[1])

    seen = judge(feed, WANTED, lambda commit: PLACES.get(commit, "unknown"), now=T0)

    assert ("healthy", NEW) == (seen.state, seen.revision)


def test_hydrated_commits_are_traced_back() -> None:
    """Of a hydrated source the commit of the person counts, not that of the hydrator."""
    hydrated = "f" * 40
    told = an_application(
        revision=hydrated,
        operation=a_sync(hydrated),
        spec={
            "sourceHydrator": {"drySource": {"repoURL": "https://git.example.com/x", "path": "a"}}
        },
    )
    told["status"]["sourceHydrator"] = {
        "lastSuccessfulOperation": {"drySHA": NEW, "hydratedSHA": hydrated}
    }
    behind = an_application(revision="9" * 40, spec=told["spec"])
    failed = an_application(revision="9" * 40, spec=told["spec"])
    failed["status"]["sourceHydrator"] = {
        "currentOperation": {"phase": "Failed", "message": "no access"}
    }

    assert ("healthy", NEW) == (look(told).state, look(told).revision)
    assert ("unseen", None) == (look(behind).state, look(behind).revision)
    assert "its hydrator failed: no access" == look(failed).text


@pytest.mark.parametrize(
    ("live", "missing"),
    [
        (("shop/api:1.4.2", "shop/web:2.3.1"), ()),
        ((), ()),
        (("shop/api:1.4.1",), ("shop/api:1.4.2",)),
        (("shop/api:1.4.1", "shop/api:1.4.2"), ()),
        (("mirror.example.com/shop/api:1.4.1",), ()),
        (("shop/api@sha256:" + "0" * 64,), ("shop/api:1.4.2",)),
    ],
)
def test_images_of_live_pods(live: tuple[str, ...], missing: tuple[str, ...]) -> None:
    """A release runs when pods have its images; names that no pod has tell nothing."""
    application = read_application(an_application(images=live), "test")

    assert missing == not_running(application, IMAGES)


def test_digests_decide() -> None:
    """Where a digest is pinned the tag beside it does not matter."""
    digest = "sha256:" + "1" * 64
    pinned = {"shop/api": ImageValue(name="reg:5000/api", tag="1", digest=digest)}
    same = read_application(an_application(images=(f"reg:5000/api:2@{digest}",)), "test")
    other = read_application(an_application(images=("reg:5000/api:1",)), "test")

    assert () == not_running(same, pinned)
    assert ("reg:5000/api:1@sha256:111111111111",) == not_running(other, pinned)


def test_drift() -> None:
    """Live images with a pinned name that Git does not ask for are drift; others are not ours."""
    live = ("shop/api:1.4.2", "shop/api:hotfix", "sidecar:3", "shop/web:2.3.1")
    application = read_application(an_application(images=live), "test")

    assert ("shop/api:hotfix",) == drift(application, IMAGES)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"metadata": None, "spec": [], "status": "x"},
        {"status": {"sync": {"revision": 7}, "conditions": [None, {"type": 1}], "history": 3}},
        {"status": {"operationState": {"phase": 1, "retryCount": "x", "startedAt": "soon"}}},
    ],
)
def test_odd_objects_are_read(told: dict[str, Any]) -> None:
    """An object of a shape that nobody knows is read as far as it goes, and raises nothing."""
    application = read_application(told, "test")

    assert application.revision(0) is None
