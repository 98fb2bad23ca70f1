"""More of a remote's history, when somebody asks for it: commits in steps, contents by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.objects.store import Store
from gitops.adapters.gitrepo.remote.exchange import Exchange
from gitops.adapters.gitrepo.remote.line import Line
from gitops.adapters.gitrepo.wire.order import Wanted

FETCH = ("fetch", "-q", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
"""Begins the arguments of each fetch."""

AT_ONCE = 50
"""Commits of a first fetch for history: it costs what a fetch of one costs."""
_STEPS = (1_950, 19_000, 380_000, 2_147_483_647)  # more, each time; the last is Git's word for all
# Bytes of files that come with the first of them: old overlays are smaller, and few enough that to
# ask for some of them later takes longer.
_SMALL = 4096
_WITHOUT_HAVES = ("-c", "fetch.negotiationAlgorithm=noop")  # what is here is not told


class DeepeningHistory:
    """Deepens what a store has of one remote.

    Args:
        line: leads to it; `place` is what messages call it.
        branches: tip that was read -> its branch; more of them come.
    """

    def __init__(
        self, line: Line, exchange: Exchange, place: str, branches: Mapping[str, str]
    ) -> None:
        self._git = line.git
        self._exchange = exchange
        self._url = line.url
        self._place = place
        self._branches = branches
        self._steps: dict[str, int] = {}
        self._asked: set[str] = set()
        self._deepened: tuple[str, int] = ("", 1)  # ref or commit, and how deep it was asked for
        self._filters = True
        self._by_id = True

    def deepen(self, store: Store, commit: str) -> bool:
        """Fetch the next lot of commits before `commit`; False: nobody has more."""
        before = store.boundary()
        branch = self._branches.get(commit)
        # By commit: of a branch that goes on each new tip begins with a short way again.
        taken = self._steps.get(commit, 0)
        if commit in before:
            step, depth = AT_ONCE - 1, AT_ONCE  # it came alone
        elif before and taken < len(_STEPS):
            step, depth = _STEPS[taken], min(AT_ONCE + sum(_STEPS[: taken + 1]), _STEPS[-1])
            self._steps[commit] = taken + 1
        else:
            return False
        ref = f"refs/heads/{branch}" if branch is not None else commit
        self._deepened = (ref, self._deepened[1] * (self._deepened[0] == ref) + step)
        doing = f"reading the history of {branch or commit[:7]} from {self._place}"
        small = _SMALL if step <= _STEPS[0] else 0
        wanted = Wanted([commit], [commit], step, relative=True, contents=False, small=small)
        self._fetch_more(store, wanted, branch, doing)
        if store.boundary() == before:
            # Git looks for the cut by dates, and may not find it where somebody's clock was wrong.
            wanted = replace(wanted, depth=depth, relative=False)
            self._fetch_more(store, wanted, branch, doing)
        store.join()
        store.reopen()
        return store.boundary() != before

    def _fetch_more(self, store: Store, wanted: Wanted, branch: str | None, doing: str) -> None:
        if self._by_id and self._exchange.fetch_ids(store, wanted, doing):
            self._filters = self._exchange.filters
            return
        filtered = "--filter=blob:none" if self._by_id else "--no-filter"
        depth = f"--{'deepen' if wanted.relative else 'depth'}={wanted.depth}"
        args = [*store.args, *FETCH, filtered, depth, "--", self._url]
        # By its id it is found without a list of refs; not every server gives it that way.
        answer = self._git.run([*args, *wanted.commits], doing=doing)
        if answer.code != 0 and branch is not None:
            answer = self._git.run([*args, f"refs/heads/{branch}"], doing=doing)
        if answer.code != 0:
            raise messages.error_of(messages.read_transport(answer.err), self._place)
        self._filters = "filtering not recognized" not in answer.err

    def fetch_blobs(self, store: Store, oids: Sequence[str], *, largest: int | None = None) -> None:
        """Fetch those of these blobs that the store lacks, all at once.

        With `largest` none come where they are more bytes on their way.
        """
        if not (self._filters and self._by_id):
            return
        asked = self._asked if largest is None else ()  # with fewer of them it may come yet
        lacking = store.missing(oid for oid in oids if oid not in asked)
        if not lacking:
            return
        self._asked.update(lacking if largest is None else ())
        doing = f"reading old overlays from {self._place}"
        if self._exchange.fetch_ids(store, Wanted(lacking, largest=largest), doing):
            return
        args = [*store.args, *_WITHOUT_HAVES, *FETCH, "--filter=blob:none", "--stdin", "--"]
        feed = "".join(f"{oid}\n" for oid in lacking).encode()
        answer = self._git.start([*args, self._url], feed=feed, largest=largest).wait(doing)
        if answer.code != 0 and largest is None:
            # Protocol 0 gives nothing by its id but tips: all has to come again, with contents.
            self._by_id = False
            ref, depth = self._deepened
            args = [*store.args, *_WITHOUT_HAVES, *FETCH, "--no-filter", f"--depth={depth}", "--"]
            self._git.run([*args, self._url, ref], doing=doing)
            store.join()
        store.reopen()
