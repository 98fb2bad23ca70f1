"""The real Gitea that forge tests rest on: it starts, knows its users, takes pushes, and ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from servers.gitea import ADMIN, PEOPLE, GiteaServer


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git in a folder."""
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)


def test_everybody_can_sign_in(gitea: GiteaServer) -> None:
    """Each user's token is that user's, and only one of them administrates."""
    users = {name: gitea.call("GET", "/user", user=name) for name in gitea.users}

    assert {ADMIN, *PEOPLE} == {user["login"] for user in users.values()}
    assert [ADMIN] == [name for name, user in users.items() if user["is_admin"]]
    assert "1.25.4" == gitea.call("GET", "/version")["version"]


def test_a_push_over_http_lands(gitea: GiteaServer, tmp_path: Path) -> None:
    """A writer's push is on the server, and the repository is empty no more."""
    repository = gitea.new_repository("ana", writers=("ci",))
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "Start")

    pushed = git(tmp_path, "push", gitea.clone_url(repository, user="ci"), "main")
    gitea.settle(repository)

    assert 0 == pushed.returncode, pushed.stderr
    head = git(tmp_path, "rev-parse", "HEAD").stdout.strip()
    branch = gitea.call("GET", f"/repos/{repository}/branches/main", user="ana")
    assert head == branch["commit"]["id"]


def test_protection_is_the_servers_own(gitea: GiteaServer, tmp_path: Path) -> None:
    """A push to a protected branch is refused with Gitea's words, and allowed by the list."""
    repository = gitea.new_repository("ana", writers=("ben", "ci"), empty=False)
    gitea.protect(repository)
    git(tmp_path, "clone", "-q", gitea.clone_url(repository, user="ana"), "here")
    git(tmp_path / "here", "commit", "-q", "--allow-empty", "-m", "Change")

    refused = git(tmp_path / "here", "push", gitea.clone_url(repository, user="ben"), "main")
    taken = git(tmp_path / "here", "push", gitea.clone_url(repository, user="ci"), "main")

    assert "Not allowed to push to protected branch main" in refused.stderr
    assert 0 == taken.returncode, taken.stderr


@pytest.mark.parametrize("name", [ADMIN, *PEOPLE])
def test_secrets_do_not_show(gitea: GiteaServer, name: str) -> None:
    """A user in an assertion's output tells neither password nor token."""
    user = gitea.users[name]

    assert user.token not in repr(gitea)
    assert user.password not in repr(gitea)
