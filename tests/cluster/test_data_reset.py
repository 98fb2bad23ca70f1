"""`gitops data reset` against the real Kubernetes API and a real PostgreSQL.

The Job, its pod and its end are those of the real controllers. Its containers run as processes of
this machine (`process_kubelet.py`), with the shell and the psql that are here, not in an image.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.gitops import Gitops
from cluster.process_kubelet import IGNORED_BY_KWOK, ProcessKubelet
from cluster.shop import Shop
from servers.postgres import PASSWORD, USER, Postgres

COMPONENT = "overlays/dev/data-reset/kustomization.yaml"
PATCH = """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
components:
  - ../../../base/data-reset
patches:
  - target: {{kind: Job}}
    patch: |-
      - {{op: add, path: /spec/template/spec/nodeName, value: {node}}}
      - {{op: add, path: /spec/template/metadata/annotations, value: {ignored}}}
"""


@pytest.fixture
def database(shop: Shop, tmp_path: Path) -> Iterator[Postgres]:
    """PostgreSQL as the database of the shop's dev, in a namespace with a kubelet of our own."""
    shop.cluster.needs("any-image")
    with ExitStack() as opened:
        postgres = opened.enter_context(Postgres())
        kubelet = opened.enter_context(ProcessKubelet(shop.cluster.kube, tmp_path / "kubelet"))
        settings = shop.manifests.file("base/dummy-database/kustomization.yaml")
        settings = settings.replace("HOST=dummy-db", "HOST=127.0.0.1")
        config = shop.manifests.file("gitops.yaml").replace("[dummy-db]", "[127.0.0.1]")
        shop.manifests.commit(
            "A database of our own",
            {
                "base/dummy-database/kustomization.yaml": settings.replace(
                    "PORT=5432", f"PORT={postgres.port}"
                ),
                COMPONENT: PATCH.format(node=kubelet.node, ignored=str(IGNORED_BY_KWOK)),
                "gitops.yaml": config,
            },
        )
        secret(shop, "dummy-database", {"DATABASE_USER": USER, "DATABASE_PASSWORD": PASSWORD})
        yield postgres


def secret(shop: Shop, name: str, data: dict[str, str]) -> None:
    """Make a Secret in the namespace of dev."""
    space = shop.namespace("dev")
    for one in (
        {"kind": "Namespace", "metadata": {"name": space}},
        {"kind": "Secret", "metadata": {"name": name, "namespace": space}, "stringData": data},
    ):
        shop.cluster.kube.apply({"apiVersion": "v1", **one})


def test_reset(shop: Shop, database: Postgres) -> None:
    """The Job throws the data away and fills in the seed, its log is on the terminal; a seed that
    fails leaves the data as it was; where the Secret of a real database is, the guard stops it."""
    gitops = Gitops(shop)
    space = shop.namespace("dev")
    shop.follow("dev")
    shop.wait("dev", lambda one: one.get("status", {}).get("sync", {}).get("status") == "Synced")
    database.query("CREATE TABLE leftovers (x integer)")

    first = gitops("data", "reset", "dev", "--yes", "--timeout", "60")
    rows = database.query("SELECT count(*) FROM products")
    second = gitops("data", "reset", "dev", "--seed", "minimal", "-o", "json")
    fewer = database.query("SELECT name FROM products")
    path = "base/data-reset/seeds/empty.sql"
    shop.manifests.commit("A bad seed", {path: "INSERT INTO nowhere VALUES (1);\n"})
    bad = gitops("data", "reset", "dev", "--seed", "empty")
    secret(shop, "shop-database", {"DATABASE_USER": "prod"})
    stopped = gitops("data", "reset", "dev", "-o", "json")

    assert (0, ["4"]) == (first.code, rows), first.out + first.err
    assert "  | filling shop on 127.0.0.1 with seed demo\n" in first.out
    assert "  | done\n" in first.out
    assert "dev: data reset with seed demo in " in first.out
    assert (0, ["Sample"]) == (second.code, fewer), second.out + second.err
    assert ("succeeded", space, "minimal") == tuple(
        second.json[key] for key in ("outcome", "namespace", "seed")
    )
    assert "  | done" in second.err
    assert [] == database.query("SELECT tablename FROM pg_tables WHERE tablename = 'leftovers'")
    assert 1 == bad.code
    assert 'relation "nowhere" does not exist' in bad.out
    assert "container reset ended with" in bad.err
    assert (1, "unhealthy") == (stopped.code, stopped.json["error"]["code"])
    assert "the guard of Job data-reset-" in stopped.json["error"]["message"]
    assert "credentials of a real database are here" in stopped.err
    assert ["Sample"] == database.query("SELECT name FROM products")
    assert PASSWORD not in first.out + first.err + second.out + second.err + bad.out + bad.err
