"""A repository that is itself shallow: what cannot be seen is said, not guessed at."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests import Manifests

DEV = "overlays/dev/kustomization.yaml"
STAGE = "overlays/stage/kustomization.yaml"


@pytest.fixture
def cut(manifests: Manifests, tmp_path: Path) -> str:
    """A bare repository that holds the last three commits: dev changed in the newest one only."""
    stage = manifests.file(STAGE)
    manifests.commit("stage", {STAGE: stage.replace('"1.4.0"', "1.4.7")})
    manifests.commit("stage again", {STAGE: stage})
    for number in range(2):
        manifests.commit(f"notes {number}", {"notes.txt": f"{number}\n"})
    manifests.commit("dev", {DEV: manifests.file(DEV).replace("1.4.1", "1.4.8")})
    url = f"file://{manifests.path}"
    manifests.git("clone", "-q", "--bare", "--depth=3", url, str(tmp_path / "cut.git"))
    return str(tmp_path / "cut.git")


def test_history_says_where_it_ends(manifests: Manifests, cut: str) -> None:
    """The releases that can be seen are listed, and a warning says that there may be others."""
    text = manifests.gitops("history", "dev", repo=cut)
    document = manifests.gitops("history", "dev", "-o", "json", repo=cut).json
    whole = manifests.gitops("history", "dev", "-o", "json").json

    assert ["dev"] == [release["subject"] for release in document["releases"]]
    assert len(document["warnings"]) == 1
    assert "holds no history before" in document["warnings"][0]
    assert f"warning: {document['warnings'][0]}" in text.err.replace(str(Path(cut)), cut)
    assert [] == whole["warnings"]


def test_status_says_that_it_cannot_tell(manifests: Manifests, cut: str) -> None:
    """Since when something runs is left out where nobody can tell, with a word why."""
    document = manifests.gitops("status", "dev", "stage", "-o", "json", repo=cut).json
    text = manifests.gitops("status", "dev", "stage", repo=cut)
    dev, stage = document["environments"]

    assert dev["commit"] is not None
    assert stage["commit"] is None
    assert "warning: stage: " in text.err
    assert "holds no history before" in text.err
    assert "dev: " not in text.err


def test_rollback_says_how_far_it_looked(manifests: Manifests, cut: str) -> None:
    """Nothing to go back to is not the same as nothing that can be seen."""
    refused = manifests.gitops("rollback", "stage", repo=cut)
    named = manifests.gitops("rollback", "stage", "--to", "1.4.7", repo=cut)
    whole = manifests.gitops("rollback", "stage", "--to", "1.4.7", "--override", "x", "--dry-run")

    assert (1, 3, 0) == (refused.code, named.code, whole.code), refused.err + named.err + whole.err
    assert "holds no history before" in refused.err
    assert "holds no history before" in named.err


def test_promotion_says_what_it_could_not_see(manifests: Manifests, cut: str) -> None:
    """A refusal by what stage released says that part of its past is not there."""
    wanted = ("deploy", "shop/api:1.4.7", "--to", "prod")
    refused = manifests.gitops(*wanted, repo=cut)
    whole = manifests.gitops(*wanted)

    assert (1, 1) == (refused.code, whole.code)
    assert "is not a release of stage (" in refused.err
    assert "holds no history before" in refused.err
    assert "holds no history before" not in whole.err


def test_what_is_not_found_may_lie_before_the_cut(manifests: Manifests, cut: str) -> None:
    """QA's word on an old release, a rollback to be undone: a no says what could not be seen."""
    old = manifests.git("rev-parse", "main~4").strip()
    word = manifests.gitops("qa", "stage", "--pass", "--release", old, repo=cut)
    newest = manifests.gitops("undo", "stage", "--yes", repo=cut)
    whole = manifests.gitops("qa", "stage", "--pass", "--release", old, "--dry-run")

    assert (3, 1, 0) == (word.code, newest.code, whole.code), word.err + newest.err + whole.err
    assert "holds no history before" in word.err
    assert "git fetch --unshallow" in newest.err


def test_overlay_that_is_not_at_the_cut(manifests: Manifests, tmp_path: Path) -> None:
    """The cut is told also where the overlay was not there yet at the oldest commit that is."""
    dev = manifests.file(DEV)
    manifests.commit("dev goes", {DEV: None})
    manifests.commit("notes", {"notes.txt": "1\n"})
    manifests.commit("dev comes back", {DEV: dev})
    place = str(tmp_path / "cut.git")
    manifests.git("clone", "-q", "--bare", "--depth=2", f"file://{manifests.path}", place)
    document = manifests.gitops("history", "dev", "-o", "json", repo=place).json

    assert ["dev comes back"] == [release["subject"] for release in document["releases"]]
    assert "holds no history before" in document["warnings"][0]
