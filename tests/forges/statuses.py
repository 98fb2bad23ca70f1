"""Statuses of commits, reported as CI systems do: gitops itself only reads them."""

from __future__ import annotations

import hashlib
from typing import Any

from fake_forge import FakeForge
from gitops.adapters.forges.azure.forge import AzureDevOps
from gitops.adapters.forges.bitbucket.cloud import BitbucketCloud
from gitops.adapters.forges.bitbucket.datacenter import BitbucketDataCenter
from gitops.adapters.forges.gitea.forge import GiteaForge
from gitops.adapters.forges.github.forge import GithubForge
from gitops.adapters.forges.gitlab.forge import GitlabForge
from gitops.adapters.forges.transport.calls import ForgeResponse
from gitops.ports import CheckState

_AZURE = {"success": "succeeded", "pending": "pending", "failure": "failed"}
_BITBUCKET = {"success": "SUCCESSFUL", "pending": "INPROGRESS", "failure": "FAILED"}
_GITLAB = {"success": "success", "pending": "pending", "failure": "failed"}
_LONGEST_KEY = 40


def report(forge: Any, commit: str, name: str, state: CheckState, text: str, url: str) -> None:
    """Report `state` for `commit` under `name`, by whatever interface a forge has for it."""
    text = text[:140]
    body = {"context": name, "description": text, "target_url": url}
    if isinstance(forge, FakeForge):
        forge.set_status(commit, name, state, text, url)
    elif isinstance(forge, GithubForge):
        forge._api.send("POST", "/statuses/{}", commit, state=state, **body)
    elif isinstance(forge, GiteaForge):
        forge._api.do("repo_create_status", sha=commit, state=state, **body)
    elif isinstance(forge, GitlabForge):
        told = {"name": name, "description": text, "target_url": url}
        try:
            forge._api.post("/statuses/{}", commit, state=_GITLAB[state], **told)
        except ForgeResponse as error:
            if error.status != 400 or "transition" not in error.words:
                raise  # what is so already cannot become so
    elif isinstance(forge, AzureDevOps):
        genre, _, rest = name.rpartition("/")
        context = {"name": rest, "genre": genre}
        told = {"state": _AZURE[state], "description": text, "targetUrl": url}
        forge._api.send("POST", "/commits/{}/statuses", commit, body={**told, "context": context})
    elif isinstance(forge, BitbucketCloud):
        told = _build(name, state, text, url)
        forge._api.send("POST", "/commit/{}/statuses/build", commit, body=told)
    elif isinstance(forge, BitbucketDataCenter):
        where = f"{forge._rest}/build-status/1.0/commits/{commit}"
        forge._api.send_outside("POST", where, _build(name, state, text, url))
    else:
        raise TypeError(type(forge).__name__)


def _build(name: str, state: CheckState, text: str, url: str) -> dict[str, str]:
    """The document that reports a build to Bitbucket."""
    key = name
    if len(key) > _LONGEST_KEY:
        key = hashlib.sha256(name.encode()).hexdigest()[:_LONGEST_KEY]
    return {"key": key, "name": name, "state": _BITBUCKET[state], "description": text, "url": url}
