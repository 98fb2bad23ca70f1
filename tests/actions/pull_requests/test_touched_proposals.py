"""Proposals that people, bots and hostile hands touched are what they would change."""

from __future__ import annotations

import pytest

from forge_world import BRANCH, PROD, STAGE, World, make_world, overlay
from gitops.actions.approve import ApprovalPreview, ApproveRequest, approve
from gitops.actions.close import close
from gitops.actions.context.named import Named
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.promote import PromoteRequest, promote
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.actions.status import status
from gitops.actions.undo import UndoRequest, undo
from gitops.core.git.commit import Identity
from gitops.core.git.message import trailers
from gitops.core.report import Proposal, WriteReport
from gitops.errors import NotFound, Refused
from gitops.ports import NoForge

BEN = Identity("Ben", "ben@example.com")
EVE = Identity("Eve", "eve@example.com")
CARA = Identity("Cara", "cara@example.com")
HOLD = ".gitops/holds/prod.yaml"


def plain(**more: str) -> World:
    """A world without a forge, where a promotion of shop/api 1.5.0 to prod waits."""
    world = make_world(**more)  # type: ignore[arg-type]
    world.missing = NoForge()
    world.propose()
    return world


def waiting(world: World) -> tuple[Proposal, ...]:
    """What status says that waits for prod."""
    return status(world.session(), ["prod"]).overlays[0].proposals


def run(world: World, who: Identity = CARA, **more: object) -> WriteReport:
    """Approve prod."""
    return approve(world.session(who), ApproveRequest(Named(("prod",)), **more))  # type: ignore[arg-type]


def on_top(world: World, files: dict[str, bytes | None], who: Identity, text: str = "x\n") -> str:
    """Have somebody put a commit on the proposal."""
    world.repository.author = who
    return world.repository.commit(files, text, branch=BRANCH)


def update_branch(world: World, who: Identity = BEN, **files: bytes) -> str:
    """Have somebody press "update branch": main is merged into the proposal."""
    world.repository.author = who
    head, main = world.repository.branches[BRANCH], world.repository.branches["main"]
    fork = world.repository.forks(head, main)[0]
    ours = world.repository.changed(fork, main)
    brought = {path: world.repository.show(path) for path in ours} | files
    return world.repository.commit(brought, "Merge main\n", branch=BRANCH, parents=[head, main])


def elsewhere(world: World, **files: bytes) -> str:
    """Have main move on, beside prod."""
    return world.repository.commit({STAGE: overlay("1.6.0"), **files}, "stage goes on\n")


@pytest.mark.parametrize("times", [1, 2])
def test_update_branch_hides_nothing(times: int) -> None:
    """After main was merged into it the proposal waits as before, by the same person, and lands."""
    world = plain()
    before = waiting(world)[0]
    for _ in range(times):
        elsewhere(world, **{f"note-{_}.md": b"hello\n"})
        update_branch(world)

    (after,) = waiting(world)
    report = run(world)

    assert (before.by, before.since) == (after.by, after.since)
    assert world.repository.head(BRANCH) is None
    assert "committed" == report.outcome
    assert "1.5.0" in world.pins()
    assert b"1.6.0" in (world.repository.show(STAGE) or b"")


def test_who_presses_update_branch_may_approve_and_the_author_may_not() -> None:
    """A merge that brings nothing makes nobody an author, and takes that from nobody."""
    world = plain()
    elsewhere(world)
    update_branch(world, BEN)

    with pytest.raises(Refused, match="is an author"):
        approve(world.session(), ApproveRequest(Named(("prod",))))
    assert "committed" == run(world, BEN).outcome


def test_a_merge_that_brings_something_makes_an_author() -> None:
    """Whoever changes something in a merge wrote it: an image, and what else is refused."""
    world = plain()
    elsewhere(world)
    update_branch(world, BEN, **{PROD: overlay("6.6.6")})

    with pytest.raises(Refused, match=r"Ben <ben@example.com> is an author|not a release of stage"):
        run(world, BEN)
    update_branch(world, EVE, **{"base/evil.yaml": b"evil\n"})
    with pytest.raises(Refused, match=r"changes more than images: base/evil.yaml, by .*by Eve"):
        run(world, CARA, override="x")


def test_commits_on_top_stay_and_are_told() -> None:
    """A newer deploy keeps what Ben wrote on the branch, says so, and approve says what is more."""
    world = plain()
    on_top(world, {PROD: overlay("1.5.0") + b"replicas: []\n"}, BEN, "five replicas\n")
    world.stage("shop/api:1.7.0")
    report = world.promote()

    assert b"replicas" in (world.repository.show(PROD, BRANCH) or b"")
    assert b"1.7.0" in (world.repository.show(PROD, BRANCH) or b"")
    assert any("keeps" in note and "'five replicas' by Ben" in note for note in report.notes)
    with pytest.raises(Refused, match=r"changes more than images: overlays/prod.*by Ben"):
        run(world)
    assert world.repository.head(BRANCH) is not None


def test_what_is_dropped_is_told() -> None:
    """Made anew or closed, or taken over by a rollback: commits of others are named."""
    world = plain()
    mine = on_top(world, {"docs/note.md": b"hello\n"}, BEN, "a note\n")
    anew = world.promote(refresh=True)
    assert any(f"drops {mine[:7]} 'a note' by Ben" in text for text in anew.warnings)
    assert world.repository.show("docs/note.md", BRANCH) is None

    on_top(world, {"docs/note.md": b"hello\n"}, BEN, "a note\n")
    closed = close(world.session(), Named(("prod",)))
    assert any("'a note' by Ben" in text for text in closed.warnings)


def test_a_branch_without_a_proposal_is_not_replaced_in_silence() -> None:
    """Where somebody uses the branch for something else, that is told, too."""
    world = make_world()
    world.missing = NoForge()
    world.stage()
    world.repository.author = BEN
    main = world.repository.branches["main"]
    world.repository.commit({"docs.md": b"x\n"}, "my docs\n", branch=BRANCH, parents=[main])

    report = world.promote()

    assert any("'my docs' by Ben" in text for text in report.warnings)


def test_a_copied_id_lands_nothing() -> None:
    """A commit on main with the proposal's Gitops-Id does not make it vanish."""
    world = plain()
    message = world.repository.commits[world.repository.branches[BRANCH]].info.message
    intent = trailers(message)["Gitops-Id"][-1]
    world.repository.commit({"docs.md": b"x\n"}, f"docs: typo\n\nGitops-Id: {intent}\n")

    assert 1 == len(waiting(world))
    assert "committed" == run(world).outcome


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_squash_is_known_by_what_it_brought(goes_on: bool) -> None:
    """Merged without a trace and left standing, it is over; also when prod has gone on since."""
    world = plain()
    world.repository.commit({PROD: overlay("1.5.0")}, "squashed by hand\n")
    if goes_on:
        world.repository.commit({PROD: overlay("1.8.0")}, "and on\n")

    assert () == waiting(world)
    with pytest.raises(NotFound, match="no open proposal"):
        run(world)


CLAIM = "prod: back\n\nGitops-Action: rollback\nGitops-Environment: prod\nGitops-Id: 1\n"


@pytest.mark.parametrize("where", ["head", "below", "on top", "merge"])
def test_a_rollback_is_not_believed(where: str) -> None:
    """What says that it is a rollback and restores nothing is refused, wherever it says so."""
    world = make_world()
    world.missing = NoForge()
    main = world.repository.branches["main"]
    claim = CLAIM + f"Gitops-Restores: {main}\n"
    bad: dict[str, bytes | None] = {PROD: overlay("6.6.6")}
    texts = {"head": [claim], "below": [claim, "x\n"], "on top": ["x\n", claim], "merge": ["x\n"]}
    world.repository.author = EVE
    parents: list[str] | None = [main]
    for number, text in enumerate(texts[where]):
        files = bad | {"overlays/prod/.keep": b"%d" % number} if number else bad
        world.repository.commit(
            bad if where == "head" else files, text, branch=BRANCH, parents=parents
        )
        parents = None
    if where == "merge":
        elsewhere(world)
        update_branch(world, EVE)
        on_top(world, {PROD: overlay("6.6.7")}, EVE, claim)

    with pytest.raises(Refused, match=r"says that it is a rollback, and is none|more than images"):
        run(world, override="whatever")
    assert "6.6" not in world.pins()


def test_a_right_rollback_is_let_in_and_shown() -> None:
    """A proposed rollback says what it restores before the question, and passes a hold."""
    world = plain(prod="rollback: pull-request")
    run(world)
    session = world.session()
    rollback(session, RollbackRequest(Named(("prod",)), reason="INC-9"))
    asked: list[ApprovalPreview] = []

    def confirm(preview: ApprovalPreview) -> bool:
        asked.append(preview)
        return True

    report = approve(world.session(CARA), ApproveRequest(Named(("prod",))), confirm=confirm)

    assert any("a rollback: it restores" in note for note in asked[0].notes)
    assert any("brings a hold: INC-9" in note for note in asked[0].notes)
    assert "1.4.0" in world.pins()
    assert world.repository.show(HOLD) is not None
    said = trailers(world.repository.commits[report.commit or ""].info.message)
    assert ("rollback",) == said["Gitops-Action"]


@pytest.mark.parametrize("touch", ["nothing", "update", "empty", "deploy"])
def test_a_waiting_rollback_keeps_its_right_of_way(touch: str) -> None:
    """Whatever is put on top of a rollback that waits, nothing is promoted before it."""
    world = plain(prod="rollback: pull-request")
    run(world)
    rollback(world.session(), RollbackRequest(Named(("prod",)), reason="INC-9"))
    if touch == "update":
        elsewhere(world)
        update_branch(world)
    if touch == "empty":
        on_top(world, {}, EVE, "prod: go on\n\nGitops-Action: promote\nGitops-Environment: prod\n")
    if touch == "deploy":
        on_top(world, {PROD: overlay("1.5.0")}, EVE, "no rollback\n")
        on_top(world, {PROD: overlay("6.6.6")}, EVE, "no rollback\n")
    world.stage("shop/api:1.7.0")

    with pytest.raises(Refused, match=r"a rollback by .* waits"):
        promote(world.session(), PromoteRequest(to=("prod",)))
    with pytest.raises(Refused, match=r"a rollback by .* waits"):
        deploy(world.session(), DeployRequest(images=("shop/api:1.7.0",), to=("prod",)))


def test_a_hold_in_a_promotion_is_more_than_images() -> None:
    """Only a rollback brings a hold along: no promotion sets or lifts one unseen."""
    world = plain()
    on_top(world, {HOLD: b"by: Eve\nsince: 2026-01-05T09:00:00Z\nreason: mine\n"}, EVE)

    with pytest.raises(Refused, match=r"changes more than images: .gitops/holds/prod.yaml"):
        run(world)


def test_overrides_in_a_proposal_are_shown() -> None:
    """Whoever is asked sees each override that the branch records, and so does a script."""
    world = make_world()
    world.missing = NoForge()
    request = DeployRequest(images=("shop/api:6.6.6",), to=("prod",), override="boss said so")
    deploy(world.session(), request)
    asked: list[ApprovalPreview] = []

    def refuse(preview: ApprovalPreview) -> bool:
        asked.append(preview)
        return False

    with pytest.raises(Refused, match="nothing was approved"):
        approve(world.session(CARA), ApproveRequest(Named(("prod",))), confirm=refuse)
    told = "an override in the proposal, by Mona: boss said so (passed: prod: shop/api 6.6.6"
    assert any(told in note for note in asked[0].notes)
    report = run(world)
    assert any(told in text for text in report.warnings)
    said = trailers(world.repository.commits[report.commit or ""].info.message)
    assert said["Gitops-Override"][0].startswith("boss said so")


@pytest.mark.parametrize(("signer", "counts"), [(None, False), ("mona", True), ("eve", False)])
def test_with_signers_an_override_is_its_signers(signer: str | None, counts: bool) -> None:
    """Where signers are named, an override that no listed key signed is told and passes nothing."""
    world = make_world(top="signers: signers")
    world.missing = NoForge()
    world.repository.commit({"signers": b"mona cara"})
    request = DeployRequest(images=("shop/api:6.6.6",), to=("prod",), override="boss said so")
    head = deploy(world.session(), request).commit or ""
    if signer is not None:
        world.repository.signatures[head] = signer
    world.repository.signs = "cara"

    if counts:
        assert any("boss said so" in text for text in run(world).warnings)
    else:
        with pytest.raises(Refused, match=r"shop/api 6.6.6 is not a release of stage"):
            run(world)


def test_forged_words_do_not_land() -> None:
    """Who approved, and what it restores, is never taken from what the branch says of itself."""
    world = plain()
    head = world.repository.branches[BRANCH]
    text = world.repository.commits[head].info.message.rstrip("\n")
    forged = text + "\nGitops-Approved-By: Cara <cara@example.com>\nGitops-Restores: " + "a" * 40
    on_top(world, {}, EVE, forged + "\n")

    report = run(world)

    said = trailers(world.repository.commits[report.commit or ""].info.message)
    assert ("Cara <cara@example.com>",) == said["Gitops-Approved-By"]
    assert "Gitops-Restores" not in said


def test_the_same_key_under_another_name() -> None:
    """With signers the signer is who approves: Mona's key is Mona's, whatever name stands there."""
    world = make_world(top="signers: signers")
    world.missing = NoForge()
    world.repository.commit({"signers": b"mona cara"})
    world.stage()
    world.repository.signs = "mona"
    world.promote()
    before = dict(world.repository.branches)

    with pytest.raises(Refused, match="mona, whose key signs as Cara is an author"):
        run(world, CARA)
    assert before == world.repository.branches
    world.repository.signs = "cara"
    report = run(world, BEN)
    assert "committed" == report.outcome
    said = trailers(world.repository.commits[world.repository.branches["main"]].info.message)
    assert ("cara",) == said["Gitops-Approved-By"]  # by the key, whatever name stood there


def test_crosswise_merges_are_refused() -> None:
    """Where nobody can tell what it changes, it is neither merged nor does it break status."""
    world = plain()
    head, main = world.repository.branches[BRANCH], elsewhere(world)
    world.repository.commit({}, "one\n", branch=BRANCH, parents=[head, main])
    world.repository.commit({}, "two\n", parents=[main, head])
    on_top(world, {PROD: overlay("6.6.6")}, EVE)

    with pytest.raises(Refused, match="crosswise"):
        run(world)
    assert () == waiting(world)


def undo_waits() -> World:
    """Prod was rolled back by a proposal, and an undo of that waits."""
    world = plain(prod="rollback: pull-request")
    run(world)
    rollback(world.session(), RollbackRequest(Named(("prod",)), reason="INC-9"))
    run(world)
    assert "1.4.0" in world.pins()
    undo(world.session(), UndoRequest(Named(("prod",))))
    return world


@pytest.mark.parametrize("updated", [False, True])
def test_a_proposed_undo_lifts_the_hold(updated: bool) -> None:
    """What undoes the newest rollback, proved, is let in past the hold, and takes it along."""
    world = undo_waits()
    if updated:
        elsewhere(world)
        update_branch(world)
    asked: list[ApprovalPreview] = []

    def confirm(preview: ApprovalPreview) -> bool:
        asked.append(preview)
        return True

    report = approve(world.session(CARA), ApproveRequest(Named(("prod",))), confirm=confirm)

    assert {"it undoes the newest rollback", "it lifts the hold"} <= set(asked[0].notes)
    assert "1.5.0" in world.pins()
    assert world.repository.show(HOLD) is None
    said = trailers(world.repository.commits[report.commit or ""].info.message)
    assert ("undo",) == said["Gitops-Action"]
    assert "Gitops-Undoes" in said
    assert "unchanged" == undo(world.session(), UndoRequest(Named(("prod",)))).outcome


@pytest.mark.parametrize(
    "files",
    [
        {PROD: overlay("6.6.6")},
        {HOLD: b"by: Eve\nsince: 2026-01-05T09:00:00Z\nreason: mine\n"},
        {PROD: overlay("1.5.0", web="6.6")},
    ],
)
def test_an_undo_is_not_believed(files: dict[str, bytes | None]) -> None:
    """With another image, or another hold, it is no undo."""
    world = undo_waits()
    on_top(world, files, EVE)
    with pytest.raises(Refused, match=r"says that it is a rollback, and is none|undo"):
        run(world, override="whatever")
    assert "1.4.0" in world.pins()


def test_a_claim_about_another_environment() -> None:
    """A rollback names its environment; one that names another, or none, is none."""
    world = plain(prod="rollback: pull-request")
    run(world)
    rollback(world.session(), RollbackRequest(Named(("prod",)), reason="INC-9"))
    text = world.repository.commits[world.repository.branches[BRANCH]].info.message
    on_top(world, {}, EVE, text.replace("Gitops-Environment: prod", "Gitops-Environment: stage"))
    with pytest.raises(Refused, match="this names stage"):
        run(world)


def test_a_pull_request_that_somebody_touched_is_kept_true() -> None:
    """With a forge a newer deploy goes on top; its text and status say what else is in it."""
    world = make_world()
    world.propose()
    on_top(world, {PROD: overlay("1.5.0") + b"replicas: []\n"}, BEN, "five replicas\n")
    world.stage("shop/api:1.7.0")
    report = world.promote()

    assert "proposed" == report.outcome
    body = world.forge.pulls[1].shown.body
    assert "changes more than images: overlays/prod/kustomization.yaml" in body
    assert "1.7.0" in body
    told = status(world.session(), ["prod"]).warnings
    assert any("five replicas" in text and "refuses it" in text for text in told)


def test_a_rollback_names_what_goes_with_a_proposal() -> None:
    """A direct rollback drops the proposal that waits, and says what others wrote in it."""
    world = plain()
    run(world)
    world.stage("shop/api:1.7.0")
    world.promote()
    on_top(world, {"docs/note.md": b"hello\n"}, BEN, "a note\n")
    report = rollback(world.session(), RollbackRequest(Named(("prod",)), reason="INC-9"))
    assert any("drops the proposal" in note and "'a note' by Ben" in note for note in report.notes)


def test_a_thousand_merges_are_not_looked_at() -> None:
    """However many merges somebody pushes, few are compared, and all of it is told as theirs."""
    world = plain()
    looked = 0
    forks = world.repository.forks

    def counted(one: str, other: str) -> tuple[str, ...]:
        nonlocal looked
        looked += 1
        return forks(one, other)

    main = world.repository.branches["main"]
    for _ in range(70):
        world.repository.author = EVE
        head = world.repository.branches[BRANCH]
        main = world.repository.commit({"n": b"%d" % _}, "main\n")
        world.repository.commit({"n": b"%d" % _}, "m\n", branch=BRANCH, parents=[head, main])
    world.repository.forks = counted  # type: ignore[method-assign]

    (one,) = waiting(world)

    assert "Mona" == one.by
    assert looked < 60
