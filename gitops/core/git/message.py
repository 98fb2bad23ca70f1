"""Commit messages: subject, one line for each change, the reason, and trailers.

What comes from people, servers or files becomes one printable line of bounded length, and stands
behind a word of ours, so that no line of it can be taken for a trailer. Trailers are read from
the last paragraph only, as Git does; the first paragraph is the subject and never holds any.
`Argocd-reference-commit-sha` is what Argo CD shows as the source commit (its docs,
user-guide/source-hydrator: 5 to 40 hex digits).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.git.proof import TRAILER as PROVENANCE
from gitops.core.kustomization.image import ImageChange, describe_change
from gitops.core.text.plain import one_line

LONGEST_SUBJECT = 200
"""Columns that forges and `git log --oneline` show of a subject."""

SIGN_OFF = "Signed-off-by: {author}"
"""The trailer of `git commit --signoff`, as `put_in_form` takes it."""

_REASON = r"(?m)^Reason: (.*)$"
_TRAILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*):[ \t]*(.*)")
_PICKED = r"\(cherry picked from commit [0-9a-f]+\)"
_REVISIONS = {40: "sha1", 64: "sha256"}
_MOST_LABELS, _MOST_COMMITS = 5, 5
_VERBS = {"rollback": "roll back ", "undo": "undo the rollback of "}


class ChangeLine(Struct, frozen=True):
    """One image of one overlay, as the body of a message tells it.

    Attributes:
        environment_label: `prod`, or `shop/prod` for app shop.
    """

    environment_label: str
    change: ImageChange


class CommitMessage(Struct, frozen=True, kw_only=True):
    """What a commit of ours says.

    Attributes:
        action: deploy, rollback, promote, hold, resume, …
        environments: labels of the overlays that it touches.
        intent: unique id of what was asked for, the same in every attempt.
        overrides: one text for each reason that was passed over.
        source: (source branch, its full commit id or None), when known.
        restores: for a rollback, the commit whose images it puts back; of several overlays, label
            -> commit.
        rolled_back: for a rollback, the commit that was judged bad; likewise.
        undoes: for an undo, the rollback that it takes back; likewise.
        subject: in place of the one made from `environments` and `changes`.
        sources: where images have different sources, one `ENVIRONMENT IMAGE REVISION` for each.
        schema: what it does to databases (`core.git.schema`); likewise.
        crosses: for a rollback, `LABEL COMMIT` of each breaking release that somebody went back
            across.
        proofs: what images proved of where they were built from, a line for each.
    """

    action: str
    environments: Sequence[str]
    changes: Sequence[ChangeLine]
    intent: str
    reason: str | None = None
    overrides: Sequence[str] = ()
    source: tuple[str, str | None] | None = None
    restores: str | Mapping[str, str] | None = None
    rolled_back: str | Mapping[str, str] | None = None
    undoes: str | Mapping[str, str] | None = None
    subject: str | None = None
    sources: Sequence[str] = ()
    schema: str | Mapping[str, str] | None = None
    crosses: Sequence[str] = ()
    proofs: Sequence[str] = ()

    def render(self) -> str:
        """Return the whole message, ending in a newline."""
        title = self.subject
        if title is None:
            title = _title(self.action, self.environments, self.changes)
        paragraphs = [one_line(title, LONGEST_SUBJECT) or self.action]
        if self.changes:
            paragraphs.append("\n".join(_sentence(line) for line in self.changes))
        if self.reason is not None and one_line(self.reason):
            paragraphs.append(f"Reason: {one_line(self.reason)}")
        cleaned = ((key, one_line(value)) for key, value in self._trailers() if value is not None)
        paragraphs.append("\n".join(f"{key}: {value}" for key, value in cleaned if value))
        return "\n\n".join(paragraphs) + "\n"

    def _trailers(self) -> Iterator[tuple[str, str | None]]:
        """Yield every trailer in the order of the last paragraph; None and "" are left out."""
        yield "Gitops-Action", self.action
        yield from (("Gitops-Environment", label) for label in self.environments)
        yield "Gitops-Id", self.intent
        yield "Source-Revision", _revision(self.source)
        yield from (("Gitops-Source", text) for text in self.sources)
        yield from self._for_each("Gitops-Schema", self.schema)
        yield from ((PROVENANCE, text) for text in self.proofs)
        yield from self._for_each("Gitops-Restores", self.restores)
        yield from self._for_each("Gitops-Rolled-Back", self.rolled_back)
        yield from self._for_each("Gitops-Undoes", self.undoes)
        yield from (("Gitops-Schema-Risk", text) for text in self.crosses)
        yield from (("Gitops-Override", text) for text in self.overrides)
        yield "Argocd-reference-commit-sha", _reference(self.source)

    def _for_each(
        self, key: str, value: str | Mapping[str, str] | None
    ) -> Iterator[tuple[str, str | None]]:
        """Yield one trailer for all overlays where they agree, else `LABEL COMMIT` for each."""
        if value is None or isinstance(value, str):
            yield key, value
            return
        found = {label: value.get(label) for label in self.environments}
        if len(set(found.values())) == 1:
            yield key, next(iter(found.values()))
            return
        yield from ((key, f"{label} {one}") for label, one in found.items() if one is not None)


def put_in_form(
    message: str, subject_form: str, more: Iterable[str], author: Identity | None
) -> str:
    """Return `message` as a team writes its messages.

    Args:
        subject_form: the first line, with `{summary}` where the subject goes.
        more: trailers to add, with `{author}` for `author`; one that is there already is not.
    """
    summary, rest = message.split("\n", 1) if "\n" in message else (message, "\n")
    line = subject_form.replace("{summary}", summary)
    who = author.text if author is not None else ""
    added = [one_line(text.replace("{author}", who)) for text in more]
    added = [text for text in dict.fromkeys(added) if f"\n{text}\n" not in f"{rest}\n"]
    text = f"{one_line(line, max(LONGEST_SUBJECT, len(subject_form)))}\n{rest}"
    if added:
        gap = "" if trailers(message) else "\n"
        text = text.rstrip("\n") + "\n" + gap + "".join(f"{one}\n" for one in added)
    return text


def trailers(message: str) -> dict[str, tuple[str, ...]]:
    """Return the trailers of the last paragraph: key -> its values, in order.

    A paragraph with any line that is no trailer is prose and has none; so is the first one.
    """
    return dict(_trailers(message))


@lru_cache(maxsize=64)  # a commit of many overlays is read for each of them
def _trailers(message: str) -> dict[str, tuple[str, ...]]:
    paragraphs = _paragraphs(message)
    if len(paragraphs) < 2:
        return {}
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in paragraphs[-1]:
        match = _TRAILER.fullmatch(line)
        if match is not None:
            last = found.setdefault(match[1], [])
            last.append(match[2])
        elif line[0] in " \t" and last is not None:
            last[-1] = f"{last[-1]} {line.strip()}"
        elif not re.fullmatch(_PICKED, line):
            return {}
    return {key: tuple(values) for key, values in found.items()}


def said_of(
    found: Mapping[str, Sequence[str]], key: str, labels: Sequence[str] | None
) -> str | None:
    """Return what trailers say of one overlay at `key`: its own `LABEL VALUE`, else the one of all.

    `labels` are those that the overlay had; None: any of them.
    """
    shared, own = None, None
    for text in found.get(key, ()):
        label, _, value = text.rpartition(" ")
        if not label:
            shared = value
        elif labels is None or label in labels:
            own = value
    return shared if own is None else own


def reason_of(message: str) -> str | None:
    """Return the reason that a message of ours tells, None when it tells none."""
    found = re.search(_REASON, message)
    return found[1] if found is not None else None


@lru_cache(maxsize=64)
def subject(message: str) -> str:
    """Return the first paragraph of `message` as one line."""
    paragraphs = _paragraphs(message)
    return one_line(" ".join(paragraphs[0])) if paragraphs else ""


def _paragraphs(message: str) -> list[list[str]]:
    paragraphs: list[list[str]] = [[]]
    for line in message.split("\n"):
        if line.strip():
            paragraphs[-1].append(line.rstrip())
        elif paragraphs[-1]:
            paragraphs.append([])
    return [paragraph for paragraph in paragraphs if paragraph]


def told_labels(labels: Sequence[str]) -> str:
    """Return what a subject calls several overlays: all of a few, else the first and a count."""
    if len(labels) <= _MOST_LABELS:
        return ", ".join(labels)
    return f"{', '.join(labels[:2])} and {len(labels) - 2} more"


def told_commits(commits: Sequence[CommitInfo]) -> str:
    """Return what messages say of commits: each with its id, subject and author."""
    shown = [
        f"{info.commit[:7]} {subject(info.message)!r} by {info.author.name}"
        for info in commits[:_MOST_COMMITS]
    ]
    more = [f"{len(commits) - _MOST_COMMITS} more"] if len(commits) > _MOST_COMMITS else []
    return ", ".join([*shown, *more])


def _title(action: str, environments: Sequence[str], changes: Sequence[ChangeLine]) -> str:
    where = told_labels(environments)
    verb = _VERBS.get(action, "")
    images = dict.fromkeys(line.change.image for line in changes)
    if not images:
        return f"{where}: {action}"
    if len(images) > 1:
        return f"{where}: {verb}{len(images)} images"
    told = [describe_change(line.change) for line in changes]
    old, new = _join(before for before, _ in told), _join(after for _, after in told)
    return f"{where}: {verb}{next(iter(images))} {old} -> {new}"


def _join(words: Iterable[str]) -> str:
    """Each word once: environments may come from different values to the same one."""
    return ", ".join(dict.fromkeys(words))


def _sentence(line: ChangeLine) -> str:
    change = line.change
    before, after = describe_change(change)
    return one_line(f"{line.environment_label}: {change.image} {before} -> {after}")


def _revision(source: tuple[str, str | None] | None) -> str | None:
    """`release/1.4@sha1:…`; the branch alone when the commit is not known in full."""
    if source is None:
        return None
    branch, commit = source
    kind = _REVISIONS.get(len(commit)) if commit is not None and _is_hex(commit) else None
    return branch if kind is None or commit is None else f"{branch}@{kind}:{commit.lower()}"


def _reference(source: tuple[str, str | None] | None) -> str | None:
    commit = source[1] if source is not None else None
    return commit.lower() if commit and _is_hex(commit) and 5 <= len(commit) <= 40 else None


def _is_hex(word: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]+", word) is not None
