"""What belongs to an overlay: references followed as kustomize follows them, links included."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fake_archive import FakeArchive
from fakes import FakeRepository, FakeTree
from gitops.actions.audit.build_inputs import belongings_of, holds_of, overlays_in
from gitops.core.audit.affected import Belongings
from gitops.core.environments.environment import Environment, Overlay

PROD = Overlay(Environment("prod", "overlays/prod"))
K = "overlays/prod/kustomization.yaml"


def read(files: Mapping[str, str], overlay: Overlay = PROD) -> Belongings:
    """Return what belongs to an overlay; a text that starts with `-> ` is a link."""
    content = {path: text.encode() for path, text in files.items()}
    return belongings_of(FakeArchive(FakeRepository()), FakeTree("b", "c", content), overlay)


def touches(files: Mapping[str, str], path: str) -> bool:
    """Say whether a change of `path` touches prod."""
    return bool(read(files).touched([path]))


BASE = {K: "resources: [../../base]", "base/kustomization.yaml": "resources: [api.yaml]"}


@pytest.mark.parametrize(
    ("files", "path"),
    [
        (BASE, "overlays/prod/anything"),
        (BASE, "base/kustomization.yaml"),
        (BASE, "base/kustomization.yml"),
        (BASE, "base/api.yaml"),
        ({K: "resources: [gone]"}, "overlays/prod/gone/kustomization.yaml"),
        ({K: "resources: [../gone]"}, "overlays/gone"),
        ({K: "resources: [../gone]"}, "overlays/gone/kustomization.yaml"),
        ({K: "components: [../../c]", "c/Kustomization": "patches: [{path: ../p.yaml}]"}, "p.yaml"),
        ({K: "resources: [../../a]", "a/kustomization.yaml": "resources: [../b]",
          "b/kustomization.yml": "configMapGenerator: [{files: [x=../c/d.env]}]"}, "c/d.env"),
        ({K: "helmGlobals: {chartHome: ../../charts}"}, "charts/web/values.yaml"),
        ({K: "helmCharts: [{name: web}]"}, "overlays/prod/charts/web/Chart.yaml"),
        ({K: "transformers: [../../t.yaml]", "t.yaml": "path: patch.yaml"},
         "overlays/prod/patch.yaml"),
        ({K: "resources: [../../base]", "base/kustomization.yaml": "transformers: [../t.yaml]",
          "t.yaml": "files: [../secret/x.env]"}, "secret/x.env"),
        ({K: "generators: [../../g]", "g/kustomization.yaml": "resources: [gen.yaml]",
          "g/gen.yaml": "kind: ConfigMapGenerator\nfiles: [../../x.env]"}, "x.env"),
        ({K: "transformers:\n- |-\n  kind: P\n  path: ../p.yaml"}, "overlays/p.yaml"),
        ({K: "crds: [../../crd.json]"}, "crd.json"),
    ],
)  # fmt: skip
def test_references(files: Mapping[str, str], path: str) -> None:
    """Whatever a build reads, or would read if it were there, belongs to the overlay."""
    assert touches(files, path)


@pytest.mark.parametrize(
    "path", ["base/README.md", "base/web.yaml", "overlays/dev/x", "gitops.yaml"]
)
def test_what_is_not_read(path: str) -> None:
    """A file that nothing names does not belong to it."""
    assert not touches(BASE, path)


LINKED = {
    K: "resources: [../../base, patch.yaml]",
    "base": "-> ../shared/base",
    "overlays/prod/patch.yaml": "-> ../../shared/patch.yaml",
}


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({K: "patches: [{path: p.yaml}]", "overlays/prod/p.yaml": "-> ../../s/p.yaml"}, "s/p.yaml"),
        ({K: "resources: [../../base]", "base": "-> s/base",
          "s/base/kustomization.yaml": "resources: [../other.yaml]"}, "s/other.yaml"),
        ({K: "resources: [../../base]", "base": "-> s/base"}, "base"),
        ({K: "resources: [../../a/x.yaml]", "a": "-> b", "b": "-> c"}, "c/x.yaml"),
        ({"overlays/prod": "-> ../real", "real/kustomization.yaml": "resources: [x]"}, "real/x"),
        ({"overlays": "-> real", "real/prod/kustomization.yaml": "resources: [../y]"}, "real/y"),
        ({"overlays/prod/kustomization.yaml": "-> ../../k.yaml", "k.yaml": "resources: [x]"},
         "k.yaml"),
        ({K: "resources: [l/../x.yaml]", "overlays/prod/l": "-> ../../far/away"},
         "overlays/prod/x.yaml"),
    ],
)  # fmt: skip
def test_links(files: Mapping[str, str], path: str) -> None:
    """A link and what it leads to both belong to the overlay; `..` counts as kustomize counts."""
    assert touches(files, path)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../out", "loop"])
def test_links_that_lead_nowhere(target: str) -> None:
    """A link out of the repository, or to itself, is noted and not followed for ever."""
    files = {K: "resources: [loop]", "overlays/prod/loop": f"-> {target}"}

    assert touches(files, "overlays/prod/loop")


def test_circle_of_bases() -> None:
    """Kustomizations that refer to each other are read once."""
    files = {
        K: "resources: [../../a]",
        "a/kustomization.yaml": "resources: [../b]",
        "b/kustomization.yaml": "resources: [../a, x.yaml]",
    }

    assert touches(files, "b/x.yaml")


def test_what_cannot_be_read() -> None:
    """A broken kustomization belongs to it as any other, and is told."""
    found = read({K: "resources: [../../base]", "base/kustomization.yaml": "a: ["})

    assert ["base/kustomization.yaml"] == list(found.graph.broken)
    assert found.touched(["base/kustomization.yaml"])


def test_what_comes_from_elsewhere() -> None:
    """Remote bases and programs are told with the file that names them."""
    files = {
        K: "resources: [../../base]",
        "base/kustomization.yaml": "\nresources: [https://x.org/y]\nhelmCharts: [{name: a}]",
    }
    found = read(files)

    assert [("base/kustomization.yaml", 2, "https://x.org/y")] == [
        (one.path, one.line, one.target) for one in found.graph.remotes
    ]
    assert {"base/kustomization.yaml": ("Helm",)} == found.graph.programs


def test_reason_names_who_refers_to_it() -> None:
    """The reason says which line of which file names a path."""
    assert "prod is built from it (base/kustomization.yaml:1)" == (
        read(BASE).touched(["base/api.yaml"])[0].reason
    )


def test_apps() -> None:
    """Every folder that has something at the place of an overlay is an app, readable or not."""
    row = Environment("prod", "apps/{app}/overlays/prod")
    files = {
        "apps/shop/overlays/prod/kustomization.yaml": "",
        "apps/mail/overlays/prod/notes.md": "",
        "apps/blog/overlays/dev/kustomization.yaml": "",
        "apps/link/overlays/prod": "-> x",
    }
    tree = FakeTree("b", "c", {path: text.encode() for path, text in files.items()})

    assert ["link", "mail", "shop"] == [one.app for one in overlays_in(tree, row)]
    assert (Overlay(PROD.environment),) == overlays_in(tree, PROD.environment)


def test_holds() -> None:
    """An overlay's own hold, its environment's, and the one of everything on its branch."""
    shop = Overlay(PROD.environment, "shop")

    assert (".gitops/holds/prod.yaml", ".gitops/hold.yaml") == holds_of(PROD, top_level=True)
    assert (".gitops/holds/shop/prod.yaml", ".gitops/holds/prod.yaml") == holds_of(
        shop, top_level=False
    )
