"""Environments on branches of their own, in memory: what is read where, written where, refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest

from fakes import FakeRepository, session_on
from gitops.actions.approve import ApproveRequest, approve
from gitops.actions.close import close
from gitops.actions.context.named import Named
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.diff import diff
from gitops.actions.history import history
from gitops.actions.hold import hold, resume
from gitops.actions.promote import PromoteRequest, promote, promote_eligible
from gitops.actions.qa import QaRequest, qa
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.actions.status import status
from gitops.core.git.commit import Identity
from gitops.core.git.message import subject, trailers
from gitops.core.report import WriteReport
from gitops.errors import (
    ConfigError,
    Conflict,
    NotFound,
    Protected,
    Refused,
    Unavailable,
    UsageError,
)
from gitops.ports import Lost, NewCommit, RefUpdate
from gitops.ports import Snapshot as SnapshotPort

HEAD = "apiVersion: gitops/v1\nkind: Config\n"
CONFIG = f"""{HEAD}branch: main
environments:
  - {{name: dev, overlay: overlays/dev, accepts: [main], deploy: auto}}
  - {{name: stage, overlay: overlays/stage, accepts: [main], deploy: auto, branch: staging}}
  - {{name: prod, overlay: overlays/prod, accepts: [main], after: [stage], branch: production}}
"""
ENVIRONMENTS = ("dev", "stage", "prod")
OWN = {"dev": "main", "stage": "staging", "prod": "production"}


def path(environment: str) -> str:
    """The file that pins an environment's images."""
    return f"overlays/{environment}/kustomization.yaml"


def overlay(tag: str) -> bytes:
    """An overlay that pins one image."""
    return f"images:\n  - name: shop/api\n    newTag: v{tag}\n".encode()


class Shop(FakeRepository):
    """Three environments on three branches, all made from main's first commit.

    Attributes:
        rivals: run one by one, each right before a push.
        makers: run one by one, each right after a commit was made that is to be pushed.
        asked: the branches that were read.
        pushed: the branches of every push, with the ones that were only guarded in brackets.
        barred: branches that may not be pushed to.
    """

    def __init__(self, config: str = CONFIG, branches: Sequence[str] = ("staging", "production")):
        self.rivals: list[Callable[[], object]] = []
        self.makers: list[Callable[[], object]] = []
        files = {"gitops.yaml": config.encode()}
        super().__init__(files | {path(name): overlay("1") for name in ENVIRONMENTS})
        for branch in branches:
            self.branches[branch] = self.branches["main"]
        self.asked: list[str | None] = []
        self.pushed: list[list[str]] = []
        self.barred: set[str] = set()

    def snapshot(self, branch: str | None = None) -> SnapshotPort:  # type: ignore[override]
        """Note which branch is read."""
        self.asked.append(branch)
        return super().snapshot(branch)

    def create(self, commit: NewCommit) -> str:
        """Make it, then let the next rival act."""
        made = super().create(commit)
        if self.makers:
            self.makers.pop(0)()
        return made

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Let the next rival act, then push."""
        if self.rivals:
            self.rivals.pop(0)()
        names = [one.ref.removeprefix("refs/heads/") for one in updates]
        moving = [one.old != one.new for one in updates]
        possible = self.atomic or len(updates) == 1
        if possible and self.barred & {names[at] for at, moves in enumerate(moving) if moves}:
            raise Protected("production is protected: no")
        self.pushed.append(
            [name if moves else f"({name})" for name, moves in zip(names, moving, strict=True)]
        )
        return super().push(updates)

    def tag(self, environment: str, branch: str | None = None) -> str:
        """The tag that an environment pins on its branch."""
        content = self.show(path(environment), branch or OWN[environment]) or b""
        return content.decode().rpartition(": v")[2].strip()

    def said_on(self, branch: str) -> str:
        """The message of a branch's newest commit."""
        return self.commits[self.branches[branch]].info.message


@pytest.fixture
def shop() -> Shop:
    """A repository with three branches."""
    return Shop()


def session(
    repository: FakeRepository,
    who: str = "Ana",
    *,
    intent: str = "1" * 32,
    branch: str | None = None,
    dry_run: bool = False,
) -> Session:
    """A session of somebody, with a budget of ten seconds."""
    return session_on(
        repository,
        Identity(who, f"{who.lower()}@example.com"),
        intent=intent,
        budget=10.0,
        branch=branch,
        dry_run=dry_run,
    )


def put(shop: FakeRepository, tag: str, *to: str, **more: str) -> WriteReport:
    """Deploy a tag to the named environments."""
    request = DeployRequest((f"shop/api:v{tag}",), to=to, **more)
    return deploy(session(shop, intent=f"put-{tag}-{'-'.join(to)}"), request)


def commits(report: WriteReport) -> dict[str, str]:
    """Branch -> commit that landed."""
    return {one.branch: one.commit for one in report.commits}


# --- reading and writing ----------------------------------------------------------------------


def test_a_change_goes_to_the_branch_that_the_environment_lives_on(shop: Shop) -> None:
    """One commit on its branch, and no other branch moves."""
    main, production = shop.branches["main"], shop.branches["production"]
    report = put(shop, "2", "stage")

    assert ("committed", "staging", shop.branches["staging"]) == (
        report.outcome,
        report.branch,
        report.commit,
    )
    assert ["staging"] == [entry.branch for entry in report.changes]
    assert "2" == shop.tag("stage")
    assert (main, production) == (shop.branches["main"], shop.branches["production"])


def test_one_commit_for_each_branch_in_one_push(shop: Shop) -> None:
    """Each commit tells of its own environments, all have the call's id."""
    report = deploy(session(shop), DeployRequest(("shop/api:v2",), ref="main"))

    assert {branch: shop.branches[branch] for branch in ("main", "staging")} == commits(report)
    assert ("main", shop.branches["main"]) == (report.branch, report.commit)
    assert [["main", "staging"]] == shop.pushed
    told = {branch: trailers(shop.said_on(branch)) for branch in ("main", "staging")}
    assert [("dev",), ("stage",)] == [one["Gitops-Environment"] for one in told.values()]
    assert {("1" * 32,)} == {one["Gitops-Id"] for one in told.values()}
    assert "stage: shop/api v1 -> v2" == subject(shop.said_on("staging"))


def test_only_what_is_touched_is_read(shop: Shop) -> None:
    """A call about dev asks for main alone; one about prod for main, production and stage's."""
    put(shop, "2", "dev")
    dev, shop.asked = shop.asked, []
    put(shop, "2", "stage")
    stage, shop.asked = shop.asked, []
    promote(session(shop), PromoteRequest(("prod",)))

    assert [None] == dev
    assert [None, "staging"] == stage
    assert [None, "staging", "production", "gitops/ledger"] == shop.asked


def test_every_reader_looks_at_the_right_branch(shop: Shop) -> None:
    """history, status and diff tell of each environment what its own branch says."""
    landed = put(shop, "2", "stage").commit
    shop.commit({path("stage"): overlay("9")}, "a stray copy on main\n")

    told = history(session(shop), "stage")
    shown = {entry.overlay.label: entry for entry in status(session(shop)).overlays}
    differs = diff(session(shop), "stage", "prod")

    assert ("staging", landed) == (told.branch, told.releases[0].commit)
    assert ("staging", landed) == (shown["stage"].branch, shown["stage"].commit)
    assert "v2" == shown["stage"].images["shop/api"].tag
    assert [("v2", "v1")] == [(one.left.tag, one.right.tag) for one in differs.differences]


def test_a_promotion_goes_from_branch_to_branch(shop: Shop) -> None:
    """What stage released on its branch may go to prod on another."""
    with pytest.raises(Refused, match=r"v2 is not a release of stage"):
        put(shop, "2", "prod")
    put(shop, "2", "stage")
    report = promote(session(shop), PromoteRequest(("prod",)))

    assert {"production": shop.branches["production"]} == commits(report)
    assert "2" == shop.tag("prod")
    assert "1" == shop.tag("prod", "main")


def test_promote_eligible_reaches_each_branch(shop: Shop) -> None:
    """What policy allows goes to each branch; one whose branch is gone is listed."""
    shop.commit({"gitops.yaml": CONFIG.replace("after:", "deploy: auto, after:").encode()})
    put(shop, "2", "stage")
    report = promote_eligible(session(shop))
    del shop.branches["production"]
    again = promote_eligible(session(shop))

    assert ["production"] == list(commits(report))
    assert ["no branch production" in one.reason for one in again.skipped] == [True]


def test_two_environments_on_one_branch(shop: Shop) -> None:
    """They share a commit, as they would on the top-level branch."""
    shared = CONFIG.replace("branch: production", "branch: staging").replace("after: [stage], ", "")
    shop.commit({"gitops.yaml": shared.encode()})
    report = put(shop, "2", "stage", "prod")

    assert ["staging"] == list(commits(report))
    assert "stage, prod: shop/api v1 -> v2" == subject(shop.said_on("staging"))


def test_the_top_level_branch_may_be_named_again(shop: Shop) -> None:
    """`branch: main` of an environment, on main, means nothing new."""
    shop.commit({"gitops.yaml": CONFIG.replace("branch: staging", "branch: main").encode()})
    report = put(shop, "2", "dev", "stage")

    assert ["main"] == list(commits(report))


def test_one_branch_for_each_environment_with_the_same_path() -> None:
    """The same folder on another branch is another folder; the dry run says which is which."""
    shop = Shop(re.sub("overlays/(stage|prod)", "overlays/dev", CONFIG))
    first = DeployRequest(("shop/api:v2",), to=("dev", "stage"))
    planned = deploy(session(shop, dry_run=True), first)
    put(shop, "2", "stage")
    report = put(shop, "3", "dev", "stage")

    assert [("main", path("dev")), ("staging", path("dev"))] == [
        (one.branch, one.path) for one in planned.diffs
    ]
    assert [("main", "v1"), ("staging", "v2")] == [
        (one.branch, one.change.before.tag) for one in report.changes
    ]
    assert b"v1" in (shop.show(path("dev"), "production") or b"")


def test_rollback_and_its_hold_are_one_commit_on_its_branch(shop: Shop) -> None:
    """Back on production, held there, and main is not touched."""
    put(shop, "2", "stage")
    promote(session(shop), PromoteRequest(("prod",)))
    main = shop.branches["main"]
    report = rollback(session(shop), RollbackRequest(Named(("prod",))))

    assert (["production"], main) == (list(commits(report)), shop.branches["main"])
    assert "1" == shop.tag("prod")
    assert shop.show(".gitops/holds/prod.yaml", "production") is not None
    assert shop.show(".gitops/holds/prod.yaml") is None
    with pytest.raises(Refused, match="held by Ana"):
        promote(session(shop), PromoteRequest(("prod",)))


def test_rollback_to_a_release_from_before_the_branch_was_made(shop: Shop) -> None:
    """A branch made from main has main's releases of that environment."""
    del shop.branches["production"]
    bump = shop.commit({path("prod"): overlay("0")}, "long ago\n")
    shop.commit({path("prod"): overlay("0.5")}, "before the branch\n")
    shop.branches["production"] = shop.branches["main"]
    put(shop, "2", "stage")
    promote(session(shop), PromoteRequest(("prod",)))
    assert 4 == len(history(session(shop), "prod").releases)
    rollback(session(shop), RollbackRequest(Named(("prod",)), to=bump))

    assert "0" == shop.tag("prod")
    assert [bump] == [*trailers(shop.said_on("production"))["Gitops-Restores"]]


def test_a_branch_that_began_empty_has_no_earlier_release(shop: Shop) -> None:
    """Nothing to go back to is said, not invented from another branch."""
    shop.commit({path("prod"): overlay("1")}, "orphan\n", branch="production", parents=[])

    assert 1 == len(history(session(shop), "prod").releases)
    with pytest.raises(Refused):
        rollback(session(shop), RollbackRequest(Named(("prod",))))


def test_qa_speaks_of_a_release_on_its_branch(shop: Shop) -> None:
    """The word counts for what is carried to another branch."""
    config = CONFIG.replace("after: [stage]", "after: [stage], requires: [qa-passed]")
    shop.commit({"gitops.yaml": config.encode()})
    landed = put(shop, "2", "stage").commit
    with pytest.raises(Refused, match="no qa-passed"):
        promote(session(shop), PromoteRequest(("prod",)))
    report = qa(session(shop), QaRequest(Named(("stage",)), "qa-passed", landed))
    promote(session(shop), PromoteRequest(("prod",)))

    assert {"gitops/ledger": report.commit} == commits(report)
    assert "2" == shop.tag("prod")


# --- policy -----------------------------------------------------------------------------------


def test_a_config_on_the_environments_branch_switches_nothing_off(shop: Shop) -> None:
    """Policy is read from the top-level branch, whatever production says."""
    loose = CONFIG.replace("after: [stage], ", "").encode()
    shop.commit({"gitops.yaml": loose}, branch="production")

    with pytest.raises(Refused, match="not a release of stage"):
        put(shop, "2", "prod")


def test_policy_that_changes_meanwhile_counts(shop: Shop) -> None:
    """A freeze that lands on main while production is pushed stops the push."""
    put(shop, "2", "stage")
    freeze = 'freeze:\n  - {name: now, reason: INC-1, from: "2026-01-01", to: "2026-12-31"}\n'
    shop.rivals = [lambda: shop.commit({"gitops.yaml": (CONFIG + freeze).encode()})]

    with pytest.raises(Refused, match="frozen by now"):
        promote(session(shop), PromoteRequest(("prod",)))
    assert "1" == shop.tag("prod")


def test_a_rollback_of_the_environment_before_counts(shop: Shop) -> None:
    """What stage takes back while it is promoted does not arrive in prod."""
    put(shop, "2", "stage")
    shop.rivals = [
        lambda: rollback(session(shop, "Bob", intent="b"), RollbackRequest(Named(("stage",))))
    ]
    shop.rivals.append(lambda: None)

    with pytest.raises(Refused, match=r"a rollback of stage took shop/api v2 away"):
        promote(session(shop), PromoteRequest(("prod",)))
    assert "1" == shop.tag("prod")


def test_a_guarded_branch_is_not_pushed_to(shop: Shop) -> None:
    """main and staging, which were only read, go along as conditions."""
    put(shop, "2", "stage")
    shop.barred = {"main", "staging"}
    promote(session(shop), PromoteRequest(("prod",)))

    assert ["production", "(main)", "(staging)"] == shop.pushed[-1]


def test_holds_and_rollbacks_wait_for_nobody(shop: Shop) -> None:
    """What policy does not bind has no condition on a busy branch."""
    hold(session(shop), Named(("prod",)), reason="INC-1")
    resume(session(shop), Named(("prod",)))
    put(shop, "2", "stage")
    shop.pushed.clear()
    rollback(session(shop), RollbackRequest(Named(("stage",))))

    assert [["staging"]] == shop.pushed


def test_own_hold_stands_on_the_environments_branch(shop: Shop) -> None:
    """It is written there, read there, and lifted there; one on main holds nothing."""
    put(shop, "2", "stage")
    report = hold(session(shop), Named(("prod",)), reason="INC-1")
    with pytest.raises(Refused, match="held by Ana: INC-1"):
        promote(session(shop), PromoteRequest(("prod",)))
    lifted = resume(session(shop, intent="2"), Named(("prod",)))
    shop.commit({".gitops/holds/prod.yaml": b"by: nobody\nreason: a stray copy\n"})
    promote(session(shop), PromoteRequest(("prod",)))

    assert ["production"] == list(commits(report)) == list(commits(lifted))
    assert "2" == shop.tag("prod")


def test_hold_of_everything_is_one_file_on_the_top_level_branch(shop: Shop) -> None:
    """It stops every branch, also those that one may not push to, and is lifted at once."""
    put(shop, "2", "stage")
    shop.barred = {"staging", "production"}
    report = hold(session(shop), None, reason="INC-1")
    skipped = deploy(session(shop), DeployRequest(("shop/api:v3",), ref="main")).skipped
    with pytest.raises(Refused, match="INC-1"):
        promote(session(shop), PromoteRequest(("prod",)))
    shop.barred = set()
    hold(session(shop, intent="3"), Named(("prod",)), reason="INC-2")
    lifted = resume(session(shop, intent="4"), None)

    assert ["main"] == list(commits(report)) == list(commits(lifted))
    assert ["dev", "stage"] == [one.overlay.label for one in skipped]
    assert ("prod stays held: it has a hold of its own",) == lifted.warnings


def test_hold_of_everything_that_lands_meanwhile(shop: Shop) -> None:
    """A write to another branch sees it, though its own branch did not move."""
    shop.rivals = [lambda: hold(session(shop, "Bob", intent="b"), None, reason="INC-1")]
    shop.rivals.append(lambda: None)
    report = deploy(session(shop), DeployRequest(("shop/api:v2",), to=(), ref="main"))

    assert ("unchanged", ["dev", "stage"]) == (
        report.outcome,
        [one.overlay.label for one in report.skipped],
    )
    assert ("1", "1") == (shop.tag("dev"), shop.tag("stage"))


def test_lifting_the_hold_of_everything_with_a_branch_missing(shop: Shop) -> None:
    """An emergency stop is lifted whatever else is broken."""
    del shop.branches["production"]
    hold(session(shop), None, reason="INC-1")

    assert "committed" == resume(session(shop, intent="2"), None).outcome


# --- --branch ---------------------------------------------------------------------------------


def test_another_branch_may_not_carry_a_policy_for_prod(shop: Shop) -> None:
    """`--branch` with a looser config cannot write to production, or propose to."""
    loose = CONFIG.replace("after: [stage], ", "").replace("branch: main", "branch: evil")
    shop.commit({"gitops.yaml": loose.encode()}, branch="evil", parents=[shop.branches["main"]])
    request = DeployRequest(("shop/api:v2",), to=("prod",))
    with pytest.raises(UsageError, match="bound by the policy on main, not on evil"):
        deploy(session(shop, branch="evil"), request)
    shop.commit(
        {"gitops.yaml": loose.replace("[main]", "[main], change: pull-request").encode()},
        branch="evil",
    )
    with pytest.raises(UsageError, match="bound by the policy on main"):
        deploy(session(shop, branch="evil"), request)
    dev = deploy(session(shop, branch="evil"), DeployRequest(("shop/api:v2",), to=("dev",)))

    assert (["evil"], "1") == ([one.base for one in dev.proposals], shop.tag("prod"))


def test_the_top_level_branch_may_be_named(shop: Shop) -> None:
    """`--branch main` is what is read without it, also where the remote's HEAD is elsewhere."""
    shop.commit({"gitops.yaml": CONFIG.encode()}, branch="docs", parents=[])
    for default in ("main", "docs", "gone"):
        shop.default = default
        request = DeployRequest((f"shop/api:v{default}",), to=("stage",))
        report = deploy(session(shop, branch="main", intent=default), request)
        assert ["staging"] == list(commits(report)), default


@pytest.mark.parametrize("named", [True, False])
def test_the_branch_of_an_environment_is_no_top_level_branch(shop: Shop, named: bool) -> None:
    """Neither by `--branch` nor as the remote's HEAD: the copy of policy there is not policy."""
    with pytest.raises(UsageError, match="production is the branch of prod; policy is read from"):
        deploy(session(shop, branch="production"), DeployRequest(("shop/api:v2",), to=("dev",)))

    shop.commit({"gitops.yaml": CONFIG.replace("branch: main\n", "").encode()}, branch="production")
    shop.default = "production"
    with pytest.raises(ConfigError, match="not said") as caught:
        status(session(shop, branch="production" if named else None))
    assert "branch: main" in (caught.value.hint or "")


def test_all_environments_on_one_branch_of_their_own() -> None:
    """The config may live alone on the top-level branch."""
    config = CONFIG.replace("deploy: auto}", "deploy: auto, branch: live}")
    shop = Shop(config.replace("branch: staging", "branch: live"), ("live", "production"))
    report = deploy(session(shop), DeployRequest(("shop/api:v2",), ref="main"))

    assert ["live"] == list(commits(report))
    assert ["live", "(main)"] == shop.pushed[-1]


# --- a branch that does not exist -------------------------------------------------------------


VERBS: dict[str, Callable[[Shop], object]] = {
    "deploy": lambda shop: put(shop, "2", "prod", override="INC-1"),
    "promote": lambda shop: promote(session(shop), PromoteRequest(("prod",))),
    "rollback": lambda shop: rollback(session(shop), RollbackRequest(Named(("prod",)))),
    "hold": lambda shop: hold(session(shop), Named(("prod",)), reason="INC-1"),
    "resume": lambda shop: resume(session(shop), Named(("prod",))),
    "qa": lambda shop: qa(session(shop), QaRequest(Named(("prod",)), "qa-passed", "a" * 40)),
    "history": lambda shop: history(session(shop), "prod"),
    "diff": lambda shop: diff(session(shop), "prod", "dev"),
    "approve": lambda shop: approve(session(shop), ApproveRequest(Named(("prod",)))),
    "close": lambda shop: close(session(shop), Named(("prod",))),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_branch_is_told_with_the_way_out(verb: str) -> None:
    """Every verb says which branch is missing and how it is made, and makes none."""
    shop = Shop(branches=("staging",))
    parents = [shop.branches["main"]]
    shop.commit({path("prod"): overlay("2")}, branch="gitops/prod", parents=parents)
    before = dict(shop.branches)
    missing = "prod lives on a branch of its own: no branch production"
    with pytest.raises(NotFound, match=missing) as caught:
        VERBS[verb](shop)

    assert "git push origin origin/main:refs/heads/production" in (caught.value.hint or "")
    assert before == shop.branches


def test_a_missing_branch_hides_nothing_else() -> None:
    """status shows the other environments, and what is wrong with this one."""
    shop = Shop(branches=("staging",))
    shown = {entry.overlay.label: entry for entry in status(session(shop)).overlays}

    assert ["dev", "stage", "prod"] == list(shown)
    assert "no branch production" in (shown["prod"].problem or "")
    assert shown["stage"].images is not None


def test_an_environment_before_on_a_missing_branch_is_a_reason(shop: Shop) -> None:
    """`after` that cannot be asked keeps the change out, and says why."""
    del shop.branches["staging"]
    with pytest.raises(Refused) as caught:
        put(shop, "2", "prod")

    assert "stage cannot be asked: stage lives on a branch of its own" in caught.value.reasons[0]


# --- proposals --------------------------------------------------------------------------------


@pytest.fixture
def asking() -> Shop:
    """A repository where prod asks for approval, and stage has v2."""
    shop = Shop(CONFIG.replace("after: [stage],", "after: [stage], change: pull-request,"))
    shop.commit({"production-only": b"x"}, branch="production")
    put(shop, "2", "stage")
    return shop


def test_a_proposal_is_made_on_and_merged_into_its_branch(asking: Shop) -> None:
    """Built on production, shown as such, merged there by another person."""
    tip = asking.branches["production"]
    report = promote(session(asking), PromoteRequest(("prod",)))
    head = asking.commits[asking.branches["gitops/prod"]]
    waiting = {one.overlay.label: one.proposals for one in status(session(asking)).overlays}
    merged = approve(session(asking, "Bob", intent="2"), ApproveRequest(Named(("prod",))))

    assert ("proposed", "production", "production") == (
        report.outcome,
        report.branch,
        report.proposals[0].base,
    )
    assert ((tip,), b"x") == (head.info.parents, head.files["production-only"])
    assert ["production"] == [one.base for one in waiting["prod"]]
    assert {"production": asking.branches["production"]} == commits(merged)
    assert "gitops/prod" not in asking.branches
    assert ("2", "1") == (asking.tag("prod"), asking.tag("prod", "main"))


def test_a_proposal_goes_with_commits_to_other_branches(asking: Shop) -> None:
    """dev and stage get commits, prod a proposal, in one push."""
    put(asking, "3", "stage")
    asking.pushed.clear()
    report = put(asking, "3", "dev", "stage", "prod")

    assert ("committed", ["main"]) == (report.outcome, list(commits(report)))
    assert [["main", "gitops/prod", "(staging)", "(production)"]] == asking.pushed


def test_policy_is_asked_again_when_it_is_approved(asking: Shop) -> None:
    """A hold of everything that lands while the merge is pushed stops it."""
    promote(session(asking), PromoteRequest(("prod",)))
    asking.rivals = [
        lambda: None,  # the approval, on the ledger
        lambda: hold(session(asking, "Cas", intent="c"), None, reason="INC-1"),
        lambda: None,
    ]
    with pytest.raises(Refused, match="INC-1"):
        approve(session(asking, "Bob", intent="2"), ApproveRequest(Named(("prod",))))
    assert "1" == asking.tag("prod")


def test_approving_by_another_policy_records_nothing(asking: Shop) -> None:
    """`--branch` with a config that lets authors approve: refused before the ledger is written."""
    promote(session(asking), PromoteRequest(("prod",)))
    rule = "change: pull-request, approvals: {self: true},"
    loose = CONFIG.replace("after: [stage],", rule).replace("branch: main", "branch: evil")
    tip = asking.branches["main"]
    asking.commit({"gitops.yaml": loose.encode()}, branch="evil", parents=[tip])
    with pytest.raises(UsageError, match="bound by the policy on main"):
        approve(session(asking, branch="evil"), ApproveRequest(Named(("prod",))))

    assert "gitops/ledger" not in asking.branches


def test_a_proposal_that_landed_on_its_branch_is_not_open(asking: Shop) -> None:
    """Merged by hand into production, and its branch left standing: nothing waits."""
    promote(session(asking), PromoteRequest(("prod",)))
    tips = asking.branches["production"], asking.branches["gitops/prod"]
    asking.commit({path("prod"): overlay("2")}, "Merge\n", branch="production", parents=tips)
    shown = {one.overlay.label: one for one in status(session(asking)).overlays}

    assert () == shown["prod"].proposals
    report = close(session(asking), Named(("prod",)))
    assert ("closed", "production") == (report.outcome, report.branch)


def test_a_proposed_rollback_brings_its_hold_to_its_branch(asking: Shop) -> None:
    """rollback: pull-request, on a branch of its own."""
    rule = "after: [stage], change: pull-request, rollback: pull-request,"
    asking.commit({"gitops.yaml": CONFIG.replace("after: [stage],", rule).encode()})
    promote(session(asking), PromoteRequest(("prod",)))
    approve(session(asking, "Bob", intent="2"), ApproveRequest(Named(("prod",))))
    rollback(session(asking, intent="3"), RollbackRequest(Named(("prod",))))
    approve(session(asking, "Bob", intent="4"), ApproveRequest(Named(("prod",))))

    assert "1" == asking.tag("prod")
    assert asking.show(".gitops/holds/prod.yaml", "production") is not None


# --- races and lost answers -------------------------------------------------------------------


@pytest.mark.parametrize("branch", ["main", "staging"])
def test_a_race_on_either_branch_plans_both_again(shop: Shop, branch: str) -> None:
    """Neither half lands alone, and what somebody else wrote stays."""
    before = dict(shop.branches)
    seen: list[dict[str, str]] = []
    shop.rivals = [
        lambda: shop.commit({"theirs": b"x"}, branch=branch),
        lambda: seen.append(dict(shop.branches)),
    ]
    report = deploy(session(shop), DeployRequest(("shop/api:v2",), ref="main"))

    assert 2 == report.attempts
    other = ({"main", "staging"} - {branch}).pop()
    assert before[other] == seen[0][other]
    assert ("2", "2") == (shop.tag("dev"), shop.tag("stage"))
    assert b"x" == shop.show("theirs", branch)


def test_a_rival_that_did_half_of_it_leaves_the_other_half(shop: Shop) -> None:
    """An intent that is satisfied on one branch is written to the other alone."""
    shop.rivals = [lambda: shop.commit({path("dev"): overlay("2")}, "by hand\n")]
    report = deploy(session(shop), DeployRequest(("shop/api:v2",), ref="main"))

    assert ["staging"] == list(commits(report))
    assert ["stage"] == [one.overlay.label for one in report.changes]


@pytest.mark.parametrize("lands", [True, False])
def test_a_lost_answer_about_two_branches(shop: Shop, lands: bool) -> None:
    """Both are found by the id of the call, or both are sent again: once each."""
    shop.trouble, shop.lands = Unavailable("cut"), lands
    report = deploy(session(shop), DeployRequest(("shop/api:v2",), ref="main"))

    assert {branch: shop.branches[branch] for branch in ("main", "staging")} == commits(report)
    newest = [shop.snapshot(branch).commit for branch in ("main", "staging")]
    assert [2, 2] == [len(list(shop.history(commit, "overlays"))) for commit in newest]


def test_the_budget_names_the_branches(shop: Shop) -> None:
    """A call that only loses races says which branches moved, and wrote none."""
    shop.rivals = [lambda n=n: shop.commit({f"{n}": b""}, branch="staging") for n in range(99)]
    with pytest.raises(Conflict, match="main, staging of memory kept moving"):
        deploy(session(shop), DeployRequest(("shop/api:v2",), ref="main"))

    assert ("1", "1") == (shop.tag("dev"), shop.tag("stage"))


# --- servers without atomic pushes ------------------------------------------------------------


def test_without_atomic_pushes_branches_move_one_by_one(shop: Shop) -> None:
    """The same end, with a warning."""
    shop.atomic = False
    report = deploy(session(shop), DeployRequest(("shop/api:v2",), ref="main"))

    assert {branch: shop.branches[branch] for branch in ("main", "staging")} == commits(report)
    assert ("committed", 2) == (report.outcome, report.attempts)
    assert ["dev", "stage"] == [one.overlay.label for one in report.changes]
    assert ["memory cannot move several branches at once: they were moved one after the other"] == [
        *report.warnings
    ]


def test_without_atomic_pushes_a_race_repeats_one_branch_only(shop: Shop) -> None:
    """What landed is not written twice, whatever happened to it since."""
    shop.atomic = False
    shop.rivals = [
        lambda: None,
        lambda: None,
        lambda: [
            shop.commit({path("dev"): overlay("7")}, "a later writer\n"),
            shop.commit({"theirs": b"x"}, branch="staging"),
        ],
    ]
    report = deploy(session(shop), DeployRequest(("shop/api:v2",), ref="main"))

    assert ("7", "2") == (shop.tag("dev"), shop.tag("stage"))
    assert [("dev", "v1"), ("stage", "v1")] == [
        (one.overlay.label, one.change.before.tag) for one in report.changes
    ]


def test_without_atomic_pushes_what_failed_names_what_landed(shop: Shop) -> None:
    """dev is done, staging is protected: the error says both, and the way on."""
    shop.atomic = False
    shop.rivals = [lambda: None, lambda: None, lambda: shop.barred.add("staging")]
    with pytest.raises(Protected) as caught:
        deploy(session(shop), DeployRequest(("shop/api:v2",), ref="main"))

    landed = shop.branches["main"][:7]
    assert (f"landed before that: {landed} on main",) == caught.value.reasons
    assert "does the rest" in (caught.value.hint or "")


def test_without_atomic_pushes_conditions_are_looked_at_before(shop: Shop) -> None:
    """A hold of everything that lands between the plan and the push is still seen."""
    put(shop, "2", "stage")
    shop.atomic = False
    freeze = 'freeze:\n  - {name: now, reason: INC-1, from: "2026-01-01", to: "2026-12-31"}\n'
    shop.makers = [
        lambda: None,  # the commit of the push that needs to be atomic
        lambda: shop.commit({"gitops.yaml": (CONFIG + freeze).encode()}),
    ]
    with pytest.raises(Refused, match="INC-1"):
        promote(session(shop), PromoteRequest(("prod",)))
    assert (["production", "(main)", "(staging)"], "1") == (shop.pushed[-1], shop.tag("prod"))


@pytest.mark.parametrize("left", [False, True])
def test_without_atomic_pushes_an_approval_merges(asking: Shop, left: bool) -> None:
    """The merge lands; its branch is deleted after it, or named when it cannot be."""
    promote(session(asking), PromoteRequest(("prod",)))
    asking.atomic = False
    if left:
        asking.barred = {"gitops/prod"}
    report = approve(session(asking, "Bob", intent="2"), ApproveRequest(Named(("prod",))))

    assert {"production": asking.branches["production"]} == commits(report)
    assert ("2", left) == (asking.tag("prod"), "gitops/prod" in asking.branches)
    assert left == any("gitops/prod was not deleted" in text for text in report.warnings)
    assert [("gitops/prod", "merged")] == [(one.branch, one.state) for one in report.proposals]


def test_without_atomic_pushes_a_lost_answer(shop: Shop) -> None:
    """A part whose answer was lost is found by its id; the next one follows."""
    shop.atomic = False

    def cut() -> None:
        shop.trouble, shop.lands = Unavailable("cut"), True

    shop.rivals = [lambda: None, cut]
    report = deploy(session(shop), DeployRequest(("shop/api:v2",), ref="main"))

    assert {branch: shop.branches[branch] for branch in ("main", "staging")} == commits(report)
