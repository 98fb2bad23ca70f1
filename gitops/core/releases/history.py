"""Commits of an overlay, and the releases among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from msgspec import Struct

from gitops.core.git.commit import CommitInfo
from gitops.core.git.message import said_of, subject, trailers
from gitops.core.git.proof import TRAILER as PROVENANCE
from gitops.core.git.proof import Proof, proofs_of
from gitops.core.git.schema import Schema, schema_of, worst
from gitops.core.hold import Hold
from gitops.core.kustomization import image_values
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import Release
from gitops.errors import ManifestError


class OverlayVersion(Struct, frozen=True):
    """The kustomization of one overlay right after one first-parent commit that touched it.

    Attributes:
        file: base name of the kustomization file, None when the overlay had none.
        content: its bytes, None when `file` is None.
        complete: False for the last one of a history that goes on where nobody has it (shallow):
            it must not be taken for the commit that made the change, or for all that came in there.
    """

    commit: CommitInfo
    file: str | None
    content: bytes | None
    complete: bool = True


def releases(
    versions: Iterable[OverlayVersion],
    *,
    environment: str | Sequence[str] | None = None,
    holds: Mapping[str, Hold] = MappingProxyType({}),
) -> Iterator[Release]:
    """Yield the releases among `versions`, newest first, reading one version ahead.

    A release is a commit that changed the images of the overlay: its first version, a value, an
    entry that came or went; also one after which the overlay does not parse (`images` is None),
    and the one that mends it. What a release says of itself (action, what it restores, source)
    stands in its trailers, for a merge without any in those of the newest merged commit that has
    some, else in the hold that it wrote.

    Args:
        environment: label of the overlay (`prod`, `shop/prod`), or all that it had, which may get
            more while `versions` are read; trailers that name only others are passed over. None:
            trailers are believed as they are.
        holds: commit -> the hold of this overlay that this very commit added or changed.
    """
    labels = (environment,) if isinstance(environment, str) else environment
    newer: OverlayVersion | None = None
    for older in versions:
        if newer is not None and _differ(newer, older):
            yield _release(newer, labels, holds)
        newer = older
    if newer is not None and newer.complete and newer.content is not None:
        yield _release(newer, labels, holds)


def _differ(newer: OverlayVersion, older: OverlayVersion) -> bool:
    if newer.content == older.content:
        return False
    return _images(newer.content) is None or _images(newer.content) != _images(older.content)


@lru_cache(maxsize=4096)
def _images(content: bytes | None) -> Mapping[str, ImageValue] | None:
    """The images that `content` pins, None when it does not parse; equal bytes are read once."""
    if content is None:
        return MappingProxyType({})
    try:
        return MappingProxyType(image_values(content, "kustomization.yaml"))
    except ManifestError:
        return None


def _release(
    version: OverlayVersion, labels: Sequence[str] | None, holds: Mapping[str, Hold]
) -> Release:
    info = version.commit
    told = _told(info, labels)
    action = _last(told, "Gitops-Action")
    restores, rolled_back = (
        said_of(told, key, labels) for key in ("Gitops-Restores", "Gitops-Rolled-Back")
    )
    hold = holds.get(info.commit) if not told else None
    if hold is not None and hold.restores is not None:
        action, restores, rolled_back = "rollback", hold.restores, hold.rolled_back
    images = _images(version.content)
    return Release(
        commit=info.commit,
        time=info.time,
        author=info.author,
        subject=subject(info.message),
        action=action,
        images=images,
        restores=restores if action == "rollback" else None,
        rolled_back=rolled_back if action == "rollback" else None,
        source=_last(told, "Source-Revision"),
        sources=_sources(told, labels),
        intent=_last(told, "Gitops-Id"),
        labels=told.get("Gitops-Environment", ()),
        schema=_schema(info, labels),
        proofs=_proofs(info, labels, images or {}),
    )


def _schema(info: CommitInfo, labels: Sequence[str] | None) -> Schema | None:
    """Return the worst that the commit says of this overlay, or anything that it merged."""
    return worst(schema_of(_told_by(text, labels), labels) for text in (info.message, *info.merged))


def _proofs(
    info: CommitInfo, labels: Sequence[str] | None, images: Mapping[str, ImageValue]
) -> tuple[Proof, ...]:
    """Return what images proved: as the commit says, else the newest one that it merged.

    An older one that was merged told of images that may be others by now.
    """
    own = _told_by(info.message, labels)
    if PROVENANCE not in own:
        merged = (_told_by(message, labels) for message in info.merged)
        own = next((one for one in merged if one), {})
    return proofs_of(own, images)


def _told(info: CommitInfo, labels: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """The trailers of the commit, else of the newest merged one, that are about this overlay."""
    found = (_told_by(message, labels) for message in (info.message, *info.merged))
    return next((one for one in found if one), {})


def _told_by(message: str, labels: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """The trailers of one message, where they are ours and about this overlay."""
    found = trailers(message)
    about = found.get("Gitops-Environment", ())
    if "Gitops-Action" in found and (
        labels is None or not about or not set(labels).isdisjoint(about)
    ):
        return found
    return {}


def _sources(told: Mapping[str, tuple[str, ...]], labels: Sequence[str] | None) -> dict[str, str]:
    """Read the trailers `Gitops-Source: ENVIRONMENT IMAGE REVISION` that are about this overlay."""
    lines = (text.split(" ") for text in told.get("Gitops-Source", ()))
    return {
        line[1]: line[2]
        for line in lines
        if len(line) == 3 and (labels is None or line[0] in labels)
    }


def _last(found: Mapping[str, tuple[str, ...]], key: str) -> str | None:
    return found[key][-1] if key in found else None
