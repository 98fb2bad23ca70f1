"""`gitops init` where manifests lie already."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops.actions.init import AdoptReport, InitRequest, ScaffoldReport, init
from gitops.adapters.local.folder import LocalFolder, sample_files
from gitops.config import load_config
from gitops.errors import Refused

PINNED = "resources: [../../base]\nimages:\n- {name: web, newTag: v1}\n"
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop-live}
spec: {source: {path: k8s/blue}}
"""


def repository(root: Path, **files: str) -> Path:
    """Write files: `overlays__dev` is the kustomization of overlays/dev."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        if path.suffix != ".yaml":
            path = path / "kustomization.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def run(root: Path, **more: bool) -> AdoptReport | ScaffoldReport:
    """Run init on a folder; nobody is asked."""
    return init(
        LocalFolder(str(root)), sample_files(), InitRequest(**more), load_config=load_config
    )


def names(root: Path) -> list[str]:
    """Return the paths of all files."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_only_the_config_is_written(tmp_path: Path) -> None:
    """Nothing but gitops.yaml is new, and what was there stands byte for byte."""
    repository(tmp_path, overlays__dev=PINNED, overlays__prod=PINNED, base="resources: []\n")
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    report = run(tmp_path)

    assert isinstance(report, AdoptReport)
    assert report.outcome == "written"
    assert [*before, "gitops.yaml"] == [*sorted(before), "gitops.yaml"]
    assert before == {name: (tmp_path / name).read_bytes() for name in before}
    assert sorted([*before, "gitops.yaml"]) == names(tmp_path)
    assert ["dev", "prod"] == [
        row.name for row in load_config((tmp_path / "gitops.yaml").read_bytes()).environments
    ]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """The proposal is told, the disk is not touched."""
    repository(tmp_path, overlays__dev=PINNED)
    report = run(tmp_path, dry_run=True)

    assert isinstance(report, AdoptReport)
    assert (report.outcome, "overlays/dev" in report.content) == ("planned", True)
    assert names(tmp_path) == ["overlays/dev/kustomization.yaml"]


def test_who_says_no_gets_nothing(tmp_path: Path) -> None:
    """The person sees the report first; a no writes nothing."""
    repository(tmp_path, overlays__dev=PINNED)
    seen: list[AdoptReport] = []

    def confirm(report: AdoptReport) -> bool:
        seen.append(report)
        return False

    folder = LocalFolder(str(tmp_path))
    report = init(folder, {}, InitRequest(), load_config=load_config, confirm=confirm)

    assert report.outcome == "unchanged"
    assert "overlays/dev" in seen[0].content
    assert not (tmp_path / "gitops.yaml").exists()


@pytest.mark.parametrize("name", ["gitops.yaml", "gitops.yml"])
def test_one_that_is_there_stays(tmp_path: Path, name: str) -> None:
    """A second run, and a file under a name that gitops does not read, are told by name."""
    repository(tmp_path, overlays__dev=PINNED)
    (tmp_path / name).write_text("# mine\n")
    with pytest.raises(Refused, match=f"^{name} is in the way") as caught:
        run(tmp_path)

    assert ("rename" in (caught.value.hint or "")) == (name == "gitops.yml")
    assert (tmp_path / name).read_text() == "# mine\n"


def test_no_sample_beside_manifests(tmp_path: Path) -> None:
    """Manifests without a kustomization get no sample shop; `--sample` says that it is meant."""
    (tmp_path / "deploy.yaml").write_text("kind: Deployment\n")
    with pytest.raises(Refused, match="holds manifests but no kustomization"):
        run(tmp_path)
    assert names(tmp_path) == ["deploy.yaml"]

    assert isinstance(run(tmp_path, sample=True), ScaffoldReport)


def test_an_empty_folder_gets_the_sample(tmp_path: Path) -> None:
    """A README and hidden files are no manifests."""
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/ci.yaml").write_text("on: push\n")

    assert isinstance(run(tmp_path), ScaffoldReport)


def test_applications_name_environments(tmp_path: Path) -> None:
    """A folder that is called like nothing is what the Application is called that reads it."""
    repository(tmp_path, k8s__blue=PINNED, **{"argocd__live.yaml": APPLICATION})
    report = run(tmp_path)

    assert isinstance(report, AdoptReport)
    assert [("live", "k8s/blue")] == [(row.name, row.overlay) for row in report.layout.environments]


def test_no_environment_at_all(tmp_path: Path) -> None:
    """Nothing is guessed: what is there is listed, and the way to write it by hand."""
    repository(tmp_path, one=PINNED, two=PINNED)
    with pytest.raises(Refused, match="named like an environment") as caught:
        run(tmp_path)

    assert caught.value.reasons == ("one: a kustomization", "two: a kustomization")


def test_what_is_not_understood_is_a_warning(tmp_path: Path) -> None:
    """Overlays without images, folders of no environment, and no prod."""
    repository(tmp_path, overlays__dev="resources: []\n", tools__redis=PINNED)
    report = run(tmp_path)

    assert len(report.warnings) == 3
    assert "overlays/dev" in report.warnings[0]
    assert "tools/redis" in report.warnings[1]


def test_apps_in_two_places(tmp_path: Path) -> None:
    """An environment has a pattern for each place; what only a base pins is told as unpinned."""
    repository(
        tmp_path,
        **{"overlays__dev__cart": PINNED, "overlays__dev__mail": PINNED},
        fraud__base="images:\n- {name: fraud, newTag: v1}\n",
        fraud__envs__dev="resources: [../../base]\n",
    )
    report = run(tmp_path)

    assert isinstance(report, AdoptReport)
    assert '["overlays/dev/{app}", "{app}/envs/dev"]' in report.content
    assert ((), ("fraud/envs/dev",)) == (report.layout.unknown, report.layout.unpinned)
