"""GHCR, Docker Hub and Amazon ECR as described: a registry, and its maker's interface.

Faked over HTTP; the real ones were never asked.

https://docs.github.com/rest/packages, https://docs.docker.com/reference/api/hub/latest/,
https://docs.docker.com/reference/api/registry/latest/,
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fake_registry import MemoryRegistry, MemoryRepository
from fakes import FakeClock
from gitops.adapters.registry.registry import OciRegistry
from gitops.core.images.manifest import digest_of
from gitops.core.images.name import ImageName, is_digest
from servers.loopback import Handler, Loopback

TOKEN = "ghp_token-of-ana"
PASSWORD = "dckr_pat_of-ana"
AWS_KEY, AWS_SECRET = "AKIDEXAMPLE", "secret-of-ana/K7MDENG"
_BEARER = "hub-token-of-ana"


class FakeMaker(Loopback):
    """A registry over HTTP; `kind` is `github`, `hub` or `ecr`.

    Attributes:
        shelf: what is in it.
        asked: method and path of each request.
        owner: `Organization` or `User`, what GitHub says of an owner.
        refuses: status and message of a deletion by GitHub's API; None: it is done.
    """

    def __init__(self, kind: str) -> None:
        maker = self

        class Answering(Handler):
            def answer(self) -> None:
                maker.asked.append((self.command, self.path))
                body = self.read_body()
                status, headers, content = maker.respond(
                    self.command, self.path, dict(self.headers), body
                )
                content = b"" if self.command == "HEAD" else content
                self.say(status, headers.items(), content)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        super().__init__(Answering)
        self.kind = kind
        self.shelf = MemoryRegistry()
        self.asked: list[tuple[str, str]] = []
        self.owner = "Organization"
        self.refuses: tuple[int, str] | None = None

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    def respond(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        parts = urlsplit(path)
        if parts.path.startswith("/api/"):
            told = self._api(method, parts.path.removeprefix("/api"), parts.query, headers, body)
            return told[0], {"Content-Type": "application/json"}, json.dumps(told[1]).encode()
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags|referrers)/(.*)", parts.path)
        if found is None:
            return 404, {}, b"{}"
        name = ImageName(self.host, found[1])
        repository = self.shelf.repositories.get(name, MemoryRepository())
        if found[2] == "manifests":
            return self._manifest(method, name, repository, unquote(found[3]), headers, body)
        if found[2] == "tags" and not repository.manifests:
            return 404, {}, b'{"errors": [{"code": "NAME_UNKNOWN", "message": "unknown"}]}'
        if found[2] == "tags":
            tags = {"name": name.path, "tags": sorted(repository.tags)}
            return 200, {}, json.dumps(tags).encode()
        if found[2] == "referrers":
            return 404, {}, b"page not found"
        return self._blob(method, name, repository, found[3], parts.query, body)

    def _manifest(
        self,
        method: str,
        name: ImageName,
        repository: MemoryRepository,
        reference: str,
        headers: dict[str, str],
        body: bytes,
    ) -> tuple[int, dict[str, str], bytes]:
        if method == "PUT":
            self.shelf.put_manifest(name, reference, body, headers["Content-Type"])
            return 201, {"Docker-Content-Digest": digest_of(body)}, b""
        digest = reference if is_digest(reference) else repository.tags.get(reference, "")
        if method == "DELETE":
            return self._delete(repository, digest)
        if digest not in repository.manifests:
            code = "MANIFEST_UNKNOWN" if repository.manifests else "NAME_UNKNOWN"
            return 404, {}, json.dumps({"errors": [{"code": code, "message": "unknown"}]}).encode()
        content, kind = repository.manifests[digest]
        return 200, {"Content-Type": kind, "Docker-Content-Digest": digest}, content

    def _delete(
        self, repository: MemoryRepository, digest: str
    ) -> tuple[int, dict[str, str], bytes]:
        """By the protocol: GHCR never does it, Docker Hub with what no tag names."""
        no = json.dumps({"errors": [{"code": "UNSUPPORTED", "message": "unsupported"}]}).encode()
        if self.kind in ("github", "ecr"):
            return 405, {}, no
        if digest in repository.tags.values():
            return 403, {}, b"{}"
        return (202 if repository.manifests.pop(digest, None) else 404), {}, b""

    def _blob(
        self,
        method: str,
        name: ImageName,
        repository: MemoryRepository,
        what: str,
        query: str,
        body: bytes,
    ) -> tuple[int, dict[str, str], bytes]:
        if method == "POST":
            return 202, {"Location": f"/v2/{name.path}/blobs/uploads/1?state=x"}, b""
        if method == "PUT":
            self.shelf.put_blob(name, body)
            return 201, {}, b""
        found = repository.blobs.get(what)
        return (404, {}, b"{}") if found is None else (200, {}, found)

    def _api(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        if self.kind == "hub":
            return self._hub(method, path, headers, body)
        if self.kind == "ecr":
            return self._ecr(headers, body)
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        if method == "GET" and re.fullmatch(r"/users/[^/]+", path):
            return 200, {"login": path.rpartition("/")[2], "type": self.owner}
        kind = "orgs" if self.owner == "Organization" else "users"
        found = re.fullmatch(
            rf"/{kind}/([^/]+)/packages/container/([^/]+)/versions(?:/(\d+))?", path
        )
        if found is None:
            return 404, {"message": "Not Found"}
        name = ImageName(self.host, f"{found[1]}/{unquote(found[2])}")
        repository = self.shelf.repositories.get(name)
        if repository is None:
            return 404, {"message": "Package not found."}
        if method == "DELETE":
            return self._delete_version(repository, int(found[3]))
        if found[3] is not None:
            one = [digest for digest in repository.manifests if _number(digest) == int(found[3])]
            return (200, _version(repository, one[0])) if one else (404, {"message": "Not Found"})
        page = int(parse_qs(query).get("page", ["1"])[0])
        # The newest come first.
        listed = [_version(repository, digest) for digest in reversed(repository.manifests)]
        return 200, listed[(page - 1) * 100 : page * 100]

    def _delete_version(self, repository: MemoryRepository, number: int) -> tuple[int, Any]:
        """A version goes with all of its tags."""
        if self.refuses is not None:
            return self.refuses[0], {"message": self.refuses[1]}
        for digest in list(repository.manifests):
            if _number(digest) == number:
                repository.manifests.pop(digest)
                for tag in [tag for tag, one in repository.tags.items() if one == digest]:
                    del repository.tags[tag]
                return 204, None
        return 404, {"message": "Not Found"}

    def _ecr(self, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """An image goes with all of its tags; one that is part of an index stays."""
        target = "AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage"
        own = f"AWS4-HMAC-SHA256 Credential={AWS_KEY}/"
        if not headers.get("Authorization", "").startswith(own):
            return 400, {"__type": "UnrecognizedClientException", "message": "invalid token"}
        if headers["X-Amz-Target"] != target:
            return 400, {"__type": "UnknownOperationException"}
        if self.refuses is not None:
            return self.refuses[0], {"__type": "AccessDeniedException", "message": self.refuses[1]}
        asked = json.loads(body)
        repository = self.shelf.repositories.get(ImageName(self.host, asked["repositoryName"]))
        if repository is None:
            return 400, {"__type": "RepositoryNotFoundException", "message": "no repository"}
        done, failed = [], []
        for one in asked["imageIds"]:
            digest = one["imageDigest"]
            if repository.manifests.pop(digest, None) is None:
                failed.append({"imageId": one, "failureCode": "ImageNotFound"})
                continue
            for tag in [tag for tag, other in repository.tags.items() if other == digest]:
                del repository.tags[tag]
            done.append(one)
        return 200, {"imageIds": done, "failures": failed}

    def _hub(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if (method, path) == ("POST", "/v2/auth/token"):
            good = {"identifier": "ana", "secret": PASSWORD}
            if json.loads(body) == good:
                return 200, {"access_token": _BEARER}
            return 401, {"detail": "Incorrect authentication credentials"}
        found = re.fullmatch(r"/v2/repositories/(.+)/tags/([^/]+)/", path)
        if headers.get("Authorization") != f"Bearer {_BEARER}" or found is None:
            return 401, {"detail": "no"}
        if self.refuses is not None:
            return self.refuses[0], {"message": self.refuses[1]}
        repository = self.shelf.repositories[ImageName(self.host, found[1])]
        return (204 if repository.tags.pop(found[2], None) else 404), None


def open_maker(maker: FakeMaker, **more: str) -> OciRegistry:
    """Return the adapter for it, with its maker's interface where the fake has it."""
    auth = {"auths": {maker.host: {"username": "ana", "password": PASSWORD}}}
    environ = {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_SERVER_URL": maker.url,
        "DOCKER_AUTH_CONFIG": json.dumps(auth),
        "AWS_ACCESS_KEY_ID": AWS_KEY,
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
    }
    account = "123456789012 eu-west-1 " if maker.kind == "ecr" else ""
    own = {maker.host: f"{maker.kind} {account}{maker.url}/api"}
    return OciRegistry(environ | more, FakeClock(), 20.0, own)


def _number(digest: str) -> int:
    return int(digest[7:19], 16)


def _version(repository: MemoryRepository, digest: str) -> dict[str, Any]:
    tags = [tag for tag, one in repository.tags.items() if one == digest]
    container = {"package_type": "container", "container": {"tags": tags}}
    return {"id": _number(digest), "name": digest, "metadata": container}
