"""What the server needs beside repositories: sign-in, messages, the lease of who tells."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops.ports.sign_in import Seal, SignInService, TokenIssuers

if TYPE_CHECKING:
    from gitops.ports.lease import LeaseStore
    from gitops.ports.notifier import Notifier


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


def open_notifier(channels: Mapping[str, Sequence[str]]) -> Notifier:
    """Return what sends messages; `channels`: name -> addresses of apprise.

    Raises NotFound where apprise is not installed, UsageError for an address that is none.
    """
    from gitops.adapters.local.clock import SystemClock
    from gitops.adapters.notifications.apprise_channels import AppriseChannels

    return AppriseChannels(channels, SystemClock())


_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LEASE = "gitops-notify"
"""What it is called where nobody said; deploy/server/ has the rights for it."""

_WITHIN = 3.0  # seconds for one request: less than what is left when a renewal is missed


def open_lease(
    name: str | None, namespace: str | None, context: str | None, *, wanted: bool
) -> LeaseStore | None:
    """Return where the lease is kept; None: nothing was said, and this is no pod with an account.

    Args:
        wanted: the settings ask for it; else only in a pod that has a token.
        context: of the kubeconfig; None: the pod's own account, else the current context.
    """
    if not wanted and not ("KUBERNETES_SERVICE_HOST" in os.environ and (_POD / "token").exists()):
        return None
    from gitops.adapters.argocd.connection import Connection
    from gitops.adapters.argocd.lease_api import KubernetesLease

    connection = Connection(context or "the cluster", context, os.environ, _WITHIN)
    return KubernetesLease(connection, namespace or _namespace(), name or LEASE)


def _namespace() -> str:
    try:
        return (_POD / "namespace").read_text(encoding="utf-8").strip() or "gitops"
    except OSError:
        return "gitops"
