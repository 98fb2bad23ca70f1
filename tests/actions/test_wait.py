"""Waiting for a release, on a control plane in memory that behaves as Argo CD does."""

from __future__ import annotations

from typing import Any

import pytest

from applications import a_sync, an_application
from argo_world import CONFIG, ArgoWorld, overlay
from gitops.actions.argocd.tracker import AwaitedImage
from gitops.actions.context.named import Named
from gitops.actions.wait import WaitOptions, WaitRequest, wait
from gitops.config import load_config
from gitops.core.argocd.reports import WaitReport
from gitops.errors import Denied, NotFound, Unavailable, UsageError


@pytest.fixture
def world() -> ArgoWorld:
    """A repository whose environments run 1.0, for a while already."""
    return ArgoWorld()


def run(world: ArgoWorld, environment: str = "dev", **more: Any) -> WaitReport:
    """Wait; options as keywords, the rest goes into the request."""
    options = {key: more.pop(key) for key in ("soak", "timeout", "follow", "record") if key in more}
    request = WaitRequest(Named((environment,)), options=WaitOptions(**options), **more)
    (report,) = wait(world.session(), request)
    return report


def test_a_good_release(world: ArgoWorld) -> None:
    """A release that becomes Healthy is, and the ledger says stable with what was seen."""
    commit = world.push("1.1")

    report = run(world)

    assert ("healthy", commit, "stable") == (
        report.verdict,
        report.release and report.release.commit,
        report.recorded,
    )
    (line,) = world.ledger()
    assert (commit, "stable", True, "Ana") == tuple(
        line[key] for key in ("commit", "verdict", "machine", "by")
    )
    assert [{"image": "shop/api", "name": None, "tag": "1.1", "digest": None}] == line["images"]
    (seen,) = line["seen"]["applications"]
    assert (commit, "Healthy", ["shop/api:1.1"], "2026-03-01T12:01:42Z") == tuple(
        seen[key] for key in ("revision", "health", "images", "since")
    )


def test_what_is_left_to_prune_keeps_nothing_back(world: ArgoWorld) -> None:
    """Out of sync only by what Git does not ask for: stable, and the report names it."""
    commit = world.push("1.1")
    left = {"kind": "ConfigMap", "name": "old", "status": "OutOfSync", "requiresPruning": True}
    there = {"kind": "Deployment", "name": "api", "status": "Synced"}
    status = {"resources": [left, there]}
    world.deaf.add("dev")
    world.put("dev", revision=commit, since=90, sync="OutOfSync", status=status)

    report = run(world)

    assert ("healthy", "stable") == (report.verdict, report.recorded)
    expected = "shop-dev is out of sync only by what Git does not ask for: ConfigMap old"
    assert (expected,) == report.warnings
    assert world.ledger()[0]["verdict"] == "stable"


def test_argo_cd_is_asked_to_look(world: ArgoWorld) -> None:
    """The Application is refreshed at once, and no other one."""
    world.push("1.1")

    run(world)

    assert "shop-dev" == world.plane.refreshed[0]
    assert {"shop-dev"} == set(world.plane.refreshed)


def test_a_lost_refresh_is_asked_for_again(world: ArgoWorld) -> None:
    """A refresh that came to nothing is asked for again, until the release is seen."""
    world.push("1.1")
    world.deaf.add("dev")
    world.at(10, world.deaf.clear)

    assert "healthy" == run(world).verdict
    assert 3 <= len(world.plane.refreshed) <= 8


def test_without_a_record_two_readings_are_enough(world: ArgoWorld) -> None:
    """Without a soak and a record, the answer comes with the second Healthy reading."""
    world.push("1.1")

    report = run(world, record=False)

    assert ("healthy", None, []) == (report.verdict, report.recorded, world.ledger())
    assert 103.0 <= world.clock.passed < 105.0


def test_never_stable_before_five_seconds(world: ArgoWorld) -> None:
    """Stable is written five seconds after it became Healthy, not before."""
    world.push("1.1")

    run(world)

    assert world.clock.passed >= 102 + 5


def test_soak(world: ArgoWorld) -> None:
    """With a soak, by option or by gitops.yaml, it is stable when that is over."""
    world.push("1.1", "prod")

    report = run(world, "prod")

    assert ("stable", "stable") == (report.verdict, report.recorded)
    assert world.clock.passed >= 102 + 60


def test_soak_does_not_count_for_the_timeout(world: ArgoWorld) -> None:
    """A soak may be longer than the timeout."""
    world.push("1.1")

    assert "stable" == run(world, soak=100.0, timeout=30.0).verdict


def test_a_bad_release(world: ArgoWorld) -> None:
    """A release that turns Degraded is told with the workload and its pods, and written down."""
    commit = world.push("1.1-broken")
    world.becomes["dev"] = "Degraded"
    told = {"group": "apps", "version": "v1", "kind": "Deployment", "name": "api"}
    world.at(2.5, lambda: world.plane.get("shop-dev")["status"].update(resources=[told]))
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    world.plane.add(
        "Deployment",
        {
            "metadata": {"name": "api", "namespace": "shop-dev"},
            "status": {"conditions": [condition]},
        },
    )

    report = run(world)

    assert ("degraded", "degraded", [(commit, "degraded")]) == (
        report.verdict,
        report.recorded,
        world.verdicts(),
    )
    error = report.error
    assert error is not None
    assert 1 == error.exit_code
    assert ("Deployment api: ProgressDeadlineExceeded",) == error.reasons
    assert "Deployment api: ProgressDeadlineExceeded" == world.ledger()[0]["reason"]


def test_one_degraded_reading_is_no_verdict(world: ArgoWorld) -> None:
    """What is Degraded for a second and then well is not held against the release."""
    commit = world.push("1.1")
    world.becomes["dev"] = "Degraded"
    world.at(3, lambda: world.apply("dev", commit, "Healthy", since=103))

    assert "healthy" == run(world).verdict
    assert [(commit, "stable")] == world.verdicts()


def test_degraded_since_before(world: ArgoWorld) -> None:
    """What was Degraded before is told as that, is no success, and is not written down."""
    commit = world.push("1.1")
    operation = a_sync(commit, started=90, finished=91)
    world.deaf.add("dev")
    world.put("dev", revision=commit, health="Degraded", since=80, operation=operation)

    report = run(world, timeout=30.0)

    assert ("degraded", None, []) == (report.verdict, report.recorded, world.ledger())
    assert "before this release" in report.message


def test_once_stable_it_is_not_written_degraded(world: ArgoWorld) -> None:
    """A release that was stable and breaks later is told, and the ledger keeps its word."""
    commit = world.push("1.1")
    run(world)
    world.apply("dev", commit, "Degraded", since=world.clock.passed)

    report = run(world)

    assert ("degraded", None) == (report.verdict, report.recorded)
    assert [(commit, "stable")] == world.verdicts()


def test_degraded_in_the_soak(world: ArgoWorld) -> None:
    """A release that breaks while it soaks is degraded."""
    commit = world.push("1.1", "prod")
    world.at(30, lambda: world.apply("prod", commit, "Degraded", since=130))

    assert "degraded" == run(world, "prod").verdict
    assert [(commit, "degraded")] == world.verdicts("prod")


def test_a_failed_sync(world: ArgoWorld) -> None:
    """A sync that failed is told with Argo CD's words; it says nothing of health."""
    commit = world.push("1.1")
    world.deaf.add("dev")
    words = "one or more objects failed to apply, reason: namespaces x not found"
    operation = a_sync(commit, "Failed", message=words)
    world.put("dev", revision=commit, sync="OutOfSync", since=50, operation=operation)

    report = run(world)

    assert ("failed", None, True) == (report.verdict, report.recorded, words in report.message)
    assert report.error is not None
    assert 1 == report.error.exit_code


def test_what_does_not_render(world: ArgoWorld) -> None:
    """A commit that does not render is told, once Argo CD has looked at it; health is not asked."""
    world.push("1.1")
    words = "rpc error: code = Unknown desc = `kustomize build x` failed exit status 1"

    def refused(_: str) -> None:
        error = (("ComparisonError", words),)
        world.put("dev", revision="main", sync="Unknown", since=50, conditions=error, images=())

    refused("")
    world.plane.on_refresh = refused  # in the very second in which it was asked

    report = run(world)

    assert ("unrendered", True) == (report.verdict, "kustomize build" in report.message)
    assert world.clock.passed < 110


@pytest.mark.parametrize(
    ("more", "verdict", "words"),
    [
        ({"health": "Progressing"}, "progressing", "Progressing"),
        ({"health": "Suspended"}, "suspended", "waits for a person"),
        ({"sync": "OutOfSync", "automated": False, "operation": {}}, "manual", "auto-sync is off"),
        ({"sync": "OutOfSync", "operation": {}}, "syncing", "has not started"),
        (
            {"operation": a_sync("x", "Running", retries=2, finished=None, message="no")},
            "retrying",
            "2 tries: no",
        ),
        (
            {"sync": "Unknown", "conditions": (("ComparisonError", "failed to list refs"),)},
            "unknown",
            "failed to list refs",
        ),
    ],
)
def test_not_known_in_time(
    world: ArgoWorld, more: dict[str, Any], verdict: str, words: str
) -> None:
    """What is neither good nor bad when the time is over is told as it is: exit 75."""
    commit = world.push("1.1")
    world.deaf.add("dev")
    world.put("dev", since=101, **{"revision": commit, "operation": a_sync(commit), **more})

    report = run(world, timeout=30.0)

    assert (verdict, True) == (report.verdict, words in report.message), report.message
    assert report.error is not None
    assert (75, None) == (report.error.exit_code, report.recorded)
    assert 129 <= world.clock.passed <= 140


def test_frozen_is_not_waited_for(world: ArgoWorld) -> None:
    """An Application whose controller leaves it alone says nothing, so nobody waits."""
    world.push("1.1")
    skip = {"argocd.argoproj.io/skip-reconcile": "true"}
    world.put("dev", since=50, annotations=skip)

    assert "frozen" == run(world).verdict
    assert world.clock.passed < 105


def test_superseded(world: ArgoWorld) -> None:
    """A newer release that takes its place is told: exit 75, and no word on the old one."""
    old = world.push("1.1")
    world.push("1.2")

    report = run(world, commit=old)

    assert ("superseded", []) == (report.verdict, world.ledger())
    assert report.error is not None
    assert (75, "conflict") == (report.error.exit_code, report.error.code)


def test_follow(world: ArgoWorld) -> None:
    """With --follow the newer release is waited for, and told."""
    old = world.push("1.1")
    new = world.push("1.2")

    report = run(world, commit=old, follow=True)

    assert ("healthy", new) == (report.verdict, report.release and report.release.commit)
    assert [(new, "stable")] == world.verdicts()
    assert f"{old[:7]} was superseded by {new[:7]}" in report.notes[0]


def test_superseded_in_the_middle(world: ArgoWorld) -> None:
    """A bump during the soak supersedes it."""
    world.push("1.1", "prod")

    def bump() -> None:
        world.push("1.2", "prod")
        world.refreshed("shop-prod")

    world.at(20, bump)

    assert "superseded" == run(world, "prod").verdict
    assert [] == world.ledger("prod")


def test_a_later_commit_with_the_same_images(world: ArgoWorld) -> None:
    """Commits that change something else do not matter: the release is live at them, too."""
    commit = world.push("1.1")
    world.push("9", "prod")
    world.repository.commit({"README.md": b"x\n"})

    report = run(world, commit=commit)

    assert ("healthy", commit) == (report.verdict, report.release and report.release.commit)


def test_a_commit_that_changed_something_else(world: ArgoWorld) -> None:
    """Of a commit that is no release, the release that was in force there is waited for."""
    release = world.push("1.1")
    other = world.repository.commit({"README.md": b"x\n"})

    report = run(world, commit=other)

    assert release == (report.release and report.release.commit)


@pytest.mark.parametrize(
    ("word", "kind"), [("zz", UsageError), ("abcdef", UsageError), ("f" * 40, NotFound)]
)
def test_no_such_commit(world: ArgoWorld, word: str, kind: type[Exception]) -> None:
    """A word that is no commit, and a commit that is not there, are refused."""
    with pytest.raises(kind):
        run(world, commit=word)


def test_a_rollback_to_images_that_ran_before(world: ArgoWorld) -> None:
    """An older commit with the same images is not the release: Argo CD must get there."""
    first = world.repository.branches["main"]
    world.push("1.1")
    back = world.push("1.0")
    world.deaf.add("dev")
    world.apply("dev", first, "Healthy", since=50)

    report = run(world, commit=back, timeout=20.0)

    assert ("unseen", True) == (report.verdict, first[:7] in report.message)


def test_argo_cd_ahead_of_us(world: ArgoWorld) -> None:
    """A commit that is newer than what we read from Git is looked for, and found."""
    commit = world.push("1.1")

    def another() -> None:
        world.repository.commit({"README.md": b"x\n"})
        world.compare("dev", world.repository.branches["main"])

    world.at(4, another)

    assert "healthy" == run(world, commit=commit).verdict


def test_all_applications_of_an_overlay(world: ArgoWorld) -> None:
    """An overlay that feeds two Applications is live when both are; the slower one decides."""
    commit = world.push("1.1")
    told = world.plane.get("shop-dev")
    world.apply("dev", commit, "Healthy", since=101)
    second = {**told, "metadata": {"name": "shop-dev-eu", "namespace": "argocd"}}
    world.plane.put(second)

    report = run(world, timeout=20.0)

    assert ("unseen", 2) == (report.verdict, len(report.observations))
    assert report.message.startswith("shop-dev-eu: ")


def test_pinned_applications_are_left_out(world: ArgoWorld) -> None:
    """An Application that follows a tag is not waited for, and that is told."""
    world.push("1.1")
    told = dict(world.plane.get("shop-dev"))
    told["metadata"] = {"name": "shop-dev-old", "namespace": "argocd"}
    told["spec"] = {**told["spec"], "source": {**told["spec"]["source"], "targetRevision": "v1"}}
    world.plane.put(told)

    report = run(world)

    assert "healthy" == report.verdict
    assert ("not waited for: shop-dev-old follows v1, not main",) == report.warnings


def test_no_application(world: ArgoWorld) -> None:
    """An overlay that nothing follows is told with where was looked."""
    world.plane.applications.clear()

    with pytest.raises(NotFound, match="no Application follows overlays/dev on main") as caught:
        run(world)

    assert "GITOPS_ARGOCD_REPO" in str(caught.value.hint)


def test_no_cluster(world: ArgoWorld) -> None:
    """Where no cluster can be asked, that is the error."""
    world.clusters.refusal = NotFound("no cluster runs dev")

    with pytest.raises(NotFound, match="no cluster runs dev"):
        run(world)


def test_work_tree(world: ArgoWorld) -> None:
    """An environment that is a checkout lives in no cluster."""
    with pytest.raises(UsageError, match="checkout"):
        run(world, "local")


def test_unreachable_for_a_while(world: ArgoWorld) -> None:
    """A cluster that goes away during a wait is told about, and asked again."""
    world.push("1.1")
    shown: list[str] = []
    away = Unavailable("fake cannot be reached")
    world.at(1, lambda: setattr(world.cluster, "trouble", away))
    world.at(20, lambda: setattr(world.cluster, "trouble", None))

    request = WaitRequest(Named(("dev",)))
    (report,) = wait(
        world.session(),
        request,
        show=lambda trackers: shown.extend(
            text for one in trackers if (text := one.progress.unreadable)
        ),
    )

    assert "healthy" == report.verdict
    assert "fake cannot be reached" in shown


def test_unreachable_to_the_end(world: ArgoWorld) -> None:
    """A cluster that stays away is not known, with why: exit 75."""
    world.push("1.1")
    away = Unavailable("fake cannot be reached")
    world.at(1, lambda: setattr(world.cluster, "trouble", away))

    report = run(world, timeout=30.0)

    assert "fake cannot be reached" in report.message
    assert report.error is not None
    assert 75 == report.error.exit_code


def test_credentials_that_expire(world: ArgoWorld) -> None:
    """Credentials that are refused in the middle end the wait: nothing will mend them."""
    world.push("1.1", "prod")
    expired = Denied("fake does not accept the credentials")
    world.at(10, lambda: setattr(world.cluster, "trouble", expired))

    with pytest.raises(Denied, match="credentials"):
        run(world, "prod")


def test_a_refresh_that_is_not_allowed(world: ArgoWorld) -> None:
    """Without the right to ask, Argo CD's own pace decides, and that is told once."""
    world.push("1.1")
    world.cluster.read_only = Denied("may not patch")
    world.at(40, lambda: world.refreshed("shop-dev"))

    report = run(world)

    assert "healthy" == report.verdict
    assert 1 == len(report.notes)
    assert "may not patch" in report.notes[0]


def test_an_application_that_is_made_anew(world: ArgoWorld) -> None:
    """An Application that an ApplicationSet makes again is found again."""
    commit = world.push("1.1")
    world.at(1, lambda: world.plane.drop("shop-dev"))
    world.at(12, lambda: world.apply("dev", commit, "Healthy", since=112))

    assert "healthy" == run(world).verdict


def test_a_ledger_that_cannot_be_written(world: ArgoWorld) -> None:
    """What was seen is the answer, also when it cannot be written down."""
    world.push("1.1")
    world.repository.trouble = Denied("the branch is protected")

    report = run(world)

    assert ("healthy", None, None) == (report.verdict, report.recorded, report.error)
    assert "could not be written to the ledger: the branch is protected" in report.warnings[0]


def test_for_a_tag(world: ArgoWorld) -> None:
    """`--for` waits until Git asks for the tag, and then until it is live."""
    world.at(20, lambda: world.push("1.1"))

    report = run(world, asked=AwaitedImage("1.1", "shop/api"))

    assert ("healthy", True) == (report.verdict, world.clock.passed > 120)


def test_for_a_tag_that_does_not_come(world: ArgoWorld) -> None:
    """A tag that Git never asks for is not known: exit 75."""
    report = run(world, asked=AwaitedImage("7.7"), timeout=30.0)

    assert (None, "unseen") == (report.release, report.verdict)
    assert "Git does not ask for 7.7" in report.message


def test_for_a_tag_that_is_there(world: ArgoWorld) -> None:
    """What Git asks for already is waited for at once."""
    assert "healthy" == run(world, asked=AwaitedImage("1.0")).verdict


def test_two_at_once_write_one_word(world: ArgoWorld) -> None:
    """Two waits for one release write its verdict once."""
    commit = world.push("1.1")
    run(world)
    (second,) = wait(world.session(intent="intent-2"), WaitRequest(Named(("dev",))))

    assert ("healthy", "stable") == (second.verdict, second.recorded)
    assert [(commit, "stable")] == world.verdicts()


def test_defaults_of_the_soak() -> None:
    """stage, prod and real databases soak for five minutes, others not at all."""
    content = CONFIG.replace(", wait: {soak: 60s, timeout: 5m}", "")
    content = content.replace("overlay: overlays/dev}", "overlay: overlays/dev, database: real}")
    rows = load_config(content.encode()).environments
    terms = {row.name: WaitOptions().terms(row) for row in rows}

    assert 900.0 == terms["dev"].timeout
    assert [0.0, 300.0, 300.0] == [terms[name].soak for name in ("local", "dev", "prod")]


APPS = CONFIG.replace("overlays/dev", '"apps/{app}/dev"')


@pytest.fixture
def apps(world: ArgoWorld) -> ArgoWorld:
    """The same, where `dev` has an overlay for each of two apps."""
    world.repository.commit(
        {
            "gitops.yaml": APPS.encode(),
            "apps/api/dev/kustomization.yaml": overlay("1.0").encode(),
            "apps/web/dev/kustomization.yaml": overlay("2.0").encode(),
        },
        "Split into apps\n",
    )
    return world


def put_app(world: ArgoWorld, app: str, health: str = "Healthy") -> None:
    """The Application of an app, at the newest commit for a while."""
    commit = world.repository.branches["main"]
    told = an_application(
        f"shop-{app}",
        path=f"apps/{app}/dev",
        revision=commit,
        health=health,
        images=("shop/api:1.0" if app == "api" else "shop/api:2.0",),
        operation=a_sync(commit, started=70, finished=71),
    )
    told["status"]["health"]["lastTransitionTime"] = world.stamp(80)
    told["status"]["reconciledAt"] = world.stamp(90)
    world.plane.put(told)


def test_every_app(apps: ArgoWorld) -> None:
    """Without --app all apps of the environment are waited for; with it the one."""
    put_app(apps, "api")
    put_app(apps, "web")

    reports = wait(apps.session(), WaitRequest(Named(("dev",))))
    (one,) = wait(apps.session(), WaitRequest(Named(("dev",), ("web",))))

    assert [("api/dev", "healthy"), ("web/dev", "healthy")] == [
        (report.overlay.label, report.verdict) for report in reports
    ]
    assert "web/dev" == one.overlay.label


def test_an_app_without_an_application(apps: ArgoWorld) -> None:
    """It is named: nobody may take the others for all."""
    put_app(apps, "api")

    with pytest.raises(NotFound, match="web/dev"):
        wait(apps.session(), WaitRequest(Named(("dev",))))


@pytest.mark.parametrize("more", [{"commit": "0" * 40}, {"asked": AwaitedImage("1.0")}])
def test_a_commit_is_of_one_app(apps: ArgoWorld, more: dict[str, Any]) -> None:
    """A commit, and an image, is waited for in the one app that is named."""
    put_app(apps, "api")
    put_app(apps, "web")

    with pytest.raises(UsageError, match="--app"):
        wait(apps.session(), WaitRequest(Named(("dev",)), **more))


def test_no_app_yet(world: ArgoWorld) -> None:
    """An environment that no app has is told."""
    world.repository.commit({"gitops.yaml": APPS.encode()}, "Split into apps\n")

    with pytest.raises(NotFound, match="has no app yet"):
        wait(world.session(), WaitRequest(Named(("dev",))))


def test_several_are_waited_for_together(apps: ArgoWorld) -> None:
    """Each word names what it names; behind one a commit may stand, as it could before."""
    put_app(apps, "api")
    put_app(apps, "web")
    head = apps.repository.branches["main"]

    both = wait(apps.session(), WaitRequest(Named(("api/dev", "web/dev"))))
    (one,) = wait(apps.session(), WaitRequest(Named(("api/dev", head))))

    assert ["api/dev", "web/dev"] == [report.overlay.label for report in both]
    assert ("api/dev", "healthy") == (one.overlay.label, one.verdict)
    with pytest.raises(NotFound, match="no environment 'dove'"):
        wait(apps.session(), WaitRequest(Named(("dev", "dove"))))
