"""Tags and manifests taken away, so that nothing else goes with them.

Deleting a manifest takes all its tags along, and many registries cannot delete a tag alone. So a
tag is first moved to a manifest of its own, which nothing else can name, and that one is deleted:
this works wherever manifests can be overwritten and deleted. Whether they can be is asked first,
of a manifest that does not exist. docs/decisions/0084-a-tag-goes-by-a-manifest-of-its-own.md
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping

from gitops.adapters.http.door import Deadline, Response
from gitops.adapters.registry.access import RegistryAccess
from gitops.adapters.registry.quirks import how_to_delete
from gitops.core.images.manifest import MANIFESTS, OCI_MANIFEST, Manifest, digest_of
from gitops.core.images.name import ImageName, is_digest, is_tag
from gitops.core.images.untagged import UNTAGGED, untagged_from
from gitops.errors import Conflict, Denied, GitopsError, NotFound, Unavailable, UsageError

_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_DONE = (200, 202, 204)
_ABSENT = f"sha256:{'0' * 63}1"
_LONGEST_MANIFEST = 4 << 20


class Removal:
    """The destructive half of `OciRegistry`."""

    def __init__(
        self,
        access: RegistryAccess,
        resolve: Callable[[ImageName, str], str],
        manifest: Callable[[ImageName, str], Manifest],
        tags: Callable[[ImageName], Iterator[str]],
    ) -> None:
        self._access = access
        self._resolve = resolve
        self._manifest = manifest
        self._tags = tags
        self._allowed: set[ImageName] = set()

    def untag(self, name: ImageName, tag: str, expect: str) -> None:
        """See `ports.Registry`."""
        if not is_tag(tag) or not is_digest(expect):
            raise UsageError(f"{tag[:80]!r} is no tag, or {expect[:80]!r} no digest")
        deadline = self._access.deadline()
        found = self._digest(name, tag)
        if found is None:
            return
        if found != expect:
            if untagged_from(self._manifest(name, found)) != expect:
                raise Conflict(f"{name}:{tag} names another image than a moment ago")
            self._drop(name, found, deadline)  # an earlier call got no farther
        else:
            self._check_allowed(name, deadline)
            self._replace(name, tag, expect, deadline)
        now = self._digest(name, tag)
        if now is not None:
            raise Unavailable(
                f"{name.host} says that {tag} of {name.path} is deleted, and still has it",
                hint="try again later",
            )

    def delete(self, name: ImageName, digest: str, known: Mapping[str, str]) -> None:
        """See `ports.Registry`."""
        if not is_digest(digest):
            raise UsageError(f"{digest[:80]!r} is no digest")
        named = [tag for tag, one in known.items() if one == digest]
        for tag in self._tags(name):
            if tag not in known and self._digest(name, tag) == digest:
                named.append(tag)
        if named:
            raise Conflict(f"{digest} of {name} is what its tag {named[0]} names")
        self._drop(name, digest, self._access.deadline())

    def _digest(self, name: ImageName, tag: str) -> str | None:
        try:
            return self._resolve(name, tag)
        except NotFound:
            return None

    def _check_allowed(self, name: ImageName, deadline: Deadline) -> None:
        """Ask for the deletion of what is not there: a no comes before anything has changed."""
        if name in self._allowed:
            return
        answer = self._access.write("DELETE", name, f"manifests/{_ABSENT}", deadline)
        if answer.status != 404 and answer.status not in _DONE:
            raise self._no(name, answer, "the deletion of images")
        self._allowed.add(name)

    def _replace(self, name: ImageName, tag: str, expect: str, deadline: Deadline) -> None:
        """Move the tag to a manifest that only it has, and delete that; back when this fails."""
        kept = self._access.read(
            "GET",
            name,
            f"manifests/{expect}",
            deadline,
            accept=", ".join(MANIFESTS),
            most=_LONGEST_MANIFEST,
        )
        if kept.status != 200 or digest_of(kept.body, expect.partition(":")[0]) != expect:
            raise Unavailable(f"{name.host} does not show {expect} of {name.path}: nothing is done")
        dummy = self._dummy(name, tag, expect, deadline)
        answer = self._access.write(
            "PUT", name, f"manifests/{tag}", deadline, body=dummy, kind=OCI_MANIFEST
        )
        if answer.status not in (200, 201, 202):
            raise self._no(name, answer, f"another image under the tag {tag}")
        if self._digest(name, tag) != digest_of(dummy):
            raise Conflict(f"{name}:{tag} was given to another image just now")
        try:
            self._drop(name, digest_of(dummy), deadline)
        except GitopsError:
            kind = kept.headers.get("content-type", OCI_MANIFEST)
            self._access.write(
                "PUT", name, f"manifests/{tag}", self._access.deadline(), body=kept.body, kind=kind
            )
            raise

    def _dummy(self, name: ImageName, tag: str, expect: str, deadline: Deadline) -> bytes:
        """Return a manifest that nobody else makes, with its config pushed."""
        config = digest_of(_EMPTY)
        there = self._access.read("HEAD", name, f"blobs/{config}", deadline)
        if there.status != 200:
            self._upload(name, config, deadline)
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": UNTAGGED,
                "config": {"mediaType": _EMPTY_TYPE, "digest": config, "size": len(_EMPTY)},
                "layers": [],
                "annotations": {
                    f"{UNTAGGED}.from": expect,
                    f"{UNTAGGED}.tag": tag,
                    f"{UNTAGGED}.id": secrets.token_hex(16),
                },
            }
        ).encode()

    def _upload(self, name: ImageName, digest: str, deadline: Deadline) -> None:
        begun = self._access.write("POST", name, "blobs/uploads/", deadline, body=b"")
        place = begun.headers.get("location", "")
        if begun.status not in (201, 202) or not place:
            raise self._no(name, begun, "an upload")
        joint = "&" if "?" in place else "?"
        answer = self._access.write(
            "PUT", name, f"{place}{joint}digest={digest}", deadline, body=_EMPTY
        )
        if answer.status != 201:
            raise self._no(name, answer, "an upload")

    def _drop(self, name: ImageName, digest: str, deadline: Deadline) -> None:
        answer = self._access.write("DELETE", name, f"manifests/{digest}", deadline)
        if answer.status not in _DONE and answer.status != 404:
            raise self._no(name, answer, f"the deletion of {digest}")

    def _no(self, name: ImageName, answer: Response, what: str) -> GitopsError:
        """Return the error for a registry that does not let us."""
        if answer.status == 405 or "UNSUPPORTED" in self._access.words.codes(answer):
            return Denied(f"{name.host} does not delete images", hint=how_to_delete(name))
        error = self._access.words.error(name, answer, what)
        if isinstance(error, NotFound):
            return Denied(f"{name.host} does not let {name.path} be changed: {error.message}")
        return error
