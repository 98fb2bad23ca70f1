"""What `validate` found is kept by the contents that it was found in: parsed is what changed."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NoReturn

import msgspec
import pytest

from fakes import FakeSnapshot
from gitops.actions.manifests import overlay_problems
from gitops.actions.manifests.trial_build import TrialBuilds
from gitops.actions.validate import ValidateReport, validate
from gitops.adapters.gitrepo.cache.index import KeptIndex
from gitops.config import load_config
from gitops.errors import NotFound

NOW = datetime(2026, 12, 24, 9, tzinfo=UTC)
CONFIG = b"""apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/dev"}
  - {name: prod, overlay: "apps/{app}/prod", after: [dev]}
"""
BASE = b"kind: Deployment\nmetadata: {name: x}\nspec: {containers: [{image: shop/api}]}\n"
KEPT = (
    b"resources: [../base]\nimages:\n  - {name: shop/api, newTag: '1'}\n",
    b"resources: [../base]\nimages:\n  - {name: shop/api, newTag: '2'}\n",
    b"resources: [../base]\nimages:\n  - {name: shop/web, newTag: '1'}\n",  # nothing uses it
    b"resources: [../base, ../gone]\nimages:\n  - {name: shop/api, newTag: '1'}\n",
    b"resources: [../../b0/base]\nimages:\n  - {name: shop/api, newTag: 1.10}\n",
    b"resources: [../base]\nimages:\n  - {name: shop/api}\n",
    b"resources: [../base\n",
    b"resources: [../base]\n",
)
BASES = (BASE, BASE.replace(b"shop/api", b"shop/web"), b"resources: [")


def tree(chance: random.Random | None = None, apps: int = 6) -> dict[str, bytes]:
    """Return a repository of sound overlays, or of whatever chance brings."""
    files = {"gitops.yaml": CONFIG}
    for app in (f"b{number}" for number in range(apps)):
        files[f"apps/{app}/base/kustomization.yaml"] = b"resources: [app.yaml]\n"
        files[f"apps/{app}/base/app.yaml"] = chance.choice(BASES) if chance else BASE
        for name in ("dev", "prod"):
            content = chance.choice(KEPT) if chance else KEPT[0]
            files[f"apps/{app}/{name}/kustomization.yaml"] = content
    return files


def look(
    files: Mapping[str, bytes], index: KeptIndex | None, builds: TrialBuilds | None = None
) -> ValidateReport:
    """Validate a repository."""
    name = hashlib.sha1(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()

    def no_branch(branch: str) -> NoReturn:
        raise NotFound(branch)

    snapshot = FakeSnapshot("main", name, files)
    return validate(snapshot, load_config, NOW, no_branch, builds, index=index)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kustomizations that were parsed."""
    seen: list[str] = []
    read = overlay_problems.read_entries

    def reading(content: bytes, path: str) -> object:
        seen.append(path)
        return read(content, path)

    monkeypatch.setattr(overlay_problems, "read_entries", reading)
    return seen


def test_only_what_changed_is_parsed(judged: list[str]) -> None:
    """The second time nothing is; later an overlay that changed, or whose base did."""
    index, files = KeptIndex(None), tree()
    first = look(files, index)
    assert (len(judged), first) == (12, look(files, index))
    assert len(judged) == 12

    files["apps/b1/dev/kustomization.yaml"] = KEPT[2]
    assert "shop/web" in str(look(files, index).problems)
    assert judged[12:] == ["apps/b1/dev/kustomization.yaml"]
    files["apps/b3/base/app.yaml"] = BASES[1]
    assert "no manifest that it builds on uses shop/api" in str(look(files, index).problems)
    assert judged[13:] == [f"apps/b3/{name}/kustomization.yaml" for name in ("dev", "prod")]
    files["apps/b3/base/notes.yaml"] = BASE  # beside it, and a search reads it
    assert look(files, index) == look(files, None)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_a_plain_look_says(seed: int) -> None:
    """Whatever changes from one call to the next, the report is that of a call without an index."""
    chance, index = random.Random(seed), KeptIndex(None)
    files = tree(chance)
    for _ in range(12):
        other = tree(chance)
        for path in chance.sample(sorted(other), 4):
            if path != "gitops.yaml" and chance.random() < 0.2:
                files.pop(path, None)
            else:
                files[path] = other[path]
        assert look(files, index) == look(files, None)


@pytest.mark.parametrize("damage", ["cut", "other form", "nonsense", "bomb"])
def test_what_is_no_page_of_ours_is_read_past(judged: list[str], damage: str) -> None:
    """A page that is damaged, or of another version, counts for nothing, and is replaced."""
    index, files = KeptIndex(None), tree()
    first = look(files, index)
    for name in ("validate:dev", "validate:prod"):
        page = index.page(name)
        assert page is not None
        other = msgspec.msgpack.decode(zlib.decompress(page))
        other[0] = "of old"
        index.keep(
            name,
            {
                "cut": page[:-9],
                "other form": zlib.compress(msgspec.msgpack.encode(other)),
                "nonsense": zlib.compress(b"\x93\x01\x02\x03"),
                "bomb": zlib.compress(bytes(1 << 27)),
            }[damage],
        )
    judged.clear()
    assert (look(files, index), len(judged)) == (first, 12)
    assert (look(files, index), len(judged)) == (first, 12)


def test_builds_are_made_again(judged: list[str]) -> None:
    """Where overlays are built, what an earlier call found without a build is not enough."""

    class Refusing:
        def build(self, files: object, directory: str) -> object:
            return type("Build", (), {"text": None, "problem": "no", "isolated": True})

    index, files = KeptIndex(None), tree()
    look(files, index)
    judged.clear()
    report = look(files, index, TrialBuilds(Refusing(), 5))
    assert (sum("does not build: no" in str(one) for one in report.problems), len(judged)) == (5, 5)
    assert report.notes == ("7 overlays were not built: --build builds all",)
