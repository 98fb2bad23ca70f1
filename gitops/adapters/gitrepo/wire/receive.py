"""How branches are moved over the wire (`git help gitprotocol-pack`, "Pushing Data To a Server").

A single branch moves in one request: the server compares the old id under its lock, so nobody needs
to be told first where it is. Where several move at once, or one must only have stayed, the server
is asked what it can do and where they are, as git does.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from msgspec import Struct

from gitops.adapters.gitrepo.command.pipes import Speech
from gitops.adapters.gitrepo.command.process import Git, GitResult
from gitops.adapters.gitrepo.objects.pack import make_pack
from gitops.adapters.gitrepo.objects.store import Store
from gitops.adapters.gitrepo.wire.http import Broken, HttpAnswer
from gitops.adapters.gitrepo.wire.pkt import NotGit, joined, refs_section, section, sideband
from gitops.adapters.gitrepo.wire.wire import AGENT, RECEIVE, BadStatus, Wire
from gitops.ports import RefUpdate

_NOTHING = "0" * 40
_MOST_REPORT = 1 << 20  # bytes: a line for each ref of a push
_PLAIN = ("report-status", "side-band-64k")  # every server since Git 1.6.6


class Advert(Struct, frozen=True):
    """What a server told before a push: all of its refs, and what it can do."""

    refs: Mapping[str, str]
    features: frozenset[str]


def advert(wire: Wire) -> Advert:
    """Ask where all refs are. Raises NotGit, Broken."""
    answer = wire.get(RECEIVE, version=0)
    head = list(islice(section(answer.read), 2))
    if head != [f"# service={RECEIVE}"]:
        raise NotGit("no advert")
    refs: dict[str, str] = {}
    features: frozenset[str] = frozenset()
    for text in refs_section(answer.read):
        told, nul, words = text.partition("\0")
        if nul:
            features = frozenset(words.split())
        oid, _, name = told.partition(" ")
        if len(oid) != 40:
            if oid in ("shallow", "version"):
                continue
            raise NotGit("another kind of ids")
        refs[name] = oid
    return Advert(refs, features)


def push(
    wire: Wire, git: Git, store: Store, updates: Sequence[RefUpdate], known: Advert | None
) -> GitResult | None:
    """Move branches; return the answer in the words of `git push --porcelain`.

    `known` None: nothing was asked before. None: the server may have lacked objects, and nothing
    has moved. Raises NotGit, and Broken, where no server can have moved anything.
    """
    features = known.features if known is not None else frozenset(_PLAIN)
    if "report-status" not in features:
        raise NotGit("no report")
    if known is not None and (refusal := _refused(updates, known)) is not None:
        return refusal
    moving = [update for update in updates if update.new != update.old]
    if not moving:
        return GitResult(0, _lines((update, "=", "[up to date]") for update in updates), "")
    words = [one for one in (*_PLAIN, "object-format=sha1") if one in features]
    words += ["atomic"] if len(moving) > 1 else []
    new = [update.new for update in moving if update.new is not None]
    body = make_pack(store.new.lacking(new), store.new.grew) if new else b""
    try:
        answer = wire.post(RECEIVE, _commands(moving, words) + body)
        return _report(git, answer, updates)
    except BadStatus as error:
        if error.status < 500:
            raise
        said = f"HTTP {error.status} The requested URL returned error: {error.status}"
        return GitResult(128, b"", f"error: RPC failed; {said}")
    except Broken as error:
        if not error.sent:
            raise
        return unanswered(git, str(error))


class NoReport(NotGit):
    """A whole answer without a report: what was asked may have been done."""


def unanswered(git: Git, why: str) -> GitResult:
    """Return git's words for a push of which nobody knows what became."""
    said = f"error: RPC failed; {why}\nfatal: the remote end hung up unexpectedly"
    return GitResult(128, b"", git.scrub(said))


def _refused(updates: Sequence[RefUpdate], known: Advert) -> GitResult | None:
    """Return git's words for what is not where it was read, before anything is sent."""
    if len(updates) > 1 and "atomic" not in known.features:
        return GitResult(128, b"", "fatal: the receiving end does not support --atomic push")
    stale = [update for update in updates if known.refs.get(update.ref) != update.old]
    if not stale:
        return None
    lines = []
    for update in updates:
        why = "[rejected] (stale info)" if update in stale else "[rejected] (atomic push failed)"
        lines.append((update, "!", why))
    return GitResult(1, _lines(lines), "")


def _commands(moving: Sequence[RefUpdate], features: Sequence[str]) -> bytes:
    lines = [f"{one.old or _NOTHING} {one.new or _NOTHING} {one.ref}" for one in moving]
    lines[0] += f"\0 {' '.join((*features, f'agent={AGENT}'))}"
    return joined(lines)


def _report(git: Git, answer: HttpAnswer, updates: Sequence[RefUpdate]) -> GitResult | None:
    """Read what became of a push."""
    said = Speech()
    try:
        report = bytearray()
        for part in sideband(answer.read, lambda data: said.add(data.replace(b"\r", b"\n"))):
            report += part
            if len(report) > _MOST_REPORT:
                raise NotGit("a report that does not end")
        lines = list(section(io.BytesIO(report).read))
    except NotGit as error:
        raise NoReport(str(error)) from None
    if not lines or not lines[0].startswith("unpack "):
        raise NoReport("no report")
    if lines[0] != "unpack ok":
        return None
    words = (text.split(" ", 2) for text in lines[1:])
    became = {ref: (word, " ".join(why)) for word, ref, *why in words}
    entries = [(update, *_became(git, update, became.get(update.ref))) for update in updates]
    code = 1 if any(flag == "!" for _, flag, _ in entries) else 0
    return GitResult(code, _lines(entries), git.scrub(_remote(said.text())))


def _became(git: Git, update: RefUpdate, told: tuple[str, str] | None) -> tuple[str, str]:
    """Return flag and words of git for what a server told of one branch: word and reason."""
    if update.new == update.old:
        return "=", "[up to date]"
    if told is None or told[0] not in ("ok", "ng"):
        return "!", "[remote failure] (remote failed to report status)"
    if told[0] == "ng":
        return "!", f"[remote rejected] ({git.scrub(told[1]) or 'failed'})"
    return (" " if update.new else "-"), "[moved]"


def _remote(told: bytes) -> str:
    """Return what the server said, as git prints it."""
    text = told.decode("utf-8", "replace")
    return "".join(f"remote: {one}\n" for one in text.split("\n") if one.strip())


def _lines(entries: Iterable[tuple[RefUpdate, str, str]]) -> bytes:
    """Return lines as `git push --porcelain` prints them: update, flag, what became of it."""
    lines = (f"{flag}\t{one.new or ''}:{one.ref}\t{what}\n" for one, flag, what in entries)
    return "".join(lines).encode()
