"""Manifests and configurations of images, read from the bytes that a registry sent.

What a registry sends is somebody else's: whatever is no manifest of the four known kinds, or lacks
what such a one must have, is refused with ValueError.
https://github.com/opencontainers/image-spec (manifest.md, image-index.md, config.md)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256, sha512
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from gitops.core.images.name import ImageName, is_digest
from gitops.core.text.plain import read_moment

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES: Final = (OCI_INDEX, DOCKER_LIST)
MANIFESTS: Final = (*INDEXES, OCI_MANIFEST, DOCKER_MANIFEST)
"""All that a tag may name. A registry that is not offered the kind of a tag answers 404."""

REVISION: Final = "org.opencontainers.image.revision"
SOURCE: Final = "org.opencontainers.image.source"
CREATED: Final = "org.opencontainers.image.created"
ATTESTATION: Final = "vnd.docker.reference.type"
"""The annotation by which BuildKit marks a child of an index that is no image."""


T = TypeVar("T")


class Platform(Struct, frozen=True, order=True):
    """What an image runs on; the words are Go's (`linux`, `arm64`, `v8`)."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(Struct, frozen=True):
    """A pointer to content: what an index has of its children, a manifest of its layers.

    Attributes:
        size: bytes.
        artifact_type: what it is, where it is no image: of referrers.
        platform: None where it does not say, or is no image.
    """

    media_type: str
    digest: str
    size: int
    artifact_type: str | None = None
    annotations: Mapping[str, str] = {}
    platform: Platform | None = None

    @property
    def is_index(self) -> bool:
        """True for what has children of its own."""
        return self.media_type in INDEXES

    @property
    def is_attestation(self) -> bool:
        """True for a child of an index that tells about another child, and cannot be run."""
        unknown = self.platform is not None and self.platform.os == "unknown"
        return ATTESTATION in self.annotations or unknown


class Manifest(Struct, frozen=True):
    """An image, or an index of several.

    Attributes:
        children: of an index.
        config, layers: of an image.
        subject: what it is about, where it refers to something else (a signature, an SBOM).
    """

    digest: str
    media_type: str
    size: int
    artifact_type: str | None = None
    annotations: Mapping[str, str] = {}
    children: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None

    @property
    def is_index(self) -> bool:
        """True for an index."""
        return self.media_type in INDEXES

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """The children that can be run: attestations left out."""
        return tuple(child for child in self.children if not child.is_attestation)


class ImageConfig(Struct, frozen=True):
    """What the configuration of one image says.

    Attributes:
        labels: also those that it inherited from its base image, which prove nothing.
        created: None where it does not say, or where no calendar has it.
        history: the commands that its layers were made by, the base image's first.
        layers: digests of the unpacked layers, the base image's first.
    """

    platform: Platform | None = None
    labels: Mapping[str, str] = {}
    created: datetime | None = None
    history: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


class PlatformImage(Struct, frozen=True):
    """One image of what a tag names: its manifest, and what its configuration says."""

    manifest: Manifest
    config: ImageConfig
    platform: Platform | None


class ImageInfo(Struct, frozen=True):
    """What a tag or digest names, with all the images in it.

    Attributes:
        manifest: what the digest is of: the index, where there is one.
        images: one for each platform that was asked for.
    """

    manifest: Manifest
    images: tuple[PlatformImage, ...]

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """What it runs on, sorted."""
        return tuple(sorted({image.platform for image in self.images if image.platform}))

    @property
    def created(self) -> datetime | None:
        """When it was made: what the manifest's annotation says, else the newest of its images."""
        told = moment(self.manifest.annotations.get(CREATED, ""))
        times = [image.config.created for image in self.images if image.config.created]
        return told or max(times, default=None)


class _Platform(Struct):
    os: str = ""
    architecture: str = ""
    variant: str | None = None


class _Descriptor(Struct, rename="camel"):
    digest: str
    media_type: str = ""
    size: int = 0
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None
    platform: _Platform | None = None


class _Manifest(Struct, rename="camel"):
    schema_version: int
    media_type: str | None = None
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None
    manifests: list[_Descriptor] | None = None
    config: _Descriptor | None = None
    layers: list[_Descriptor] | None = None
    subject: _Descriptor | None = None


class _Inner(Struct):
    labels: dict[str, str] | None = msgspec.field(default=None, name="Labels")


class _History(Struct):
    created_by: str | None = None


class _Layers(Struct):
    diff_ids: list[str] | None = None


class _Config(Struct):
    os: str | None = None
    architecture: str | None = None
    variant: str | None = None
    created: str | None = None
    config: _Inner | None = None
    history: list[_History] | None = None
    rootfs: _Layers | None = None


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Return the digest of these bytes."""
    made = sha512(content) if algorithm == "sha512" else sha256(content)
    return f"{algorithm}:{made.hexdigest()}"


def read_manifest(content: bytes, media_type: str, digest: str | None = None) -> Manifest:
    """Read a manifest as it was sent.

    Args:
        media_type: the `Content-Type` that it came with; parameters are passed over.
        digest: what it must be of; None: sha256.

    Raises ValueError for what is none, or is of another digest.
    """
    found = digest_of(content, digest.partition(":")[0] if digest else "sha256")
    if digest is not None and found != digest:
        raise ValueError(f"it is of another digest: {found}")
    told = _decode(content, _Manifest)
    kind = told.media_type or media_type.partition(";")[0].strip()
    if kind not in MANIFESTS:
        raise ValueError(f"it is no manifest of a known kind: {kind or 'none is named'}")
    if told.schema_version != 2:
        raise ValueError(f"it is a manifest of version {told.schema_version}")
    if kind in INDEXES and told.manifests is None:
        raise ValueError("it is an index without manifests")
    if kind not in INDEXES and told.config is None:
        raise ValueError("it is a manifest without a config")
    return Manifest(
        digest=found,
        media_type=kind,
        size=len(content),
        artifact_type=told.artifact_type or None,
        annotations=told.annotations or {},
        children=tuple(_descriptors(told.manifests if kind in INDEXES else None)),
        config=next(_descriptors([told.config] if told.config else None), None),
        layers=tuple(_descriptors(told.layers)),
        subject=next(_descriptors([told.subject] if told.subject else None), None),
    )


def read_config(content: bytes) -> ImageConfig:
    """Read an image's configuration. Raises ValueError for what is none."""
    told = _decode(content, _Config)
    named = bool(told.os and told.architecture)
    return ImageConfig(
        platform=Platform(told.os or "", told.architecture or "", told.variant or "")
        if named
        else None,
        labels=(told.config.labels if told.config else None) or {},
        created=moment(told.created or ""),
        history=tuple(one.created_by or "" for one in told.history or ()),
        layers=tuple((told.rootfs.diff_ids if told.rootfs else None) or ()),
    )


def incomplete(name: ImageName, reference: str, child: Descriptor) -> str:
    """Say that an index names an image that is not there (any more)."""
    where = f"image for {child.platform}" if child.platform is not None else "image"
    return f"{name} has {reference}, but its {where} is missing: {child.digest}"


def moment(text: str) -> datetime | None:
    """Return the time that RFC 3339 text says, in UTC.

    None for what is none, and for what tools write that tell no time: 1970 and before, year 1.
    """
    found = read_moment(text)
    return found if found is not None and found.year > 1980 else None


def _descriptors(told: list[_Descriptor] | None) -> Iterator[Descriptor]:
    for one in told or ():
        if not is_digest(one.digest) or one.size < 0:
            raise ValueError(f"it names what is no digest: {one.digest[:80]}")
        where = one.platform
        yield Descriptor(
            one.media_type,
            one.digest,
            one.size,
            one.artifact_type or None,
            one.annotations or {},
            Platform(where.os, where.architecture, where.variant or "") if where else None,
        )


def _decode(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"it cannot be read: {error}") from None
