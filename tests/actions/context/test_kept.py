"""What a process that lives long remembers changes no answer, only what it costs."""

from __future__ import annotations

import random

from msgspec.structs import replace

from fakes import FakeRepository, session_on
from gitops.actions.context.kept import KeptOverlays
from gitops.actions.context.named import NamedRow
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.context.targets import Targets, find_targets
from gitops.core.kustomization.image import parse_image
from gitops.errors import GitopsError

CONFIG = b"""apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/overlays/dev", accepts: [main]}
  - {name: prod, overlay: "apps/{app}/overlays/prod", accepts: [main]}
"""
NAMES = ("api", "web", "db", "job", "mail")


def overlay(*images: str) -> bytes:
    """A kustomization that pins these images."""
    lines = "".join(f"  - name: {image}\n    newTag: '1'\n" for image in images)
    return f"images:\n{lines}".encode() if images else b"resources: []\n"


def path_of(app: str, environment: str) -> str:
    """Where one overlay lies."""
    return f"apps/{app}/overlays/{environment}/kustomization.yaml"


def told(session: Session, image: str) -> object:
    """Return the overlays that an image goes to, or what is said instead."""
    tip = open_tip(session)
    rows = [NamedRow(row, (), alone=False) for row in tip.config.environments]
    try:
        found: Targets = find_targets(
            session, tip, rows, [parse_image(f"{image}:2")], lenient=True, add=False
        )
    except GitopsError as error:
        return error.message
    return [one.view.label for one in found.found], found.warnings


def test_the_same_overlays_as_by_looking() -> None:
    """Whatever becomes of a repository, who remembers finds what who looks finds."""
    for seed in range(40):
        draw = random.Random(seed)
        files = {"gitops.yaml": CONFIG, path_of("api", "dev"): overlay("shop/api")}
        repository, kept = FakeRepository(files), KeptOverlays()
        for step in range(12):
            app, environment = draw.choice(NAMES), draw.choice(("dev", "prod"))
            images = draw.sample([f"shop/{name}" for name in NAMES], draw.randrange(3))
            content = draw.choice([overlay(*images)] * 6 + [None, b"images: [\n", b""])
            repository.commit({path_of(app, environment): content}, f"step {step}\n")
            for image in ("shop/api", "shop/web"):
                looked = told(session_on(repository, kept=None), image)
                assert looked == told(session_on(repository, kept=kept), image), (seed, step)


def test_only_what_changed_is_read() -> None:
    """A folder that is as it was is not looked into again."""
    files = {"gitops.yaml": CONFIG}
    for name in NAMES:
        files |= {path_of(name, one): overlay(f"shop/{name}") for one in ("dev", "prod")}
    repository, kept = FakeRepository(files), KeptOverlays()
    told(session_on(repository, kept=kept), "shop/api")
    repository.commit({path_of("web", "dev"): overlay("shop/api")}, "one\n")
    session = session_on(repository, kept=kept)
    tip = open_tip(session)
    read: list[str] = []

    class Watched:
        """A snapshot that writes down which files are read."""

        branch, commit = tip.snapshot.branch, tip.snapshot.commit
        entries, prepare = tip.snapshot.entries, tip.snapshot.prepare

        @staticmethod
        def read(path: str) -> bytes | None:
            """Read one."""
            read.append(path)
            return tip.snapshot.read(path)

    watched = replace(tip, snapshot=Watched())
    rows = [NamedRow(tip.config.environments[0], (), alone=False)]
    found = kept.find(session, watched, rows, [parse_image("shop/api:2")])

    assert found is not None
    assert ["api/dev", "web/dev"] == [one.view.label for one in found.found]
    assert [path_of("web", "dev")] == read
