"""What is read of a remote: where its branches are, and commits with what they hold.

Protocol version 2 (`git help gitprotocol-v2`), which every server since Git 2.18 speaks; what the
server can do is not asked for first, since nothing is asked that one of them might not know. What
is wanted is always named by its id. Filters are the exception: whoever does not know them says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from msgspec.structs import replace

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects import pack
from gitops.adapters.gitrepo.objects.codec import MODULE, TREE
from gitops.adapters.gitrepo.objects.store import Store
from gitops.adapters.gitrepo.wire.order import Arrived, NoBranch, Order, Wanted
from gitops.adapters.gitrepo.wire.pkt import (
    FLUSH,
    NotGit,
    command,
    frames,
    refs_section,
    section,
    sideband,
)
from gitops.adapters.gitrepo.wire.wire import AGENT, UPLOAD, Listing, Wire
from gitops.errors import GitopsError

_ID = re.compile(r"[0-9a-f]{40}")
_SMALL, _FEW = 1 << 20, 1000  # bytes and objects of a pack that is read in process
_LOOSE = 100  # objects, at most, that are kept outside of a pack
_LOOKED_FOR = 300  # files, at most, of which each is looked for
_FEATURES = 100  # lines of what a server can do
_LINES = 100_000  # of the sections before the pack


def list_refs(wire: Wire, prefixes: Sequence[str]) -> Listing:
    """Ask where the refs are whose names begin with `prefixes`. Raises NotGit, Broken."""
    words = ("symrefs", *(f"ref-prefix {one}" for one in prefixes))
    answer = wire.post(UPLOAD, command("ls-refs", AGENT, words))
    refs: dict[str, str] = {}
    head: str | None = None
    for text in refs_section(answer.read):
        oid, _, rest = text.partition(" ")
        name, *more = rest.split(" ")
        if not _ID.fullmatch(oid):
            if oid == "unborn":
                continue
            raise NotGit("another kind of ids")
        refs[name] = oid
        target = next((word[14:] for word in more if word.startswith("symref-target:")), "")
        if name == "HEAD" and target.startswith("refs/heads/"):
            head = target.removeprefix("refs/heads/")
    return Listing(refs, head)


class NoneSince(NotGit):
    """Nothing that is wanted is as new as the commits that were asked for."""


def fetch(wire: Wire, git: Git, store: Store, wanted: Wanted) -> None:
    """Bring what is wanted into `store`. Raises NotGit, Broken.

    Small packs are read in process, and their objects remembered; others are git's to index.
    """
    answer = wire.post(UPLOAD, _request(store, wanted))
    cut, joined = set[str](), set[str]()
    left = _LINES
    for text in frames(answer.read):
        if text == b"packfile\n":
            break
        left -= 1
        if text is FLUSH or text.startswith(b"ERR ") or left < 0:
            none = wanted.since is not None and text.startswith(b"ERR ")
            raise (NoneSince if none else NotGit)(f"no pack: {text[:200]!r}")
        kind, _, oid = text.decode("ascii", "replace").strip().partition(" ")
        if kind in ("shallow", "unshallow") and _ID.fullmatch(oid):
            (cut if kind == "shallow" else joined).add(oid)
    else:
        raise NotGit("no pack")
    _keep(git, store, sideband(answer.read, lambda _: None), wanted)
    if cut or joined:
        store.cut_at((store.boundary() | cut) - joined)


def fetch_without_contents(wire: Wire, git: Git, store: Store, wanted: Wanted) -> bool:
    """Bring what is wanted; False: with contents, as the server leaves none out.

    Raises NotGit, Broken.
    """
    try:
        fetch(wire, git, store, wanted)
    except NotGit:
        if can_filter(wire):
            raise
        fetch(wire, git, store, replace(wanted, contents=True))
        return False
    return True


def bring(wire: Wire, git: Git, store: Store, order: Order) -> Arrived:
    """Fetch what an order says, in two requests, one where the commit is known.

    Raises NoBranch, NotGit, Broken.
    """
    refs: Mapping[str, str] = {}
    branch, commit = order.branch, order.commit
    if commit is None:
        listing = list_refs(wire, (order.name, *order.beside, *order.prefixes))
        refs, commit = listing.refs, listing.refs.get(order.name)
        if commit is None and branch is not None:
            raise NoBranch(order.name)
        if branch is None:
            branch = listing.head
        if commit is None or branch is None:
            raise NotGit(f"no {order.name}")
    beside = {put: refs[name] for name, put in order.beside.items() if name in refs}
    known = [] if order.depth > 1 else [one for one in order.haves if one == commit]
    depth, since = (order.depth, None) if order.since is None else (None, order.since[1])
    if order.since is not None and order.since[0] != commit:
        known = []
    came = _few_others(order, refs)
    wants = [one for one in (commit, *beside.values(), *came) if one not in known]
    whole = True
    if wants:
        haves, largest = order.haves, order.largest
        wanted = Wanted(wants, haves, depth, since, largest=largest, loose=order.loose)
        try:
            if order.small:
                some = replace(wanted, contents=False, small=order.small)
                filtered = fetch_without_contents(wire, git, store, some)
                whole = not filtered or _is_whole(store, commit)
            else:
                fetch(wire, git, store, wanted)
        except NoneSince:  # somebody's clock is slow, or the branch was put back
            fetch(wire, git, store, replace(wanted, depth=order.depth, since=None))
    # Git tells a server what its refs name, and takes it for whole.
    for put, oid in ((order.ref, commit), *beside.items()) if whole else ():
        store.point(put, oid)
    listed = order.commit is None
    return Arrived(branch, commit, refs if order.prefixes and listed else None, listed, came, whole)


def _is_whole(store: Store, commit: str) -> bool:
    """Say whether all files of a commit are here; False, too, where there are many."""
    files: list[str] = []
    with suppress(GitopsError):  # told when it is read
        waiting = [store.tree_of(commit)]
        while waiting and len(waiting) + len(files) <= _LOOKED_FOR:
            for entry in store.tree(waiting.pop()).values():
                if entry.mode != MODULE:
                    (waiting if entry.mode == TREE else files).append(entry.oid)
        return not waiting and len(files) <= _LOOKED_FOR and not store.missing(files)
    return False


def _few_others(order: Order, refs: Mapping[str, str]) -> frozenset[str]:
    """Return the commits of what was asked about, where that is little."""
    own = (*order.beside, order.name)
    told = {ref: one for ref, one in refs.items() if ref.startswith(order.prefixes)}
    others = [one for ref, one in told.items() if ref not in own]
    return frozenset(others if len(others) <= order.few else ())


def _request(store: Store, wanted: Wanted) -> bytes:
    words = ["no-progress", "ofs-delta"]
    # Only so a server looks at what is here beyond where the history is cut.
    words += ["thin-pack"] if wanted.haves else []
    if wanted.depth is not None:
        words += [f"deepen {wanted.depth}"]
        words += ["deepen-relative"] if wanted.relative else []
    elif wanted.since is not None:
        words += [f"deepen-since {int(wanted.since)}"]
    if wanted.depth is not None or wanted.since is not None:
        words += [f"shallow {one}" for one in sorted(store.boundary())]
    size = f"limit={wanted.small}" if wanted.small else "none"
    words += [] if wanted.contents else [f"filter blob:{size}"]
    words += [f"want {one}" for one in dict.fromkeys(wanted.commits)]
    words += [f"have {one}" for one in dict.fromkeys(wanted.haves)]
    words += ["done"]
    return command("fetch", AGENT, words)


def can_filter(wire: Wire) -> bool:
    """Ask whether the server leaves out contents. Raises NotGit, Broken."""
    answer = wire.get(UPLOAD, version=2)
    told = list(islice(section(answer.read), _FEATURES))
    if told[:1] == [f"# service={UPLOAD}"]:
        told = list(islice(section(answer.read), _FEATURES))
    if told[:1] != ["version 2"]:
        raise NotGit("an older protocol")
    features = next((one[len("fetch=") :] for one in told if one.startswith("fetch=")), "")
    return "filter" in features.split(" ")


def _keep(git: Git, store: Store, parts: Iterator[bytes], wanted: Wanted) -> None:
    first, largest = b"", wanted.largest
    count: int | None = None
    for part in parts:
        first += part
        if count is None and len(first) >= pack.HEADER:
            count = _count(first[: pack.HEADER])
        if (count or 0) > _FEW or len(first) > _SMALL:
            _index(git, store, first, parts, largest)
            return
    if largest is not None and len(first) > largest:
        raise NotGit("too large")
    try:
        found = pack.read_pack(first, store.find)
    except pack.BadPack:
        _index(git, store, first, parts, largest)
        return
    if found.objects:
        store.keep(found, first, few=wanted.loose and len(found.objects) <= _LOOSE)


def _count(head: bytes) -> int:
    try:
        return pack.count_of(head)
    except pack.BadPack as error:
        raise NotGit(str(error)) from None


def _index(
    git: Git, store: Store, first: bytes, parts: Iterator[bytes], largest: int | None
) -> None:
    """Let git hash and index a pack that is large."""
    args = [*store.args, "index-pack", "--stdin", "--fix-thin"]
    child = git.popen(args, quiet=True, largest=largest)
    try:
        if child.stdin is None:
            raise NotGit("git takes no pack")
        with suppress(BrokenPipeError):
            child.stdin.write(first)
            for part in parts:
                child.stdin.write(part)
        with suppress(BrokenPipeError):
            child.stdin.close()
        if child.wait() != 0:
            raise NotGit("git does not take the pack")
    finally:
        if child.poll() is None:
            child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
