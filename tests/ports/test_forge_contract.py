"""What every forge must do, in memory, faked, real: the same tests for all of them.

`gitea` is a real server. The others are servers of our own over a real repository, made from the
published description of their interface, which GitHub's is held against. The real services are
asked only when somebody names a scratch repository (tests/forges/live.py says how).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

import pytest
from msgspec.structs import replace

from forges import live
from forges.azure_world import azure_world
from forges.bitbucket_worlds import bitbucket_cloud_world, bitbucket_server_world
from forges.gitea_world import GiteaPlace, gitea_place, gitea_world
from forges.github_world import github_world
from forges.gitlab_world import gitlab_world
from forges.openapi import described
from forges.statuses import report
from forges.worlds import World, fake_world
from gitops.core.git.message import trailers
from gitops.errors import Denied, NotFound, Refused, Unavailable
from gitops.ports import Merged, MergeMethod, NotMerged, PullRequest, PullText
from servers.descriptions import github_description

WORLDS = ("memory", "github", "gitlab", "gitea", "bitbucket", "datacenter", "azure")
_FAKED = {
    "gitlab": gitlab_world,
    "bitbucket": bitbucket_cloud_world,
    "datacenter": bitbucket_server_world,
    "azure": azure_world,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run everything on every world, and on the real services that somebody named."""
    if "world" in metafunc.fixturenames:
        real = [f"live-{kind}" for kind in live.named(os.environ)]
        metafunc.parametrize("world", [*WORLDS, *real], indirect=True)


@pytest.fixture(scope="session")
def place_on_gitea(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> GiteaPlace:
    """One repository on the real Gitea, for all tests of this process."""
    server = request.getfixturevalue("gitea")
    return gitea_place(server, tmp_path_factory.mktemp("gitea"))


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A forge with a repository and people around it."""
    kind = request.param
    if kind == "memory":
        yield fake_world()
    elif kind == "github":
        path = github_description()
        with github_world(described(path) if path.is_file() else None, tmp_path) as made:
            yield made
    elif kind in _FAKED:
        with _FAKED[kind](tmp_path) as made:
            yield made
    elif kind == "gitea":
        with gitea_world(request.getfixturevalue("place_on_gitea")) as made:
            yield made
    else:
        with live.live_world(kind.removeprefix("live-"), os.environ, tmp_path) as made:
            yield made


T = TypeVar("T")
TEXT = PullText("prod: api 1 -> 2", "| image | old | new |\n|---|---|---|\n| api | 1 | 2 |")
TITLE = "Merge gitops/prod"
MESSAGE = "prod: api 1 -> 2\n\nGitops-Action: promote\nGitops-Id: 0123"
OWN = "prod: api 1 -> 2\n\nGitops-Action: promote\nGitops-Id: 0123\n"
LINK = "https://ci.example.com/jobs/1"


def propose(world: World, text: PullText = TEXT, *, message: str = OWN) -> PullRequest:
    """Open a pull request with one commit on top of the base."""
    world.propose(message=message)
    return world.forge.open(world.branch, world.base, text)


def merge(world: World, pull: PullRequest, method: MergeMethod = "merge") -> Merged | NotMerged:
    """Merge the head that `pull` has."""
    return world.forge.merge(pull.number, pull.head, method, TITLE, MESSAGE)


# Find, open, update.


def test_nothing_is_found_at_first(world: World) -> None:
    """Without a pull request there is none, whether the branch exists or not."""
    assert world.forge.find(world.branch, world.base) is None
    world.propose()
    assert world.forge.find(world.branch, world.base) is None


def test_opened_is_found(world: World) -> None:
    """What was opened is found again, with the title, the text and the head that it has."""
    made = propose(world)

    found = world.forge.find(world.branch, world.base)
    assert found is not None
    assert found == replace(made, messages=())
    assert (TEXT.title, TEXT.body) == (found.title, found.body)
    assert (world.branch, world.base, "open") == (found.branch, found.base, found.state)
    assert world.hands.head(world.branch) == found.head
    assert world.bot == found.author
    assert not found.draft
    assert found.merged_as is None
    assert found.url.startswith("http")
    assert str(found.number) in found.url


def test_opened_twice_is_one(world: World) -> None:
    """A second `open` gives the same one, with the newer text."""
    first = propose(world)

    second = world.again().open(world.branch, world.base, PullText("prod: api 1 -> 3", "new"))

    assert first.number == second.number
    assert ("prod: api 1 -> 3", "new") == (second.title, second.body)


def test_two_at_once_are_one(world: World) -> None:
    """Writers that come at the same moment share one pull request."""
    world.propose()
    forges = [world.again() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda one: one.open(world.branch, world.base, TEXT), forges))

    found = world.forge.find(world.branch, world.base)
    assert found is not None
    assert found.state == "open"
    assert {found.number} == {one.number for one in made}


def test_another_pair_is_another(world: World) -> None:
    """A pull request of another branch, or into another base, is not ours."""
    base = world.hands.head(world.base)
    other = f"{world.branch}-other"
    world.hands.commit(other, {"other.yaml": b"2\n"}, on=base)
    theirs = world.forge.open(other, world.base, PullText("theirs", ""))

    ours = propose(world)

    found = world.forge.find(world.branch, world.base)
    assert theirs.number != ours.number
    assert found is not None
    assert ours.number == found.number
    assert world.forge.find(world.branch, other) is None


def test_updated_in_place(world: World) -> None:
    """New words and a new head, on the same number."""
    first = propose(world)
    head = world.propose("3")

    changed = world.forge.update(first.number, PullText("prod: api 1 -> 3", "line\n\nline"))

    found = world.forge.find(world.branch, world.base)
    assert (first.number, "prod: api 1 -> 3") == (changed.number, changed.title)
    assert found is not None
    assert (first.number, head, "line\n\nline") == (found.number, found.head, found.body)


def test_text_comes_back_as_it_was_sent(world: World) -> None:
    """Tables, quotes, emoji and odd letters survive; so an equal text is seen to be equal."""
    body = "| `a|b` | <b>x</b> |\n\n> \"quoted\" & 'more' \\ \U0001f680 한국어\n- [ ] @nobody-x #0"
    text = PullText('prod: "api" <1> & ü', body)
    made = propose(world, text)

    found = world.forge.find(world.branch, world.base)
    assert found is not None
    assert (text.title, text.body) == (found.title, found.body) == (made.title, made.body)


def test_draft_is_how_it_begins(world: World) -> None:
    """A draft has a plain title and stays one when updated; a ready one is made no draft."""
    made = propose(world, replace(TEXT, draft=True))
    kept = world.forge.update(made.number, PullText("newer", "newer"))
    world.people.ready(made.number)
    later = world.forge.update(made.number, PullText("newest", "newest", draft=True))

    found = world.forge.find(world.branch, world.base)
    assert (True, TEXT.title) == (made.draft, made.title)
    assert (True, "newer") == (kept.draft, kept.title)
    assert (False, "newest") == (later.draft, later.title)
    assert found is not None
    assert (False, "newest") == (found.draft, found.title)


def test_labels_are_put_on_it(world: World) -> None:
    """Labels are made where there are none; an update adds, and takes no other away."""
    made = propose(world, replace(TEXT, labels=("deploy",)))
    changed = world.forge.update(made.number, replace(TEXT, labels=("prod", "deploy")))

    if not world.labels:
        assert 1 == len(made.messages)
        assert 2 == len(changed.messages)
        return
    assert {"deploy", "prod"} == world.people.labels(made.number)
    assert () == made.messages + changed.messages


def test_reviewers_are_asked(world: World) -> None:
    """People are asked; somebody unknown, and the author, are messages, and no error."""
    wanted = (world.second, "nobody-of-that-name", world.bot)
    made = propose(world, replace(TEXT, reviewers=wanted))

    assert {world.second} == world.people.reviewers(made.number)
    assert 2 == len(made.messages)
    assert any("nobody-of-that-name" in message for message in made.messages)
    assert any(world.bot in message for message in made.messages)


def test_comments(world: World) -> None:
    """A comment is added, below the others; also to one that has ended."""
    made = propose(world)
    world.forge.comment(made.number, "replaces 2 by 3")
    world.forge.close(made.number)
    world.forge.comment(made.number, "because of **INC-42**")

    assert ["replaces 2 by 3", "because of **INC-42**"] == world.people.comments(made.number)


def test_what_is_not_there(world: World) -> None:
    """A number that nobody has is not found."""
    for call in (
        lambda: world.forge.update(999_999, TEXT),
        lambda: world.forge.comment(999_999, "hello"),
        lambda: world.forge.close(999_999),
        lambda: world.forge.readiness(999_999),
        lambda: world.forge.merge(999_999, "0" * 40, "merge", TITLE, MESSAGE),
    ):
        with pytest.raises(NotFound):
            call()


def test_a_branch_that_is_not_there(world: World) -> None:
    """There is nothing to propose on a branch that does not exist."""
    with pytest.raises((Refused, NotFound)):
        world.forge.open(f"{world.branch}-missing", world.base, TEXT)


# Merge and close.


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_merged(world: World, method: MergeMethod) -> None:
    """The commit that is told is the base's tip; the change and the trailers are in it."""
    made = propose(world)
    if method not in world.methods:
        answer = merge(world, made, method)
        assert isinstance(answer, NotMerged)
        assert answer.kind == "refused"
        return
    before = world.hands.head(world.base)

    answer = merge(world, made, method)

    assert isinstance(answer, Merged)
    assert answer.commit == world.hands.head(world.base) != before
    assert world.hands.show(world.base, "overlay.yaml") == b"tag: 2\n"
    said = trailers(world.hands.message(answer.commit))
    assert {"Gitops-Action": ("promote",), "Gitops-Id": ("0123",)}.items() <= {
        key: tuple(values) for key, values in said.items()
    }.items()
    assert (2 if method == "merge" else 1) == len(world.hands.parents(answer.commit))
    found = world.forge.find(world.branch, world.base)
    assert found is not None
    assert ("merged", answer.commit, made.head) == (found.state, found.merged_as, found.head)


def test_merged_title(world: World) -> None:
    """What lands has our title, not one of the forge's."""
    answer = merge(world, propose(world))

    assert isinstance(answer, Merged)
    assert world.hands.message(answer.commit).startswith(f"{TITLE}\n\n{MESSAGE}")


def test_merging_again_is_merged(world: World) -> None:
    """Whoever lost the answer, and asks again, gets the commit that landed."""
    made = propose(world)
    first = merge(world, made)

    assert first == merge(world, made)
    assert isinstance(first, Merged)


def test_merged_by_hand_is_merged(world: World) -> None:
    """A merge in the forge's page is seen, with the commit that it made."""
    made = propose(world)
    world.people.merge(made.number)

    found = world.forge.find(world.branch, world.base)
    tip = world.hands.head(world.base)
    assert found is not None
    assert ("merged", tip) == (found.state, found.merged_as)
    assert Merged(str(tip)) == merge(world, made)


def test_a_moved_head_is_not_merged(world: World) -> None:
    """Another head than the one that was looked at: nothing happens."""
    made = propose(world)
    before = world.hands.head(world.base)
    head = world.propose("3")
    assert eventually(lambda: world.forge.readiness(made.number).mergeable)

    answer = merge(world, made)

    assert isinstance(answer, NotMerged)
    assert answer.kind == "head-moved"
    assert head in answer.words
    assert before == world.hands.head(world.base)


def test_a_conflict_is_not_merged(world: World) -> None:
    """The base changed the same line: it says so, and nothing happens."""
    made = propose(world)
    tip = world.hands.commit(world.base, {"overlay.yaml": b"tag: 9\n"})

    answer = merge(world, made)

    assert isinstance(answer, NotMerged)
    assert answer.kind == "conflict"
    assert answer.words
    assert tip == world.hands.head(world.base)


def test_a_base_that_moved_elsewhere_is_no_conflict(world: World) -> None:
    """Another file changed on the base meanwhile: both changes are there."""
    made = propose(world)
    world.hands.commit(world.base, {"other.yaml": b"9\n"})

    answer = merge(world, made)

    assert isinstance(answer, Merged)
    assert world.hands.show(world.base, "other.yaml") == b"9\n"
    assert world.hands.show(world.base, "overlay.yaml") == b"tag: 2\n"


def test_a_draft_is_refused(world: World) -> None:
    """A draft is not merged."""
    made = propose(world, replace(TEXT, draft=True))
    before = world.hands.head(world.base)

    answer = merge(world, made)

    assert isinstance(answer, NotMerged)
    assert answer.kind == "refused"
    assert before == world.hands.head(world.base)


def test_closed(world: World) -> None:
    """Closing twice is closing once, and a closed one is not merged."""
    made = propose(world)
    world.forge.close(made.number)
    world.forge.close(made.number)

    found = world.forge.find(world.branch, world.base)
    answer = merge(world, made)
    assert found is not None
    assert (made.number, "closed", None) == (found.number, found.state, found.merged_as)
    assert isinstance(answer, NotMerged)
    assert answer.kind == "refused"


def test_closing_a_merged_one_changes_nothing(world: World) -> None:
    """Merged stays merged."""
    made = propose(world)
    merge(world, made)
    world.forge.close(made.number)

    found = world.forge.find(world.branch, world.base)
    assert found is not None
    assert found.state == "merged"


def test_closed_by_hand_and_by_deleting_the_branch(world: World) -> None:
    """Both are seen; afterwards a new one has a number of its own, and is the one that is found."""
    first = propose(world)
    world.people.close(first.number)
    by_hand = world.forge.find(world.branch, world.base)
    second = world.forge.open(world.branch, world.base, TEXT)
    world.hands.delete(world.branch)

    ended = eventually(lambda: state_of(world, "closed"))
    world.forge.close(second.number)
    world.propose("3")
    third = world.forge.open(world.branch, world.base, TEXT)

    found = world.forge.find(world.branch, world.base)
    assert by_hand is not None
    assert (first.number, "closed") == (by_hand.number, by_hand.state)
    assert second.number == ended.number
    assert len({first.number, second.number, third.number}) == 3
    assert found is not None
    assert (third.number, "open") == (found.number, found.state)


def test_the_newest_ended_one_is_found(world: World) -> None:
    """Of several that have ended, the last one, with the head that it had then."""
    first = propose(world)
    merge(world, first)
    world.propose("3")
    second = world.forge.open(world.branch, world.base, PullText("second", ""))
    world.people.approve(second.number)
    landed = merge(world, second)
    world.propose("4")  # the branch goes on

    found = world.forge.find(world.branch, world.base)
    assert found is not None
    assert (second.number, "merged", second.head) == (found.number, found.state, found.head)
    assert isinstance(landed, Merged)
    assert landed == merge(world, second)
    assert (world.second,) == tuple(world.forge.approvers(second.number))
    by_commit = world.forge.merged_by(landed.commit, world.base)
    assert by_commit is not None
    assert (second.number, second.head) == (by_commit.number, by_commit.head)


# Gates.


def test_an_approval_in_ones_own_name(world: World) -> None:
    """Given with the person's own token it is theirs; where there is no such call that is said."""
    made = propose(world)
    refused = None
    try:
        world.owner.give_approval(made.number, made.head)
    except Refused as error:
        refused = error
    given = [one not in (world.bot, world.second) for one in world.forge.approvers(made.number)]
    assert [True] == given if refused is None else "on its page there" in (refused.hint or "")


def test_what_it_waits_for(world: World) -> None:
    """Approvals and checks, wanted and given; a merge before is refused, after it is done."""
    world.people.require(world.base, 1, (world.check,))
    made = propose(world)
    before = world.forge.readiness(made.number)
    early = merge(world, made)
    tip = world.hands.head(world.base)

    world.people.approve(made.number)
    approved = world.forge.readiness(made.number)
    still = merge(world, made)
    report(world.forge, made.head, world.check, "success", "green", LINK)
    ready = world.forge.readiness(made.number)

    wanted, names = (1, (world.check,)) if world.tells_gates else (None, ())
    assert ((), wanted, names) == (
        before.approvals,
        before.approvals_wanted,
        before.checks_wanted,
    )
    assert ((world.second,), wanted) == (approved.approvals, approved.approvals_wanted)
    assert isinstance(early, NotMerged)
    assert isinstance(still, NotMerged)
    assert ("refused", "refused") == (early.kind, still.kind)
    assert early.words
    assert tip != world.hands.head(world.branch)
    assert ready.mergeable
    assert "success" == (ready.checks or {})[world.check]
    assert (world.second,) == tuple(world.forge.approvers(made.number))
    landed = merge(world, made)
    assert isinstance(landed, Merged)
    assert landed.commit == world.hands.head(world.base)
    assert (world.second,) == tuple(world.forge.approvers(made.number))


def test_an_open_base_asks_for_nothing(world: World) -> None:
    """Without a rule nothing is waited for."""
    ready = world.forge.readiness(propose(world).number)

    assert ready.mergeable
    assert () == ready.approvals + ready.checks_wanted
    assert ready.approvals_wanted in (0, None)


def test_a_conflict_is_told(world: World) -> None:
    """What does not merge any more is not mergeable."""
    made = propose(world)
    # A forge that has not looked yet may say the same as of a conflict.
    assert eventually(lambda: world.forge.readiness(made.number).mergeable)
    world.hands.commit(world.base, {"overlay.yaml": b"tag: 9\n"})

    assert eventually(lambda: not world.forge.readiness(made.number).mergeable)


def test_a_new_head_has_no_approvals(world: World) -> None:
    """Approvals are of the head that was looked at."""
    made = propose(world)
    world.people.approve(made.number)
    given = world.forge.readiness(made.number).approvals
    world.propose("3")

    assert (world.second,) == given
    assert () == eventually_equal((), lambda: world.forge.readiness(made.number).approvals)
    assert () == tuple(world.forge.approvers(made.number))


def test_who_made_it(world: World) -> None:
    """Whoever wrote a commit of it is told, while it is open and once it is merged."""
    made = propose(world)
    second = world.second.capitalize()
    files = {"overlay.yaml": b"tag: 3\n"}
    mine = world.hands.commit(world.branch, files, on=made.head, by=second)
    world.people.approve(made.number)

    def told() -> set[tuple[str, str]]:
        return {(one.who, one.commit) for one in world.forge.makers(made.number)}

    assert eventually(lambda: (world.second, mine) in told())
    assert (world.second, made.head) not in told()
    shown = world.forge.find(world.branch, world.base)
    assert shown is not None
    assert isinstance(merge(world, shown), Merged)
    assert (world.second, mine) in told()


def test_statuses(world: World) -> None:
    """The newest state of every name counts; nothing is reported for a new commit."""
    head = world.propose()
    world.forge.open(world.branch, world.base, TEXT)
    none = world.forge.statuses(head)
    report(world.forge, head, "gitops/soak", "pending", "x" * 300, LINK)
    report(world.forge, head, "gitops/policy", "failure", "no", LINK)
    pending = world.forge.statuses(head)
    report(world.forge, head, "gitops/soak", "success", "stable", LINK)
    report(world.forge, head, "gitops/soak", "success", "stable", LINK)

    assert {} == none
    assert {"gitops/soak": "pending", "gitops/policy": "failure"} == pending
    assert {"gitops/soak": "success", "gitops/policy": "failure"} == world.forge.statuses(head)


def test_who_merged_what(world: World) -> None:
    """A commit of the base is told from which pull request it came; a push has none."""
    made = propose(world)
    answer = merge(world, made)
    pushed = world.hands.commit(world.base, {"other.yaml": b"3\n"})

    assert isinstance(answer, Merged)
    found = world.forge.merged_by(answer.commit, world.base)
    assert found is not None
    assert (made.number, "merged", world.base) == (found.number, found.state, found.base)
    assert world.forge.merged_by(answer.commit, "another") is None
    assert world.forge.merged_by(pushed, world.base) is None


def test_an_open_one_has_merged_nothing(world: World) -> None:
    """The head of an open pull request came from nowhere yet."""
    made = propose(world)

    assert world.forge.merged_by(made.head, world.base) is None


def test_protection(world: World) -> None:
    """The rules of a branch, read by its owner; what is asked for is at least as much."""
    before = world.owner.protection(world.base)
    world.owner.protect(world.base, 1, [world.check])
    set_once = world.owner.protection(world.base)
    world.owner.protect(world.base, 2, [])
    set_twice = world.owner.protection(world.base)

    assert not before.protected
    assert set_once.protected
    assert (1, (world.check,)) == (set_once.approvals, set_once.checks)
    assert (2, (world.check,)) == (set_twice.approvals, set_twice.checks)


def test_protection_by_pattern(world: World) -> None:
    """A rule for `release/*` is one for a release branch that does not exist yet."""
    world.owner.protect(f"{world.base}-release/*", 1, [])

    rule = world.owner.protection(f"{world.base}-release/1.4")
    assert (True, 1) == (rule.protected, rule.approvals)
    assert not world.owner.protection(f"{world.base}-other/1.4").protected


def test_protection_seen_by_a_writer(world: World) -> None:
    """Who does not administrate sees that there is a rule, and no wrong number."""
    world.people.require(world.base, 1, (world.check,))

    rule = world.forge.protection(world.base)
    assert rule.protected is (True if world.tells_rules else None)
    assert rule.approvals in (1, None)


def test_only_owners_protect(world: World) -> None:
    """The account of a CI system may not change the rules."""
    if world.forge is world.owner:
        pytest.skip("a forge in memory has one account")
    with pytest.raises(Denied):
        world.forge.protect(world.base, 0, [])


# Trouble.


def test_a_lost_answer_to_open_is_found(world: World) -> None:
    """The pull request was made though nobody said so: it is found, and there is one."""
    world.propose()
    world.faults.lose_answer("open")

    made = world.forge.open(world.branch, world.base, TEXT)

    found = world.forge.find(world.branch, world.base)
    assert found is not None
    assert found.number == made.number


def test_a_lost_answer_to_merge_is_found(world: World) -> None:
    """It was merged though nobody said so: the commit is told."""
    made = propose(world)
    world.faults.lose_answer("merge")

    answer = merge(world, made)

    assert Merged(str(world.hands.head(world.base))) == answer


def test_a_comment_is_not_repeated(world: World) -> None:
    """When its answer is lost, nobody knows; it is not said twice."""
    made = propose(world)
    world.faults.lose_answer("comment")

    with pytest.raises(Unavailable):
        world.forge.comment(made.number, "hello")

    assert ["hello"] == world.people.comments(made.number)


def test_busy_is_unavailable(world: World) -> None:
    """A server that stumbles again and again is unavailable, and says so."""
    world.faults.busy()
    with pytest.raises(Unavailable) as caught:
        world.forge.find(world.branch, world.base)

    assert "503" in caught.value.message


def test_a_limit_tells_the_time(world: World) -> None:
    """Too many requests: it is said when to come again, and nobody waits for it."""
    world.faults.limit(1800)
    with pytest.raises(Unavailable) as caught:
        world.forge.find(world.branch, world.base)

    assert caught.value.hint is not None
    assert "try again at 20" in caught.value.hint


def test_no_token_is_told(world: World) -> None:
    """Neither what describes a forge nor any error holds a token."""
    texts = [world.forge.describe(), repr(world.forge), repr(vars_of(world.forge))]
    world.faults.busy()
    with pytest.raises(Unavailable) as caught:
        world.forge.find(world.branch, world.base)
    error: BaseException | None = caught.value
    while error is not None:
        texts += [str(error), repr(error), repr(error.args)]
        error = error.__cause__ or error.__context__

    assert [] == [text for text in texts for secret in world.secrets if secret in text]


def vars_of(value: object) -> dict[str, object]:
    """Return what an object holds, for its repr."""
    return dict(getattr(value, "__dict__", {}))


def state_of(world: World, state: str) -> PullRequest | None:
    """Return what is found when it is in a state, else None."""
    found = world.forge.find(world.branch, world.base)
    return found if found is not None and found.state == state else None


def eventually(question: Callable[[], T | None]) -> T:
    """Return the first true answer; forges do some things a moment after they said so."""
    for answer in answers(question):
        if answer:
            return answer
    raise AssertionError("not so after 90 s")


def eventually_equal(expected: T, question: Callable[[], T]) -> T:
    """Return the answer as soon as it is what is expected, else the last one."""
    for answer in answers(question):
        if answer == expected:
            break
    return answer


def answers(question: Callable[[], T]) -> Iterator[T]:
    """Ask for 90 s, less often as time goes by: a real forge takes longer, the more it is asked."""
    end, pause = monotonic() + 90, 0.05
    while True:
        yield question()
        if monotonic() > end:
            return
        sleep(pause)
        pause = min(2 * pause, 0.4)
