"""What signs people and jobs in, behind its ports."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gitops.ports.sign_in import Seal, SignInService, TokenIssuers


def open_id_provider(
    issuer: str,
    client: tuple[str, str, tuple[str, ...]],
    claims: tuple[str, str],
    *,
    trusts_email: bool,
) -> SignInService:
    """Return the OpenID provider at `issuer`.

    `client`: id, secret ("" for a public one) and scopes; `claims`: those of a person's name and
    groups. Nobody is asked yet.
    """
    from gitops.adapters.signin.claims import ClaimNames
    from gitops.adapters.signin.oidc import Client, OpenIdProvider

    names = ClaimNames(*claims, trusts_email=trusts_email)
    return OpenIdProvider(issuer, Client(*client), names, os.environ)


def open_github(
    url: str, client: tuple[str, str, tuple[str, ...]], *, by_email: bool
) -> SignInService:
    """Return GitHub, or one of one's own, at `url`."""
    from gitops.adapters.signin.github import GitHubSignIn
    from gitops.adapters.signin.oidc import Client

    return GitHubSignIn(url.rstrip("/"), Client(*client), os.environ, by_email=by_email)


def open_issuers(keys: Mapping[str, Mapping[str, Any]]) -> TokenIssuers:
    """Return the issuers of tokens; `keys` are those of issuers (by URL) that nobody need ask."""
    from gitops.adapters.signin.keys import Issuers

    return Issuers(os.environ, keys)


def open_seal(secrets: Sequence[bytes]) -> Seal:
    """Return what hides cookies: the first secret seals, all open."""
    from gitops.adapters.signin.jose import Sealing

    return Sealing(secrets)
