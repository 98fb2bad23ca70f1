"""Where an image says that it comes from, and whether that is what was said of it.

An image tells the repository and the commit that it was built from by two annotations, else by the
labels of its configuration, else by a build's statement (SLSA) beside it. All of these are claims
of whoever pushed it: they find mistakes. What finds an attacker is a signature
(`core.images.signed`). Labels are inherited from the base image, annotations are not
(moby/buildkit #4110): the repository must be the right one before the commit is believed, and
labels that the base image has as well prove nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from gitops.core.git.remote_url import normalised_repository
from gitops.core.images.manifest import REVISION, SOURCE, ImageInfo, Manifest
from gitops.core.images.name import ImageName, image_name, is_digest, is_tag
from gitops.core.text.plain import one_line
from gitops.errors import UsageError

BASE_NAME: Final = "org.opencontainers.image.base.name"
BASE_DIGEST: Final = "org.opencontainers.image.base.digest"

By = Literal["annotation", "label", "statement", "certificate"]

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_SHOWN = 7


class SourceClaim(Struct, frozen=True):
    """What an image says of itself.

    Attributes:
        source: the repository, as it stands there.
        revision: the commit, at least seven digits, in lower case.
    """

    source: str
    revision: str
    by: By


class Expected(Struct, frozen=True):
    """What an image must say.

    Attributes:
        source: URL of the repository that `gitops.yaml` names for it.
        commit: that it was built from; None: nobody said it.
    """

    source: str
    commit: str | None = None


class ParentImage(Struct, frozen=True):
    """A base image, as an image names it.

    Attributes:
        reference: its digest, else its tag.
    """

    name: ImageName
    reference: str


def built_on(info: ImageInfo) -> ParentImage | None:
    """Return the base image that an image names; None: it names none that has a registry."""
    for manifest in _manifests(info):
        text = manifest.annotations.get(BASE_NAME, "").partition("@")[0]
        head, _, tag = text.rpartition(":")
        if not head or "/" in tag:  # the colon was that of a port
            head, tag = text, "latest"
        name = image_name(head)
        digest = manifest.annotations.get(BASE_DIGEST, "")
        if name is not None and (is_digest(digest) or is_tag(tag)):
            return ParentImage(name, digest if is_digest(digest) else tag)
    return None


def read_claim(
    info: ImageInfo,
    inherited: Iterable[Mapping[str, str]] = (),
    statements: Iterable[SourceClaim] = (),
) -> SourceClaim | str:
    """Return what an image says, else why that is nothing.

    Args:
        inherited: the labels of each image of its base, where that could be read.
        statements: what builds said of this very image, the digest compared.
    """
    index = _claim(info.manifest.annotations, "annotation")
    if index is not None:
        return index
    labels = list(inherited)
    found: set[SourceClaim | None] = set()
    lost = False
    for image in info.images:
        claim = _claim(image.manifest.annotations, "annotation")
        if claim is None:
            claim = _claim(image.config.labels, "label")
            if claim is not None and any(_has(one, claim) for one in labels):
                claim, lost = None, True
        found.add(claim)
    known = {claim for claim in found if claim is not None}
    if not known:
        known = set(statements)
        found = {*known}
    if len(known) > 1 or (known and None in found):
        return "its platforms do not say the same of where it was built from"
    if known:
        return known.pop()
    if lost:
        return "its labels are those of its base image, and prove nothing"
    return f"it does not say where it was built from ({SOURCE}, {REVISION})"


def judge_claim(claim: SourceClaim | str, expected: Expected) -> str | None:
    """Return why an image is not what it should be; None when it is."""
    if isinstance(claim, str):
        return claim
    if _repository(claim.source) != _repository(expected.source):
        # Of another repository, the commit says nothing: it may be a base image's.
        told, wanted = one_line(claim.source, 120), one_line(expected.source, 120)
        return f"it says that it comes from {told}, and not from {wanted}"
    if expected.commit is None or same_commit(claim.revision, expected.commit):
        return None
    built, wanted = claim.revision[:_SHOWN], expected.commit[:_SHOWN]
    return f"it was built from {built}, and not from {wanted}"


def same_commit(one: str, other: str) -> bool:
    """Say whether two ids of commits, of which one may be short, are the same."""
    short, long = sorted((one.lower(), other.lower()), key=len)
    return len(short) >= _SHOWN and long.startswith(short)


def _claim(said: Mapping[str, str], by: By) -> SourceClaim | None:
    return make_claim(said.get(SOURCE), said.get(REVISION), by)


def make_claim(source: str | None, revision: str | None, by: By) -> SourceClaim | None:
    """Return a claim; None for what is none: without a repository, or a commit that is no id."""
    commit = (revision or "").strip().lower()
    if not source or not source.strip() or _COMMIT.fullmatch(commit) is None:
        return None
    return SourceClaim(source.strip(), commit, by)


def _has(labels: Mapping[str, str], claim: SourceClaim) -> bool:
    """Has the base image the same commit? The repository may well be the same."""
    return (labels.get(REVISION) or "").strip().lower() == claim.revision


def _repository(url: str) -> str:
    """Return `host/path` of an address, however it is written."""
    try:
        return normalised_repository(url)
    except UsageError:
        return url.strip().lower()


def _manifests(info: ImageInfo) -> Iterable[Manifest]:
    return (info.manifest, *(image.manifest for image in info.images))
