"""`gitops validate`: everything that is wrong with a manifest repository, as values.

Looks at `gitops.yaml`, every overlay and every hold; nothing here raises for what it finds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gitops.actions.manifest_images import manifest_images
from gitops.actions.overlays import apps_of, overlays_of, read_overlay
from gitops.core.environment import CONFIG_PATH, Config, Environment, Overlay
from gitops.core.hold import HOLD_ALL_PATH, hold_path, parse_hold
from gitops.core.image import KEEP, ImageRequest
from gitops.core.kustomization import Entry, edit_images, read_entries
from gitops.errors import ConfigError, ManifestError, NotFound
from gitops.ports import Snapshot

HOLDS = ".gitops/holds"
Pinned = tuple[str, tuple[Entry, ...]]  # path of a kustomization file, and what it pins

_APP = re.compile(r"(?![-.])(?!.*\.\.)(?!.*\.lock$)[^\s~^:?*\[\]\\{}\x00-\x20\x7f]+(?<!\.)")
_PLACED = re.compile(r"(?P<path>.+?):(?P<line>\d+):(?P<column>\d+): (?P<message>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        line, column: from 1; 1:1 where the whole file, or a folder, is meant.
        level: an `error` stops gitops from working there; a `warning` is for a person to judge.
    """

    path: str
    line: int
    column: int
    level: Literal["error", "warning"]
    message: str


@dataclass(frozen=True, slots=True)
class ValidateReport:
    """What was found, in the order config, overlays (promotion order), holds.

    Attributes:
        overlays: how many overlays were looked at.
    """

    problems: tuple[Problem, ...]
    overlays: int

    @property
    def exit_code(self) -> int:
        """2 when `gitops.yaml` has an error, 3 when another file has one, else 0."""
        wrong = {problem.path for problem in self.problems if problem.level == "error"}
        return 2 if CONFIG_PATH in wrong else 3 if wrong else 0


def validate(
    snapshot: Snapshot, load_config: Callable[[bytes], Config], now: datetime
) -> ValidateReport:
    """Look at the config, the overlays and the holds of `snapshot`.

    `load_config` raises ConfigError, as `gitops.config.load_config` does. `now` (aware) tells which
    freezes are on.
    """
    problems: list[Problem] = []
    config = _load(snapshot, load_config, problems)
    found: dict[Overlay, Pinned] = {}
    count = 0
    if config is not None:
        problems += _check_config(config)
        problems += _check_freezes(config, now)
        problems += _check_apps(snapshot, config)
        for overlay in (one for row in config.environments for one in overlays_of(snapshot, row)):
            count += 1
            problems += _check_overlay(snapshot, overlay, found)
        problems += _check_after(found)
    problems += _check_holds(snapshot, config)
    return ValidateReport(tuple(problems), count)


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
        problems.append(_problem(error))
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
    from gitops.core.freeze import closed  # time zones, only where there are windows
    from gitops.core.promotion import judge_freeze

    for row in config.environments:
        hit = closed(config.freezes, row.name, now)
        for reason in judge_freeze(Overlay(row), hit):
            yield Problem(CONFIG_PATH, row.line, 1, "warning", f"{row.name} is {reason.text}")


def _check_apps(snapshot: Snapshot, config: Config) -> Iterator[Problem]:
    """Apps by folder: every one needs an overlay somewhere, and a name that works as a branch."""
    rows = [row for row in config.environments if row.per_app]
    apps = {row.name: apps_of(snapshot, row) for row in rows}
    with_overlay = {app for found in apps.values() for app in found}
    for row in rows:
        if not apps[row.name]:
            # A new repository has no app in prod yet; one without any app is a wrong path.
            level: Literal["error", "warning"] = "warning" if with_overlay else "error"
            message = f"{row.name} has no app: no folder matches {row.overlay}"
            yield Problem(CONFIG_PATH, row.line, 1, level, message)
    for parent in dict.fromkeys(_parent(row) for row in rows):
        first = next(row for row in rows if _parent(row) == parent)
        for name in snapshot.entries(parent):
            app = name.rstrip("/")
            # At the root other folders (base, docs) are no apps.
            if name.endswith("/") and (app in with_overlay or parent) and app[0] != ".":
                what = _app_problem(app, app in with_overlay, config)
                if what is not None:
                    where = f"{parent}/{name}".lstrip("/")
                    yield Problem(CONFIG_PATH, first.line, 1, "error", f"{where}: {what}")


def _app_problem(app: str, has_overlay: bool, config: Config) -> str | None:
    if not has_overlay:
        return "this app has no overlay of any environment"
    if app == "ledger" or config.find(app) is not None:
        return f"an app must not be called {app}: branches gitops/{app} would clash"
    if _APP.fullmatch(app) is None:
        return f"an app called {app!r} cannot have a branch gitops/{app}/…"
    return None


def _parent(row: Environment) -> str:
    return row.overlay.partition("{app}")[0].rstrip("/")


def _check_overlay(
    snapshot: Snapshot, overlay: Overlay, pinned: dict[Overlay, Pinned]
) -> Iterator[Problem]:
    """Can the kustomization be read and edited? Puts what it pins into `pinned`."""
    directory = overlay.directory
    for name in snapshot.entries(directory):
        if name.startswith(".argocd-source-"):
            message = "Argo CD puts this over the overlay's images: changes seem to do nothing"
            yield Problem(f"{directory}/{name}", 1, 1, "warning", message)
    try:
        file = read_overlay(snapshot, overlay)
        found = read_entries(file.content, file.path)
    except NotFound:
        what = "has no kustomization" if snapshot.entries(directory) else "does not exist"
        message = f"{overlay.label}: the overlay {directory} {what}"
        yield Problem(CONFIG_PATH, overlay.environment.line, 1, "error", message)
        return
    except ManifestError as error:
        yield _problem(error)
        return
    pinned[overlay] = (file.path, found)
    problems = list(_check_entries(file.path, file.content, found))
    yield from problems
    if not found and not problems:
        message = "no images: gitops has nothing to change here"
        yield Problem(file.path, 1, 1, "warning", message)
    used = manifest_images(snapshot, directory)
    for entry in found:
        if used is not None and entry.image not in used:
            message = f"no manifest that it builds on uses {entry.image}: this changes nothing"
            yield Problem(file.path, entry.line, entry.column, "warning", message)


def _check_entries(path: str, content: bytes, entries: tuple[Entry, ...]) -> Iterator[Problem]:
    seen: dict[str, Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.image, entry)
        if first is not entry:
            message = f"{entry.image} stands here twice: first on line {first.line}"
            yield Problem(path, entry.line, entry.column, "error", message)
            continue
        if entry.tag_suffix:
            message = f"{entry.image} has a tagSuffix, which kustomize applies twice"
            yield Problem(path, entry.line, entry.column, "warning", message)
        if entry.value.tag is None and entry.value.digest is None:
            message = f"{entry.image} pins neither tag nor digest: what the base says runs"
            yield Problem(path, entry.line, entry.column, "warning", message)
    if len(seen) == len(entries):
        yield from _check_editable(path, content, list(seen.values()))


def _check_editable(path: str, content: bytes, entries: list[Entry]) -> Iterator[Problem]:
    """Try an edit of all entries, then, if that is refused, of each: the refusals are problems."""
    try:
        edit_images(content, path, [_trial(entry) for entry in entries])
    except ManifestError as error:
        if len(entries) < 2:
            yield _problem(error)
            return
        for entry in entries:
            yield from _check_editable(path, content, [entry])


def _trial(entry: Entry) -> ImageRequest:
    """Ask for other values in the fields that the entry has."""
    return ImageRequest(
        entry.image,
        tag=KEEP if entry.value.tag is None and entry.value.digest else "trial",
        digest=KEEP if entry.value.digest is None else f"sha256:{'0' * 64}",
    )


def _check_after(pinned: dict[Overlay, Pinned]) -> Iterator[Problem]:
    """An image that an `after` environment does not have can never be released there first."""
    by_label = {overlay.label: entries for overlay, (_, entries) in pinned.items()}
    for overlay, (path, entries) in pinned.items():
        for name in overlay.environment.after:
            # A layout with one overlay for all may come before one with apps.
            label = f"{overlay.app}/{name}" if overlay.app else name
            before = label if label in by_label else name
            if before not in by_label:
                continue
            there = {entry.image for entry in by_label[before]}
            for entry in entries:
                if entry.image not in there:
                    message = (
                        f"{entry.image} is not in {before}, where {overlay.label} wants it first"
                    )
                    yield Problem(path, entry.line, entry.column, "warning", message)


def _check_holds(snapshot: Snapshot, config: Config | None) -> Iterator[Problem]:
    paths = [HOLD_ALL_PATH]
    for name in snapshot.entries(HOLDS):
        inside = snapshot.entries(f"{HOLDS}/{name[:-1]}") if name.endswith("/") else ("",)
        paths += [f"{HOLDS}/{name}{one}" for one in inside]
    known = {HOLD_ALL_PATH}
    for row in config.environments if config else ():
        known |= {hold_path(one.environment.name, one.app) for one in overlays_of(snapshot, row)}
    for path in paths:
        try:
            content = snapshot.read(path)
            if content is None:
                continue
            parse_hold(content, path)
        except ManifestError as error:
            yield _problem(error)
            continue
        if config and path not in known:
            message = "holds nothing: no environment has this name"
            yield Problem(path, 1, 1, "warning", message)


def _problem(error: ManifestError) -> Problem:
    return Problem(error.path, error.line, error.column, "error", error.problem)
