"""`gitops demo`: the story runs for real, and tells what it promises."""

from __future__ import annotations

from pathlib import Path

from manifests import Manifests


def test_story_is_told_and_kept(manifests: Manifests) -> None:
    """Bumps, a proposal, a bad release, the rollback, a held environment, history; then kept."""
    told = manifests.gitops("demo", "kept")
    repo = str(manifests.elsewhere / "kept" / "manifests.git")
    history = manifests.gitops("history", "dev", "-o", "json", repo=repo).json
    prod = manifests.gitops("status", "prod", "-o", "json", repo=repo).json["environments"][0]

    assert 0 == told.code, told.out + told.err
    for words in (
        "dev, test  shop/api  1.4.1 -> 1.5.0",
        "stage  shop/api  1.4.0 -> 1.5.0",
        "stage has no qa-passed for",
        "waits for approval on branch gitops/prod",
        "dev  shop/api  1.6.0 -> 1.5.0",
        "skipped dev: held by Ana: INC-42: checkout fails",
    ):
        assert words in told.out
    assert ["deploy", "rollback", "deploy"] == [row["action"] for row in history["releases"][:3]]
    assert "1.5.0" in [image["tag"] for image in prod["images"]]
    assert [] == prod["proposals"]


def test_a_folder_with_something_in_it_is_left_alone(manifests: Manifests) -> None:
    """The demo never writes into somebody's files."""
    folder = manifests.elsewhere / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    told = manifests.gitops("demo", "mine")

    assert 1 == told.code
    assert ["thesis.txt"] == [path.name for path in folder.iterdir()]


def test_nothing_of_the_throw_away_folder_stays(manifests: Manifests, tmp_path: Path) -> None:
    """Without DIR everything is gone afterwards."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    told = manifests.gitops("demo", env={"TMPDIR": str(scratch)})

    assert 0 == told.code
    assert [] == list(scratch.iterdir())
