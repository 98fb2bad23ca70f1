"""`gitops approve` with a forge: its rules, the very head that was reviewed, and lost answers."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from forge_world import BRANCH, PROD, World, make_world, overlay
from gitops.actions.approve import ApprovalPreview, ApproveRequest, approve
from gitops.actions.context.named import Named
from gitops.actions.context.session import Tip
from gitops.actions.history import history
from gitops.actions.hold import hold, resume
from gitops.actions.pull_requests.decide import Approving, Decided
from gitops.actions.status import status
from gitops.core.git.commit import Identity
from gitops.core.git.message import trailers
from gitops.core.report import WriteReport
from gitops.errors import Conflict, NotFound, Refused, Unavailable, UsageError
from gitops.ports import Contribution, NoForge, Protection

BEN = Identity("Ben", "ben@example.com")
CARA = Identity("Cara", "cara@example.com")


@pytest.fixture
def world() -> World:
    """A forge that asks for one approval; a promotion of shop/api 1.5.0 to prod waits."""
    found = make_world()
    found.stage()
    found.promote(reason="the spring release")
    return found


def run(world: World, **more: object) -> WriteReport:
    """Approve prod, as Ben."""
    request = ApproveRequest(Named(("prod",)), **more)  # type: ignore[arg-type]
    return approve(world.session(BEN), request)


def message(world: World, commit: str | None) -> str:
    """Return the message of a commit."""
    return world.repository.commits[commit or ""].info.message


def test_refused_until_somebody_approved(world: World) -> None:
    """Before: refused with what it waits for, nothing tried. After: merged, the branch gone."""
    before = world.repository.head()
    with pytest.raises(Refused) as caught:
        run(world)

    assert (
        "prod: #1 waits for 1 approval (the forge asks for 1); the forge (0 of 1 approvals)"
        == caught.value.message
    )
    assert "in the forge: https://forge.example/pulls/1" == caught.value.hint
    assert ("merge" in world.forge.calls, before) == (False, world.repository.head())
    world.forge.approve(1, "ana")
    report = run(world)
    assert ("committed", world.repository.head(), "main") == (
        report.outcome,
        report.commit,
        report.branch,
    )
    assert [("merged", 1)] == [(one.state, one.number) for one in report.proposals]
    assert world.repository.head(BRANCH) is None
    assert "1.5.0" in world.pins()
    assert world.repository.head("gitops/ledger") is None  # approvals are the forge's


def test_what_lands_has_the_trailers(world: World) -> None:
    """The merge says what changed and why, and who approved; history knows the release."""
    proposed = world.repository.head(BRANCH) or ""
    world.forge.approve(1, "ana")
    report = run(world)
    text = message(world, report.commit)
    said = trailers(text)

    assert text.startswith("prod: shop/api 1.4.0 -> 1.5.0\n\n")
    assert "Reason: the spring release\n" in text
    assert (("promote",), ("prod",), ("ana",)) == (
        said["Gitops-Action"],
        said["Gitops-Environment"],
        said["Gitops-Approved-By"],
    )
    assert proposed in world.repository.commits[report.commit or ""].info.parents
    newest = history(world.session(), "prod").releases[0]
    assert ("promote", report.commit) == (newest.action, newest.commit)


@pytest.mark.parametrize("method", ["squash", "rebase"])
def test_trailers_outlive_every_merge_method(method: str) -> None:
    """Squashed or rebased, the commit on main says what it is, and the proposal has landed."""
    world = make_world(top=f"pullRequest: {{mergeMethod: {method}}}")
    intent = trailers(message(world, world.propose().commit))["Gitops-Id"][-1]
    world.forge.approve(1, "ana")
    report = run(world)
    said = trailers(message(world, report.commit))

    assert ("promote",) == said["Gitops-Action"]
    assert intent in said["Gitops-Id"]
    assert 1 == len(world.repository.commits[report.commit or ""].info.parents)
    assert "promote" == history(world.session(), "prod").releases[0].action


@pytest.mark.parametrize("how", ["wrote", "pushed", "signed off"])
def test_who_made_some_of_it_does_not_count(world: World, how: str) -> None:
    """An approval by somebody who wrote or pushed a commit of the pull request is none."""
    head = world.repository.branches[BRANCH]
    if how == "wrote":
        world.repository.author = BEN
        head = world.repository.commit({PROD: overlay("1.5.0") + b"# x\n"}, "x\n", branch=BRANCH)
        world.repository.commit({PROD: overlay("1.5.0")}, "back\n", branch=BRANCH)
    elif how == "pushed":
        world.forge.pulls[1].pushes.append(Contribution("Ben", head, "a" * 40))
    else:
        world.forge.pulls[1].pushes.append(Contribution("ben", head))
    world.forge.approve(1, "ben")

    with pytest.raises(Refused, match="ben approved, and made some of it"):
        run(world)
    told = status(world.session(), ["prod"]).overlays[0].proposals[0].waits_for
    assert any("ben approved, and made some of it" in text for text in told)
    world.forge.approve(1, "cara")
    report = run(world)
    assert ("cara",) == trailers(message(world, report.commit))["Gitops-Approved-By"]


@pytest.mark.parametrize("below", [True, False])
def test_update_branch_makes_nobody_an_author(world: World, below: bool) -> None:
    """Whoever presses it wrote nothing; with a commit of theirs pushed below it, they did."""
    head = world.repository.branches[BRANCH]
    main = world.repository.commit({"note.md": b"x\n"}, "main goes on\n")
    before = head
    if below:
        head = world.repository.commit({}, "an empty one\n", branch=BRANCH)
    world.repository.author = BEN
    files = {"note.md": b"x\n"}
    merge = world.repository.commit(files, "Merge main\n", branch=BRANCH, parents=[head, main])
    world.forge.pulls[1].pushes.append(Contribution("ben", merge, before))
    world.forge.approve(1, "ben")

    if below:
        with pytest.raises(Refused, match="ben approved, and made some of it"):
            run(world)
    else:
        assert "committed" == run(world).outcome


def test_where_authors_may_approve_they_count() -> None:
    """`approvals: {self: true}` is about who wrote some of it, too."""
    world = make_world(prod="approvals: {required: 1, self: true}")
    world.propose()
    world.forge.pulls[1].pushes.append(Contribution("ben", world.repository.branches[BRANCH]))
    world.forge.approve(1, "ben")
    assert "committed" == run(world).outcome


def test_a_check_is_waited_for(world: World) -> None:
    """A required check that is pending, failed or not reported is named."""
    world.protect(1, "ci/test")
    world.forge.approve(1, "ana")
    head = world.repository.head(BRANCH) or ""
    for state, words in (("pending", "is pending"), ("failure", "failed")):
        world.forge.set_status(head, "ci/test", state, "", "")  # type: ignore[arg-type]
        with pytest.raises(Refused) as caught:
            run(world)
        assert f"check ci/test, which {words}" in caught.value.reasons
    world.forge.set_status(head, "ci/test", "success", "", "")
    assert "committed" == run(world).outcome


def test_a_weaker_forge_makes_no_weaker_rule() -> None:
    """Where the forge asks for nothing, `approvals:` holds, counted by the forge's reviews."""
    world = make_world(approvals=None)
    world.propose()
    with pytest.raises(Refused) as caught:
        run(world)
    assert "1 approval (gitops.yaml asks for 1)" in caught.value.message
    world.forge.approve(1, "ana")
    assert "committed" == run(world).outcome


def test_an_author_may_where_gitops_yaml_says_so() -> None:
    """`self: true` and a forge that asks for nothing: whoever merges is enough."""
    world = make_world("approvals: {self: true}", approvals=None)
    world.propose()

    assert "committed" == run(world).outcome


def test_a_draft_waits_for_a_person() -> None:
    """A draft is not merged until somebody said in the forge that it is ready."""
    world = make_world(top="pullRequest: {draft: true}")
    world.propose()
    world.forge.approve(1, "ana")
    with pytest.raises(Refused) as caught:
        run(world)
    assert "no draft any more" in caught.value.message
    world.forge.ready(1)
    assert "committed" == run(world).outcome


def test_policy_is_asked_as_of_now(world: World) -> None:
    """Approved in the forge, and held since: refused; an override is recorded in the merge."""
    world.forge.approve(1, "ana")
    hold(world.session(), Named(("prod",)), reason="INC-42")
    with pytest.raises(Refused) as caught:
        run(world)
    assert ("prod: held by Mona: INC-42",) == caught.value.reasons
    report = run(world, override="INC-42 is over")
    assert ("INC-42 is over (passed: prod: held by Mona: INC-42)",) == trailers(
        message(world, report.commit)
    )["Gitops-Override"]


def test_an_override_that_nobody_could_read_is_refused() -> None:
    """A rebase keeps no message of ours, so an override would be lost."""
    world = make_world(top="pullRequest: {mergeMethod: rebase}")
    world.propose()
    world.forge.approve(1, "ana")
    hold(world.session(), Named(("prod",)), reason="INC-42")
    with pytest.raises(UsageError):
        run(world, override="INC-42 is over")
    resume(world.session(), Named(("prod",)))
    assert "committed" == run(world, override="not needed").outcome


def test_a_push_in_between_merges_nothing(world: World) -> None:
    """The head moved after it was looked at: conflict, and main stays."""
    world.forge.approve(1, "ana")
    before, old = world.repository.head(), world.repository.head(BRANCH) or ""

    def push() -> None:
        content = overlay("6.6.6")
        world.repository.commit({PROD: content}, "evil\n", branch=BRANCH)

    world.forge.before["merge"] = push
    with pytest.raises(Conflict) as caught:
        run(world)

    assert before == world.repository.head()
    assert f"{BRANCH} moved from {old[:7]}" in caught.value.message
    assert "nothing was merged" in (caught.value.hint or "")


def test_another_head_than_the_one_that_was_looked_at(world: World) -> None:
    """--head names what was reviewed: another one is refused with both commits."""
    world.forge.approve(1, "ana")
    with pytest.raises(Refused) as caught:
        run(world, head="1234567")

    assert "moved from 1234567 to " in caught.value.message
    with pytest.raises(UsageError, match="--head 'the-new-one' is no commit"):
        run(world, head="the-new-one")
    assert "committed" == run(world, head=world.repository.head(BRANCH)).outcome


def test_a_lost_answer_of_the_merge(world: World) -> None:
    """It was merged, and nobody said so: the pull request tells, once."""
    world.forge.approve(1, "ana")
    world.forge.after["merge"] = Unavailable("the forge hung up")
    report = run(world)

    assert ("committed", world.repository.head()) == (report.outcome, report.commit)
    assert 1 == world.forge.calls.count("merge")
    assert world.repository.head(BRANCH) is None


def test_a_merge_that_did_not_happen_is_tried_again(world: World) -> None:
    """The forge was unreachable for a moment, or still finding out."""
    world.forge.approve(1, "ana")
    world.forge.before["merge"] = _raise(Unavailable("no answer"))
    world.forge.undecided = 2

    assert "committed" == run(world).outcome
    assert world.clock.passed > 0


def test_a_forge_that_never_finds_out(world: World) -> None:
    """When the time is over it is `unavailable`: the same call may work later."""
    world.forge.approve(1, "ana")
    world.forge.undecided = 10_000
    with pytest.raises(Unavailable) as caught:
        run(world)

    assert "still finds out" in caught.value.message


def test_a_text_conflict_names_the_way_out(world: World) -> None:
    """The base's file moved on: refused, and how the proposal is made anew."""
    world.forge.approve(1, "ana")
    world.repository.commit({PROD: overlay("1.4.0", web="2.1")}, "by hand\n")
    with pytest.raises(Refused) as caught:
        run(world)
    assert "conflicts with main" in " ".join(caught.value.reasons)
    assert "gitops promote --to prod --refresh" in (caught.value.hint or "")


def test_what_comes_up_while_it_is_merged(world: World) -> None:
    """A conflict or a stricter rule between question and merge: the forge's own words, refused."""
    world.forge.approve(1, "ana")
    world.forge.before["merge"] = lambda: world.protect(2)
    with pytest.raises(Refused) as caught:
        run(world)
    assert "prod: #1 was not merged: 1 of 2 approvals" == caught.value.message
    world.protect(1)
    world.forge.before["merge"] = lambda: world.repository.commit(
        {PROD: overlay("1.4.0", web="2.1")}, "by hand\n"
    )
    with pytest.raises(Refused) as caught:
        run(world)
    assert "does not merge into main any more: it conflicts with main" in caught.value.message
    assert "--refresh" in (caught.value.hint or "")


def test_a_forge_that_is_behind_is_waited_for(world: World) -> None:
    """The branch moved and the forge has not noticed: never a merge of what it still shows."""
    world.forge.approve(1, "ana")
    old = world.forge.pulls[1].shown
    shown = world.forge._shown
    world.forge._shown = lambda _: replace(old, head="0" * 40)  # type: ignore[method-assign]
    with pytest.raises(Unavailable) as caught:
        run(world)
    assert f"its branch is at {old.head[:7]}: it is still to notice" in caught.value.message
    assert "merge" not in world.forge.calls
    world.forge._shown = shown  # type: ignore[method-assign]
    assert "committed" == run(world).outcome


def test_a_lost_answer_where_the_forge_does_not_tell_the_commit(world: World) -> None:
    """What landed is found by the id that the merge carries."""
    world.forge.approve(1, "ana")
    world.forge.after["merge"] = Unavailable("the forge hung up")
    land = world.forge._land

    def forgetful(number: int, head: str, method: str, title: str, text: str) -> str:
        commit = land(number, head, method, title, text)
        pull = world.forge.pulls[number]
        pull.shown = replace(pull.shown, merged_as=None)
        return commit

    world.forge._land = forgetful  # type: ignore[method-assign]
    report = run(world)
    assert ("committed", world.repository.head()) == (report.outcome, report.commit)


def test_what_landed_is_looked_at(world: World) -> None:
    """A merge of text that gave something else than was approved is said; so is a new head."""
    world.forge.approve(1, "ana")
    land = world.forge._land

    def wrong(number: int, head: str, method: str, title: str, text: str) -> str:
        land(number, head, method, title, text)
        world.repository.commit({PROD: overlay("1.4.9")}, "next\n", branch=BRANCH)
        return world.repository.commit({PROD: overlay("1.4.9")}, "mixed up\n")

    world.forge._land = wrong  # type: ignore[method-assign]
    report = run(world)

    assert "committed" == report.outcome
    assert any("does not have what was approved for shop/api" in one for one in report.warnings)
    assert any(f"{BRANCH} moved meanwhile" in one for one in report.warnings)


def test_merged_by_hand_meanwhile(world: World) -> None:
    """The button was faster: nothing is left to do but to take the branch, and it says so."""
    world.forge.approve(1, "ana")
    commit = world.forge.merge_by_hand(1)
    report = run(world)

    assert ("unchanged", [("merged", 1)]) == (
        report.outcome,
        [(one.state, one.number) for one in report.proposals],
    )
    assert (f"prod: #1 was merged already as {commit[:7]}",) == report.notes
    assert world.repository.head(BRANCH) is None


def test_closed_by_hand_is_not_merged(world: World) -> None:
    """What a person closed in the forge is not open, though its branch stands."""
    world.forge.approve(1, "ana")
    world.forge.close(1)
    with pytest.raises(NotFound) as caught:
        run(world)

    assert "#1 was closed in the forge" in caught.value.message
    assert "gitops close prod" in (caught.value.hint or "")


def test_without_a_pull_request_it_is_not_merged(world: World) -> None:
    """A proposal whose pull request was never opened is named, with the way to open it."""
    del world.forge.pulls[1]
    with pytest.raises(NotFound) as caught:
        run(world)
    assert "gitops promote --to prod" in (caught.value.hint or "")


def test_a_person_is_asked_once_with_the_address(world: World) -> None:
    """Images, head, who and the address are shown; no means nothing happens."""
    world.forge.approve(1, "ana")
    shown: list[ApprovalPreview] = []

    def no(preview: ApprovalPreview) -> bool:
        shown.append(preview)
        return False

    with pytest.raises(Refused):
        approve(world.session(BEN), ApproveRequest(Named(("prod",))), confirm=no)

    assert ["https://forge.example/pulls/1"] == [url for one in shown for url in one.urls]
    assert "merge" not in world.forge.calls


def test_what_came_while_a_person_read_counts(world: World) -> None:
    """A hold that landed while somebody looked at the preview is in the way of their yes."""
    world.forge.approve(1, "ana")

    def yes(_: ApprovalPreview) -> bool:
        hold(world.session(CARA), Named(("prod",)), reason="INC-9")
        return True

    with pytest.raises(Refused, match="held"):
        approve(world.session(BEN), ApproveRequest(Named(("prod",))), confirm=yes)

    assert "merge" not in world.forge.calls


def test_a_dry_run_merges_nothing(world: World) -> None:
    """--dry-run shows the difference."""
    world.forge.approve(1, "ana")
    before = world.repository.head()
    report = approve(world.session(BEN, dry_run=True), ApproveRequest(Named(("prod",))))

    assert ("planned", before) == (report.outcome, world.repository.head())
    assert b"1.5.0" in (report.diffs[0].after or b"")
    assert "open" == report.proposals[0].state


def test_a_dry_run_without_a_forge_plans_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is recorded on --dry-run, so nothing need be planned before."""
    world.missing = NoForge()
    plans: list[Tip] = []
    decide = Approving.decide

    def counted(self: Approving, tip: Tip, *more: Any) -> Decided:
        plans.append(tip)
        return decide(self, tip, *more)

    monkeypatch.setattr(Approving, "decide", counted)
    report = approve(world.session(BEN, dry_run=True), ApproveRequest(Named(("prod",))))

    assert ("planned", 1) == (report.outcome, len(plans))
    assert world.repository.head("gitops/ledger") is None


def test_a_forge_that_deletes_merged_branches(world: World) -> None:
    """Nothing is left to delete, and that is no trouble."""
    world.forge.approve(1, "ana")
    merge = world.forge._land

    def land(number: int, head: str, method: str, title: str, text: str) -> str:
        commit = merge(number, head, method, title, text)
        del world.repository.branches[BRANCH]
        return commit

    world.forge._land = land  # type: ignore[method-assign]
    report = run(world)
    assert ("committed", ()) == (report.outcome, report.warnings)


def test_trouble_after_the_merge_is_a_warning(world: World) -> None:
    """The branch could not be deleted: merged all the same, exit 0."""
    world.forge.approve(1, "ana")
    world.repository.refuses[f"-{BRANCH}"] = Unavailable("no answer")
    report = run(world)

    assert "committed" == report.outcome
    assert any(f"{BRANCH} was merged but not deleted" in text for text in report.warnings)


def test_without_a_token_it_is_git_alone(world: World) -> None:
    """No forge to ask: the ledger counts, as ever, and the hint names the way to the forge."""
    world.missing = NoForge("set GITEA_TOKEN")
    report = run(world)

    assert ("committed", "set GITEA_TOKEN") == (report.outcome, report.hint)
    assert world.repository.head("gitops/ledger") is not None


def test_rules_of_another_branch_do_not_count() -> None:
    """An environment on a branch of its own is merged there, by the rules of that branch."""
    world = make_world("branch: production", "branch: main")
    world.repository.branches["production"] = world.repository.branches["main"]
    world.forge.rules["production"] = Protection(True, 2, (), ())
    world.propose()
    world.forge.approve(1, "ana")
    with pytest.raises(Refused):
        run(world)
    world.forge.approve(1, "bo")
    report = run(world)

    assert ("production", world.repository.head("production")) == (report.branch, report.commit)
    assert "production" == world.forge.pulls[1].shown.base


def _raise(error: Exception):  # type: ignore[no-untyped-def]
    def act() -> None:
        raise error

    return act
