"""What rollbacks and holds do in the cluster: a courtesy that never gets in the way."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest
from msgspec.structs import replace

from argo_world import CONFIG, ArgoWorld
from gitops.actions.argocd import cluster_actions
from gitops.actions.context.named import Named
from gitops.actions.hold import hold, resume
from gitops.actions.rollback import Preview, RollbackRequest, rollback
from gitops.core.argocd.application import NOTICE
from gitops.core.report import WriteReport
from gitops.errors import Denied, Refused, Unavailable
from gitops.ports import Reading


@pytest.fixture
def world() -> ArgoWorld:
    """dev runs 1.1; it ran 1.0 before."""
    made = ArgoWorld()
    made.push("1.1")
    made.refreshed("shop-dev")
    made.clusters.bell.wait(5)
    made.plane.refreshed.clear()
    return made


def back(world: ArgoWorld, confirm: Any = None, dry_run: bool = False, **more: Any) -> WriteReport:
    """Roll dev back."""
    request = RollbackRequest(Named(("dev",)), reason="INC-42", **more)
    return rollback(world.session(dry_run=dry_run), request, confirm=confirm)


def canary(world: ArgoWorld, image: str = "shop/api:1.1", **status: Any) -> dict[str, Any]:
    """Put a Rollout in the middle of an update into dev; return its object."""
    spec = {
        "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
        "template": {"spec": {"containers": [{"image": image}]}},
    }
    paused = {
        "phase": "Paused",
        "stableRS": "old",
        "currentPodHash": "new",
        "currentStepIndex": 1,
    }
    return world.add_rollout(spec, {**paused, **status})


def aborted(world: ArgoWorld) -> bool:
    """Was the Rollout stopped?"""
    return bool(world.plane.objects["Rollout", "shop-dev", "api"]["status"].get("abort"))


def test_the_person_is_asked_also_when_the_first_try_fails(
    world: ArgoWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that stumbled before the question, and a branch that moved, spare nobody it."""
    tries: list[str] = []

    def stumbling(*_: object) -> tuple[tuple[str, ...], None]:
        tries.append("")
        if len(tries) == 1:
            world.push("1.1", "prod")
            raise Unavailable("no answer")
        return (), None

    monkeypatch.setattr("gitops.actions.rollback.landed_since", stumbling)
    with pytest.raises(Refused, match="nothing was rolled back"):
        back(world, confirm=lambda _: False)

    assert 2 == len(tries)


def test_a_rollback_refreshes_and_shows_the_hold(world: ArgoWorld) -> None:
    """After the commit Argo CD is asked to look, and shows who holds it and why."""
    report = back(world)

    assert "committed" == report.outcome
    assert ["shop-dev"] == world.plane.refreshed
    notice = world.plane.annotations("shop-dev")[NOTICE]
    assert notice.startswith("gitops: held at ")
    assert "by Ana since 2026-03-01" in notice
    assert "INC-42 (gitops resume dev lifts it)" in notice
    assert () == report.warnings


def test_resume_takes_the_notice_away(world: ArgoWorld) -> None:
    """With the hold its notice goes, and nothing else."""
    back(world)
    world.plane.annotate("argocd", "shop-dev", {"mine": "x"})

    resume(world.session(intent="intent-2"), Named(("dev",)))

    assert {"mine": "x"} == world.plane.annotations("shop-dev")


class Slow:
    """Keeps the Applications of a cluster back until it is told to answer."""

    def __init__(self, world: ArgoWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer = Event()
        read = world.cluster.applications

        def applications() -> Reading:
            self.answer.wait(10)
            return read()

        monkeypatch.setattr(world.cluster, "applications", applications)
        monkeypatch.setattr(cluster_actions, "WITHIN", 0.02)
        monkeypatch.setattr(cluster_actions, "PATIENCE", 0.04)


def unnamed(world: ArgoWorld) -> None:
    """Leave it to the current context which cluster there is."""
    world.repository.commit({"gitops.yaml": CONFIG.partition("clusters:")[0].encode()})


@pytest.mark.parametrize("named", [True, False])
def test_resume_waits_for_the_notice_to_go(
    world: ArgoWorld, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """A cluster that takes longer than a courtesy may is waited for, and the person is told so."""
    if not named:
        unnamed(world)
    back(world)
    slow = Slow(world, monkeypatch)

    def say(text: str) -> None:
        if text.startswith("waiting for Argo CD"):
            slow.answer.set()

    monkeypatch.setattr(cluster_actions, "PATIENCE", 10.0)
    report = resume(replace(world.session(intent="intent-2"), say=say), Named(("dev",)))

    assert NOTICE not in world.plane.annotations("shop-dev")
    assert () == report.warnings
    assert "shop-dev does not say any more that it is held" in report.notes


@pytest.mark.parametrize("named", [True, False])
def test_a_notice_that_may_stay_is_told(
    world: ArgoWorld, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """The hold is lifted, the way out is told, and the same command again mends it."""
    if not named:
        unnamed(world)
    back(world)
    with monkeypatch.context() as patch:
        slow = Slow(world, patch)
        report = resume(world.session(intent="intent-2"), Named(("dev",)))
        slow.answer.set()
    again = resume(world.session(intent="intent-3"), Named(("dev",)))

    assert "committed" == report.outcome
    (warning,) = report.warnings
    assert warning.startswith("Argo CD may still say that dev is held: fake did not answer in time")
    assert "`gitops resume dev` again takes the notice away" in warning
    assert ("unchanged", ()) == (again.outcome, again.warnings)
    assert "shop-dev does not say any more that it is held" in again.notes
    assert NOTICE not in world.plane.annotations("shop-dev")


def test_what_cannot_be_patched_is_told(world: ArgoWorld) -> None:
    """Without the right to take a notice away, resume says that it stays; every one is tried."""
    hold(world.session(), None, reason="stop")
    world.cluster.read_only = Denied("may not patch applications")

    report = resume(world.session(intent="intent-2"), None)

    assert [
        f"Argo CD may still say that {name} is held: shop-{name}: may not patch applications; "
        f"`gitops resume {name}` again takes the notice away, and so does `gitops watch`"
        for name in ("dev", "prod")
    ] == list(report.warnings)


def test_a_change_that_is_not_taken_is_tried_again(
    world: ArgoWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API server that stumbles over the patch is asked again, in the time that there is."""
    back(world)
    annotate, tries = world.cluster.annotate, []

    def stumble(*arguments: Any) -> None:
        tries.append(arguments)
        if len(tries) < 3:
            raise Unavailable("fake is busy")
        annotate(*arguments)

    monkeypatch.setattr(world.cluster, "annotate", stumble)
    report = resume(world.session(intent="intent-2"), Named(("dev",)))

    assert (3, ()) == (len(tries), report.warnings)
    assert NOTICE not in world.plane.annotations("shop-dev")


def test_resume_where_nobody_configured_a_cluster(world: ArgoWorld) -> None:
    """Whatever the current context is: what refuses every connection is no Argo CD of ours."""
    back(world)
    unnamed(world)
    world.cluster.trouble = Unavailable("fake is away")

    report = resume(world.session(intent="intent-2"), Named(("dev",)))

    assert ("committed", ()) == (report.outcome, report.warnings)


def test_holds_of_everything(world: ArgoWorld) -> None:
    """A hold of everything is shown everywhere; an own hold outlasts it."""
    back(world)
    hold(world.session(intent="intent-2"), None, reason="stop")
    assert "stop" in world.plane.annotations("shop-prod")[NOTICE]
    assert "INC-42" in world.plane.annotations("shop-dev")[NOTICE]

    resume(world.session(intent="intent-3"), None)

    assert NOTICE not in world.plane.annotations("shop-prod")
    assert "INC-42" in world.plane.annotations("shop-dev")[NOTICE]


def test_somebody_elses_notice_stays(world: ArgoWorld) -> None:
    """A notice that people wrote is not written over, and not taken away."""
    world.plane.annotate("argocd", "shop-dev", {NOTICE: "ask the platform team"})

    back(world)
    resume(world.session(intent="intent-2"), Named(("dev",)))

    assert "ask the platform team" == world.plane.annotations("shop-dev")[NOTICE]


def test_a_bad_canary_is_stopped_first(world: ArgoWorld) -> None:
    """A Rollout in the middle of what is taken back is stopped before the commit is made."""
    canary(world)
    order: list[str] = []
    create = world.repository.create

    def committed(commit: Any) -> str:
        order.append("aborted" if aborted(world) else "not yet")
        return create(commit)

    world.repository.create = committed  # type: ignore[method-assign]

    report = back(world)

    assert ["aborted"] == order
    assert any(
        "aborted Rollout api, which was paused at step 1 of 2" in one for one in report.notes
    )


def test_no_abort(world: ArgoWorld) -> None:
    """With --no-abort it is left alone."""
    canary(world)

    assert "committed" == back(world, abort=False).outcome
    assert not aborted(world)


@pytest.mark.parametrize(
    ("image", "status"),
    [
        ("shop/other:1.1", {}),
        ("shop/api:1.1", {"phase": "Healthy", "stableRS": "new"}),
        ("shop/api:1.1", {"phase": "Degraded"}),
    ],
)
def test_what_is_not_in_the_middle_is_left_alone(
    world: ArgoWorld, image: str, status: dict[str, Any]
) -> None:
    """A Rollout of another image, one that is done, and one that failed are not stopped."""
    canary(world, image, **status)

    back(world)

    assert not aborted(world)


def test_nothing_is_stopped_before_the_answer(world: ArgoWorld) -> None:
    """The preview tells what will be stopped; a no stops nothing."""
    canary(world)
    seen: list[Preview] = []

    def no(preview: Preview) -> bool:
        seen.append(preview)
        return False

    with pytest.raises(Refused):
        back(world, confirm=no)

    assert not aborted(world)
    assert "aborts Rollout api first: paused at step 1 of 2" in " ".join(seen[0].notes)


def test_dry_run(world: ArgoWorld) -> None:
    """A dry run tells what it would stop, and touches nothing."""
    canary(world)

    report = back(world, dry_run=True)

    assert "aborts Rollout api first" in " ".join(report.notes)
    assert not aborted(world)
    assert [] == world.plane.refreshed
    assert {} == world.plane.annotations("shop-dev")


def test_what_serves_until_then_is_told(world: ArgoWorld) -> None:
    """When the stable version is not the one that is restored, that is told."""
    canary(world)
    template = {"spec": {"containers": [{"image": "shop/api:0.9"}]}}
    meta = {
        "name": "api-old",
        "namespace": "shop-dev",
        "labels": {"rollouts-pod-template-hash": "old"},
        "ownerReferences": [{"kind": "Rollout", "name": "api"}],
    }
    world.plane.add("ReplicaSet", {"metadata": meta, "spec": {"template": template}})

    assert "until Argo CD has synced, shop/api:0.9 serves" in back(world).notes


def test_an_abort_that_fails_does_not_stop_the_rollback(world: ArgoWorld) -> None:
    """Without the right to stop it, the rollback goes on, and says so."""
    canary(world)
    world.cluster.read_only = Denied("may not patch rollouts")

    report = back(world)

    assert "committed" == report.outcome
    assert "Rollout api was not aborted: may not patch rollouts" in report.warnings


@pytest.mark.parametrize("trouble", [Unavailable("fake is away"), Denied("no rights")])
def test_a_cluster_in_trouble_is_a_warning(world: ArgoWorld, trouble: Any) -> None:
    """A cluster that is configured and cannot be used is a warning; the rollback is done."""
    world.cluster.trouble = trouble

    report = back(world)

    assert "committed" == report.outcome
    assert any(trouble.message in warning for warning in report.warnings)


def test_a_cluster_that_nobody_configured_says_nothing(world: ArgoWorld) -> None:
    """Whatever the current context is, a plain rollback does not warn about it."""
    plain = CONFIG.partition("clusters:")[0].encode()
    world.repository.commit({"gitops.yaml": plain})
    world.cluster.trouble = Unavailable("fake is away")

    report = back(world)

    assert ("committed", ()) == (report.outcome, report.warnings)


def test_without_clusters_nothing_is_asked(world: ArgoWorld) -> None:
    """Where nobody can be asked, a rollback is what it always was."""
    world.clusters.clusters = {"*": ()}

    report = back(world)

    assert ("committed", ()) == (report.outcome, report.warnings)
    assert [] == world.plane.refreshed


def test_only_our_applications_are_patched(world: ArgoWorld) -> None:
    """An Application of another repository is never touched, whatever its path is."""
    told = dict(world.plane.get("shop-dev"))
    told["metadata"] = {"name": "foreign", "namespace": "argocd"}
    source = {**told["spec"]["source"], "repoURL": "https://git.example.com/other.git"}
    told["spec"] = {**told["spec"], "source": source}
    world.plane.put(told)

    back(world)

    assert {} == world.plane.annotations("foreign")
    assert ["shop-dev"] == world.plane.refreshed
