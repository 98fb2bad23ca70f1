"""The command line that asks for a change once more, for people to copy."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from gitops.core.environments.environment import Overlay
from gitops.core.git.message import reason_of, trailers
from gitops.core.git.revision import parse_revision
from gitops.core.kustomization.image import ImageChange
from gitops.core.text.plain import one_line


def asking(
    overlay: Overlay, changes: Sequence[ImageChange], message: str, *, adds: bool, hold: bool
) -> str:
    """Return the command that asks for `changes` of a proposal whose head has `message`.

    Args:
        adds: an image has no entry yet.
        hold: it brings a hold along (a rollback).
    """
    said = trailers(message)
    action = said.get("Gitops-Action", ("deploy",))[-1]
    name = overlay.environment.name
    if action == "rollback":
        restores = said.get("Gitops-Restores", ("RELEASE",))[-1]
        words = ["gitops", "rollback", name, "--to", restores]
        words += [] if hold else ["--no-hold"]
    elif action == "undo":
        words = ["gitops", "undo", name]
    elif action == "promote":
        words = ["gitops", "promote", "--to", name]
    else:
        words = ["gitops", "deploy", "--to", name]
        words += _origin(said.get("Source-Revision", ()))
        words += ["--add"] if adds else []
    words += _app(overlay)
    reason = reason_of(message)
    words += ["--reason", reason] if reason is not None else []
    if action == "promote":
        words += _named([change.image for change in changes])
    elif action not in ("rollback", "undo"):
        words += _named([image_argument(change) for change in changes])
    return _joined(words)


def approving(overlay: Overlay, head: str) -> str:
    """Return the command that merges exactly `head`."""
    return _joined(["gitops", "approve", overlay.environment.name, *_app(overlay), "--head", head])


def image_argument(change: ImageChange) -> str:
    """Return the IMAGE argument that makes `change`, whatever the overlay pins."""
    after = change.after
    tag = f":{after.tag}" if after.tag is not None else ""
    digest = f"@{after.digest}" if after.digest is not None else ""
    if after.name is not None:
        return f"{change.image}={after.name}{tag}{digest}"
    if change.before.name is not None or not (tag or digest):
        return f"{change.image}={change.image}{tag}{digest}"  # drops the old newName
    return f"{change.image}{tag}{digest}"


def _named(words: list[str]) -> list[str]:
    """No name of an image, whoever chose it, is taken for an option."""
    return ["--", *words] if any(word.startswith("-") for word in words) else words


def _origin(revisions: Sequence[str]) -> list[str]:
    revision = parse_revision(revisions[-1]) if revisions else None
    if revision is None:
        return []
    commit = ["--commit", revision.commit] if revision.commit is not None else []
    return ["--ref", revision.branch, *commit]


def _app(overlay: Overlay) -> list[str]:
    return ["--app", overlay.app] if overlay.app is not None else []


def _joined(words: Sequence[str]) -> str:
    return shlex.join(one_line(word) for word in words)
