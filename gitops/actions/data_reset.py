"""`gitops data reset`: throw the dummy data of an environment away, and fill in other.

A Job from the overlay's own component does it. Where data is real it is refused three times over:
by what `gitops.yaml` says, by what the Job as it is built reaches, and by the guard in its own
manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from gitops.actions.context.named import find_overlay
from gitops.actions.context.overlays import read_overlay
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.manifests.files import SnapshotFiles
from gitops.actions.manifests.trial_build import plain_build
from gitops.core.data.classes import Classes
from gitops.core.data.findings import Overlaid
from gitops.core.data.manifests import GUARD, RESET_LABEL, read_manifests, read_typed
from gitops.core.data.reset import COMPONENT, ResetJob, find_job, ready, with_component
from gitops.core.data.rules import judge_overlay
from gitops.core.environments.environment import Overlay
from gitops.core.kustomization import FILE_NAMES
from gitops.core.kustomization.graph import walk
from gitops.core.text.plain import count, one_line, split_lines
from gitops.errors import ManifestError, NotFound, Refused, TimedOut, Unhealthy
from gitops.ports import Renderer, Snapshot
from gitops.ports.jobs import LONGEST_LOG, Jobs, JobState

_PAUSE = 1.0  # seconds between two looks
_WITHIN = 15.0  # seconds for one request
_SUFFIX = 6  # of the intent's id


class ResetRequest(Struct, frozen=True):
    """What `gitops data reset` was asked for.

    Attributes:
        seed: what is filled in; None: what the Job takes by itself.
        context: of the caller's kubeconfig; None: what `clusters:` says.
        timeout: seconds until the Job must have ended.
    """

    environment: str
    app: str | None = None
    seed: str | None = None
    context: str | None = None
    timeout: float = 600.0


class ResetReport(Struct, frozen=True):
    """What was done, or would be.

    Attributes:
        cluster: what messages call it; None where none was asked.
        job: the manifest.
        seconds: how long it took.
    """

    overlay: Overlay
    outcome: Literal["planned", "succeeded"]
    cluster: str | None
    job: ResetJob
    commit: str
    seconds: float = 0.0


def data_reset(
    session: Session,
    request: ResetRequest,
    *,
    confirm: Callable[[ResetReport], bool] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> ResetReport:
    """Run the Job, and `tell` each line of its log.

    `confirm` shows what is thrown away and asks; None does not ask.

    Raises Refused (real data, a Job that is none, another one that runs), NotFound (no component,
    no kustomize, no cluster), UsageError, Unhealthy when the Job failed, TimedOut, and what the
    ports raise.
    """
    tip = open_tip(session)
    overlay = find_overlay(tip, request.environment, request.app)
    _check_class(tip, overlay)
    found = _build(session, tip, overlay)
    name = session.intent.replace("-", "").lower()[-_SUFFIX:]
    by = session.identity().text
    job = ready(found, seed=request.seed, suffix=name, by=by, seconds=request.timeout)
    commit = tip.of(overlay.environment).commit or ""
    if session.dry_run:
        return ResetReport(overlay, "planned", None, job, commit)
    jobs = session.jobs.jobs_of(tip.config, overlay.environment, request.context, within=_WITHIN)
    running = jobs.present(job.namespace, f"{RESET_LABEL}=job")
    if running:
        raise Refused(
            f"{overlay.label}: another reset is running: {', '.join(running)}",
            hint=f"kubectl -n {job.namespace} logs -f job/{running[0]}",
        )
    planned = ResetReport(overlay, "planned", jobs.name, job, commit)
    if confirm is not None and not confirm(planned):
        raise Refused("nothing was reset", hint="--yes does not ask")
    began = session.clock.monotonic()
    for one in job.config_maps:
        jobs.keep(one)
    jobs.create(job.job)
    session.say(f"Job {job.name} in {job.namespace} of {jobs.name}")
    _follow(session, jobs, job, request.timeout, tell)
    seconds = session.clock.monotonic() - began
    return ResetReport(overlay, "succeeded", jobs.name, job, commit, seconds)


def _check_class(tip: Tip, overlay: Overlay) -> None:
    """Refuse by what `gitops.yaml` says, before anything is built."""
    row = overlay.environment
    if row.database == "real":
        raise Refused(
            f"{overlay.label} holds real data: nothing of it is ever reset",
            hint="where that is wrong, `database:` in gitops.yaml is",
        )
    if row.database is None:
        raise Refused(
            f"nobody says that the data of {overlay.label} is dummy",
            hint=f"`database: dummy` at {row.name} in gitops.yaml says so",
        )
    if not tip.config.databases:
        raise Refused(
            "gitops.yaml has no `databases:`, so nobody knows which are real",
            hint="docs/how-to/data.md",
        )


def _build(session: Session, tip: Tip, overlay: Overlay) -> ResetJob:
    """Build the overlay without its component and with it; refuse what must not run."""
    home = tip.of(overlay.environment)
    place = f"{overlay.directory}/{COMPONENT}"
    if not set(FILE_NAMES) & set(home.entries(place)):
        raise NotFound(
            f"{overlay.label} has no component {COMPONENT}: {place}/kustomization.yaml",
            hint="docs/how-to/data.md has one, and so has the sample (gitops init)",
        )
    renderer = session.renderer()
    if renderer is None:
        raise NotFound("no kustomize is at hand", hint="install kustomize or kubectl")
    file = read_overlay(home, overlay)
    with_it = with_component(file.content, file.path)
    before, after = (
        build_with(home, renderer, overlay.directory, {file.path: content})
        for content in (file.content, with_it)
    )
    classes = Classes(tip.config.databases)
    found = judge_overlay(Overlaid(overlay.environment, read_manifests(after), classes))
    wrong = [one.message for one in found if one.level == "error" and not one.space]
    if wrong:
        raise Refused(
            f"{overlay.label} reaches what it must not: {count(len(wrong), 'reason')}",
            reasons=tuple(wrong),
            hint=f"`gitops data check {overlay.environment.name}`",
        )
    return find_job(read_typed(before), read_typed(after), classes)


def _follow(
    session: Session, jobs: Jobs, job: ResetJob, timeout: float, tell: Callable[[str], None]
) -> None:
    """Look at the Job until it has ended, and tell what its containers say."""
    clock = session.clock
    deadline = clock.monotonic() + timeout
    said = _Log(jobs, job.namespace, tell)
    told = ""
    while True:
        state = jobs.state(job.namespace, job.name)
        said.read(state)
        if state.phase == "succeeded":
            return
        if state.phase == "failed":
            raise _failed(job, state)
        if state.reason and state.reason != told:
            told = state.reason
            session.say(one_line(told, 300))
        if clock.monotonic() >= deadline:
            about = f": {state.reason}" if state.reason else ""
            raise TimedOut(
                f"Job {job.name} has not ended after {timeout:g} s{about}",
                hint=f"it may still run: kubectl -n {job.namespace} logs -f job/{job.name}",
            )
        clock.pause(min(_PAUSE, max(deadline - clock.monotonic(), 0.0)), _PAUSE / 2)


class _Log:
    """What containers said, each line told once."""

    def __init__(self, jobs: Jobs, namespace: str, tell: Callable[[str], None]) -> None:
        self._jobs = jobs
        self._namespace = namespace
        self._tell = tell
        self._told: dict[tuple[str, str], int] = {}

    def read(self, state: JobState) -> None:
        """Tell the lines that are new; the last one as well once nothing follows."""
        ended = state.phase in ("succeeded", "failed")
        for container in state.started if state.pod is not None else ():
            key = (state.pod or "", container)
            text = self._jobs.log(self._namespace, key[0], container)
            lines = split_lines(text) if text else []
            if not ended and not text.endswith("\n"):
                lines = lines[:-1]
            before = self._told.get(key, 0)
            for line in lines[before:]:
                self._tell(line)
            self._told[key] = max(before, len(lines))
            if len(text.encode()) >= LONGEST_LOG and ended:
                self._tell("(the rest of the log is not shown)")


def _failed(job: ResetJob, state: JobState) -> Unhealthy:
    if state.failed == GUARD:
        return Unhealthy(
            f"the guard of Job {job.name} stopped it: {', '.join(job.guarded)} is in "
            f"{job.namespace}, so the data there may be real",
            hint="nothing was reset; find out how that Secret came there",
        )
    return Unhealthy(
        f"Job {job.name} failed: {state.reason or 'nobody says why'}",
        hint=f"the data may be half filled in; kubectl -n {job.namespace} describe job/{job.name}",
    )


class _Edited:
    """A snapshot with other bytes at some of its paths."""

    def __init__(self, home: Snapshot, files: Mapping[str, bytes]) -> None:
        self._home = home
        self._files = files
        self.branch = home.branch
        self.commit = home.commit

    def read(self, path: str) -> bytes | None:
        return self._files[path] if path in self._files else self._home.read(path)

    def entries(self, directory: str) -> tuple[str, ...]:
        return self._home.entries(directory)

    def mark(self, path: str) -> None:
        """Nobody knows: some of it is not what `home` has."""

    def prepare(self, directories: Iterable[str], names: Sequence[str] = ()) -> None:
        self._home.prepare(directories, names)


def build_with(
    home: Snapshot, renderer: Renderer, directory: str, files: Mapping[str, bytes]
) -> str:
    """Return the manifests of `directory` with `files` (path -> bytes) in place of its own.

    Raises ManifestError where it does not build, or a build would fetch or run something.
    """
    snapshot = _Edited(home, files)
    graph = walk(SnapshotFiles(snapshot), directory)
    trial = plain_build(snapshot, renderer, graph, directory)
    if trial.text is None:
        why = trial.problem or trial.skipped or "it does not build"
        raise ManifestError(why, path=next(iter(files), directory))
    return trial.text
