"""A release, and what was seen of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from gitops.core.git.commit import Identity
from gitops.core.git.proof import Proof
from gitops.core.git.schema import Schema
from gitops.core.kustomization.image import ImageValue

Health = Literal["stable", "degraded"]
Quality = Literal["qa-passed", "qa-failed"]


class Release(Struct, frozen=True):
    """The images that one first-parent commit pinned in one overlay.

    Attributes:
        commit: 40 (or 64) hex digits.
        time: of the commit; None for a date that no calendar has.
        action: `Gitops-Action` (deploy, rollback, promote, …), None for a commit by hand.
        images: image name -> value; None when the overlay did not parse at this commit.
        restores: for a rollback, the commit whose images it says that it put back.
        rolled_back: for a rollback, the commit that was judged bad.
        source: `Source-Revision` (`release/1.4@sha1:…`), when known.
        sources: image -> the same, where the commit says it for each image (`Gitops-Source`).
        intent: `Gitops-Id`; the commits of one call on several branches have the same.
        labels: the overlays that it says it changed.
        schema: what it did to the database's schema; None: nobody said.
        proofs: what its images proved of where they were built from, as the commit records it.
    """

    commit: str
    time: datetime | None
    author: Identity
    subject: str
    action: str | None
    images: Mapping[str, ImageValue] | None
    restores: str | None = None
    rolled_back: str | None = None
    source: str | None = None
    sources: Mapping[str, str] = {}
    intent: str | None = None
    labels: tuple[str, ...] = ()
    schema: Schema | None = None
    proofs: tuple[Proof, ...] = ()

    def source_of(self, image: str) -> str | None:
        """Return the source revision that the commit tells for one image, None when it does not."""
        return self.sources.get(image, self.source)


class Verdicts(Struct, frozen=True):
    """The newest verdict of each kind on each release of one overlay.

    A verdict is given to a whole set of images, so whoever fills this gives it to every release
    that pins this set.

    Attributes:
        health: commit of a release -> stable or degraded.
        quality: commit of a release -> qa-passed or qa-failed.
    """

    health: Mapping[str, Health] = {}
    quality: Mapping[str, Quality] = {}

    def __bool__(self) -> bool:
        return bool(self.health or self.quality)

    def against(self, commit: str) -> str | None:
        """Return `degraded` or `qa-failed` when that is the newest word on a release."""
        if self.health.get(commit) == "degraded":
            return "degraded"
        return "qa-failed" if self.quality.get(commit) == "qa-failed" else None

    def is_stable(self, commit: str) -> bool:
        """Was the release seen stable, and nothing else since?"""
        return self.health.get(commit) == "stable"


NO_VERDICTS = Verdicts()
