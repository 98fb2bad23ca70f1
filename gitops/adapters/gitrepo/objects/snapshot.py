"""One commit's tree, read on demand from the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gitops.adapters.gitrepo.objects.codec import LINK, MODULE, TREE, ObjectEntry, TreeContent
from gitops.adapters.gitrepo.objects.source import BranchTip
from gitops.adapters.gitrepo.objects.store import Store
from gitops.errors import ManifestError

_AGAIN = 2  # who asks for a second file that was left out is likely to read them all
_WHAT = {LINK: "is a symbolic link", MODULE: "is a submodule"}


class CommitSnapshot:
    """`ports.Snapshot` of a commit in the private store."""

    def __init__(
        self,
        store: Store,
        tip: BranchTip,
        *,
        no_giants: bool = False,
        fetch: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        """Read `tip`; with `no_giants` files that were left out for their size are not there.

        `fetch` gets those of a tip that is not whole.
        """
        self._no_giants = no_giants
        self._fetch = fetch if not tip.whole else None
        self._fetched = 0
        self._store = store
        self._root = store.tree_of(tip.commit)
        self.branch = tip.branch
        self.commit = tip.commit
        self._folders: dict[str, TreeContent | None] = {}

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the regular file at `path`, or None when there is none."""
        entry = self._file(path)
        if entry is None:
            return None
        try:
            if self._fetch is not None and not self._store.holds(entry.oid):
                self._have(path, entry.oid, self._fetch)
            return self._content(entry.oid)
        except ManifestError as error:
            raise ManifestError(error.problem, path=path, column=None) from None

    def _file(self, path: str) -> ObjectEntry | None:
        folder, _, name = path.rpartition("/")
        tree = self._folder(folder)
        entry = None if tree is None else self._plain(path, tree.get(name))
        return None if entry is None or entry.mode == TREE else entry

    def _content(self, oid: str) -> bytes:
        if self._no_giants and not self._store.holds(oid):
            raise ManifestError("is too large, and was not fetched", path=oid[:12])
        return self._store.read(oid)[1]

    def _have(self, path: str, oid: str, fetch: Callable[[Sequence[str]], None]) -> None:
        """Fetch a file that was left out; the second time all that lie beside it as well."""
        self._fetched += 1
        if self._fetched == _AGAIN:
            folder = self._folder(path.rpartition("/")[0]) or {}
            fetch([one.oid for one in folder.values() if one.is_file])
            if self._store.holds(oid):
                return  # else somebody put there what is too large
        fetch([oid])

    def entries(self, directory: str) -> tuple[str, ...]:
        """Return the names in `directory` ("" is the root), sorted, folders ending in "/"."""
        tree = self._folder(directory)
        names = (tree or {}).items()
        return tuple(sorted(f"{name}/" if one.mode == TREE else name for name, one in names))

    def folders(self, directory: str) -> dict[str, str]:
        """Return name -> id of the folders in `directory`."""
        tree = self._folder(directory) or {}
        return {name: one.oid for name, one in tree.items() if one.mode == TREE}

    def mark(self, path: str) -> str | None:
        """Return what Git calls the content at `path`; see `ports.Snapshot`."""
        if not path:
            return f"{TREE} {self._root}"
        folder, _, name = path.rpartition("/")
        try:
            entry = (self._folder(folder) or {}).get(name)
        except ManifestError:
            return None
        return f"{entry.mode} {entry.oid}" if entry is not None else ""

    def prepare(self, directories: Iterable[str], names: Sequence[str] = ()) -> None:
        """Read folders, and files in them, many at once; see `ports.Snapshot`."""
        wanted = [directory for directory in dict.fromkeys(directories) if directory]
        parts = [directory.split("/") for directory in wanted]
        for depth in range(max(map(len, parts), default=0)):
            level = dict.fromkeys("/".join(one[: depth + 1]) for one in parts if len(one) > depth)
            new = [folder for folder in level if folder not in self._folders]
            places = [path.rpartition("/") for path in new]
            above = [one for folder, _, name in places for one in self._entries(folder, (name,))]
            self._store.ahead.read([one.oid for one in above if one and one.mode == TREE])
        # Not the root's: thousands of folders are looked at, each of them once.
        found = [one for folder in wanted for one in self._entries(folder, names)]
        self._store.ahead.read([one.oid for one in found if one and one.is_file])

    def _entries(self, folder: str, names: Iterable[str]) -> list[ObjectEntry | None]:
        """Return what a folder has under `names`."""
        try:
            tree = self._folder(folder) or {}
        except ManifestError:  # told when it is asked for
            tree = {}
        return [*map(tree.get, names)]

    def _folder(self, directory: str) -> TreeContent | None:
        if directory not in self._folders:
            self._folders[directory] = self._read_folder(directory)
        return self._folders[directory]

    def _read_folder(self, directory: str) -> TreeContent | None:
        if not directory:
            return self._store.tree(self._root)
        parent, _, name = directory.rpartition("/")
        above = self._folder(parent)
        entry = self._plain(directory, above.get(name)) if above is not None else None
        return self._store.tree(entry.oid) if entry is not None and entry.mode == TREE else None

    @staticmethod
    def _plain(path: str, entry: ObjectEntry | None) -> ObjectEntry | None:
        if entry is not None and entry.mode in _WHAT:
            raise ManifestError(_WHAT[entry.mode], path=path)
        return entry
