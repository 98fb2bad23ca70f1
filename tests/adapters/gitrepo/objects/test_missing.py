"""Which objects a store lacks, told from its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops.adapters.gitrepo.objects.codec import missing
from gitrepos import Repo


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_what_is_packed_or_loose_is_not_missing(tmp_path: Path, algorithm: str) -> None:
    """Every object of the repository is found, in several packs and outside, and no other is."""
    repo = Repo.bare(tmp_path / "m.git", algorithm=algorithm)
    for lot in range(2):
        repo.commit({f"{lot}-{number}": b"%d %d\n" % (lot, number) for number in range(300)})
        repo.git("repack", "-q", "-d")
    loose = repo.git("hash-object", "-w", "--stdin", feed=b"loose\n").strip()
    here = repo.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    length = len(loose)
    away = [f"{number:x}".rjust(length, edge) for number in range(40) for edge in "0f"]

    assert loose in here
    assert len(list((repo.path / "objects" / "pack").glob("*.idx"))) == 2
    assert [] == missing(repo.path / "objects", here)
    assert away == missing(repo.path / "objects", [*away, *here, *away])


def test_a_folder_without_packs(tmp_path: Path) -> None:
    """A new store lacks everything."""
    assert ["a" * 40] == missing(tmp_path, ["a" * 40])
