"""`gitops data check` on the sample, built by the real kustomize: what is found, and where."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from gitops.actions.data_check import DataReport, data_check
from gitops.adapters.gitrepo.local.worktree import CheckoutFiles
from gitops.adapters.local.folder import sample_files
from gitops.adapters.local.kustomize import find_kustomize
from gitops.config import load_config
from gitops.errors import ConfigError, NotFound, UsageError

DEV = "overlays/dev/kustomization.yaml"
REAL_HOST = "postgres.prod.example.com"


def no_branch(name: str) -> NoReturn:
    """There is no other branch."""
    raise NotFound(f"no branch {name} here")


def run(
    place: Path,
    changes: Mapping[str, tuple[str, str] | str] = {},
    names: tuple[str, ...] = (),
    *,
    less: tuple[str, ...] = ("local", "test"),
) -> DataReport:
    """Check the sample, without the environments `less`, with some files changed."""
    files = dict(sample_files())
    config = files["gitops.yaml"].decode()
    for name in less:
        config = re.sub(rf"(?m)^  - (?:\{{)?name: {name}\b.*\n(?:    .*\n|\n)*", "", config)
    files["gitops.yaml"] = config.encode()
    for path, change in changes.items():
        text = change if isinstance(change, str) else files[path].decode().replace(*change)
        assert isinstance(change, str) or text != files[path].decode()
        files[path] = text.encode()
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)
    renderer = find_kustomize(os.environ)
    assert renderer is not None
    snapshot = CheckoutFiles(place, "main", "")
    return data_check(snapshot, load_config, no_branch, renderer, names)


def told(report: DataReport) -> list[tuple[str, str]]:
    """Return place and rule of what was found."""
    found = []
    for one in report.found:
        at = one.problem(report.branch)
        found.append((f"{at.path}:{at.line}:{at.column}", one.finding.rule))
    return found


def line_of(text: str, needle: str) -> str:
    """Return line and column of a text, from 1."""
    lines = text.split("\n")
    at = next(number for number, line in enumerate(lines) if needle in line)
    return f"{at + 1}:{lines[at].index(needle) + 1}"


SECRETS = "base/dummy-database/credentials.yaml"
COMPONENT = "base/dummy-database/kustomization.yaml"
PROD = "overlays/prod/kustomization.yaml"
GENERATORS = """\
configMapGenerator:
  - name: app
    files: [app.yaml]
secretGenerator:
  - name: extra
    envs: [extra.env]
"""
BROKEN: Mapping[str, tuple[str, str] | str] = {
    DEV: (
        "configMapGenerator:\n  - name: shop-settings\n    behavior: merge\n    literals:\n",
        f"{GENERATORS}  - name: more\n    literals:\n      - A=a\n",
    ),
    COMPONENT: (
        "DATABASE_KIND=postgres",
        f"REPLICA={REAL_HOST}\n      - API=http://api.shop-prod/v1",
    ),
    SECRETS: (
        "{name: dummy-database, key: DATABASE_PASSWORD}",
        "{name: shop-database, key: DATABASE_PASSWORD}",
    ),
    "overlays/dev/app.yaml": "server:\n  port: 80\nsource:\n  url: jdbc:db2://postgres.dev.example.com/\n",
    "overlays/dev/extra.env": "# settings\nA=b\nURL=pg://u:hunter2@postgres.stage.example.com/x\n",
    "overlays/prod/disruption.yaml": (
        "# Nodes are",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: shop-reset\nspec:\n  template:\n"
        "    spec:\n      restartPolicy: Never\n      containers: [{name: a, image: x}]\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\ndata:\n  app.yaml: |\n"
        "    a: b\n    url: http://dummy-db:5432\n---\n# Nodes are",
    ),
    "gitops.yaml": ("    dataProtection: masked", "    #"),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> DataReport:
    """The sample with much that is wrong."""
    return run(tmp_path_factory.mktemp("broken"), BROKEN)


def test_sample(tmp_path):
    """The sample reaches what it should, all of it is looked at, and both classes are there."""
    report = run(tmp_path, less=())

    assert ([], 5, 0) == (told(report), report.overlays, report.exit_code)
    assert {"dummy", "real"} == {class_ for _, class_ in report.environments}


@pytest.mark.parametrize(
    ("path", "needle", "rule", "words"),
    [
        (COMPONENT, REAL_HOST, "class", f"a real database: host {REAL_HOST}"),
        (COMPONENT, "api.shop-prod", "class", "namespace shop-prod: api.shop-prod"),
        (SECRETS, "shop-database", "class", "a real database: Secret shop-database"),
        ("overlays/dev/app.yaml", "postgres.dev", "class", "host postgres.dev.example.com"),
        ("overlays/dev/extra.env", "postgres.stage", "class", "host postgres.*.example.com"),
        ("overlays/prod/disruption.yaml", "shop-reset", "job", "the data here is real"),
        ("overlays/prod/disruption.yaml", "dummy-db", "class", "a dummy database: host dummy-db"),
    ],
)
def test_places(broken, path, needle, rule, words):
    """What a build shows is told where the sources have it, to line and column: in a generator of
    a component, a patch, a file of a ConfigMap, a file of settings, a block of text."""
    change = BROKEN[path]
    text = change
    if isinstance(change, tuple):
        text = sample_files()[path].decode().replace(*change)
    at = f"{path}:{line_of(text, needle)}"

    found = [
        one
        for one, (place, kind) in zip(broken.found, told(broken), strict=True)
        if (place, kind) == (at, rule)
    ]
    assert [words in one.finding.message for one in found] == [True]


def test_other_rules(broken):
    """Stage must say what keeps its data safe, a Secret of a generator is in clear; no value of
    one is shown; the call says no."""
    rules = {(one.environment.name, one.finding.rule) for one in broken.found}
    shown = str([one.problem("main") for one in broken.found])

    assert {("stage", "protection"), ("dev", "clear")} <= rules
    assert "which is that of prod" in shown
    assert "hunter2" not in shown
    assert "postgres.stage" not in shown
    assert 1 == broken.exit_code


def test_what_cannot_be_built(tmp_path):
    """An overlay that would fetch something is told as not looked at, and is no breach; others are
    looked at, and named ones alone are told about."""
    remote = {DEV: ("  - ../../base\n", "  - https://example.com/base?ref=1\n")}
    report = run(tmp_path, remote, ("dev",))

    (found,) = report.found
    assert ("unread", "warning") == (found.finding.rule, found.finding.level)
    assert (0, 1) == (report.exit_code, report.overlays)
    with pytest.raises(NotFound):
        run(tmp_path, names=("nowhere",))


def test_no_rows(tmp_path):
    """Without `databases:` there is nothing to hold anything against: said, with the way out."""
    text = sample_files()["gitops.yaml"].decode()
    plain = text[: text.index("databases:")]

    with pytest.raises(UsageError, match="no `databases:`"):
        run(tmp_path, {"gitops.yaml": plain})
    with pytest.raises(ConfigError):
        run(tmp_path, {"gitops.yaml": text.replace("class: real", "class: fake")})
