"""Jobs of CI systems: known by a token that their own system gave them, or by a fixed one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from gitops.core.access.jobs import branch_of, commit_of, find_jobs, ref_of
from gitops.core.environments.environment import Config
from gitops.core.environments.rows import STATIC, JobRow
from gitops.errors import Denied
from gitops.ports.sign_in import TokenIssuers
from gitops.server.identity.person import Person, Unproved, Via
from gitops.server.identity.settings import Issuer, StaticToken

LONGEST = 16_384  # characters of a token


class Machines:
    """Says which job a bearer token is from; may ask an issuer, so it may block.

    Args:
        policy: returns what gitops.yaml says now, None before it was read.
        now: returns Unix time in seconds.
    """

    def __init__(
        self,
        issuers: Sequence[Issuer],
        tokens: Sequence[StaticToken],
        asked: TokenIssuers,
        policy: Callable[[], Config | None],
        now: Callable[[], float],
    ) -> None:
        self._issuers = {one.url: one for one in issuers}
        self._tokens = tokens
        self._asked = asked
        self._policy = policy
        self._now = now

    def asks_for(self, token: str) -> bool:
        """Say whether `person` may ask an issuer about this token, and so may block."""
        fits = token.isascii() and len(token) <= LONGEST and token.count(".") == 2
        return fits and _issuer_of(token) in self._issuers

    def person(self, token: str) -> Person:
        """Return the job. Raises Unproved, and Unavailable where its issuer is away."""
        if not token or len(token) > LONGEST or not token.isascii():
            raise Unproved("the token is none")
        if token.count(".") == 2:
            issuer = self._issuers.get(_issuer_of(token))
            if issuer is not None:
                return self._by_claims(issuer, token)
        return self._by_hash(token)

    def _by_claims(self, issuer: Issuer, token: str) -> Person:
        try:
            claims = self._asked.claims(issuer.url, issuer.audience, token)
        except Denied as error:
            raise Unproved(error.message, hint=error.hint) from None
        found = find_jobs(self._jobs(), issuer.name, issuer.kind, claims)
        if not found:
            raise Unproved(
                f"the token of {issuer.name} is of no job that gitops.yaml knows",
                hint="`jobs:` says which claims a job has; pull requests are never one",
            )
        branch, commit = branch_of(issuer.kind, claims), commit_of(issuer.kind, claims)
        job = _job(found[0].name, "job", branch, commit)
        return job if branch is not None else replace(job, ref=ref_of(issuer.kind, claims))

    def _by_hash(self, token: str) -> Person:
        """All hashes are compared, so that the time tells nothing."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        fitting = [one for one in self._tokens if hmac.compare_digest(one.digest, digest)]
        if not fitting:
            raise Unproved("nobody here knows this token")
        now = self._now()
        good = [one for one in fitting if now < one.expires.timestamp()]
        if not good:
            raise Unproved("the token is over", hint="make a new one, and put its hash in place")
        static = {row.name for row in self._jobs() if row.issuer == STATIC}
        for one in good:
            if one.job in static:
                return _job(one.job, "token", None, None)
        raise Unproved(f"gitops.yaml has no job {good[0].job} with `issuer: {STATIC}`")

    def _jobs(self) -> Sequence[JobRow]:
        config = self._policy()
        return config.jobs if config is not None else ()


def _job(name: str, via: Via, branch: str | None, commit: str | None) -> Person:
    address = f"{name}@jobs.noreply"
    return Person(f"job:{name}", name, address, (), via, branch=branch, commit=commit)


def _issuer_of(token: str) -> str:
    """Return whom a token says that it is from: a hint for whom to ask, and no proof."""
    word = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
    except (ValueError, RecursionError):
        return ""
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else ""
