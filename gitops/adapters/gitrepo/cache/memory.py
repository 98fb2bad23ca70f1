"""What a remote's store takes from the cache at its start, and leaves there at its end.

A store that is filled from the cache is as good as one that was fetched: the packs are compared
with the hash that they had when git had just checked every object in them, and every object that
this process reads is hashed once more. Only the newest commit of a branch may be older than what
the server has. So the first push onto it is a bet: it lands if nothing has moved since, for a push
moves a branch from exactly one commit, and otherwise costs one request.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from gitops.adapters.gitrepo.cache.index import LOOKED_AT
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import (
    MODULE,
    RAW_LENGTH,
    object_id,
    parse_tree,
    read_commit_head,
)
from gitops.adapters.gitrepo.objects.packed import PackedObjects
from gitops.adapters.gitrepo.objects.store import Store
from gitops.errors import GitopsError
from gitops.ports import RefUpdate

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.cache.files import Shelf
    from gitops.adapters.gitrepo.cache.format import Remembered

TIPS = "refs/gitops/tip/"

_OWN = "gitops/"
_BRANCHES = 16  # branches of one repository that are remembered, the latest ones
_MISSES = 2  # lost bets in a row after which a call fetches first
_ASK_AGAIN = 3600.0  # seconds for which the default branch is taken to be the same
_LONG_AGO = 86_400.0  # seconds after which it is better to ask for a number of commits
_SKEW = 600.0  # seconds that clocks of those who commit may differ
_PACKS = 3
_CUTS = 100  # places where history ends, beyond which none of it is kept
_LOOSE, _LOOSE_BYTES = 100, 1 << 20  # objects outside of packs, beyond which all go into one


class Memory:
    """Remembers one remote repository from call to call; without a shelf it remembers nothing.

    Attributes:
        filled: the store holds what an earlier call left.
        lives: so does a call of this process.
    """

    def __init__(self, git: Git, shelf: Shelf | None, *, blank: bool = False) -> None:
        """`blank` passes over what is on the shelf."""
        self._git = git
        self._shelf = shelf
        self._blank = blank
        self._old_tips: Mapping[str, str] = {}
        self._old_packs: tuple[tuple[str, str], ...] = ()
        self._tips: dict[str, str] = {}
        self._default: str | None = None
        self._asked = 0
        self._misses = 0
        self._packs: tuple[str, ...] = ()  # whole: they hold all that the tips reach
        self._cut: frozenset[str] = frozenset()  # where what they hold of the past ends
        self._mixed = False
        self._untidy = False
        self._news = False
        self.filled = False
        self.lives = False

    def another(self) -> Memory:
        """Return a memory that begins with what is on the shelf now."""
        return Memory(self._git, self._shelf)

    def open_store(self) -> Store:
        """Return a store, filled with what is remembered."""
        if self._shelf is not None and not self._blank:
            from gitops.adapters.gitrepo.cache.format import parse

            with suppress(OSError, ValueError):
                old = parse(self._shelf.state())
                store = Store(self._git, algorithm=old.algorithm, distrust=True)
                try:
                    _fill(store, self._shelf, old)
                except OSError:
                    store.close()
                    raise
                self._old_tips, self._old_packs = old.tips, old.packs
                self._tips, self._packs = dict(old.tips), store.packs()
                store.unproven, self._cut = self._packs, store.filled
                self._misses = old.misses
                if self._shelf.is_own:  # or somebody could say where a write goes
                    self._default, self._asked = old.default, old.asked
                self.filled = True
                return store
        return Store(self._git)

    def slots(self) -> dict[str, int]:
        """Return branch -> number N of its ref `TIPS` N, for what the store was filled with."""
        return {branch: number for number, branch in enumerate(self._old_tips)}

    def commits(self) -> tuple[str, ...]:
        """Return the tips that the store was filled with."""
        return tuple(self._old_tips.values())

    def bet(self, branch: str | None) -> tuple[str, str] | None:
        """Return the branch (None: the default one) and its tip, if a push onto it may well land.

        None, too, where the default branch is meant and nobody asked for it lately: a push says
        nothing about which one it is.
        """
        if not (self.filled or self.lives) or self._misses >= _MISSES:
            return None
        if branch is None and 0 <= time.time() - self._asked < _ASK_AGAIN:
            branch = self._default
        return self.kept(branch) if branch is not None else None

    def kept(self, branch: str | None) -> tuple[str, str] | None:
        """Return the branch (None: the default one) and its tip as they were read last."""
        if branch is None:
            branch = self._default
        commit = self._tips.get(branch) if branch is not None else None
        return (branch, commit) if branch is not None and commit is not None else None

    def looked_at(self, branch: str | None) -> tuple[str, float] | None:
        """Return the commit that the index of `branch` is from, and since when others may be newer.

        None where nobody said so of this user and machine, or it is too long ago.
        """
        name = branch if branch is not None else self._default
        if self._shelf is None or not self.filled or name is None:
            return None
        with suppress(OSError, ValueError):
            commit, seconds, noted = self._shelf.page(f"{LOOKED_AT}{name}").decode().split(" ")
            if 0 <= time.time() - float(noted) < _LONG_AGO:
                return commit, float(seconds) - _SKEW
        return None

    def lost(self) -> None:
        """A push onto a remembered tip came too late."""
        self._misses += 1
        self._news = True

    def fetched(self, store: Store, branch: str, commit: str, *, default: bool) -> None:
        """The newest commit of `branch` was fetched, with all of its files."""
        if default:
            self._news |= self._default != branch or time.time() - self._asked > _ASK_AGAIN / 2
            self._default, self._asked = branch, int(time.time())
        if self._tips.get(branch) == commit:
            self._news |= self._misses > 0
            self._misses = 0
            return
        self._learn(branch, commit)
        packs = store.packs()
        # What came may leave out what stands in a pack of history, or outside of packs.
        self._untidy |= self._mixed or (self.filled and packs != self._packs)
        self._packs = packs
        self._cut |= store.boundary()

    def mixed(self, store: Store) -> None:
        """More than the newest commits will be fetched, which is not kept.

        Git walks through history without hashing what it reads, so from here on it vouches for
        the packs. Raises Unavailable when one is not what it seems.
        """
        if not self._mixed:
            store.vouch()
        self._mixed = True

    def pushed(self, updates: Iterable[RefUpdate], *, won: bool) -> None:
        """These updates landed; `won`: on a remembered tip."""
        self._misses = 0 if won else self._misses
        for update in updates:
            branch = update.ref.removeprefix("refs/heads/")
            if update.new is None:
                self.gone(branch)
            elif update.old is not None and self._tips.get(branch) == update.old:
                self._learn(branch, update.new)

    def gone(self, branch: str) -> None:
        """The remote has no such branch."""
        self._news |= self._tips.pop(branch, None) is not None

    def _learn(self, branch: str, commit: str) -> None:
        self._tips.pop(branch, None)  # the latest comes last
        self._tips[branch] = commit
        self._news = True

    def blank(self) -> Memory:
        """Forget all of it, since it was of no use; return a memory that begins anew."""
        if self._shelf is not None:
            self._shelf.drop()
        return Memory(self._git, self._shelf, blank=True)

    def close(self, store: Store) -> None:
        """Leave for the next call what this one knows; whatever hinders that is let go."""
        if self._shelf is None:
            return
        if store.damaged or (self._news and not self._tips):
            self._shelf.drop()
        elif self._news:
            with suppress(OSError, ValueError, GitopsError):
                self._keep(store, self._shelf)

    def _keep(self, store: Store, shelf: Shelf) -> None:
        from gitops.adapters.gitrepo.cache.files import LARGEST
        from gitops.adapters.gitrepo.cache.format import Remembered, render

        store.settle()
        # Of many proposals some are let go, before the branches that they are for.
        latest = sorted(self._tips.items(), key=lambda one: not one[0].startswith(_OWN))
        tips = dict(latest[-_BRANCHES:])
        packs, objects = self._packs, _outside_of_packs(store, tips.values())
        bytes_outside = sum(len(body) for _, body in objects)
        # The packs of a first call hold some of the past as well: where that ends is kept, too.
        cut = tuple(sorted(self._cut.difference(tips.values())))
        if (
            self._untidy
            or store.is_mixed
            or len(cut) > _CUTS
            or len(packs) > _PACKS
            or len(objects) > _LOOSE
            or bytes_outside > _LOOSE_BYTES
        ):
            packs, objects, cut = (store.pack(list(tips.values())),), (), ()
        files = {
            stem: [store.pack_folder / f"{stem}.{end}" for end in ("pack", "idx")] for stem in packs
        }
        if sum(file.stat().st_size for pair in files.values() for file in pair) > LARGEST:
            shelf.drop()
            return
        known = {_stem(pack): (pack, index) for pack, index in self._old_packs}
        names = [
            known.get(stem) or (shelf.put(pack), shelf.put(index))
            for stem, (pack, index) in files.items()
        ]
        remembered = Remembered(
            store.algorithm,
            tips,
            self._default,
            self._asked,
            self._misses,
            tuple(names),
            tuple(objects),
            cut,
        )
        shelf.keep(
            render(remembered),
            frozenset(name for pair in names for name in pair),
            grown=not files.keys() <= known.keys(),
        )


def _fill(store: Store, shelf: Shelf, old: Remembered) -> None:
    folder = store.pack_folder
    for pack, index in old.packs:
        shelf.fetch(pack, folder / f"{_stem(pack)}.pack")
        shelf.fetch(index, folder / f"{_stem(pack)}.idx")
    if old.algorithm == "sha1":
        store.ahead.look = PackedObjects(folder / _stem(pack) for pack, _ in old.packs).find
    store.hold({object_id(*one, old.algorithm): one for one in old.objects})
    for number, commit in enumerate(old.tips.values()):
        store.point(f"{TIPS}{number}", commit)
    gone = store.missing(old.cut)
    store.filled = frozenset((*old.tips.values(), *old.cut)).difference(gone)
    store.cut_at(store.filled)


def _stem(pack: str) -> str:
    """Return the name in a store of the pack that is called `pack` in the cache."""
    return f"pack-{pack[:40]}"


def _outside_of_packs(store: Store, tips: Iterable[str]) -> tuple[tuple[str, bytes], ...]:
    """Return kind and body of what the tips reach and no pack holds.

    What is in a pack reaches nothing outside of packs, so the search goes no further there.
    """
    outside = store.outside()
    found: dict[str, tuple[str, bytes]] = {}
    waiting = list(tips)
    while waiting:
        oid = waiting.pop()
        read = outside(oid) if oid not in found else None
        if read is None:
            continue
        found[oid] = read
        kind, body = read
        if kind == "commit":
            head = read_commit_head(body)
            waiting += [head[0]] if head is not None else []
        elif kind == "tree":
            entries = parse_tree(body, RAW_LENGTH[store.algorithm]).values()
            waiting += (entry.oid for entry in entries if entry.mode != MODULE)
    return tuple(found.values())
