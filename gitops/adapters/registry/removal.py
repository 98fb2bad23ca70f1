"""Tags and manifests taken away, so that nothing else goes with them.

Deleting a manifest takes all its tags along, and many registries cannot delete a tag alone. So a
tag is first moved to a manifest of its own, which nothing else can name, and that one is deleted:
this works wherever manifests can be overwritten and deleted. Whether they can be is asked first,
of a manifest that does not exist. Where the protocol deletes nothing, the makers' own interface
does (own_ways.py), in the same order. docs/explanation/deleting-images.md
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Protocol

from gitops.adapters.http.door import Deadline, Response
from gitops.adapters.registry.access import RegistryAccess
from gitops.core.images.manifest import OCI_MANIFEST, Manifest, digest_of, read_manifest
from gitops.core.images.name import ImageName, is_digest, is_tag
from gitops.core.images.untagged import EMPTY, untagged_from, untagged_manifest
from gitops.errors import Conflict, Denied, GitopsError, NotFound, Unavailable, UsageError

_DONE = (200, 202, 204)
_ABSENT = f"sha256:{'0' * 63}1"


class Way(Protocol):
    """How a registry lets something go. All calls raise what `ports.Registry` raises."""

    def check(self, name: ImageName, deadline: Deadline) -> None:
        """Raise Denied where nothing may be deleted; nothing has changed by then."""
        ...

    def drop_tag(self, name: ImageName, tag: str, dummy: str, deadline: Deadline) -> None:
        """Delete the manifest `dummy`, which no other tag than `tag` names, and the tag."""
        ...

    def drop(self, name: ImageName, digest: str, deadline: Deadline) -> None:
        """Delete a manifest that no tag names; one that is gone is fine."""
        ...


class ByProtocol:
    """`Way` of the OCI distribution protocol: DELETE of a manifest by its digest."""

    def __init__(self, access: RegistryAccess) -> None:
        self._access = access

    def check(self, name: ImageName, deadline: Deadline) -> None:
        """Ask for the deletion of what is not there."""
        answer = self._access.write("DELETE", name, f"manifests/{_ABSENT}", deadline)
        if answer.status != 404 and answer.status not in _DONE:
            raise refused(self._access, name, answer, "the deletion of images")

    def drop_tag(self, name: ImageName, tag: str, dummy: str, deadline: Deadline) -> None:
        """See `Way`; its tags go with a manifest."""
        self.drop(name, dummy, deadline)

    def drop(self, name: ImageName, digest: str, deadline: Deadline) -> None:
        """See `Way`."""
        answer = self._access.write("DELETE", name, f"manifests/{digest}", deadline)
        if answer.status not in _DONE and answer.status != 404:
            raise refused(self._access, name, answer, f"the deletion of {digest}")


class Removal:
    """The destructive half of `OciRegistry`."""

    def __init__(
        self,
        access: RegistryAccess,
        resolve: Callable[[ImageName, str], str],
        manifest: Callable[[ImageName, str], Manifest],
        tags: Callable[[ImageName], Iterator[str]],
        way: Callable[[ImageName], Way],
    ) -> None:
        self._access = access
        self._way = way
        self._resolve = resolve
        self._manifest = manifest
        self._tags = tags
        self._allowed: set[ImageName] = set()

    def untag(self, name: ImageName, tag: str, expect: str) -> None:
        """See `ports.Registry`."""
        dummy = self._retired(name, tag, expect)
        if dummy is None:
            return
        deadline = self._access.deadline()
        try:
            self._way(name).drop_tag(name, tag, dummy, deadline)
        except GitopsError:
            with suppress(NotFound):  # Gitea forgets an image whose only tag names another
                self.restore(name, tag, expect)
            raise
        if self._digest(name, tag) is not None:
            raise Unavailable(
                f"{name.host} says that {tag} of {name.path} is deleted, and still has it",
                hint="try again later",
            )

    def retire(self, name: ImageName, tag: str, expect: str) -> None:
        """See `ports.Registry`."""
        self._retired(name, tag, expect)

    def restore(self, name: ImageName, tag: str, digest: str) -> None:
        """See `ports.Registry`."""
        found = self._digest(name, tag)
        if found == digest:
            return
        begun = untagged_from(self._manifest(name, found)) if found is not None else None
        if begun is None or begun.digest != digest:
            raise Conflict(f"{name}:{tag} names another image than a moment ago")
        deadline = self._access.deadline()
        kept = self._content(name, digest, deadline)
        kind = kept.headers.get("content-type", OCI_MANIFEST)
        answer = self._access.write(
            "PUT", name, f"manifests/{tag}", deadline, body=kept.body, kind=kind
        )
        if answer.status not in (200, 201, 202):
            raise refused(self._access, name, answer, f"its image back under the tag {tag}")

    def _retired(self, name: ImageName, tag: str, expect: str) -> str | None:
        """Return the throw-away manifest that the tag names now; None: the tag is gone."""
        if not is_tag(tag) or not is_digest(expect):
            raise UsageError(f"{tag[:80]!r} is no tag, or {expect[:80]!r} no digest")
        found = self._digest(name, tag)
        if found is None:
            return None
        if found != expect:
            begun = untagged_from(self._manifest(name, found))
            if begun is None or begun.digest != expect:
                raise Conflict(f"{name}:{tag} names another image than a moment ago")
            return found  # an earlier call got no farther
        deadline = self._access.deadline()
        self._check_allowed(name, deadline)
        kept = self._content(name, expect, deadline)  # what cannot be read cannot be restored
        dummy = self._dummy(name, tag, kept, deadline)
        answer = self._access.write(
            "PUT", name, f"manifests/{tag}", deadline, body=dummy, kind=OCI_MANIFEST
        )
        if answer.status not in (200, 201, 202):
            raise refused(self._access, name, answer, f"another image under the tag {tag}")
        if self._digest(name, tag) != digest_of(dummy):
            raise Conflict(f"{name}:{tag} was given to another image just now")
        return digest_of(dummy)

    def _content(self, name: ImageName, digest: str, deadline: Deadline) -> Response:
        """Return a manifest as it was sent. Raises NotFound, Unavailable."""
        found = self._access.manifest(name, digest, deadline)
        if found.status == 404:
            raise NotFound(f"{name} has no {digest}")
        if found.status != 200 or digest_of(found.body, digest.partition(":")[0]) != digest:
            raise Unavailable(f"{name.host} does not show {digest} of {name.path}: nothing is done")
        return found

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
        self._way(name).drop(name, digest, self._access.deadline())

    def _digest(self, name: ImageName, tag: str) -> str | None:
        try:
            return self._resolve(name, tag)
        except NotFound:
            return None

    def _check_allowed(self, name: ImageName, deadline: Deadline) -> None:
        """A no comes before anything has changed."""
        if name not in self._allowed:
            self._way(name).check(name, deadline)
            self._allowed.add(name)

    def _dummy(self, name: ImageName, tag: str, kept: Response, deadline: Deadline) -> bytes:
        """Return a manifest that nobody else makes, with its config pushed."""
        try:
            named = read_manifest(kept.body, kept.headers.get("content-type", ""))
        except ValueError as error:
            raise self._access.words.malformed(name, error) from None
        config = digest_of(EMPTY)
        there = self._access.read("HEAD", name, f"blobs/{config}", deadline)
        if there.status != 200:
            self._upload(name, config, deadline)
        return untagged_manifest(tag, named, secrets.token_hex(16))

    def _upload(self, name: ImageName, digest: str, deadline: Deadline) -> None:
        begun = self._access.write("POST", name, "blobs/uploads/", deadline, body=b"")
        place = begun.headers.get("location", "")
        if begun.status not in (201, 202) or not place:
            raise refused(self._access, name, begun, "an upload")
        joint = "&" if "?" in place else "?"
        answer = self._access.write(
            "PUT", name, f"{place}{joint}digest={digest}", deadline, body=EMPTY
        )
        if answer.status != 201:
            raise refused(self._access, name, answer, "an upload")


def refused(access: RegistryAccess, name: ImageName, answer: Response, what: str) -> GitopsError:
    """Return the error for a registry that does not let us."""
    if answer.status == 405 or "UNSUPPORTED" in access.words.codes(answer):
        return Denied(
            f"{name.host} does not delete images",
            hint="it is switched off there: in docker-registry `storage: {delete: {enabled: true}}"
            "`, elsewhere in its settings",
        )
    error = access.words.error(name, answer, what)
    if isinstance(error, NotFound):
        return Denied(f"{name.host} does not let {name.path} be changed: {error.message}")
    return error
