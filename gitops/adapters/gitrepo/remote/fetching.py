"""The fetches of one remote: what each asks for, where what comes is put, what is overheard."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitops.adapters.gitrepo.cache.memory import TIPS, Memory
from gitops.adapters.gitrepo.command.process import RunningGit
from gitops.adapters.gitrepo.objects.codec import LARGEST
from gitops.adapters.gitrepo.objects.store import Store
from gitops.adapters.gitrepo.remote.deepen import AT_ONCE, FETCH
from gitops.adapters.gitrepo.remote.exchange import HEADS, Exchange, WireFetch
from gitops.adapters.gitrepo.remote.line import Line
from gitops.adapters.gitrepo.remote.own_branches import BESIDE, OWN, is_own
from gitops.adapters.gitrepo.wire.order import Arrived, Order, Wanted
from gitops.core.ledger import LARGEST_PART, LEDGER_BRANCH
from gitops.ports.repository import Start

MOST_OWN = 1 << 26
"""Bytes of a pack with a ledger or a proposal, beside what the tip brought."""

MOST_BESIDE = 1 << 24
"""Bytes of a pack with intents: 128 of the largest are half of it."""

_SEVERAL = 3  # proposals that are worth a request for all of them
_GATHER = ("--prune", "--depth=100")  # so deep, ids of what landed lately are there as well
_SEEN = "refs/gitops/seen/"
# Few objects come outside of a pack, where the cache takes them from.
_FEW = ("-c", "fetch.unpackLimit=100", "-c", "transfer.unpackLimit=100")


# Protocol 2 says it beside the ref, the older ones in the list of what the server can do.
_SYMREF = re.compile(rb"< [0-9a-f]+ HEAD\b.*?(?:symref-target:|symref=HEAD:)refs/heads/(\S+)")


class Fetch:
    """A fetch of one branch.

    Attributes:
        ref: where its newest commit is put.
        history: its last commits come along, and the branches of our own.
        kept: the cache may keep what comes.
        talk: the file that git writes its talk with the server to, where that is of interest.
    """

    def __init__(
        self,
        ref: str,
        running: RunningGit | WireFetch,
        talk: Path | None,
        *,
        history: bool = False,
        kept: bool = True,
    ) -> None:
        self.ref = ref
        self.running = running
        self.talk = talk
        self.history = history
        self.kept = kept

    def arrived(self) -> Arrived:
        """Return what came over the wire; of a fetch by git what was overheard of its talk."""
        if isinstance(self.running, WireFetch) and self.running.arrived is not None:
            return self.running.arrived
        return Arrived(self._overheard(), "", None, listed=True)

    def _overheard(self) -> str | None:
        """Return the branch that the server said its HEAD is."""
        if self.talk is None:
            return None
        try:
            found = _SYMREF.search(self.talk.read_bytes())
            self.talk.unlink()
        except OSError:
            return None
        return found[1].decode("utf-8", "surrogateescape") if found is not None else None

    def stop(self) -> None:
        """Stop it."""
        self.running.stop()


class Fetching:
    """Starts fetches into one store.

    Attributes:
        whole: commits that are in the store with all of their files.
        partial: commits that came without their large files: no base of what comes later.
        came: of branches of our own that were fetched together.
        lacks_ledger: the server has none.
    """

    def __init__(self, line: Line, exchange: Exchange, *, lacks_ledger: bool = False) -> None:
        self._line = line
        self._exchange = exchange
        self._slots: dict[str, int] = {}
        self.whole: dict[str, None] = {}
        self.partial: dict[str, None] = {}
        self._few_words = False  # of the ledger: more come when somebody asks for them
        self.came: set[str] = set()
        self.lacks_ledger = lacks_ledger

    def filled(self, memory: Memory) -> None:
        """Take note of what the store was filled with."""
        if memory.filled:
            self._slots = memory.slots()
            self.whole = dict.fromkeys(memory.commits())

    def start(
        self,
        store: Store,
        memory: Memory,
        branch: str | None,
        start: Start | None,
        *,
        commit: str | None = None,
    ) -> Fetch:
        """Start to fetch a branch (None: what HEAD names).

        Args:
            start: what is needed first; with `history` the ledger comes along, with `releases`
                only where git fetches. None: the branch alone, nothing is heard of our own ones.
            commit: where the branch is said to be.
        """
        own = branch is not None and is_own(branch)
        since = memory.looked_at(branch) if start == "landed" else None
        history = start in ("history", "releases") or (start == "landed" and since is None)
        beside = BESIDE if history and not self.lacks_ledger else {}
        self._few_words |= start == "releases"
        words = branch == LEDGER_BRANCH and self._few_words and not memory.lives
        order = Order(
            branch,
            f"{HEADS}{branch}" if branch is not None else "HEAD",
            self._ref_of(branch),
            depth=AT_ONCE if history else 1,
            since=since,
            beside=beside if start != "releases" else {},
            prefixes=(OWN,) if start is not None and not own else (),
            few=_SEVERAL - 1 if history and start == "landed" else 0,
            likely=likely[0] if branch is None and (likely := memory.bet(None)) else None,
            commit=commit,
            haves=tuple(self.whole),
            loose=memory.filled,
            largest=MOST_OWN if own else LARGEST if history or since else None,
            small=LARGEST_PART if words and self._exchange.filters else 0,
        )
        if history and memory.filled:
            memory.mixed(store)
        # The server names the branch of HEAD in the same answer; only the trace of the talk, which
        # holds no headers and so no secrets, lets us hear it from git without two more requests.
        talk = store.path / "talk" if branch is None else None
        refs = {order.name: order.ref, **beside}
        few = _FEW if memory.filled else ()

        def by_git() -> RunningGit:
            if since is not None:
                memory.mixed(store)  # the one commit comes, and its past when it is asked for
            depth = (f"--depth={order.depth}",)
            largest = MOST_OWN if own else None
            return self._by_git(store, refs, depth, few=few, talk=talk, largest=largest)

        running = self._exchange.fetch_tip(store, order, by_git)
        # A cache that is in use is not made larger by history.
        kept = not (words or (history and memory.filled))
        return Fetch(order.ref, running, talk, history=history, kept=kept)

    def together(self, store: Store, memory: Memory, commits: Sequence[str]) -> bool:
        """Fetch the newest commits of branches of our own, all at once; False: one by one then."""
        lacking = store.missing(commits)
        if len(lacking) < _SEVERAL:
            return False
        haves, doing = tuple(self.whole), f"reading {len(lacking)} proposals"
        wanted = Wanted(lacking, haves, 1, largest=MOST_OWN, loose=memory.filled)
        if not self._exchange.fetch_ids(store, wanted, doing):
            return False
        self.came.update(lacking)
        return True

    def gather(self, store: Store, branch: str, prefix: str) -> Fetch:
        """Start to fetch a branch and all refs under `prefix`; see `gathered`."""
        ref = self._ref_of(branch)
        refs = {f"refs/heads/{branch}": ref, f"{prefix}*": f"{_SEEN}*"}
        running = self._by_git(store, refs, _GATHER, largest=MOST_BESIDE)
        return Fetch(ref, running, None)

    def gathered(self, store: Store, prefix: str) -> Mapping[str, str]:
        """Return ref -> id of what `gather` has put into `store`."""
        seen = store.path / _SEEN
        refs = (path for path in sorted(seen.rglob("*")) if path.is_file())
        return {f"{prefix}{path.relative_to(seen)}": path.read_text().strip() for path in refs}

    def _ref_of(self, branch: str | None) -> str:
        return f"{TIPS}{self._slots.setdefault(branch or 'HEAD', len(self._slots))}"

    def _by_git(
        self,
        store: Store,
        refs: Mapping[str, str],
        depth: Sequence[str],
        *,
        few: Sequence[str] = (),
        talk: Path | None = None,
        largest: int | None = None,
    ) -> RunningGit:
        git = self._line.git
        if self._line.ssh:
            git.never_ask(self._line.settings.last("core.sshcommand"))
        specs = [f"+{source}:{ref}" for source, ref in refs.items()]
        return git.start(
            [*store.args, *few, *FETCH, _filter_of(specs), *depth, "--", self._line.url, *specs],
            extra={"GIT_TRACE_PACKET": str(talk)} if talk is not None else None,
            largest=largest,
        )


def _filter_of(refs: Sequence[str]) -> str:
    """Return the option that says which files come with `refs`.

    All with a single one. Beside the ledger anybody may have put anything: what would not be read
    is left out, where the server knows how.
    """
    return "--no-filter" if len(refs) == 1 else f"--filter=blob:limit={LARGEST + 1}"
