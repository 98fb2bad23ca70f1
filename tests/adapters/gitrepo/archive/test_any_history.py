"""Whatever the history, and wherever it is read from: the same is told of it, and all of it.

The steps in which history is read and fetched are made so small that every small history is cut in
many places. `GITOPS_TEST_HISTORIES=200` plays two hundred of them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import GitRepository, open_repository
from gitops.adapters.gitrepo.archive import ancestry, history, lazy_fetch
from gitops.adapters.gitrepo.remote import deepen, fetching
from gitops.core.git.commit import CommitInfo
from gitops.core.releases.history import OverlayVersion
from gitrepos import ENVIRON, Repo
from histories import History, draw
from servers.git_http import GitServer

pytestmark = pytest.mark.no_cover

HISTORIES = int(os.environ.get("GITOPS_TEST_HISTORIES", "2"))
FIRST = int(os.environ.get("GITOPS_TEST_SEED", "1"))
FOLDERS = ("overlays/prod", "overlays/dev", "")
KINDS = ("path", "url", "http", "clone", "shallow")


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read and fetch a few commits at a time."""
    monkeypatch.setattr(deepen, "AT_ONCE", 3)
    monkeypatch.setattr(fetching, "AT_ONCE", 3)
    monkeypatch.setattr(deepen, "_STEPS", (2, 5, 20, 80, 2_147_483_647))
    monkeypatch.setattr(lazy_fetch, "_STEPS", (2, 7, 30, 100, 1000))
    monkeypatch.setattr(ancestry, "_FIRST", 3)
    monkeypatch.setattr(ancestry, "_MOST", 20)
    monkeypatch.setattr(history, "_LOT", 2)
    monkeypatch.setattr(history, "_FAR", 3)


@pytest.fixture(params=range(FIRST, FIRST + HISTORIES))
def seed(request: pytest.FixtureRequest) -> int:
    """One history after the other."""
    assert isinstance(request.param, int)
    return request.param


@pytest.fixture
def drawn(seed: int, tmp_path: Path) -> tuple[History, Repo]:
    """A history, and the bare repository that has it."""
    made = draw(seed, 20 + seed * 17 % 100)
    repo = Repo.bare(tmp_path / "m.git")
    made.write(repo)
    for key in ("allowFilter", "allowAnySHA1InWant"):
        repo.git("config", f"uploadpack.{key}", "true")
    return made, repo


@contextmanager
def opened(kind: str, repo: Repo, folder: Path, seed: int) -> Iterator[GitRepository]:
    """Open it in one of the ways that there are."""
    location = {"path": str(repo.path)}.get(kind, f"file://{repo.path}")
    if kind in ("clone", "shallow"):
        cut = [f"--depth={1 + seed % 7}"] if kind == "shallow" else []
        repo.git("clone", "-q", *cut, location, str(folder / kind))
        location = str(folder / kind)
    if kind == "http":
        with (
            GitServer(repo.path.parent) as server,
            open_repository(f"{server.url}/m.git", environ=ENVIRON) as repository,
        ):
            yield repository
        return
    with open_repository(location, environ=ENVIRON) as repository:
        yield repository


def in_order(made: History, infos: list[CommitInfo]) -> bool:
    """Say whether no commit stands before one that leads to it."""
    number = {commit: at for at, commit in enumerate(made.ids)}
    place = {number[info.commit]: at for at, info in enumerate(infos)}
    return all(
        place[one] < place[parent]
        for one in place
        for parent in made.nodes[one].parents
        if parent in place
    )


def check_versions(made: History, folder: str, found: list[OverlayVersion]) -> None:
    """Compare what was read of one folder with what the history has."""
    wanted = made.versions(made.tip, f"{folder}/" if folder else "")
    assert [made.ids[one] for one in wanted] == [one.commit.commit for one in found]
    assert all(one.complete for one in found)
    for number, version in zip(wanted, found, strict=True):
        node = made.nodes[number]
        assert node.files.get(f"{folder}/kustomization.yaml") == version.content
        assert tuple(made.ids[one] for one in node.parents) == version.commit.parents
        if len(node.parents) > 1:
            messages = sorted(made.nodes[one].message for one in made.brought(number))
            assert messages == sorted(version.commit.merged)


@pytest.mark.parametrize("kind", KINDS)
def test_versions_read_together(
    drawn: tuple[History, Repo], tmp_path: Path, seed: int, kind: str
) -> None:
    """One walk for many folders tells of each what a walk of its own tells."""
    made, repo = drawn
    with opened(kind, repo, tmp_path, seed) as repository:
        repository.begin("main", "tip")
        tip = repository.snapshot("main").commit
        repository.gather(tip, [*FOLDERS, "overlays/none"])
        streams = [repository.history(tip, folder) for folder in FOLDERS]
        newest = [next(stream, None) for stream in streams]  # as `status` does, then all
        for folder, first, stream in zip(FOLDERS, newest, streams, strict=True):
            found = [] if first is None else [first, *stream]
            check_versions(made, folder, found)


@pytest.mark.parametrize("kind", KINDS)
def test_what_landed_since(
    drawn: tuple[History, Repo], tmp_path: Path, seed: int, kind: str
) -> None:
    """The commits on top of an earlier tip, their paths, and versions as all history tells them."""
    made, repo = drawn
    line = made.line(made.tip)
    with opened(kind, repo, tmp_path, seed) as repository:
        repository.begin("main", "tip")
        tip = repository.snapshot("main").commit
        whole = {folder: list(repository.history(tip, folder)) for folder in FOLDERS}
        for far in (0, 1, 2, 5, len(line) - 1):
            since = made.ids[line[min(far, len(line) - 1)]]
            landed = repository.landed(tip, since)
            assert landed is not None
            ours = [made.ids[one] for one in line[: line.index(made.ids.index(since))]]
            assert ours == [one.commit for one in landed.commits]
            for one in landed.commits:
                node = made.nodes[made.ids.index(one.commit)]
                before = made.nodes[node.parents[0]].files
                differ = {
                    path
                    for path in {*node.files, *before}
                    if node.files.get(path) != before.get(path)
                }
                assert differ == set(one.paths)
                assert set(before) - set(node.files) == set(one.gone)
            for folder, found in landed.versions(FOLDERS).items():
                newer = [one for one in whole[folder] if one.commit.commit in ours]
                assert newer == list(found) == whole[folder][: len(found)]
        aside = set(range(len(made.nodes))) - set(line)
        for one in list(aside)[:5]:
            assert repository.landed(tip, made.ids[one]) is None


@pytest.mark.parametrize("start", ["tip", "history"])
@pytest.mark.parametrize("kind", KINDS)
def test_versions(
    drawn: tuple[History, Repo], tmp_path: Path, seed: int, kind: str, start: str
) -> None:
    """Every version is there, down to the root, with all that its merge brought in."""
    made, repo = drawn
    if start == "history" and kind in ("path", "shallow"):
        pytest.skip("nothing is fetched for a path, and a clone is opened like its URL")
    with opened(kind, repo, tmp_path, seed) as repository:
        repository.begin("main", "history" if start == "history" else "tip")
        tip = repository.snapshot("main").commit
        for folder in FOLDERS:
            check_versions(made, folder, list(repository.history(tip, folder)))


def test_merged_messages_have_one_order(
    drawn: tuple[History, Repo], tmp_path: Path, seed: int
) -> None:
    """The newest message of a merge is the same one, wherever it is read from."""
    orders = []
    for kind in ("path", "url"):
        with opened(kind, drawn[1], tmp_path, seed) as repository:
            tip = repository.snapshot("main").commit
            versions = repository.history(tip, "overlays/prod")
            orders.append([version.commit.merged for version in versions])

    assert orders[0] == orders[1]


@pytest.mark.parametrize("kind", ["path", "url"])
def test_what_leads_to_what(
    drawn: tuple[History, Repo], tmp_path: Path, seed: int, kind: str
) -> None:
    """A commit is told to be before another one only, and always, when it is."""
    made, repo = drawn
    below = sorted(made.before([made.tip]))
    some = random.Random(seed)
    for _ in range(3):
        one, other = some.choice(below), some.choice(below)
        with opened(kind, repo, tmp_path, seed) as repository:
            tip = repository.snapshot("main").commit
            found = repository.contains(tip, made.ids[one], made.ids[other])
            assert (other in made.before([one])) == found

            intent = f"id-{one}"
            has = intent in made.nodes[one].message and one not in made.before([other])
            landed = repository.find_intent("main", intent, made.ids[other])
            assert landed == (made.ids[one] if has else None)


@pytest.mark.parametrize("kind", ["path", "url", "clone", "shallow"])
def test_ranges(drawn: tuple[History, Repo], tmp_path: Path, seed: int, kind: str) -> None:
    """What one commit has over another, and where two parted, is exact."""
    made, repo = drawn
    below = sorted(made.before([made.tip]))
    some = random.Random(seed)
    with opened(kind, repo, tmp_path, seed) as repository:
        archive = repository.commits()
        for _ in range(4):
            one, other = some.choice(below), some.choice(below)
            mine, others = made.before([one]), made.before([other])
            over = archive.over(made.ids[one], made.ids[other])
            assert {made.ids[at] for at in mine - others} == {info.commit for info in over}
            assert in_order(made, list(over))
            shared = mine & others
            newest = {at for at in shared if not any(at in made.before([x]) - {x} for x in shared)}
            fork = archive.fork(made.ids[one], made.ids[other])
            assert fork in {made.ids[at] for at in newest} if newest else fork is None
            info = archive.info(made.ids[one])
            if len(info.parents) > 1:
                messages = sorted(made.nodes[at].message for at in made.brought(one))
                assert messages == sorted(info.merged)


def test_no_release_is_invented(drawn: tuple[History, Repo], tmp_path: Path, seed: int) -> None:
    """A clone that was cut, and has no remote, tells less, says so, and tells nothing wrong."""
    made, repo = drawn
    depth = 1 + seed * 5 % 23
    folder = tmp_path / "cut"
    repo.git("clone", "-q", f"--depth={depth}", f"file://{repo.path}", str(folder))
    Repo(folder, folder / ".git").git("remote", "remove", "origin")
    with open_repository(str(folder), environ=ENVIRON) as repository:
        tip = repository.snapshot("main").commit
        for path in FOLDERS:
            found = list(repository.history(tip, path))
            wanted = [made.ids[at] for at in made.versions(made.tip, f"{path}/" if path else "")]
            *whole, last = found
            if last.complete:
                check_versions(made, path, found)
            else:
                line = [made.ids[at] for at in made.line(made.tip)]
                seen = line[: line.index(last.commit.commit)]
                wanted = [one for one in wanted if one in seen]
                assert wanted == [one.commit.commit for one in whole]
                assert all(one.complete for one in whole)
