"""What git and servers say, sorted into what gitops can do about it. Pure.

The wordings come from git itself and from GitHub, GitLab, Gitea, Bitbucket and Azure DevOps. A
wording nobody knows is UNKNOWN: whoever asks looks at the branch again, since the tip tells the
truth where words differ.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from gitops.core.text.plain import one_line, split_lines
from gitops.errors import (
    Denied,
    GitopsError,
    HookDeclined,
    NoAtomicPush,
    NotFound,
    Protected,
    Unavailable,
)

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.command.causes import Cause


class AnswerKind(Enum):
    """What an answer means for the caller."""

    LANDED = "landed"
    RACE = "race"
    CLASH = "a branch is in the way"
    PROTECTED = "a rule keeps the branch"
    DECLINED = "a hook said no"
    REFUSED = "a setting of the server forbids it"
    DENIED = "no permission"
    NOT_FOUND = "no repository there"
    MOVED = "the address redirects elsewhere"
    NO_BRANCH = "no such branch"
    NO_ATOMIC = "the server cannot move several branches at once"
    OTHER_FORMAT = "the repository uses another hash"
    UNAVAILABLE = "try again"
    UNKNOWN = "words nobody knows"


class PushVerdict(Struct, frozen=True):
    """A kind, the server's (or git's) words for people, and the cause where no try mends it."""

    kind: AnswerKind
    words: str
    cause: Cause | None = None


def _any(*patterns: str) -> str:
    # Compiled when it is used first (`re` remembers): most calls need none of them.
    return "(?i)" + "|".join(patterns)


_CLASH = r"'(?:refs/heads/)?([^']+)' exists; cannot create '(?:refs/heads/)?([^']+)'"
_PROTECTED = _any(
    r"\bGH006\b",
    r"\bGH013\b",
    r"protected branch hook declined",
    r"repository rule violations",
    r"not allowed to (force )?push (code )?to (a )?protected branch",
    r"branch \S+ is protected from",
    r"permission denied to update branch",
    r"\bTF402455\b",
)
_NO_PERMISSION = _any(
    r"not allowed to push code to this project",
    r"could not be found or you don't have permission",
    r"user permission denied for writing",
    r"\bTF401027\b",
    r"insufficient permission for adding",
    r"unable to create temporary object directory",
)
_DECLINED = _any(r"hook declined", r"\bGH00[0-9]\b")
_LOCKED = _any(r"unable to create '[^']*\.lock'")
_AT = r"is at ([0-9a-f]{40,64}) but expected"
_RACE = _any(
    r"fetch first",
    r"\(non-fast-forward\)",
    r"stale info",
    _AT,
    r"incorrect old value provided",
    r"reference already exists",
    r"unable to resolve reference",
    r"\bTF401028\b",
)
_SETTINGS = (
    ("branch is currently checked out", "receive.denyCurrentBranch"),
    ("deletion of the current branch prohibited", "receive.denyDeleteCurrent"),
    ("deletion prohibited", "receive.denyDeletes"),
    ("(non-fast-forward)", "receive.denyNonFastForwards"),
    ("hidden ref", "transfer.hideRefs"),
    ("shallow update not allowed", "receive.shallowUpdate"),
)
_TRANSPORT = (
    (AnswerKind.NO_ATOMIC, _any(r"does not support --atomic")),
    (
        AnswerKind.OTHER_FORMAT,
        _any(r"mismatched algorithms", r"does not support this repository's hash"),
    ),
    (AnswerKind.NO_BRANCH, _any(r"couldn't find remote ref")),
    (AnswerKind.MOVED, _any(r"returned error: 30\d")),
    (
        AnswerKind.DENIED,
        _any(
            r"authentication failed",
            r"could not read (username|password)",
            r"returned error: (401|403)",
            r"permission denied \(",
            r"dubious ownership",
            r"transport '[^']*' not allowed",
            r"\bTF401027\b",
            r"insufficient permission",
            r"unable to create temporary object directory",
        ),
    ),
    (
        AnswerKind.UNAVAILABLE,
        _any(
            r"returned error: (429|5\d\d)",
            r"could not resolve (host|proxy)",
            r"failed to connect",
            r"couldn't connect",
            r"connection (was )?(refused|reset|timed out|closed)",
            r"network is unreachable",
            r"no route to host",
            r"(operation|timed) ?(timed )?out",
            r"empty reply from server",
            r"early eof",
            r"rpc failed",
            r"git-http-push failed",
            r"is this a git repository",
            r"kex_exchange_identification",
            r"failed to report status",
        ),
    ),
    (
        AnswerKind.NOT_FOUND,
        _any(
            r"repository '[^']*' not found",
            r"repository not found",
            r"returned error: 404",
            r"does not appear to be a git repository",
            r"(repository|path) '[^']*' does not exist",
            r"not a git repository",
            r"could not be found",
            r"\bTF401019\b",
        ),
    ),
    (AnswerKind.UNAVAILABLE, _any(r"hung up unexpectedly")),
)
# Lines that say nothing by themselves; the one before them does.
_EMPTY_WORDS = _any(
    r"could not read from remote repository",
    r"please make sure you have the correct access",
    r"and the repository exists",
    r"failed to push some refs",
    r"hung up unexpectedly",
    r"^hint:",
    r"^to \S+$",
    r"^everything up-to-date$",
)
_LINES = 6  # of what a server says are quoted
_LINE = re.compile(r"(?P<flag>[ +\-*=!])\t(?P<src>[^\t]*):(?P<dst>[^\t:]+)\t(?P<what>.*)")


UNSENT = "[rejected]"
"""Begins the words of a race that git itself lost: nothing was sent to the server."""


def at_commit(words: str) -> str | None:
    """Return the commit that a branch is at, as a server says it, None where it does not."""
    found = re.search(_AT, words)
    return found[1] if found else None


def remote_words(err: str) -> tuple[str, ...]:
    """Return what the server itself said: the `remote:` lines, without frames and blanks."""
    lines = []
    for line in re.split(r"[\r\n]+", err):
        if line.startswith("remote:"):
            text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line[len("remote:") :]).strip()
            if text and not re.fullmatch(r"[=\-*#\s]*", text):
                lines.append(text)
    return tuple(lines)


def words_of(err: str) -> str:
    """Return the line of git's stderr that says what is wrong, with the server's own words."""
    said = [*remote_words(err)]
    for line in re.split(r"[\r\n]+", err):
        text = re.sub(r"^(fatal|error|warning): ", "", line.strip())
        if text and not line.startswith("remote:") and not re.search(_EMPTY_WORDS, text):
            said.append(text)
    return quoted(said) or one_line(err) or "git said nothing"


def quoted(lines: Sequence[str]) -> str:
    """Return what was said as one line; of a long speech the end, which says what came of it."""
    told = list(dict.fromkeys(one_line(line) for line in lines))
    return "; ".join(["…", *told[-_LINES:]] if len(told) > _LINES else told)


def read_refs(out: str) -> dict[str, str]:
    """Return ref -> id of what `git ls-remote` printed."""
    pairs = (line.partition("\t") for line in split_lines(out))
    return {ref: oid for oid, _, ref in pairs if ref}


def read_transport(err: str) -> PushVerdict:
    """Sort the stderr of a command that ended without a word about any branch."""
    from gitops.adapters.gitrepo.command.causes import transport_cause

    own = "\n".join(line for line in split_lines(err) if not line.startswith("remote:"))
    if cause := transport_cause(own):
        kind = AnswerKind.NOT_FOUND if cause.missing else AnswerKind.DENIED
        return PushVerdict(kind, cause.words(own, words_of(err)), cause)
    for kind, pattern in _TRANSPORT:
        if re.search(pattern, err):
            return PushVerdict(kind, words_of(err))
    return PushVerdict(AnswerKind.UNKNOWN, words_of(err))


def read_push(code: int, out: str, err: str) -> PushVerdict:
    """Sort the answer to `git push --porcelain`: exit code, stdout, stderr.

    The lines for each branch count, not the exit code alone; `remote:` lines come with successes
    too, and mean something only beside a rejection.
    """
    lines = [found for found in map(_LINE.fullmatch, split_lines(out)) if found]
    rejected = [found["what"] for found in lines if found["flag"] == "!"]
    if not rejected:
        if lines and code == 0:
            return PushVerdict(AnswerKind.LANDED, "")
        return read_transport(err)
    # Of an atomic push the others only say that somebody else was rejected.
    own = [what for what in rejected if "atomic push failed" not in what]
    own = [what for what in own if "atomic transaction failed" not in what] or rejected
    if all(what.startswith("[remote failure]") for what in own):
        return PushVerdict(AnswerKind.UNAVAILABLE, words_of(err) if err.strip() else own[0])
    if any(what.startswith(UNSENT) for what in own):
        reason = next(what for what in own if what.startswith(UNSENT))
        if re.search(_RACE, reason):
            return PushVerdict(AnswerKind.RACE, reason)
        # An atomic push names no culprit when git itself gave up: the tip tells.
        return PushVerdict(AnswerKind.UNKNOWN, reason)
    return _read_rejection("\n".join(own), err)


def read_update(err: str) -> PushVerdict:
    """Sort the stderr of a failed `git update-ref --stdin`."""
    return _read_rejection(words_of(err), err)


def _read_rejection(reason: str, err: str) -> PushVerdict:
    from gitops.adapters.gitrepo.command.causes import rule_cause

    said = remote_words(err)
    everything = "\n".join((reason, err))
    shown = quoted(said) or _inner(reason)
    if clash := re.search(_CLASH, everything):
        return PushVerdict(AnswerKind.CLASH, f"branch {clash[1]} stands in the way of {clash[2]}")
    if re.search(_PROTECTED, everything):
        return PushVerdict(AnswerKind.PROTECTED, shown, rule_cause(everything))
    if re.search(_NO_PERMISSION, everything):
        return PushVerdict(AnswerKind.DENIED, shown)
    if re.search(_DECLINED, reason) or re.search(r"\bGH00[0-9]\b", everything):
        return PushVerdict(AnswerKind.DECLINED, shown, rule_cause(everything))
    if re.search(_LOCKED, everything):
        return PushVerdict(AnswerKind.UNAVAILABLE, shown)
    for words, setting in _SETTINGS:
        if words in reason:
            return PushVerdict(
                AnswerKind.REFUSED, f"{_inner(reason)}: the server's {setting} forbids it"
            )
    if re.search(_RACE, everything):
        return PushVerdict(AnswerKind.RACE, quoted((_inner(reason), *said)))
    return PushVerdict(AnswerKind.UNKNOWN, quoted((_inner(reason), *said)))


def _inner(reason: str) -> str:
    first = reason.split("\n")[0]
    return re.sub(r"^\[[^\]]*\]\s*", "", first).removeprefix("(").removesuffix(")")


_CREDENTIALS = "check the token or key, and that it may read and write this repository"
_NOT_FOUND_HINT = "check the address; servers say the same when the account may not see it"
_PROTECTED_HINT = "let this account push there, or set `change: pull-request` in gitops.yaml"


def error_of(verdict: PushVerdict, place: str) -> GitopsError:
    """Return the error that tells people about `verdict`; `place` is the repository (and branch).

    LANDED and RACE are no errors; UNKNOWN counts as unavailable, for it may work later.
    """
    words = verdict.words
    match verdict.kind:
        case AnswerKind.CLASH:
            return Denied(f"{place}: {words}", hint="delete or rename that branch")
        case AnswerKind.PROTECTED:
            hint = _way_out(verdict, place, _PROTECTED_HINT)
            return Protected(f"{place} is protected: {words}", hint=hint)
        case AnswerKind.DECLINED:
            hint = _way_out(verdict, place, None)
            return HookDeclined(f"a hook of {place} declined the push: {words}", hint=hint)
        case AnswerKind.REFUSED:
            return Denied(f"{place}: {words}")
        case AnswerKind.DENIED:
            return _denied(verdict, place)
        case AnswerKind.NOT_FOUND:
            told = "no repository at {}" if verdict.cause is None else "{} cannot be reached"
            hint = _way_out(verdict, place, _NOT_FOUND_HINT)
            return NotFound(f"{told.format(place)}: {words}", hint=hint)
        case AnswerKind.MOVED:
            return NotFound(
                f"{place} redirects elsewhere, and the password in its URL does not go along",
                hint="give --repo the new address",
            )
        case AnswerKind.NO_BRANCH:
            return NotFound(f"no such branch in {place}: {words}")
        case AnswerKind.NO_ATOMIC:
            return NoAtomicPush(
                f"{place} cannot move several branches at once (no atomic push)",
                hint="call gitops once for each environment",
            )
        case _:
            return Unavailable(f"{place} is unavailable: {words}")


def _denied(verdict: PushVerdict, place: str) -> Denied:
    if "dubious ownership" in verdict.words:
        named = re.search(r"repository at '([^']+)'", verdict.words)
        folder = shlex.quote(named[1]) if named is not None else "PATH"
        return Denied(
            f"{place} belongs to another user, so Git does not trust it",
            hint=f"`git config --global --add safe.directory {folder}`, if you do",
        )
    told = "no permission for {}" if verdict.cause is None else "{} cannot be reached"
    hint = _way_out(verdict, place, _CREDENTIALS)
    return Denied(f"{told.format(place)}: {verdict.words}", hint=hint)


def _way_out(verdict: PushVerdict, place: str, otherwise: str | None) -> str | None:
    return otherwise if verdict.cause is None else verdict.cause.way_out(place)
