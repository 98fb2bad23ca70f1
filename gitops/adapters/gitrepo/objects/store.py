"""The private store: a bare repository of our own, written in process and thrown away.

A running gitops holds a lock on its store; what nobody holds and is old was left by a process that
died, and the next start removes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects import pack as packing
from gitops.adapters.gitrepo.objects.codec import (
    LARGE,
    LARGEST,
    RAW_LENGTH,
    TREE,
    GitObject,
    TreeContent,
    missing,
    object_id,
    parse_tree,
    patch_tree,
    read_commit_head,
    read_loose,
    write_loose,
)
from gitops.adapters.gitrepo.objects.made import MadeObjects, WaitingObjects
from gitops.adapters.gitrepo.objects.pack import ReadPack
from gitops.adapters.gitrepo.objects.reader import TOO_LARGE, ObjectReader, RecentTrees
from gitops.adapters.gitrepo.objects.temporary import make_repository, remove_repository
from gitops.errors import Denied, ManifestError, NotFound, Unavailable

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.objects.wide import WideTrees

_DAMAGED = "what was kept of the repository is damaged, and is read anew"
_WIDE = 2048  # bytes of a tree, some fifty entries: what is smaller is parsed in no time
_WAITING = 1 << 24  # bytes that were made here and wait for their files
_ENTRIES = 200_000  # of folders that are remembered; the oldest ones go
_ENTRIES_EACH = 60_000  # the same where several stores stay,
_ENTRIES_KEPT = 14_000  # and from one call to the next


class Store:
    """A private bare repository, and one `cat-file --batch` that reads it.

    Attributes:
        path: its folder.
        algorithm: `sha1` or `sha256`.
        damaged: an object was missing, or not what its id says.
        filled: commits that an earlier call left here, cut off from their past.
        unproven: packs whose objects nobody has hashed; see `vouch`.
        new, made: objects that no server may have yet.
        ahead: objects in memory before they are asked for.
    """

    def __init__(
        self,
        git: Git,
        *,
        algorithm: str = "sha1",
        borrow: Path | None = None,
        distrust: bool = False,
    ) -> None:
        """Make the store.

        With `borrow` (a git directory) it reads that repository's objects. With `distrust` it will
        hold what git did not receive by itself: every object that is read is hashed.
        """
        self._git = git
        self._distrust = distrust
        self._borrows = borrow is not None
        self.damaged = False
        self.unproven: tuple[str, ...] = ()
        self.filled: frozenset[str] = frozenset()
        self._trees = RecentTrees()
        self._wide: WideTrees | None = None
        self.new = MadeObjects()
        self.made = self.new.objects
        self._held: dict[str, GitObject] = {}  # what `hold` was given, in the packs called
        self._few: set[str] = set()
        self._cut: tuple[tuple[int, ...], frozenset[str]] = (), frozenset()
        self.algorithm = algorithm
        try:
            self.path, self._lock = make_repository(algorithm, borrow)
        except OSError as error:
            raise Denied(
                f"cannot make a temporary folder: {error}", hint="TMPDIR names another place"
            ) from None
        self._args = ("-c", "core.hooksPath=/dev/null", f"--git-dir={self.path}")
        self.ahead = ObjectReader(git, self._args)
        self._waiting = WaitingObjects(self.path / "objects")

    @property
    def stays(self) -> bool:
        """It serves many calls, beside others: what they read is remembered, within bounds."""
        return self.ahead.stays

    @stays.setter
    def stays(self, stays: bool) -> None:
        self.ahead.stays = stays

    @property
    def args(self) -> tuple[str, ...]:
        """The options that point git at it, for the front of its arguments; all has its file."""
        self.settle()
        return self._args

    def settle(self) -> None:
        """Give all that was made here its files: somebody reads them who is not we."""
        if self._waiting.objects:
            self._waiting.write(as_pack=self.stays and self.algorithm == "sha1")

    @property
    def is_mixed(self) -> bool:
        """It has packs of which whoever keeps some of them does not know."""
        return self._waiting.packed

    def write(self, kind: str, body: bytes) -> str:
        """Store an object and return its id."""
        oid = object_id(kind, body, self.algorithm)
        self._make({oid: (kind, body)})
        return oid

    def _make(self, objects: Mapping[str, GitObject]) -> None:
        self.made.update(objects)
        self._waiting.add(objects)

    def note(self, oid: str) -> None:
        """Take note that git made an object here."""
        if (found := self.find(oid)) is not None:
            self.made[oid] = found

    def shared(self, tips: Iterable[str]) -> None:
        """Take note that the server has `tips`, and all that was made here for them."""
        self.new.shared(tips)
        if self._waiting.size > _WAITING:
            self.settle()

    def keep(self, pack: ReadPack, whole: bytes, *, few: bool = False) -> None:
        """Keep a pack that was read in process, and remember its objects; `few`: as `hold` does."""
        if few:
            self.hold(pack.objects)
            return
        self.ahead.add(pack.objects)
        if pack.thin:
            pack, whole = packing.pack_up(pack.objects)
        packing.write_pack(self.pack_folder, pack, whole)

    def hold(self, objects: Mapping[str, GitObject]) -> None:
        """Keep a few objects, which are what their ids say; they count as outside of packs.

        One pack is written faster than some loose objects, and removed. But where many calls share
        the store there would be a pack for each.
        """
        self.ahead.add(objects)
        if self.stays or self.algorithm != "sha1":
            write_loose(self.path / "objects", objects)
        elif objects:
            pack, whole = packing.pack_up(objects)
            packing.write_pack(self.pack_folder, pack, whole)
            self._held |= objects
            self._few.add(f"pack-{pack.name}")

    def outside(self) -> Callable[[str], GitObject | None]:
        """Return what finds an object outside of `packs`."""
        objects = self.path / "objects"
        # Listed once: a folder of a thousand apps names a thousand others, most of them in packs.
        folders = [one for one in os.listdir(objects) if len(one) == 2]
        loose = {folder + name for folder in folders for name in os.listdir(objects / folder)}
        return lambda oid: read_loose(objects, oid) if oid in loose else self._held.get(oid)

    def write_patched(self, base: str | None, files: Mapping[str, bytes | None]) -> str:
        """Store the tree of the commit `base` with `files` replaced (None deletes); return its id.

        Raises what `patch_tree` raises.
        """
        root = None if base is None else self.tree_of(base)
        oid, made = patch_tree(
            root, files, self.tree, self.algorithm, body_of=lambda tree: self.read(tree)[1]
        )
        self._make(made.objects)
        self.new.patched(oid, root, made)
        return oid

    def read(self, name: str) -> tuple[str, bytes]:
        """Return kind and body of the object called `name`.

        Raises NotFound, and ManifestError for one that is too large. Raises Unavailable where only
        the store is to blame: the next tip comes into a new one.
        """
        found = self.find(name)
        if self._distrust and (found is None or object_id(*found, self.algorithm) != name):
            self.damaged = True
            raise Unavailable(_DAMAGED)
        if found is None:
            raise NotFound(f"object {name} is not in the repository")
        return found

    def find(self, name: str) -> GitObject | None:
        """Return kind and body of the object called `name`, or None when there is none.

        Raises ManifestError for one that is too large.
        """
        if "\n" in name:
            return None
        found = self.made.get(name) or self._waiting.objects.get(name) or self.ahead.find(name)
        if found is TOO_LARGE:
            raise ManifestError(
                f"is larger than {LARGEST >> 20} MB", path=f"object {name[:12]}", column=None
            )
        if self.stays and found is not None and len(found[1]) < LARGE:
            self.ahead.add({name: found})
        return found

    def holds(self, oid: str) -> bool:
        """Say whether the object is here; unlike `find` this never makes git fetch it."""
        if not self.missing([oid]):
            return True
        return self._borrows and self.find(oid) is not None

    def missing(self, oids: Iterable[str]) -> list[str]:
        """Return those of `oids`, each once, that are not here."""
        return missing(
            self.path / "objects", (one for one in oids if self._waiting.objects.get(one) is None)
        )

    def tree(self, oid: str) -> TreeContent:
        """Return the entries of the tree `oid`; trees that were read lately are remembered."""
        tree = self._trees.find(oid)
        if tree is None:
            tree = self._parsed(oid, self.read(oid)[1])
            self._trees.add(oid, tree, _ENTRIES_EACH if self.stays else _ENTRIES)
        return tree

    def _parsed(self, oid: str, body: bytes) -> TreeContent:
        """Return the entries in the body of the tree `oid`. Raises ManifestError for no tree."""
        length = RAW_LENGTH[self.algorithm]
        try:
            if len(body) < _WIDE:
                return parse_tree(body, length)
            if self._wide is None:
                from gitops.adapters.gitrepo.objects.wide import WideTrees

                self._wide = WideTrees(length)
            return self._wide.parse(body)
        except ValueError:
            raise _odd("folder", oid) from None

    def folder(self, tree: str, path: str) -> TreeContent:
        """Return the entries of the folder at `path` ("" is `tree` itself), none where none is."""
        found = self.tree(tree)
        for part in path.split("/") if path else ():
            below = found.get(part)
            found = self.tree(below.oid) if below is not None and below.mode == TREE else {}
        return found

    def tree_of(self, commit: str) -> str:
        """Return the id of `commit`'s root tree. Raises ManifestError, as `parents` does."""
        return self._head(commit)[0]

    def parents(self, commit: str) -> tuple[str, ...]:
        """Return the parents of `commit`, also where the store was cut off."""
        return self._head(commit)[1]

    def _head(self, commit: str) -> tuple[str, tuple[str, ...]]:
        """Return the tree and the parents of a commit, which anybody may have written."""
        kind, body = self.read(commit)
        if kind != "commit":
            raise NotFound(f"{commit} is not a commit")
        if (found := read_commit_head(body)) is None:
            raise _odd("commit", commit)
        return found

    def boundary(self) -> frozenset[str]:
        """Return the commits whose parents were left out of this store."""
        place = f"{self.path}/shallow"
        try:
            seen = os.stat(place)
        except FileNotFoundError:
            return frozenset()
        # Git and `cut_at` put a new file in its place; history asks for each of its folders.
        mark = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
        if mark != self._cut[0]:
            self._cut = mark, frozenset(Path(place).read_text().split())
        return self._cut[1]

    def join(self) -> None:
        """Take commits off the boundary whose parents are here.

        A fetch of one commit cuts it off from what was fetched before. What the store was filled
        with stays cut until a server says otherwise: some of its past may lie in the packs.
        """
        cut = self.boundary() - self.filled
        parents = {one: self.parents(one) for one in cut.difference(self.missing(cut))}
        lacking = set(self.missing(one for some in parents.values() for one in some))
        joined = {one for one, some in parents.items() if lacking.isdisjoint(some)}
        if joined:
            self.cut_at(self.boundary() - joined)

    def has_part_of(self, size: int) -> bool:
        """Return True when a pack was given up at `size` bytes, the limit that git got."""
        return any(
            part.stat().st_size >= size for part in (self.path / "objects").glob("pack/tmp_*")
        )

    @property
    def pack_folder(self) -> Path:
        """Where packs lie."""
        return self.path / "objects" / "pack"

    def packs(self) -> tuple[str, ...]:
        """Return the names of all packs but those of `hold`, without the ending, sorted."""
        names = {name[:-5] for name in os.listdir(self.pack_folder) if name.endswith(".pack")}
        return tuple(sorted(names - self._few))

    def point(self, ref: str, commit: str) -> None:
        """Make `ref` name `commit`."""
        place = self.path / ref
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{commit}\n")

    def cut_at(self, commits: Iterable[str]) -> None:
        """Take the parents of `commits` for unknown, and those of no other commit."""
        place = self.path / "shallow"
        lines = "".join(f"{one}\n" for one in sorted(set(commits)))
        if not lines:
            place.unlink(missing_ok=True)
            return
        new = place.with_name("shallow.new")
        new.write_text(lines)
        os.replace(new, place)

    def pack(self, commits: Sequence[str]) -> str:
        """Put `commits` and all of their files into one new pack; return its name.

        Their history is left out, and is not known to this store any more. Raises Unavailable.
        """
        self.cut_at(commits)
        args = ("pack-objects", "-q", "--revs", "--delta-base-offset", f"{self.pack_folder}/pack")
        answer = self._git.run([*self.args, *args], feed="\n".join((*commits, "")).encode())
        if answer.code != 0:
            raise Unavailable(f"objects cannot be packed: {answer.err.strip()}")
        return f"pack-{answer.text}"

    def vouch(self) -> None:
        """Let git hash every object in the packs that nobody vouches for, once.

        Git walks through history without hashing what it reads. Raises Unavailable for what is not
        as it says.
        """
        while self.unproven:
            stem, *rest = self.unproven
            self.unproven = tuple(rest)
            # Without a repository, or git would read each object twice to compare it with itself.
            args = ("index-pack", "--verify", f"--object-format={self.algorithm}")
            pack = f"{self.pack_folder}/{stem}.pack"
            if self._git.run(["--git-dir=/dev/null", *args, pack]).code != 0:
                self.damaged = True
                raise Unavailable(_DAMAGED)

    def reopen(self) -> None:
        """Forget the reader: git changed settings that it read at its start."""
        self.ahead.stop()

    def rest(self) -> None:
        """Let the reader end by itself: nothing is read for a while, and memory is wanted.

        Where the store stays it goes on, and what was not asked for lately is forgotten.
        """
        if not self.stays:
            self.ahead.rest()
            return
        self.ahead.thin()
        self._trees.let_go(_ENTRIES_KEPT)

    def close(self) -> None:
        """Remove the store."""
        self.reopen()
        remove_repository(self.path, self._lock)


def _odd(kind: str, oid: str) -> ManifestError:
    """Return the error for an object that is not what Git would have written."""
    return ManifestError(
        f"is no {kind} as Git writes them",
        path=f"{'tree' if kind == 'folder' else kind} {oid[:12]}",
        column=None,
        hint="look at it with: git fsck",
    )
