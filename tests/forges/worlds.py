"""A forge with a repository and people around it, as the contract test sees every one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fake_forge import FakeForge
from fakes import FakeRepository
from forges.hands import Hands, MemoryHands
from gitops.errors import Unavailable
from gitops.ports import GatedForge, Protection
from servers.fault_proxy import Fault, FaultProxy


class People(Protocol):
    """What others do on the forge: in its page, or with accounts of their own."""

    def approve(self, number: int) -> None:
        """Approve the present head, as the second person."""
        ...

    def merge(self, number: int) -> None:
        """Press the button."""
        ...

    def close(self, number: int) -> None:
        """Close it."""
        ...

    def ready(self, number: int) -> None:
        """Say that it is no draft any more."""
        ...

    def comments(self, number: int) -> list[str]:
        """Return what was said, oldest first."""
        ...

    def labels(self, number: int) -> set[str]:
        """Return its labels."""
        ...

    def reviewers(self, number: int) -> set[str]:
        """Return who is asked for a review."""
        ...

    def require(self, branch: str, approvals: int, checks: tuple[str, ...]) -> None:
        """Protect a branch, as the owner: nobody pushes, and pull requests need that much."""
        ...


class Faults(Protocol):
    """What goes wrong next."""

    def lose_answer(self, verb: str) -> None:
        """Do the next write of a kind (`open`, `merge`, `comment`), and lose the answer."""
        ...

    def busy(self) -> None:
        """Answer 503 to whatever comes next, and to every repetition."""
        ...

    def limit(self, seconds: int) -> None:
        """Refuse whatever comes next, since there were too many requests."""
        ...


@dataclass
class World:
    """One repository on one forge.

    Attributes:
        forge: with the account of the CI system, which may push to branches.
        again: the same in another process.
        owner: with an account that administrates the repository.
        bot: login name of the CI system; `second` of who approves.
        base, branch: names that no other test uses.
        check: a name of a check that this forge can ask for.
        methods: ways to merge that can be asked for.
        labels: a pull request can have some.
        tells_gates: a writer is told what a pull request needs; `tells_rules`: and that a branch is
            protected.
        secrets: what must be in no text.
    """

    forge: GatedForge
    again: Callable[[], GatedForge]
    owner: GatedForge
    hands: Hands
    people: People
    faults: Faults
    bot: str
    second: str
    base: str = "main"
    branch: str = "gitops/prod"
    check: str = "ci/build"
    methods: tuple[str, ...] = ("merge", "squash", "rebase")
    labels: bool = True
    tells_gates: bool = True
    tells_rules: bool = True
    secrets: tuple[str, ...] = ()

    def propose(self, tag: str = "2", *, message: str = "prod: api 1 -> 2\n") -> str:
        """Put a commit on top of the base on the branch; return its id."""
        base = self.hands.head(self.base)
        files = {"overlay.yaml": f"tag: {tag}\n".encode()}
        return self.hands.commit(self.branch, files, message, on=base)


class FakePeople:
    """`People` of a FakeForge."""

    def __init__(self, forge: FakeForge, second: str) -> None:
        self._forge = forge
        self._second = second

    def approve(self, number: int) -> None:
        """See `People`."""
        self._forge.approve(number, self._second)

    def merge(self, number: int) -> None:
        """See `People`."""
        self._forge.merge_by_hand(number)

    def close(self, number: int) -> None:
        """See `People`."""
        self._forge.close(number)

    def ready(self, number: int) -> None:
        """See `People`."""
        self._forge.ready(number)

    def comments(self, number: int) -> list[str]:
        """See `People`."""
        return self._forge.pulls[number].comments

    def labels(self, number: int) -> set[str]:
        """See `People`."""
        return set(self._forge.pulls[number].labels)

    def reviewers(self, number: int) -> set[str]:
        """See `People`."""
        return set(self._forge.pulls[number].reviewers)

    def require(self, branch: str, approvals: int, checks: tuple[str, ...]) -> None:
        """See `People`."""
        self._forge.rules[branch] = Protection(True, approvals, checks, ())


class FakeFaults:
    """`Faults` of a FakeForge."""

    def __init__(self, forge: FakeForge) -> None:
        self._forge = forge

    def lose_answer(self, verb: str) -> None:
        """See `Faults`. What can be looked up is no trouble; a comment cannot."""
        if verb == "comment":
            self._forge.trouble = Unavailable("the forge is unavailable: connection closed")
            self._forge.lands = True

    def busy(self) -> None:
        """See `Faults`."""
        self._forge.trouble = Unavailable("the forge is unavailable (503)", hint="try again later")

    def limit(self, seconds: int) -> None:
        """See `Faults`."""
        hint = f"try again at 2026-01-05T09:{seconds // 60:02}:00Z"
        self._forge.trouble = Unavailable("the forge takes no more requests", hint=hint)


class ProxyFaults:
    """`Faults` of a forge behind a FaultProxy.

    Args:
        writes: verb -> says whether method and path are that write.
        limit: status and headers with which this forge refuses too many requests.
    """

    def __init__(
        self,
        proxy: FaultProxy,
        writes: dict[str, Callable[[str, str], bool]],
        limit: Callable[[int], Fault],
    ) -> None:
        self._proxy = proxy
        self._writes = writes
        self._limit = limit

    def lose_answer(self, verb: str) -> None:
        """See `Faults`."""
        self._proxy.faults.append(Fault(self._writes[verb], cut=True))

    def busy(self) -> None:
        """See `Faults`."""
        self._proxy.faults.append(Fault(lambda *_: True, status=503, times=99))

    def limit(self, seconds: int) -> None:
        """See `Faults`."""
        self._proxy.faults.append(self._limit(seconds))


def fake_world() -> World:
    """Return a world in memory."""
    repository = FakeRepository({"overlay.yaml": b"tag: 1\n", "other.yaml": b"1\n"})
    forge = FakeForge(repository)
    return World(
        forge=forge,
        again=lambda: forge,
        owner=forge,
        hands=MemoryHands(repository),
        people=FakePeople(forge, "bo"),
        faults=FakeFaults(forge),
        bot="bot",
        second="bo",
    )
