"""What GitHub says that no other forge does: classic protection, forks, plans, odd refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeClock
from forges.github_fake import GithubFake
from forges.json_server import Call, Reply
from forges.state import ForgeState, Rule
from gitops.adapters.forges.github import GithubForge, open_github
from gitops.adapters.forges.github.answers import approvals, is_of, rule_of, states
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.errors import Denied
from gitops.ports import Contribution, HandedOver, Merged, NotMerged, Protection, PullText
from gitrepos import Repo

TEXT = PullText("prod: api 1 -> 2", "text")


class Place:
    """A faked GitHub with one proposal's branch."""

    def __init__(self, fake: GithubFake, repo: Repo) -> None:
        self.fake = fake
        self.state = fake.state
        tip = repo.head()
        self.head = repo.commit(
            {"overlay.yaml": b"tag: 2\n"}, branch="gitops/prod", parents=[str(tip)]
        )

    def forge(self, who: str = "ci") -> GithubForge:
        """Open the forge with somebody's account."""
        address = ForgeAddress("github", self.fake.url, "ana/shop")
        token = ForgeToken(self.state.token(who), "GITHUB_TOKEN")
        return open_github(address, token, FakeClock(), 30.0, {})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A repository with a main branch and a branch to propose."""
    repo = Repo.bare(tmp_path / "shop.git")
    repo.commit({"overlay.yaml": b"tag: 1\n"})
    people = {"ana": "admin", "ben": "write", "ci": "write", "eve": "read"}
    with GithubFake(ForgeState(repo, people), "ana/shop", None) as fake:
        assert isinstance(fake, GithubFake)
        yield Place(fake, repo)
        assert not fake.faults, fake.faults


def ruleset(kind: str, **parameters: Any) -> dict[str, Any]:
    """Return a rule as /rules/branches tells it."""
    return {"type": kind, "parameters": parameters}


CHECKS = [{"context": "ci/build", "integration_id": 7}, {"context": "ci/lint"}]
PUBLIC = {"protection": {"enabled": True, "required_status_checks": {"contexts": ["ci/build"]}}}
CLASSIC = {
    "required_pull_request_reviews": {
        "required_approving_review_count": 2,
        "dismiss_stale_reviews": True,
    },
    "required_status_checks": {"contexts": ["ci/build"]},
}
RESTRICTED = {
    "restrictions": {
        "users": [{"login": "ana"}],
        "teams": [{"slug": "ops"}],
        "apps": [{"slug": "gitops"}],
    }
}


@pytest.mark.parametrize(
    ("rules", "branch", "classic", "expected"),
    [
        ([], None, None, Protection(False, 0, (), ("*",))),
        ([], {"protection": {"enabled": False}}, None, Protection(False, 0, (), ("*",))),
        ([ruleset("deletion")], None, None, Protection(False, 0, (), ("*",))),
        (
            [ruleset("pull_request", required_approving_review_count=1)],
            None,
            None,
            Protection(True, 1, (), None),
        ),
        (
            [
                ruleset("pull_request", required_approving_review_count=1),
                ruleset(
                    "pull_request",
                    required_approving_review_count=3,
                    dismiss_stale_reviews_on_push=True,
                ),
                ruleset("required_status_checks", required_status_checks=CHECKS),
            ],
            None,
            None,
            Protection(True, 3, ("ci/build", "ci/lint"), None),
        ),
        # What a writer sees of classic protection: checks, no numbers.
        ([], PUBLIC, None, Protection(True, None, ("ci/build",), None)),
        (
            [ruleset("pull_request", required_approving_review_count=1)],
            PUBLIC,
            None,
            Protection(True, 1, ("ci/build",), None),
        ),
        ([], PUBLIC, CLASSIC, Protection(True, 2, ("ci/build",), ())),
        ([], PUBLIC, {}, Protection(True, 0, ("ci/build",), ("*",))),
        (
            [],
            PUBLIC,
            RESTRICTED,
            Protection(True, 0, ("ci/build",), ("ana", "team:ops", "app:gitops")),
        ),
    ],
)
def test_rules_of_both_kinds(
    rules: list[Any], branch: Any, classic: Any, expected: Protection
) -> None:
    """Rulesets and classic protection add up; what is not told is not guessed."""
    assert expected == rule_of(rules, branch, classic)


def review(who: str, state: str, commit: str = "head") -> dict[str, Any]:
    """Return a review."""
    return {"user": {"login": who}, "state": state, "commit_id": commit}


@pytest.mark.parametrize(
    ("reviews", "expected"),
    [
        ([review("ana", "APPROVED")], ["ana"]),
        ([review("ana", "APPROVED"), review("ana", "COMMENTED")], ["ana"]),
        ([review("ana", "APPROVED"), review("ana", "CHANGES_REQUESTED")], []),
        ([review("ana", "CHANGES_REQUESTED"), review("ana", "APPROVED")], ["ana"]),
        ([review("ana", "APPROVED"), review("ana", "DISMISSED")], []),
        ([review("ana", "APPROVED", "older")], []),
        ([review("ana", "APPROVED", "older"), review("ana", "APPROVED")], ["ana"]),
        ([review("ci", "APPROVED")], []),
        ([review("bo", "APPROVED"), review("ana", "APPROVED")], ["bo", "ana"]),
        ([{**review("x", "APPROVED"), "user": None}], []),
    ],
)
def test_the_newest_word_of_each_person_counts(reviews: list[Any], expected: list[str]) -> None:
    """Of the present head, and never the author's own."""
    pull = {"user": {"login": "ci"}, "head": {"sha": "head"}}

    assert expected == [one["user"]["login"] for one in approvals(pull, reviews)]


def test_checks_and_statuses_are_one() -> None:
    """Both are reported for a commit; of a name the newest counts."""
    runs = [
        {"id": 2, "name": "build", "status": "completed", "conclusion": "success"},
        {"id": 1, "name": "build", "status": "completed", "conclusion": "failure"},
        {"id": 3, "name": "lint", "status": "completed", "conclusion": "neutral"},
        {"id": 4, "name": "scan", "status": "in_progress", "conclusion": None},
        {"id": 5, "name": "slow", "status": "completed", "conclusion": "timed_out"},
    ]
    statuses = [{"context": "gitops/soak", "state": "error"}]

    assert {
        "build": "success",
        "lint": "success",
        "scan": "pending",
        "slow": "failure",
        "gitops/soak": "failure",
    } == states(statuses, runs)


def test_a_fork_is_not_ours() -> None:
    """A fork may have a branch of the same name, and a fork that is gone has no repository."""
    base = {"ref": "main", "repo": {"id": 1}}
    for repo, expected in (({"id": 1}, True), ({"id": 2}, False), (None, False)):
        pull = {"head": {"ref": "gitops/prod", "repo": repo}, "base": base}
        assert expected == is_of(pull, "gitops/prod", "main")


def test_a_readers_approval_does_not_count(place: Place) -> None:
    """Everybody may approve on GitHub; only who may write counts."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)
    for who in ("eve", "ben"):
        handler = place.fake._review
        handler(Call("POST", "", {}, {"event": "APPROVE"}, {}, ""), who, str(made.number))

    assert ("ben",) == forge.readiness(made.number).approvals


def test_classic_protection_is_for_owners(place: Place) -> None:
    """A writer sees the checks of a classic rule, and is told no number; its owner sees all."""
    place.state.rules["main"] = Rule(2, ["ci/build"])

    assert Protection(True, None, ("ci/build",)) == place.forge().protection("main")
    assert 2 == place.forge("ana").protection("main").approvals
    assert place.forge().readiness(place.forge().open("gitops/prod", "main", TEXT).number)


def test_only_owners_set_rules(place: Place) -> None:
    """GitHub says that there is nothing there: it is told as what it is."""
    with pytest.raises(Denied) as caught:
        place.forge().protect("main", 1, [])

    assert "administrators" in caught.value.message


def test_other_rules_of_a_ruleset_stay(place: Place) -> None:
    """What people added to our ruleset, and whom they let past it, is kept."""
    forge = place.forge("ana")
    forge.protect("main", 1, ["ci/build"])
    ((number, made),) = place.fake.rulesets.items()
    made["bypass_actors"] = [{"actor_id": 5, "actor_type": "RepositoryRole"}]
    made["rules"].append({"type": "deletion"})
    made["rules"][0]["parameters"]["required_approving_review_count"] = 3

    forge.protect("main", 2, ["ci/lint"])

    changed = place.fake.rulesets[number]
    assert [5] == [one["actor_id"] for one in changed["bypass_actors"]]
    assert {"deletion", "pull_request", "required_status_checks"} == {
        rule["type"] for rule in changed["rules"]
    }
    rule = forge.protection("main")
    assert (3, ("ci/build", "ci/lint")) == (rule.approvals, rule.checks)


def test_a_plan_without_drafts(place: Place) -> None:
    """It is opened all the same, and somebody is told."""
    usual = place.fake.answer

    def answer(call: Call) -> Reply:
        if call.verb == "POST" and call.path.endswith("/pulls") and call.body.get("draft"):
            words = "Draft pull requests are not supported in this repository."
            return Reply(422, {"message": words})
        return usual(call)

    place.fake.answer = answer  # type: ignore[method-assign]
    made = place.forge().open("gitops/prod", "main", PullText("t", "b", draft=True))

    assert not made.draft
    assert ("it is no draft: it was ready already, or this plan has no drafts",) == made.messages


def test_a_base_that_moved_is_asked_again(place: Place) -> None:
    """GitHub says so while it merges something else: it is no refusal."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)
    usual, refusals = place.fake.answer, [2]

    def answer(call: Call) -> Reply:
        if call.path.endswith("/merge") and refusals[0]:
            refusals[0] -= 1
            words = "Base branch was modified. Review and try the merge again."
            return Reply(405, {"message": words})
        return usual(call)

    place.fake.answer = answer  # type: ignore[method-assign]

    assert isinstance(forge.merge(made.number, made.head, "merge", "t", "m"), Merged)


def test_a_merge_that_is_never_decided(place: Place) -> None:
    """GitHub may take its time: after some seconds it is `not-yet`, and nothing happened."""
    place.state.slow_checks = 10_000
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)

    answer = forge.merge(made.number, made.head, "merge", "t", "m")
    assert isinstance(answer, NotMerged)
    assert "not-yet" == answer.kind
    assert forge.readiness(made.number).mergeable is None
    assert forge.readiness(made.number).reasons == ()


def test_long_texts_are_cut(place: Place) -> None:
    """GitHub takes no more than 65,536 characters, and a cut text is not sent again and again."""
    forge = place.forge()
    text = PullText("t", "x" * 70_000)
    made = forge.open("gitops/prod", "main", text)
    before = place.fake.calls
    again = forge.update(made.number, text)

    assert made.body.endswith("… (cut)")
    assert len(made.body) < 65_536
    assert made.body == again.body
    assert 1 == place.fake.calls - before


def test_no_silent_requests(place: Place) -> None:
    """Each question costs what it says, and no request for each field."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)
    counts = {}
    for name, call in {
        "find": lambda: forge.find("gitops/prod", "main"),
        "update": lambda: forge.update(made.number, PullText("new", "new")),
        "comment": lambda: forge.comment(made.number, "hello"),
        "merged_by": lambda: forge.merged_by(made.head, "main"),
    }.items():
        before = place.fake.calls
        call()
        counts[name] = place.fake.calls - before

    assert {"find": 1, "update": 2, "comment": 1, "merged_by": 1} == counts


def test_auto_merge_where_it_is_allowed(place: Place) -> None:
    """What waits for a check is left to GitHub, with our words; another head is not."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)
    assert forge.readiness(made.number).hands_over is None
    place.state.auto_merge = True
    assert forge.readiness(made.number).hands_over is None  # nothing is waited for
    place.forge("ana").protect("main", 0, ["ci/build"])
    ready = forge.readiness(made.number)
    assert ("auto-merge", False, None) == (ready.hands_over, ready.queue_only, ready.handed_over)

    moved = forge.hand_over(made.number, "a" * 40, "merge", "t", "m")
    answer = forge.hand_over(made.number, made.head, "squash", "title", "message")

    assert isinstance(moved, NotMerged)
    assert "head-moved" == moved.kind
    assert HandedOver("auto-merge") == answer
    told = place.state.waiting[made.number]
    assert ("title", "message", "SQUASH", made.head) == (
        told["commitHeadline"],
        told["commitBody"],
        told["mergeMethod"],
        told["expectedHeadOid"],
    )
    assert "auto-merge" == forge.readiness(made.number).handed_over
    assert HandedOver("auto-merge") == forge.hand_over(made.number, made.head, "merge", "t", "m")


def test_a_merge_queue(place: Place) -> None:
    """Where a rule asks for the queue, it goes in there, and its place is told."""
    forge = place.forge()
    place.fake.rulesets[1] = {
        "conditions": {"ref_name": {"include": ["refs/heads/main"]}},
        "rules": [{"type": "merge_queue", "parameters": {}}],
    }
    made = forge.open("gitops/prod", "main", TEXT)
    ready = forge.readiness(made.number)
    answer = forge.hand_over(made.number, made.head, "merge", "t", "m")

    assert ("the merge queue of main", True) == (ready.hands_over, ready.queue_only)
    assert HandedOver("the merge queue of main") == answer
    assert made.head == place.fake.queue[0]["expectedHeadOid"]
    told = forge.readiness(made.number).handed_over
    assert "the merge queue of main: place 1, awaiting_checks" == told


def test_pushers_are_told(place: Place) -> None:
    """Whoever pushed a head is among its makers, with the head before."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)
    place.state.pushes["gitops/prod"] = [("ben", "a" * 40, made.head)]

    assert Contribution("ben", made.head, "a" * 40) in forge.makers(made.number)


def test_last_push_and_proposals_are_guarded(place: Place) -> None:
    """The approval of the last push is asked for and stays; proposals are left to maintainers."""
    forge = place.forge("ana")
    assert ("*",) == forge.protection("gitops/example").pushers
    forge.protect("main", 1, [])
    assert forge.protection("main").last_push is False
    forge.protect("main", 1, [], last_push=True)
    forge.protect("main", 2, ["ci/build"])
    assert (True, 2) == (forge.protection("main").last_push, forge.protection("main").approvals)

    who = forge.restrict("gitops/**", ["gitops/ledger"])
    again = forge.restrict("gitops/**", ["gitops/ledger"])

    assert who == again
    assert "maintainers and administrators" in who
    (made,) = [one for one in place.fake.rulesets.values() if "gitops/**" in one["name"]]
    names = made["conditions"]["ref_name"]
    assert (["refs/heads/gitops/**"], ["refs/heads/gitops/ledger"]) == (
        names["include"],
        names["exclude"],
    )
    assert {"creation", "update"} == {rule["type"] for rule in made["rules"]}
    assert {2, 5} == {actor["actor_id"] for actor in made["bypass_actors"]}
    assert ("*",) != forge.protection("gitops/example").pushers
    with pytest.raises(Denied):
        place.forge("ben").restrict("other/**", [])
