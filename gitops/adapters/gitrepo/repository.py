"""`ports.Repository` and `ports.Evidence` over Git: puts the parts of this package together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gitops.adapters.gitrepo.archive.evidence import CommitEvidence
from gitops.adapters.gitrepo.cache.index import shelf_of
from gitops.adapters.gitrepo.command import settings
from gitops.adapters.gitrepo.command.address import address, is_url
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.command.push import noted, try_push
from gitops.adapters.gitrepo.identity import find_committer, find_identity
from gitops.adapters.gitrepo.objects.codec import read_message, render_commit
from gitops.adapters.gitrepo.objects.snapshot import CommitSnapshot
from gitops.adapters.gitrepo.objects.source import BranchTip, ObjectSource
from gitops.adapters.gitrepo.objects.temporary import sweep
from gitops.adapters.gitrepo.remote.line import Line, open_line
from gitops.adapters.gitrepo.remote.remote import Remote
from gitops.adapters.gitrepo.signing import CommitSigner, made_by_forge, made_by_git
from gitops.core.git.commit import Identity
from gitops.core.git.message import SIGN_OFF, put_in_form
from gitops.core.ledger import LEDGER_BRANCH
from gitops.errors import Bug, GitopsError, NotFound
from gitops.ports import Lost, NewCommit, RefUpdate, Snapshot, WorkTree
from gitops.ports.repository import Start

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.archive.commits import CommitReader
    from gitops.adapters.gitrepo.cache.files import Shelf
    from gitops.adapters.gitrepo.command.discovery import RepositoryLocation
    from gitops.adapters.gitrepo.local.worktree import CheckoutFiles
    from gitops.core.releases.history import OverlayVersion
    from gitops.ports import Index, Intents

OWN_BRANCHES = "refs/heads/gitops/"
"""Only branches of our own may leave commits behind: a proposal is made anew in its place."""


class GitRepository(CommitEvidence):
    """One repository, wherever it is kept. A context manager; `close` removes what it made."""

    def __init__(
        self,
        git: Git,
        source: ObjectSource,
        name: str,
        environ: Mapping[str, str],
        place: RepositoryLocation | None,
        remote: str | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self._git = git
        self._source = source
        self._name = name
        self._environ = environ
        self._place = place
        self._remote = remote  # where pushes go, with its secrets
        self._shelf = shelf
        self._made: dict[str, tuple[str, ...]] = {}
        self._commits: CommitReader | None = None
        self._identity: Identity | None = None
        self._swept = False
        self.signer: CommitSigner | None = None

    def __enter__(self) -> GitRepository:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_at_most(self, seconds: float) -> None:
        """Give up an exchange with a server after so many seconds."""
        self._git.timeout = seconds

    def begin(self, branch: str | None, start: Start = "tip") -> None:
        """Start to fetch `branch` (None: the default one) while the caller does other things."""
        self._source.begin(branch, start)

    def snapshot(self, branch: str | None = None) -> Snapshot:
        """Read the newest tip of `branch`; see `ports.Repository`."""
        if not self._swept:
            # A fetch is under way then: looking for leftovers costs no time.
            self._source.begin(branch)
            self._sweep()
        tip = self._source.tip(branch)
        fetch = self._source.fetch_files
        return CommitSnapshot(
            self._source.store, tip, no_giants=branch == LEDGER_BRANCH, fetch=fetch
        )

    def _sweep(self) -> None:
        if not self._swept:
            self._swept = True
            sweep()

    @contextmanager
    def remembered(self, branch: str | None = None) -> Iterator[Snapshot | None]:
        """Yield the tip that an earlier call left; see `ports.Repository`."""
        with self._source.remembered(branch) as tip:
            snapshot = None
            self._sweep()
            if tip is not None:
                with suppress(GitopsError):
                    snapshot = CommitSnapshot(self._source.store, tip)
            yield snapshot

    def history(self, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """Yield the versions of `directory`, newest first; see `ports.Repository`."""
        return self._history_of(commit).versions(commit, directory.strip("/"))

    def gather(self, commit: str, directories: Iterable[str]) -> None:
        """Be told whose `history` is wanted; see `ports.Repository`."""
        self._history().gather(commit, (one.strip("/") for one in directories))

    def find_intent(self, branch: str, intent: str, since: str) -> str | None:
        """Look for a commit with `Gitops-Id: intent`; see `ports.Repository`."""
        try:
            tip = self._source.tip(branch)
        except NotFound:
            return None  # a proposal's branch that nobody has made yet
        return self._history().find_intent(tip.commit, intent, since)

    def folders(self, commit: str, directory: str) -> Mapping[str, str]:
        """Return the folders in `directory`; see `ports.Repository`."""
        return CommitSnapshot(self._source.store, BranchTip("", commit)).folders(directory)

    def gather_branches(self, branches: Collection[str]) -> None:
        """Be told whose tips are wanted; see `ports.Repository`."""
        self._source.gather_branches(branches)

    def own_branches(self) -> Mapping[str, str]:
        """Return the branches below `gitops/`; see `ports.Repository`."""
        return self._source.own_branches()

    def again(self) -> None:
        """Begin another call on what stays open: what was asked before counts for nothing."""
        self._made.clear()
        if self._commits is not None:
            self._commits.close()
            self._commits = None
        self._source.again()
        self.rest()

    def rest(self) -> None:
        """Forget of what was read what is much; see `ports.KeptRepository`."""
        self._let_go_of_history()
        if (store := self._source.store).stays:
            store.rest()

    def message(self, commit: str) -> tuple[str, float]:
        """Return what a commit says, and when it was made; see `ports.Repository`."""
        return read_message(self._source.store.read(commit)[1])

    def commits(self) -> CommitReader:
        """Return what reads any commit by its name, in a store of its own."""
        if self._commits is None:
            from gitops.adapters.gitrepo.archive.commits import CommitReader

            self._commits = CommitReader(
                self._git,
                url=self._source.url if isinstance(self._source, Remote) else None,
                name=self._name,
                place=self._place,
                algorithm=lambda: self._source.store.algorithm,
            )
        return self._commits

    def create(self, commit: NewCommit) -> str:
        """Store the objects of `commit` and return its id; see `ports.Repository`."""
        store = self._source.store
        committer = find_committer(self._environ, self._source.settings.last) or self.identity()
        author = commit.author or self.identity()
        base = commit.base or (commit.parents[0] if commit.parents else None)
        tree = store.write_patched(base, commit.files)
        if self._source.settings.are_on("format.signoff"):
            message = put_in_form(commit.message, "{summary}", [SIGN_OFF], committer)
            commit = replace(commit, message=message)
        if self.signer is not None:
            new = made_by_forge(store, self.signer, commit, base, tree)
        elif self._source.settings.are_on("commit.gpgsign"):
            new = made_by_git(self._git, store, commit, tree, (author, committer))
        else:
            body = render_commit(
                tree, commit.parents, author, committer, commit.time, commit.message
            )
            new = store.write("commit", body)
        self._made[new] = commit.parents
        return new

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Move all `updates` at once, or none; see `ports.Repository`."""
        for update in updates:
            self._check_keeps(update)
        return noted(self._name, updates, self._source.push)

    def try_push(self) -> None:
        """Ask the remote whether it would take a push, as `push` would; push nothing."""
        if isinstance(self._source, Remote):
            commit = self._source.tip(None).commit
            try_push(self._git, self._source.store.args, self._source.url, commit, self._name)

    def _check_keeps(self, update: RefUpdate) -> None:
        """Raise Bug for an update that would drop commits of somebody else's branch."""
        if update.old is None or update.new is None or update.ref.startswith(OWN_BRANCHES):
            return
        if update.new == update.old or self._made_on(update.new, update.old):
            return
        args = ("merge-base", "--is-ancestor", update.old, update.new)
        if self._git.run([*self._source.store.args, *args]).code != 0:
            raise Bug(f"{update.ref} would lose commits: {update.new} does not follow {update.old}")

    def _made_on(self, new: str, old: str) -> bool:
        """Return True when `new` was made here on top of `old`, or of commits that were."""
        parents = self._made.get(new, ())
        while parents and old not in parents:
            parents = self._made.get(parents[0], ())
        return old in parents

    def intents(self) -> Intents:
        """Return the refs beside the branches; from now on pushes are listened to."""
        from gitops.adapters.gitrepo.remote.intents import GitIntents

        return GitIntents(self._git, self._source)

    def look(self, branch: str, commit: str) -> Snapshot:
        """Return a commit that was made here as the tip of `branch`; see `ports.KeptRepository`."""
        self._source.adopt(branch, commit)
        return CommitSnapshot(self._source.store, BranchTip(branch, commit))

    def index(self) -> Index:
        """Return where pages of the index are kept: beside what is remembered of the remote."""
        from gitops.adapters.gitrepo.cache.index import KeptIndex

        return KeptIndex(self._shelf)

    def address(self) -> str:
        """Return the URL, or the absolute path, that others may know the repository by."""
        if self._place is None or is_url(self._name):
            return self._name
        folder = self._place.top if self._place.top is not None else Path()
        return str((folder / self._name).resolve())

    def describe(self) -> str:
        """Return the URL or path, without secrets."""
        return self._name

    def remote_url(self) -> str | None:
        """Return where pushes go, as Git rewrites it (`insteadOf`); None without a remote.

        For finding the forge; it has no secrets.
        """
        url = self._rewritten()
        return None if url is None else address(url).url

    def web_credentials(self, origin: str, path: str) -> tuple[str, str] | None:
        """Return user and password that Git has for a web server, None when it has none.

        Those in the remote's URL, for the very server that it names, else a credential helper's.
        """
        from gitops.adapters.gitrepo.command.credentials import ask_helper, credentials_for

        for url in filter(None, (self._rewritten(), self._remote)):
            found = credentials_for(url, origin)
            if found is not None:
                return found
        return ask_helper(self._git, self._environ, origin, path)

    def _rewritten(self) -> str | None:
        if self._remote is None:
            return None
        url = address(self._remote).url
        if not self._source.settings.rewrite_urls():
            return url
        # Arguments are seen by everybody, so what is rewritten has no password.
        args = ["ls-remote", "--get-url", "--", url]
        answer = self._git.run([*self._source.store.args, *args])
        return answer.text if answer.code == 0 and answer.text else url

    def identity(self) -> Identity:
        """Return who writes. Raises NotFound when nobody is known."""
        if self._identity is None:
            self._identity = find_identity(self._environ, self._source.settings.last)
        return self._identity

    def work_tree(self) -> WorkTree | None:
        """Return the checkout that `location` is in; None for a URL or a bare repository."""
        return self._files()

    def directory_snapshot(self) -> Snapshot | None:
        """Return the checkout's files as they stand; None for a URL or a bare repository."""
        return self._files()

    def _files(self) -> CheckoutFiles | None:
        if self._place is None or self._place.top is None:
            return None
        from gitops.adapters.gitrepo.local.worktree import CheckoutFiles

        sparse = settings.is_true(settings.last(self._place.lines, "core.sparsecheckout"))
        return CheckoutFiles(self._place.top, self._place.branch or "", sparse=sparse)

    def close(self) -> None:
        """Stop what runs and remove the private stores."""
        if self._commits is not None:
            self._commits.close()
        self._source.close()


def open_repository(
    location: str,
    *,
    environ: Mapping[str, str],
    progress: Callable[[str], None] | None = None,
    timeout: float = 60.0,
    line: Line | None = None,
) -> GitRepository:
    """Open the repository at `location`: a URL, or a path in a checkout or bare repository.

    Args:
        environ: the caller's environment; git gets a cleaned copy.
        progress: told whom we wait for when a step takes over a second.
        timeout: seconds that one exchange with a server may take.
        line: of a URL, where that is open already.

    Raises UsageError for an address that Git would take for an option or a command, NotFound when
    there is no repository, Denied when Git does not trust it. A URL is not contacted yet.
    """
    if is_url(location):
        line = line or open_line(location, environ=environ, progress=progress, timeout=timeout)
        shelf = shelf_of(environ, progress, line.url)
        remote = Remote(line, line.url, shelf=shelf)
        return GitRepository(line.git, remote, line.url, environ, None, location, shelf)
    from gitops.adapters.gitrepo.command.discovery import inspect  # a URL needs neither
    from gitops.adapters.gitrepo.local.bare import Bare

    path = Path(location)
    git = Git(environ, folder=path, timeout=timeout, progress=progress)
    place = inspect(git, path, location)
    known = settings.remotes(place.lines)
    if place.top is None or not known:
        source = Bare(git, place)
        if place.top is not None:
            # Not needed for a remote, and time counts until that is asked.
            from gitops.adapters.gitrepo.local.checkout import Checkout

            source = Checkout(git, place)
        return GitRepository(git, source, location, environ, place)
    return _open_checkout(place, known, environ, progress, timeout)


def _open_checkout(
    place: RepositoryLocation,
    known: Mapping[str, str],
    environ: Mapping[str, str],
    progress: Callable[[str], None] | None,
    timeout: float,
) -> GitRepository:
    chosen = settings.choose_remote(place.lines, place.branch, known)
    if chosen is None:
        raise NotFound(
            f"{place.name} has several remotes ({', '.join(known)}) and none is named for its "
            "branch",
            hint="git branch --set-upstream-to=REMOTE/BRANCH, or give --repo the URL",
        )
    fetch = address(known[chosen])
    pushes = settings.last(place.lines, f"remote.{chosen}.pushurl")
    push = address(pushes) if pushes is not None else fetch
    git = Git(
        environ,
        # Relative URLs and file names count from the top of the checkout.
        folder=place.top,
        before=settings.carried(place.lines, credentials=not fetch.secrets),
        after=tuple(dict.fromkeys((*fetch.settings, *push.settings))),
        secrets=(*fetch.secrets, *push.secrets),
        timeout=timeout,
        progress=progress,
    )
    shelf = shelf_of(environ, progress, fetch.url, push.url)
    line = Line(git, fetch.url, ssh=fetch.ssh or push.ssh, given=place.lines)
    remote = Remote(line, fetch.url, push_url=push.url, shelf=shelf)
    pushed = pushes if pushes is not None else known[chosen]
    return GitRepository(git, remote, fetch.url, environ, place, pushed, shelf)
