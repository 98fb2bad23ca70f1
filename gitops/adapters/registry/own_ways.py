"""Registries that delete by an interface of their makers: GHCR, Docker Hub, Amazon ECR.

Written from what is published, and never run against them (docs/how-to/images.md says so):

- https://docs.github.com/rest/packages: a version of a container package is a digest with all its
  tags; deleting it takes these along, so it is only done where they are the ones that were seen.
- https://docs.docker.com/reference/api/hub/latest/operations/AuthCreateAccessToken/ for the token,
  docker/hub-feedback #1759 (its makers' word) for the deletion of a tag, and for a manifest
  https://docs.docker.com/reference/api/registry/latest/operations/DeleteImageManifest/: untagged
  ones alone, 500 where it goes on by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from gitops.adapters.http.door import Deadline, Response
from gitops.adapters.registry.access import RegistryAccess
from gitops.adapters.registry.docker_config import DockerConfig
from gitops.adapters.registry.ecr import HOST as ECR_HOST
from gitops.adapters.registry.ecr import AmazonEcr
from gitops.adapters.registry.own_interface import OwnInterface
from gitops.adapters.registry.removal import ByProtocol, Way, refused
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import choose_token
from gitops.core.images.name import DOCKER_HUB, ImageName, is_digest
from gitops.errors import Conflict, Denied, GitopsError, Unavailable

_Version = tuple[int, str, tuple[str, ...]]
"""Its number, its digest ("" for none) and its tags."""

_PAGES = 1000
_HUB = "https://hub.docker.com"


def ways(
    access: RegistryAccess, environ: Mapping[str, str], own: Mapping[str, str]
) -> Callable[[ImageName], Way]:
    """Return what says how images of a registry are deleted.

    `own`: host -> kind and URL, beside those that their names tell.
    """
    made: dict[str, Way] = {}

    def way(name: ImageName) -> Way:
        if name.host not in made:
            kind, _, url = (own.get(name.host) or _kind_of(name.host)).partition(" ")
            if kind == "github":
                made[name.host] = GitHubPackages(access, environ, url)
            elif kind == "hub":
                made[name.host] = DockerHub(access, environ, url)
            elif kind == "ecr":
                account, region, url = url.split(" ")
                made[name.host] = AmazonEcr(access, environ, url, account, region)
            else:
                made[name.host] = ByProtocol(access)
        return made[name.host]

    return way


def _kind_of(host: str) -> str:
    """Return the kind and the URL of a maker's interface, by the host of its registry."""
    if host == "ghcr.io":
        return "github https://api.github.com"
    if host.startswith("containers."):
        server = host.removeprefix("containers.")
        api = f"https://api.{server}" if server.endswith(".ghe.com") else f"https://{server}/api/v3"
        return f"github {api}"
    if (amazon := ECR_HOST.fullmatch(host)) is not None:
        account, region, domain = amazon.groups()
        return f"ecr {account} {region} https://api.ecr.{region}.{domain}"
    return f"hub {_HUB}" if host == DOCKER_HUB else ""


class GitHubPackages(OwnInterface):
    """`Way` of GHCR: versions of a container package, by GitHub's REST API."""

    def __init__(self, access: RegistryAccess, environ: Mapping[str, str], url: str) -> None:
        super().__init__(access, url)
        parts = urlsplit(url)
        server = "https://github.com"
        if parts.hostname != "api.github.com":
            server = f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
        found = choose_token(ForgeAddress("github", server, ""), environ)
        self._server = server
        self._token = found.token.secret if found.token and found.token.style == "token" else None
        if self._token is not None:
            access.words.hide(self._token)
        self._owners: dict[str, str] = {}
        self._numbers: dict[tuple[ImageName, str], int] = {}

    def check(self, name: ImageName, deadline: Deadline) -> None:
        """See `Way`: whether its versions can be listed; who may delete them is not told before."""
        if self._token is None:
            raise Denied(
                f"{name.host} deletes images by GitHub's REST API, and there is no token for it",
                hint=f"set GITHUB_TOKEN (with delete:packages) for {self._server}",
            )
        next(self._pages(name, deadline), None)

    def drop_tag(self, name: ImageName, tag: str, dummy: str, deadline: Deadline) -> None:
        """See `Way`."""
        self._delete(name, dummy, (tag,), deadline)

    def drop(self, name: ImageName, digest: str, deadline: Deadline) -> None:
        """See `Way`."""
        self._delete(name, digest, (), deadline)

    def _delete(
        self, name: ImageName, digest: str, tags: tuple[str, ...], deadline: Deadline
    ) -> None:
        """Delete the version of a digest, where it has no other tags than these."""
        number = self._numbers.get((name, digest))
        found = self._look_up(name, digest, deadline) if number is None else number
        if found is None:
            return
        path = f"{self._package(name, deadline)}/versions/{found}"
        answer = self._ask("GET", name, path, deadline, self._headers())  # as it is by now
        if answer.status == 404:
            return
        if answer.status != 200:
            raise self._no(name, answer, f"version {found} of {name.path}")
        _, version, others = self._version(name, self._json(name, answer))
        if version != digest:
            raise self._access.words.malformed(self._named(name), "a version became another one")
        if not set(others) <= set(tags):
            raise Conflict(f"{digest} of {name} is what its tag {others[0]} names")
        answer = self._ask("DELETE", name, path, deadline, self._headers())
        if answer.status not in (204, 404):
            raise self._no(name, answer, f"the deletion of {digest}")

    def _look_up(self, name: ImageName, digest: str, deadline: Deadline) -> int | None:
        """Return the number of a digest's version; the newest come first, so few pages are read."""
        for page in self._pages(name, deadline):
            self._numbers |= {(name, version): number for number, version, _ in page}
            if (name, digest) in self._numbers:
                return self._numbers[name, digest]
        return None

    def _pages(self, name: ImageName, deadline: Deadline) -> Iterator[list[_Version]]:
        """Yield the versions, a page at a time."""
        for page in range(1, _PAGES):
            path = f"{self._package(name, deadline)}/versions?per_page=100&page={page}"
            answer = self._ask("GET", name, path, deadline, self._headers())
            if answer.status != 200:
                raise self._no(name, answer, f"versions of {name.path}")
            listed = self._json(name, answer)
            if not isinstance(listed, list):
                raise self._access.words.malformed(self._named(name), "its versions are no list")
            yield [self._version(name, one) for one in listed]
            if len(listed) < 100:
                return
        raise self._access.words.malformed(self._named(name), "its versions do not end")

    def _version(self, name: ImageName, told: Any) -> _Version:
        try:
            number, digest = int(told["id"]), str(told["name"])
            tags = tuple(str(tag) for tag in told["metadata"]["container"]["tags"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._access.words.malformed(self._named(name), error) from None
        return number, digest if is_digest(digest) else "", tags

    def _package(self, name: ImageName, deadline: Deadline) -> str:
        """Return the path of the package: of an organisation, else of a person."""
        owner, _, package = name.path.partition("/")
        if owner not in self._owners:
            answer = self._ask("GET", name, f"/users/{quote(owner)}", deadline, self._headers())
            if answer.status != 200:
                raise self._no(name, answer, f"owner {owner}")
            told = self._json(name, answer)
            is_many = isinstance(told, dict) and told.get("type") == "Organization"
            self._owners[owner] = f"/{'orgs' if is_many else 'users'}/{quote(owner)}"
        return f"{self._owners[owner]}/packages/container/{quote(package, safe='')}"

    def _headers(self) -> dict[str, str]:
        return {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": f"Bearer {self._token}",
        }

    def _no(self, name: ImageName, answer: Response, what: str) -> GitopsError:
        """Return the error for a no; GitHub's own words are in `message`."""
        said = ""
        if answer.body:
            told = self._json(name, answer)
            said = str(told.get("message") or "") if isinstance(told, dict) else ""
        host = urlsplit(self._url).netloc
        words = self._access.words.words(said or f"HTTP {answer.status}")
        if answer.status == 404:
            told = f"{host} has no {what}, or does not show it: {words}"
            return Denied(told, hint="the token needs read:packages and delete:packages")
        if answer.status == 429 or answer.status >= 500:
            told = f"{host} is unavailable ({answer.status}): {words}"
            return Unavailable(told, hint="try again later")
        hint = "the token needs delete:packages, and its owner to administer the package"
        return Denied(f"{host} does not allow {what}: {words}", hint=hint)


class DockerHub(OwnInterface):
    """`Way` of Docker Hub: tags by its own API, manifests by the protocol once they have none."""

    def __init__(self, access: RegistryAccess, environ: Mapping[str, str], url: str) -> None:
        super().__init__(access, url)
        self._config = DockerConfig(environ)
        self._token: str | None = None

    def check(self, name: ImageName, deadline: Deadline) -> None:
        """See `Way`: whether there is somebody who may ask."""
        self._bearer(name, deadline)

    def drop_tag(self, name: ImageName, tag: str, dummy: str, deadline: Deadline) -> None:
        """See `Way`: the tag, then what it named."""
        path = f"/v2/repositories/{name.path}/tags/{quote(tag)}/"
        headers = {"Authorization": f"Bearer {self._bearer(name, deadline)}"}
        answer = self._ask("DELETE", name, path, deadline, headers)
        if answer.status not in (200, 202, 204, 404):
            raise self._access.words.error(self._named(name), answer, f"the deletion of tag {tag}")
        self.drop(name, dummy, deadline)

    def drop(self, name: ImageName, digest: str, deadline: Deadline) -> None:
        """See `Way`; after a 500 it goes on by itself."""
        answer = self._access.write("DELETE", name, f"manifests/{digest}", deadline)
        if answer.status not in (200, 202, 204, 404, 500):
            raise refused(self._access, name, answer, f"the deletion of {digest}")

    def _bearer(self, name: ImageName, deadline: Deadline) -> str:
        """Return a token for the calls of this process; it is good for ten minutes."""
        if self._token is None:
            found = self._config.credential(name.host)
            if found is None or found.refresh:
                raise Denied(
                    f"{name.host} deletes images by an API of its own, and nobody is signed in",
                    hint=f"docker login {name.host}, with a token that may delete",
                )
            self._access.words.hide(found.secret)
            body = json.dumps({"identifier": found.user, "secret": found.secret}).encode()
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            answer = self._ask("POST", name, "/v2/auth/token", deadline, headers, body)
            told = self._json(name, answer) if answer.status == 200 else {}
            token = told.get("access_token") if isinstance(told, dict) else None
            if not isinstance(token, str) or not token.isascii() or not token.isprintable():
                where = urlsplit(self._url).netloc
                raise Denied(
                    f"{where} gives no token for the credentials of {found.source}: "
                    f"{self._access.words.said(answer)}",
                    hint=f"docker login {name.host}, with a token that may delete",
                )
            self._access.words.hide(token)
            self._token = token
        return self._token
