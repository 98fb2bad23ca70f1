"""Amazon ECR, which deletes by an API of its own and not by the protocol.

Written from what is published, and never run against it (docs/how-to/images.md says so):

- https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html: by
  `imageTag` a tag goes, by `imageDigest` the image with all of its tags.
- https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html: signature version 4.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from gitops.adapters.http.door import Deadline, Response
from gitops.adapters.registry.access import RegistryAccess
from gitops.adapters.registry.own_interface import OwnInterface
from gitops.core.images.name import ImageName
from gitops.errors import Conflict, Denied, GitopsError, Unavailable

HOST = re.compile(r"(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?)")
"""Account, region and domain of a registry."""

_TARGET = "AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage"
_KIND = "application/x-amz-json-1.1"
_ABSENT = f"sha256:{'0' * 63}1"
_GONE = ("ImageNotFound", "ImageTagDoesNotMatchDigest")
_BUSY = ("ServerException", "ThrottlingException", "LimitExceededException")


class AwsKey(Struct, frozen=True):
    """A key of AWS; nothing prints it."""

    id: str
    secret: str
    session: str | None = None

    def __repr__(self) -> str:
        return "AwsKey(…)"


def key_of(environ: Mapping[str, str]) -> AwsKey | None:
    """Return the key of the environment, None where there is none."""
    name, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not name or not secret:
        return None
    return AwsKey(name, secret, environ.get("AWS_SESSION_TOKEN") or None)


def signed(
    key: AwsKey,
    region: str,
    service: str,
    request: tuple[str, str, str, bytes],
    headers: Mapping[str, str],
    now: datetime,
) -> dict[str, str]:
    """Return the headers of a request, signed by version 4.

    Args:
        request: method, host, path and body; there is no query.
        headers: beside those that are added: names in any case.
        now: in UTC.
    """
    method, host, path, body = request
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    all_headers = {name.lower(): value.strip() for name, value in headers.items()}
    all_headers |= {"host": host, "x-amz-date": stamp}
    if key.session is not None:
        all_headers["x-amz-security-token"] = key.session
    names = sorted(all_headers)
    lines = "".join(f"{name}:{all_headers[name]}\n" for name in names)
    listed = ";".join(names)
    asked = f"{method}\n{path}\n\n{lines}\n{listed}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"
    made = f"AWS4{key.secret}".encode()
    for word in (stamp[:8], region, service, "aws4_request"):
        made = hmac.new(made, word.encode(), "sha256").digest()
    signature = hmac.new(made, text.encode(), "sha256").hexdigest()
    credential = f"AWS4-HMAC-SHA256 Credential={key.id}/{scope}"
    authorization = f"{credential}, SignedHeaders={listed}, Signature={signature}"
    return {**headers, "X-Amz-Date": stamp, "Authorization": authorization} | (
        {"X-Amz-Security-Token": key.session} if key.session is not None else {}
    )


class AmazonEcr(OwnInterface):
    """`Way` of Amazon ECR.

    Args:
        account, region: of the registry.
    """

    def __init__(
        self,
        access: RegistryAccess,
        environ: Mapping[str, str],
        url: str,
        account: str,
        region: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(access, url)
        self._account = account
        self._region = region
        self._key = key_of(environ)
        self._now = now
        if self._key is not None:
            access.words.hide(self._key.secret)

    def check(self, name: ImageName, deadline: Deadline) -> None:
        """See `Way`: asked of an image that is not there."""
        if self._key is None:
            raise Denied(
                f"{name.host} deletes images by Amazon's API, and there is no key for it",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), "
                "with ecr:BatchDeleteImage",
            )
        self.drop(name, _ABSENT, deadline)

    def drop_tag(self, name: ImageName, tag: str, dummy: str, deadline: Deadline) -> None:
        """See `Way`; its tags go with an image."""
        self.drop(name, dummy, deadline)

    def drop(self, name: ImageName, digest: str, deadline: Deadline) -> None:
        """See `Way`."""
        if self._key is None:
            raise Denied(f"there is no key for {name.host}")
        asked = {
            "registryId": self._account,
            "repositoryName": name.path,
            "imageIds": [{"imageDigest": digest}],
        }
        body = json.dumps(asked).encode()
        headers = {"Content-Type": _KIND, "X-Amz-Target": _TARGET}
        host = urlsplit(self._url).netloc
        request = ("POST", host, "/", body)
        made = signed(self._key, self._region, "ecr", request, headers, self._now())
        answer = self._ask("POST", name, "/", deadline, made, body)
        if answer.status != 200:
            raise self._no(name, answer, digest)
        told = self._json(name, answer)
        failures = told.get("failures") if isinstance(told, dict) else None
        for one in failures if isinstance(failures, list) else ():
            self._check_failure(name, one, digest)

    def _check_failure(self, name: ImageName, told: Any, digest: str) -> None:
        """Raise what a failure of one image means; one that is gone is fine."""
        code = str(told.get("failureCode")) if isinstance(told, dict) else ""
        if code in _GONE:
            return
        why = self._access.words.words(str(told.get("failureReason") or code or told))
        if code == "ImageReferencedByManifestList":
            raise Conflict(f"{digest} of {name} is part of an index: {why}")
        raise Denied(f"{name.host} does not delete {digest}: {why}")

    def _no(self, name: ImageName, answer: Response, digest: str) -> GitopsError:
        """Return the error for a no: its kind is in `__type`."""
        told = self._json(name, answer) if answer.body else {}
        told = told if isinstance(told, dict) else {}
        kind = str(told.get("__type", "")).rpartition("#")[2]
        words = self._access.words.words(
            str(told.get("message") or told.get("Message") or kind or f"HTTP {answer.status}")
        )
        if answer.status == 429 or answer.status >= 500 or kind in _BUSY:
            return Unavailable(f"{name.host} is unavailable: {words}", hint="try again later")
        return Denied(
            f"{name.host} does not allow the deletion of {digest}: {words}",
            hint="the key needs ecr:BatchDeleteImage on the repository",
        )
