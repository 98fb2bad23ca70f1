"""`ports.Registry` over the OCI distribution protocol.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from gitops.adapters.http.door import Deadline, Response
from gitops.adapters.registry.access import ACCEPT, LONGEST_MANIFEST, RegistryAccess
from gitops.core.images.manifest import (
    OCI_INDEX,
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
from gitops.core.images.name import ImageName, api_host, is_digest, is_tag, root_of
from gitops.errors import NotFound, TimedOut, UsageError
from gitops.ports import Clock

if TYPE_CHECKING:
    from socket import socket

    from gitops.adapters.registry.removal import Removal

_LONGEST_PAGE = 8 << 20
_MOST_PAGES = 10_000
_LONGEST_LIST = 300.0  # seconds that all pages of a list of tags may take
_MOST_IMAGES = 64  # of one index
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?', re.I)


class OciRegistry:
    """Every registry, by the host in an image's name.

    Args:
        environ: where credentials, proxies and authorities are named.
        within: seconds that one call may take, with all its requests.
        own: host -> `github` or `hub`, and the URL of that interface (`github https://…`), where
            it is not told by the host's name.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        clock: Clock,
        within: float = 30.0,
        own: Mapping[str, str] | None = None,
    ) -> None:
        self._access = RegistryAccess(environ, clock, within)
        self._made_removal: Removal | None = None
        self._environ = environ
        self._own = own or {}

    @property
    def _removal(self) -> Removal:
        if self._made_removal is None:
            from gitops.adapters.registry.own_ways import ways
            from gitops.adapters.registry.removal import Removal  # a deploy takes nothing away

            way = ways(self._access, self._environ, self._own)
            self._made_removal = Removal(self._access, self.resolve, self.manifest, self.tags, way)
        return self._made_removal

    def close(self) -> None:
        """Hang up."""
        self._access.close()

    def resolve_on(
        self,
        name: ImageName,
        reference: str,
        line: socket | None,
        status: int,
        headers: Mapping[str, str],
    ) -> str:
        """Do what `resolve` does, whose first request was answered already, on `line`."""
        answer = Response(status, headers, b"")
        self._access.take_over(name, f"manifests/{reference}", line, answer)
        return self.resolve(name, reference)

    def resolve(self, name: ImageName, reference: str) -> str:
        """See `ports.Registry`."""
        _check_reference(reference)
        deadline = self._access.deadline()
        answer = self._access.read("HEAD", name, f"manifests/{reference}", deadline, accept=ACCEPT)
        digest = answer.headers.get("docker-content-digest", "")
        if answer.status != 200 or not is_digest(digest):
            # HEAD says nothing of why, and old registries leave the header out.
            return self._manifest(name, reference, deadline).digest
        if is_digest(reference) and digest != reference:
            raise self._access.words.malformed(
                name, "it says another digest than the one asked for"
            )
        return digest

    def manifest(self, name: ImageName, reference: str) -> Manifest:
        """See `ports.Registry`."""
        return self._manifest(name, reference, self._access.deadline())

    def describe(self, name: ImageName, reference: str) -> ImageInfo:
        """See `ports.Registry`."""
        deadline = self._access.deadline()
        top = self._manifest(name, reference, deadline)
        if not top.is_index:
            config = self._config(name, top, deadline)
            return ImageInfo(top, (PlatformImage(top, config, config.platform),))
        if len(top.images) > _MOST_IMAGES:
            raise self._access.words.malformed(name, f"an index of {len(top.images)} images")
        found = []
        for child in top.images:
            if child.is_index:
                continue  # nobody makes them, and runtimes take none
            try:
                manifest = self._manifest(name, child.digest, deadline)
            except NotFound:
                raise NotFound(incomplete(name, reference, child)) from None
            config = self._config(name, manifest, deadline)
            found.append(PlatformImage(manifest, config, child.platform or config.platform))
        return ImageInfo(top, tuple(found))

    def blob(self, name: ImageName, digest: str, *, most: int = 4 << 20) -> bytes:
        """See `ports.Registry`."""
        return self._blob(name, digest, most, self._access.deadline())

    def tags(self, name: ImageName) -> Iterator[str]:
        """See `ports.Registry`."""
        path: str | None = "tags/list?n=1000"
        seen: set[str] = set()
        whole = Deadline(_LONGEST_LIST)
        for _ in range(_MOST_PAGES):
            if path is None:
                return
            if whole.left < 0:
                raise TimedOut(f"{name.host} goes on telling tags of {name.path}, and does not end")
            if path in seen:
                raise self._access.words.malformed(name, "its list of tags goes round in a circle")
            seen.add(path)
            answer = self._access.read(
                "GET", name, path, self._access.deadline(), most=_LONGEST_PAGE
            )
            if answer.status != 200:
                raise self._access.words.error(name, answer, f"repository {name.path}")
            told = self._json(name, answer)
            tags = told.get("tags") or []
            if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
                raise self._access.words.malformed(name, "its list of tags is none")
            yield from (tag for tag in tags if is_tag(tag))
            path = self._next_page(name, path, answer)
        raise self._access.words.malformed(name, "its list of tags does not end")

    def referrers(self, name: ImageName, digest: str) -> tuple[Descriptor, ...]:
        """See `ports.Registry`."""
        if not is_digest(digest):
            raise UsageError(f"{digest[:80]!r} is no digest")
        deadline = self._access.deadline()
        path: str | None = f"referrers/{digest}"
        found: dict[str, Descriptor] = {}
        for _ in range(_MOST_PAGES):
            if path is None:
                break
            answer = self._access.read(
                "GET", name, path, deadline, accept=OCI_INDEX, most=LONGEST_MANIFEST
            )
            if answer.status != 200:
                break
            for one in self._index(name, answer).children:
                found[one.digest] = one
            path = self._next_page(name, path, answer)
        # Pushers that met no such list have kept one as a tag, which may be beside a list of today.
        tag = digest.replace(":", "-")
        answer = self._access.manifest(name, tag, deadline)
        if answer.status == 200:
            for one in self._index(name, answer).children:
                found[one.digest] = one
        elif answer.status != 404:
            raise self._access.words.error(name, answer, f"tag {tag} in {name.path}")
        return tuple(found.values())

    def untag(self, name: ImageName, tag: str, *, expect: str) -> None:
        """See `ports.Registry`."""
        self._removal.untag(name, tag, expect)

    def retire(self, name: ImageName, tag: str, *, expect: str) -> None:
        """See `ports.Registry`."""
        self._removal.retire(name, tag, expect)

    def restore(self, name: ImageName, tag: str, digest: str) -> None:
        """See `ports.Registry`."""
        self._removal.restore(name, tag, digest)

    def delete(self, name: ImageName, digest: str, *, known: Mapping[str, str]) -> None:
        """See `ports.Registry`."""
        self._removal.delete(name, digest, known)

    def _manifest(self, name: ImageName, reference: str, deadline: Deadline) -> Manifest:
        _check_reference(reference)
        answer = self._access.manifest(name, reference, deadline)
        if answer.status == 404:
            raise self._missing(name, reference, answer)
        if answer.status != 200:
            raise self._access.words.error(name, answer, f"{reference} of {name.path}")
        wanted = reference if is_digest(reference) else answer.headers.get("docker-content-digest")
        try:
            return read_manifest(
                answer.body, answer.headers.get("content-type", ""), wanted or None
            )
        except ValueError as error:
            raise self._access.words.malformed(name, error) from None

    def _missing(self, name: ImageName, reference: str, answer: Response) -> NotFound:
        if "NAME_UNKNOWN" in self._access.words.codes(answer):
            return NotFound(f"{name.host} has no repository {name.path}")
        what = reference if is_digest(reference) else f"tag {reference}"
        return NotFound(f"{name} has no {what}")

    def _config(self, name: ImageName, manifest: Manifest, deadline: Deadline) -> ImageConfig:
        config = manifest.config
        if config is None or "image" not in config.media_type:
            return ImageConfig()  # something else that is kept in a registry: a chart, an SBOM
        try:
            return read_config(self._blob(name, config.digest, LONGEST_MANIFEST, deadline))
        except ValueError as error:
            raise self._access.words.malformed(name, error) from None

    def _blob(self, name: ImageName, digest: str, most: int, deadline: Deadline) -> bytes:
        if not is_digest(digest):
            raise UsageError(f"{digest[:80]!r} is no digest")
        answer = self._access.read("GET", name, f"blobs/{digest}", deadline, most=most)
        if answer.status != 200:
            raise self._access.words.error(name, answer, f"content {digest} in {name.path}")
        if digest_of(answer.body, digest.partition(":")[0]) != digest:
            raise self._access.words.malformed(name, f"the content of {digest} is another")
        return answer.body

    def _index(self, name: ImageName, answer: Response) -> Manifest:
        try:
            return read_manifest(answer.body, answer.headers.get("content-type", ""))
        except ValueError as error:
            raise self._access.words.malformed(name, error) from None

    def _json(self, name: ImageName, answer: Response) -> dict[str, Any]:
        try:
            told = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise self._access.words.malformed(name, error) from None
        if not isinstance(told, dict):
            raise self._access.words.malformed(name, "it is no JSON object")
        return told

    def _next_page(self, name: ImageName, path: str, answer: Response) -> str | None:
        """Return the address of the next page, as the `Link` of this one has it."""
        link = _NEXT.search(answer.headers.get("link", ""))
        if link is None:
            return None
        here = f"{root_of(name.host)}/v2/{name.path}/"
        try:
            target = urlsplit(urljoin(urljoin(here, path), link[1]))
        except ValueError as error:
            raise self._access.words.malformed(name, error) from None
        if target.netloc.lower() != api_host(name.host):
            raise self._access.words.malformed(name, "the next page is on another server")
        return f"{target.path}?{target.query}" if target.query else target.path


def _check_reference(reference: str) -> None:
    if not is_digest(reference) and not is_tag(reference):
        raise UsageError(f"{reference[:80]!r} is neither a tag nor a digest")
