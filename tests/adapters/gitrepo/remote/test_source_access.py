"""No credential of the caller's goes to a server that only gitops.yaml names."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import GitSources
from gitops.errors import Denied, GitopsError
from gitrepos import ENVIRON, Repo
from servers.loopback import Handler, Loopback

SECRET = "ghs_TOPSECRET"
PASSWORD = base64.b64encode(f"bot:{SECRET}".encode()).decode()


class Curious(Loopback):
    """A server that asks for a password, and keeps what it is given."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.asked = 0
        heard, me = self.heard, self

        class Asking(Handler):
            def do_GET(self) -> None:
                me.asked += 1
                given = self.headers.get("Authorization")
                heard.extend([given] if given else [])
                self.say(404 if given else 401, [("WWW-Authenticate", "Basic realm=x")], b"")

        super().__init__(Asking)


@pytest.fixture
def curious() -> Iterator[Curious]:
    """Return a server that wants to know."""
    with Curious() as server:
        yield server


def script(path: Path, text: str) -> str:
    """Write a program."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def caller(kind: str, home: Path) -> dict[str, str]:
    """Return the environment of a caller who keeps the password in one of the usual ways."""
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home)}
    environ["GIT_CONFIG_NOSYSTEM"] = "1"
    helper = script(home / "helper", f"echo username=bot; echo password={SECRET}")
    header = f"Authorization: Basic {PASSWORD}"
    match kind:
        case "askpass":
            environ["GIT_ASKPASS"] = script(home / "askpass", f"echo {SECRET}")
        case "ssh-askpass":
            environ["SSH_ASKPASS"] = script(home / "askpass", f"echo {SECRET}")
        case "core.askpass":
            program = script(home / "askpass", f"echo {SECRET}")
            (home / ".gitconfig").write_text(f"[core]\n\taskPass = {program}\n")
        case "helper":
            (home / ".gitconfig").write_text(f"[credential]\n\thelper = {helper}\n")
        case "netrc":
            (home / ".netrc").write_text(f"default login bot password {SECRET}\n")
        case "header":
            environ |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader"}
            environ["GIT_CONFIG_VALUE_0"] = header
        case "header in a file":
            (home / ".gitconfig").write_text(f'[http]\n\textraHeader = "{header}"\n')
        case "header for a pattern":
            text = f'[http "http://127.0.0.*:*"]\n\textraHeader = "{header}"\n'
            (home / ".gitconfig").write_text(text)
    return environ


KINDS = ["askpass", "ssh-askpass", "core.askpass", "helper", "netrc", "header", "header in a file"]


def test_in_the_clear_it_is_not_even_asked(curious: Curious, tmp_path: Path) -> None:
    """Plain HTTP to another machine is refused, and the error says how to allow it."""
    environ = caller("header", tmp_path) | {"http_proxy": f"http://127.0.0.1:{curious.port}"}
    url = "http://src.example.com:3000/x/app.git"
    with GitSources(environ) as sources, pytest.raises(Denied) as caught:
        sources.heads(url)

    assert curious.asked == 0
    assert "GITOPS_SOURCE_HOSTS=http://src.example.com:3000" in (caught.value.hint or "")


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_disk_that_only_the_file_names(scheme: str, tmp_path: Path) -> None:
    """A repository on this machine brings its configuration: it is opened where the caller says."""
    Repo.bare(tmp_path / "app.git")
    url, home = f"{scheme}{tmp_path}/app.git", "https://git.example.com/shop/manifests.git"
    with GitSources(ENVIRON, home=lambda: home) as sources, pytest.raises(Denied) as caught:
        sources.heads(url)
    assert "GITOPS_SOURCE_HOSTS=localhost" in (caught.value.hint or "")

    for environ, place in ((ENVIRON, str(tmp_path)), ({"GITOPS_SOURCE_HOSTS": "localhost"}, home)):
        with GitSources({**ENVIRON, **environ}, home=lambda place=place: place) as sources:
            assert {} == sources.heads(url)


@pytest.mark.parametrize("kind", [*KINDS, "header for a pattern"])
def test_a_server_that_only_the_file_names(kind: str, curious: Curious, tmp_path: Path) -> None:
    """It is asked, and gets nothing; the error says how to allow it."""
    url = f"http://127.0.0.1:{curious.port}/x/app.git"
    with GitSources(caller(kind, tmp_path)) as sources, pytest.raises(GitopsError) as caught:
        sources.heads(url)

    assert (curious.heard, curious.asked > 0) == ([], True)
    assert "GITOPS_SOURCE_HOSTS" in (caught.value.hint or "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", ["variable", "home", "configuration"])
def test_a_server_that_the_caller_names(
    kind: str, by: str, curious: Curious, tmp_path: Path
) -> None:
    """Named by the variable, by Git's configuration or by the manifests, it gets what Git has."""
    origin = f"http://127.0.0.1:{curious.port}"
    environ = caller(kind, tmp_path)
    home = f"{origin}/x/manifests.git" if by == "home" else None
    if by == "variable":
        environ["GITOPS_SOURCE_HOSTS"] = origin
    if by == "configuration":
        with (tmp_path / ".gitconfig").open("a") as file:
            file.write(f'[credential "{origin}"]\n\tusername = bot\n')
    with GitSources(environ, home=lambda: home) as sources, pytest.raises(GitopsError):
        sources.heads(f"{origin}/x/app.git")

    secrets = [base64.b64decode(one.split()[1]).decode() for one in curious.heard]
    assert any(SECRET in one for one in secrets)


def test_what_is_no_credential_goes_along(curious: Curious, tmp_path: Path) -> None:
    """Without credentials, proxies and other addresses of the caller's configuration still hold."""
    environ = caller("none", tmp_path)
    text = f'[url "http://127.0.0.1:{curious.port}/"]\n\tinsteadOf = "https://src.example.com/"\n'
    (tmp_path / ".gitconfig").write_text(text)
    with GitSources(environ) as sources, pytest.raises(Denied):
        sources.heads("https://src.example.com/x/app.git")

    (tmp_path / ".gitconfig").write_text(f"[http]\n\tproxy = http://127.0.0.1:{curious.port}\n")
    with GitSources(environ) as sources, pytest.raises(GitopsError) as caught:
        sources.heads("https://src.example.com/x/app.git")

    assert "Could not resolve" not in caught.value.message
