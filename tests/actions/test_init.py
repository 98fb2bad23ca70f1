"""`gitops init`: writes a repository that is right from the start, and never over anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops.actions.init import PLACEHOLDER_URL, scaffold, scaffold_files
from gitops.actions.validate import validate
from gitops.adapters.local.folder import LocalFolder, sample_files
from gitops.config import load_config
from gitops.errors import Refused

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
URL = "https://git.example.com/team/manifests.git"


class DirectorySnapshot:
    """A folder as a snapshot."""

    branch = "main"
    commit = "0" * 40

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes | None:
        file = self._root / path
        return file.read_bytes() if file.is_file() else None

    def mark(self, path: str) -> str | None:
        """See `ports.Snapshot`."""
        return None

    def prepare(self, directories: Iterable[str], names: Sequence[str] = ()) -> None:
        """See `ports.Snapshot`."""

    def entries(self, directory: str) -> tuple[str, ...]:
        folder = self._root / directory
        if not folder.is_dir():
            return ()
        return tuple(sorted(one.name + "/" * one.is_dir() for one in folder.iterdir()))


def init(folder: Path, url: str | None = URL, *, dry_run: bool = False):
    """Run the action on a folder of the disk."""
    return scaffold(LocalFolder(str(folder)), sample_files(), url, dry_run=dry_run)


def files_of(folder: Path) -> list[str]:
    """Return every file below `folder`, sorted."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def test_what_it_writes_is_valid(tmp_path):
    """The new repository has no problem at all, not even a warning."""
    report = init(tmp_path / "new")

    assert (report.outcome, report.warnings) == ("written", ())
    assert URL in (tmp_path / "new/argocd/prod.yaml").read_text()
    assert list(report.files) == files_of(tmp_path / "new")
    assert "argocd/prod.yaml" in report.files
    here = DirectorySnapshot(tmp_path / "new")
    found = validate(here, load_config, NOW, lambda _: here)
    assert found.problems == ()
    assert found.overlays == 5


def test_dry_run_writes_nothing(tmp_path):
    """The report is the same, the disk is not touched."""
    report = init(tmp_path / "new", dry_run=True)

    assert report.outcome == "planned"
    assert set(report.files) == set(scaffold_files(sample_files()))
    assert list(tmp_path.iterdir()) == []


def test_refuses_to_overwrite(tmp_path):
    """Every file in the way is named, and nothing is written."""
    (tmp_path / "overlays/dev").mkdir(parents=True)
    (tmp_path / "overlays/dev/kustomization.yml").write_text("# mine")
    (tmp_path / "gitops.yaml").write_text("# mine")
    with pytest.raises(Refused) as caught:
        init(tmp_path)

    assert caught.value.message == f"2 files are in the way in {tmp_path}; nothing was written"
    assert caught.value.reasons == ("gitops.yaml", "overlays/dev/kustomization.yml")
    assert files_of(tmp_path) == ["gitops.yaml", "overlays/dev/kustomization.yml"]


def test_second_run_is_refused(tmp_path):
    """What the first run wrote is the user's from then on."""
    written = init(tmp_path).files
    with pytest.raises(Refused) as caught:
        init(tmp_path)

    assert caught.value.reasons == written


def test_other_files_stay(tmp_path):
    """A folder with other things in it is fine."""
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "base").mkdir()
    (tmp_path / "base/other.yaml").write_text("mine")
    init(tmp_path)

    assert (tmp_path / "README.md").read_text() == "mine"
    assert (tmp_path / "base/other.yaml").read_text() == "mine"


def test_without_a_url_it_says_what_is_left_to_do(tmp_path):
    """A placeholder is written and named."""
    report = init(tmp_path, None)

    assert PLACEHOLDER_URL in (tmp_path / "argocd/prod.yaml").read_text()
    assert len(report.warnings) == 1
    assert PLACEHOLDER_URL in report.warnings[0]
