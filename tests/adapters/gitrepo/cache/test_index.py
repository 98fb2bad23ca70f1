"""Pages of the index in the cache directory: ours and whole, or none."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops.adapters.gitrepo.cache import files
from gitops.adapters.gitrepo.cache.files import Cache, Shelf
from gitops.adapters.gitrepo.cache.index import KeptIndex

URL = "https://example.com/m.git"
OURS, THEIRS = b"k" * 32, b"x" * 32


def shelf_of(folder: Path, key: bytes | None = OURS, url: str = URL) -> Shelf:
    """The place of one repository, as somebody with a key opens it."""
    return Cache(folder / "cache", key=lambda: key).shelf(url)


def page_in(folder: Path) -> Path:
    """The file of the only page."""
    (found,) = folder.glob("cache/v1/*/page-*")
    return found


def test_a_page_is_kept_for_the_next_call(tmp_path: Path) -> None:
    """What was kept last comes back, also in another process; nobody else can read it."""
    for content in (b"one", b"two\nwith lines\n", b""):
        KeptIndex(shelf_of(tmp_path)).keep("main:dev", content)
        assert KeptIndex(shelf_of(tmp_path)).page("main:dev") == content
    assert KeptIndex(shelf_of(tmp_path)).page("main:prod") is None
    assert stat.S_IMODE(page_in(tmp_path).stat().st_mode) == 0o600


def test_without_a_place_it_is_kept_for_this_process(tmp_path: Path) -> None:
    """`GITOPS_CACHE=off`, or a path: built once for each process, and nothing is written."""
    index = KeptIndex(None)
    index.keep("main:dev", b"one")
    assert index.page("main:dev") == b"one"
    assert KeptIndex(None).page("main:dev") is None
    KeptIndex(shelf_of(tmp_path, key=None)).keep("main:dev", b"one")
    assert list(tmp_path.glob("cache/v1/*")) == []


def forged(page: Path) -> None:
    """Other content under the old seal."""
    seal, _, _ = page.read_bytes().partition(b"\n")
    page.write_bytes(seal + b"\nevil")


def sealed_by_others(page: Path) -> None:
    """Whole, and sealed with another key."""
    cache = page.parents[2]
    Cache(cache, key=lambda: THEIRS).shelf(URL).keep_page("main:dev", b"evil")


def of_another_name(page: Path) -> None:
    """Ours, and about another environment."""
    cache = page.parents[2]
    Cache(cache, key=lambda: OURS).shelf(URL).keep_page("main:prod", b"evil")
    (other,) = (one for one in page.parent.glob("page-*") if one != page)
    page.write_bytes(other.read_bytes())


def of_another_repository(page: Path) -> None:
    """Ours, and about another repository."""
    cache = page.parents[2]
    Cache(cache, key=lambda: OURS).shelf("https://example.com/evil").keep_page("main:dev", b"evil")
    (other,) = (one for one in cache.glob("v1/*/page-*") if one != page)
    page.write_bytes(other.read_bytes())


def cut(page: Path) -> None:
    """Half of it."""
    page.write_bytes(page.read_bytes()[:-2])


def a_pipe(page: Path) -> None:
    """Something that never ends."""
    page.unlink()
    os.mkfifo(page)


def a_link(page: Path) -> None:
    """A way to somewhere else."""
    page.rename(page.with_name("elsewhere"))
    page.symlink_to("elsewhere")


def a_folder(page: Path) -> None:
    """No file at all."""
    page.unlink()
    page.mkdir()


@pytest.mark.parametrize(
    "harm",
    [
        forged,
        sealed_by_others,
        of_another_name,
        of_another_repository,
        cut,
        a_pipe,
        a_link,
        a_folder,
    ],
)
def test_what_is_not_ours_and_whole_is_no_page(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    """Nothing is read of it, and the next page takes its place."""
    KeptIndex(shelf_of(tmp_path)).keep("main:dev", b"one")
    harm(page_in(tmp_path))
    assert KeptIndex(shelf_of(tmp_path)).page("main:dev") is None
    KeptIndex(shelf_of(tmp_path)).keep("main:dev", b"two")
    assert KeptIndex(shelf_of(tmp_path)).page("main:dev") == (b"two" if harm != a_folder else None)


def test_pages_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository has so many, of such a size; together they count as what is remembered does."""
    monkeypatch.setattr(files, "_PAGES", 3)
    monkeypatch.setattr(files, "_LARGEST_PAGE", 1000)
    shelf = shelf_of(tmp_path)
    for number in range(5):
        shelf.keep_page(f"main:{number}", bytes(800))
        os.utime(
            tmp_path / "cache/v1" / shelf._path.name / files._page_file(f"main:{number}"),
            (number, number),
        )
    shelf.keep_page("main:large", bytes(2000))
    shelf.keep(b"state", frozenset(), grown=True)
    kept = [f"main:{n}" for n in range(5) if KeptIndex(shelf).page(f"main:{n}") is not None]
    assert kept == ["main:2", "main:3", "main:4"]
    assert KeptIndex(shelf).page("main:large") is None
    Cache(tmp_path / "cache").trim(limit=1000)
    assert list(tmp_path.glob("cache/v1/*/page-*")) == []


def test_what_pages_take_is_looked_at_when_it_may_be_more(tmp_path: Path) -> None:
    """A page that is new, or much larger; not one of the same size, which is what is kept daily."""
    looks: list[int] = []
    shelf = Cache(tmp_path / "cache", key=lambda: b"k" * 32).shelf("https://example.com/a")
    shelf._trim = lambda: looks.append(1)
    for size, seen in ((1000, 1), (1000, 1), (60_000, 1), (900, 1), (80_000, 2), (80_000, 2)):
        shelf.keep_page("main:dev", bytes(size))
        assert len(looks) == seen
    shelf.keep_page("main:prod", b"")
    assert len(looks) == 3


@pytest.mark.parametrize("step", ["os.open", "os.rename", "_copy"])
def test_a_write_that_fails_leaves_the_last_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever step the disk refuses: the last page stands, and nothing half lies about."""
    index = KeptIndex(shelf_of(tmp_path))
    index.keep("main:dev", b"one")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"gitops.adapters.gitrepo.cache.files.{step}", refuse)
        index.keep("main:dev", b"two")
    assert index.page("main:dev") == b"two"
    assert KeptIndex(shelf_of(tmp_path)).page("main:dev") == b"one"
    assert page_in(tmp_path).parent.joinpath(page_in(tmp_path).name).exists()
    assert len(os.listdir(page_in(tmp_path).parent)) == 1


def test_sixteen_processes_on_one_index(tmp_path: Path) -> None:
    """Each finds a whole page of somebody's, some are killed while they write, and none is torn."""
    KeptIndex(shelf_of(tmp_path)).keep("main:dev", b"0" * 50_000)
    children = []
    for number in range(1, 17):
        child = os.fork()
        if child == 0:
            good = 1
            for turn in range(15):
                if number % 5 == 0 and turn == 7:
                    os.kill(os.getpid(), 9)
                KeptIndex(shelf_of(tmp_path)).keep("main:dev", b"%x" % (number % 16) * 50_000)
                page = KeptIndex(shelf_of(tmp_path)).page("main:dev") or b""
                good &= len(page) == 50_000 and len(set(page)) == 1
            os._exit(0 if good else 1)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert sorted(set(ends)) == [-9, 0]
    page = KeptIndex(shelf_of(tmp_path)).page("main:dev") or b""
    assert (len(page), len(set(page))) == (50_000, 1)
