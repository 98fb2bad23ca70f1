"""A forge in memory, held to the same contract as the real ones (tests/ports)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from msgspec.structs import replace

from fakes import FakeRepository
from gitops.errors import GitopsError, NotFound, Refused
from gitops.ports import (
    CheckState,
    Contribution,
    HandedOver,
    Merged,
    MergeMethod,
    NewCommit,
    NotMerged,
    Protection,
    PullRequest,
    PullText,
    Readiness,
)

OPEN = Protection(protected=False, approvals=0, checks=(), pushers=())


@dataclass
class Pull:
    """A pull request with what the port does not show of it."""

    shown: PullRequest
    labels: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    approvals: list[tuple[str, str]] = field(default_factory=list)  # who, which head
    pushes: list[Contribution] = field(default_factory=list)
    handed_over: tuple[str, str, str, str, str] | None = None


class FakeForge:
    """`ports.GatedForge` over a FakeRepository.

    Attributes:
        pulls: number -> pull request, oldest first.
        user: login name of whoever calls.
        people: login names that the repository knows; reviewers must be among them.
        rules: branch or pattern -> what it asks for; any other branch asks for nothing.
        reports: commit -> name of a check -> its state.
        trouble: raised by the next call, then forgotten; with `lands` True a write has happened all
            the same (an answer that was lost, and could not be looked up).
        undecided: so many merges answer `not-yet`.
    """

    def __init__(self, repository: FakeRepository, user: str = "bot") -> None:
        self.repository = repository
        self.user = user
        self.people = {user, "ana", "bo"}
        self.pulls: dict[int, Pull] = {}
        self.rules: dict[str, Protection] = {}
        self.reports: dict[str, dict[str, CheckState]] = {}
        self.trouble: GitopsError | None = None
        self.lands = False
        self.undecided = 0
        self.hands_over: str | None = None
        self.queue_only = False

    # What people do in the forge's page.

    def approve(self, number: int, who: str) -> None:
        """Approve the present head; nobody approves a pull request of their own."""
        pull = self._pull(number)
        assert who != pull.shown.author, "approve your own pull is not allowed"
        pull.approvals.append((who, self._shown(pull).head))

    def merge_by_hand(self, number: int) -> str:
        """Merge with the button; the message is the forge's. Returns the commit."""
        shown = self._shown(self._pull(number))
        return self._land(number, shown.head, "merge", f"Merge pull request #{number}", "")

    def ready(self, number: int) -> None:
        """Say that it is no draft any more."""
        pull = self._pull(number)
        pull.shown = replace(pull.shown, draft=False)

    # ports.Forge

    def describe(self) -> str:
        """See `ports.Forge`."""
        return "a forge in memory"

    def find(self, branch: str, base: str) -> PullRequest | None:
        """See `ports.Forge`."""
        self._look()
        return self._find(branch, base)

    def _find(self, branch: str, base: str) -> PullRequest | None:
        found = [self._shown(pull) for pull in self.pulls.values()]
        found = [one for one in found if (one.branch, one.base) == (branch, base)]
        found.sort(key=lambda one: (one.state == "open", one.number))
        return found[-1] if found else None

    def open(self, branch: str, base: str, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        trouble = self._begin_write()
        present = self._find(branch, base)
        if present is not None and present.state == "open":
            return self.update(present.number, text)
        head = self.repository.head(branch)
        if head is None:
            raise Refused(f"there is no branch {branch}")
        number = len(self.pulls) + 1
        url = f"https://forge.example/pulls/{number}"
        shown = PullRequest(
            number, url, branch, base, head, "open", text.title, text.body, self.user, text.draft
        )
        self.pulls[number] = Pull(shown)
        self._end_write(trouble)
        return self.update(number, text)

    def update(self, number: int, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        trouble = self._begin_write()
        pull = self._pull(number)
        shown = self._shown(pull)
        pull.shown = replace(shown, title=text.title, body=text.body)
        pull.labels += [one for one in text.labels if one not in pull.labels]
        known = [one for one in text.reviewers if one in self.people and one != shown.author]
        pull.reviewers += [one for one in known if one not in pull.reviewers]
        self._end_write(trouble)
        unknown = [one for one in text.reviewers if one not in known]
        messages = tuple(f"{one} cannot be asked for a review" for one in unknown)
        return replace(pull.shown, messages=messages)

    def comment(self, number: int, text: str) -> None:
        """See `ports.Forge`."""
        trouble = self._begin_write()
        self._pull(number).comments.append(text)
        self._end_write(trouble)

    def merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> Merged | NotMerged:
        """See `ports.Forge`."""
        trouble = self._begin_write()
        shown = self._shown(self._pull(number))
        if shown.merged_as is not None and shown.head == head:
            return Merged(shown.merged_as)
        refusal = self._refusal(shown, head)
        if refusal is not None:
            return refusal
        if self.undecided:
            self.undecided -= 1
            return NotMerged("not-yet", "still being looked at")
        commit = self._land(number, head, method, title, message)
        self._end_write(trouble)
        return Merged(commit)

    def hand_over(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> HandedOver | NotMerged:
        """See `ports.Forge`; `merge_waiting` merges what was handed over."""
        trouble = self._begin_write()
        pull = self._pull(number)
        if self._shown(pull).head != head:
            return NotMerged("head-moved", f"the head is {self._shown(pull).head}")
        if self.hands_over is None:
            return NotMerged("refused", "nothing here merges by itself")
        pull.handed_over = (self.hands_over, head, method, title, message)
        self._end_write(trouble)
        return HandedOver(self.hands_over)

    def merge_waiting(self, number: int) -> str:
        """Merge what was handed over, as the forge does when it is ready. Returns the commit."""
        pull = self._pull(number)
        assert pull.handed_over is not None
        return self._land(number, *pull.handed_over[1:])

    def close(self, number: int) -> None:
        """See `ports.Forge`."""
        trouble = self._begin_write()
        pull = self._pull(number)
        if pull.shown.state == "open":
            pull.shown = replace(self._shown(pull), state="closed")
        self._end_write(trouble)

    def readiness(self, number: int) -> Readiness:
        """See `ports.Forge`."""
        self._look()
        shown = self._shown(self._pull(number))
        rule = self.rules.get(shown.base, OPEN)
        refusal = self._refusal(shown, shown.head)
        return Readiness(
            mergeable=not self._conflicts(shown),
            approvals=tuple(self.approvers(number)),
            approvals_wanted=rule.approvals,
            checks=self.statuses(shown.head),
            checks_wanted=rule.checks or (),
            reasons=() if refusal is None else (refusal.words,),
            hands_over=self.hands_over,
            queue_only=self.queue_only,
            handed_over=handed[0] if (handed := self._pull(number).handed_over) else None,
        )

    def makers(self, number: int) -> Sequence[Contribution]:
        """See `ports.Forge`; the login name of an author is their name in lower case."""
        self._look()
        pull = self._pull(number)
        shown = self._shown(pull)
        base = self.repository.branches[shown.base]
        merged = shown.merged_as and self.repository.commits[shown.merged_as].info.parents[0]
        infos = self.repository.over(shown.head, merged or base)
        wrote = (Contribution(info.author.name.lower(), info.commit) for info in infos)
        return (*wrote, *pull.pushes)

    # ports.Gates

    def statuses(self, commit: str) -> Mapping[str, CheckState]:
        """See `ports.Gates`."""
        self._look()
        return dict(self.reports.get(commit, {}))

    def set_status(self, commit: str, name: str, state: CheckState, text: str, url: str) -> None:
        """Report what a CI system found."""
        trouble = self._begin_write()
        self.reports.setdefault(commit, {})[name] = state
        self._end_write(trouble)

    def merged_by(self, commit: str, base: str) -> PullRequest | None:
        """See `ports.Gates`."""
        self._look()
        for pull in self.pulls.values():
            if pull.shown.merged_as == commit and pull.shown.base == base:
                return pull.shown
        return None

    def approvers(self, number: int) -> Sequence[str]:
        """See `ports.Gates`."""
        self._look()
        pull = self._pull(number)
        head = self._shown(pull).head
        return tuple(dict.fromkeys(who for who, what in pull.approvals if what == head))

    def give_approval(self, number: int, head: str) -> None:
        """See `ports.Gates`."""
        self._look()
        shown = self._shown(self._pull(number))
        if shown.head != head or shown.author == self.user:
            hint = "approve it on its page there"
            raise Refused(f"{self.user} does not approve #{number} at {shown.head[:7]}", hint=hint)
        self.approve(number, self.user)

    def protection(self, branch: str) -> Protection:
        """See `ports.Gates`."""
        self._look()
        names = [name for name in self.rules if fnmatchcase(branch, name)]
        return self.rules[names[0]] if names else OPEN

    restricts = False

    def restrict(self, pattern: str, without: Sequence[str]) -> str:
        """See `ports.Gates`."""
        assert self.restricts
        self.rules[pattern] = Protection(True, 0, (), ("ci",))
        return "ci"

    def protect(
        self, branch: str, approvals: int, checks: Sequence[str], *, last_push: bool = False
    ) -> None:
        """See `ports.Gates`."""
        present = self.rules.get(branch, OPEN)
        self.rules[branch] = replace(
            present,
            protected=True,
            approvals=max(approvals, present.approvals or 0),
            checks=tuple(dict.fromkeys((*(present.checks or ()), *checks))),
            last_push=True if last_push else present.last_push,
        )

    # How it works inside.

    def _look(self) -> None:
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble

    def _begin_write(self) -> GitopsError | None:
        trouble, self.trouble = self.trouble, None
        if trouble is not None and not self.lands:
            raise trouble
        return trouble

    @staticmethod
    def _end_write(trouble: GitopsError | None) -> None:
        if trouble is not None:
            raise trouble

    def _pull(self, number: int) -> Pull:
        if number not in self.pulls:
            raise NotFound(f"there is no pull request {number}")
        return self.pulls[number]

    def _shown(self, pull: Pull) -> PullRequest:
        """Follow the branch while it is open; a branch that is gone closes it."""
        if pull.shown.state == "open":
            head = self.repository.head(pull.shown.branch)
            pull.shown = (
                replace(pull.shown, state="closed")
                if head is None
                else replace(pull.shown, head=head)
            )
        return pull.shown

    def _refusal(self, shown: PullRequest, head: str) -> NotMerged | None:
        rule = self.rules.get(shown.base, OPEN)
        given = len(self.approvers(shown.number))
        states = self.statuses(shown.head)
        if shown.state != "open":
            return NotMerged("refused", "it is not open")
        if shown.draft:
            return NotMerged("refused", "it is a draft")
        if shown.head != head:
            return NotMerged("head-moved", f"the head is {shown.head}")
        if self._conflicts(shown):
            return NotMerged("conflict", f"it conflicts with {shown.base}")
        missing = [one for one in rule.checks or () if states.get(one) != "success"]
        if missing:
            return NotMerged("refused", f"required checks: {', '.join(missing)}")
        if given < (rule.approvals or 0):
            return NotMerged("refused", f"{given} of {rule.approvals} approvals")
        return None

    def _conflicts(self, shown: PullRequest) -> bool:
        base = self.repository.head(shown.base)
        start = self._fork_point(base, shown.head)
        ours, theirs = self._changes(start, base), self._changes(start, shown.head)
        return any(path in ours and ours[path] != content for path, content in theirs.items())

    def _fork_point(self, one: str | None, other: str) -> str | None:
        seen = set()
        while one is not None:
            seen.add(one)
            parents = self.repository.commits[one].info.parents
            one = parents[0] if parents else None
        at: str | None = other
        while at is not None and at not in seen:
            parents = self.repository.commits[at].info.parents
            at = parents[0] if parents else None
        return at

    def _changes(self, start: str | None, end: str | None) -> dict[str, bytes | None]:
        commits = self.repository.commits
        before = commits[start].files if start is not None else {}
        after = commits[end].files if end is not None else {}
        return {
            path: after.get(path)
            for path in {*before, *after}
            if before.get(path) != after.get(path)
        }

    def _land(self, number: int, head: str, method: str, title: str, message: str) -> str:
        pull = self._pull(number)
        base = self.repository.branches[pull.shown.base]
        tip, brought = self.repository.commits[base], self.repository.commits[head]
        text = f"{title}\n\n{message}" if method != "rebase" else brought.info.message
        new = NewCommit(
            parents=(base, head) if method == "merge" else (base,),
            files=self._changes(self._fork_point(base, head), head),
            message=text,
            time=tip.info.time,
            author=brought.info.author if method == "rebase" else None,
        )
        commit = self.repository.create(new)
        self.repository.branches[pull.shown.base] = commit
        pull.shown = replace(pull.shown, head=head, state="merged", merged_as=commit)
        return commit
