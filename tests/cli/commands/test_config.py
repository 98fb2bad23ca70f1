"""`gitops config`: the file of the folder is edited, or nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests import Manifests


@pytest.fixture
def folder(manifests: Manifests, tmp_path: Path) -> Path:
    """A folder with the sample's gitops.yaml."""
    place = tmp_path / "folder"
    place.mkdir()
    (place / "gitops.yaml").write_text(manifests.file("gitops.yaml"))
    return place


def test_set_and_unset(manifests: Manifests, folder: Path) -> None:
    """The difference is shown and written; a dry run shows it only; the same again is unchanged."""
    before = (folder / "gitops.yaml").read_bytes()
    words = ("config", "set", "environments.prod.soak", "24h", "--dir", str(folder))
    planned = manifests.gitops(*words, "--dry-run", repo=None)
    kept = (folder / "gitops.yaml").read_bytes()
    done = manifests.gitops(*words, repo=None)
    again = manifests.gitops(*words, "-o", "json", repo=None)
    back = manifests.gitops("config", "unset", words[2], "--dir", str(folder), repo=None)

    assert [0, 0, 0, 0] == [one.code for one in (planned, done, again, back)], done.err
    assert before == kept == (folder / "gitops.yaml").read_bytes()
    assert "+    soak: 24h" in planned.out
    assert "edited gitops.yaml" in done.out
    assert "unchanged" == again.json["outcome"]


def test_edit_that_would_break(manifests: Manifests, folder: Path) -> None:
    """What `validate` would refuse is not written; every problem is told with its place."""
    before = (folder / "gitops.yaml").read_bytes()
    for key, value in (("environments.prod.soak", "24x"), ("nonsense", "1"), ("a..b", "1")):
        done = manifests.gitops("config", "set", key, value, "--dir", str(folder), repo=None)
        assert done.code == 2, done.err
        assert "error: " in done.err

    assert before == (folder / "gitops.yaml").read_bytes()


def test_migrate(manifests: Manifests, folder: Path) -> None:
    """An old name and missing keys are put right, once; two files are for a person to choose."""
    text = (folder / "gitops.yaml").read_text()
    old = text.replace("apiVersion: gitops/v1\n", "").replace("kind: Config\n", "")
    (folder / "gitops.yaml").unlink()
    (folder / "gitops.yml").write_text(old)
    done = manifests.gitops("config", "migrate", "--dir", str(folder), repo=None)
    again = manifests.gitops("config", "migrate", "--dir", str(folder), "-o", "json", repo=None)
    (folder / "gitops.yml").write_text(old)
    two = manifests.gitops("config", "migrate", "--dir", str(folder), repo=None)

    assert (0, 0, 1) == (done.code, again.code, two.code), done.err
    assert "unchanged" == again.json["outcome"]
    made = (folder / "gitops.yaml").read_text()
    assert "apiVersion: gitops/v1\nkind: Config\n" in made
    assert sorted(text.splitlines()) == sorted(made.splitlines())
