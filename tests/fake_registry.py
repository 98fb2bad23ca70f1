"""Registries in memory: manifests, content and tags, with a journal, faults and a sealed mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from gitops.core.images.manifest import (
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    ImageInfo,
    Manifest,
    PlatformImage,
    digest_of,
    incomplete,
    read_config,
    read_manifest,
)
from gitops.core.images.name import ImageName, is_digest
from gitops.core.images.untagged import untagged_from, untagged_manifest
from gitops.errors import Conflict, Denied, NotFound


@dataclass
class MemoryRepository:
    """What one repository holds; digest -> (bytes, media type), digest -> bytes, tag -> digest."""

    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class MemoryRegistry:
    """`ports.Registry`, and a shelf to push to.

    Attributes:
        repositories: by name.
        asked: (verb, what) of every call, oldest first.
        sealed: deletion is switched off.
        fault: called before every call with its verb; raises what is to go wrong.
    """

    def __init__(self) -> None:
        self.repositories: dict[ImageName, MemoryRepository] = {}
        self.asked: list[tuple[str, str]] = []
        self.sealed = False
        self._made = 0
        self.fault: Callable[[str], None] = lambda _: None

    def put_blob(self, name: ImageName, content: bytes) -> None:
        """Push content."""
        found = self.repositories.setdefault(name, MemoryRepository())
        found.blobs[digest_of(content)] = content

    def put_manifest(self, name: ImageName, reference: str, content: bytes, kind: str) -> None:
        """Push a manifest under a tag or its digest."""
        found = self.repositories.setdefault(name, MemoryRepository())
        digest = digest_of(content)
        found.manifests[digest] = (content, kind)
        if not is_digest(reference):
            found.tags[reference] = digest

    def resolve(self, name: ImageName, reference: str) -> str:
        """See `ports.Registry`."""
        self._begin("resolve", f"{name}:{reference}")
        return self._digest(name, reference)

    def manifest(self, name: ImageName, reference: str) -> Manifest:
        """See `ports.Registry`."""
        self._begin("manifest", f"{name}:{reference}")
        return self._manifest(name, reference)

    def describe(self, name: ImageName, reference: str) -> ImageInfo:
        """See `ports.Registry`."""
        self._begin("describe", f"{name}:{reference}")
        top = self._manifest(name, reference)
        if not top.is_index:
            config = self._config(name, top)
            return ImageInfo(top, (PlatformImage(top, config, config.platform),))
        found = []
        for child in top.images:
            if child.digest not in self._repository(name).manifests:
                raise NotFound(incomplete(name, reference, child))
            manifest = self._manifest(name, child.digest)
            config = self._config(name, manifest)
            found.append(PlatformImage(manifest, config, child.platform or config.platform))
        return ImageInfo(top, tuple(found))

    def blob(self, name: ImageName, digest: str, *, most: int = 4 << 20) -> bytes:
        """See `ports.Registry`."""
        self._begin("blob", f"{name}@{digest}")
        found = self._repository(name).blobs.get(digest)
        if found is None:
            raise NotFound(f"{name.host} has no content {digest} in {name.path}")
        assert len(found) <= most
        return found

    def tags(self, name: ImageName) -> Iterator[str]:
        """See `ports.Registry`."""
        self._begin("tags", str(name))
        yield from sorted(self._repository(name).tags)

    def referrers(self, name: ImageName, digest: str) -> tuple[Descriptor, ...]:
        """See `ports.Registry`."""
        self._begin("referrers", f"{name}@{digest}")
        found = {}
        for one in self.repositories.get(name, MemoryRepository()).manifests:
            manifest = self._manifest(name, one)
            if manifest.subject is not None and manifest.subject.digest == digest:
                found[one] = Descriptor(
                    manifest.media_type,
                    one,
                    manifest.size,
                    manifest.artifact_type,
                    manifest.annotations,
                )
        return tuple(found.values())

    def untag(self, name: ImageName, tag: str, *, expect: str) -> None:
        """See `ports.Registry`."""
        self._begin("untag", f"{name}:{tag}")
        found = self._repository(name)
        dummy = self._retired(name, tag, expect)
        if dummy is not None:
            found.manifests.pop(dummy)
            del found.tags[tag]

    def retire(self, name: ImageName, tag: str, *, expect: str) -> None:
        """See `ports.Registry`."""
        self._begin("retire", f"{name}:{tag}")
        self._retired(name, tag, expect)

    def restore(self, name: ImageName, tag: str, digest: str) -> None:
        """See `ports.Registry`."""
        self._begin("restore", f"{name}:{tag}")
        found = self._repository(name)
        begun = untagged_from(self._manifest(name, tag)) if tag in found.tags else None
        if begun is None or begun.digest != digest:
            raise Conflict(f"{name}:{tag} names another image than a moment ago")
        found.tags[tag] = self._digest(name, digest)

    def _retired(self, name: ImageName, tag: str, expect: str) -> str | None:
        found = self._repository(name)
        if tag not in found.tags:
            return None
        now = found.tags[tag]
        if now != expect:
            begun = untagged_from(self._manifest(name, now))
            if begun is None or begun.digest != expect:
                raise Conflict(f"{name}:{tag} names another image than a moment ago")
            return now
        self._check_sealed(name)
        self._made += 1
        content = untagged_manifest(tag, self._manifest(name, now), str(self._made))
        self.put_manifest(name, tag, content, OCI_MANIFEST)
        return digest_of(content)

    def delete(self, name: ImageName, digest: str, *, known: Mapping[str, str]) -> None:
        """See `ports.Registry`."""
        self._begin("delete", f"{name}@{digest}")
        found = self._repository(name)
        named = [tag for tag, one in known.items() if one == digest]
        named += [tag for tag, one in found.tags.items() if tag not in known and one == digest]
        if named:
            raise Conflict(f"{digest} of {name} is what its tag {named[0]} names")
        self._check_sealed(name)
        # As real ones do: its tags go along.
        found.manifests.pop(digest, None)
        for tag in [tag for tag, one in found.tags.items() if one == digest]:
            del found.tags[tag]

    def close(self) -> None:
        """Nothing is open."""

    def _begin(self, verb: str, what: str) -> None:
        self.asked.append((verb, what))
        self.fault(verb)

    def _check_sealed(self, name: ImageName) -> None:
        if self.sealed:
            raise Denied(f"{name.host} does not delete images")

    def _repository(self, name: ImageName) -> MemoryRepository:
        if name not in self.repositories:
            raise NotFound(f"{name.host} has no repository {name.path}")
        return self.repositories[name]

    def _digest(self, name: ImageName, reference: str) -> str:
        found = self._repository(name)
        digest = reference if is_digest(reference) else found.tags.get(reference, "")
        if digest not in found.manifests:
            what = reference if is_digest(reference) else f"tag {reference}"
            raise NotFound(f"{name} has no {what}")
        return digest

    def _manifest(self, name: ImageName, reference: str) -> Manifest:
        digest = self._digest(name, reference)
        return read_manifest(*self._repository(name).manifests[digest], digest)

    def _config(self, name: ImageName, manifest: Manifest) -> ImageConfig:
        config = manifest.config
        if config is None or "image" not in config.media_type:
            return ImageConfig()
        return read_config(self._repository(name).blobs[config.digest])
