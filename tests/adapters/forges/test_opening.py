"""From a remote to its forge: who is asked what, and where tokens go."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fakes import FakeClock
from forges.json_server import Call, JsonServer, Reply
from gitops.adapters.forges.opening import open_forge
from gitops.adapters.forges.transport.probe import probe
from gitops.adapters.gitrepo import open_repository
from gitops.core.environments.environment import Config, ForgeSetting
from gitops.core.forges.address import Unknown, WebOrigin
from gitops.errors import Denied, Unavailable
from gitops.ports import GatedForge, NoForge
from gitrepos import ENVIRON, Repo


class Host(JsonServer):
    """A web server that says what it is told, and keeps what came."""

    def __init__(self) -> None:
        super().__init__()
        self.says: dict[str, Reply] = {}
        self.seen: list[Call] = []

    def answer(self, call: Call) -> Reply:
        """Keep the request, and say what was told."""
        self.seen.append(call)
        return self.says.get(call.path, Reply(404, {"message": "Not Found"}))

    @property
    def secrets(self) -> list[str]:
        """Return the credentials that came."""
        names = ("authorization", "private-token", "job-token")
        return [call.headers[name] for call in self.seen for name in names if name in call.headers]


@pytest.fixture
def host() -> Iterator[Host]:
    """A server on this machine."""
    with Host() as made:
        assert isinstance(made, Host)
        yield made


def opened(
    remote: str, environ: Mapping[str, str] | None = None, forge: ForgeSetting | None = None
) -> GatedForge | NoForge:
    """Open the forge of a remote."""
    whole = {**os.environ, **ENVIRON, **(environ or {})}
    with open_repository(remote, environ=whole) as repository:
        return open_forge(repository, Config(None, forge=forge), FakeClock(), 10.0, whole)


GITEA = Reply(200, {"version": "1.25.4"})
TOKEN = {"GITEA_TOKEN": "s3cret-token"}


def test_a_host_is_asked_without_a_token(host: Host) -> None:
    """Nobody gets a token for saying what it is."""
    host.says["/api/v1/version"] = GITEA
    found = opened(f"{host.url}/shop/m.git", TOKEN)

    assert not isinstance(found, NoForge)
    assert found.describe().startswith("Gitea at 127.0.0.1:")
    assert ["/api/v1/version"] == [call.path for call in host.seen]
    assert [] == host.secrets


def test_a_host_is_not_asked_in_vain(host: Host) -> None:
    """Without any token that could go there, there is nothing to ask for."""
    host.says["/api/v1/version"] = GITEA
    found = opened(f"{host.url}/shop/m.git", {"GITHUB_TOKEN": "for-github"})

    assert isinstance(found, NoForge)
    assert found.hint is not None
    assert [] == host.seen


def test_a_host_that_is_no_forge(host: Host) -> None:
    """A plain Git server has no pull requests; the hint says how to name a forge."""
    found = opened(f"{host.url}/shop/m.git", TOKEN)

    assert isinstance(found, NoForge)
    assert "`forge:`" in str(found.hint)
    assert 4 == len(host.seen)


def test_what_config_says_is_not_asked(host: Host) -> None:
    """A kind in gitops.yaml costs no question; `none` is silent."""
    named = opened(f"{host.url}/shop/m.git", {"GITLAB_TOKEN": "s3cret"}, ForgeSetting("gitlab"))
    none = opened(f"{host.url}/shop/m.git", TOKEN, ForgeSetting("none"))

    assert not isinstance(named, NoForge)
    assert named.describe().startswith("GitLab at")
    assert NoForge() == none
    assert [] == host.seen


def test_a_path_has_no_forge(tmp_path: Path) -> None:
    """A repository on this machine is silent about forges."""
    Repo.bare(tmp_path / "shop.git")

    assert NoForge() == opened(str(tmp_path / "shop.git"), TOKEN)
    assert NoForge() == opened((tmp_path / "shop.git").as_uri(), TOKEN)


def test_another_host_gets_nothing(host: Host) -> None:
    """gitops.yaml cannot send a token, or a question, to a server of its own choice."""
    with pytest.raises(Denied):
        opened("https://git.example.com/shop/m.git", TOKEN, ForgeSetting("gitea", host.url))

    assert [] == host.seen


def test_no_token_is_no_error() -> None:
    """Proposals are branches then; the hint says what is missing, for this very forge."""
    found = opened("git@github.com:shop/m.git", TOKEN)

    assert isinstance(found, NoForge)
    assert "GITHUB_TOKEN" in str(found.hint)
    assert "s3cret" not in str(found.hint)


def test_a_token_for_elsewhere_is_told() -> None:
    """Whoever set a variable learns why it does not count."""
    found = opened("git@git.example.com:a/b.git", {"GITHUB_TOKEN": "x"}, ForgeSetting("github"))

    assert isinstance(found, NoForge)
    assert "GITHUB_TOKEN is for https://github.com" in str(found.hint)
    assert "GITHUB_SERVER_URL" in str(found.hint)


def test_a_password_in_the_url(host: Host) -> None:
    """Who gave Git a password in the URL gave it for this server: it is used, and not shown."""
    host.says["/api/v1/version"] = GITEA
    found = opened(host.url.replace("://", "://ana:hunter2@") + "/shop/m.git")

    assert not isinstance(found, NoForge)
    assert "hunter2" not in found.describe() + repr(found) + repr(vars(found))
    with pytest.raises(Exception, match=r"."):  # the host knows no repository
        found.find("gitops/prod", "main")
    assert {"Basic YW5hOmh1bnRlcjI="} == set(host.secrets)


def test_a_credential_helper_is_asked(host: Host, tmp_path: Path) -> None:
    """What Git knows for this server counts; the helper is told which server and repository."""
    asked = tmp_path / "asked"
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\ncat > {asked}\necho username=ana\necho "password=hunter2"\n')
    helper.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[credential]\n\thelper = {helper}\n\tuseHttpPath = true\n")
    environ = {"GIT_CONFIG_GLOBAL": str(config)}
    found = opened(f"{host.url}/shop/m.git", environ, ForgeSetting("gitea"))

    assert not isinstance(found, NoForge)
    said = asked.read_text()
    assert "protocol=http\n" in said
    assert f"host={host.url.partition('://')[2]}\n" in said
    assert "path=shop/m\n" in said
    with pytest.raises(Exception, match=r"."):
        found.find("gitops/prod", "main")
    assert {"Basic YW5hOmh1bnRlcjI="} == set(host.secrets)


def test_nobody_is_asked_in_a_window(host: Host, tmp_path: Path) -> None:
    """A desktop's password dialog does not come up for what is only an addition."""
    asked = tmp_path / "asked"
    program = tmp_path / "dialog"
    program.write_text(f"#!/bin/sh\ntouch {asked}\necho hunter2\n")
    program.chmod(0o755)
    environ = {"SSH_ASKPASS": str(program), "DISPLAY": ":0"}
    found = opened(f"{host.url}/shop/m.git", environ, ForgeSetting("gitea"))

    assert isinstance(found, NoForge)
    assert not asked.exists()


def test_rewritten_remotes_are_followed(tmp_path: Path) -> None:
    """`url.insteadOf` says where a repository really is, and may bring a password of its own."""
    config = tmp_path / "config"
    config.write_text(
        '[url "https://oauth2:hunter2@gitlab.com/"]\n\tinsteadOf = work:\n'
        '[url "git@github.com:"]\n\tinsteadOf = hub:\n'
    )
    environ = {"GIT_CONFIG_GLOBAL": str(config), "GITHUB_TOKEN": "s3cret-token"}

    hub, work = opened("hub:shop/m", environ), opened("work:shop/m", environ)
    assert not isinstance(hub, NoForge)
    assert not isinstance(work, NoForge)
    assert "GitHub at github.com, shop/m" == hub.describe()
    assert "GitLab at gitlab.com, shop/m" == work.describe()


def test_a_checkout_has_the_forge_that_it_pushes_to(tmp_path: Path) -> None:
    """Where pushes go elsewhere, the pull requests are there."""
    here = Repo.checkout(tmp_path / "here")
    here.git("remote", "add", "origin", "https://mirror.example.com/shop/m.git")
    here.git("remote", "set-url", "--push", "origin", "git@github.com:shop/m.git")

    found = opened(str(here.path), {"GITHUB_TOKEN": "s3cret-token"})
    assert not isinstance(found, NoForge)
    assert "GitHub at github.com, shop/m" == found.describe()


# The question itself.


def where(host: Host, *, exact: bool = True) -> Unknown:
    """Return the place of a server."""
    port = int(host.url.rpartition(":")[2])
    return Unknown(WebOrigin("http", "127.0.0.1", port), exact, "shop/m")


@pytest.mark.parametrize(
    ("path", "reply", "expected"),
    [
        ("/api/v1/version", GITEA, "gitea"),
        ("/api/v1/version", Reply(200, {"version": "12.0.1+gitea-1.22.0"}), "forgejo"),
        ("/api/v4/version", Reply(401, {"message": "401 Unauthorized"}), "gitlab"),
        ("/api/v3/meta", Reply(200, {}, {"X-GitHub-Enterprise-Version": "3.17"}), "github"),
        ("/api/v3/meta", Reply(200, {}), None),
    ],
)
def test_every_forge_is_recognised(host: Host, path: str, reply: Reply, expected: object) -> None:
    """Over HTTP, each by its own answer."""
    host.says[path] = reply

    assert expected == probe(where(host), {})


def test_redirects_are_not_followed(host: Host) -> None:
    """A host that sends us elsewhere has not said what it is."""
    with Host() as other:
        assert isinstance(other, Host)
        other.says["/api/v1/version"] = GITEA
        target = {"Location": f"{other.url}/api/v1/version"}
        host.says["/api/v1/version"] = Reply(302, None, target)

        assert probe(where(host), {}) is None
        assert [] == other.seen


def test_a_host_in_trouble_is_not_taken_for_none(host: Host) -> None:
    """Whoever cannot be asked may be a forge: gitops goes no other way behind its back."""
    host.says["/api/v1/version"] = Reply(503, {"message": "starting"})
    with pytest.raises(Unavailable) as caught:
        probe(where(host), {})

    assert "kind: none" in str(caught.value.hint)


def test_nobody_listens() -> None:
    """A server that only speaks SSH has no forge; one that Git reaches by HTTP cannot be gone."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        origin = WebOrigin("http", "127.0.0.1", taken.getsockname()[1])

        assert probe(Unknown(origin, False, "shop/m"), {}) is None
        with pytest.raises(Unavailable):
            probe(Unknown(origin, True, "shop/m"), {})


def test_endless_answers_are_cut(host: Host) -> None:
    """No more of an answer is read than is looked at."""
    host.says["/api/v1/version"] = Reply(200, {"version": "1", "x": "y" * 10_000_000})

    assert probe(where(host), {}) is None
