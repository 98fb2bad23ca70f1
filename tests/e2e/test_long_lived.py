"""A process that lives long: many calls on one repository, each as right as one of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitops.actions.context.named import Named
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.hold import hold
from gitops.actions.index.state import read_state
from gitops.errors import Refused
from gitops.wiring import open_kept
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

CONFIG = b"""apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/overlays/dev", accepts: [main]}
"""


def path_of(app: str) -> str:
    """Where the overlay of an app lies."""
    return f"apps/{app}/overlays/dev/kustomization.yaml"


def overlay(image: str, tag: str) -> bytes:
    """A kustomization that pins one image."""
    return f"images:\n  - name: {image}\n    newTag: '{tag}'\n".encode()


@pytest.fixture
def repo(tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """Thirty apps."""
    for name, value in {**ENVIRON, "GITOPS_AUTHOR": "Ana <ana@example.com>"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GITOPS_CACHE", "off")
    made = Repo.bare(tmp_path / "m.git")
    files: dict[str, bytes | None] = {"gitops.yaml": CONFIG}
    files |= {path_of(f"a{number}"): overlay(f"shop/a{number}", "1") for number in range(30)}
    made.commit(files)
    return made


@pytest.fixture
def server(repo: Repo) -> Iterator[GitServer]:
    """A server of its own."""
    with GitServer(repo.path.parent) as server:
        yield server


def request(image: str) -> DeployRequest:
    """Put an image into dev."""
    return DeployRequest(images=(image,), to=("dev",))


def test_calls_cost_what_changed(repo: Repo, server: GitServer) -> None:
    """After the first one a deploy is a single request on the connection that stays."""
    with open_kept(f"{server.url}/m.git") as begin:
        costs = []
        for number in range(4):
            before = server.count()
            report = deploy(begin(), request(f"shop/a7:{number + 2}"))
            costs.append(server.count() - before)
            assert repo.head() == report.commit
            assert report.changes[0].change.before.tag == str(number + 1)

    assert [3, 1, 1, 1] == costs


def test_what_others_do_is_seen(repo: Repo, server: GitServer) -> None:
    """Somebody else's commit, a new app, an app that went, a hold: the next call knows."""
    with open_kept(f"{server.url}/m.git") as begin:
        deploy(begin(), request("shop/a1:2"))
        repo.commit({path_of("new"): overlay("shop/a1", "1"), path_of("a2"): None})
        both = deploy(begin(), request("shop/a1:3"))
        hold(begin(), Named(("a1/dev",)), reason="INC-1")
        with pytest.raises(Refused, match="INC-1"):
            deploy(begin(), request("shop/a1:4"))
        repo.commit({"gitops.yaml": CONFIG.replace(b"name: dev", b"name: next, formerly: [dev]")})
        again = deploy(begin(), DeployRequest(images=("shop/a5:2",), to=("next",)))

    assert ["a1", "new"] == [one.overlay.app for one in both.changes]
    assert again.commit == repo.head()
    assert b"newTag: '3'" in repo.show(path_of("new"))


def test_a_server_that_was_away(repo: Repo, server: GitServer) -> None:
    """A connection that ended is made anew, and what was rewound is read as it is."""
    with open_kept(f"{server.url}/m.git") as begin:
        first = repo.head()
        deploy(begin(), request("shop/a1:2"))
        repo.git("update-ref", "refs/heads/main", first)
        server.behaviour.status = 503
        session = begin()
        server.behaviour.status = None
        report = deploy(session, request("shop/a1:5"))

    assert report.changes[0].change.before.tag == "1"
    assert first == repo.git("rev-parse", "main~1").strip()


def test_a_poll_is_one_request(repo: Repo, server: GitServer) -> None:
    """The index in memory: asked where things are, and told only what has changed since."""
    with open_kept(f"{server.url}/m.git") as begin:
        state = read_state(begin())
        before = server.count()
        assert read_state(begin(), state) is state
        assert server.count() == before + 1
        repo.commit({path_of("a3"): overlay("shop/a3", "2")}, "by hand\n")
        newer = read_state(begin(), state)

    assert newer.changed == {"a3/dev"}
    assert (newer.commit, len(newer.cells)) == (repo.head(), 30)
    assert newer.cells["a3/dev"].release.commit == repo.head()
