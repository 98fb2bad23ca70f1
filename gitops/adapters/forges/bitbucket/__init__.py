"""Bitbucket Cloud and Bitbucket Data Center: two interfaces behind one name.

By their published descriptions (developer.atlassian.com/cloud/bitbucket/rest, and
developer.atlassian.com/server/bitbucket/rest for 8.19 and 9): no library of a maker is kept for
either. What is relied on: Cloud shortens commits in pull requests to 12 digits, counts approvals of
any head until a branch restriction resets them, lets authors approve, and has no way to name the
head that is to be merged, so it is looked at right before and what landed right after. Data Center
has a version for each pull request that every change of it or of its branch moves, and remembers
the commit that a reviewer looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

from gitops.adapters.forges.transport.rest import RestApi, basic, open_calls
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.ports import Clock, GatedForge

_FOR_TOKENS = ("x-token-auth", "x-bitbucket-api-token-auth")
"""User names under which Git sends an access token to Bitbucket Cloud."""


def open_bitbucket(
    address: ForgeAddress,
    token: ForgeToken,
    clock: Clock,
    budget: float,
    environ: Mapping[str, str],
) -> GatedForge:
    """Return the forge at `address`; nobody is contacted yet."""
    from gitops.adapters.forges.bitbucket.cloud import BitbucketCloud, words_of_cloud
    from gitops.adapters.forges.bitbucket.datacenter import BitbucketDataCenter, words_of_server

    calls = open_calls(address, token, clock, budget)
    plain = token.style == "basic" and token.user not in _FOR_TOKENS
    header = basic(token.user, token.secret) if plain else f"Bearer {token.secret}"
    owner, name = address.repository.split("/")
    if address.api_url.startswith("https://api.bitbucket.org"):
        root = f"{address.api_url}/repositories/{address.repository}"
        api = RestApi(calls, root, environ, header, words_of_cloud)
        return BitbucketCloud(calls, api, address.api_url)
    root = f"{address.api_url}/api/1.0/projects/{owner}/repos/{name}"
    return BitbucketDataCenter(calls, RestApi(calls, root, environ, header, words_of_server))
