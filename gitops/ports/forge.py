"""Where people approve: pull requests of a forge, its gates, and its rules for branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

PullState = Literal["open", "merged", "closed"]
CheckState = Literal["pending", "success", "failure"]
MergeMethod = Literal["merge", "squash", "rebase"]


class PullText(Struct, frozen=True):
    """What a pull request says and asks for.

    An update replaces title and body, and adds labels and reviewers that are missing; what people
    added in the forge's page stays.

    Attributes:
        title: one line.
        body: Markdown; cut where the forge has a limit.
        labels: names; one that the repository does not have is made, or left out with a message.
        reviewers: login names of people (`ana`) or teams (`team:ops`), asked once for each head.
        draft: how it is opened; later that is for people to change, so an update leaves it.
    """

    title: str
    body: str
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    draft: bool = False


class PullRequest(Struct, frozen=True):
    """A pull request as the forge has it now.

    Attributes:
        number: the one in its URL; numbers are per repository.
        branch, base: short names, both of the repository itself: a fork's branch of the same name
            is never taken for ours.
        head: the commit of `branch`; of an ended one, the last commit that it had.
        title: without the mark that some forges put there for a draft.
        author: login name of who opened it.
        merged_as: the commit that landed on `base`, None while it is not merged or not told.
        messages: what could not be honoured (an unknown label or reviewer).
    """

    number: int
    url: str
    branch: str
    base: str
    head: str
    state: PullState
    title: str
    body: str
    author: str
    draft: bool = False
    merged_as: str | None = None
    messages: tuple[str, ...] = ()


class Readiness(Struct, frozen=True):
    """What an open pull request still waits for; the rules are the forge's own.

    Attributes:
        mergeable: whether it merges with the base as text, and nothing else is in the way that
            the forge counts in; None while it has not found out yet.
        approvals: login names of who approved the present head, and whose word the forge counts.
        approvals_wanted: how many it asks for; None when it does not say.
        checks: name -> state of what was reported for the head.
        checks_wanted: names that must be `success`.
        reasons: the forge's own words for what is in the way, () when it says none.
        hands_over: how the forge merges by itself what is ready, where it is set up so (`the merge
            queue of main`, `auto-merge`, `the merge train of main`); None: it does not.
        queue_only: nothing gets in but by that way.
        handed_over: it was handed over already: how, and where it stands.
    """

    mergeable: bool | None
    approvals: tuple[str, ...] = ()
    approvals_wanted: int | None = None
    checks: Mapping[str, CheckState] | None = None
    checks_wanted: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    hands_over: str | None = None
    queue_only: bool = False
    handed_over: str | None = None


class Contribution(Struct, frozen=True):
    """Somebody through whose hands a commit of a pull request went, as the forge tells it.

    Attributes:
        who: login name; where a forge knows none for the author of a commit, what the commit says.
        commit: what they wrote, or the head that they pushed.
        before: of a push, the head before it; None for whoever wrote the commit, or where it is
            not told.
    """

    who: str
    commit: str
    before: str | None = None


class Merged(Struct, frozen=True):
    """A merge that happened: now, or before an answer got lost. `commit` is on the base."""

    commit: str


class HandedOver(Struct, frozen=True):
    """The forge merges it by itself when it is ready; `how` is as `Readiness.hands_over`."""

    how: str


class NotMerged(Struct, frozen=True):
    """A merge that did not happen, and nothing was changed.

    Attributes:
        kind: `head-moved` (another head than the one that was reviewed), `refused` (a rule says
            no), `conflict` (it does not merge with the base any more), `not-yet` (the forge is
            still finding out: ask again).
        words: the forge's own.
    """

    kind: Literal["head-moved", "refused", "conflict", "not-yet"]
    words: str


class Forge(Protocol):
    """Pull requests of one repository, at most one open for each pair of branch and base.

    All calls may raise NotFound (repository, pull request), Denied, Refused (the forge does not
    take what was asked, in its own words), Unavailable (rate limits and 5xx too, with the time to
    wait when it is told), TimedOut. No token is in any message.
    """

    def describe(self) -> str:
        """Return what messages call it: `GitHub at github.com, shop/manifests`."""
        ...

    def find(self, branch: str, base: str) -> PullRequest | None:
        """Return the open pull request of `branch` into `base`, else the newest ended one."""
        ...

    def open(self, branch: str, base: str, text: PullText) -> PullRequest:
        """Open one; when there is one already (another writer was faster), that one, with `text`.

        An answer that got lost is looked for before anything is tried again.
        """
        ...

    def update(self, number: int, text: PullText) -> PullRequest:
        """Replace what it says."""
        ...

    def comment(self, number: int, text: str) -> None:
        """Add a comment (Markdown)."""
        ...

    def merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> Merged | NotMerged:
        """Merge exactly `head`, with `title` and `message` in what lands.

        A rebase lands the commits with their own messages. Waits a few seconds while the forge
        finds out whether it merges. Never overrides a rule, never schedules a later merge. One that
        is merged already, with this `head`, is Merged: by hand, or before an answer got lost.
        """
        ...

    def hand_over(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> HandedOver | NotMerged:
        """Let the forge merge exactly `head` when it is ready, as `Readiness.hands_over` says.

        A queue or train merges with a message of its own. One that was handed over is HandedOver.
        """
        ...

    def close(self, number: int) -> None:
        """Close it; nothing to do when it is closed or merged."""
        ...

    def readiness(self, number: int) -> Readiness:
        """Say what it still waits for."""
        ...

    def makers(self, number: int) -> Sequence[Contribution]:
        """Return who wrote, committed or pushed its commits, as far as the forge tells.

        GitHub and Gitea tell who pushed, GitLab to members.
        """
        ...


class Protection(Struct, frozen=True):
    """The rules of one branch as the forge has them; None: the forge does not tell this caller.

    GitLab has no names for checks: `pipeline` there means that the pipeline must succeed.

    Attributes:
        protected: somebody may not push to it as to any other branch.
        approvals: how many a pull request into it needs.
        checks: names of the statuses that it needs.
        pushers: login names that may push to it directly.
        last_push: whoever pushed last does not count as an approver (GitLab: whoever added a
            commit); None also where a forge has no such rule.
    """

    protected: bool | None
    approvals: int | None = None
    checks: tuple[str, ...] | None = None
    pushers: tuple[str, ...] | None = None
    last_push: bool | None = None


class Gates(Protocol):
    """Statuses of commits, and the rules that a forge keeps for branches.

    All calls may raise what those of `Forge` raise.
    """

    def statuses(self, commit: str) -> Mapping[str, CheckState]:
        """Return name -> newest state of what was reported for `commit`."""
        ...

    def merged_by(self, commit: str, base: str) -> PullRequest | None:
        """Return the merged pull request that brought `commit` to `base`, None for a push.

        `commit` is the one on the first-parent line of `base` (a merge, or what a squash or rebase
        made). It says who merged what, not that anybody approved it: see `approvers`.
        """
        ...

    def approvers(self, number: int) -> Sequence[str]:
        """Return who approved the head that was (or would be) merged, as `Readiness.approvals`."""
        ...

    def give_approval(self, number: int, head: str) -> None:
        """Approve exactly `head` as the person whose token this is; once more changes nothing.

        Only ever called with a person's own token. Raises Refused where the forge does not let
        them, or has no such call.
        """
        ...

    def protection(self, branch: str) -> Protection:
        """Return the rules of `branch`, which need not exist."""
        ...

    @property
    def restricts(self) -> bool:
        """Whether others can be kept from pushing to a pattern of branches that come and go."""
        ...

    def restrict(self, pattern: str, without: Sequence[str]) -> str:
        """Let only some push to branches of `pattern`, but not `without`; say who may.

        They are still made anew and deleted. Raises Refused where `restricts` is False.
        """
        ...

    def protect(
        self, branch: str, approvals: int, checks: Sequence[str], *, last_push: bool = False
    ) -> None:
        """Ask at least this much of pull requests into `branch`; other rules stay as they are.

        `branch` may be a pattern of the forge's (`release/*`). Raises Refused where the forge's API
        or edition cannot do it.
        """
        ...


class GatedForge(Forge, Gates, Protocol):
    """All of a forge: what `Session.forge` opens."""


class NoForge(Struct, frozen=True):
    """There are no pull requests here: proposals are branches.

    Attributes:
        hint: one sentence on how to get pull requests; None where nobody misses them (a path, or
            `kind: none`).
    """

    hint: str | None = None
