"""Azure DevOps Services and Server, by the published description of their interface.

That is version 7.1 (learn.microsoft.com/rest/api/azure/devops); the Python library of its maker is
generated from an older one.

What is relied on: a personal access token is a password without a user, a job's token is a bearer;
whoever is not signed in gets a page (203) in place of an answer. `lastMergeSourceCommit` says which
head is to be merged. A merge goes on after its answer, so it is waited for. Votes stay when
somebody pushes unless a policy resets them; when one was given is told by a thread of the
system.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from gitops.adapters.forges.azure.answers import words_of
from gitops.adapters.forges.azure.forge import AzureDevOps
from gitops.adapters.forges.transport.rest import RestApi, basic, open_calls
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.ports import Clock, GatedForge

_VERSION = {"api-version": "7.1"}


def open_azure(
    address: ForgeAddress,
    token: ForgeToken,
    clock: Clock,
    budget: float,
    environ: Mapping[str, str],
) -> GatedForge:
    """Return the forge at `address`; nobody is contacted yet."""
    calls = open_calls(address, token, clock, budget)
    user = token.user if token.style == "basic" else ""
    header = f"Bearer {token.secret}" if token.style == "job" else basic(user, token.secret)
    *above, name = (quote(part, safe="") for part in address.repository.split("/"))
    project = "/".join([address.api_url, *above])
    root = f"{project}/_apis/git/repositories/{name}"
    api = RestApi(calls, root, environ, header, words_of, _VERSION)
    return AzureDevOps(calls, api, project)
