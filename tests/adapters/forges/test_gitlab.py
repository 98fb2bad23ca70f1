"""What GitLab does that no other forge does: commands in texts, editions, settings of projects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeClock
from forges.gitlab_fake import GitlabFake
from forges.state import ForgeState, Rule
from gitops.adapters.forges.gitlab import GitlabForge, open_gitlab
from gitops.adapters.forges.gitlab.answers import (
    approved_by,
    landed,
    plain,
    rule_of,
    sent,
    state_of,
)
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.errors import Refused
from gitops.ports import Contribution, HandedOver, Merged, NotMerged, Protection, PullText
from gitrepos import Repo

REPOSITORY = "shop/platform/manifests"
TEXT = PullText("prod: api 1 -> 2", "text")


class Place:
    """A faked GitLab with one proposal's branch."""

    def __init__(self, fake: GitlabFake, repo: Repo) -> None:
        self.fake = fake
        self.state = fake.state
        self.repo = repo
        self.propose("2")

    def propose(self, tag: str) -> str:
        """Put a commit on top of main on the branch."""
        files: dict[str, bytes | None] = {"overlay.yaml": f"tag: {tag}\n".encode()}
        return self.repo.commit(files, branch="gitops/prod", parents=[str(self.repo.head())])

    def forge(self, who: str = "ci") -> GitlabForge:
        """Open the forge with somebody's account."""
        address = ForgeAddress("gitlab", self.fake.url, REPOSITORY)
        return open_gitlab(address, ForgeToken(self.state.token(who), "X"), FakeClock(), 30.0, {})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A project with a main branch and a branch to propose."""
    repo = Repo.bare(tmp_path / "shop.git")
    repo.commit({"overlay.yaml": b"tag: 1\n"})
    people = {"ana": "admin", "ben": "write", "ci": "write", "eve": "read"}
    with GitlabFake(ForgeState(repo, people), REPOSITORY) as fake:
        assert isinstance(fake, GitlabFake)
        yield Place(fake, repo)
        assert not fake.faults, fake.faults


@pytest.mark.parametrize(
    "text", ["/merge", "ok\n  /approve\n", "a\n\\/close", "```\n/label ~x\n```", "\t/assign @eve"]
)
def test_texts_hold_no_commands(place: Place, text: str) -> None:
    """Words of people that look like a command to GitLab are only words, and come back as such."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", PullText("t", text))
    changed = forge.update(made.number, PullText("t", f"new\n{text}"))
    forge.comment(made.number, text)

    found = forge.find("gitops/prod", "main")
    assert found is not None
    assert f"new\n{text}".rstrip() == found.body == changed.body
    pull = place.state.pulls[made.number]
    for said in (pull.body, pull.comments[0][1]):
        assert not [line for line in said.splitlines() if line.strip().startswith("/")]


@given(st.text(alphabet="/\\ \nab`", max_size=30))
def test_escaping_is_taken_back(text: str) -> None:
    """Whatever is sent is what is read, so an equal text is seen to be equal."""
    assert text.rstrip() == plain(sent(text))
    assert not [line for line in sent(text).split("\n") if line.strip()[:2] in ("/a", "/b")]


@pytest.mark.parametrize(
    ("pull", "expected"),
    [
        ({"state": "opened", "sha": "h", "merge_commit_sha": "m"}, None),
        ({"state": "merged", "sha": "h", "merge_commit_sha": "m", "squash_commit_sha": "s"}, "m"),
        ({"state": "merged", "sha": "h", "merge_commit_sha": None, "squash_commit_sha": "s"}, "s"),
        ({"state": "merged", "sha": "h", "merge_commit_sha": None}, "h"),
    ],
)
def test_what_landed(pull: dict[str, Any], expected: str | None) -> None:
    """A merge, a squash, or the head itself where nothing had to be made."""
    assert expected == landed(pull)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"status": "success"}, "success"),
        ({"status": "skipped"}, "success"),
        ({"status": "failed"}, "failure"),
        ({"status": "failed", "allow_failure": True}, "success"),
        ({"status": "canceled"}, "failure"),
        ({"status": "manual"}, "pending"),
        ({"status": "manual", "allow_failure": True}, "success"),
        ({"status": "running"}, "pending"),
        ({"status": "waiting_for_resource"}, "pending"),
    ],
)
def test_states(status: dict[str, Any], expected: str) -> None:
    """What may fail does not stand in the way."""
    assert expected == state_of(status)


def approval(who: str, time: str | None) -> dict[str, Any]:
    """Return an approval."""
    return {"user": {"username": who}, "approved_at": time}


OLD, NEW = "2026-01-05T09:00:00.000Z", "2026-01-05T11:30:00.000+02:00"
VERSIONS = [{"created_at": "2026-01-05T09:15:00Z"}, {"created_at": "2026-01-05T08:00:00Z"}]


@pytest.mark.parametrize(
    ("given_by", "versions", "expected"),
    [
        ([approval("ana", OLD)], VERSIONS[:1], ("ana",)),
        ([approval("ana", None)], VERSIONS[:1], ("ana",)),
        ([approval("ana", OLD)], VERSIONS, ()),
        ([approval("ana", NEW)], VERSIONS, ("ana",)),
        ([approval("ana", None)], VERSIONS, ()),
        ([approval("ci", NEW)], VERSIONS, ()),
        ([approval("ana", NEW), approval("ana", NEW)], VERSIONS, ("ana",)),
    ],
)
def test_approvals_are_of_the_present_head(
    given_by: list[Any], versions: list[Any], expected: tuple[str, ...]
) -> None:
    """GitLab may keep approvals of older heads: those, and the author's, do not count here."""
    pull = {"author": {"username": "ci"}}

    assert expected == approved_by(pull, {"approved_by": given_by}, versions)


def test_an_older_approval_does_not_count(place: Place) -> None:
    """Also when the project keeps it, and would merge."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)
    place.fake._approve(None, "ben", str(made.number))  # type: ignore[arg-type]
    before = forge.readiness(made.number).approvals
    place.propose("3")

    assert ("ben",) == before
    assert () == forge.readiness(made.number).approvals


def test_a_project_that_rebases(place: Place) -> None:
    """Where the project fast-forwards, the head itself lands; elsewhere nobody can ask for it."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)
    refused = forge.merge(made.number, made.head, "rebase", "t", "m")
    place.fake.project["merge_method"] = "ff"
    merged = forge.merge(made.number, made.head, "rebase", "t", "m")

    assert isinstance(refused, NotMerged)
    assert ("refused", True) == (refused.kind, "Fast-forward" in refused.words)
    assert Merged(made.head) == merged
    assert made.head == place.repo.head()


def test_an_edition_without_approvals(place: Place) -> None:
    """It wants none, and cannot be told to: that is said, not passed over."""
    place.fake.required = None
    forge = place.forge("ana")
    made = place.forge().open("gitops/prod", "main", TEXT)

    assert 0 == place.forge().readiness(made.number).approvals_wanted
    with pytest.raises(Refused) as caught:
        forge.protect("main", 1, [])
    assert "Premium" in str(caught.value.hint)
    assert forge.protection("main").approvals is None


@pytest.mark.parametrize(
    ("rule", "branch", "project", "approvals", "expected"),
    [
        (None, "main", {}, [], Protection(False, 0, (), ("*",))),
        (
            {"name": "main", "push_access_levels": []},
            "main",
            {"only_allow_merge_if_pipeline_succeeds": True},
            [{"rule_type": "any_approver", "approvals_required": 2}],
            Protection(True, 2, ("pipeline",), ()),
        ),
        (
            {
                "name": "main",
                "push_access_levels": [
                    {"access_level": 40, "access_level_description": "Maintainers"},
                    {"access_level": 0, "access_level_description": "No one"},
                ],
            },
            "main",
            {},
            None,
            Protection(True, None, (), ("Maintainers",)),
        ),
        (
            {"name": "release/*", "push_access_levels": []},
            "release/1.4",
            {},
            [
                {"approvals_required": 1, "protected_branches": [{"name": "main"}]},
                {"approvals_required": 2, "protected_branches": [{"name": "release/*"}]},
                {"approvals_required": 3, "applies_to_all_protected_branches": True},
                {"approvals_required": 9, "rule_type": "report_approver"},
            ],
            Protection(True, 3, (), ()),
        ),
    ],
)
def test_rules(rule: Any, branch: str, project: Any, approvals: Any, expected: Protection) -> None:
    """Protection, approval rules and the project's settings add up."""
    assert expected == rule_of(rule, branch, project, approvals, None)


def test_rules_of_a_writer(place: Place) -> None:
    """Who may not read the rules still sees that there is one."""
    place.state.rules["main"] = Rule()

    assert place.forge().protection("main").protected
    assert place.forge().protection("main").pushers is None
    assert place.forge().protection("gone").protected is None


def test_reviewers_that_people_added_stay(place: Place) -> None:
    """GitLab replaces the whole list, so the present ones are sent along."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)
    place.state.pulls[made.number].reviewers.append("ana")
    forge.update(made.number, PullText("t", "b", reviewers=("ben", "team:ops")))

    assert ["ana", "ben"] == place.state.pulls[made.number].reviewers


def test_groups_of_groups(place: Place) -> None:
    """A project deep in groups is found by its whole path."""
    assert REPOSITORY in place.forge().describe()
    assert place.forge().find("gitops/prod", "main") is None


def test_an_update_that_changes_nothing_writes_nothing(place: Place) -> None:
    """Equal words are not sent again: each change is a mail to people."""
    forge = place.forge()
    text = PullText("t", "b", labels=("deploy",), reviewers=("ben",))
    made = forge.open("gitops/prod", "main", text)
    before = place.fake.calls
    forge.update(made.number, text)

    assert 1 == place.fake.calls - before


def test_auto_merge_while_the_pipeline_runs(place: Place) -> None:
    """Where the pipeline must succeed, what waits for it is left to GitLab."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)
    assert forge.readiness(made.number).hands_over is None
    place.fake.project["only_allow_merge_if_pipeline_succeeds"] = True
    assert "auto-merge" == forge.readiness(made.number).hands_over

    answer = forge.hand_over(made.number, made.head, "merge", "title", "message")

    assert HandedOver("auto-merge") == answer
    told = place.state.waiting[made.number]
    assert (made.head, "title\n\nmessage") == (told["sha"], told["merge_commit_message"])
    assert "auto-merge" == forge.readiness(made.number).handed_over


def test_a_merge_train(place: Place) -> None:
    """A project with merge trains merges by them alone; the car is told."""
    forge = place.forge()
    place.fake.project["merge_trains_enabled"] = True
    made = forge.open("gitops/prod", "main", TEXT)
    ready = forge.readiness(made.number)
    answer = forge.hand_over(made.number, made.head, "merge", "t", "m")

    assert ("the merge train of main", True) == (ready.hands_over, ready.queue_only)
    assert HandedOver("the merge train of main") == answer
    assert made.head == place.state.waiting[made.number]["sha"]
    assert "the merge train of main: fresh" == forge.readiness(made.number).handed_over


def test_pushers_are_told(place: Place) -> None:
    """Events name whoever pushed to the branch, with the head before; other branches do not."""
    forge = place.forge()
    made = forge.open("gitops/prod", "main", TEXT)
    place.state.pushes["gitops/prod"] = [("ben", "a" * 40, made.head)]
    place.state.pushes["main"] = [("eve", "a" * 40, made.head)]

    told = forge.makers(made.number)
    assert Contribution("ben", made.head, "a" * 40) in told
    assert "eve" not in {one.who for one in told}


def test_whoever_added_commits_is_kept_from_approving(place: Place) -> None:
    """GitLab's own setting for it is read and set; a branch of proposals is not protected there."""
    forge = place.forge("ana")
    forge.protect("main", 1, [])
    assert not forge.protection("main").last_push
    forge.protect("main", 1, [], last_push=True)
    assert forge.protection("main").last_push
    assert not forge.restricts
    with pytest.raises(Refused, match="a proposal could not end"):
        forge.restrict("gitops/**", [])
