"""A remote: fetched into a private store, pushed to from it.

One branch is fetched, its newest commit only. Older history comes when it is asked for, without
file contents, and the few contents that matter come in one more fetch, by id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitops.adapters.gitrepo.cache.memory import Memory
from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.command.messages import AnswerKind
from gitops.adapters.gitrepo.command.push import read_answer, settle
from gitops.adapters.gitrepo.command.ref_advertisement import RefAdvertisement
from gitops.adapters.gitrepo.objects.codec import LARGEST
from gitops.adapters.gitrepo.objects.source import BranchTip
from gitops.adapters.gitrepo.objects.store import Store
from gitops.adapters.gitrepo.objects.temporary import size_of
from gitops.adapters.gitrepo.remote import fetching
from gitops.adapters.gitrepo.remote.deepen import DeepeningHistory
from gitops.adapters.gitrepo.remote.exchange import Exchange
from gitops.adapters.gitrepo.remote.fetching import Fetch, Fetching
from gitops.adapters.gitrepo.remote.line import Line
from gitops.adapters.gitrepo.remote.own_branches import OwnBranches, beside, is_own, lacks_ledger
from gitops.adapters.gitrepo.wire.order import Arrived
from gitops.errors import Denied, NotFound, TooLarge, Unavailable
from gitops.ports import Lost, RefUpdate, Unproven
from gitops.ports.repository import Start

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.cache.files import Shelf

_CALLS = 500  # after so many a store is made anew: each leaves some objects there;
_GROWN = 1 << 25  # or when these are so many bytes of files,
_LOOK = 20  # which is looked at after so many calls
# What a store that was filled from the cache may be to blame for.
_BLAMED = (AnswerKind.UNKNOWN, AnswerKind.OTHER_FORMAT)


class Remote:
    """`Source` for a repository that Git talks to: a URL, or the remote of a checkout.

    Args:
        line: leads to it; `push_url` where pushes go elsewhere.
        place: what messages call it.
        shelf: where an earlier call left what it read of this remote; None: nowhere.
    """

    def __init__(
        self,
        line: Line,
        place: str,
        *,
        push_url: str | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self._line = line
        self._git = git = line.git
        self._url = url = line.url
        self._push_url = push_url or url
        self.place = place
        self.settings = line.settings
        self._exchange = Exchange(line, self._push_url, place)
        self._ears: RefAdvertisement | None = None
        self._store: Store | None = None
        self._memory = Memory(git, shelf)
        self._bet: BranchTip | None = None
        self._calls = 0
        self._first: int | None = None  # bytes in the store, when it was looked at first
        self._begun: tuple[str | None, Fetch] | None = None
        self._fetching = self._new_fetching()
        self._branches: dict[str, str] = {}  # tip that was read -> its branch
        self._past: DeepeningHistory | None = None
        self._own = OwnBranches()

    @property
    def url(self) -> str:
        """Where it is fetched from, without secrets."""
        return self._url

    @property
    def ears(self) -> RefAdvertisement:
        """What is overheard of pushes."""
        if self._ears is None:
            self._ears = RefAdvertisement()
        return self._ears

    @property
    def store(self) -> Store:
        """The private store, made when it is needed first."""
        if self._store is None:
            self._store = self._memory.open_store()
            self._fetching.filled(self._memory)
        return self._store

    def begin(self, branch: str | None, start: Start = "tip") -> None:
        """Start to fetch `branch` (None: what the remote's HEAD names)."""
        self._line.begin()
        if start == "remembered" and self._recall(branch) is not None:
            self._exchange.connect()
        elif self._begun is None:
            self._begun = (branch, self._start(branch, None if start == "remembered" else start))

    @contextmanager
    def remembered(self, branch: str | None) -> Iterator[BranchTip | None]:
        """Yield the tip that an earlier call left; meanwhile nothing but a push asks the server."""
        self._bet = self._recall(branch) if self._begun is None else None
        try:
            yield self._bet
        finally:
            self._bet = None

    def _recall(self, branch: str | None) -> BranchTip | None:
        if self.store.damaged or not (self._memory.filled or self._memory.lives):
            return None
        if (found := self._memory.bet(branch)) is None:
            return None
        tip = BranchTip(*found)
        self._branches[tip.commit] = tip.branch
        return tip

    def kept(self, branch: str | None) -> BranchTip | None:
        """Return the tip that an earlier call left, however old."""
        if self.store.damaged or (found := self._memory.kept(branch)) is None:
            return None
        return BranchTip(*found)

    def _may_ask(self) -> None:
        """Raise Unproven while only what is remembered counts."""
        if self._bet is not None:
            raise Unproven

    def tip(self, branch: str | None) -> BranchTip:
        """Wait for the fetch that `begin` started, or fetch."""
        self._may_ask()
        if self._store is not None and self._store.damaged:
            self._begin_anew()
        known = self._own.find(branch, self._list) if branch is not None else None
        if branch is not None and known is not None and (not known or known in self._fetching.came):
            return self._tip_beside(branch, known)
        fetch = self._fetched(branch, known)
        arrived = fetch.arrived()
        name = branch or arrived.branch or self._exchange.default_branch(self.store)
        commit = arrived.commit or self._resolve(fetch.ref)
        if self._branches:
            self.store.join()
        self._branches[commit] = name
        (self._fetching.whole if arrived.whole else self._fetching.partial)[commit] = None
        if fetch.history or not is_own(name):
            self._own = self._own_beside(arrived, history=fetch.history)
        if fetch.kept:
            default = branch is None and arrived.listed
            self._memory.fetched(self.store, name, commit, default=default)
        return BranchTip(name, commit, arrived.whole)

    def _own_beside(self, arrived: Arrived, *, history: bool) -> OwnBranches:
        """Return what is known of branches of our own after a fetch."""
        told = arrived.refs
        self._fetching.came |= arrived.came
        if not history:
            return OwnBranches(told)
        own, ledger = beside(told, self.store.path, lacks=self._fetching.lacks_ledger)
        self._fetching.came.update([ledger] if ledger else ())
        return own

    def gather_branches(self, branches: Collection[str]) -> None:
        """Fetch the newest commits of branches of our own in one request."""
        names = self.own_branches()
        commits = [names[one] for one in branches if one in names]
        if self._fetching.together(self.store, self._memory, commits):
            self.store.join()

    def own_branches(self) -> Mapping[str, str]:
        """Return the branches of our own, as they came with the tip, or are now."""
        self._may_ask()
        return self._own.all(self._list)

    def _fetched(self, branch: str | None, known: str | None) -> Fetch:
        """Wait for the fetch that was begun, or fetch, in whatever way it can be done."""
        begun, self._begun = self._begun, None
        if begun is not None and begun[0] != branch:
            begun[1].stop()
            begun = None
        # A process that lives long asks for what waits with nearly every tip.
        alone: Start | None = "tip" if self._memory.lives else None
        fetch = begun[1] if begun is not None else self._start(branch, alone, known)
        verdict = self._finish(fetch)
        if verdict is not None and verdict.kind in _BLAMED and self._memory.filled:
            self._begin_anew()
            fetch = self._start(branch, "history" if fetch.history else None)
            verdict = self._finish(fetch)
        if verdict is not None and verdict.kind is AnswerKind.OTHER_FORMAT:
            # Nobody tells which hash it is before the first fetch.
            self._begin_anew(algorithm="sha256")
            fetch = self._start(branch, "history" if fetch.history else None)
            verdict = self._finish(fetch)
        if verdict is not None and fetch.history and lacks_ledger(verdict):
            self._fetching.lacks_ledger = True
            fetch = self._start(branch, "history")
            verdict = self._finish(fetch)
        if verdict is not None:
            raise self._missing(branch, verdict)
        return fetch

    def _tip_beside(self, branch: str, came: str) -> BranchTip:
        if not came:
            raise NotFound(f"no branch {branch} in {self.place}")
        self._branches[came] = branch
        return BranchTip(branch, came)

    def gather(self, branch: str, prefix: str) -> tuple[BranchTip, Mapping[str, str]]:
        """Read a branch and the refs under `prefix`; see `Source`."""
        self._may_ask()
        self._memory.mixed(self.store)
        fetch = self._fetching.gather(self.store, branch, prefix)
        self.settings.begin()
        verdict = self._finish(fetch)
        if verdict is not None:
            if self.store.has_part_of(fetching.MOST_BESIDE):
                most = fetching.MOST_BESIDE >> 20
                raise Denied(f"more than {most} MB lies under {prefix} of {self.place}")
            raise self._missing(branch, verdict)
        self.store.join()
        commit = self._resolve(fetch.ref)
        self.adopt(branch, commit)
        return BranchTip(branch, commit), self._fetching.gathered(self.store, prefix)

    def adopt(self, branch: str, commit: str) -> None:
        """Take note that `commit` counts as a tip of `branch`; see `Source`."""
        self._branches[commit] = branch

    def obstacle(self) -> str | None:
        """Return why no intents can be shared here; see `Source`."""
        if self._push_url != self._url:
            return f"{self.place} is fetched from one place and pushed to another"
        return None

    def _begin_anew(self, *, algorithm: str = "sha1") -> None:
        """Throw away the store, and what an earlier call left, and go on with an empty one."""
        self.store.close()
        if algorithm != "sha1":
            self._exchange.give_up(foreign=True)
        self._memory = self._memory.blank()
        self._store = Store(self._git, algorithm=algorithm)
        self._branches, self._past = {}, None
        self._fetching = self._new_fetching(lacks_ledger=self._fetching.lacks_ledger)
        self._own = OwnBranches()

    def _new_fetching(self, *, lacks_ledger: bool = False) -> Fetching:
        return Fetching(self._line, self._exchange, lacks_ledger=lacks_ledger)

    def _start(self, branch: str | None, start: Start | None, commit: str | None = None) -> Fetch:
        store = self.store  # filled first: what is here decides what is asked for
        self.settings.begin()  # a connection waits for them, while what speaks is loaded
        return self._fetching.start(store, self._memory, branch, start, commit=commit)

    def _finish(self, fetch: Fetch) -> messages.PushVerdict | None:
        """Wait for it; None when the tip is there."""
        doing = f"waiting for {self.place}"
        try:
            answer = fetch.running.wait(doing)
        except BaseException:
            fetch.stop()
            raise
        return None if answer.code == 0 else messages.read_transport(answer.err)

    def _missing(self, branch: str | None, verdict: messages.PushVerdict) -> Exception:
        if branch is not None and is_own(branch) and self.store.has_part_of(fetching.MOST_OWN):
            most = fetching.MOST_OWN >> 20
            return TooLarge(f"{branch} of {self.place} holds more than {most} MB")
        if verdict.kind is not AnswerKind.NO_BRANCH:
            return messages.error_of(verdict, self.place)
        if branch is not None:
            self._memory.gone(branch)
            return NotFound(f"no branch {branch} in {self.place}")
        heads = self._list("refs/heads/*")
        if not heads:
            return self._exchange.nothing_there()
        names = ", ".join(sorted(ref.removeprefix("refs/heads/") for ref in heads)[:10])
        return NotFound(
            f"the HEAD of {self.place} names a branch that does not exist",
            hint=f"name one with --branch: {names}",
        )

    def _list(self, *patterns: str) -> dict[str, str]:
        """Return ref -> id of what the remote has now."""
        return self._exchange.refs(self.store, *patterns)

    def _resolve(self, ref: str) -> str:
        try:
            return (self.store.path / ref).read_text().strip()
        except FileNotFoundError:
            answer = self._git.run([*self.store.args, "rev-parse", "--verify", "-q", ref])
            if answer.code != 0:
                raise Unavailable(f"{self.place} sent no commit") from None
            return answer.text

    def deepen(self, commits: Sequence[str]) -> bool:
        """Fetch the next lot of commits before `commits`."""
        self._may_ask()
        self._memory.mixed(self.store)
        past = self._deepening()
        return any(past.deepen(self.store, one) for one in commits)

    def fetch_blobs(self, oids: Sequence[str]) -> None:
        """Fetch the contents that `deepen` left out."""
        self._may_ask()
        if self.store.missing(oids):
            self._memory.mixed(self.store)
            self._deepening().fetch_blobs(self.store, oids)

    def _deepening(self) -> DeepeningHistory:
        if self._past is None:
            self._past = DeepeningHistory(self._line, self._exchange, self.place, self._branches)
        return self._past

    def fetch_files(self, oids: Sequence[str]) -> None:
        """Fetch files of a tip that is not whole; see `Source`."""
        self._memory.mixed(self.store)
        self._deepening().fetch_blobs(self.store, oids, largest=LARGEST)

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Push with a lease on exactly `old`: see the package's docstring."""
        bet = self._bet
        if bet is not None and not any(
            update.ref == f"refs/heads/{bet.branch}" and update.old == bet.commit
            for update in updates
        ):
            raise Unproven  # the server would say nothing about the branch that was read
        self.store.rest()
        answer = self._exchange.push(self.store, updates, self._ears)
        if self._ears is not None and self._ears.gave_way:
            return Lost("others wait to be carried", gave_way=True)
        verdict = read_answer(answer, updates, lambda: self._now(updates))
        if verdict.kind is AnswerKind.LANDED:
            self._memory.pushed(updates, won=bet is not None)
            self._own.moved(updates)  # others may ask after this call has
            self._fetching.whole |= {
                one.new: None
                for one in updates
                if one.new is not None and one.old not in self._fetching.partial
            }
            return None
        if verdict.kind is AnswerKind.RACE and bet is not None:
            self._memory.lost()
        elif verdict.kind in _BLAMED and self._memory.filled:
            self._begin_anew()
            return Lost(verdict.words)
        return settle(verdict, updates, self.place, lambda: self._moved(updates))

    def _moved(self, updates: Sequence[RefUpdate]) -> bool:
        now = self._now(updates)
        return any(now.get(update.ref) != update.old for update in updates)

    def _now(self, updates: Sequence[RefUpdate]) -> dict[str, str]:
        return self._list(*(update.ref for update in updates))

    def again(self) -> None:
        """Begin another call on this remote, in a process that lives long.

        From the first time on the newest known commits count as remembered. After many calls the
        store, which only grows, is made anew.
        """
        if self._begun is not None:
            self._begun[1].stop()
            self._begun = None
        self._own = OwnBranches()
        self._exchange.again()
        self._calls += 1
        if self._store is not None and (self._calls >= _CALLS or self._has_grown(self._store)):
            self._calls, self._first = 0, None
            self._memory.close(self._store)
            self._store.close()
            self._store = None
            self._memory = self._memory.another()
            self._branches, self._past = {}, None
            self._fetching = self._new_fetching()
        self._memory.lives = self.store.stays = True
        self.store.new.clear()

    def _has_grown(self, store: Store) -> bool:
        """Look, now and then, how much has come into the store since it was looked at first."""
        if self._calls % _LOOK:
            return False
        size = size_of(store.path)
        self._first = size if self._first is None else self._first
        return size > self._first + _GROWN

    def close(self) -> None:
        """Stop a fetch that nobody waited for, and remove the store."""
        if self._begun is not None:
            self._begun[1].stop()
        self._exchange.close()
        if self._store is not None:
            self._memory.close(self._store)
            self._store.close()
