"""Application objects as Argo CD gives them, made by hand with only what a test cares for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "https://git.example.com/shop/manifests.git"
OLD, NEW, LATER, OTHER = "a" * 40, "b" * 40, "c" * 40, "d" * 40


def stamp(seconds: float) -> str:
    """Return T0 and so many seconds, as Kubernetes writes times."""
    return (T0 + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def an_application(
    name: str = "shop-dev",
    *,
    namespace: str = "argocd",
    url: str = URL,
    path: str = "overlays/dev",
    target: str = "main",
    revision: str | None = NEW,
    sync: str = "Synced",
    health: str = "Healthy",
    changed: float | None = 5,
    reconciled: float | None = 6,
    message: str = "",
    images: tuple[str, ...] = ("shop/api:1.4.2", "shop/web:2.3.1"),
    automated: bool = True,
    operation: dict[str, Any] | None = None,
    conditions: tuple[tuple[str, str], ...] = (),
    annotations: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return one object; by default one that is live and Healthy since second 5.

    Args:
        changed, reconciled: seconds after T0; None leaves the time out.
        operation: `a_sync(...)`, by default the one that brought `revision`; {} for none.
        more: merged into the object: `spec={…}`, `status={…}`, `metadata={…}`.
    """
    made: dict[str, Any] = {
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": path, "targetRevision": target},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop-dev"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}} if automated else {},
        },
        "status": {
            "sync": {"status": sync, "revision": revision},
            "health": {"status": health, "message": message},
            "summary": {"images": list(images)},
            "conditions": [{"type": kind, "message": words} for kind, words in conditions],
        },
    }
    status = made["status"]
    if changed is not None:
        status["health"]["lastTransitionTime"] = stamp(changed)
    if reconciled is not None:
        status["reconciledAt"] = stamp(reconciled)
    done = a_sync(revision or "") if operation is None else operation
    if done:
        status["operationState"] = done
    for key, value in more.items():
        made[key] = {**made.get(key, {}), **value} if isinstance(value, dict) else value
    return made


def a_sync(
    revision: str = NEW,
    phase: str = "Succeeded",
    *,
    started: float = 1,
    finished: float | None = 2,
    message: str = "successfully synced",
    retries: int = 0,
) -> dict[str, Any]:
    """Return an `operationState`."""
    made: dict[str, Any] = {
        "phase": phase,
        "message": message,
        "startedAt": stamp(started),
        "syncResult": {"revision": revision},
    }
    if finished is not None:
        made["finishedAt"] = stamp(finished)
    if retries:
        made["retryCount"] = retries
    return made
