"""`clusters:` and `wait:` in gitops.yaml."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gitops.config import config_schema, load_config
from gitops.core.environments.environment import ClusterRow, Patience
from gitops.errors import ConfigError

ROWS = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: dev, overlay: overlays/dev}
  - {name: prod, overlay: overlays/prod}
"""


def wait(text: str) -> Patience:
    """Return what a `wait:` of dev means."""
    content = ROWS.replace("overlay: overlays/dev}", f"overlay: overlays/dev, wait: {text}}}")
    return load_config(content.encode()).environments[0].wait


def problems(text: str) -> list[str]:
    """Return what is wrong with a file, without the name of it."""
    with pytest.raises(ConfigError) as caught:
        load_config(text.encode())
    return [reason.partition(": ")[2] for reason in caught.value.reasons]


def test_clusters() -> None:
    """Each row says which environments, which context, which namespace; all may be left out."""
    text = "clusters:\n  - {environments: [dev], context: dev-cluster, namespace: argo}\n  - {}\n"
    config = load_config((ROWS + text).encode())

    assert (
        ClusterRow(("dev",), "dev-cluster", "argo"),
        ClusterRow((), None, "argocd"),
    ) == config.clusters
    dev, prod = config.environments
    assert 2 == len(config.clusters_of(dev))
    assert (ClusterRow(),) == config.clusters_of(prod)


def test_no_clusters() -> None:
    """Without the key every environment is in the current context."""
    config = load_config(ROWS.encode())

    assert (ClusterRow(),) == config.clusters_of(config.environments[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{soak: 5m}", Patience(timedelta(minutes=5))),
        ("{soak: 0s}", Patience(timedelta(0))),
        ('{soak: "0"}', Patience(timedelta(0))),
        ("{timeout: 90s}", Patience(None, timedelta(seconds=90))),
        ("{}", Patience()),
    ],
)
def test_wait(text: str, expected: Patience) -> None:
    """Soak and timeout are durations; a soak of nothing is one, too."""
    assert expected == wait(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("clusters: [{environments: [dve]}]", "no environment 'dve'; did you mean dev?"),
        ("clusters: [{environments: []}]", "the list is empty"),
        ('clusters: [{namespace: "Argo CD"}]', "is no namespace"),
        ('clusters: [{context: ""}]', "is no name of a kubeconfig context"),
        ("clusters: [{server: x}]", "unknown key"),
        ("clusters: {}", "must be a list"),
    ],
)
def test_what_is_wrong_with_clusters(text: str, problem: str) -> None:
    """Each mistake is told at its place."""
    (found,) = problems(ROWS + text + "\n")

    assert problem in found


@pytest.mark.parametrize("text", ["{timeout: 0s}", "{soak: x}", "{soak: -1}", "{patience: 1m}"])
def test_what_is_wrong_with_wait(text: str) -> None:
    """A timeout of nothing, no duration, and unknown keys are mistakes."""
    content = ROWS.replace("overlay: overlays/dev}", f"overlay: overlays/dev, wait: {text}}}")

    assert 1 == len(problems(content))


def test_schema() -> None:
    """Editors know the keys."""
    properties = config_schema()["properties"]
    assert isinstance(properties, dict)

    row = properties["environments"]["items"]["properties"]
    assert {"soak", "timeout"} == set(row["wait"]["properties"])
    assert {"environments", "context", "namespace"} == set(
        properties["clusters"]["items"]["properties"]
    )
