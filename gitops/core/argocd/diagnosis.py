"""Why something does not get ready: the words of workloads, pods and their containers.

Read from the objects that the Kubernetes API gives. Argo CD aggregates health over what Git
renders, so a Deployment speaks only when its progress deadline has passed; its pods tell earlier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gitops.core.text.plain import one_line
from gitops.core.unstructured import table, tables, text

_QUIET = frozenset({"ContainerCreating", "PodInitializing"})
_LONGEST = 300


class Workloads(Struct, frozen=True):
    """The live objects behind one Application, as far as they can be read.

    Attributes:
        objects: workloads (Deployment, StatefulSet, DaemonSet, Rollout, Job, …) as dicts.
        replica_sets: those of Rollouts.
        pods: of these workloads.
        words: (pod, container) -> the last lines that it printed.
        unread: why some of it could not be read, None when all was.
    """

    objects: tuple[Mapping[str, Any], ...] = ()
    replica_sets: tuple[Mapping[str, Any], ...] = ()
    pods: tuple[Mapping[str, Any], ...] = ()
    words: Mapping[tuple[str, str], str] = {}
    unread: str | None = None


class Diagnosis(Struct, frozen=True):
    """One thing that is not well.

    Attributes:
        resource: `Deployment api`, `Pod api-7d4b/api`.
        reason: one word of Kubernetes (`ProgressDeadlineExceeded`, `CrashLoopBackOff`).
        message: its sentence, maybe "".
        words: what the container printed last, maybe "".
    """

    resource: str
    reason: str
    message: str = ""
    words: str = ""

    def __str__(self) -> str:
        text = f"{self.resource}: {self.reason}"
        text += f", {self.message}" if self.message else ""
        return text + (f" (its last words: {self.words})" if self.words else "")


def diagnose(workloads: Workloads) -> tuple[Diagnosis, ...]:
    """Return what is not well, workloads first, each kind of pod trouble once."""
    found = [one for told in workloads.objects if (one := diagnose_workload(told)) is not None]
    seen: set[tuple[str, str]] = set()
    for pod in workloads.pods:
        for one in diagnose_pod(pod, workloads.words):
            # Ten replicas with the same fault are one trouble.
            key = (one.reason, _container(one))
            if key not in seen:
                seen.add(key)
                found.append(one)
    return tuple(found)


def diagnose_workload(told: Mapping[str, Any]) -> Diagnosis | None:
    """Return what a workload says of itself, None when it is well or says nothing."""
    status = table(told, "status")
    resource = f"{told.get('kind') or 'Resource'} {_name(told)}"
    for condition in tables(status, "conditions"):
        kind, value = condition.get("type"), condition.get("status")
        bad = (kind == "Progressing" and value == "False") or (
            kind in ("ReplicaFailure", "Failed", "InvalidSpec") and value == "True"
        )
        if bad:
            reason = str(condition.get("reason") or kind)
            return Diagnosis(resource, reason, _short(condition.get("message")))
    if status.get("phase") == "Degraded":  # a Rollout
        return Diagnosis(resource, "Degraded", _short(status.get("message")))
    return None


def diagnose_pod(
    told: Mapping[str, Any], words: Mapping[tuple[str, str], str] | None = None
) -> tuple[Diagnosis, ...]:
    """Return what the containers of a pod wait for, or why it has no node."""
    status = table(told, "status")
    found: list[Diagnosis] = []
    for condition in tables(status, "conditions"):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason = str(condition.get("reason") or "Unschedulable")
            found.append(Diagnosis(f"Pod {_name(told)}", reason, _short(condition.get("message"))))
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in tables(status, key):
            one = _diagnose_container(_name(told), container, words or {})
            if one is not None:
                found.append(one)
    return tuple(found)


def _diagnose_container(
    pod: str, told: Mapping[str, Any], words: Mapping[tuple[str, str], str]
) -> Diagnosis | None:
    name = str(told.get("name") or "")
    waiting = table(table(told, "state"), "waiting")
    ended = table(table(told, "state"), "terminated") or table(
        table(told, "lastState"), "terminated"
    )
    said = _short(words.get((pod, name))) or _short(ended.get("message"))
    resource = f"Pod {pod}/{name}"
    reason = text(waiting, "reason")
    if reason and reason not in _QUIET:
        return Diagnosis(resource, reason, _ending(waiting, ended), said)
    if ended and ended.get("exitCode") not in (0, None) and not told.get("ready"):
        return Diagnosis(resource, str(ended.get("reason") or "Error"), _ending({}, ended), said)
    return None


def _ending(waiting: Mapping[str, Any], ended: Mapping[str, Any]) -> str:
    """The message of the waiting state, and how the container ended before."""
    parts = [_short(waiting.get("message"))]
    if ended and ended.get("exitCode") is not None:
        parts.append(f"exit code {ended['exitCode']}")
    return ", ".join(part for part in parts if part)


def is_starting(told: Mapping[str, Any]) -> bool:
    """Is this pod not ready (yet, or any more)?"""
    conditions = tables(table(told, "status"), "conditions")
    return not any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _container(trouble: Diagnosis) -> str:
    return trouble.resource.rpartition("/")[2]


def _name(told: Mapping[str, Any]) -> str:
    return str(table(told, "metadata").get("name") or "?")


def _short(words: object) -> str:
    return one_line(words, _LONGEST) if isinstance(words, str) else ""
