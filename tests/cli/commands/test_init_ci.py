"""`gitops init --ci`: the file for the CI system of this repository, never over another one."""

from __future__ import annotations

from pathlib import Path

from manifests import Manifests


def test_writes_what_the_repository_is(manifests: Manifests, tmp_path: Path) -> None:
    """Checks for manifests, a delivery for sources; twice is refused; a dry run writes nothing."""
    source, folder = tmp_path / "source", tmp_path / "folder"
    for one in (source, folder):
        one.mkdir()
    (folder / "gitops.yaml").write_text(manifests.file("gitops.yaml"))
    (source / "main.py").write_text("")
    planned = manifests.gitops("init", str(folder), "--ci", "github", "--dry-run")
    nothing = [one.name for one in folder.iterdir()]
    checks = manifests.gitops("init", str(folder), "--ci", "github")
    again = manifests.gitops("init", str(folder), "--ci", "github")
    delivery = manifests.gitops(
        *("init", str(source), "--ci", "gitlab", "-o", "json"),
        *("--kit", f"https://git.example.com/p/gitops.git@{'1' * 40}"),
        *("--repo-url", "https://git.example.com/shop/manifests.git"),
    )

    assert [0, 0, 1, 0] == [one.code for one in (planned, checks, again, delivery)], checks.err
    assert ["gitops.yaml"] == nothing
    assert "manifests.yml@" in (folder / ".github/workflows/gitops.yml").read_text()
    assert "your copy of gitops" in checks.err
    assert {"outcome": "written", "files": [".gitlab-ci.yml"], "warnings": []} == {
        name: delivery.json[name] for name in ("outcome", "files", "warnings")
    }
    assert f"deploy@{'1' * 40}" in (source / ".gitlab-ci.yml").read_text()


def test_systems_that_are_none(manifests: Manifests, tmp_path: Path) -> None:
    """Argo Workflows has a command of its own; what nobody knows is told."""
    argo = manifests.gitops("init", str(tmp_path), "--ci", "argo")
    other = manifests.gitops("init", str(tmp_path), "--ci", "travis")

    assert (2, 2) == (argo.code, other.code)
    assert "gitops workflow init" in argo.err
