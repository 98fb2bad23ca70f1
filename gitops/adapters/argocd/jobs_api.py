"""`ports.jobs.Jobs` over the API server of the cluster that runs an environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from gitops.adapters.argocd.collection import api_path
from gitops.adapters.argocd.connection import Connection
from gitops.core.text.plain import one_line
from gitops.core.unstructured import newest_first, table, tables, text
from gitops.errors import Conflict, NotFound
from gitops.ports.jobs import LONGEST_LOG, JobState

_STUCK = frozenset(
    {
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    }
)
RIGHTS = (
    "it needs: create and get jobs, create configmaps, list pods, get pods/log in that namespace "
    "(docs/how-to/data.md)"
)


class KubernetesJobs:
    """The Jobs of one API server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        connection.rights = RIGHTS

    @property
    def name(self) -> str:
        """What messages call it."""
        return self._connection.name

    def present(self, namespace: str, label: str) -> tuple[str, ...]:
        """Return the names of Jobs with a label that have not ended."""
        answer = self._connection.get(_jobs(namespace), [("labelSelector", label)]).data
        return tuple(
            text(table(one, "metadata"), "name")
            for one in tables(answer, "items")
            if _ended(one) is None
        )

    def keep(self, config_map: Mapping[str, Any]) -> None:
        """Create a ConfigMap that is not there yet."""
        namespace = text(table(config_map, "metadata"), "namespace")
        try:
            self._connection.post(
                f"/api/v1{api_path('namespaces', namespace, 'configmaps')}", config_map
            )
        except Conflict:
            return

    def create(self, job: Mapping[str, Any]) -> None:
        """Create a Job."""
        self._connection.post(_jobs(text(table(job, "metadata"), "namespace")), job)

    def state(self, namespace: str, job: str) -> JobState:
        """Read the Job, and its newest pod."""
        one = self._connection.get(f"{_jobs(namespace)}{api_path(job)}").data
        selector = [("labelSelector", f"job-name={job}")]
        found = self._connection.get(
            f"/api/v1{api_path('namespaces', namespace, 'pods')}", selector
        )
        pods = newest_first(tables(found.data, "items"))
        return _state(one, pods[0] if pods else {})

    def log(self, namespace: str, pod: str, container: str) -> str:
        """Read the log of a container; "" while there is none."""
        path = f"/api/v1{api_path('namespaces', namespace, 'pods', pod, 'log')}"
        query = [("container", container), ("limitBytes", str(LONGEST_LOG))]
        try:
            return self._connection.text(path, query, most=LONGEST_LOG)
        except NotFound:
            return ""


def _state(job: Mapping[str, Any], pod: Mapping[str, Any]) -> JobState:
    status = table(pod, "status")
    name = text(table(pod, "metadata"), "name") or None
    both = [*tables(status, "initContainerStatuses"), *tables(status, "containerStatuses")]
    started = tuple(text(one, "name") for one in both if _has_started(one))
    failed = next((one for one in both if _exit_code(one) not in (None, 0)), None)
    ended = _ended(job)
    if ended is not None:
        reason = "" if ended[0] == "succeeded" else _why(failed, ended[1])
        return JobState(ended[0], reason, name, started, text(failed or {}, "name") or None)
    if failed is not None and text(status, "phase") == "Failed":
        return JobState("running", _why(failed, ""), name, started, text(failed, "name"))
    waiting = [table(table(one, "state"), "waiting") for one in both]
    stuck = next((one for one in waiting if text(one, "reason") in _STUCK), None)
    if stuck is not None:
        return JobState("waiting", one_line(_words(stuck), 300), name, started)
    unscheduled = [
        text(one, "message")
        for one in tables(status, "conditions")
        if text(one, "type") == "PodScheduled" and text(one, "status") == "False"
    ]
    reason = one_line(unscheduled[0], 300) if unscheduled else ""
    return JobState("running" if started else "waiting", reason, name, started)


def _ended(job: Mapping[str, Any]) -> tuple[Literal["succeeded", "failed"], str] | None:
    for one in tables(table(job, "status"), "conditions"):
        if text(one, "status") == "True" and text(one, "type") in ("Complete", "Failed"):
            return ("succeeded" if text(one, "type") == "Complete" else "failed"), _words(one)
    return None


def _words(told: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (text(told, "reason"), text(told, "message"))))


def _why(failed: Mapping[str, Any] | None, otherwise: str) -> str:
    if failed is None:
        return one_line(otherwise, 300)
    code = _exit_code(failed)
    return one_line(f"container {text(failed, 'name')} ended with {code}", 300)


def _exit_code(status: Mapping[str, Any]) -> int | None:
    found = table(table(status, "state"), "terminated").get("exitCode")
    return found if isinstance(found, int) else None


def _has_started(status: Mapping[str, Any]) -> bool:
    state = table(status, "state")
    return bool(table(state, "running") or table(state, "terminated"))


def _jobs(namespace: str) -> str:
    return f"/apis/batch/v1{api_path('namespaces', namespace, 'jobs')}"
