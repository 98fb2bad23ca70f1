"""Who may approve a proposal, what its overrides cover, and the message of the merge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.git.message import ChangeLine, CommitMessage, reason_of, said_of, trailers
from gitops.core.git.proof import TRAILER as PROVENANCE
from gitops.core.git.revision import Revision, parse_revision
from gitops.core.git.schema import schema_of
from gitops.core.kustomization.image import ImageChange
from gitops.core.policy.reasons import Reason
from gitops.core.releases.provenance import shared_source
from gitops.core.text.plain import one_line

_CO_AUTHOR = "Co-authored-by"
_FORWARD = ("deploy", "promote")
_PROVED = {
    "Gitops-Action",
    "Gitops-Environment",
    "Gitops-Override",
    "Gitops-Approved-By",
    *("Gitops-Via", "Gitops-Actor", "Gitops-Request"),  # who asks for it now says so, or nobody
    PROVENANCE,
}
_GOES_BACK = {"Gitops-Restores", "Gitops-Rolled-Back", "Gitops-Undoes"}
_PERSON = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>]+)>")


def authors_of(author: Identity, message: str) -> tuple[Identity, ...]:
    """Return everybody who made the proposal: its head's author and the `Co-authored-by` ones."""
    found = [author]
    for text in trailers(message).get(_CO_AUTHOR, ()):
        match = _PERSON.fullmatch(text)
        if match is not None:
            found.append(Identity(match["name"].strip(), match["email"].strip()))
    return tuple(dict.fromkeys(found))


def is_author(approver: Identity, authors: Iterable[Identity]) -> bool:
    """Say whether `approver` is one of `authors`; an address counts, whatever name is beside it."""
    return any(approver.email.lower() == author.email.lower() for author in authors)


def with_authors(message: str, authors: Iterable[Identity]) -> str:
    """Return `message` with a `Co-authored-by` trailer for each of `authors`."""
    return _with_trailers(message, [(_CO_AUTHOR, author.text) for author in authors])


class GivenOverride(Struct, frozen=True):
    """An override that a commit of a proposal records.

    Attributes:
        text: `REASON (passed: …)`, as its message has it.
        by: who gave it: the signer where one is known, else who the commit says.
        void: why it does not count; None: it does.
    """

    text: str
    by: str
    void: str | None = None

    def __str__(self) -> str:
        said = f"an override in the proposal, by {one_line(self.by, 80)}: {one_line(self.text)}"
        return said if self.void is None else f"{said}; it does not count: {self.void}"


def overrides_in(
    commits: Iterable[CommitInfo], signed: Mapping[str, str] | None
) -> tuple[GivenOverride, ...]:
    """Return the overrides that the commits of a proposal record.

    `signed` says which commits a listed key signed; None: nobody asks for signatures.
    """
    found: list[GivenOverride] = []
    for info in commits:
        for text in trailers(info.message).get("Gitops-Override", ()):
            signer = signed.get(info.commit) if signed is not None else None
            is_void = signed is not None and signer is None
            void = "its commit is not signed with a listed key" if is_void else None
            found.append(GivenOverride(text, signer or info.author.name, void))
    return tuple(found)


def makers(commits: Iterable[CommitInfo], signed: Mapping[str, str]) -> frozenset[str]:
    """Return every name, address and signer of whoever wrote one of `commits`, in lower case."""
    found: set[str] = set()
    for info in commits:
        for author in authors_of(info.author, info.message):
            found |= {author.name.lower(), author.email.lower()}
        if info.commit in signed:
            found.add(signed[info.commit].lower())
    return frozenset(found)


def uncovered(reasons: Iterable[Reason], overrides: Sequence[str]) -> tuple[Reason, ...]:
    """Return the reasons that none of `overrides` was given for."""
    return tuple(
        reason
        for reason in reasons
        if not any(text.endswith(f"(passed: {one_line(str(reason))})") for text in overrides)
    )


def source_of(message: str) -> Revision | None:
    """Return the source revision that the proposal names, None when it names none."""
    return parse_revision(trailers(message).get("Source-Revision", (None,))[-1])


def sources_of(message: str, images: Iterable[str]) -> dict[str, str | None]:
    """Return image -> the source revision that a proposed promotion recorded for it."""
    found = trailers(message)
    shared = found.get("Source-Revision", (None,))[-1]
    lines = (text.split(" ") for text in found.get("Gitops-Source", ()))
    own = {line[1]: line[2] for line in lines if len(line) == 3}
    return {image: own.get(image, shared) for image in images}


def merge_message(
    proposed: str,
    *,
    label: str,
    changes: Sequence[ImageChange],
    approved_by: Sequence[str],
    intent: str,
    overrides: Sequence[str] = (),
    goes_back: str | None = None,
    squashes: bool = False,
) -> str:
    """Return the message of the commit that lands a proposal.

    It says what changes now, keeps the proposal's reason and trailers, and adds who approved. What
    only counts when it was proved is not taken from the proposal: `overrides` are those that count,
    and `goes_back` is `rollback` or `undo` where it is one. Its `Gitops-Id` stays on the merged
    commit; where that one is squashed, it comes along.
    """
    said = trailers(proposed)
    action = landing_action(proposed, goes_back)
    text = CommitMessage(
        action=action,
        environments=[label],
        changes=[ChangeLine(label, change) for change in changes],
        intent=intent,
        reason=reason_of(proposed),
    ).render()
    own = _PROVED | (set() if squashes else {"Gitops-Id"}) | (set() if goes_back else _GOES_BACK)
    kept = [(key, value) for key, values in said.items() if key not in own for value in values]
    kept += [("Gitops-Override", override) for override in overrides]
    kept += [("Gitops-Approved-By", who) for who in approved_by]
    return _with_trailers(text, kept)


def with_proofs(message: str, proofs: Iterable[str]) -> str:
    """Return `message` with what images proved when the proposal was approved."""
    return _with_trailers(message, [(PROVENANCE, text) for text in proofs])


def landing_action(proposed: str, goes_back: str | None) -> str:
    """Return what a proposal is once it lands: what it says of going back must be proved."""
    action = trailers(proposed).get("Gitops-Action", ("deploy",))[-1]
    return goes_back or (action if action in _FORWARD else "deploy")


class LandingProposal(Struct, frozen=True):
    """One of several proposals that land in one commit.

    Attributes:
        message: of the commit that proposes it.
        goes_back: `rollback` or `undo` where it is one, proved.
    """

    label: str
    message: str
    changes: Sequence[ImageChange]
    goes_back: str | None = None


def merge_message_of_many(
    parts: Sequence[LandingProposal],
    *,
    approved_by: Sequence[str],
    intent: str,
    overrides: Sequence[str] = (),
    squashes: bool = False,
) -> str:
    """Return the message of the commit that lands several proposals of one kind.

    Like `merge_message`; what each restores and where its images come from is told by its label.
    """
    told = [
        (part.label, image, revision)
        for part in parts
        for image, revision in sources_of(
            part.message, [change.image for change in part.changes]
        ).items()
    ]
    source, sources = shared_source(told)
    reasons = dict.fromkeys(filter(None, (reason_of(part.message) for part in parts)))
    text = CommitMessage(
        action=landing_action(parts[0].message, parts[0].goes_back),
        environments=[part.label for part in parts],
        changes=[ChangeLine(part.label, change) for part in parts for change in part.changes],
        intent=intent,
        reason="; ".join(reasons) or None,
        source=source,
        sources=sources,
        restores=_of_each(parts, "Gitops-Restores"),
        rolled_back=_of_each(parts, "Gitops-Rolled-Back"),
        undoes=_of_each(parts, "Gitops-Undoes"),
        schema={
            part.label: schema
            for part in parts
            if (schema := schema_of(trailers(part.message), (part.label,))) is not None
        }
        or None,
        crosses=[
            text for part in parts for text in trailers(part.message).get("Gitops-Schema-Risk", ())
        ],
    ).render()
    kept = [("Gitops-Override", override) for override in overrides]
    kept += [("Gitops-Approved-By", who) for who in approved_by]
    if squashes:
        ids = (trailers(part.message).get("Gitops-Id", ()) for part in parts)
        kept += [("Gitops-Id", one) for one in dict.fromkeys(id_ for some in ids for id_ in some)]
    return _with_trailers(text, kept)


def _of_each(parts: Sequence[LandingProposal], key: str) -> dict[str, str] | None:
    """Return label -> what a proposal that goes back says at `key`; None where none says it."""
    found = {
        part.label: said
        for part in parts
        if part.goes_back is not None
        and (said := said_of(trailers(part.message), key, (part.label,))) is not None
    }
    return found or None


def _with_trailers(message: str, pairs: Iterable[tuple[str, str]]) -> str:
    added = "".join(f"{key}: {one_line(value)}\n" for key, value in pairs)
    return message.rstrip("\n") + "\n" + added
