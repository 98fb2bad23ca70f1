"""Who may approve a proposal, what its overrides cover, and the message of the merge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gitops.core.git.commit import Identity
from gitops.core.git.message import ChangeLine, CommitMessage, reason_of, trailers
from gitops.core.git.revision import Revision, parse_revision
from gitops.core.kustomization.image import ImageChange
from gitops.core.policy.reasons import Reason
from gitops.core.text.plain import one_line

_CO_AUTHOR = "Co-authored-by"
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
    return _with_trailers(message, [(_CO_AUTHOR, person(author)) for author in authors])


def uncovered(reasons: Iterable[Reason], message: str) -> tuple[Reason, ...]:
    """Return the reasons that no override which the proposal records was given for."""
    recorded = trailers(message).get("Gitops-Override", ())
    return tuple(
        reason
        for reason in reasons
        if not any(text.endswith(f"(passed: {one_line(str(reason))})") for text in recorded)
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
    squashes: bool = False,
) -> str:
    """Return the message of the commit that lands a proposal.

    It says what changes now, keeps the proposal's reason and trailers, and adds who approved. Its
    `Gitops-Id` stays on the merged commit; where that one is squashed, it comes along.
    """
    said = trailers(proposed)
    text = CommitMessage(
        action=said.get("Gitops-Action", ("deploy",))[-1],
        environments=[label],
        changes=[ChangeLine(label, change) for change in changes],
        intent=intent,
        reason=reason_of(proposed),
    ).render()
    own = {"Gitops-Action", "Gitops-Environment"} | (set() if squashes else {"Gitops-Id"})
    kept = [(key, value) for key, values in said.items() if key not in own for value in values]
    kept += [("Gitops-Override", override) for override in overrides]
    kept += [("Gitops-Approved-By", who) for who in approved_by]
    return _with_trailers(text, kept)


def person(identity: Identity) -> str:
    """Return `NAME <ADDRESS>`, as trailers name people."""
    return f"{identity.name} <{identity.email}>"


def _with_trailers(message: str, pairs: Iterable[tuple[str, str]]) -> str:
    added = "".join(f"{key}: {one_line(value)}\n" for key, value in pairs)
    return message.rstrip("\n") + "\n" + added
