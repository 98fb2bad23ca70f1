"""`ports.Intents` over Git: refs beside the branches, read together with one of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec.structs import replace

from gitops.adapters.gitrepo.archive.history import HistoryReader
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.snapshot import CommitSnapshot
from gitops.adapters.gitrepo.objects.source import BranchTip, ObjectSource
from gitops.core.git.commit import CommitInfo
from gitops.core.text.plain import split_lines
from gitops.ports import Gathered, Snapshot

_NEWEST = 256  # commits that are looked at without being asked for more
_MOST = 4096
_DEEPER = 2  # steps back, some 500 commits: a base is minutes old, not months


class GitIntents:
    """The refs beside the branches of one `ObjectSource`."""

    def __init__(self, git: Git, source: ObjectSource) -> None:
        self._git = git
        self._source = source
        source.ears.open()

    def obstacle(self) -> str | None:
        """Return why changes of others cannot be carried here; see `ports.Intents`."""
        if self._source.settings.are_on("commit.gpgsign"):
            return "commits are signed here, and nobody can sign for others"
        return self._source.obstacle()

    def store(self, content: bytes) -> str:
        """Store a blob and return its id; see `ports.Intents`."""
        return self._source.store.write("blob", content)

    def gather(self, branch: str, prefix: str) -> Gathered:
        """Read a branch and the refs under `prefix`; see `ports.Intents`."""
        tip, refs = self._source.gather(branch, prefix)
        return Gathered(CommitSnapshot(self._source.store, tip), refs)

    def contents(self, oids: Collection[str], longest: int) -> Mapping[str, bytes | None]:
        """Return the bytes of small blobs; see `ports.Intents`.

        The sizes are asked for first: of a blob that is too large nothing is read.
        """
        if not oids:
            return {}
        store = self._source.store
        answer = self._git.run(
            [*store.args, "cat-file", "--batch-check"],
            feed="".join(f"{oid}\n" for oid in oids).encode(),
            doing="reading intents",
        )
        found: dict[str, bytes | None] = dict.fromkeys(oids)
        for line in split_lines(answer.text):
            words = line.split()
            if len(words) == 3 and words[1] == "blob" and int(words[2]) <= longest:
                found[words[0]] = store.read(words[0])[1]
        return found

    def recent(self, commit: str, reaching: Collection[str]) -> Sequence[CommitInfo]:
        """Return the newest commits; see `ports.Intents`."""
        reader = HistoryReader(self._git, self._source)
        most = _NEWEST
        for _ in range(_DEEPER + 1):
            found = [self._whole(info) for info in reader.newest(commit, most)]
            known = {commit} | {parent for info in found for parent in info.parents}
            if known.issuperset(reaching):
                return found
            if len(found) == most:
                most = _MOST  # there are more here: nothing needs to be fetched
            elif not self._source.deepen([commit]):
                return found
        return found

    def _whole(self, info: CommitInfo) -> CommitInfo:
        """Return `info` with its true parents: of a cut history Git hides those of the oldest."""
        if info.parents or info.commit not in self._source.store.boundary():
            return info
        return replace(info, parents=self._source.store.parents(info.commit))

    def look(self, branch: str, commit: str) -> Snapshot:
        """Return `commit` as the tip of `branch`; see `ports.Intents`."""
        self._source.adopt(branch, commit)
        return CommitSnapshot(self._source.store, BranchTip(branch, commit))

    def give_way(self, prefix: str, crowd: Callable[[Collection[str]], bool] | None) -> None:
        """Leave the branch to those who wait; see `ports.Intents`."""
        self._source.ears.give_way(prefix, crowd)

    def overheard(self, prefix: str) -> Collection[str]:
        """Return what the server told of at the newest push; see `ports.Intents`."""
        return self._source.ears.refs(prefix)
