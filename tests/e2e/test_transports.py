"""The whole story over each way to a repository: a path, HTTP, SSH, TLS with a CA of one's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from manifests import Manifests, Result
from servers.authority import Authority
from servers.git_http import Behaviour, GitServer
from servers.lanes import need
from servers.loopback import Loopback
from servers.ssh import SshServer

DEV = "overlays/dev/kustomization.yaml"
PROD = "overlays/prod/kustomization.yaml"
ANA = {"GITOPS_AUTHOR": "Ana <ana@example.com>"}
BEN = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}
STRANGER = 54_321  # no account of this machine


@dataclass
class World:
    """One repository, the address that it is reached by, and what the caller needs for that."""

    manifests: Manifests
    url: str
    environ: Mapping[str, str] = field(default_factory=dict)

    def gitops(self, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
        """Run gitops over this transport, with JSON."""
        environ = {**self.environ, **(env or {})}
        return self.manifests.gitops(*arguments, "-o", "json", repo=self.url, env=environ)

    def does(self, *arguments: str, env: Mapping[str, str] | None = None) -> Any:
        """The same, and it must end 0; returns the document."""
        result = self.gitops(*arguments, env=env)
        assert 0 == result.code, f"{arguments}: {result.out}{result.err}"
        return result.json

    def fails(self, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """A deploy to dev must end with code 3 at once, with nothing written; returns the error."""
        head = self.manifests.git("rev-parse", "main")
        result = self.gitops("deploy", "shop/api:2", "--to", "dev", *arguments, env=env)
        assert 3 == result.code, result.out + result.err
        assert "trying again" not in result.err
        assert head == self.manifests.git("rev-parse", "main")
        error: dict[str, Any] = result.json["error"]
        return error


@pytest.fixture
def ssh(manifests: Manifests, tmp_path: Path) -> Iterator[tuple[SshServer, World]]:
    """The repository behind a real sshd."""
    need("ssh")
    with SshServer(tmp_path / "sshd") as server:
        yield server, World(manifests, server.url(manifests.path), server.environ)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA that no machine knows."""
    need("tls")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def serve_tls(manifests: Manifests, authority: Authority) -> Iterator[Callable[[str], World]]:
    """Serve the repository over HTTPS with a certificate for some name."""
    manifests.git("config", "http.receivepack", "true")
    with ExitStack() as stack:

        def serve(name: str) -> World:
            server = GitServer(manifests.path.parent, tls=authority.server(name))
            stack.enter_context(server)
            environ = {"GIT_SSL_CAINFO": str(authority.certificate)}
            return World(manifests, server.repo, environ)

        yield serve


@pytest.fixture
def world(request: pytest.FixtureRequest, manifests: Manifests, tmp_path: Path) -> Iterator[World]:
    """The repository, reached by the transport that the test names."""
    match request.param:
        case "path":
            yield World(manifests, str(manifests.path))
        case "http":
            manifests.git("config", "http.receivepack", "true")
            with GitServer(manifests.path.parent) as server:
                yield World(manifests, server.repo)
        case "ssh":
            yield request.getfixturevalue("ssh")[1]
        case "tls":
            yield request.getfixturevalue("serve_tls")("IP:127.0.0.1")


@pytest.mark.slow
@pytest.mark.parametrize("world", ["path", "http", "ssh", "tls"], indirect=True)
def test_story(world: World) -> None:
    """Deployed, promoted, approved, rolled back, told, and that undone: the same everywhere."""
    follow = world.does("deploy", "shop/api:1.5.0", "--ref", "main")
    assert ["dev", "test"] == [row["environment"] for row in follow["changes"]]
    staged = world.does("deploy", "shop/api:1.5.0", "--ref", "release/1.5")
    assert ["stage"] == [row["environment"] for row in staged["changes"]]

    before = world.manifests.file(PROD)
    assert "proposed" == world.does("promote", "shop/api", "--to", "prod", env=ANA)["outcome"]
    assert before == world.manifests.file(PROD)
    refused = world.gitops("approve", "prod", env=ANA)
    assert (1, "refused") == (refused.code, refused.json["error"]["code"])
    assert "committed" == world.does("approve", "prod", env=BEN)["outcome"]
    assert "newTag: 1.5.0" in plain(world.manifests.file(PROD))

    back = world.does("rollback", "prod", "--reason", "INC-42", env=ANA)
    assert ("committed", "INC-42") == (back["outcome"], back["hold"]["reason"])
    assert before == world.manifests.file(PROD)
    releases = world.does("history", "prod")["releases"]
    assert [back["commit"], "rollback"] == [releases[0]["commit"], releases[0]["action"]]
    status = world.does("status", "prod")["environments"][0]
    assert ("INC-42", []) == (status["hold"]["reason"], status["proposals"])
    assert [] == world.does("validate")["problems"]

    taken = world.does("undo", "prod", env=ANA)
    assert "committed" == taken["outcome"]
    assert "newTag: 1.5.0" in plain(world.manifests.file(PROD))
    assert world.does("status", "prod")["environments"][0]["hold"] is None


def plain(text: str) -> str:
    """Return a kustomization without the quotes that it may have."""
    return text.replace('"', "").replace("'", "")


@pytest.mark.parametrize("world", ["http", "ssh"], indirect=True)
def test_server_that_talks_megabytes(world: World) -> None:
    """A hook that prints megabytes is quoted by its last lines, in a message that one can read."""
    hook = world.manifests.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    said = "yes 'a line that says nothing at all, and then says it again and again' | head -50000"
    hook.write_text(f"#!/bin/sh\n({said}; echo 'no deploys on Fridays') >&2\nexit 1\n")
    hook.chmod(0o755)
    error = world.fails()

    assert "hook-declined" == error["code"]
    assert error["message"].endswith("no deploys on Fridays")
    assert 1000 > len(error["message"])


def test_host_that_nobody_knows(ssh: tuple[SshServer, World]) -> None:
    """A host key that is in no known_hosts: 3 at once, and how to trust it."""
    server, world = ssh
    (server.folder / "known").write_text("")
    error = world.fails()

    assert "denied" == error["code"]
    assert f"ssh-keyscan -p {server.port} 127.0.0.1 >> ~/.ssh/known_hosts" in error["hint"]
    assert "token" not in error["hint"]


def test_host_that_changed_its_key(ssh: tuple[SshServer, World]) -> None:
    """Another key than the known one: 3 at once, and nothing that makes one trust it blindly."""
    server, world = ssh
    kind, _, _ = (server.folder / "host.pub").read_text().split()
    _, other, _ = (server.folder / "client.pub").read_text().split()
    (server.folder / "known").write_text(f"[127.0.0.1]:{server.port} {kind} {other}\n")
    error = world.fails()

    assert "denied" == error["code"]
    assert "known_hosts" in error["hint"]
    assert "ssh-keyscan" not in error["hint"]


def test_key_that_the_server_does_not_know(ssh: tuple[SshServer, World]) -> None:
    """A key that may not sign in: 3 at once."""
    server, world = ssh
    (server.folder / "authorized").write_text("")

    assert "denied" == world.fails()["code"]


def test_repository_that_is_not_on_the_ssh_server(ssh: tuple[SshServer, World]) -> None:
    """A path that the server has not: 3 at once."""
    server, world = ssh
    missing = World(world.manifests, server.url(Path("/nowhere/manifests.git")), world.environ)

    assert "not-found" == missing.fails()["code"]


@pytest.mark.parametrize(
    ("command", "code", "hint"),
    [
        ("echo Welcome to the jungle", "denied", "greeting"),
        ("PATH=/nowhere; $SSH_ORIGINAL_COMMAND", "not-found", "install Git on the server"),
    ],
)
def test_account_that_does_something_else(
    ssh: tuple[SshServer, World], command: str, code: str, hint: str
) -> None:
    """A login that greets, or that finds no Git: 3 at once, and what is to be mended there."""
    server, world = ssh
    key = (server.folder / "client.pub").read_text()
    (server.folder / "authorized").write_text(f'command="{command}" {key}')
    error = world.fails()

    assert code == error["code"]
    assert hint in error["hint"]


def test_port_without_tls(manifests: Manifests) -> None:
    """https:// to a port that speaks plain HTTP: 3 at once."""
    with GitServer(manifests.path.parent) as server:
        address = server.url.replace("http://", "https://")
        error = World(manifests, f"{address}/manifests.git").fails()

    assert "denied" == error["code"]
    assert "no TLS" in error["hint"]


def test_machine_without_ssh(ssh: tuple[SshServer, World], tmp_path: Path) -> None:
    """No program `ssh`: 3 at once, and what to install."""
    _, world = ssh
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh"):
        (tools / name).symlink_to(str(shutil.which(name)))
    error = world.fails(env={"PATH": str(tools)})

    assert "not-found" == error["code"]
    assert "install OpenSSH" in error["hint"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_account_that_does_not_exist(ssh: tuple[SshServer, World], tmp_path: Path) -> None:
    """A container's number without an account, for which ssh does nothing: 3 at once, and why."""
    _, world = ssh
    nameless = tmp_path / "nameless"
    nameless.mkdir()
    ssh_program = nameless / "ssh"
    words = f"exec setpriv --reuid {STRANGER} {shutil.which('ssh')}"
    ssh_program.write_text(f'#!/bin/sh\n{words} "$@"\n')
    ssh_program.chmod(0o755)
    error = world.fails(env={"PATH": f"{nameless}{os.pathsep}{os.environ['PATH']}"})

    assert "denied" == error["code"]
    assert f"{STRANGER}" in error["message"]
    assert "/etc/passwd" in error["hint"]


def test_certificate_of_nobody_we_know(serve_tls: Callable[[str], World]) -> None:
    """A CA that is not given: 3 at once, and how to give it; a token would not help."""
    world = serve_tls("IP:127.0.0.1")
    error = World(world.manifests, world.url).fails()

    assert "denied" == error["code"]
    assert "http.sslCAInfo" in error["hint"]
    assert "token" not in error["hint"]


def test_certificate_of_another_name(serve_tls: Callable[[str], World]) -> None:
    """A certificate for another host: 3 at once, and it is not the CA that is blamed."""
    error = serve_tls("DNS:git.example.com").fails()

    assert "denied" == error["code"]
    assert "another name" in error["hint"]
    assert "sslCAInfo" not in error["hint"]


def test_authority_that_is_not_there(serve_tls: Callable[[str], World]) -> None:
    """A file of certificates that does not exist: 3 at once, and what names it."""
    error = serve_tls("IP:127.0.0.1").fails(env={"GIT_SSL_CAINFO": "/nowhere/ca.crt"})

    assert "denied" == error["code"]
    assert "GIT_SSL_CAINFO" in error["hint"]


def test_proxy_that_wants_a_password(manifests: Manifests, tmp_path: Path) -> None:
    """A proxy that answers 407: 3 at once, and it is the proxy that is told about."""
    with GitServer(tmp_path) as proxy:
        proxy.behaviour = Behaviour(status=407)
        world = World(manifests, "http://git.example.com/m.git", {"http_proxy": proxy.url})
        error = world.fails()

    assert "denied" == error["code"]
    assert "https_proxy" in error["hint"]


def test_server_that_only_has_files(manifests: Manifests) -> None:
    """Git's dumb protocol, a folder behind a web server: 3 at once, and what it must speak."""
    manifests.git("update-server-info")

    class Folder(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(manifests.path.parent))

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with Loopback(Folder) as server:
        error = World(manifests, f"{server.url}/manifests.git").fails()

    assert "denied" == error["code"]
    assert "smart protocol" in error["hint"]


def test_tries_fold_into_one_counting_line(manifests: Manifests) -> None:
    """A server that stays away: few lines, which count; the end says how often it was tried."""
    result = manifests.gitops(
        *("deploy", "shop/api:2", "--to", "dev", "-o", "json", "--push-timeout", "3s"),
        repo="http://127.0.0.1:9/manifests.git",
    )
    lines = [line for line in result.err.splitlines() if "trying again (" in line]

    assert (75, "unavailable") == (result.code, result.json["error"]["code"])
    assert "(1 try, " in lines[0]
    assert "s left)" in lines[0]
    assert 8 > len(lines)
    assert " in 3 s; --push-timeout gives it more time" in result.json["error"]["hint"]


def test_file_that_a_sparse_checkout_leaves_out(manifests: Manifests) -> None:
    """An overlay that is edited in the checkout and not in it: how to have it, not `git pull`."""
    repo = str(manifests.checkout)
    for words in (("update-index", "-q", "--refresh"), ("sparse-checkout", "set", "overlays/dev")):
        subprocess.run(["git", "-C", repo, *words], check=True)
    result = manifests.gitops("deploy", "shop/api:2", "--to", "local", "-o", "json", repo=repo)

    assert (3, "not-found") == (result.code, result.json["error"]["code"])
    assert "git sparse-checkout add overlays/local" == result.json["error"]["hint"]


def test_overlay_in_large_file_storage(manifests: Manifests) -> None:
    """A pointer of Git LFS where the overlay should be is called that, and nothing is written."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 120\n"
    manifests.commit("Keep overlays in LFS", {DEV: pointer})
    error = World(manifests, str(manifests.path)).fails()

    assert "unsafe-edit" == error["code"]
    assert "pointer of Git LFS" in error["message"]
    assert f"git lfs untrack {DEV}" in error["hint"]
