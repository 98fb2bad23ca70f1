"""Where images are: what a tag names, what an image says of itself, and how it is taken away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from gitops.errors import NotFound

if TYPE_CHECKING:
    from gitops.core.images.manifest import Descriptor, ImageInfo, Manifest
    from gitops.core.images.name import ImageName


class Registry(Protocol):
    """Registries that speak the OCI distribution protocol, each found by the host in a name.

    All calls may raise NotFound (no such repository, tag or digest), Denied (credentials, rights,
    what the registry forbids), Unavailable (no connection, too many requests, an answer that is
    none), TimedOut, within the seconds that it was opened with. No credential is in any message,
    and none goes to another host than the one it is for. May be called from several threads.
    """

    def resolve(self, name: ImageName, reference: str) -> str:
        """Return the digest that a tag names now, or check that a digest is there.

        The digest of the index, where there is one. HEAD alone: the cheapest question there is.
        """
        ...

    def manifest(self, name: ImageName, reference: str) -> Manifest:
        """Return what a tag or digest names; its bytes are those of its digest."""
        ...

    def describe(self, name: ImageName, reference: str) -> ImageInfo:
        """Return the same with the configuration of every image in it, attestations left out."""
        ...

    def blob(self, name: ImageName, digest: str, *, most: int = 4 << 20) -> bytes:
        """Return content of at most `most` bytes; its bytes are those of its digest."""
        ...

    def tags(self, name: ImageName) -> Iterator[str]:
        """Yield the tags of a repository, in the registry's order; none: it has none left."""
        ...

    def referrers(self, name: ImageName, digest: str) -> tuple[Descriptor, ...]:
        """Return what refers to a digest (signatures, attestations): at least these."""
        ...

    def untag(self, name: ImageName, tag: str, *, expect: str) -> None:
        """Take a tag away, and nothing else: what it named stays, with all its other tags.

        A tag that is gone already is fine. Raises Conflict when it names something else than
        `expect`; Denied where the registry does not let it go, with everything as it was.
        """
        ...

    def retire(self, name: ImageName, tag: str, *, expect: str) -> None:
        """Give a tag a manifest of its own, which says what it named: the first half of `untag`.

        It stays until `untag` is called with the same `expect`, so that whoever comes after a crash
        sees what was begun (`core.images.untagged`). Raises what `untag` raises.
        """
        ...

    def restore(self, name: ImageName, tag: str, digest: str) -> None:
        """Take back what `retire` began: the tag names `digest` again.

        Raises NotFound when that is not there any more, Conflict when the tag is not retired.
        """
        ...

    def delete(self, name: ImageName, digest: str, *, known: Mapping[str, str]) -> None:
        """Delete a manifest that no tag names; its children and referrers stay.

        One that is gone already is fine.

        Args:
            known: tag -> digest, of the tags that the caller has looked at a moment ago.

        Raises Conflict when a tag names it: one of `known`, or one that came meanwhile.
        """
        ...


class NoRegistry(Struct, frozen=True):
    """`Registry` where nobody can be asked. All calls raise NotFound."""

    def resolve(self, name: ImageName, reference: str) -> str:
        """See `Registry`."""
        raise _nobody(name, reference)

    def manifest(self, name: ImageName, reference: str) -> Manifest:
        """See `Registry`."""
        raise _nobody(name, reference)

    def describe(self, name: ImageName, reference: str) -> ImageInfo:
        """See `Registry`."""
        raise _nobody(name, reference)

    def blob(self, name: ImageName, digest: str, *, most: int = 0) -> bytes:
        """See `Registry`."""
        raise _nobody(name, digest, most)

    def tags(self, name: ImageName) -> Iterator[str]:
        """See `Registry`."""
        raise _nobody(name)

    def referrers(self, name: ImageName, digest: str) -> tuple[Descriptor, ...]:
        """See `Registry`."""
        raise _nobody(name, digest)

    def untag(self, name: ImageName, tag: str, *, expect: str) -> None:
        """See `Registry`."""
        raise _nobody(name, tag, expect)

    def retire(self, name: ImageName, tag: str, *, expect: str) -> None:
        """See `Registry`."""
        raise _nobody(name, tag, expect)

    def restore(self, name: ImageName, tag: str, digest: str) -> None:
        """See `Registry`."""
        raise _nobody(name, tag, digest)

    def delete(self, name: ImageName, digest: str, *, known: Mapping[str, str]) -> None:
        """See `Registry`."""
        raise _nobody(name, digest, known)


def _nobody(*_: object) -> NotFound:
    return NotFound("no registry can be asked here")
