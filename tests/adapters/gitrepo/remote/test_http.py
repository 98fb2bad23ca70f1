"""Writes over HTTP to a real Git server, and everything that it may do instead of its work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops.adapters.gitrepo import GitRepository, open_repository
from gitops.errors import (
    Bug,
    Denied,
    GitopsError,
    HookDeclined,
    NoAtomicPush,
    NotFound,
    Protected,
    TimedOut,
    Unavailable,
)
from gitops.ports import Lost, NewCommit, RefUpdate
from gitrepos import ENVIRON, Repo
from servers.git_http import Behaviour, GitServer
from servers.loopback import Handler, Loopback

FILE = "overlays/dev/kustomization.yaml"
MAIN = "refs/heads/main"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

# Stands in for git and writes down what every user of the machine could see.
WATCHED = """\
#!/bin/sh
printf '%s\\n' "$*" >> "$WATCH_LOG"
exec {git} "$@"
"""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A bare repository with one commit, copied for each test."""
    repo = Repo.bare(tmp_path_factory.mktemp("http") / "m.git")
    repo.commit({"gitops.yaml": b"branch: main\n", FILE: b"tag 1\n"}, "first\n")
    return repo


@pytest.fixture
def repo(template: Repo, tmp_path: Path) -> Repo:
    """The test's own repository, `m.git` on the server."""
    return template.copy(tmp_path / "srv" / "m.git")


@pytest.fixture
def server(repo: Repo) -> Iterator[GitServer]:
    """A server of its own."""
    with GitServer(repo.path.parent) as server:
        yield server


def opened(server: GitServer, **environ: str) -> GitRepository:
    """Open the repository on the server, with a short time limit."""
    return open_repository(f"{server.url}/m.git", environ=ENVIRON | environ, timeout=20)


def write(repository: GitRepository, branch: str | None = "main") -> Lost | None:
    """Read the tip, change one file, push."""
    snapshot = repository.snapshot(branch)
    assert snapshot.read(FILE) is not None
    new = repository.create(NewCommit((snapshot.commit,), {FILE: b"tag 2\n"}, "two\n", NOW))
    return repository.push([RefUpdate(MAIN, snapshot.commit, new)])


BY_GIT = {"GIT_TRACE": "0"}  # whoever wants to see what git does gets a git that does it


@pytest.mark.parametrize(("environ", "requests"), [({}, (2, 1)), (BY_GIT, (3, 2))])
def test_requests_of_a_cold_write(
    server: GitServer, repo: Repo, environ: dict[str, str], requests: tuple[int, int]
) -> None:
    """A cold write costs three requests; by git five: three to fetch, two to push."""
    with opened(server, **environ) as repository:
        repository.begin("main")
        assert write(repository) is None

    assert requests == (server.count(push=False), server.count(push=True))
    assert repo.show(FILE) == b"tag 2\n"


@pytest.mark.parametrize(("environ", "requests"), [({}, 1), (BY_GIT, 2)])
def test_requests_of_an_unknown_branch(
    server: GitServer, environ: dict[str, str], requests: int
) -> None:
    """Where a branch (a proposal) does not exist, asking costs a single request; by git two."""
    with opened(server, **environ) as repository, pytest.raises(NotFound):
        repository.snapshot("gitops/prod")

    assert server.count() == requests


def test_default_branch_that_is_not_main(server: GitServer, repo: Repo) -> None:
    """The remote's HEAD names the branch."""
    repo.commit({FILE: b"tag 7\n"}, branch="trunk")
    repo.git("symbolic-ref", "HEAD", "refs/heads/trunk")

    with opened(server) as repository:
        assert repository.snapshot().branch == "trunk"


def test_empty_repository(server: GitServer, tmp_path: Path) -> None:
    """An empty repository is told as such, with the way out."""
    Repo.bare(tmp_path / "srv" / "empty.git")

    with (
        open_repository(f"{server.url}/empty.git", environ=ENVIRON) as repository,
        pytest.raises(NotFound, match="is empty") as caught,
    ):
        repository.snapshot()

    assert caught.value.hint is not None


def test_unborn_head(server: GitServer, repo: Repo) -> None:
    """A HEAD that names no branch lists the branches there are."""
    repo.git("symbolic-ref", "HEAD", "refs/heads/gone")

    with opened(server) as repository, pytest.raises(NotFound) as caught:
        repository.snapshot()

    assert "main" in (caught.value.hint or "")


FAILURES = [
    (Behaviour(status=401), Denied, "denied", 3),
    (Behaviour(credentials=("u", "p")), Denied, "denied", 3),
    (Behaviour(status=403), Denied, "denied", 3),
    (Behaviour(status=404), NotFound, "not-found", 3),
    (Behaviour(status=429), Unavailable, "unavailable", 75),
    (Behaviour(status=500), Unavailable, "unavailable", 75),
    (Behaviour(status=503), Unavailable, "unavailable", 75),
    (Behaviour(page=True), Unavailable, "unavailable", 75),
]


@pytest.mark.parametrize(("behaviour", "kind", "code", "exit_code"), FAILURES)
@pytest.mark.parametrize("only_push", [False, True])
def test_server_says_no(
    server: GitServer,
    repo: Repo,
    behaviour: Behaviour,
    kind: type[GitopsError],
    code: str,
    exit_code: int,
    only_push: bool,
) -> None:
    """Each answer gets its error, with the URL in it, while fetching and while pushing."""
    head = repo.head()
    server.behaviour = Behaviour(**{**vars(behaviour), "only_push": only_push})

    with opened(server) as repository, pytest.raises(kind) as caught:
        write(repository)

    assert (code, exit_code) == (caught.value.code, caught.value.exit_code)
    assert server.url in caught.value.message
    assert head == repo.head()


def test_server_is_down() -> None:
    """Nobody listens: unavailable."""
    with (
        open_repository("http://127.0.0.1:9/m.git", environ=ENVIRON) as repository,
        pytest.raises(Unavailable),
    ):
        repository.snapshot("main")


@pytest.mark.parametrize("only_push", [False, True])
def test_server_hangs(server: GitServer, only_push: bool) -> None:
    """A server that never answers is left after the time limit, and somebody was told."""
    told: list[str] = []
    server.behaviour = Behaviour(hang=True, only_push=only_push)

    with (
        open_repository(
            f"{server.url}/m.git", environ=ENVIRON, timeout=1.5, progress=told.append
        ) as repository,
        pytest.raises(TimedOut),
    ):
        write(repository)

    assert [server.url in line for line in told] == [True]


def test_answer_is_lost(server: GitServer, repo: Repo) -> None:
    """A connection cut after the push was taken is unavailable, and the intent is found."""
    with opened(server) as repository:
        base = repository.snapshot("main").commit
        message = "two\n\nGitops-Id: 42\n"
        new = repository.create(NewCommit((base,), {FILE: b"tag 2\n"}, message, NOW))
        server.behaviour = Behaviour(cut_push=True)
        with pytest.raises(Unavailable):
            repository.push([RefUpdate(MAIN, base, new)])
        server.behaviour = Behaviour()
        repo.commits([({FILE: b"tag %d\n" % number}, "x\n") for number in range(60)])

        assert new == repository.find_intent("main", "42", base)
        assert repository.find_intent("main", "43", base) is None


def test_push_that_was_sent_twice(server: GitServer, repo: Repo) -> None:
    """Sent again on a new connection after the server took it, a push has landed, and says so."""
    with opened(server) as repository:
        base = repository.snapshot("main").commit
        new = repository.create(NewCommit((base,), {FILE: b"tag 2\n"}, "two\n", NOW))
        side = "refs/heads/gitops/side"
        for moves in (
            [RefUpdate(MAIN, base, new), RefUpdate(side, None, new)],
            [RefUpdate(side, new, base)],
            [RefUpdate(side, base, None)],
        ):
            server.behaviour = Behaviour(cut_once=True)
            assert repository.push(moves) is None
            pushes = [one for one in server.requests if one.push and one.method == "POST"]
            assert [0, 200] == [one.status for one in pushes][-2:]

        assert (new, None) == (repo.head(), repo.head("gitops/side"))


def test_push_of_somebody_else_at_the_same_moment(server: GitServer, repo: Repo) -> None:
    """A branch that somebody else made or moved just before is a race that was lost."""
    with opened(server) as repository:
        base = repository.snapshot("main").commit
        new = repository.create(NewCommit((base,), {FILE: b"tag 2\n"}, "two\n", NOW))
        side = "refs/heads/gitops/side"

        def make() -> None:
            repo.commit({"other": b"x"}, branch="gitops/side", parents=[base])

        server.behaviour = Behaviour(before_push=make)
        assert repository.push([RefUpdate(side, None, new)]) is not None
        server.behaviour = Behaviour(before_push=lambda: repo.commit({"other": b"x"}))
        assert repository.push([RefUpdate(MAIN, base, new)]) is not None


def test_lost_between_advert_and_push(server: GitServer, repo: Repo) -> None:
    """A commit that lands after the server told its branches makes the push lose."""
    server.behaviour = Behaviour(before_push=lambda: repo.commit({"other": b"x"}))

    with opened(server) as repository:
        lost = write(repository)

    assert isinstance(lost, Lost)
    assert (b"x", b"tag 1\n") == (repo.show("other"), repo.show(FILE))


def test_hook_words(server: GitServer, repo: Repo) -> None:
    """A hook that declines is shown with its words."""
    repo.hook("pre-receive", "echo 'no deploys on Friday'; echo 'ask ana' >&2; exit 1")

    with opened(server) as repository, pytest.raises(HookDeclined) as caught:
        write(repository)

    assert "no deploys on Friday" in caught.value.message
    assert "ask ana" in caught.value.message


def test_protected_branch(server: GitServer, repo: Repo) -> None:
    """A protected branch is told from any other hook."""
    repo.hook("pre-receive", "echo 'GitLab: You are not allowed to push code to protected "
              "branches on this project.'; exit 1")  # fmt: skip

    with opened(server) as repository, pytest.raises(Protected, match="protected branches"):
        write(repository)


def test_lock_left_on_the_server(server: GitServer, repo: Repo) -> None:
    """A lock of somebody else is worth another try."""
    lock = repo.path / "refs" / "heads" / "main.lock"
    lock.touch()

    with opened(server) as repository, pytest.raises(Unavailable, match=r"main\.lock"):
        write(repository)


def test_success_with_server_words(server: GitServer, repo: Repo) -> None:
    """What a server says beside a success is no error."""
    repo.hook("post-receive", "echo 'protected branch hook declined? no: create a pull request'")

    with opened(server) as repository:
        assert write(repository) is None


def test_name_clash(server: GitServer, repo: Repo) -> None:
    """A branch `gitops` blocks `gitops/prod`: no race, and the error says which branch."""
    repo.commit({}, branch="gitops")

    with opened(server) as repository:
        base = repository.snapshot("main").commit
        new = repository.create(NewCommit((base,), {}, "x\n", NOW))
        with pytest.raises(Denied, match="branch gitops stands in the way of gitops/prod"):
            repository.push([RefUpdate("refs/heads/gitops/prod", None, new)])


def test_commits_of_others_are_never_dropped(server: GitServer, repo: Repo) -> None:
    """A push that would drop commits from a shared branch is a bug of the caller."""
    first = repo.head()
    second = repo.commit({FILE: b"tag 2\n"})

    with opened(server) as repository:
        repository.snapshot("main")
        new = repository.create(NewCommit((second,), {}, "x\n", NOW))
        assert first is not None
        other = repository.create(NewCommit((), {"a": b"b"}, "root\n", NOW))
        with pytest.raises(Bug, match="would lose commits"):
            repository.push([RefUpdate(MAIN, second, other)])
        assert repository.push([RefUpdate(MAIN, second, new)]) is None


def test_no_atomic_push(server: GitServer, repo: Repo) -> None:
    """A server that cannot move two branches at once is told from a missing permission."""
    repo.git("config", "receive.advertiseAtomic", "false")

    with opened(server) as repository:
        base = repository.snapshot("main").commit
        new = repository.create(NewCommit((base,), {}, "x\n", NOW))
        updates = [RefUpdate(MAIN, base, new), RefUpdate("refs/heads/gitops/a", None, new)]
        with pytest.raises(NoAtomicPush, match="atomic"):
            repository.push(updates)

    assert base == repo.head()


def test_condition_needs_no_right_to_push(server: GitServer, repo: Repo) -> None:
    """A branch that must not have moved may be one that nobody may push to."""
    repo.git("update-ref", "refs/heads/production", "refs/heads/main")
    repo.hook("update", '[ "$1" != refs/heads/main ]')
    with opened(server) as repository:
        base = repository.snapshot("main").commit
        new = repository.create(NewCommit((base,), {}, "x\n", NOW))
        updates = [RefUpdate("refs/heads/production", base, new), RefUpdate(MAIN, base, base)]
        before = server.count(push=True)
        assert repository.push(updates) is None

    assert (base, new) == (repo.head(), repo.head("production"))
    assert 2 == server.count(push=True) - before


@pytest.fixture
def watched(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """An environment whose git writes down its arguments, and the log."""
    real = shutil.which("git")
    assert real is not None
    script = tmp_path / "bin" / "git"
    script.parent.mkdir()
    script.write_text(WATCHED.replace("{git}", real))
    script.chmod(0o755)
    log = tmp_path / "arguments"
    path = f"{script.parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "WATCH_LOG": str(log)}, log


def test_secrets_are_seen_nowhere(
    server: GitServer,
    repo: Repo,
    watched: tuple[dict[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A password in the URL works, and is in no argument, file, message or name."""
    environ, log = watched
    stores = tmp_path / "stores"
    stores.mkdir()
    monkeypatch.setenv("TMPDIR", str(stores))
    server.behaviour = Behaviour(credentials=("deploy", "s3cr:t+/"))
    url = server.url.replace("http://", "http://deploy:s3cr%3At%2B%2F@") + "/m.git"

    with open_repository(url, environ=ENVIRON | environ) as repository:
        assert write(repository) is None
        name = repository.describe()
        files = b"".join(path.read_bytes() for path in stores.rglob("*") if path.is_file())
        server.behaviour = Behaviour(credentials=("deploy", "another"))
        with pytest.raises(Denied) as caught:
            repository.snapshot("main")

    seen = log.read_text() + name + caught.value.message + repr(caught.value.hint)
    assert f"{server.url}/m.git" in seen
    for secret in ("s3cr:t+/", "s3cr%3At%2B%2F", "ZGVwbG95OnMzY3I6dCsv"):
        assert secret not in seen
        assert secret.encode() not in files
    assert len({*server.authorizations}) == 1


def test_credentials_save_a_request(server: GitServer) -> None:
    """With credentials in the URL nothing is asked twice."""
    server.behaviour = Behaviour(credentials=("deploy", "secret"))
    url = server.url.replace("http://", "http://deploy:secret@") + "/m.git"

    with open_repository(url, environ=ENVIRON) as repository:
        assert write(repository) is None

    assert server.count() == 3


def test_credential_helper(server: GitServer, tmp_path: Path) -> None:
    """The user's own credential helper is asked; a user in the URL chooses the account."""
    server.behaviour = Behaviour(credentials=("deploy", "secret"))
    helper = "!f() { cat >> LOG; echo password=secret; }; f".replace("LOG", str(tmp_path / "log"))
    config = tmp_path / "gitconfig"
    config.write_text(f'[credential]\n\thelper = "{helper}"\n')
    url = server.url.replace("http://", "http://deploy@") + "/m.git"

    with open_repository(url, environ=ENVIRON | {"GIT_CONFIG_GLOBAL": str(config)}) as repository:
        assert write(repository) is None

    assert "username=deploy" in (tmp_path / "log").read_text()


def test_instead_of(server: GitServer, tmp_path: Path) -> None:
    """The user's `url.insteadOf` applies."""
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "{server.url}/"]\n\tinsteadOf = "work:"\n')

    with open_repository(
        "work:m.git", environ=ENVIRON | {"GIT_CONFIG_GLOBAL": str(config)}
    ) as repository:
        assert write(repository) is None


def test_password_does_not_follow_a_redirect(server: GitServer, repo: Repo, tmp_path: Path) -> None:
    """Redirected to another server git works there, but no password ever goes along."""
    other_root = tmp_path / "other"
    repo.copy(other_root / "m.git")
    with GitServer(other_root) as other:
        server.behaviour = Behaviour(redirect=other.url)
        with opened(server) as repository:
            assert repository.snapshot("main").read(FILE) == b"tag 1\n"
        url = server.url.replace("http://", "http://deploy:secret@") + "/m.git"
        with (
            open_repository(url, environ=ENVIRON) as repository,
            pytest.raises(NotFound, match="redirects") as caught,
        ):
            repository.snapshot("main")

        assert other.authorizations == []
        assert "new address" in (caught.value.hint or "")


def test_user_hooks_stay_out(server: GitServer, tmp_path: Path) -> None:
    """A global `core.hooksPath` does not run in the private store."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
        (hooks / name).chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f'[core]\n\thooksPath = "{hooks}"\n')

    with opened(server, GIT_CONFIG_GLOBAL=str(config)) as repository:
        assert write(repository) is None

    assert not (tmp_path / "ran").exists()


def test_inside_a_hook(server: GitServer, repo: Repo, tmp_path: Path) -> None:
    """The variables of somebody else's repository change nothing."""
    elsewhere = Repo.checkout(tmp_path / "elsewhere")
    environ = {
        "GIT_DIR": str(elsewhere.git_dir),
        "GIT_INDEX_FILE": str(elsewhere.git_dir / "index"),
        "GIT_WORK_TREE": str(elsewhere.path),
        "GIT_OBJECT_DIRECTORY": str(elsewhere.git_dir / "objects"),
        "GIT_QUARANTINE_PATH": str(tmp_path),
        "GIT_NAMESPACE": "x",
    }

    with opened(server, **environ) as repository:
        assert write(repository) is None

    assert repo.show(FILE) == b"tag 2\n"
    assert elsewhere.git("count-objects").startswith("0 objects")


def test_objects_are_whole(server: GitServer, repo: Repo) -> None:
    """Git finds nothing wrong; executable bits stay, names sort as Git sorts them."""
    repo.commit(
        {"run.sh": b"#!/bin/sh\n", "a/x": b"1", "a.b/x": b"1", "a-b": b"1", "ö/ü": b"1"},
        modes={"run.sh": "100755"},
    )
    with opened(server) as repository:
        base = repository.snapshot("main").commit
        files = {"run.sh": b"#!/bin/sh\nls\n", "a/y": b"2", "a.c": b"2", "ö/ä": b"2", FILE: None}
        new = repository.create(NewCommit((base,), files, "two\n", NOW))
        assert repository.push([RefUpdate(MAIN, base, new)]) is None

    repo.git("fsck", "--strict", "--no-dangling")
    listing = repo.git("ls-tree", "-r", "-z", "main").split("\0")
    modes = {line.split("\t")[1]: line[:6] for line in listing if line}
    assert (modes["run.sh"], modes["a/y"], modes["a.c"]) == ("100755", "100644", "100644")
    assert FILE not in modes
    repo.git("fast-export", "main")


def test_sha256_repository(tmp_path: Path) -> None:
    """A repository with SHA-256 ids is written like any other."""
    repo = Repo.bare(tmp_path / "srv" / "m.git", algorithm="sha256")
    repo.commit({FILE: b"tag 1\n"}, "first\n")

    with GitServer(tmp_path / "srv") as server, opened(server) as repository:
        assert write(repository) is None

    assert (b"tag 2\n", 64) == (repo.show(FILE), len(repo.head() or ""))
    repo.git("fsck", "--strict")


def test_nothing_is_left_behind(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing removes the store, also when the fetch was never waited for."""
    stores = tmp_path / "stores"
    stores.mkdir()
    monkeypatch.setenv("TMPDIR", str(stores))
    server.behaviour = Behaviour(hang=True)

    with opened(server) as repository:
        repository.begin("main")
        assert len(list(stores.iterdir())) == 1

    assert list(stores.iterdir()) == []


def race(repo: Repo) -> Callable[[], None]:
    """Somebody who commits again and again, in front of everybody."""
    return lambda: (repo.commit({"other": os.urandom(4)}), None)[1]


def test_many_lost_races(server: GitServer, repo: Repo) -> None:
    """Losing again and again costs requests, never a commit."""
    server.behaviour = Behaviour(before_push=race(repo))
    with opened(server) as repository:
        for _ in range(3):
            assert isinstance(write(repository), Lost)
        server.behaviour = Behaviour()
        assert write(repository) is None

    assert len(repo.git("rev-list", "main").split()) == 5


@pytest.mark.parametrize("status", [200, 405])
def test_a_page_for_people_is_no_empty_repository(status: int) -> None:
    """A sign-in or a proxy answers with HTML, of which git reads that there is no branch."""

    class Page(Handler):
        """Answers everything with the same page; `status`: to what is sent there."""

        def do_GET(self) -> None:
            """See `BaseHTTPRequestHandler`."""
            self.say(200, [("Content-Type", "text/html; charset=utf-8")], b"login")

        def do_POST(self) -> None:
            """See `BaseHTTPRequestHandler`."""
            self.read_body()
            self.say(status, [("Content-Type", "text/html")], b"login")

    with Loopback(Page) as there:
        repository = open_repository(f"{there.url}/m.git", environ=ENVIRON)
        with pytest.raises(NotFound, match="answers with a page, not as a Git server"):
            repository.snapshot()
