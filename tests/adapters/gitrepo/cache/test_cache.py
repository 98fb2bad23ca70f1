"""The cache: cheaper when it is right, and never wrong when it is not."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gitops.adapters.gitrepo import GitRepository, open_repository
from gitops.adapters.gitrepo.cache.files import Cache, open_cache
from gitops.adapters.gitrepo.cache.format import parse, render
from gitops.adapters.gitrepo.command.process import Git
from gitops.errors import HookDeclined, NotFound, Unavailable
from gitops.ports import Lost, NewCommit, RefUpdate
from gitrepos import ENVIRON, Repo
from servers.git_http import Behaviour, GitServer

FILE = "overlays/dev/kustomization.yaml"
OTHER = "overlays/prod/kustomization.yaml"
MAIN = "refs/heads/main"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FEW = 3000  # bytes: what a call may read and write when the cache helps


class Place:
    """A repository on a server, and calls that share one cache."""

    def __init__(self, server: GitServer, repo: Repo, cache: Path) -> None:
        self.server = server
        self.repo = repo
        self.cache = cache
        self.calls = 0

    @property
    def url(self) -> str:
        """Where the repository is."""
        return f"{self.server.url}/m.git"

    def opened(self, url: str | None = None) -> GitRepository:
        """Open the repository as a call of gitops does."""
        environ = ENVIRON | {"GITOPS_CACHE": str(self.cache)}
        return open_repository(url or self.url, environ=environ, timeout=20)

    def write(self, url: str | None = None) -> str:
        """Change one file as a call of gitops does it; return the way that it took.

        `remembered`: the push onto the remembered tip landed, `lost`: it did not, `asked`: there
        was none. In the end the change stands, on top of whatever was there.
        """
        self.calls += 1
        content = b"tag %d\n" % self.calls
        before = self.repo.head()
        with self.opened(url) as repository:
            repository.begin("main", "remembered")
            with repository.remembered("main") as snapshot:
                way = "asked" if snapshot is None else "remembered"
                if snapshot is not None and self._push(repository, snapshot.commit, content):
                    way = "lost"
            if way != "remembered":
                snapshot = repository.snapshot("main")
                assert before == snapshot.commit
                assert self.repo.show(FILE) == snapshot.read(FILE)
                assert self._push(repository, snapshot.commit, content) is None
        assert before == self.repo.git("rev-parse", "main~1").strip()
        assert content == self.repo.show(FILE)
        assert [FILE] == self.repo.git("diff", "--name-only", "main~1", "main").split()
        self.repo.git("fsck", "--strict", "--no-dangling")
        return way

    def _push(self, repository: GitRepository, old: str, content: bytes) -> Lost | None:
        new = repository.create(NewCommit((old,), {FILE: content}, "two\n", NOW))
        return repository.push([RefUpdate(MAIN, old, new)])

    def cost(self, do: Callable[[], object]) -> tuple[int, int]:
        """Return the requests that `do` made, and the bytes of their bodies."""
        start = len(self.server.requests)
        do()
        made = self.server.requests[start:]
        return len(made), sum(one.received + one.sent for one in made)

    def files(self) -> list[Path]:
        """Return the files that are kept of this repository."""
        return sorted(path for path in self.cache.glob("v1/*/*"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Three hundred files that do not compress, and an overlay."""
    repo = Repo.bare(tmp_path_factory.mktemp("cache") / "m.git")
    files: dict[str, bytes | None] = {FILE: b"start\n", OTHER: b"tag 0\n", "gitops.yaml": b"x\n"}
    for number in range(300):
        files[f"services/{number:03}.yaml"] = os.urandom(60).hex().encode()
    repo.commits([(files, "first\n"), ({OTHER: b"tag 1\n"}, "second\n")])
    return repo


@pytest.fixture
def place(template: Repo, tmp_path: Path) -> Iterator[Place]:
    """A repository and an empty cache of the test's own."""
    repo = template.copy(tmp_path / "srv" / "m.git")
    with GitServer(repo.path.parent) as server:
        yield Place(server, repo, tmp_path / "cache")


def test_one_request_and_little_to_send(place: Place) -> None:
    """The first call costs three requests, every later one a single one and less to send."""
    first = place.cost(place.write)
    later = [place.cost(place.write) for _ in range(3)]

    assert first[0] == 3
    assert first[1] > 10 * FEW
    assert [1, 1, 1] == [requests for requests, _ in later]
    assert all(size < FEW for _, size in later)


def test_a_write_on_what_is_kept_starts_one_git(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lists the settings; the few objects that are read come out of the packs without one."""
    place.write()
    started: list[str] = []
    popen = Git.popen

    def noted(self: Git, args: Sequence[str], **more: Any) -> Any:
        started.append(" ".join(args))
        return popen(self, args, **more)

    monkeypatch.setattr(Git, "popen", noted)
    with place.opened() as repository:
        repository.begin("main", "remembered")
        with repository.remembered("main") as snapshot:
            assert snapshot is not None
            assert (b"tag 1\n", b"x\n") == (snapshot.read(OTHER), snapshot.read("gitops.yaml"))
            assert place._push(repository, snapshot.commit, b"tag 7\n") is None
    assert 1 == len(started)
    assert "config --list" in started[0]


def test_a_tip_that_moved_costs_little_to_send(place: Place) -> None:
    """Somebody else's commit costs a lost push and a fetch, but not the files that are known."""
    place.write()
    place.repo.commit({"services/007.yaml": b"new\n"})

    requests, size = place.cost(lambda: place.write() == "lost")

    assert requests == 3
    assert size < FEW
    assert place.write() == "remembered"


def test_who_loses_again_and_again_asks_first(place: Place) -> None:
    """On a busy branch the lost push is saved, until a call finds that nothing has moved."""
    place.write()
    ways = []
    for number in range(4):
        place.repo.commit({OTHER: b"%d\n" % number})
        ways.append(place.write())
    with place.opened() as repository:
        repository.snapshot("main")

    assert ["lost", "lost", "asked", "asked"] == ways
    assert place.write() == "remembered"


def test_a_busy_branch_costs_three_requests(place: Place) -> None:
    """Who asks first makes as many requests as without a cache, and sends little."""
    place.write()
    for number in range(2):
        place.repo.commit({OTHER: b"%d\n" % number})
        place.write()
    place.repo.commit({OTHER: b"9\n"})

    requests, size = place.cost(place.write)

    assert requests == 3
    assert size < FEW


def test_rewound_branch(place: Place) -> None:
    """A branch that was put back is written on where it is now; what was dropped stays away."""
    place.write()
    dropped = place.repo.head()
    place.repo.git("update-ref", MAIN, "main~2")

    assert place.write() == "lost"
    assert dropped not in place.repo.git("rev-list", "main").split()
    assert place.write() == "remembered"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_replaced_repository(place: Place, algorithm: str) -> None:
    """Another repository at the same address is read as what it is, whatever its hash."""
    place.write()
    shutil.rmtree(place.repo.path)
    place.repo = Repo.bare(place.repo.path, algorithm=algorithm)
    place.repo.commits([({FILE: b"else\n"}, "else\n"), ({OTHER: b"else\n"}, "else\n")])

    assert place.write() == "lost"
    assert place.write() == "remembered"
    assert place.cost(place.write)[0] == (1 if algorithm == "sha1" else 2)


def test_repository_that_is_gone(place: Place) -> None:
    """Nothing that is remembered stands in for a repository or a branch that is not there."""
    place.write()
    shutil.move(place.repo.path, place.repo.path.with_name("away"))
    with place.opened() as repository, pytest.raises(NotFound, match="no repository"):
        repository.snapshot("main")

    shutil.move(place.repo.path.with_name("away"), place.repo.path)
    place.repo.git("branch", "-m", "main", "trunk")
    with place.opened() as repository, pytest.raises(NotFound, match="no branch main"):
        repository.snapshot("main")
    with place.opened() as repository, repository.remembered("main") as snapshot:
        assert snapshot is None


def flip(path: Path) -> None:
    """Change a bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Leave half of it."""
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    """Leave nothing of it."""
    os.truncate(path, 0)


def remove(path: Path) -> None:
    """Take it away."""
    path.unlink()


def folder(path: Path) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    """Put something in its place that would be waited for."""
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    """Put a symbolic link in its place, to the very same bytes."""
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


@pytest.mark.parametrize("harm", [flip, cut, empty, remove, folder, pipe, link])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_damage_is_seen(place: Place, harm: Callable[[Path], None], which: int) -> None:
    """Whatever is wrong with a file of the cache, the call reads all anew, and mends the cache."""
    place.write()
    harm(place.files()[which])

    assert place.write() == "asked"
    if harm is folder:  # what stands there as a folder is not replaced
        shutil.rmtree(place.cache)
        place.write()
    assert place.write() == "remembered"


def forge(place: Place, *paths: str) -> None:
    """Let the cache say that the contents of two files are each other's, all hashes right."""
    shelf = Cache(place.cache).shelf(place.url)
    remembered = parse(shelf.state())
    pack, name = remembered.packs[0]
    copy = place.cache.parent / "index"
    shelf.fetch(name, copy)
    index = bytearray(copy.read_bytes())
    table = 8 + 256 * 4  # after the head and the fan-out: ids, then checksums, then places
    count = int.from_bytes(index[table - 4 : table])
    ids = [index[table + at * 20 :][:20].hex() for at in range(count)]
    wanted = place.repo.git("rev-parse", *(f"main:{path}" for path in paths)).split()
    one, two = (table + count * 24 + ids.index(oid) * 4 for oid in wanted)
    index[one : one + 4], index[two : two + 4] = index[two : two + 4], index[one : one + 4]
    copy.write_bytes(index[:-20] + hashlib.sha1(index[:-20], usedforsecurity=False).digest())
    forged = replace(remembered, packs=((pack, shelf.put(copy)),))
    shelf.keep(render(forged), frozenset(forged.packs[0]), grown=False)
    copy.unlink()


def test_an_object_that_is_not_what_its_id_says(place: Place) -> None:
    """Somebody who forges the cache, hashes and all, changes nothing that is read or written."""
    place.write()
    forge(place, "services/001.yaml", "gitops.yaml")
    with place.opened() as repository, repository.remembered("main") as snapshot:
        assert snapshot is not None
        with pytest.raises(Unavailable, match="damaged"):
            snapshot.read("gitops.yaml")
    assert place.write() == "asked"

    forge(place, "services/001.yaml", "gitops.yaml")
    with place.opened() as repository:
        with pytest.raises(Unavailable, match="damaged"):
            repository.snapshot("main").read("gitops.yaml")
        assert b"x\n" == repository.snapshot("main").read("gitops.yaml")
    assert place.write() == "remembered"


def test_history_is_walked_over_what_git_vouches_for(place: Place) -> None:
    """Git hashes all that came from the cache before it walks through history."""
    place.write()
    forge(place, "services/001.yaml", "services/002.yaml")
    with place.opened() as repository:
        with pytest.raises(Unavailable, match="damaged"):
            list(repository.history(repository.snapshot("main").commit, "overlays/dev"))
        tip = repository.snapshot("main").commit
        assert len(list(repository.history(tip, "overlays/dev"))) == 2


def test_history_after_the_cache(place: Place) -> None:
    """Deeper history is right on top of a remembered tip, and keeps the cache usable."""
    for _ in range(3):
        place.write()
    with place.opened() as repository:
        tip = repository.snapshot("main").commit
        found = [one.content for one in repository.history(tip, "overlays/dev")]

    assert [b"tag 3\n", b"tag 2\n", b"tag 1\n", b"start\n"] == found
    assert place.write() == "remembered"


def test_deleted_under_way(place: Place) -> None:
    """The cache may vanish at any moment: a call has its own copy of what it uses."""
    place.write()
    with place.opened() as repository, repository.remembered("main") as snapshot:
        assert snapshot is not None
        shutil.rmtree(place.cache)
        assert place.repo.show(FILE) == snapshot.read(FILE)
        new = repository.create(NewCommit((snapshot.commit,), {FILE: b"late\n"}, "x\n", NOW))
        assert repository.push([RefUpdate(MAIN, snapshot.commit, new)]) is None

    assert b"late\n" == place.repo.show(FILE)
    assert place.write() in ("asked", "remembered")


def test_many_calls_stay_small(place: Place) -> None:
    """What is kept does not grow with the number of calls, and stays right."""
    place.write()
    size = sum(path.stat().st_size for path in place.files())
    for number in range(20):
        if number % 7 == 0:
            place.repo.commit({f"services/{number:03}.yaml": b"by hand %d\n" % number})
        place.write()

    assert sum(path.stat().st_size for path in place.files()) < 1.2 * size
    assert len(place.files()) == 3


def test_small_changes_of_others_are_packed_in_the_end(place: Place) -> None:
    """When too much stands outside of packs, all goes into one; the old one is dropped later."""
    place.write()
    for start in (0, 60):
        numbers = range(start, start + 60)
        place.repo.commit({f"services/{number:03}.yaml": b"%d\n" % number for number in numbers})
        place.write()

    remembered = parse(Cache(place.cache).shelf(place.url).state())
    assert (1, ()) == (len(remembered.packs), remembered.objects)
    assert [place.write(), place.write()] == ["asked", "remembered"]


def test_a_large_change_of_others(place: Place) -> None:
    """A fetch of many objects comes as a pack, and the cache is whole afterwards."""
    place.write()
    place.repo.commit({f"services/{number:03}.yaml": b"%d\n" % number for number in range(200)})

    assert place.write() == "lost"
    assert place.write() == "remembered"
    shelf = Cache(place.cache).shelf(place.url)
    assert len(parse(shelf.state()).packs) == 1


def test_branches_beside_main(place: Place) -> None:
    """Other branches are remembered too; history in between leaves nothing half."""
    side = place.repo.commit({"dev.jsonl": b"{}\n" * 500}, branch="gitops/ledger", parents=[])
    with place.opened() as repository:
        tip = repository.snapshot("main")
        list(repository.history(tip.commit, "overlays/dev"))
        place.repo.commit({OTHER: b"meanwhile\n"})
        repository.snapshot("main")
        assert side == repository.snapshot("gitops/ledger").commit

    assert place.write() == "remembered"
    with place.opened() as repository:
        requests, size = place.cost(lambda: repository.snapshot("gitops/ledger"))
        assert b"{}\n" * 500 == repository.snapshot("gitops/ledger").read("dev.jsonl")
    assert requests == 1
    assert size < FEW


def test_default_branch_is_asked_for_again(place: Place) -> None:
    """A call that names no branch believes the remembered name for an hour only."""
    with place.opened() as repository:
        repository.snapshot()
    with place.opened() as repository, repository.remembered() as snapshot:
        assert snapshot is not None
    shelf = Cache(place.cache).shelf(place.url)
    remembered = parse(shelf.state())
    long_ago = replace(remembered, asked=remembered.asked - 4000)
    shelf.keep(render(long_ago), frozenset(), grown=False)

    with place.opened() as repository, repository.remembered() as snapshot:
        assert snapshot is None
    with place.opened() as repository, repository.remembered("main") as snapshot:
        assert snapshot is not None


@pytest.mark.parametrize("by", ["a carried file", "another gitops"])
def test_a_state_of_somebody_else_names_no_default_branch(place: Place, by: str) -> None:
    """Which branch a call means that names none is not believed of a state that others wrote."""
    place.repo.git("branch", "evil", "main")
    with place.opened() as repository:
        repository.snapshot()
    shelf = Cache(place.cache).shelf(place.url)
    remembered = parse(shelf.state())
    assert remembered.default == "main"
    forged = render(replace(remembered, default="evil", tips={"evil": remembered.tips["main"]}))
    if by == "another gitops":
        shelf.keep(forged, frozenset(), grown=False)
    else:
        (state,) = [path for path in place.files() if path.name == "state"]
        seal = state.read_bytes().split(b"\n")[0].split(b" ")[1]
        name = hashlib.sha256(forged).hexdigest().encode()
        state.write_bytes(name + b" " + seal + b"\n" + forged)

    with place.opened() as repository, repository.remembered() as snapshot:
        assert snapshot is None
    with place.opened() as repository:
        assert repository.snapshot().branch == "main"
    with place.opened() as repository, repository.remembered() as snapshot:
        assert snapshot is not None
        assert snapshot.branch == "main"


def test_signed_commits(place: Place, tmp_path: Path) -> None:
    """A commit that git itself signed is remembered whole."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    settings = {"gpg.format": "ssh", "user.signingkey": str(key), "commit.gpgsign": "true"}
    words = " ".join(f"'{name}={value}'" for name, value in settings.items())
    environ = ENVIRON | {"GITOPS_CACHE": str(place.cache), "GIT_CONFIG_PARAMETERS": words}
    ways = []
    for number in range(3):
        with (
            open_repository(place.url, environ=environ) as repository,
            repository.remembered("main") as snapshot,
        ):
            ways.append(snapshot is not None)
        with open_repository(place.url, environ=environ) as repository:
            old = repository.snapshot("main").commit
            new = repository.create(NewCommit((old,), {FILE: b"s%d\n" % number}, "x\n", NOW))
            assert repository.push([RefUpdate(MAIN, old, new)]) is None

    assert [False, True, True] == ways
    assert "gpgsig" in place.repo.git("cat-file", "commit", "main")
    assert place.write() == "remembered"


def test_rejected_pushes_are_told_as_ever(place: Place) -> None:
    """A hook's refusal is its own, not the cache's fault."""
    place.write()
    place.repo.hook("pre-receive", "echo 'not on fridays' >&2; exit 1")

    with place.opened() as repository, repository.remembered("main") as snapshot:
        assert snapshot is not None
        new = repository.create(NewCommit((snapshot.commit,), {FILE: b"x\n"}, "x\n", NOW))
        with pytest.raises(HookDeclined, match="not on fridays"):
            repository.push([RefUpdate(MAIN, snapshot.commit, new)])


def test_nobody_else_can_read_it(place: Place) -> None:
    """Folders and files are for this user alone, even where the mask would let others in."""
    old = os.umask(0o002)
    try:
        place.write()
    finally:
        os.umask(old)

    paths = [place.cache / "v1", *place.cache.glob("v1/*"), *place.files()]
    assert [0] * len(paths) == [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in paths]


def test_no_secret_is_written_down(place: Place) -> None:
    """Neither a token in the address nor the address itself stands in any name or file."""
    token = "hunter2-planted-token"
    url = place.url.replace("http://", f"http://ci:{token}@")
    place.server.behaviour = Behaviour(credentials=("ci", token))
    place.write(url)
    place.write(url)

    assert place.files()
    for path in place.cache.rglob("*"):
        assert token not in str(path)
        assert "127.0.0.1" not in str(path)
        if path.is_file():
            content = path.read_bytes()
            assert token.encode() not in content
            assert b"127.0.0.1" not in content


@pytest.mark.parametrize("value", ["", "off", " OFF "])
def test_switched_off(place: Place, tmp_path: Path, value: str) -> None:
    """Nothing is kept, anywhere."""
    environ = ENVIRON | {"GITOPS_CACHE": value, "HOME": str(tmp_path), "XDG_CACHE_HOME": ""}
    with open_repository(place.url, environ=environ) as repository:
        repository.snapshot("main")
        with repository.remembered("main") as snapshot:
            assert snapshot is None

    assert ["srv"] == os.listdir(tmp_path)


def test_default_place(tmp_path: Path) -> None:
    """It is the user's cache home, and no other folder is made on the way there."""
    home = tmp_path / "home"
    assert open_cache({"HOME": str(home)}, None) is None
    assert not home.exists()
    home.mkdir()
    assert open_cache({"HOME": str(home)}, None) is not None
    assert (home / ".cache" / "gitops" / "v1").is_dir()
    assert open_cache({"HOME": str(home), "XDG_CACHE_HOME": str(tmp_path / "x")}, None) is not None
    assert (tmp_path / "x" / "gitops" / "CACHEDIR.TAG").is_file()
    assert open_cache({"XDG_CACHE_HOME": "relative"}, None) is None


def foreign_link(path: Path) -> None:
    """A symbolic link that somebody laid there."""
    path.with_name("real").mkdir()
    path.symlink_to("real")


def open_to_all(path: Path) -> None:
    """A folder that everybody may write to."""
    path.mkdir()
    path.chmod(0o777)


def not_a_folder(path: Path) -> None:
    """A file."""
    path.write_text("")


def open_inside(path: Path) -> None:
    """A private folder, in which somebody made another one for all."""
    (path / "v1").mkdir(parents=True, mode=0o700)
    (path / "v1").chmod(0o777)


@pytest.mark.parametrize("laid", [foreign_link, open_to_all, not_a_folder, open_inside])
def test_unsafe_places_are_not_used(place: Place, laid: Callable[[Path], None]) -> None:
    """A place that others could fill is left alone, with a word to who named it."""
    laid(place.cache)
    told: list[str] = []

    assert open_cache({"GITOPS_CACHE": str(place.cache)}, told.append) is None
    assert len(told) == 1
    assert told[0].startswith("the cache GITOPS_CACHE is not used: ")
    assert [place.write(), place.write()] == ["asked", "asked"]


def test_old_repositories_make_room(tmp_path: Path) -> None:
    """When all together take too much, those that were used longest ago go."""
    cache = Cache(tmp_path / "cache")
    source = tmp_path / "source"
    for number in range(4):
        source.write_bytes(os.urandom(1000))
        shelf = cache.shelf(f"https://example.com/{number}")
        name = shelf.put(source)
        shelf.keep(b"state", frozenset([name]), grown=False)
        for path in (tmp_path / "cache").glob("v1/*/*"):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 10))

    cache.trim(limit=2500)

    kept = [readable(cache, number) for number in range(4)]
    assert [False, False, True, True] == kept


def readable(cache: Cache, number: int) -> bool:
    """Say whether a repository is still kept."""
    try:
        return cache.shelf(f"https://example.com/{number}").state() == b"state"
    except OSError:
        return False


def test_what_nothing_names_is_swept(tmp_path: Path) -> None:
    """Files of killed or outdated calls go, an hour after anybody could still want them."""
    shelf = Cache(tmp_path / "cache").shelf("https://example.com/m.git")
    source = tmp_path / "source"
    source.write_bytes(b"one")
    first = shelf.put(source)
    shelf.keep(b"state", frozenset([first]), grown=True)
    here = next(tmp_path.glob("cache/v1/*"))
    (here / "12345-678").write_bytes(b"half")
    (here / "12345-679").write_bytes(b"of a running call")
    os.utime(here / "12345-678", (0, 0))
    os.utime(here / first, (0, 0))
    source.write_bytes(b"two")
    second = shelf.put(source)

    shelf.keep(b"state", frozenset([second]), grown=True)

    assert sorted(["12345-679", second, "state"]) == sorted(os.listdir(here))


FULL = """
import resource, signal, sys
from pathlib import Path
from typing import Any
from gitops.adapters.gitrepo.cache.files import Cache
shelf = Cache(Path(sys.argv[1])).shelf("https://example.com/m.git")
shelf.keep(b"state", frozenset(), grown=False)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
failed = []
try:
    shelf.put(Path(sys.argv[2]))
except OSError:
    failed.append("put")
try:
    shelf.keep(bytes(9000), frozenset(), grown=False)
except OSError:
    failed.append("keep")
assert failed == ["put", "keep"]
assert shelf.state() == b"state"
"""


def test_no_room_for_a_file(tmp_path: Path) -> None:
    """When a write ends half way, what was kept stays, and nothing half is left behind."""
    source = tmp_path / "source"
    source.write_bytes(bytes(9000))
    command = [sys.executable, "-c", FULL, str(tmp_path / "cache"), str(source)]
    # Coverage would want to write, too.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    assert ["state"] == os.listdir(next(tmp_path.glob("cache/v1/*")))


def test_two_addresses_are_two_repositories(tmp_path: Path) -> None:
    """What is read from one address is never offered for another."""
    cache = Cache(tmp_path / "cache")
    cache.shelf("https://example.com/a").keep(b"a", frozenset(), grown=False)

    with pytest.raises(OSError, match="No such file"):
        cache.shelf("https://example.com/a", "https://example.com/b").state()


def test_paths_are_not_kept(template: Repo, tmp_path: Path) -> None:
    """A remote that is a path is fast, and a relative one names no place: nothing is kept."""
    template.git("clone", "-q", str(template.path), str(tmp_path / "clone"))
    environ = ENVIRON | {"GITOPS_CACHE": str(tmp_path / "cache")}
    with open_repository(str(tmp_path / "clone"), environ=environ) as repository:
        repository.snapshot("main")

    assert not (tmp_path / "cache").exists()
