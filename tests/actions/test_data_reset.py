"""`gitops data reset`: what is refused before anything is touched, and how a Job is followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fakes import FakeRepository, session_on
from gitops.actions.data_reset import ResetReport, ResetRequest, data_reset
from gitops.errors import NotFound, Refused, TimedOut, Unhealthy
from gitops.ports import Build
from gitops.ports.jobs import JobState

CONFIG = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: dev, overlay: dev, database: dummy}
  - {name: prod, overlay: prod, database: real}
  - {name: other, overlay: other}
databases:
  - {class: real, hosts: [real.example.com], secrets: [shop-db]}
  - {class: dummy, hosts: [dummy-db]}
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: data-reset, namespace: dev, labels: {gitops.dev/data-reset: job}}
spec:
  template:
    spec:
      restartPolicy: Never
      initContainers:
      - name: data-guard
        env: [{name: R, valueFrom: {secretKeyRef: {name: shop-db, key: u, optional: true}}}]
      containers: [{name: reset, env: [{name: DATABASE_HOST, value: ADDRESS}]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: seeds, namespace: dev}
"""
BASE = "apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: dev}\n"
FILES = {
    "gitops.yaml": CONFIG,
    "dev/kustomization.yaml": "resources: []\n",
    "dev/data-reset/kustomization.yaml": "kind: Component\n",
    "prod/kustomization.yaml": "resources: []\n",
    "other/kustomization.yaml": "resources: []\n",
}


class Builds:
    """`ports.Renderer` that knows what comes of the overlay, with the component and without."""

    name = "kustomize"

    def __init__(self, job: str) -> None:
        self._job = job

    def build(self, files: Mapping[str, Any], directory: str) -> Build:
        """See `ports.Renderer`."""
        content = files[f"{directory}/kustomization.yaml"].content
        return Build(f"{BASE}---\n{self._job}" if b"- data-reset" in content else BASE)


class FakeJobs:
    """`ports.jobs.Jobs` that plays a list of states; the log grows with each look."""

    name = "kind"

    def __init__(self, *states: JobState, running: tuple[str, ...] = ()) -> None:
        self.states = list(states)
        self.running = running
        self.made: list[str] = []
        self.logs = ["", "a\nb", "a\nb\nc\n", "a\nb\nc\nd"]

    def jobs_of(self, *_: object, **__: object) -> FakeJobs:
        """See `ports.jobs.JobClusters`."""
        return self

    def present(self, namespace: str, label: str) -> tuple[str, ...]:
        """See `ports.jobs.Jobs`."""
        assert ("dev", "gitops.dev/data-reset=job") == (namespace, label)
        return self.running

    def keep(self, config_map: Mapping[str, Any]) -> None:
        """See `ports.jobs.Jobs`."""
        self.made.append(config_map["metadata"]["name"])

    def create(self, job: Mapping[str, Any]) -> None:
        """See `ports.jobs.Jobs`."""
        self.made.append(job["metadata"]["name"])

    def state(self, namespace: str, job: str) -> JobState:
        """See `ports.jobs.Jobs`."""
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def log(self, namespace: str, pod: str, container: str) -> str:
        """See `ports.jobs.Jobs`."""
        return self.logs.pop(0) if len(self.logs) > 1 else self.logs[0]


RUNNING = JobState("running", pod="p", started=("reset",))
DONE = JobState("succeeded", pod="p", started=("reset",))


def run(
    jobs: FakeJobs,
    environment: str = "dev",
    *,
    job: str = JOB.replace("ADDRESS", "dummy-db"),
    files: Mapping[str, str | None] = {},
    dry_run: bool = False,
    said: list[str] | None = None,
    told: list[str] | None = None,
    **more: Any,
) -> ResetReport:
    """Reset an environment of a repository in memory."""
    repository = FakeRepository()
    content = {**FILES, **files}
    repository.commit({path: text.encode() for path, text in content.items() if text is not None})
    session = session_on(
        repository,
        intent="1" * 32,
        dry_run=dry_run,
        jobs=jobs,
        renderer=lambda: Builds(job),
        say=(said if said is not None else []).append,
    )
    request = ResetRequest(environment, timeout=10)
    return data_reset(session, request, tell=(told if told is not None else []).append, **more)


def test_followed_to_its_end() -> None:
    """ConfigMaps first, then the Job; each line of the log once, a half one when it is whole."""
    jobs, told = FakeJobs(JobState("waiting"), RUNNING, RUNNING, RUNNING, DONE), []
    report = run(jobs, told=told)

    assert ["seeds", "data-reset-111111"] == jobs.made
    assert ["a", "b", "c", "d"] == told
    assert ("succeeded", "kind", "dev") == (report.outcome, report.cluster, report.job.namespace)
    assert report.seconds > 0


def test_dry_run_touches_nothing() -> None:
    """Nothing is asked or made; the Job is told."""
    jobs = FakeJobs(DONE)
    report = run(jobs, dry_run=True)

    assert ([], "planned", None) == (jobs.made, report.outcome, report.cluster)


@pytest.mark.parametrize(
    ("environment", "more", "words"),
    [
        ("prod", {}, "prod holds real data: nothing of it is ever reset"),
        ("other", {}, "nobody says that the data of other is dummy"),
        ("dev", {"job": JOB.replace("ADDRESS", "real.example.com")}, "reaches what it must not"),
        ("dev", {"job": JOB.replace("ADDRESS", "db.elsewhere.org")}, "reaches what it must not"),
        ("dev", {"job": JOB.replace("data-guard", "x").replace("ADDRESS", "dummy-db")}, "reaches"),
        ("dev", {"job": "kind: Job\nmetadata: {name: x}\n"}, "is none that may run"),
        (
            "dev",
            {"files": {"gitops.yaml": CONFIG.partition("databases:")[0]}},
            "gitops.yaml has no `databases:`",
        ),
    ],
)
def test_refused(environment: str, more: dict[str, Any], words: str) -> None:
    """Real data, by its class or by what the Job reaches, and a Job without a guard: nothing is
    made, dry run or not."""
    for dry_run in (True, False):
        jobs = FakeJobs(DONE)
        with pytest.raises(Refused) as told:
            run(jobs, environment, dry_run=dry_run, **more)
        assert words in told.value.message
        assert [] == jobs.made


def test_another_one_runs() -> None:
    """Two resets at once would undo each other."""
    with pytest.raises(Refused, match="another reset is running: data-reset-x"):
        run(FakeJobs(DONE, running=("data-reset-x",)))


def test_asked_first() -> None:
    """Who says no has lost nothing."""
    jobs = FakeJobs(DONE)
    with pytest.raises(Refused, match="nothing was reset"):
        run(jobs, confirm=lambda _: False)

    assert [] == jobs.made


def test_no_component() -> None:
    """An overlay without one is told where it would be."""
    with pytest.raises(NotFound, match="dev/data-reset/kustomization"):
        run(FakeJobs(DONE), files={"dev/data-reset/kustomization.yaml": None})


def test_ends_badly() -> None:
    """A Job that fails, the guard that stops it, and one that takes too long: each its words."""
    failed = JobState("failed", "container reset ended with 3", "p", ("reset",), "reset")
    guard = JobState("failed", "container data-guard ended with 1", "p", (), "data-guard")
    stuck = JobState("waiting", "ImagePullBackOff: no such image", "p")
    said: list[str] = []

    with pytest.raises(Unhealthy, match="failed: container reset ended with 3"):
        run(FakeJobs(RUNNING, failed))
    with pytest.raises(Unhealthy, match="shop-db is in dev, so the data there may be real"):
        run(FakeJobs(guard))
    with pytest.raises(TimedOut, match="has not ended after 10 s: ImagePullBackOff") as told:
        run(FakeJobs(stuck), said=said)
    assert "kubectl -n dev logs -f job/data-reset-111111" in (told.value.hint or "")
    assert 1 == said.count("ImagePullBackOff: no such image")
