"""`status` again: it asks for what landed since, and says what a call without a cache says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.status import status
from gitops.adapters.gitrepo.objects.store import Store
from gitops.core.ledger.parts import ledger_path
from gitops.core.ledger.records import Record, render_record
from gitops.core.report import StatusReport
from gitops.wiring import open_session
from gitrepos import ENVIRON, START, Repo
from index_stories import NOON
from servers.git_http import GitServer

CONFIG = b"""apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/dev", accepts: [main]}
  - {name: prod, overlay: "apps/{app}/prod", change: pull-request}
"""
APPS = [f"a{number}" for number in range(60)]


def path_of(app: str, environment: str = "dev") -> str:
    """Where an overlay lies."""
    return f"apps/{app}/{environment}/kustomization.yaml"


def overlay(tag: str, image: str = "shop/api") -> bytes:
    """A kustomization that pins one image."""
    return f"images:\n  - name: {image}\n    newTag: '{tag}'\n".encode()


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """Sixty apps, and sixty commits."""
    for name, value in {**ENVIRON, "GITOPS_AUTHOR": "Ana <ana@example.com>"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GITOPS_CACHE", str(tmp_path / "cache"))
    made = Repo.bare(tmp_path / "m.git")
    made.git("config", "uploadpack.allowFilter", "true")
    made.git("config", "uploadpack.allowAnySHA1InWant", "true")
    files: dict[str, bytes | None] = {"gitops.yaml": CONFIG}
    files |= {path_of(app, name): overlay("1") for app in APPS for name in ("dev", "prod")}
    made.commits([(files, "first\n"), *[({path_of(one): overlay("2")}, "x\n") for one in APPS]])
    return made


@pytest.fixture
def server(repo: Repo) -> Iterator[GitServer]:
    """A server of its own."""
    with GitServer(repo.path.parent) as server:
        yield server


def look(server: GitServer) -> StatusReport:
    """One `status`, as the command line opens it."""
    with open_session(f"{server.url}/m.git", None, start="landed") as begin:
        return status(begin())


def anew(server: GitServer, monkeypatch: pytest.MonkeyPatch) -> StatusReport:
    """The same without a cache."""
    with monkeypatch.context() as patch:
        patch.setenv("GITOPS_CACHE", "off")
        return look(server)


def edit(repo: Repo) -> None:
    """Somebody deploys."""
    repo.commit({path_of("a7"): overlay("3")}, "by hand\n")


def many(repo: Repo) -> None:
    """And fifteen others."""
    repo.commits([({path_of(app): overlay("4")}, "by hand\n") for app in APPS[:15]])


def word(repo: Repo) -> None:
    """Somebody says a word on the release of one app."""
    said = render_record(Record(repo.head() or "", "stable", NOON, "Bo"))
    repo.commit({path_of(APPS[-1]): overlay("5")}, "by hand\n")
    said += render_record(Record(repo.head() or "", "qa-passed", NOON, "Bo"))
    repo.commit({ledger_path("dev", APPS[-1]): said}, branch="gitops/ledger", parents=[])


def propose(repo: Repo) -> None:
    """Something waits."""
    files = {path_of("a9", "prod"): overlay("6")}
    repo.commit(files, "x\n", branch="gitops/a9/prod", parents=[repo.head() or ""])


def rewind(repo: Repo) -> None:
    """The branch is put back by three commits, and goes on from there."""
    repo.git("update-ref", "refs/heads/main", "main~3")
    repo.commit({path_of("a8"): overlay("7")}, "by hand\n")


def put_back(repo: Repo) -> None:
    """The branch is put back, no more."""
    repo.git("update-ref", "refs/heads/main", "main~2")


def replace_all(repo: Repo) -> None:
    """Another repository stands there now."""
    repo.commit({"gitops.yaml": CONFIG, path_of("new"): overlay("8")}, parents=[])


def slow_clock(repo: Repo) -> None:
    """Somebody commits with a date that is hours before that of the newest one."""
    edit(repo)
    text = repo.git("cat-file", "commit", "main")
    made = repo.git(
        *("hash-object", "-t", "commit", "-w", "--stdin"),
        feed=text.replace(f"> {START}", f"> {START - 20_000}").encode(),
    )
    repo.git("update-ref", "refs/heads/main", made.strip())


def merge(repo: Repo) -> None:
    """A side line that began long ago is merged."""
    base = repo.git("rev-parse", "main~20").strip()
    side = repo.commit({path_of("a5"): overlay("9")}, "side\n", branch="side", parents=[base])
    head = repo.head() or ""
    repo.commit({path_of("a5"): overlay("9")}, "merge\n", parents=[head, side])


@pytest.mark.parametrize(
    ("change", "requests"),
    [
        (edit, 2),
        (many, 2),
        (word, 3),
        (propose, 3),
        (rewind, None),
        (put_back, None),
        (replace_all, None),
        (merge, None),
        (slow_clock, None),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_landed_is_asked_for(
    repo: Repo,
    server: GitServer,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Repo], None],
    requests: int | None,
) -> None:
    """Whatever happened: the same words as without a cache, again and again, in few requests."""
    look(server)
    for _ in range(3):
        change(repo)
        wanted = anew(server, monkeypatch)
        before = server.count()
        found = look(server)
        if requests is not None:
            asked = server.requests[before:]
            assert len(asked) <= requests, asked
        assert found == wanted
    before = server.count()
    assert look(server) == wanted
    assert server.count() - before <= (2 if change is propose else 1)


def test_a_deploy_in_between(
    repo: Repo, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache knows a newer tip than the index: what is between them comes as well."""
    look(server)
    for number in range(3):
        edit(repo)
        with open_session(f"{server.url}/m.git", None, writes=True, start="remembered") as begin:
            deploy(begin(), DeployRequest(images=(f"shop/api:1{number}",), to=("a3/dev",)))
        edit(repo)
        before = server.count()
        found = look(server)
        assert server.count() - before == 2
        assert found == anew(server, monkeypatch)


def test_no_git_walks_where_few_landed(
    repo: Repo, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The packs of the cache need nobody to vouch for them: each object that is read is hashed."""
    look(server)
    monkeypatch.setattr(Store, "vouch", None)
    edit(repo)
    assert any(one.by == "Ana" for one in look(server).overlays)


def test_proposals_older_than_what_came(
    repo: Repo, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proposal that left its base before the commits that a first fetch brings."""
    look(server)
    for number in (49, 50, 51):
        base = repo.git("rev-parse", f"main~{number}").strip()
        app = f"a{number}"
        files = {path_of(app, "prod"): overlay("6")}
        repo.commit(files, "x\n", branch=f"gitops/{app}/prod", parents=[base])
    for _ in range(2):
        with open_session(f"{server.url}/m.git", None, start="history") as begin:
            found = status(begin())
        names = [one.overlay.label for one in found.overlays if one.proposals]
        assert names == ["a49/prod", "a50/prod", "a51/prod"]
        assert found == look(server) == anew(server, monkeypatch)


def test_many_proposals_come_together(
    repo: Repo, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty of them cost a few requests, and not one each; the base stays in the cache."""
    for number in range(20):
        base = repo.git("rev-parse", f"main~{number}").strip()
        files = {path_of(f"a{number}", "prod"): overlay("6")}
        repo.commit(files, "x\n", branch=f"gitops/a{number}/prod", parents=[base])
    for change in (None, edit, None):
        if change is not None:
            change(repo)
        wanted, before = anew(server, monkeypatch), server.count()
        found = look(server)
        assert server.count() - before <= 8
        assert found == wanted
        assert len([one for one in found.overlays if one.proposals]) == 20


def test_a_cut_that_the_server_does_not_find(
    repo: Repo, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git looks for it by dates: a slow clock and another branch, and it deepens nothing."""
    repo.git("branch", "old", "main~9")
    repo.commits([({path_of("a1"): overlay(f"9.{number}")}, "x\n") for number in range(60)])
    slow_clock(repo)
    found = look(server)
    assert not found.warnings
    assert all(one.commit for one in found.overlays)
    edit(repo)
    assert look(server) == anew(server, monkeypatch)
