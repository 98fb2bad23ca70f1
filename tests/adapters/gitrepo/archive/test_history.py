"""History of a folder: deep, cut, merged; and signed commits."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import GitRepository, open_repository
from gitops.errors import Denied, NotFound
from gitops.ports import NewCommit, RefUpdate
from gitrepos import ENVIRON, Repo
from servers.git_http import GitServer

DEV = "overlays/dev/kustomization.yaml"
PROD = "overlays/prod/kustomization.yaml"
MAIN = "refs/heads/main"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DEPTH = 700


@pytest.fixture(scope="session")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Seven hundred commits to dev, and prod in the first, the 10th and the 200th."""
    repo = Repo.bare(tmp_path_factory.mktemp("deep") / "m.git")
    changes: list[tuple[dict[str, bytes | None], str]] = []
    for number in range(DEPTH):
        files: dict[str, bytes | None] = {DEV: b"dev %d\n" % number}
        if number in (0, 9, 199):
            files[PROD] = b"prod %d\n" % number
        changes.append((files, f"number {number}\n\nGitops-Id: id-{number}\n"))
    repo.commits(changes)
    repo.git("config", "uploadpack.allowFilter", "true")
    return repo


@pytest.fixture
def server(deep: Repo) -> Iterator[GitServer]:
    """Serves the deep repository (which nobody changes)."""
    with GitServer(deep.path.parent) as server:
        yield server


def opened(server: GitServer) -> GitRepository:
    """Open it."""
    return open_repository(f"{server.url}/m.git", environ=ENVIRON)


def test_newest_versions_cost_two_more_fetches(server: GitServer) -> None:
    """The newest versions need one deeper fetch and one for all their contents."""
    with opened(server) as repository:
        tip = repository.snapshot("main").commit
        before = server.count()
        found = list(islice(repository.history(tip, "overlays/dev"), 20))

    assert [b"dev %d\n" % number for number in range(699, 679, -1)] == [
        one.content for one in found
    ]
    assert server.count() - before <= 6


def test_history_that_was_begun_costs_two_requests(deep: Repo, tmp_path: Path) -> None:
    """The tip, fifty commits with their contents, and the ledger come in one fetch.

    A proposal is asked for by its name: others may push branches beside it, of any size.
    """
    repo = deep.copy(tmp_path / "m.git")
    ledger = repo.commit({"dev.jsonl": b"{}\n"}, branch="gitops/ledger", parents=[])
    with GitServer(tmp_path) as server, opened(server) as repository:
        repository.begin("main", "history")
        tip = repository.snapshot("main").commit
        found = list(islice(repository.history(tip, "overlays/dev"), 40))
        side = repository.snapshot("gitops/ledger")
        assert 2 == server.count()
        with pytest.raises(NotFound, match="no branch gitops/prod"):
            repository.snapshot("gitops/prod")

        asked = server.count()
        assert asked == 2
        assert [b"dev %d\n" % number for number in range(699, 659, -1)] == [
            one.content for one in found
        ]
        assert (ledger, b"{}\n") == (side.commit, side.read("dev.jsonl"))
        assert 1 == len(list(repository.history(side.commit, "")))
        assert asked == server.count()


def test_own_branches_are_read_anew_when_asked_again(deep: Repo, tmp_path: Path) -> None:
    """What came along is told once: whoever asks again wants to see what landed since."""
    repo = deep.copy(tmp_path / "m.git")
    first = repo.commit({"dev.jsonl": b"1\n"}, branch="gitops/ledger", parents=[])
    with GitServer(tmp_path) as server, opened(server) as repository:
        repository.begin("main", "history")
        repository.snapshot("main")
        assert first == repository.snapshot("gitops/ledger").commit
        second = repo.commit({"dev.jsonl": b"2\n"}, branch="gitops/ledger")
        assert second == repository.snapshot("gitops/ledger").commit

    with GitServer(tmp_path) as server, opened(server) as repository:
        repository.begin("main", "history")
        repository.snapshot("main")
        third = repo.commit({"dev.jsonl": b"3\n"}, branch="gitops/ledger")
        repository.snapshot("main")
        assert third == repository.snapshot("gitops/ledger").commit


@pytest.mark.parametrize(("waiting", "later"), [(1, 0), (2, 0), (3, 1)])
def test_few_proposals_come_with_a_first_look(
    deep: Repo, tmp_path: Path, waiting: int, later: int
) -> None:
    """What waits is read with the tip where it is little, else in a request for all of it."""
    repo = deep.copy(tmp_path / "m.git")
    old = repo.git("rev-parse", "main~150").strip()
    made = {
        branch: repo.commit({PROD: branch.encode()}, branch=branch, parents=[old])
        for branch in (f"gitops/{number}/prod" for number in range(waiting))
    }
    with GitServer(tmp_path) as server, opened(server) as repository:
        repository.begin("main", "landed")
        tip = repository.snapshot("main").commit
        before = server.count()
        repository.gather_branches(made)
        found = {branch: repository.snapshot(branch) for branch in made}

        assert server.count() - before == later
        assert made == {branch: one.commit for branch, one in found.items()}
        assert all(one.read(PROD) == branch.encode() for branch, one in found.items())
        assert DEPTH == len(list(repository.history(tip, "overlays/dev")))


def test_history_far_back_costs_few_requests(server: GitServer) -> None:
    """Each lot of older commits costs a request; small contents come with the first of them."""
    with opened(server) as repository:
        repository.begin("main", "history")
        tip = repository.snapshot("main").commit
        before = server.count()
        newest = next(repository.history(tip, "overlays/prod"))

    assert b"prod 199\n" == newest.content
    assert server.count() - before == 1


@pytest.mark.parametrize("protocol", ["0", "2"])
def test_deeper_after_the_tip_moved(deep: Repo, tmp_path: Path, protocol: str) -> None:
    """Older commits are found also where the server gives no commit by its id."""
    repo = deep.copy(tmp_path / "m.git")
    environ = ENVIRON | {"GIT_CONFIG_PARAMETERS": f"'protocol.version={protocol}'"}
    with (
        GitServer(tmp_path) as server,
        open_repository(f"{server.url}/m.git", environ=environ) as repository,
    ):
        tip = repository.snapshot("main").commit
        repo.commit({DEV: b"newer\n"})
        prod = [one.content for one in repository.history(tip, "overlays/prod")]

    assert [b"prod 199\n", b"prod 9\n", b"prod 0\n"] == prod


def test_history_is_lazy(server: GitServer) -> None:
    """Nothing is fetched before somebody iterates."""
    with opened(server) as repository:
        tip = repository.snapshot("main").commit
        before = server.count()
        repository.history(tip, "overlays/dev")

        assert server.count() == before


@pytest.mark.parametrize("filters", ["true", "false"])
def test_deep_history(deep: Repo, server: GitServer, filters: str) -> None:
    """The whole history is found, to the root, and no boundary is taken for a change."""
    deep.git("config", "uploadpack.allowFilter", filters)

    with opened(server) as repository:
        tip = repository.snapshot("main").commit
        dev = list(repository.history(tip, "overlays/dev"))
        prod = list(repository.history(tip, "overlays/prod"))

    assert (DEPTH, 3) == (len(dev), len(prod))
    assert [b"prod 199\n", b"prod 9\n", b"prod 0\n"] == [one.content for one in prod]
    assert all(one.complete for one in dev + prod)
    assert prod[-1].commit.parents == ()
    assert prod[0].commit.message == "number 199\n\nGitops-Id: id-199\n"


def test_reader_survives_a_new_tip(deep: Repo, tmp_path: Path) -> None:
    """A history that is being read goes on after the tip was read anew."""
    repo = deep.copy(tmp_path / "m.git")
    with GitServer(tmp_path) as server, opened(server) as repository:
        tip = repository.snapshot("main").commit
        versions = repository.history(tip, "overlays/dev")
        first = [next(versions) for _ in range(60)]
        repo.commit({DEV: b"newer\n"})
        repository.snapshot("main")
        rest = list(versions)

    assert len(first) + len(rest) == DEPTH


def test_tip_after_history_is_whole(deep: Repo, tmp_path: Path) -> None:
    """A tip that is read after history comes with all its files, not one by one."""
    repo = deep.copy(tmp_path / "m.git")
    repo.git("config", "uploadpack.allowFilter", "true")
    with GitServer(tmp_path) as server, opened(server) as repository:
        next(repository.history(repository.snapshot("main").commit, "overlays/dev"))
        repo.commit({DEV: b"newer\n", PROD: b"newer, too\n"})
        before = server.count()
        snapshot = repository.snapshot("main")

        assert (b"newer\n", b"newer, too\n") == (snapshot.read(DEV), snapshot.read(PROD))
        assert server.count() - before == 2


def test_find_intent_far_back(deep: Repo, server: GitServer) -> None:
    """An intent is found far behind the tip, when `since` lies still further back."""
    log = deep.git("rev-list", "--reverse", "main").split()

    with opened(server) as repository:
        assert log[30] == repository.find_intent("main", "id-30", log[20])
        assert repository.find_intent("main", "id-10", log[20]) is None


def test_cut_remote(deep: Repo, tmp_path: Path) -> None:
    """Where the remote itself is shallow, its oldest commit is told as incomplete."""
    deep.git("clone", "-q", "--bare", "--depth=5", f"file://{deep.path}", str(tmp_path / "m.git"))

    with GitServer(tmp_path) as server, opened(server) as repository:
        tip = repository.snapshot("main").commit
        dev = list(repository.history(tip, "overlays/dev"))
        prod = list(repository.history(tip, "overlays/prod"))

    assert [True, True, True, True, False] == [one.complete for one in dev]
    assert [(b"prod 199\n", False)] == [(one.content, one.complete) for one in prod]


def test_merge_counts_once(tmp_path: Path) -> None:
    """A merged proposal is one version, at the merge, with the messages that it brought."""
    repo = Repo.bare(tmp_path / "m.git")
    base = repo.commit({DEV: b"1\n"}, "base\n")
    repo.commits(
        [({DEV: b"2\n"}, "two\n"), ({DEV: b"3\n"}, "three\n\nGitops-Action: rollback\n")],
        branch="side",
        parents=[base],
    )
    main = repo.commit({PROD: b"9\n"}, "meanwhile\n")
    side = repo.head("side")
    assert side is not None
    merge = repo.commit({DEV: b"3\n"}, "merge\n", parents=[main, side])

    with GitServer(tmp_path) as server, opened(server) as repository:
        versions = list(repository.history(repository.snapshot("main").commit, "overlays/dev"))

    assert [merge, base] == [one.commit.commit for one in versions]
    assert ("three\n\nGitops-Action: rollback\n", "two\n") == versions[0].commit.merged
    assert (main, side) == versions[0].commit.parents


def test_old_merge_behind_the_cut(tmp_path: Path) -> None:
    """A merge near the cut brings its own commits, not everything older."""
    repo = Repo.bare(tmp_path / "m.git")
    base = repo.commits([({DEV: b"%d\n" % number}, f"{number}\n") for number in range(60)])[-1]
    repo.commit({PROD: b"2\n"}, "side\n", branch="side", parents=[base])
    side = repo.head("side")
    main = repo.commits([({DEV: b"m%d\n" % number}, f"m{number}\n") for number in range(70)])[-1]
    assert side is not None
    repo.commit({PROD: b"2\n"}, "merge\n", parents=[main, side])

    with GitServer(tmp_path) as server, opened(server) as repository:
        tip = repository.snapshot("main").commit
        newest = next(repository.history(tip, "overlays/prod"))

    assert newest.commit.merged == ("side\n",)


@pytest.mark.parametrize(("waits", "after"), [(1, 47), (1, 48), (20, 35), (3, 46), (60, 10)])
def test_history_goes_on_before_a_merge_near_the_cut(
    tmp_path: Path, waits: int, after: int
) -> None:
    """A merge whose sides begin where the first fetch ends does not end history."""
    repo = Repo.bare(tmp_path / "m.git")
    repo.commits([({PROD: b"%d\n" % number}, f"prod {number}\n") for number in range(10)])
    base = repo.head()
    assert base is not None
    side = repo.commit({PROD: b"new\n"}, "side\n", branch="side", parents=[base])
    main = repo.commits([({DEV: b"w%d\n" % one}, f"waits {one}\n") for one in range(waits)])[-1]
    repo.commit({PROD: b"new\n"}, "merge\n", parents=[main, side])
    repo.commits([({DEV: b"a%d\n" % one}, f"after {one}\n") for one in range(after)])

    with GitServer(tmp_path) as server, opened(server) as repository:
        repository.begin("main", "history")
        tip = repository.snapshot("main").commit
        versions = list(repository.history(tip, "overlays/prod"))

    told = ["merge\n", *(f"prod {number}\n" for number in range(9, -1, -1))]
    assert told == [version.commit.message for version in versions]
    assert ("side\n",) == versions[0].commit.merged
    assert all(version.complete for version in versions)


def test_long_bot_history_comes_in_few_fetches(tmp_path: Path) -> None:
    """The more was read, the more comes at once: thousands of contents cost a few fetches."""
    repo = Repo.bare(tmp_path / "m.git")
    repo.commits([({DEV: b"dev %d\n" % number}, f"{number}\n") for number in range(6300)])
    repo.git("config", "uploadpack.allowFilter", "true")
    with GitServer(tmp_path) as server, opened(server) as repository:
        repository.begin("main", "history")
        tip = repository.snapshot("main").commit
        found = list(repository.history(tip, "overlays/dev"))
        fetches = [one for one in server.requests if one.method == "GET"]

    assert [b"dev %d\n" % number for number in range(6299, -1, -1)] == [
        one.content for one in found
    ]
    assert len(fetches) <= 6  # one of them learns that there is no ledger


def test_nothing_comes_twice(deep: Repo, tmp_path: Path) -> None:
    """After the tip was read anew, what was read before is still there."""
    repo = deep.copy(tmp_path / "m.git")
    repo.git("config", "uploadpack.allowFilter", "true")
    with GitServer(tmp_path) as server, opened(server) as repository:
        repository.begin("main", "history")
        assert DEPTH == len(list(repository.history(repository.snapshot().commit, "overlays/dev")))
        repo.commit({DEV: b"newer\n"})
        before = server.count()
        tip = repository.snapshot("main").commit
        found = list(repository.history(tip, "overlays/dev"))

        assert DEPTH + 1 == len(found)
        assert server.count() - before == 3


@pytest.mark.parametrize("digits", ["1700000000000", "253402300800", "-1", "99999999999999999999"])
def test_dates_that_no_calendar_has(tmp_path: Path, digits: str) -> None:
    """A commit in milliseconds, of the year 10000 or before 1970 is read; its date is unknown."""
    repo = Repo.bare(tmp_path / "m.git")
    first = repo.commit({DEV: b"1\n"}, "first\n")
    blob = repo.git("hash-object", "-w", "--stdin", feed=b"2\n").strip()
    tree = repo.git("mktree", feed=f"100644 blob {blob}\tkustomization.yaml\n".encode()).strip()
    for name in ("dev", "overlays"):
        tree = repo.git("mktree", feed=f"040000 tree {tree}\t{name}\n".encode()).strip()
    who = f"Eve <eve@e.com> {digits} +0000"
    text = f"tree {tree}\nparent {first}\nauthor {who}\ncommitter {who}\n\nodd\n"
    args = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    odd = repo.git(*args, feed=text.encode()).strip()
    repo.git("update-ref", "refs/heads/main", odd)
    with open_repository(str(repo.path), environ=ENVIRON) as repository:
        versions = list(repository.history(odd, "overlays/dev"))

    assert [("odd\n", None), ("first\n", True)] == [
        (one.commit.message, one.commit.time and True) for one in versions
    ]


def test_user_settings_change_nothing(deep: Repo, tmp_path: Path) -> None:
    """A user's settings for logs, colours and filters do not disturb the reading."""
    config = tmp_path / "gitconfig"
    config.write_text(
        "[log]\n\tshowSignature = true\n\tfollow = true\n[color]\n\tui = always\n"
        "[core]\n\tpager = false\n[i18n]\n\tlogOutputEncoding = latin1\n[fetch]\n\tprune = true\n"
    )

    with open_repository(
        str(deep.path), environ=ENVIRON | {"GIT_CONFIG_GLOBAL": str(config)}
    ) as repository:
        versions = list(repository.history(repository.snapshot().commit, "overlays/prod"))

    assert len(versions) == 3


@pytest.fixture
def signing(tmp_path: Path) -> Path:
    """A Git configuration that signs with an SSH key, and trusts it."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = key.with_suffix(".pub").read_text()
    (tmp_path / "allowed").write_text(f"ana@example.com {public}")
    config = tmp_path / "gitconfig"
    config.write_text(
        f'[commit]\n\tgpgSign = true\n[gpg]\n\tformat = ssh\n[user]\n\tsigningKey = "{key}"\n'
        f'[gpg "ssh"]\n\tallowedSignersFile = "{tmp_path}/allowed"\n'
    )
    return config


def test_signed_commit(tmp_path: Path, signing: Path) -> None:
    """With `commit.gpgSign` the commit is signed, and Git verifies it."""
    repo = Repo.bare(tmp_path / "m.git")
    repo.commit({DEV: b"1\n"}, "first\n")

    with open_repository(
        str(repo.path), environ=ENVIRON | {"GIT_CONFIG_GLOBAL": str(signing)}
    ) as repository:
        base = repository.snapshot().commit
        message = "two ö\n\nGitops-Id: 1\n"
        new = repository.create(NewCommit((base,), {DEV: b"2\n"}, message, NOW))
        assert repository.push([RefUpdate(MAIN, base, new)]) is None
        info = next(repository.history(new, "overlays/dev")).commit

    allowed = f"gpg.ssh.allowedSignersFile={tmp_path}/allowed"
    repo.git("-c", allowed, "verify-commit", "main")
    assert (message, NOW, "Ana") == (info.message, info.time, info.author.name)


def test_signing_fails(tmp_path: Path, signing: Path) -> None:
    """Without the key no unsigned commit is made; the error says what is set."""
    repo = Repo.bare(tmp_path / "m.git")
    repo.commit({DEV: b"1\n"}, "first\n")
    (tmp_path / "key").unlink()
    (tmp_path / "key.pub").unlink()

    with open_repository(
        str(repo.path), environ=ENVIRON | {"GIT_CONFIG_GLOBAL": str(signing)}
    ) as repository:
        base = repository.snapshot().commit
        with pytest.raises(Denied, match="cannot be signed") as caught:
            repository.create(NewCommit((base,), {DEV: b"2\n"}, "two\n", NOW))

    assert "gpgSign" in (caught.value.hint or "")
