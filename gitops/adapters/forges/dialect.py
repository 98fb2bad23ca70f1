"""What every forge adapter does alike; a dialect says how its forge is asked.

`ForgeDialect` keeps the order of things (look before a write is tried again, one open pull request
for a pair of branches, a merge that is asked for until the forge knows) and the door through which
errors leave. A dialect fills in the requests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from gitops.adapters.forges.transport.calls import PATIENCE, Calls, ForgeResponse, NoAnswer
from gitops.core.forges.address import NAMES
from gitops.errors import Refused
from gitops.ports import (
    CheckState,
    Contribution,
    HandedOver,
    Merged,
    MergeMethod,
    NotMerged,
    Protection,
    PullRequest,
    PullText,
    Readiness,
)

Pull = Any
"""A pull request as the library of a forge has it."""


class ForgeDialect(ABC):
    """`ports.GatedForge` over a dialect: see there for what each method promises.

    Attributes:
        refusals: statuses of an answer to a merge after which it is looked up what is in the way.
        lets_twins: two that come at the same moment can both be made.
        restricts: see `ports.Gates`.
    """

    refusals: ClassVar[tuple[int, ...]]
    lets_twins: ClassVar[bool] = True
    restricts: bool = False

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def describe(self) -> str:
        """See `ports.Forge`."""
        return self._calls.address.name

    def find(self, branch: str, base: str) -> PullRequest | None:
        """See `ports.Forge`."""
        with self._calls.door():
            found = next(iter(self._open_ones(branch, base)), None)
            found = self._newest_ended(branch, base) if found is None else found
            return None if found is None else self._shown(found)

    def open(self, branch: str, base: str, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        with self._calls.door():
            try:
                made = self._create(branch, base, text)
            except (ForgeResponse, NoAnswer) as error:
                if (
                    isinstance(error, ForgeResponse)
                    and error.status < 500
                    and not self._exists(error)
                ):
                    raise
                present = next(iter(self._open_ones(branch, base)), None)
                if present is None:
                    raise
                return self._update(present, text, is_opening=True)
            if self.lets_twins:
                oldest = next(iter(self._open_ones(branch, base)), made)
                if self._number(oldest) < self._number(made):
                    self._close(self._number(made))
                    made = oldest  # the older one stays
            return self._update(made, text, is_opening=True)

    def update(self, number: int, text: PullText) -> PullRequest:
        """See `ports.Forge`."""
        with self._calls.door():
            return self._update(self._pull(number), text)

    def comment(self, number: int, text: str) -> None:
        """See `ports.Forge`."""
        with self._calls.door():
            self._comment(number, text)

    def merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> Merged | NotMerged:
        """See `ports.Forge`."""
        with self._calls.door():
            barred = self._barred(number, method)
            if barred is not None:
                return NotMerged("refused", barred)
            said = None
            for _ in self._calls.poll(PATIENCE):
                try:
                    commit = self._merge(number, head, method, title, message)
                except (ForgeResponse, NoAnswer) as error:
                    ended = self._after_refusal(number, head, error)
                    if ended is not None:
                        return ended
                    said = self._calls.words(error.words)
                    continue
                if commit is not None:
                    return Merged(commit)
            return self._not_yet(number, said)

    def hand_over(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> HandedOver | NotMerged:
        """See `ports.Forge`."""
        with self._calls.door():
            pull = self._pull(number)
            if self._shown(pull).head != head:
                return NotMerged("head-moved", f"its head is {self._shown(pull).head}")
            ready = self._readiness(pull)
            if ready.handed_over is not None:
                return HandedOver(ready.handed_over)
            if ready.hands_over is None:
                return NotMerged("refused", "nothing here merges by itself")
            try:
                self._hand_over(pull, head, method, title, message)
            except ForgeResponse as error:
                if error.status not in self.refusals:
                    raise
                return NotMerged("refused", self._calls.words(error.words))
            return HandedOver(ready.hands_over)

    def close(self, number: int) -> None:
        """See `ports.Forge`."""
        with self._calls.door():
            if self._shown(self._pull(number)).state == "open":
                self._close(number)

    def readiness(self, number: int) -> Readiness:
        """See `ports.Forge`."""
        with self._calls.door():
            return self._readiness(self._pull(number))

    def makers(self, number: int) -> Sequence[Contribution]:
        """See `ports.Forge`."""
        with self._calls.door():
            return tuple(dict.fromkeys(self._makers(self._pull(number))))

    def statuses(self, commit: str) -> Mapping[str, CheckState]:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._statuses(commit)

    def merged_by(self, commit: str, base: str) -> PullRequest | None:
        """See `ports.Gates`."""
        with self._calls.door():
            for pull in self._pulls_of(commit):
                found = self._shown(pull)
                if (found.base, found.merged_as) == (base, commit):
                    return found
            return None

    def approvers(self, number: int) -> Sequence[str]:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._approvers(self._pull(number))

    def give_approval(self, number: int, head: str) -> None:
        """See `ports.Gates`."""
        with self._calls.door():
            try:
                self._give_approval(number, head)
            except ForgeResponse as error:
                if error.status not in (403, 404, 405, 409, 422):
                    raise
                words = self._calls.words(error.words)
                raise Refused(
                    f"{self.describe()} does not take your approval of #{number}: {words}",
                    hint="approve it on its page there",
                ) from None

    def protection(self, branch: str) -> Protection:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._protection(branch)

    def protect(
        self, branch: str, approvals: int, checks: Sequence[str], *, last_push: bool = False
    ) -> None:
        """See `ports.Gates`."""
        with self._calls.door():
            self._protect(branch, approvals, checks, last_push=last_push)

    def restrict(self, pattern: str, without: Sequence[str]) -> str:
        """See `ports.Gates`."""
        with self._calls.door():
            return self._restrict(pattern, without)

    def _after_refusal(
        self, number: int, head: str, error: ForgeResponse | NoAnswer
    ) -> Merged | NotMerged | None:
        """Say how a merge ended that was answered with an error; None: ask again."""
        pull = self._pull(number)
        now = self._shown(pull)
        if now.merged_as is not None and now.head == head:
            return Merged(now.merged_as)
        if isinstance(error, NoAnswer) or error.status not in self.refusals:
            raise error
        if now.state != "open":
            how = f"merged already, with head {now.head}" if now.state == "merged" else "closed"
            return NotMerged("refused", f"it is {how}")
        if now.head != head or self._says_moved(error):
            return NotMerged("head-moved", f"its head is {now.head}")
        return self._in_the_way(pull, error.status, self._calls.words(error.words))

    def _ask_each(self, names: Iterable[str], ask: Callable[..., object]) -> Iterator[str]:
        """Ask people and teams (`team:NAME`) for a review, and yield why some could not be."""
        for one in names:
            team = one.removeprefix("team:") if one.startswith("team:") else None
            whom = {"reviewers": [one]} if team is None else {"team_reviewers": [team]}
            what = f"{one} could not be asked for a review"
            yield from self._calls.courtesy(what, partial(ask, **whom))

    def _settled(self, pull: Pull, is_open_question: Callable[[Pull], bool]) -> Pull:
        """Return a pull request once its forge knows whether it merges, or has had its time."""
        for _ in self._calls.poll(PATIENCE):
            if self._shown(pull).state != "open" or not is_open_question(pull):
                break
            pull = self._pull(self._number(pull))
        return pull

    def _barred(self, number: int, method: MergeMethod) -> str | None:
        """Return why a merge by `method` need not be tried."""
        return None

    def _not_yet(self, number: int, said: str | None) -> NotMerged:
        name = NAMES[self._calls.address.kind]
        return NotMerged("not-yet", said or f"{name} is still finding out whether it merges")

    def _says_moved(self, error: ForgeResponse) -> bool:
        """Do the words of a refusal say that the head is another one now?"""
        return False

    @abstractmethod
    def _shown(self, pull: Pull) -> PullRequest: ...

    @abstractmethod
    def _number(self, pull: Pull) -> int: ...

    @abstractmethod
    def _pull(self, number: int) -> Pull: ...

    @abstractmethod
    def _open_ones(self, branch: str, base: str) -> Iterable[Pull]:
        """Return the open ones of the pair, oldest first: there should be one at most."""

    @abstractmethod
    def _newest_ended(self, branch: str, base: str) -> Pull | None: ...

    @abstractmethod
    def _create(self, branch: str, base: str, text: PullText) -> Pull: ...

    @abstractmethod
    def _exists(self, error: ForgeResponse) -> bool:
        """Does a refusal to make one say that there is one?"""

    @abstractmethod
    def _update(self, pull: Pull, text: PullText, *, is_opening: bool = False) -> PullRequest: ...

    @abstractmethod
    def _close(self, number: int) -> None: ...

    @abstractmethod
    def _comment(self, number: int, text: str) -> None: ...

    @abstractmethod
    def _merge(
        self, number: int, head: str, method: MergeMethod, title: str, message: str
    ) -> str | None:
        """Ask once. Returns the commit on the base, None when the forge has not made it yet."""

    def _hand_over(
        self, pull: Pull, head: str, method: MergeMethod, title: str, message: str
    ) -> None:
        """Ask the forge to merge it when it is ready; only where `_readiness` says that it does."""
        del pull, head, method, title, message
        raise Refused(f"{self.describe()} merges nothing by itself")

    @abstractmethod
    def _in_the_way(self, pull: Pull, status: int, words: str) -> NotMerged | None:
        """Say why an open pull request with the right head does not merge; None: ask again."""

    @abstractmethod
    def _readiness(self, pull: Pull) -> Readiness: ...

    @abstractmethod
    def _makers(self, pull: Pull) -> Iterable[Contribution]: ...

    @abstractmethod
    def _statuses(self, commit: str) -> dict[str, CheckState]: ...

    @abstractmethod
    def _pulls_of(self, commit: str) -> Iterable[Pull]:
        """Return the pull requests that the forge says brought a commit in."""

    @abstractmethod
    def _approvers(self, pull: Pull) -> tuple[str, ...]: ...

    def _give_approval(self, number: int, head: str) -> None:
        raise Refused(
            f"#{number} cannot be approved from here: {self.describe()}",
            hint="approve it on its page there",
        )

    @abstractmethod
    def _protection(self, branch: str) -> Protection: ...

    @abstractmethod
    def _protect(
        self, branch: str, approvals: int, checks: Sequence[str], *, last_push: bool
    ) -> None: ...

    def _restrict(self, pattern: str, without: Sequence[str]) -> str:
        raise Refused(
            f"{self.describe()} lets nobody delete a protected branch: a proposal could not end",
            hint="keep the right to write for those who propose",
        )
