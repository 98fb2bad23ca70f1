"""One pull request for each proposal: opened once, kept true, found again, ended."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from forge_world import BRANCH, PROD, World, make_world, overlay
from gitops.actions.argocd.verdicts import record_verdict
from gitops.actions.close import close
from gitops.actions.context.named import Named, find_overlay
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.view import view_of
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.history import history
from gitops.actions.hold import hold, resume
from gitops.actions.promote import PromoteRequest, promote
from gitops.actions.qa import QaRequest, qa
from gitops.actions.releases.history import releases_of
from gitops.actions.status import status
from gitops.core.git.commit import Identity
from gitops.errors import Denied, NotFound, Refused, Unavailable
from gitops.ports import NoForge

BEN = Identity("Ben", "ben@example.com")


@pytest.fixture
def world() -> World:
    """A forge that asks for one approval."""
    return make_world()


def test_a_promotion_opens_a_pull_request(world: World) -> None:
    """Title, body, number and address: of the head that stands on the branch."""
    world.stage()
    report = world.promote(reason="the spring release")
    (proposal,) = report.proposals
    (pull,) = world.forge.pulls.values()

    assert ("proposed", 1, "https://forge.example/pulls/1", "open") == (
        report.outcome,
        proposal.number,
        proposal.url,
        proposal.state,
    )
    assert (BRANCH, "main", proposal.commit) == (
        pull.shown.branch,
        pull.shown.base,
        pull.shown.head,
    )
    assert "prod: shop/api 1.4.0 -> 1.5.0" == pull.shown.title
    body = pull.shown.body
    assert "asked for by `Mona`" in body
    assert "| `shop/api` | `1.4.0` | `1.5.0` |" in body
    assert "Reason: `the spring release`" in body
    assert "- `stage`: nobody recorded its health" in body
    assert "`gitops rollback prod` would restore" in body
    assert f"gitops approve prod --head {proposal.commit}" in body
    assert "Gitops-Action: promote" in body


def test_what_gitops_yaml_says_of_pull_requests() -> None:
    """Labels, reviewers and draft come from gitops.yaml; who cannot be asked is a warning."""
    rules = "pullRequest: {labels: [deploy], reviewers: [ana, nobody], draft: true}"
    world = make_world(top=rules)
    report = world.propose()
    (pull,) = world.forge.pulls.values()

    assert (["deploy"], ["ana"], True) == (pull.labels, pull.reviewers, pull.shown.draft)
    assert "nobody cannot be asked for a review" in report.warnings


def test_twice_is_once(world: World) -> None:
    """The second promotion finds everything as it should be, and writes nothing at all."""
    world.propose()
    head, calls = world.repository.head(BRANCH), list(world.forge.calls)
    again = world.promote()

    assert ("unchanged", 1) == (again.outcome, again.proposals[0].number)
    assert head == world.repository.head(BRANCH)
    assert calls == world.forge.calls
    assert [] == world.forge.pulls[1].comments


def test_updated_in_place(world: World) -> None:
    """A newer release: same pull request, new text, one comment on what it replaced."""
    old = world.propose().proposals[0].commit or ""
    world.stage("shop/api:1.5.1")
    new = world.promote()
    (pull,) = world.forge.pulls.values()

    assert (1, old) == (
        new.proposals[0].number,
        new.proposals[0].replaced.commit if new.proposals[0].replaced else None,
    )
    assert "prod: shop/api 1.4.0 -> 1.5.1" == pull.shown.title
    assert "1.5.0" not in pull.shown.body
    (comment,) = pull.comments
    assert f"`{old[:7]}` by `{(new.commit or '')[:7]}`" in comment
    assert "| `shop/api` | `1.5.0` | `1.5.1` |" in comment


def test_words_said_since_come_into_the_text(world: World) -> None:
    """QA's word, a hold and its end are in the text at once, without a new head or a comment."""
    world.propose()
    head = world.repository.head(BRANCH)
    release = next(iter(history(world.session(), "stage").releases)).commit
    body = []
    for act in (
        lambda: qa(
            world.session(BEN), QaRequest(Named(("stage",)), "qa-passed", release, note="green")
        ),
        lambda: hold(world.session(BEN), Named(("prod",)), reason="INC-1"),
        lambda: resume(world.session(BEN), Named(("prod",))),
        lambda: hold(world.session(BEN), None, reason="INC-2"),
    ):
        assert () == act().warnings
        body.append(world.forge.pulls[1].shown.body)

    assert "- `stage`: `qa-passed` by `Ben`" in body[0]
    assert "- stands against it: `prod: held by Ben: INC-1`" in body[1]
    assert "- policy has nothing against it" in body[2]
    assert "- stands against it: `prod: held by Ben: INC-2`" in body[3]
    assert (head, []) == (world.repository.head(BRANCH), world.forge.pulls[1].comments)


def test_a_verdict_comes_into_the_text(world: World) -> None:
    """What a machine saw in stage is in the pull request of prod at once, written once."""
    world.propose()
    session = world.session(BEN)
    tip = open_tip(session)
    view = view_of(session, tip, find_overlay(tip, "stage", None))
    release = next(releases_of(view))
    calls = len(world.forge.calls)
    for _ in range(2):
        assert record_verdict(view, release, "stable", [], reason=None)

    assert "- `stage`: `stable`" in world.forge.pulls[1].shown.body
    assert ["update"] == world.forge.calls[calls:]


def test_a_verdict_needs_no_forge(world: World) -> None:
    """A forge that is down keeps no verdict from being written; a waiting person is told."""
    world.propose()
    world.forge.down = Unavailable("no answer")
    session = world.session(BEN)
    tip = open_tip(session)
    view = view_of(session, tip, find_overlay(tip, "stage", None))
    release = next(releases_of(view))

    assert record_verdict(view, release, "degraded", [], reason="crash")
    assert ["the pull request of prod is as it was: no answer"] == world.said


def test_a_hold_needs_no_forge(world: World) -> None:
    """A forge that is down keeps nobody from holding, nor QA from its word: a warning says so."""
    world.propose()
    world.forge.down = Unavailable("no answer")
    release = next(iter(history(world.session(), "stage").releases)).commit
    for report in (
        hold(world.session(), Named(("prod",)), reason="INC-1"),
        qa(world.session(BEN), QaRequest(Named(("stage",)), "qa-passed", release)),
        resume(world.session(), Named(("prod",))),
    ):
        assert "committed" == report.outcome
        assert ("the pull request of prod is as it was: no answer",) == report.warnings


def test_two_at_once_open_one(world: World) -> None:
    """Whoever comes second finds the pull request of the first."""
    world.stage()
    rival = world.session(BEN)
    world.repository.rivals = [lambda: promote(rival, PromoteRequest(to=("prod",)))]
    report = world.promote()

    assert [1] == list(world.forge.pulls)
    assert ("unchanged", 1) == (report.outcome, report.proposals[0].number)
    assert [] == world.forge.pulls[1].comments


def test_two_different_ones_at_once(world: World) -> None:
    """The later push wins; the text is of the head that stands there, whoever comes last."""
    world.stage()

    def rival() -> None:
        world.stage("shop/api:1.5.1")
        promote(world.session(BEN), PromoteRequest(to=("prod",)))

    world.forge.before["open"] = rival
    world.promote()
    (pull,) = world.forge.pulls.values()

    assert "prod: shop/api 1.4.0 -> 1.5.1" == pull.shown.title
    assert f"--head {world.repository.head(BRANCH)}" in pull.shown.body


def test_a_lost_answer_is_found_again(world: World) -> None:
    """The forge opened it though it did not say so: it is found, and there is one."""
    world.stage()
    world.forge.after["open"] = Unavailable("the forge hung up")
    report = world.promote()

    assert ("proposed", 1) == (report.outcome, report.proposals[0].number)
    assert [1] == list(world.forge.pulls)


def test_a_killed_call_is_mended_by_the_next(world: World) -> None:
    """The branch stands, the forge said no: the error says both, the same call opens it later."""
    world.stage()
    world.forge.before["open"] = _raise(Denied("the token may not open pull requests"))
    with pytest.raises(Denied) as caught:
        world.promote()
    head = world.repository.head(BRANCH) or ""

    assert f"{BRANCH} is at {head[:7]}, but not its pull request" in caught.value.message
    assert "run the same command again" in (caught.value.hint or "")
    report = world.promote()
    assert ("unchanged", 1) == (report.outcome, report.proposals[0].number)
    assert head == world.repository.head(BRANCH)


def test_a_forge_that_is_down(world: World) -> None:
    """Nothing is pushed while nobody can say whether the old proposal still stands."""
    world.propose()
    head = world.repository.head(BRANCH)
    world.stage("shop/api:1.5.1")
    world.forge.down = Unavailable("no answer")
    with pytest.raises(Unavailable):
        world.promote()

    assert head == world.repository.head(BRANCH)


def test_closed_by_hand_is_closed(world: World) -> None:
    """Closed in the forge's page: nothing waits, `close` takes the branch, a new one may open."""
    world.propose()
    world.forge.close(1)
    shown = status(world.session(), ["prod"])

    assert () == shown.overlays[0].proposals
    (told,) = [text for text in shown.warnings if "#1 was closed in the forge" in text]
    assert "the command that proposed it does so again, `gitops close prod` deletes it" in told
    report = world.promote()
    assert ("proposed", 2) == (report.outcome, report.proposals[0].number)
    assert [] == world.forge.pulls[2].comments
    assert ["closed", "open"] == [pull.shown.state for pull in world.forge.pulls.values()]


def test_close_after_a_close_by_hand(world: World) -> None:
    """`gitops close` takes the branch that was left, and does not comment on what was over."""
    world.propose()
    world.forge.close(1)
    report = close(world.session(), Named(("prod",)))

    assert "closed" == report.outcome
    assert world.repository.head(BRANCH) is None
    assert [] == world.forge.pulls[1].comments


def test_merged_by_hand_is_seen_in_the_base(world: World) -> None:
    """The button was pressed: the content of main says so; the next promotion opens a new one."""
    world.propose()
    world.forge.merge_by_hand(1)
    again = world.promote()
    shown = status(world.session(), ["prod"])

    assert "unchanged" == again.outcome
    assert () == again.proposals
    assert () == shown.overlays[0].proposals
    report = world.propose("shop/api:1.6.0")
    assert ("proposed", 2) == (report.outcome, report.proposals[0].number)


def test_squashed_by_hand_and_taken_back_is_not_open_again(world: World) -> None:
    """A merge that kept no trailer, then other images: the old head is over all the same."""
    head = world.propose().commit
    squashed = {PROD: (world.repository.show(PROD, BRANCH) or b"")}
    commit = world.repository.commit(squashed, "squashed\n")
    pull = world.forge.pulls[1]
    pull.shown = replace(pull.shown, state="merged", merged_as=commit, head=head or "")
    world.repository.commit({PROD: overlay("1.3.0")}, "by hand\n")

    assert () == status(world.session(), ["prod"]).overlays[0].proposals


def test_close_tells_why(world: World) -> None:
    """Branch gone, pull request closed, the reason in one comment, number and address told."""
    world.propose()
    report = close(world.session(), Named(("prod",)), reason="superseded")

    assert ("closed", 1, "closed") == (
        report.outcome,
        report.proposals[0].number,
        report.proposals[0].state,
    )
    assert world.repository.head(BRANCH) is None
    assert ("closed", ["`Mona` closed this with `gitops close prod`: `superseded`"]) == (
        world.forge.pulls[1].shown.state,
        world.forge.pulls[1].comments,
    )


def test_close_without_the_forge(world: World) -> None:
    """A forge that does not answer keeps nobody from closing: the branch goes, with a warning."""
    world.propose()
    world.forge.down = Unavailable("no answer")
    report = close(world.session(), Named(("prod",)))

    assert world.repository.head(BRANCH) is None
    assert any("was not told why: no answer" in text for text in report.warnings)


def test_status_tells_what_it_waits_for(world: World) -> None:
    """Number, address, who, since, and what is still to come by the forge's rules."""
    world.protect(2, "ci/test")
    world.propose()
    world.forge.approve(1, "ana")
    (proposal,) = status(world.session(), ["prod"]).overlays[0].proposals

    assert (1, "https://forge.example/pulls/1", "Mona") == (
        proposal.number,
        proposal.url,
        proposal.by,
    )
    assert (
        "1 approval (the forge asks for 2; ana approved)",
        "check ci/test, which nobody reported",
    ) == proposal.waits_for[:2]


def test_status_outlives_the_forge(world: World) -> None:
    """What Git knows is shown though the forge is down, with a warning."""
    world.propose()
    world.forge.down = Unavailable("no answer")
    shown = status(world.session(), ["prod"])

    assert [None] == [one.number for one in shown.overlays[0].proposals]
    assert any("its pull request is not known: no answer" in text for text in shown.warnings)


def test_a_branch_that_cannot_be_read_hides_nothing(world: World) -> None:
    """Whatever somebody pushed to gitops/prod, status shows all environments."""
    world.repository.commit({PROD: b"images: [\n"}, "x\n", branch=BRANCH, parents=[_main(world)])
    shown = status(world.session())

    assert ["stage", "prod"] == [one.overlay.label for one in shown.overlays]
    assert any(f"{BRANCH} cannot be read" in text for text in shown.warnings)


def test_without_a_forge_it_says_how_to_get_one(world: World) -> None:
    """The proposal is a branch, number and address are null, and the hint names the way."""
    world.missing = NoForge("Gitea at git.example.com: set GITEA_TOKEN")
    report = world.propose()

    assert ("proposed", None, None) == (
        report.outcome,
        report.proposals[0].number,
        report.proposals[0].url,
    )
    assert "Gitea at git.example.com: set GITEA_TOKEN" == report.hint
    world.missing = NoForge()
    assert world.promote().hint is None


def test_a_dry_run_asks_the_forge_for_nothing(world: World) -> None:
    """--dry-run opens nothing and writes nothing."""
    world.stage()
    promote(world.session(dry_run=True), PromoteRequest(to=("prod",)))
    world.promote()
    close(world.session(dry_run=True), Named(("prod",)))

    assert ["open", "update"] == world.forge.calls  # the fake opens with an update of its own


def test_a_proposal_that_holds_more_is_not_shown_as_ours(world: World) -> None:
    """What somebody slipped onto the branch is refused by name, its pull request not renewed."""
    world.propose()
    head = world.repository.commits[world.repository.head(BRANCH) or ""]
    files = {PROD: head.files[PROD], "base/evil.yaml": b"x"}
    world.repository.commit(files, head.info.message, branch=BRANCH, parents=[_main(world)])
    with pytest.raises(Refused) as caught:
        world.promote()

    assert "base/evil.yaml" in caught.value.message


def test_images_of_two_promotions_are_one_pull_request(world: World) -> None:
    """What waits stays in it, beside what comes; both people are authors of the new head."""
    world.stage("shop/api:1.5.0", "shop/web:2.1")
    world.promote(names=("shop/api",))
    report = promote(world.session(BEN), PromoteRequest(to=("prod",), names=("shop/web",)))
    (pull,) = world.forge.pulls.values()

    assert 1 == report.proposals[0].number
    assert "| `shop/api` | `1.4.0` | `1.5.0` |" in pull.shown.body
    assert "| `shop/web` | `2.0` | `2.1` |" in pull.shown.body
    assert "Co-authored-by: Mona <mona@example.com>" in pull.shown.body
    assert "| `shop/web` | (none) | `2.1` |" in pull.comments[0]


def test_a_deploy_is_proposed_too(world: World) -> None:
    """`deploy --to prod` of what stage has opens the same kind of pull request."""
    world.stage()
    request = DeployRequest(images=("shop/api:1.5.0",), to=("prod",), reason="by hand")
    report = deploy(world.session(), request)

    assert ("proposed", 1) == (report.outcome, report.proposals[0].number)
    body = world.forge.pulls[1].shown.body
    assert body.startswith("**New images** for `prod`, asked for by `Mona`")
    assert "gitops deploy --to prod --reason 'by hand' shop/api:1.5.0\n" in body


def test_an_override_for_what_waits_is_recorded_there(world: World) -> None:
    """Held since it was proposed: the override makes a new head, and the text names it."""
    world.propose()
    hold(world.session(BEN), Named(("prod",)), reason="INC-1")
    request = DeployRequest(images=("shop/api:1.5.0",), to=("prod",), override="INC-1 is over")
    report = deploy(world.session(), request)

    assert ("proposed", 1) == (report.outcome, report.proposals[0].number)
    body = world.forge.pulls[1].shown.body
    assert "**Passed over**\n\n- `INC-1 is over (passed: prod: held by Ben: INC-1)`" in body
    assert "stands against it" not in body


def test_ended_before_the_forge_was_told(world: World) -> None:
    """Somebody closed it between push and forge: nothing is opened for a branch that is gone."""
    world.stage()
    world.repository.followers = [lambda: world.repository.branches.pop(BRANCH)]
    report = world.promote()

    assert ("proposed", None) == (report.outcome, report.proposals[0].number)
    assert {} == world.forge.pulls


def test_renewed_while_the_forge_is_told(world: World) -> None:
    """A head that moves between text and forge is told again, as it is then."""
    world.stage()

    def renew() -> None:
        head = world.repository.commits[world.repository.head(BRANCH) or ""]
        files, text = {PROD: overlay("1.5.0", web="2.2")}, head.info.message
        world.repository.commit(files, text, branch=BRANCH, parents=head.info.parents)

    world.forge.before["open"] = renew
    world.promote()

    assert f"--head {world.repository.head(BRANCH)}" in world.forge.pulls[1].shown.body
    assert "| `shop/web` | `2.0` | `2.2` |" in world.forge.pulls[1].shown.body


def test_status_of_what_was_never_opened_and_of_what_is_over(world: World) -> None:
    """No pull request yet, and one that proposes nothing any more: both are said."""
    world.propose()
    kept = world.forge.pulls.pop(1)
    (proposal,) = status(world.session(), ["prod"]).overlays[0].proposals
    assert (None, ("its pull request, which nobody opened yet",)) == (
        proposal.number,
        proposal.waits_for,
    )
    world.forge.pulls[1] = kept
    world.repository.commit({PROD: overlay("1.5.0")}, "by hand\n")
    shown = status(world.session(), ["prod"])
    assert () == shown.overlays[0].proposals
    assert any("#1 proposes nothing that its base does not have" in one for one in shown.warnings)


def test_nobody_need_be_known_to_close(world: World) -> None:
    """Closing takes no commit, so it takes no identity."""
    world.propose()

    def nobody() -> Identity:
        raise NotFound("nobody is known")

    close(replace(world.session(), identity=nobody), Named(("prod",)))
    assert ["`somebody` closed this with `gitops close prod`."] == world.forge.pulls[1].comments


def test_approve_and_close_say_what_there_is_instead(world: World) -> None:
    """Nothing waits: approve is not-found, close unchanged."""
    from gitops.actions.approve import ApproveRequest, approve

    with pytest.raises(NotFound):
        approve(world.session(), ApproveRequest(Named(("prod",))))
    assert "unchanged" == close(world.session(), Named(("prod",))).outcome


def _main(world: World) -> str:
    return world.repository.head() or ""


def _raise(error: Exception):  # type: ignore[no-untyped-def]
    def act() -> None:
        raise error

    return act
