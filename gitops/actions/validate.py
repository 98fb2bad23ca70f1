"""`gitops validate`: everything that is wrong with a manifest repository, as values.

Looks at `gitops.yaml`, every overlay and every hold; nothing here raises for what it finds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.holds import HOLDS, hold_paths, readable_hold, standing_hold_path
from gitops.actions.context.overlays import apps_folder, overlays_of, read_overlay
from gitops.actions.manifests.follower_problems import FollowerCheck
from gitops.actions.manifests.judged import JudgedOverlays
from gitops.actions.manifests.overlay_problems import OverlayCheck, Pinned, problem_of
from gitops.actions.manifests.trial_build import TrialBuilds
from gitops.actions.policy.builds import FollowWatch
from gitops.core.environments.branch_patterns import is_branch_part
from gitops.core.environments.environment import CONFIG_PATH, Config, Environment, Overlay
from gitops.core.hold import HOLD_ALL_PATH, parse_hold
from gitops.core.releases.held import strayed
from gitops.core.releases.release import Release
from gitops.core.report import Problem, ProblemLevel
from gitops.core.text.counting import counted
from gitops.errors import ConfigError, GitopsError, ManifestError, NotFound
from gitops.ports import Index, Snapshot

if TYPE_CHECKING:
    from gitops.actions.manifests.data_checks import DataChecks

_PLACED = re.compile(r"(?P<path>.+?):(?P<line>\d+):(?P<column>\d+): (?P<message>.*)", re.DOTALL)


class ValidateReport(Struct, frozen=True):
    """What was found, in the order config, overlays (promotion order), holds.

    Attributes:
        overlays: how many overlays were looked at.
        notes: what was not looked at, or not kept apart.
    """

    problems: tuple[Problem, ...]
    overlays: int
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """2 when `gitops.yaml` has an error, 3 when another file has one, else 0."""
        wrong = {problem.path for problem in self.problems if problem.level == "error"}
        return 2 if CONFIG_PATH in wrong else 3 if wrong else 0


def validate(
    snapshot: Snapshot,
    load_config: Callable[[bytes], Config],
    now: datetime,
    read: Callable[[str], Snapshot],
    builds: TrialBuilds | None = None,
    released: Callable[[Snapshot, Overlay], Iterable[Release]] = lambda _, __: (),
    heads: Callable[[str], Mapping[str, str]] | None = None,
    index: Index | None = None,
) -> ValidateReport:
    """Look at the config of `snapshot`, and at the overlays and the holds of its environments.

    `load_config` raises ConfigError, as `gitops.config.load_config` does. `now` (aware) tells which
    freezes are on. `read` gives the tips of branches that environments have of their own; it raises
    what `ports.Repository.snapshot` does. `builds`: overlays are built as well. `released` gives
    the releases of an overlay, newest first; it is asked where a rollback set a hold. `heads` asks
    a source repository for its branches; None: nobody is asked. `index` keeps what was found.
    """
    builds = builds if builds is not None else TrialBuilds()
    problems: list[Problem] = []
    config = _load(snapshot, load_config, problems)
    if config is None:
        return ValidateReport((*problems, *_check_holds(snapshot, None, {})), 0)
    homes = _homes(snapshot, config, read, problems)
    data, judged = _data_checks(config), JudgedOverlays(index)
    watch, followers = FollowWatch(config, heads), FollowerCheck(config)
    look = OverlayCheck(builds, data, config.also, judged)
    problems += _check_config(config)
    problems += _check_freezes(config, now)
    overlays = {row: overlays_of(home, row) for row, home in homes.items()}
    problems += _check_apps(homes, overlays, config)
    for row, home in homes.items():
        look.read_together(home, overlays[row])
        for overlay in counted(builds.count, f"looking at {row.name}", overlays[row]):
            problems += _elsewhere(snapshot, home, look.problems(home, overlay))
            problems += _elsewhere(snapshot, home, _check_held(home, overlay, released))
            problems += _elsewhere(snapshot, home, followers.problems(home, overlay))
            problems += _check_followed(watch, home, overlay, released)
    problems += followers.unused()
    judged.keep()
    problems += _check_after(homes, look.pinned, snapshot)
    for overlay, problem in look.passed_through(homes):
        problems += _elsewhere(snapshot, homes[overlay.environment], [problem])
    problems += [one.problem(snapshot.branch) for one in data.found()] if data is not None else []
    tips = {snapshot.branch: snapshot, **{home.branch: home for home in homes.values()}}
    trunk = _trunk(snapshot, config)
    for branch, home in tips.items():
        here = {row: overlays[row] for row, own in homes.items() if own.branch == branch}
        problems += _elsewhere(snapshot, home, _check_holds(home, config, here, branch == trunk))
        if branch != trunk:
            problems += _elsewhere(snapshot, home, _check_copy(home, tips.get(trunk)))
    return ValidateReport(tuple(problems), sum(map(len, overlays.values())), builds.notes())


def _data_checks(config: Config) -> DataChecks | None:
    """Return what looks at the ways to databases, where `gitops.yaml` says how they are known."""
    if not config.databases:
        return None
    from gitops.actions.manifests.data_checks import DataChecks  # only where somebody asked

    return DataChecks(config)


def _check_followed(
    watch: FollowWatch,
    home: Snapshot,
    overlay: Overlay,
    released: Callable[[Snapshot, Overlay], Iterable[Release]],
) -> Iterator[Problem]:
    """Warn where a newer release branch of a source repository keeps builds out."""
    row = overlay.environment
    if not watch.looks_at(row):
        return
    try:
        images = read_overlay(home, overlay).read_images()
    except (ManifestError, NotFound):
        return
    for text in watch.warnings(row, images, partial(released, home, overlay)):
        yield Problem(CONFIG_PATH, row.line, 1, "warning", f"{overlay.label}: {text}")


def _homes(
    snapshot: Snapshot,
    config: Config,
    read: Callable[[str], Snapshot],
    problems: list[Problem],
) -> dict[Environment, Snapshot]:
    """Return each environment with the tip that it lives on, without those that cannot be read."""
    trunk = _trunk(snapshot, config)
    tips: dict[str, Snapshot | GitopsError] = {snapshot.branch: snapshot}
    homes: dict[Environment, Snapshot] = {}
    for row in config.environments:
        branch = row.branch if row.branch not in (None, config.branch) else trunk
        if branch not in tips:
            try:
                tips[branch] = read(branch)
            except GitopsError as error:
                tips[branch] = error
        tip = tips[branch]
        if isinstance(tip, GitopsError):
            level: ProblemLevel = "error" if isinstance(tip, NotFound) else "warning"
            message = f"{row.name} lives on branch {branch}: {tip.message}"
            problems.append(Problem(CONFIG_PATH, row.line, 1, level, message))
        else:
            homes[row] = tip
    return homes


def _trunk(snapshot: Snapshot, config: Config) -> str:
    """Return the top-level branch. `snapshot` stands for it, unless some environment lives there.

    (A feature branch is looked at as what the top-level one will be.)
    """
    own = {row.branch for row in config.environments}
    return config.branch if snapshot.branch in own and config.branch else snapshot.branch


def _elsewhere(
    snapshot: Snapshot, home: Snapshot, problems: Iterable[Problem]
) -> Iterator[Problem]:
    """Say of the files of another branch which one it is."""
    for problem in problems:
        yield problem if home is snapshot else replace(problem, branch=home.branch)


def _check_copy(home: Snapshot, trunk: Snapshot | None) -> Iterator[Problem]:
    """Whoever edits a copy of the config on an environment's branch changes nothing."""
    content = home.read(CONFIG_PATH)
    if trunk is not None and content is not None and content != trunk.read(CONFIG_PATH):
        message = f"nothing reads this copy: policy is read from {trunk.branch}"
        yield Problem(CONFIG_PATH, 1, 1, "warning", message)


def _load(
    snapshot: Snapshot, load_config: Callable[[bytes], Config], problems: list[Problem]
) -> Config | None:
    try:
        content = snapshot.read(CONFIG_PATH)
        if content is not None:
            return load_config(content)
        problems.append(
            Problem(CONFIG_PATH, 1, 1, "error", "is not there: `gitops init` makes one")
        )
    except ManifestError as error:
        problems.append(problem_of(error))
    except ConfigError as error:
        for reason in error.reasons:
            found = _PLACED.fullmatch(reason)
            path, line, column, message = found.groups() if found else (CONFIG_PATH, 1, 1, reason)
            problems.append(Problem(path, int(line), int(column), "error", message))
    return None


def _check_config(config: Config) -> Iterator[Problem]:
    for row in config.environments:
        if row.deploy == "auto" and not row.accepts:
            message = f"{row.name} deploys automatically and accepts no branch: nothing ever comes"
            yield Problem(CONFIG_PATH, row.line, 1, "warning", message)


def _check_freezes(config: Config, now: datetime) -> Iterator[Problem]:
    """Nothing is wrong with a freeze, but whoever looks should know when it opens."""
    if not config.freezes:
        return
    from gitops.core.environments.freeze import closed  # time zones, only where there are windows
    from gitops.core.policy.promotion import judge_freeze

    for row in config.environments:
        hit = closed(config.freezes, row.name, now)
        for reason in judge_freeze(Overlay(row), hit):
            yield Problem(CONFIG_PATH, row.line, 1, "warning", f"{row.name} is {reason.text}")


def _check_apps(
    homes: Mapping[Environment, Snapshot],
    overlays: Mapping[Environment, tuple[Overlay, ...]],
    config: Config,
) -> Iterator[Problem]:
    """Apps by folder: each needs a name that works as a branch.

    A folder without an overlay of any environment is none: charts, policies, notes lie there, too.
    """
    rows = [row for row in homes if row.per_app]
    apps = {row.name: [one.app for one in overlays[row]] for row in rows}
    with_overlay = {app for found in apps.values() for app in found}
    for row in rows:
        if not apps[row.name]:
            # A new repository has no app in prod yet; one without any app is a wrong path.
            level: ProblemLevel = "warning" if with_overlay else "error"
            message = f"{row.name} has no app: no folder matches {row.shown}"
            yield Problem(CONFIG_PATH, row.line, 1, level, message)
    folders: dict[tuple[str, str], Environment] = {}
    for row in rows:
        for pattern in row.patterns:
            folders.setdefault((homes[row].branch, apps_folder(pattern)), row)
    for (_, parent), first in folders.items():
        for name in homes[first].entries(parent):
            app = name.rstrip("/")
            if name.endswith("/") and app in with_overlay and app[0] != ".":
                what = _app_problem(app, config)
                if what is not None:
                    where = f"{parent}/{name}".lstrip("/")
                    yield Problem(CONFIG_PATH, first.line, 1, "error", f"{where}: {what}")


def _app_problem(app: str, config: Config) -> str | None:
    taken = config.find(app) is not None or config.find_group(app) is not None
    if app == "ledger" or taken:
        return f"an app must not be called {app}: branches gitops/{app} would clash"
    if not is_branch_part(app):
        return f"an app called {app!r} cannot have a branch gitops/{app}/…"
    return None


def _check_after(
    homes: Mapping[Environment, Snapshot], pinned: dict[Overlay, Pinned], snapshot: Snapshot
) -> Iterator[Problem]:
    """An image that an `after` environment does not have can never be released there first."""
    by_label = {overlay.label: entries for overlay, (_, entries) in pinned.items()}
    for overlay, (path, entries) in pinned.items():
        home = homes[overlay.environment]
        for name in overlay.environment.after:
            # A layout with one overlay for all may come before one with apps.
            label = f"{overlay.app}/{name}" if overlay.app else name
            before = label if label in by_label else name
            if before not in by_label:
                continue
            there = {entry.image for entry in by_label[before]}
            missing = [entry for entry in entries if entry.image not in there]
            yield from _elsewhere(
                snapshot,
                home,
                [
                    Problem(
                        path,
                        entry.line,
                        entry.column,
                        "warning",
                        f"{entry.image} is not in {before}, where {overlay.label} wants it first",
                    )
                    for entry in missing
                ],
            )


def _check_holds(
    home: Snapshot,
    config: Config | None,
    overlays: Mapping[Environment, tuple[Overlay, ...]],
    trunk: bool = True,
) -> Iterator[Problem]:
    """Can the holds be read, and do they hold any of `overlays`, which live there?

    `trunk`: it is the top-level branch, which the hold of everything is read from.
    """
    paths = [HOLD_ALL_PATH]
    for name in home.entries(HOLDS):
        inside = home.entries(f"{HOLDS}/{name[:-1]}") if name.endswith("/") else ("",)
        paths += [f"{HOLDS}/{name}{one}" for one in inside]
    known = {HOLD_ALL_PATH} if trunk else set()
    for some in overlays.values():
        known |= {path for one in some for path in hold_paths(one)}
    for path in paths:
        try:
            content = home.read(path)
            if content is None:
                continue
            parse_hold(content, path)
        except ManifestError as error:
            yield problem_of(error)
            continue
        if config and path not in known:
            named = config.find(path.rpartition("/")[2].removesuffix(".yaml"))
            stops = named is None and path != HOLD_ALL_PATH
            message = f"holds nothing: {_why_not(path, config, overlays)}"
            message += (
                "; every deploy and promotion is refused until it is settled" if stops else ""
            )
            yield Problem(path, 1, 1, "error" if stops else "warning", message)


def _check_held(
    home: Snapshot, overlay: Overlay, released: Callable[[Snapshot, Overlay], Iterable[Release]]
) -> Iterator[Problem]:
    """Does the overlay run what the rollback left that holds it?"""
    if home.mark(HOLDS) == "":  # nothing is held on this branch
        return
    path = standing_hold_path(home, overlay)
    content = home.read(path)
    hold = readable_hold(content, path) if content is not None else None
    if hold is None or hold.restores is None:
        return
    try:
        images = read_overlay(home, overlay).read_images()
        astray = strayed(hold, images, released(home, overlay))
    except GitopsError:
        return  # it is told elsewhere
    if astray is not None:
        yield Problem(path, 1, 1, "warning", f"{overlay.label}: {astray}")


def _why_not(path: str, config: Config, rows: Container[Environment]) -> str:
    if path == HOLD_ALL_PATH:
        return "the hold of everything is read from the top-level branch"
    row = config.find(path.rpartition("/")[2].removesuffix(".yaml"))
    app = path.removeprefix(f"{HOLDS}/").rpartition("/")[0]
    if row is not None and row in rows and row.per_app and app:
        return f"{row.name} has no app {app}, unless as it was called before"
    if row is None or row in rows:
        return "no environment has this name"
    return f"{row.name} lives on {row.branch or 'the top-level branch'}"
