"""What a change touches is the same whether the change before it was looked at or not."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping

import pytest

from fake_archive import FakeArchive
from fakes import FakeRepository
from gitops.actions.audit.affected import TouchReader, protected
from gitops.actions.audit.changes import BranchStep
from gitops.config import load_config

HISTORIES = int(os.environ.get("GITOPS_TEST_HISTORIES", "6"))
FIRST = int(os.environ.get("GITOPS_TEST_SEED", "1"))
APPS = ("a", "b", "c", "d")
CONFIG = b"""\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/overlays/dev"}
  - {name: prod, overlay: "apps/{app}/overlays/prod", change: pull-request}
  - {name: live, overlay: live, change: pull-request}
"""
PATCH = "patches: [{path: p.yaml}]\n"
Files = dict[str, bytes | None]


def application(name: str, path: str) -> bytes:
    """An Application of Argo CD."""
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata: {{name: {name}}}\nspec: {{source: {{path: {path}, repoURL: x}}}}\n"
    ).encode()


class Story:
    """Changes that people make, drawn by a seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.count = 0
        files: Files = {"gitops.yaml": CONFIG, "live/kustomization.yaml": b"resources: [../base]\n"}
        for app in APPS[:3]:
            files |= self.app(app)
        files |= {"base/kustomization.yaml": b"resources: [all.yaml]\n", "base/all.yaml": b"a: 1\n"}
        if seed % 2:
            files |= {
                f"argo/{app}.yaml": application(app, f"apps/{app}/overlays/prod") for app in APPS
            }
            files["argo/kustomization.yaml"] = (
                b"resources: [a.yaml, b.yaml]\nconfigurations: [c.yaml]\n"
            )
        self.repository = FakeRepository(dict(files))  # type: ignore[arg-type]

    def app(self, app: str) -> Files:
        """The files of one app."""
        self.count += 1
        shared = self.draw.choice(["../../base", "../../../../base", f"../../../{APPS[0]}/base"])
        overlay = (
            f"resources: [{shared}]\nconfigurations: [names.yaml]\n"
            f"images: [{{name: x, newTag: v{self.count}}}]\n"
        ).encode()
        return {
            f"apps/{app}/base/kustomization.yaml": b"resources: [deployment.yaml]\n",
            f"apps/{app}/base/deployment.yaml": f"kind: Deployment # {self.count}\n".encode(),
            f"apps/{app}/overlays/prod/kustomization.yaml": overlay,
            f"apps/{app}/overlays/dev/kustomization.yaml": overlay,
        }

    def step(self) -> Files:
        """One change."""
        self.count += 1
        app, number = self.draw.choice(APPS), self.count
        there = self.files
        some = self.draw.choice([path for path in there if path != "gitops.yaml"])
        return self.draw.choice(
            [
                {some: there[some] + f"# {number}\n".encode()},
                {some: None},
                self.app(app),
                {path: None for path in there if path.startswith(f"apps/{app}/")},
                {f"apps/{app}/overlays/prod/names.yaml": b"path: ../../n%d.yaml\n" % (number % 3)},
                {f"apps/{app}/n{number % 3}.yaml": f"{number}\n".encode()},
                {f"argo/{app}.yaml": application(app, f"apps/{app}/overlays/prod")},
                {f"argo/{app}.yaml": application(app, f"apps/{app}/overlays/dev")},
                {"argo/set.yaml": application("{{x}}", "apps/{{x}}/overlays/prod")},
                {"argo/c.yaml": f"a: {number}\n".encode()},
                {"argo/kustomization.yaml": f"resources: [{app}.yaml]\n{PATCH}".encode()},
                {"argo/p.yaml": application(app, "").replace(b"path: ", b"x: ")},
                {
                    "layer/kustomization.yaml": (
                        f"resources: [../apps/{app}/overlays/prod]\n{PATCH}".encode()
                    )
                },
                {"layer/p.yaml": f"{number}\n".encode()},
                {f".gitops/holds/{app}/prod.yaml": f"by: x{number}\n".encode()},
                {".gitops/hold.yaml": f"by: x{number}\n".encode()},
                {"Chart.yaml": b"name: x\n", "x.jsonnet": b""},
                {"notes.txt": f"{number}\n".encode(), "BASE/all.yaml": b""},
                {"apps/.gitattributes": f"{number}\n".encode()},
            ]
        )  # type: ignore[return-value]

    @property
    def files(self) -> Mapping[str, bytes]:
        """All files of now."""
        return self.repository.commits[self.repository.branches["main"]].files


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_a_change_touches_the_same_after_others(seed: int) -> None:
    """A reader that looked at all changes before tells what one tells that sees this one alone."""
    story = Story(seed)
    archive = FakeArchive(story.repository)
    config = load_config(CONFIG)
    rows = protected(config)
    lasting = TouchReader(archive, "main", "main")
    told = 0
    for number in range(14):
        parent = story.repository.branches["main"]
        commit = story.repository.commit(story.step())
        step = BranchStep(story.repository.commits[commit].info, parent)
        changed = archive.changed(parent, commit)
        asked = rows if number % 5 else rows[:1]
        found = lasting.touches(step, changed, config, config, asked)
        alone = TouchReader(archive, "main", "main")
        alone._applications.carry = lambda *_: None  # type: ignore[method-assign]
        assert found == alone.touches(step, changed, config, config, asked)
        assert list(found) == list(alone.touches(step, changed, config, config, asked))
        told += len(found)
    assert told
