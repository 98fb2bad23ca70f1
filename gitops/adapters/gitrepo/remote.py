"""A remote: fetched into a private store, pushed to from it.

One branch is fetched, its newest commit only. Older history comes when it is asked for, without
file contents, and the few contents that matter come in one more fetch, by id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gitops.adapters.gitrepo import answers, settings
from gitops.adapters.gitrepo.answers import Kind
from gitops.adapters.gitrepo.leases import push_args
from gitops.adapters.gitrepo.overhearing import Ears
from gitops.adapters.gitrepo.process import Git, Running
from gitops.adapters.gitrepo.source import Tip
from gitops.adapters.gitrepo.store import Store
from gitops.errors import Denied, HookDeclined, NotFound, Unavailable
from gitops.ports import Lost, RefUpdate

_STEPS = (49, 450, 4500, 45_000, 450_000)  # a fetch of 50 commits costs what one of 1 costs
# Protocol 2 says it beside the ref, the older ones in the list of what the server can do.
_SYMREF = re.compile(rb"< [0-9a-f]+ HEAD\b.*?(?:symref-target:|symref=HEAD:)refs/heads/(\S+)")
_FETCH = ("fetch", "-q", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
_GATHER = ("--prune", "--depth=100")  # so deep, ids of what landed lately are there as well
_MOST = 1 << 24  # bytes of a pack with intents: 128 of the largest are half of it
_SEEN = "refs/gitops/seen/"


class Remote:
    """`Source` for a repository that Git talks to: a URL, or the remote of a checkout.

    Args:
        git: runs git with the credentials of this remote.
        url: what Git is told, without secrets; `push_url` where pushes go elsewhere.
        place: what messages call it.
        read_settings: Git's configuration where it is known already (a checkout).
    """

    def __init__(
        self,
        git: Git,
        url: str,
        place: str,
        *,
        push_url: str | None = None,
        ssh: bool = False,
        read_settings: tuple[settings.Line, ...] | None = None,
    ) -> None:
        self._git = git
        self._url = url
        self._push_url = push_url or url
        self._place = place
        self._ssh = ssh
        self._settings = read_settings
        self.ears = Ears()
        self._store: Store | None = None
        self._begun: tuple[str | None, _Fetch] | None = None
        self._reading: Running | None = None
        self._slots: dict[str, int] = {}
        self._branches: dict[str, str] = {}
        self._depth: dict[str, int] = {}
        self._blobs: set[str] = set()
        self._filters = True

    @property
    def url(self) -> str:
        """Where it is fetched from, without secrets."""
        return self._url

    @property
    def store(self) -> Store:
        """The private store, made when it is needed first."""
        if self._store is None:
            self._store = Store(self._git)
        return self._store

    def begin(self, branch: str | None) -> None:
        """Start to fetch `branch` (None: what the remote's HEAD names)."""
        if self._begun is None:
            self._begun = (branch, self._start(branch))

    def tip(self, branch: str | None) -> Tip:
        """Wait for the fetch that `begin` started, or fetch."""
        begun, self._begun = self._begun, None
        if begun is not None and begun[0] != branch:
            begun[1].stop()
            begun = None
        fetch = begun[1] if begun is not None else self._start(branch)
        verdict = self._finish(fetch)
        if verdict is not None and verdict.kind is Kind.OTHER_FORMAT:
            self._use_sha256()
            fetch = self._start(branch)
            verdict = self._finish(fetch)
        if verdict is not None:
            raise self._missing(branch, verdict)
        name = branch if branch is not None else self._head_branch(fetch)
        commit = self._resolve(fetch.ref)
        self._branches[commit] = name
        self._depth[name] = 0
        return Tip(name, commit)

    def gather(self, branch: str, prefix: str) -> tuple[Tip, Mapping[str, str]]:
        """Read a branch and the refs under `prefix`; see `Source`."""
        fetch = self._start(branch, more=(f"+{prefix}*:{_SEEN}*",))
        verdict = self._finish(fetch)
        if verdict is not None:
            if self.store.has_part_of(_MOST):
                raise Denied(f"more than {_MOST >> 20} MB lies under {prefix} of {self._place}")
            raise self._missing(branch, verdict)
        commit = self._resolve(fetch.ref)
        self.adopt(branch, commit)
        seen = self.store.path / _SEEN
        refs = (path for path in sorted(seen.rglob("*")) if path.is_file())
        return Tip(branch, commit), {
            f"{prefix}{path.relative_to(seen)}": path.read_text().strip() for path in refs
        }

    def adopt(self, branch: str, commit: str) -> None:
        """Take note that `commit` counts as a tip of `branch`; see `Source`."""
        self._branches[commit] = branch

    def obstacle(self) -> str | None:
        """Return why no intents can be shared here; see `Source`."""
        if self._push_url != self._url:
            return f"{self._place} is fetched from one place and pushed to another"
        return None

    def _use_sha256(self) -> None:
        """Begin again with the other hash; nobody tells which one before the first fetch."""
        self.setting("")  # a git may still be reading in the old store
        self.store.close()
        self._store = Store(self._git, algorithm="sha256")

    def _start(self, branch: str | None, more: Sequence[str] = ()) -> _Fetch:
        if self._ssh:
            self._git.never_ask(self.setting("core.sshcommand"))
        number = self._slots.setdefault(branch or "HEAD", len(self._slots))
        ref = f"refs/gitops/tip/{number}"
        source = f"refs/heads/{branch}" if branch is not None else "HEAD"
        store = self.store
        # The server names the branch of HEAD in the same answer; only the trace of the talk, which
        # holds no headers and so no secrets, lets us hear it without two more requests.
        talk = store.path / "talk" if branch is None else None
        running = self._git.start(
            [
                *(*store.args, *_FETCH, "--no-filter", *(_GATHER if more else ("--depth=1",))),
                *("--", self._url, f"+{source}:{ref}", *more),
            ],
            extra={"GIT_TRACE_PACKET": str(talk)} if talk is not None else None,
            largest=_MOST if more else None,
        )
        if self._settings is None and self._reading is None:
            self._reading = self._git.start([*store.args, *settings.LIST])
        return _Fetch(ref, running, talk)

    def _finish(self, fetch: _Fetch) -> answers.Verdict | None:
        """Wait for it; None when the tip is there."""
        doing = f"waiting for {self._place}"
        try:
            answer = fetch.running.wait(doing)
        except BaseException:
            fetch.stop()
            raise
        return None if answer.code == 0 else answers.read_transport(answer.err)

    def _head_branch(self, fetch: _Fetch) -> str:
        """Return the name of the branch that the remote's HEAD names."""
        name = fetch.named()
        if name is not None:
            return name
        answer = self._git.run(
            [*self.store.args, "ls-remote", "--symref", "--", self._url, "HEAD"],
            doing=f"waiting for {self._place}",
        )
        for line in answer.text.splitlines():
            target, _, source = line.partition("\t")
            if source == "HEAD" and target.startswith("ref: refs/heads/"):
                return target.removeprefix("ref: refs/heads/")
        raise NotFound(
            f"{self._place} does not say which branch is the default one",
            hint="name it with --branch",
        )

    def _missing(self, branch: str | None, verdict: answers.Verdict) -> Exception:
        if verdict.kind is not Kind.NO_BRANCH:
            return answers.error_of(verdict, self._place)
        if branch is not None:
            return NotFound(f"no branch {branch} in {self._place}")
        heads = self._list("refs/heads/*")
        if not heads:
            return NotFound(
                f"{self._place} is empty", hint="push a first commit (`gitops init` writes one)"
            )
        names = ", ".join(sorted(ref.removeprefix("refs/heads/") for ref in heads)[:10])
        return NotFound(
            f"the HEAD of {self._place} names a branch that does not exist",
            hint=f"name one with --branch: {names}",
        )

    def _list(self, *patterns: str) -> dict[str, str]:
        """Return ref -> id of what the remote has now."""
        answer = self._git.run(
            [*self.store.args, "ls-remote", "--", self._push_url, *patterns],
            doing=f"waiting for {self._place}",
        )
        if answer.code != 0:
            raise answers.error_of(answers.read_transport(answer.err), self._place)
        pairs = (line.split("\t") for line in answer.text.splitlines())
        return {ref: oid for oid, ref in pairs}

    def _resolve(self, ref: str) -> str:
        try:
            return (self.store.path / ref).read_text().strip()
        except FileNotFoundError:
            answer = self._git.run([*self.store.args, "rev-parse", "--verify", "-q", ref])
            if answer.code != 0:
                raise Unavailable(f"{self._place} sent no commit") from None
            return answer.text

    def deepen(self, commit: str) -> bool:
        """Fetch the next lot of commits of the branch that `commit` was the tip of."""
        branch = self._branches.get(commit)
        before = self.store.boundary()
        if branch is None or not before:
            return False
        step = self._depth.get(branch, 0)
        if step >= len(_STEPS):
            return False
        ref = f"refs/gitops/tip/{self._slots.setdefault(branch, len(self._slots))}"
        args = [*_FETCH, "--filter=blob:none", f"--deepen={_STEPS[step]}", "--", self._url]
        answer = self._git.run(
            [*self.store.args, *args, f"+refs/heads/{branch}:{ref}"],
            doing=f"reading the history of {branch} from {self._place}",
        )
        if answer.code != 0:
            raise self._missing(branch, answers.read_transport(answer.err))
        self._depth[branch] = step + 1
        self._filters = "filtering not recognized" not in answer.err
        self.store.reopen()
        return self.store.boundary() != before

    def fetch_blobs(self, oids: Sequence[str]) -> None:
        """Fetch blobs by id. What the server will not give this way is fetched when it is read."""
        missing = [oid for oid in dict.fromkeys(oids) if oid not in self._blobs]
        if not missing or not self._filters:
            return
        self._blobs.update(missing)
        args = ("-c", "fetch.negotiationAlgorithm=noop", *_FETCH, "--filter=blob:none", "--stdin")
        self._git.run(
            [*self.store.args, *args, "--", self._url],
            feed="".join(f"{oid}\n" for oid in missing).encode(),
            doing=f"reading old overlays from {self._place}",
        )
        self.store.reopen()

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Push with a lease on exactly `old`: see the package's docstring."""
        answer = self._git.run(
            [*self.store.args, *push_args(updates, self._push_url)],
            extra=self.ears.environ(self.store.path),
            doing=f"waiting for {self._place} to take the commit",
        )
        verdict = answers.read_push(answer.code, answer.out.decode("utf-8", "replace"), answer.err)
        return settle(verdict, updates, self._place, lambda: self._moved(updates))

    def _moved(self, updates: Sequence[RefUpdate]) -> bool:
        now = self._list(*(update.ref for update in updates))
        return any(now.get(update.ref) != update.old for update in updates)

    def setting(self, key: str) -> str | None:
        """Return a value of Git's configuration."""
        if self._settings is None:
            reading = self._reading or self._git.start([*self.store.args, *settings.LIST])
            self._settings = settings.parse_settings(reading.wait("reading the settings").out)
        return settings.last(self._settings, key)

    def close(self) -> None:
        """Stop a fetch that nobody waited for, and remove the store."""
        if self._begun is not None:
            self._begun[1].stop()
        if self._reading is not None:
            self._reading.stop()
        if self._store is not None:
            self._store.close()


class _Fetch:
    """A fetch under way; `talk` is the file that git writes its talk with the server to."""

    def __init__(self, ref: str, running: Running, talk: Path | None) -> None:
        self.ref = ref
        self.running = running
        self.talk = talk

    def named(self) -> str | None:
        """Return the branch that the server said its HEAD is, None when it was not overheard."""
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


def settle(
    verdict: answers.Verdict,
    updates: Sequence[RefUpdate],
    place: str,
    moved: Callable[[], bool],
) -> Lost | None:
    """Turn a verdict on a push into what the port promises.

    `moved` looks at the branches again, which decides where nobody knows the words.
    """
    if verdict.kind is Kind.LANDED:
        return None
    if verdict.kind is Kind.RACE:
        return Lost(verdict.words)
    moving = [update for update in updates if update.new != update.old]
    names = ", ".join(update.ref.removeprefix("refs/heads/") for update in moving)
    target = f"{names} of {place}"
    if verdict.kind is not Kind.UNKNOWN:
        at_branch = verdict.kind in (Kind.PROTECTED, Kind.DECLINED, Kind.CLASH, Kind.REFUSED)
        raise answers.error_of(verdict, target if at_branch else place)
    if moved():
        return Lost(verdict.words)
    raise HookDeclined(f"{target}: the server rejected the push: {verdict.words}")
