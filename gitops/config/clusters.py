"""`clusters:` of `gitops.yaml` and `wait:` of its environments: keys, rules, and what they become.

Contexts of the caller's kubeconfig may be named, and no addresses (docs/decisions/0043).
"""

from __future__ import annotations

from collections.abc import Sequence

from gitops.config.shapes import Key, ListOf, Problems, Table, Text, Value, shown
from gitops.core.environments.environment import ClusterRow, Patience
from gitops.core.text.plain import read_duration

_CONTEXT = r"[^\u0000-\u001f\u007f]{1,253}"
_NAMESPACE = r"\*|[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SOAK = r"[0-9]{1,7}[smhd]?"  # also nothing at all


def cluster_table(name: Text) -> Table:
    """Return the shape of a row of `clusters:`; `name` is that of an environment."""
    return Table(
        {
            "environments": Key(ListOf(name, least=1), "Which; left out: all of them."),
            "context": Key(
                Text(_CONTEXT, "is no name of a kubeconfig context"),
                "The context of your kubeconfig; left out: the current one.",
            ),
            "namespace": Key(
                Text(_NAMESPACE, _explain_namespace),
                "Where Argo CD's Applications are; * for those of every namespace.",
                default="argocd",
            ),
        }
    )


def wait_table(time: Text) -> Table:
    """Return the shape of `wait:`; `time` is a duration that is not nothing."""
    return Table(
        {
            "soak": Key(
                Text(_SOAK, time.explain),
                "How long a release must stay Healthy to be stable; left out: 5m where the "
                "database is real or the environment is stage or prod, else 0.",
            ),
            "timeout": Key(
                time, "How long it may take to become Healthy, the soak apart.", default="15m"
            ),
        }
    )


def check_clusters(rows: Sequence[Value], environments: Sequence[str], problems: Problems) -> None:
    """Every environment is one of those above; an environment may run in several clusters."""
    for row in rows:
        problems.add_no_environment(row.list("environments"), environments)


def make_cluster(row: Value) -> ClusterRow:
    """Return the value of a row without problems."""
    return ClusterRow(
        environments=row.list_texts("environments"),
        context=row.get("context") or None,
        namespace=row.get("namespace", "argocd"),
    )


def make_patience(table: Value) -> Patience:
    """Return the value of `wait:`."""
    return Patience(
        soak=read_duration(table.get("soak")) if "soak" in table.keys else None,
        timeout=read_duration(table.get("timeout", "15m")),
    )


def _explain_namespace(text: str) -> str:
    return f"{shown(text)} is no namespace: lower-case letters, digits, dashes; or * for all"
