"""Where an image is: the registry's host, and the path of the repository there."""

from __future__ import annotations

import re

from msgspec import Struct

from gitops.core.text.hosts import is_loopback

DOCKER_HUB = "docker.io"

_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::(?P<port>[0-9]{1,5}))?", re.I
)
_PATH = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_LONGEST = 255
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class ImageName(Struct, frozen=True, order=True):
    """A repository of a registry.

    Attributes:
        host: `registry.example.com`, `127.0.0.1:5000`, in lower case; Docker Hub is `docker.io`.
        path: `shop/api`, as the distribution specification has `<name>`.
    """

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


def image_name(text: str) -> ImageName | None:
    """Return where an image of this name is, None where the name says no registry.

    As container runtimes read it: the first part is a host when it has a dot or a colon, or is
    `localhost`. A name without one (`shop/api`, which runtimes take from Docker Hub) is None, and
    so is what no registry takes.
    """
    first, slash, path = text.partition("/")
    host = first.lower()
    if not slash or not ({".", ":"} & set(first) or host == "localhost"):
        return None
    found = _HOST.fullmatch(host)
    if found is None or int(found["port"] or "1") not in range(1, 65536):
        return None
    if host in ("index.docker.io", "registry-1.docker.io"):
        host = DOCKER_HUB
    if host == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    if _PATH.fullmatch(path) is None or len(text) > _LONGEST:
        return None
    return ImageName(host, path)


def is_digest(text: str) -> bool:
    """Say whether this is a whole digest of a registered algorithm (OCI image spec 1.1)."""
    return _DIGEST.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Say whether a registry takes this as a tag (OCI distribution spec 1.1)."""
    return _TAG.fullmatch(text) is not None


def root_of(host: str) -> str:
    """Return the URL that the paths of a registry's interface are below."""
    return f"{'http' if is_loopback(host) else 'https'}://{api_host(host)}"


def api_host(host: str) -> str:
    """Return where the interface of a registry is: Docker Hub's is not at its name."""
    return "registry-1.docker.io" if host == DOCKER_HUB else host
