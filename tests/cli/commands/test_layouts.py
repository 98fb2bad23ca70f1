"""Layouts of repositories: where overlays may lie, and what belongs to whom."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from manifests import Result, run_gitops

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: shop/web}]}
"""
PINS = "images:\n  - {name: shop/web, newTag: v1}\n"
HEAD = "apiVersion: gitops/v1\nkind: Config\nbranch: main\n"


class Repo:
    """A repository without a remote, and gitops in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-qb", "main")

    def git(self, *words: str) -> str:
        """Run git here."""
        done = subprocess.run(
            ["git", *words], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout

    def write(self, **files: str) -> None:
        """Write and commit files; `a__b` is a/b, and what has no suffix is a kustomization."""
        for name, content in files.items():
            path = self.root / name.replace("__", "/").replace("_yaml", ".yaml")
            path = path if path.suffix else path / "kustomization.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.commit()

    def commit(self) -> None:
        """Commit all that is there."""
        self.git("add", "-A")
        self.git("commit", "-qm", "by hand")

    def __call__(self, *words: str) -> Result:
        """Run gitops here."""
        return run_gitops(words, self.root, dict(os.environ))

    def problems(self) -> list[tuple[str, str]]:
        """Return what `validate` says: level and message."""
        found = json.loads(self("validate", "-o", "json").out)["problems"]
        return [(one["level"], one["message"]) for one in found]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """An empty repository."""
    return Repo(tmp_path)


def config(*rows: str, more: str = "") -> str:
    """A gitops.yaml with these rows."""
    return HEAD + "environments:\n" + "".join(f"  - {{{row}}}\n" for row in rows) + more


def there_and_back(repo: Repo, image: str, overlay: str, path: str) -> None:
    """Deploy, look, roll back: all of it works for the overlay whose kustomization is at `path`."""
    before = (repo.root / path).read_text()
    name, _, app = overlay.partition(" --app ")
    extra = ("--app", app) if app else ()
    done = repo("deploy", f"{image}:v2", "--to", name, *extra)
    assert 0 == done.code, done.err
    assert before.replace("v1", "v2") == (repo.root / path).read_text()
    assert "v2" in repo("status", name).out
    back = repo("rollback", name, *extra, "--yes", "--no-hold")
    assert 0 == back.code, back.err
    assert before == (repo.root / path).read_text()
    assert 3 == len(json.loads(repo("history", name, *extra, "-o", "json").out)["releases"])


def test_the_root_is_an_overlay(repo: Repo) -> None:
    """`overlay: .` is the folder of the repository itself."""
    repo.write(
        gitops_yaml=config("name: prod, overlay: ."),
        kustomization_yaml="resources: [pod.yaml]\n" + PINS,
        pod_yaml=POD,
    )

    assert [] == repo.problems()
    there_and_back(repo, "shop/web", "prod", "kustomization.yaml")
    checked = repo("check", "HEAD^..HEAD", "-o", "json")
    assert 0 == checked.code, checked.out


def test_apps_in_several_places(repo: Repo) -> None:
    """A list of patterns: an app is found by whichever has it, and its history with it."""
    repo.write(
        gitops_yaml=config(
            'name: prod, overlay: ["apps/{app}/overlays/prod", "infra/{app}/prod"]',
        ),
        apps__web__overlays__prod="resources: [pod.yaml]\n" + PINS,
        apps__web__overlays__prod__pod_yaml=POD,
        infra__dns__prod="resources: [pod.yaml]\n" + PINS.replace("web", "dns"),
        infra__dns__prod__pod_yaml=POD.replace("web", "dns"),
    )

    assert [] == repo.problems()
    assert ["dns/prod", "web/prod"] == [
        line.split()[0] for line in repo("status").out.splitlines() if "/prod" in line
    ]
    there_and_back(repo, "shop/dns", "prod --app dns", "infra/dns/prod/kustomization.yaml")
    assert 0 == repo("deploy", "shop/web:v3", "--to", "prod").code


def test_a_list_needs_apps(repo: Repo) -> None:
    """Two folders of one environment without {app} would be one overlay twice."""
    repo.write(gitops_yaml=config("name: prod, overlay: [a, 'b/{app}']"))

    assert [
        (
            "error",
            "environments[0].overlay[0]: of several overlays each must hold {app}: it "
            "tells them apart",
        )
    ] == repo.problems()


def test_ignored_folders_are_no_apps(repo: Repo) -> None:
    """`ignore:` leaves folders out of what {app} means, with a pattern or by name."""
    repo.write(
        gitops_yaml=config(
            'name: prod, overlay: "{app}/prod"', more='ignore: ["charts", "old-*/**"]\n'
        ),
        web__prod="resources: [pod.yaml]\n" + PINS,
        web__prod__pod_yaml=POD,
        charts__prod="images: [{name: x, newTag: v1}]\n",
    )
    (repo.root / "old-api/prod").mkdir(parents=True)
    (repo.root / "old-api/prod/kustomization.yaml").write_text("images: 5\n")
    repo.commit()

    assert [] == repo.problems()
    assert "charts" not in repo("status").out
    assert "there are web" in repo("history", "prod", "--app", "charts").err


def test_an_overlay_inside_another(repo: Repo) -> None:
    """What is in the inner folder is the inner environment's: `check` says so, too."""
    repo.write(
        gitops_yaml=config(
            "name: prod, overlay: o/prod, change: pull-request, rollback: commit",
            "name: tenant, overlay: o/prod/tenant, change: pull-request",
        ),
        o__prod="resources: [pod.yaml]\n" + PINS,
        o__prod__pod_yaml=POD,
        o__prod__tenant="resources: [pod.yaml]\n" + PINS,
        o__prod__tenant__pod_yaml=POD,
    )
    assert [] == repo.problems()
    repo.write(o__prod__tenant__pod_yaml=POD.replace("name: web}", "name: other}", 1))

    found = json.loads(repo("check", "HEAD^..HEAD", "-o", "json").out)["commits"]
    assert ["tenant"] == [one["environment"] for step in found for one in step["touches"]]


def test_pinned_here_and_built_there(repo: Repo) -> None:
    """A Component that pins is judged by what builds it."""
    repo.write(
        gitops_yaml=config("name: prod, overlay: pins/prod"),
        pins__prod="kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n"
        + PINS
        + "  - {name: shop/idle, newTag: v1}\n",
        base="resources: [pod.yaml]\n",
        base__pod_yaml=POD,
        live__prod="resources: [../../base]\ncomponents: [../../pins/prod]\n",
    )

    assert [
        ("warning", "no manifest that it builds on uses shop/idle: this changes nothing")
    ] == repo.problems()


def test_links_and_submodules_are_one_problem_each(repo: Repo) -> None:
    """What no commit here can change is told, and the other environments are looked at."""
    repo.write(
        gitops_yaml=config(
            "name: dev, overlay: o/dev",
            "name: test, overlay: o/test",
            "name: prod, overlay: o/prod",
        ),
        o__prod="resources: [../../linked]\n" + PINS,
        base="resources: [pod.yaml]\n",
        base__pod_yaml=POD,
    )
    (repo.root / "linked").symlink_to("base")
    (repo.root / "o/dev").symlink_to("prod")
    head = repo.git("rev-parse", "HEAD").strip()
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},o/test")
    repo.git("add", "linked", "o/dev")
    repo.git("commit", "-qm", "links")

    found = repo.problems()
    assert ["error", "error"] == [level for level, _ in found], found
    assert "is a symbolic link" == found[0][1]
    assert "the overlay o/test does not exist" in found[1][1]
    assert "o/test:1:1: is a submodule" in repo("status").out
    assert 0 == repo("deploy", "shop/web:v2", "--to", "prod").code
    shown = repo("status")
    assert (0, True) == (shown.code, "v2" in shown.out)


def test_an_image_that_only_values_follow(repo: Repo) -> None:
    """A chart's image is no entry that changes nothing: its values follow it."""
    also = "images: [{name: shop/web, also: [{file: values.yaml, key: image.tag}]}]\n"
    repo.write(
        gitops_yaml=config("name: prod, overlay: o/prod", more=also),
        o__prod=PINS,
        o__prod__values_yaml="image: {tag: v1}\n",
    )
    assert [] == repo.problems()
    assert 0 == repo("deploy", "shop/web:v2", "--to", "prod").code
    assert "image: {tag: v2}\n" == (repo.root / "o/prod/values.yaml").read_text()


def test_an_entry_without_a_tag_does_not_keep_the_overlay_from_being_built(repo: Repo) -> None:
    """A warning about an entry is no reason to leave the rest to a text search."""
    bare = "resources: [pod.yaml, twin.yaml]\nimages: [{name: shop/web}]\n"
    repo.write(gitops_yaml=config("name: dev, overlay: o/dev"), o__dev=bare)
    repo.write(o__dev__pod_yaml=POD, o__dev__twin_yaml=POD)
    problems = repo.problems()
    assert ("warning", "shop/web pins neither tag nor digest: what the base says runs") in problems
    (error,) = [message for level, message in problems if level == "error"]
    assert error.startswith("dev does not build: ")


LOWER = "resources: [../../base]\n" + PINS


@pytest.mark.parametrize(
    ("upper", "told"),
    [
        ("resources: [../dev]\n", True),
        ("resources: [../dev]\n" + PINS, False),
        ("resources: [../dev]\ncomponents: [../../pins]\n", False),
        ("resources: [../mid]\n", True),
        ("resources: [../../base]\n" + PINS, False),
    ],
)
def test_an_overlay_that_is_built_from_another_one(repo: Repo, upper: str, told: bool) -> None:
    """What goes to dev goes past prod's approval where prod is built from dev, and pins less."""
    rows = "name: dev, overlay: o/dev", "name: prod, overlay: o/prod, change: pull-request"
    repo.write(base__pod_yaml=POD, base="resources: [pod.yaml]\n", gitops_yaml=config(*rows))
    repo.write(o__dev=LOWER, o__prod=upper, o__mid="resources: [../dev]\n")
    repo.write(pins="apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n" + PINS)
    found = [message for _, message in repo.problems() if "is built from" in message]
    wanted = (
        "prod is built from the overlay of dev: whatever goes there changes shop/web here, too; "
        "pin it here as well"
    )
    assert found == ([wanted] if told else [])


def test_a_hold_goes_with_an_app_whose_folder_is_renamed(repo: Repo) -> None:
    """Automation stays away from what it was told to leave alone, and from nothing else."""
    row = 'name: dev, overlay: "apps/{app}/dev", accepts: [main], deploy: auto'
    repo.write(gitops_yaml=config(row), apps__a__dev=PINS, apps__b__dev=PINS, apps__c__dev=PINS)
    assert 0 == repo("hold", "a/dev", "--reason", "INC-7").code
    assert 0 == repo("hold", "c/dev", "--reason", "INC-8").code
    repo.git("rm", "-rq", "apps/c")
    repo.commit()
    repo.git("mv", "apps/a", "apps/alpha")
    repo.commit()
    done = repo("deploy", "shop/web:v2", "--ref", "main")
    (skipped,) = [line for line in done.out.split("\n") if line.startswith("skipped")]
    assert skipped.startswith("skipped alpha/dev: held by ")
    assert "(set for a/dev, as it was called: `gitops resume a/dev` lifts it)" in skipped
    assert "newTag: v2" in (repo.root / "apps/b/dev/kustomization.yaml").read_text()
    assert 0 == repo("resume", "a/dev").code
    assert "alpha/dev  shop/web  v1 -> v2" in repo("deploy", "shop/web:v2", "--ref", "main").out


@pytest.mark.parametrize("later", ["apps/alpha", "apps/a/envs"])
def test_an_apps_past_goes_with_its_folder(repo: Repo, later: str) -> None:
    """What commits say of an app by its earlier name, or by its environment's alone, is heard."""
    before, folder, label = "apps/{app}/dev", "apps/a/dev", "a/dev"
    if later != "apps/alpha":
        before, folder, label = "o/dev", "o/dev", "dev"
    repo.write(**{"gitops_yaml": config(f'name: dev, overlay: "{before}"'), folder: PINS})
    assert 0 == repo("deploy", "shop/web:v2", "--to", label).code
    assert 0 == repo("rollback", label, "--yes").code
    (repo.root / later).mkdir(parents=True)
    repo.git("mv", folder, f"{later}/dev")
    pattern = later.replace("alpha", "{app}").replace("apps/a", "apps/{app}")
    repo.write(gitops_yaml=config(f'name: dev, overlay: "{pattern}/dev"'))

    app = later.split("/")[1]
    told = json.loads(repo("history", f"{app}/dev", "-o", "json").out)["releases"]
    assert ["rollback", "deploy", None] == [one["action"] for one in told]
    assert 0 == repo("undo", f"{app}/dev", "--yes").code
    assert "newTag: v2" in (repo.root / f"{later}/dev/kustomization.yaml").read_text()
