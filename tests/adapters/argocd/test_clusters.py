"""Which control planes are asked: what gitops.yaml may choose, and what only the caller may."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gitops.adapters.argocd import clusters as module
from gitops.adapters.argocd.clusters import ArgoClusters, open_clusters
from gitops.config import load_config
from gitops.core.environments.environment import Config
from gitops.errors import NotFound, UsageError

PLAIN = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: local, overlay: overlays/local, change: work-tree}
  - {name: dev, overlay: overlays/dev}
  - {name: prod, overlay: overlays/prod}
"""
NAMED = (
    PLAIN
    + """\
clusters:
  - {environments: [dev], context: dev-cluster}
  - {environments: [prod], context: eu, namespace: argo}
  - {environments: [prod], context: us, namespace: "*"}
"""
)
SERVER = {"ARGOCD_SERVER": "argocd.example.com", "ARGOCD_AUTH_TOKEN": "t"}
URL = "https://git.example.com/m.git"


def config(text: str = NAMED) -> Config:
    """Read a gitops.yaml."""
    return load_config(text.encode())


def of(name: str, environ: Mapping[str, str] | None = None, text: str = NAMED) -> list[str]:
    """Return the names of the control planes of an environment."""
    found = config(text)
    row = found.find(name)
    assert row is not None
    made = ArgoClusters(environ or {}, URL)
    return [cluster.name for cluster in made.of(found, row, within=1)]


def at_hand(name: str, environ: Mapping[str, str] | None = None, text: str = NAMED) -> list[str]:
    """Return those that calls ask which can do without."""
    found = config(text)
    row = found.find(name)
    assert row is not None
    made = ArgoClusters(environ or {}, URL)
    return [cluster.name for cluster in made.at_hand(found, row, within=1)]


@pytest.fixture
def no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Kubernetes client is not installed."""
    monkeypatch.setattr(module, "find_spec", lambda _: None)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> dict[str, str]:
    """A caller who has a kubeconfig."""
    path = tmp_path / "kubeconfig"
    path.write_text("{}")
    return {"KUBECONFIG": f"/none:{path}"}


def test_rows() -> None:
    """Rows lead to contexts; an environment may run in several."""
    assert ["dev-cluster"] == of("dev")
    assert ["eu", "us"] == of("prod")


def test_without_rows_the_current_context() -> None:
    """Where nothing is said, it is the current context."""
    assert ["the current cluster"] == of("dev", text=PLAIN)


def test_an_environment_that_no_row_names() -> None:
    """Where others are named and this one is not, it lives in no cluster."""
    with pytest.raises(NotFound, match="no cluster runs local"):
        of("local")


def test_a_server_takes_the_place_of_all() -> None:
    """With ARGOCD_SERVER Argo CD's own API is asked, whatever the rows say."""
    assert ["argocd.example.com"] == of("prod", SERVER)
    assert ["argocd.example.com"] == of("dev", SERVER, PLAIN)


def test_a_server_without_a_token() -> None:
    """A server alone is not enough, and is said so."""
    with pytest.raises(NotFound, match="ARGOCD_AUTH_TOKEN"):
        of("dev", {"ARGOCD_SERVER": "argocd.example.com"})


def test_a_server_that_is_no_address() -> None:
    """An address that is none is refused."""
    with pytest.raises(UsageError, match="ARGOCD_SERVER"):
        of("dev", {**SERVER, "ARGOCD_SERVER": "ftp://x"})


def test_a_repository_cannot_name_a_server() -> None:
    """The token goes where the caller says and nowhere else: there is no such key."""
    from gitops.errors import ConfigError

    with pytest.raises(ConfigError) as caught:
        config(PLAIN + "clusters: [{environments: [dev], server: https://evil.example.com}]\n")

    assert "unknown key" in caught.value.reasons[0]


def test_clusters_are_made_once() -> None:
    """Two environments of one control plane share its connection."""
    found = config(PLAIN)
    made = ArgoClusters({}, URL)
    rows = [row for row in found.environments if row.name != "local"]

    first, second = (made.of(found, row, within=1)[0] for row in rows)

    assert first is second


@pytest.mark.usefixtures("no_client")
def test_without_the_client() -> None:
    """Without the Kubernetes client the way to get it is told, and the way around it."""
    with pytest.raises(NotFound, match="not installed") as caught:
        of("dev")

    assert "its extra [cluster]" in str(caught.value.hint)
    assert ["argocd.example.com"] == of("dev", SERVER)


def test_at_hand_where_nothing_is_set_up() -> None:
    """A caller without a kubeconfig, a server or rows has no cluster, and nobody minds."""
    assert [] == at_hand("dev", text=PLAIN)
    assert [] == at_hand("dev", {"KUBECONFIG": "/none"}, PLAIN)


def test_at_hand_with_a_kubeconfig(kubeconfig: dict[str, str]) -> None:
    """A kubeconfig leads to the current context, but not for a checkout."""
    assert ["the current cluster"] == at_hand("dev", kubeconfig, PLAIN)
    assert [] == at_hand("local", kubeconfig, PLAIN)


def test_at_hand_in_a_pod() -> None:
    """In a pod it is the cluster of the pod."""
    assert ["the current cluster"] == at_hand("dev", {"KUBERNETES_SERVICE_HOST": "x"}, PLAIN)


def test_at_hand_with_rows() -> None:
    """Rows are believed; what none of them names is left out."""
    assert ["eu", "us"] == at_hand("prod")
    assert [] == at_hand("local")


@pytest.mark.usefixtures("no_client")
def test_at_hand_without_the_client(kubeconfig: dict[str, str]) -> None:
    """A missing client matters only where somebody named a cluster."""
    assert [] == at_hand("dev", kubeconfig, PLAIN)
    with pytest.raises(NotFound, match="not installed"):
        at_hand("dev", kubeconfig)


def test_nothing_is_imported_to_find_out(
    monkeypatch: pytest.MonkeyPatch, kubeconfig: dict[str, str]
) -> None:
    """Finding the clusters loads no client: whoever does not ask them does not pay."""
    real = builtins.__import__

    def guarded(name: str, *args: Any, **more: Any) -> Any:
        assert not name.startswith(("kubernetes", "urllib3")), name
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", guarded)

    assert ["eu", "us"] == of("prod", kubeconfig)


@pytest.mark.parametrize(
    ("repository", "location", "expected"),
    [
        ("https://git.example.com/m.git", ".", "https://git.example.com/m.git"),
        ("git@git.example.com:m.git", ".", "git@git.example.com:m.git"),
        ("/srv/m.git", "/srv/m.git", "/srv/m.git"),
    ],
)
def test_what_the_repository_is_called(repository: str, location: str, expected: str) -> None:
    """Applications are compared with the remote's URL, or with the whole path."""
    assert (expected,) == open_clusters({}, repository, location).repositories


def test_relative_paths_are_spelled_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path means the same folder to nobody else."""
    monkeypatch.chdir(tmp_path)

    assert (str(tmp_path / "m.git"),) == open_clusters({}, "m.git", "m.git").repositories


def test_another_name_for_the_repository() -> None:
    """The caller may say what Argo CD calls it; the repository may not."""
    made = ArgoClusters({"GITOPS_ARGOCD_REPO": " http://gitea.svc/m "}, URL)

    assert (URL, "http://gitea.svc/m") == made.repositories
