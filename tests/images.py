"""Images as builders push them, written by hand: an OCI image, an index, an attestation."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Protocol
from urllib.parse import urlsplit

from gitops.core.images.manifest import OCI_INDEX, OCI_MANIFEST, digest_of
from gitops.core.images.name import ImageName

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IN_TOTO = "application/vnd.in-toto+json"


class Shelf(Protocol):
    """Where images are pushed to: a registry over HTTP, or the one in memory."""

    def put_blob(self, name: ImageName, content: bytes) -> None:
        """Push content."""
        ...

    def put_manifest(self, name: ImageName, reference: str, content: bytes, kind: str) -> None:
        """Push a manifest under a tag or its digest."""
        ...


@dataclass(frozen=True)
class Pushed:
    """What was pushed: the digest that the tag names, and what is in an index."""

    digest: str
    content: bytes
    kind: str = OCI_MANIFEST
    children: tuple[str, ...] = ()
    attestation: str | None = None


def push_image(
    shelf: Shelf,
    name: ImageName,
    tag: str | None = None,
    *,
    platform: str = "linux/amd64",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    created: str = "2026-11-20T10:00:00Z",
    salt: str = "",
) -> Pushed:
    """Push an image for one platform; with another `salt` it is another image."""
    layer = f"layer {platform} {salt}".encode()
    config = _json(
        {
            **_platform(platform),
            "created": created,
            "config": {"Labels": dict(labels or {})},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
            "history": [{"created_by": "COPY"}],
        }
    )
    more = {"annotations": dict(annotations)} if annotations else {}
    return _put_image(shelf, name, tag, config, LAYER, layer, **more)


def push_index(
    shelf: Shelf,
    name: ImageName,
    tag: str | None = None,
    *,
    platforms: Sequence[str] = ("linux/amd64", "linux/arm64"),
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    created: str = "2026-11-20T10:00:00Z",
    salt: str = "",
    attested: bool = True,
) -> Pushed:
    """Push an index as BuildKit makes it: an image for each platform, and an attestation."""
    entries, children, attestation = [], [], None
    for platform in platforms:
        made = push_image(shelf, name, platform=platform, labels=labels, created=created, salt=salt)
        where = {"platform": _platform(platform)}
        entries.append(_descriptor(OCI_MANIFEST, made.content) | where)
        children.append(made.digest)
    if attested:
        told = push_attestation(shelf, name, children[0], salt=salt)
        attestation = told.digest
        entries.append(
            _descriptor(OCI_MANIFEST, told.content)
            | {
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {
                    "vnd.docker.reference.type": "attestation-manifest",
                    "vnd.docker.reference.digest": children[0],
                },
            }
        )
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": entries,
        **({"annotations": dict(annotations)} if annotations else {}),
    }
    made = _put(shelf, name, tag, _json(index), OCI_INDEX)
    return Pushed(made.digest, made.content, OCI_INDEX, tuple(children), attestation)


def push_attestation(shelf: Shelf, name: ImageName, about: str, *, salt: str = "") -> Pushed:
    """Push what BuildKit puts beside the images of an index."""
    statement = _json({"_type": "https://in-toto.io/Statement/v0.1", "subject": about + salt})
    config = _json({"os": "unknown", "architecture": "unknown", "config": {}})
    return _put_image(shelf, name, None, config, IN_TOTO, statement)


def push_referrer(
    shelf: Shelf,
    name: ImageName,
    subject: Pushed,
    *,
    artifact_type: str = "application/vnd.dev.sigstore.bundle.v0.3+json",
    content: bytes = b"{}",
    tag_schema: bool = True,
) -> Pushed:
    """Push what refers to another manifest; with `tag_schema` also listed under the tag for it."""
    shelf.put_blob(name, content)
    shelf.put_blob(name, b"{}")
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": _descriptor("application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [_descriptor(artifact_type, content)],
            "subject": _descriptor(subject.kind, subject.content),
        }
    )
    made = _put(shelf, name, None, manifest, OCI_MANIFEST)
    if tag_schema:
        entry = _descriptor(OCI_MANIFEST, manifest) | {"artifactType": artifact_type}
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
        _put(shelf, name, subject.digest.replace(":", "-"), _json(index), OCI_INDEX)
    return made


def tag_again(shelf: Shelf, name: ImageName, pushed: Pushed, tag: str) -> None:
    """Give what was pushed one more tag, or move that tag to it."""
    shelf.put_manifest(name, tag, pushed.content, pushed.kind)


def _put_image(
    shelf: Shelf,
    name: ImageName,
    tag: str | None,
    config: bytes,
    kind: str,
    layer: bytes,
    **more: object,
) -> Pushed:
    """Push an image of one layer of a `kind`; `more` is what its manifest has besides."""
    shelf.put_blob(name, layer)
    shelf.put_blob(name, config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(CONFIG, config),
        "layers": [_descriptor(kind, layer)],
        **more,
    }
    return _put(shelf, name, tag, _json(manifest), OCI_MANIFEST)


def _put(shelf: Shelf, name: ImageName, tag: str | None, content: bytes, kind: str) -> Pushed:
    digest = digest_of(content)
    shelf.put_manifest(name, tag or digest, content, kind)
    return Pushed(digest, content, kind)


def _platform(text: str) -> dict[str, str]:
    """Return `linux/arm64/v8` as configurations and indexes have it."""
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


class HttpShelf:
    """A registry over HTTP, as a builder pushes to it.

    Args:
        host: `127.0.0.1:PORT`.
        user, password: for a registry that wants to know; it says how.
    """

    def __init__(self, host: str, user: str = "", password: str = "") -> None:
        self._connection = HTTPConnection(host, timeout=30)
        self._basic = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}" if user else ""
        self._known: set[tuple[ImageName, str]] = set()
        self._token = self._basic

    def put_blob(self, name: ImageName, content: bytes) -> None:
        """Push content in one piece, where it is not there yet."""
        digest = digest_of(content)
        if (name, digest) in self._known:
            return
        self._known.add((name, digest))
        _, headers, _ = self.ask("POST", f"/v2/{name.path}/blobs/uploads/", b"", name=name)
        parts = urlsplit(headers["location"])
        place = parts.path + (f"?{parts.query}&" if parts.query else "?")
        kind = {"Content-Type": "application/octet-stream"}
        status, _, body = self.ask("PUT", f"{place}digest={digest}", content, kind, name=name)
        assert status == 201, body

    def put_manifest(self, name: ImageName, reference: str, content: bytes, kind: str) -> None:
        """Push a manifest."""
        path = f"/v2/{name.path}/manifests/{reference}"
        status, _, body = self.ask("PUT", path, content, {"Content-Type": kind}, name=name)
        assert status == 201, body

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        name: ImageName,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request, and again with a token where one is asked for."""
        answer = self._once(method, path, body, headers)
        if answer[0] == 401 and answer[1].get("www-authenticate", "").startswith("Bearer"):
            scope = f"repository:{name.path}:pull,push"
            told = self._once(
                "GET",
                f"/v2/token?service=container_registry&scope={scope}",
                None,
                {"Authorization": self._basic},
            )
            self._token = f"Bearer {json.loads(told[2])['token']}"
            answer = self._once(method, path, body, headers)
        return answer

    def _once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        given = {**({"Authorization": self._token} if self._token else {}), **(headers or {})}
        self._connection.request(method, path, body, given)
        answer = self._connection.getresponse()
        told = {key.lower(): value for key, value in answer.getheaders()}
        return answer.status, told, answer.read()
