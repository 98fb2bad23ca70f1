"""The view of an overlay: each thing is read once, and never for another call or tip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from fakes import FakeRepository, session_on
from gitops.actions.context.named import find_overlay
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.view import view_of
from gitops.core.hold import HOLD_ALL_PATH
from gitops.core.kustomization.image import ImageValue
from gitops.ports import Snapshot

ROOT = Path(__file__).parents[3]
DEV = "overlays/dev/kustomization.yaml"


class Counting:
    """A snapshot that counts what is read of it."""

    def __init__(self, snapshot: Snapshot, reads: Counter[str]) -> None:
        self.branch, self.commit = snapshot.branch, snapshot.commit
        self._snapshot = snapshot
        self._reads = reads

    def read(self, path: str) -> bytes | None:
        """Read a file, and count it."""
        self._reads[path] += 1
        return self._snapshot.read(path)

    def mark(self, path: str) -> str | None:
        """See `ports.Snapshot`."""
        return self._snapshot.mark(path)

    def prepare(self, directories: Iterable[str], names: Sequence[str] = ()) -> None:
        """Read at once what will be asked for."""
        self._snapshot.prepare(directories, names)

    def entries(self, directory: str) -> tuple[str, ...]:
        """List a folder."""
        return self._snapshot.entries(directory)


class CountingRepository(FakeRepository):
    """A repository whose snapshots count into `reads`."""

    def __init__(self) -> None:
        names = [ROOT / "gitops.yaml", *(ROOT / "overlays").rglob("*.yaml")]
        super().__init__({str(path.relative_to(ROOT)): path.read_bytes() for path in names})
        self.reads: Counter[str] = Counter()

    def snapshot(self, branch: str | None = None) -> Snapshot:
        """Return the tip of a branch."""
        return Counting(super().snapshot(branch), self.reads)


def test_what_is_asked_again_is_not_read_again() -> None:
    """However often a call asks for the file, the images and the hold, each is read once."""
    repository = CountingRepository()
    session = session_on(repository)
    tip = open_tip(session)
    repository.reads.clear()
    for _ in range(3):
        view = view_of(session, tip, find_overlay(tip, "dev", None))
        assert view.images["shop/api"] == ImageValue(tag="1.4.1")
        assert view.target.content == view.file.content
        assert view.hold is None

    assert repository.reads[DEV] == 1
    assert repository.reads[HOLD_ALL_PATH] == 1


def test_another_call_and_another_tip_have_views_of_their_own() -> None:
    """Who plans for another writer, or on a tip that moved, gets nothing that was read before."""
    repository = CountingRepository()
    session = session_on(repository)
    tip = open_tip(session)
    dev = find_overlay(tip, "dev", None)
    mine = view_of(session, tip, dev)
    text = (repository.snapshot().read(DEV) or b"").replace(b"1.4.1", b"1.4.2")
    repository.commit({DEV: text})
    moved = replace(tip, snapshot=repository.snapshot())
    other = replace(session, intent="1" * 32)

    assert mine is view_of(session, tip, dev)
    assert view_of(other, tip, dev).session is other
    assert view_of(session, moved, dev).images["shop/api"] == ImageValue(tag="1.4.2")
    assert mine.images["shop/api"] == ImageValue(tag="1.4.1")
