"""Argo CD Applications in the repository: which folders they read."""

from __future__ import annotations

import pytest

from gitops.core.audit.application_files import is_manifest, matches, may_be, names_by_folder

HEAD = "apiVersion: argoproj.io/v1alpha1\n"
PROD = "overlays/prod"


def reads(text: str) -> bool:
    """Say whether a file holds an Application that may read prod's overlay."""
    return any(may_be(folder, PROD) for folder in names_by_folder(text.encode(), "a.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}kind: Application\nspec: {{source: {{path: overlays/prod}}}}\n",
        f"{HEAD}kind: Application\nspec: {{source: {{path: ./overlays/prod/}}}}\n",
        f"{HEAD}kind: Application\nspec: {{sources: [{{ref: x}}, {{path: overlays/prod}}]}}\n",
        f"kind: List\n---\n{HEAD}kind: Application\nspec: {{source: {{path: overlays/prod}}}}\n",
        f"{HEAD}kind: ApplicationSet\nspec:\n  template:\n    spec:\n"
        "      source: {path: 'overlays/{{env}}'}\n",
        f"{HEAD}kind: ApplicationSet\nspec: {{template: {{spec: {{source: {{path: "
        "'{{path}}'}}}}\n",
    ],
)
def test_reads_the_overlay(text: str) -> None:
    """One source, many, a later document, and a template that may stand for it."""
    assert reads(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}kind: Application\nspec: {{source: {{path: overlays/dev}}}}\n",
        f"{HEAD}kind: ApplicationSet\nspec: {{template: {{spec: {{source: {{path: "
        "'apps/{{x}}'}}}}\n",
        f"{HEAD}kind: AppProject\nspec: {{source: {{path: overlays/prod}}}}\n",
        "apiVersion: acme/v1 # argoproj.io\nkind: Application\n"
        "spec: {source: {path: overlays/prod}}\n",
        "kind: Application\nspec: {source: {path: overlays/prod}}\n",
        f"{HEAD}kind: Application\nspec: [\n",
        f"{HEAD}kind: Application\nspec: []\n",
        "",
    ],
)
def test_reads_something_else(text: str) -> None:
    """Other folders, other kinds, and what is no Application at all."""
    assert not reads(text)


def test_what_may_hold_one() -> None:
    """Only files that kubectl would take are looked into."""
    assert [True, True, True, False] == [
        is_manifest(name) for name in ("a.yaml", "b.YML", "c.json", "d.md")
    ]


@pytest.mark.parametrize(
    ("pattern", "right"),
    [
        ("apps/prod/config.json", True),
        ("./apps/prod/config.json", True),
        ("apps/*/config.json", True),
        ("apps/{{env}}/config.json", True),
        ("apps/dev/config.json", False),
        ("apps/dev/*", False),
    ],
)
def test_files_of_generators(pattern: str, right: bool) -> None:
    """A generator's pattern means the files that it may match; one without a wildcard means one."""
    assert right == matches(pattern, "apps/prod/config.json")
