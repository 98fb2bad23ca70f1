"""More of a remote's history, when somebody asks for it: commits in steps, contents by id."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import missing
from gitops.adapters.gitrepo.objects.store import Store
from gitops.adapters.gitrepo.remote.fetch import FETCH

AT_ONCE = 50
"""Commits of a first fetch for history: it costs what a fetch of one costs."""
_STEPS = (AT_ONCE - 1, 950, 19_000, 380_000, 2_147_483_647)  # the last is Git's word for all
_WITHOUT_HAVES = ("-c", "fetch.negotiationAlgorithm=noop")  # what is here is not told


class DeepeningHistory:
    """Deepens what a store has of one remote.

    Args:
        url: what Git is told, `place` what messages call it.
    """

    def __init__(self, git: Git, url: str, place: str) -> None:
        self._git = git
        self._url = url
        self._place = place
        self._branches: dict[str, str] = {}
        self._steps: dict[str, int] = {}
        self._asked: set[str] = set()
        self._deepened = ""
        self._filters = True
        self._by_id = True

    def note(self, commit: str, branch: str, *, history: bool = False) -> None:
        """Take note that `commit` is a tip of `branch`; `history`: with `AT_ONCE` commits."""
        self._branches[commit] = branch
        self._steps[branch] = int(history)

    def deepen(self, store: Store, commit: str) -> bool:
        """Fetch the next lot of commits before the tip `commit`; False: there is no more."""
        branch = self._branches.get(commit)
        before = store.boundary()
        if branch is None or not before or self._steps[branch] >= len(_STEPS):
            return False
        self._deepened = branch
        step = _STEPS[self._steps[branch]]
        filtered = "--filter=blob:none" if self._by_id else "--no-filter"
        args = [*store.args, *FETCH, filtered, f"--deepen={step}", "--", self._url]
        doing = f"reading the history of {branch} from {self._place}"
        # By its id it is found without a list of refs; not every server gives it that way.
        answer = self._git.run([*args, commit], doing=doing)
        if answer.code != 0:
            answer = self._git.run([*args, f"refs/heads/{branch}"], doing=doing)
        if answer.code != 0:
            raise messages.error_of(messages.read_transport(answer.err), self._place)
        self._steps[branch] += 1
        self._filters = "filtering not recognized" not in answer.err
        store.reopen()
        return store.boundary() != before

    def fetch_blobs(self, store: Store, oids: Sequence[str]) -> None:
        """Fetch those of these blobs that the store lacks, all at once."""
        if not (self._filters and self._by_id):
            return
        lacking = missing(store.path / "objects", (oid for oid in oids if oid not in self._asked))
        if not lacking:
            return
        self._asked.update(lacking)
        args = [*store.args, *_WITHOUT_HAVES, *FETCH, "--filter=blob:none", "--stdin", "--"]
        doing = f"reading old overlays from {self._place}"
        feed = "".join(f"{oid}\n" for oid in lacking).encode()
        if self._git.run([*args, self._url], feed=feed, doing=doing).code != 0:
            # Protocol 0 gives nothing by its id but tips: all has to come again, with contents.
            self._by_id = False
            depth = 1 + sum(_STEPS[: self._steps.get(self._deepened, 0)])
            args = [*store.args, *_WITHOUT_HAVES, *FETCH, "--no-filter", f"--depth={depth}", "--"]
            self._git.run([*args, self._url, f"refs/heads/{self._deepened}"], doing=doing)
        store.reopen()
