"""`gitops doctor`: what is missing here, and how to get it. Writes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gitops.actions.context.policy_branch import open_tip
from gitops.core.images.name import image_name
from gitops.core.policy.reasons import environments_taking
from gitops.core.text.extras import EXTRAS, extra_hint
from gitops.core.text.plain import one_line
from gitops.errors import GitopsError, ManifestError, NotFound
from gitops.ports import NoForge

if TYPE_CHECKING:
    from gitops.actions.context.session import Session, Tip
    from gitops.core.environments.environment import Config
    from gitops.core.git.ci_build import CiBuild
    from gitops.ports.machine import Machine

State = Literal["ok", "optional", "missing"]

_OLDEST_PYTHON = (3, 11)
_OLDEST_GIT = (2, 30)
_MOST_AHEAD = 60.0  # seconds: from there on tokens of apps and soak times go wrong
_CLUSTER_SECONDS = 10.0
_INSTALL_KUBECTL = "install kubectl or kustomize: https://kubectl.docs.kubernetes.io/installation/"


class DoctorCheck(Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        name: what it is called: one or two words.
        state: `ok`; `optional`: not there, and only some commands need it; `missing`: something
            that is wanted here does not work.
        found: what was seen, in words. Holds no secret.
        hint: the way out; None where nothing is to be done.
    """

    name: str
    state: State
    found: str
    hint: str | None = None


class DoctorReport(Struct, frozen=True):
    """All that was looked at, in order."""

    checks: tuple[DoctorCheck, ...]

    @property
    def missing(self) -> tuple[DoctorCheck, ...]:
        """What does not work."""
        return tuple(one for one in self.checks if one.state == "missing")


def doctor(
    machine: Machine,
    open_session: Callable[[], Session],
    try_push: Callable[[], None],
    remote_url: Callable[[], str | None],
    built: Callable[[], CiBuild] | None = None,
) -> DoctorReport:
    """Look at the machine, the repository, and at what `gitops.yaml` asks for.

    What cannot be looked at is a finding, never an error. `try_push` asks the remote whether it
    would take a push and raises where not; `remote_url` has no secrets. `built`, in a CI job: what
    it builds, which raises where nobody can tell.
    """
    checks = [*_programs(machine)]
    config = None
    if all(one.state != "missing" for one in checks):
        try:
            session = open_session()
            found, config = _repository(session, try_push)
            checks += found
            if config is not None:
                checks += _wanted(machine, session, config)
            if built is not None:
                checks.append(_job(built, config))
            checks += _clock(machine, remote_url())
        except GitopsError as error:
            checks.append(_failed("repository", error, "--repo or GITOPS_REPO names another one"))
    checks += _libraries(machine, config)
    checks += _cache(machine)
    return DoctorReport(tuple(checks))


def _programs(machine: Machine) -> Iterator[DoctorCheck]:
    python = machine.python()
    yield DoctorCheck(
        "Python",
        "ok" if python[:2] >= _OLDEST_PYTHON else "missing",
        ".".join(map(str, python)),
        None if python[:2] >= _OLDEST_PYTHON else "install Python 3.11 or newer",
    )
    git = machine.git()
    number = re.search(r"(\d+)\.(\d+)", git or "")
    known = number is not None and (int(number[1]), int(number[2])) >= _OLDEST_GIT
    told = one_line(git or "not on PATH", 80)
    yield DoctorCheck(
        "Git", "ok" if known else "missing", told, None if known else _git_hint(machine)
    )


def _git_hint(machine: Machine) -> str:
    ways = {"apt-get": "apt-get install git", "apk": "apk add git", "brew": "brew install git"}
    way = next((ways[one] for one in ways if machine.program(one) is not None), None)
    return f"install Git 2.30 or newer{f': {way}' if way else ''}"


def _repository(
    session: Session, try_push: Callable[[], None]
) -> tuple[list[DoctorCheck], Config | None]:
    """Read the repository, ask whether it takes a push, and who would write there."""
    name = one_line(session.repository.describe(), 200)
    tip = None
    try:
        tip = open_tip(session)
        read = f"{name}: {tip.snapshot.branch} at {(tip.snapshot.commit or '')[:7]}"
        checks = [DoctorCheck("repository", "ok", read), _environments(tip)]
    except GitopsError as error:
        checks = [_failed("repository", error)]
        if isinstance(error, NotFound):
            return checks, None
    try:
        try_push()
        checks.append(
            DoctorCheck("rights", "ok", "it would take a push (rules of branches not asked)")
        )
    except GitopsError as error:
        checks.append(_failed("rights", error, "only looking works without them"))
    try:
        who = session.identity()
        checks.append(DoctorCheck("author", "ok", one_line(who.text, 120)))
    except GitopsError as error:
        checks.append(_failed("author", error))
    return checks, tip.config if tip is not None else None


def _job(built: Callable[[], CiBuild], config: Config | None) -> DoctorCheck:
    """Say what the CI job builds, and which environments `deploy --ref auto` would mean."""
    try:
        build = built()
    except GitopsError as error:
        return DoctorCheck("CI job", "optional", f"--ref auto is refused: {error}", error.hint)
    if build.tag is not None or build.branch is None:
        told = f"{build.system} builds the tag {build.tag}, and environments follow branches"
        hint = "name the branch that it was made on: --ref release/1.4"
        return DoctorCheck("CI job", "optional", one_line(told, 200), hint)
    commit = f" at {build.commit[:7]}" if build.commit else ""
    told = f"{build.system} builds {build.branch}{commit}"
    if config is not None:
        rows = ", ".join(row.name for row in environments_taking(config, build.branch, "auto"))
        told += f": --ref auto deploys to {rows or 'no environment'}"
    return DoctorCheck("CI job", "ok", one_line(told, 200))


def _environments(tip: Tip) -> DoctorCheck:
    names = [row.name for row in tip.config.environments]
    return DoctorCheck("gitops.yaml", "ok", f"environments: {one_line(', '.join(names), 160)}")


def _wanted(machine: Machine, session: Session, config: Config) -> Iterator[DoctorCheck]:
    """Look at the servers that this repository works with."""
    yield _forge(session, config)
    yield from _clusters(machine, session, config)
    yield from _registries(machine, session, config)


def _forge(session: Session, config: Config) -> DoctorCheck:
    wanted = any(row.change == "pull-request" for row in config.environments)
    try:
        forge = session.forge(config)
        if isinstance(forge, NoForge):
            why = forge.hint or "none at this remote: proposals are branches"
            return DoctorCheck("forge", "optional", one_line(why, 300))
        forge.find("gitops/doctor", config.branch or "main")
    except GitopsError as error:
        return _failed("forge", error, state="missing" if wanted else "optional")
    told = f"{one_line(forge.describe(), 200)} answers this token; what it may write was not tried"
    return DoctorCheck("forge", "ok", told, "`gitops validate --forge` compares its rules")


def _clusters(machine: Machine, session: Session, config: Config) -> Iterator[DoctorCheck]:
    named = session.clusters.is_named(config)
    kubeconfig = machine.kubeconfig()
    if not named and kubeconfig is None:
        yield DoctorCheck(
            "cluster",
            "optional",
            "no kubeconfig, and no ARGOCD_SERVER",
            "`gitops wait`, `watch` and health need one: docs/how-to/watch-health.md",
        )
        return
    seen: set[str] = set()
    for row in config.environments:
        if row.change == "work-tree":
            continue
        try:
            for cluster in session.clusters.of(config, row, within=_CLUSTER_SECONDS):
                if cluster.name not in seen:
                    seen.add(cluster.name)
                    many = len(cluster.applications().applications)
                    told = f"{cluster.name}: {many} Applications can be read"
                    yield DoctorCheck("cluster", "ok", one_line(told, 200))
        except GitopsError as error:
            # What nobody has named is only looked at because it is there.
            yield _failed("cluster", error, state="missing" if named else "optional")
            return


def _registries(machine: Machine, session: Session, config: Config) -> Iterator[DoctorCheck]:
    rules = config.registries
    if rules is None and all(row.pin == "tag" for row in config.environments):
        return
    hosts = sorted({*(rules.hosts if rules else ())} or _image_hosts(session))
    for host in hosts:
        try:
            source = machine.registry_login(host)
        except GitopsError as error:
            yield _failed("registry", error)
            continue
        if source is not None:
            yield DoctorCheck("registry", "ok", one_line(f"{host}: login of {source}", 200))
        else:
            hint = f"if it asks for one: docker login {host}"
            yield DoctorCheck("registry", "optional", f"{host}: no login here", hint)


def _image_hosts(session: Session) -> set[str]:
    """Return the registries that images of overlays name."""
    from gitops.actions.context.view import views_of

    hosts = set()
    for view in views_of(session, open_tip(session)):
        with suppress(ManifestError, NotFound):
            found = (image_name(value.name or name) for name, value in view.images.items())
            hosts |= {one.host for one in found if one is not None}
    return hosts


def _clock(machine: Machine, url: str | None) -> Iterator[DoctorCheck]:
    ahead = machine.clock_ahead(url) if url is not None else None
    if ahead is None:
        return
    told = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's"
    if abs(ahead) < _MOST_AHEAD:
        yield DoctorCheck("clock", "ok", "right, by the server's" if abs(ahead) < 2 else told)
    else:
        yield DoctorCheck("clock", "missing", told, "set it: tokens and soak times go by it")


def _libraries(machine: Machine, config: Config | None) -> Iterator[DoctorCheck]:
    """Say which extras are there; those that this repository wants are not optional."""
    wanted: set[str] = set()
    if config is not None and config.forge is not None:
        wanted.add("gitea" if config.forge.kind == "forgejo" else config.forge.kind)
    if config is not None and config.clusters:
        wanted.add("cluster")
    if config is not None and config.provenance.required:
        wanted.add("provenance")
    there = [extra for extra, library in EXTRAS.items() if machine.has_library(library.module)]
    yield DoctorCheck("extras", "ok", ", ".join(there) or "none, and most calls need none")
    for extra, library in EXTRAS.items():
        if extra not in there:
            state: State = "missing" if extra in wanted else "optional"
            yield DoctorCheck(
                f"[{extra}]", state, f"not installed: {library.purpose}", extra_hint(extra)
            )
    program = machine.program("kustomize", "kubectl")
    if program is not None:
        yield DoctorCheck("kustomize", "ok", program)
    else:
        found = "not on PATH: `validate` cannot build overlays"
        yield DoctorCheck("kustomize", "optional", found, _INSTALL_KUBECTL)


def _cache(machine: Machine) -> Iterable[DoctorCheck]:
    folder, trouble = machine.cache()
    if trouble is not None:
        found = one_line(f"{folder or 'none'}: {trouble}", 200)
        return [DoctorCheck("cache", "optional", found, "GITOPS_CACHE names a folder of your own")]
    return [DoctorCheck("cache", "ok", one_line(folder or "off", 200))]


def _failed(
    name: str, error: GitopsError, hint: str | None = None, state: State = "missing"
) -> DoctorCheck:
    reasons = f" ({'; '.join(error.reasons[:3])})" if error.reasons else ""
    return DoctorCheck(name, state, one_line(f"{error.message}{reasons}", 400), error.hint or hint)
