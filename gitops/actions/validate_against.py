"""`gitops validate --against BASE`: what a change would do, where, and what policy says of it.

Both sides are read from Git objects. Policy is the one of BASE, never of the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.audit.affected import TouchReader, fetch_changed
from gitops.actions.audit.build_inputs import belongings_of, overlays_in
from gitops.actions.audit.changes import BranchStep
from gitops.actions.context.overlays import kustomization_of
from gitops.actions.context.policy_branch import config_of, read_config, read_trunk
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.actions.manifests.render import RenderSide, render
from gitops.actions.manifests.trial_build import TrialBuild
from gitops.actions.policy.judge import judge
from gitops.actions.validate import ValidateReport, validate
from gitops.core.audit.affected import AffectedPath
from gitops.core.audit.ci_branch import CiBranch
from gitops.core.audit.findings import claim_of
from gitops.core.compare.comparison import (
    Comparison,
    EnvironmentDifference,
    ImageDifference,
    PolicyResult,
    Rendering,
    image_differences,
)
from gitops.core.environments.environment import CONFIG_PATH, Config, Environment, Overlay, label_of
from gitops.core.git.commit import CommitInfo
from gitops.core.git.message import trailers
from gitops.core.kustomization import image_values
from gitops.core.kustomization.followers import image_paths
from gitops.core.kustomization.image import ImageChange, ImageValue
from gitops.core.proposals.approval import overrides_in, source_of, uncovered
from gitops.core.releases.history import OverlayVersion
from gitops.core.report import Problem
from gitops.errors import Bug, GitopsError, ManifestError
from gitops.ports import (
    Archive,
    Renderer,
    Repository,
    Snapshot,
    Tree,
)
from gitops.ports.around import RepositoryAround

_MOST_SECONDS = 60.0  # that all builds together may take


class _Pair(Struct, frozen=True):
    """The two sides, and what lies between them."""

    start: str
    tip: str
    before: Tree
    after: Tree
    changed: tuple[str, ...]
    infos: tuple[CommitInfo, ...]


def compare(
    session: Session, base: str, renderer: Renderer | None, ci: CiBranch | None = None
) -> tuple[ValidateReport, Comparison]:
    """Look at what is checked out beside `base`, a branch or a commit that it goes to.

    Returns what is wrong with it, and what it changes. `session.branch` is the branch that it goes
    to; None: the one that `ci` tells or `base` names, where an environment lives there, else the
    top-level one.

    Raises ConfigError when the policy of `base` cannot be read, NotFound, UsageError, Denied,
    Unavailable.
    """
    if session.archive is None:
        raise Bug("there is no archive to compare with")
    archive = session.archive()
    trunk = read_trunk(session)
    branch = session.branch or trunk.goes_to(base, ci)
    against, tip = archive.find(base), archive.find(None)
    start = archive.fork(tip, against) or against
    pair = _Pair(
        start=start,
        tip=tip,
        before=archive.tree(start),
        after=archive.tree(tip),
        changed=archive.changed(start, tip),
        infos=archive.over(tip, against),
    )
    on_policy = branch not in trunk.own or branch == trunk.branch
    top_level = branch if on_policy else trunk.branch
    policy = _policy(session, archive, against if on_policy else None, top_level)
    after: Config | None = policy.config
    if on_policy and CONFIG_PATH in pair.changed:
        after = config_of(session, pair.after)
    comparer = _Comparer(session, archive, renderer, policy, branch, top_level)
    found = tuple(comparer.look(pair, after))
    report = _validate(session, pair.after, branch, top_level)
    known = _validate(session, pair.before, branch, top_level)
    wrong, was_wrong = (comparer.data_problems(pair, tree) for tree in (pair.after, pair.before))
    report = replace(report, problems=(*report.problems, *wrong))
    return report, Comparison(
        base=start,
        against=against,
        tip=tip,
        renderer=renderer.name if renderer is not None else None,
        environments=found,
        others=_others(pair.changed, found),
        known=frozenset((one.path, one.message) for one in (*known.problems, *was_wrong)),
        warnings=_rendering_warnings(renderer, found),
    )


def _rendering_warnings(
    renderer: Renderer | None, environments: Sequence[EnvironmentDifference]
) -> tuple[str, ...]:
    if renderer is None:
        return ("no kustomize and no kubectl is on PATH: nothing was rendered",)
    if all(one.rendering is None or one.rendering.isolated for one in environments):
        return ()
    return (
        f"{renderer.name} was not isolated: this machine allows no namespaces, so a build could "
        "see its files and its network (--require-isolation makes this an error)",
    )


def _policy(session: Session, archive: Archive, against: str | None, top_level: str) -> Tip:
    snapshot: Snapshot
    snapshot = session.repository.snapshot(top_level) if against is None else archive.tree(against)
    config = read_config(session, snapshot) or Config(branch=None)
    return Tip(snapshot, config, _Anywhere(session.repository, archive))


def _validate(session: Session, tree: Tree, branch: str, top_level: str) -> ValidateReport:
    """Validate one side; the policy of an environment's own branch is on the top-level one."""
    looked_at: Snapshot = tree
    if branch != top_level:
        looked_at = session.repository.snapshot(top_level)

    def read(name: str) -> Snapshot:
        return tree if name == branch else session.repository.snapshot(name)

    return validate(looked_at, session.load_config, session.clock.now(), read)


def _others(
    changed: Sequence[str], environments: Sequence[EnvironmentDifference]
) -> tuple[str, ...]:
    """Return the paths that belong to no overlay, and are no image of one either."""
    seen = {touch.path for one in environments for touch in one.files}
    seen |= {path for one in environments for path in one.own}
    return tuple(path for path in changed if path not in seen)


class _Comparer:
    """Looks at each overlay in turn, as long as there is time for builds."""

    def __init__(
        self,
        session: Session,
        archive: Archive,
        renderer: Renderer | None,
        policy: Tip,
        branch: str,
        top_level: str,
    ) -> None:
        # What is built here is judged here: policy is not asked to build the state before.
        self._session = replace(session, repository=policy.repository, renderer=lambda: None)
        self._archive = archive
        self._renderer = renderer
        self._policy = policy
        self._reader = TouchReader(archive, branch, top_level)
        self._built: list[tuple[Overlay, RenderSide, str]] = []
        self._deadline = session.clock.monotonic() + _MOST_SECONDS

    def look(self, pair: _Pair, after: Config | None) -> Iterator[EnvironmentDifference]:
        """Yield what changes of each overlay, in promotion order."""
        step = BranchStep(self._archive.info(pair.tip), pair.start)
        fetch_changed(self._archive, (step,), {pair.tip: pair.changed})
        rows = self._policy.config.environments
        touched = self._reader.touches(step, pair.changed, self._policy.config, after, rows)
        moved = dict(self._moved(pair, rows, after))
        for overlay, touches in touched.items():
            yield self._difference(pair, overlay, touches, moved.pop(overlay.label, overlay))
        known = {row.name for row in rows}
        for overlay in moved.values():
            name = overlay.environment.name
            what = f"it says where {overlay.label} is"
            if name not in known:
                what = f"it names the environment {name}"
            yield self._difference(pair, overlay, (AffectedPath(CONFIG_PATH, what),), overlay)

    def _moved(
        self, pair: _Pair, rows: Sequence[Environment], after: Config | None
    ) -> Iterator[tuple[str, Overlay]]:
        """Yield the overlays after the change of environments that are new or lie elsewhere, each
        with the label that it had before: a renamed one says what it was."""
        places = {row.name: row.patterns for row in rows}
        now = {row.name for row in after.environments} if after is not None else set()
        for row in after.environments if after is not None else ():
            if row.patterns == places.get(row.name) or not self._reader.lives_here(row):
                continue
            known = (
                [] if row.name in places else [*(places.keys() - now).intersection(row.formerly)]
            )
            name = known[0] if len(known) == 1 else row.name
            for overlay in overlays_in(pair.after, row):
                yield label_of(name, overlay.app), overlay

    def _difference(
        self, pair: _Pair, overlay: Overlay, touches: Sequence[AffectedPath], later: Overlay
    ) -> EnvironmentDifference:
        """Compare an overlay before with the same one `later`, wherever that lies."""
        path, old = _read(pair.before, overlay)
        other, new = _read(pair.after, later)
        if later.directory != overlay.directory:
            what, folder = f"it is in the overlay of {later.label}", f"{later.directory}/"
            inside = [one for one in pair.changed if one.startswith(folder)]
            touches = (*touches, *(AffectedPath(one, what) for one in inside))
        images = image_differences(_values(path, old), _values(other, new))
        own: frozenset[str] = frozenset()
        if old is not None and new is not None and path == other:
            read = pair.before.read, pair.after.read
            own = image_paths(*read, path, pair.changed, self._policy.config.also)
        status: Literal["changed", "new", "gone"] = "changed"
        if old is None or new is None:
            status = "new" if old is None else "gone"
        policy, judged = self._judge(pair, overlay, images) if new is not None else ((), False)
        return EnvironmentDifference(
            label=overlay.label,
            status=status,
            protected=overlay.environment.change == "pull-request",
            path=other if new is not None else path,
            images=images,
            files=tuple(touch for touch in touches if touch.path not in own),
            own=tuple(sorted(own)),
            policy=policy,
            judged=judged,
            rendering=self._render(
                pair, overlay if old is not None else None, later if new is not None else None
            ),
        )

    def _judge(
        self, pair: _Pair, overlay: Overlay, images: Sequence[ImageDifference]
    ) -> tuple[tuple[PolicyResult, ...], bool]:
        """Ask policy as of now; what the commits say of overrides and sources is believed, as
        `gitops approve` believes it."""
        changes = [
            ImageChange(one.image, one.before or ImageValue(), one.after)
            for one in images
            if one.after is not None
        ]
        if not changes:
            return (), False
        said = [info.message for info in pair.infos if _is_about(info.message, overlay.label)]
        if any(claim_of(info, {}) is not None for info in pair.infos if info.message in said):
            return (), True  # going back is always allowed
        source = next((found for text in said if (found := source_of(text)) is not None), None)
        ref = source.branch if source is not None else None
        try:
            reasons = judge(view_of(self._session, self._policy, overlay), changes, ref=ref)
        except GitopsError as error:
            if error.exit_code != 3:
                raise
            return (PolicyResult(f"policy cannot be asked: {error.message}"),), True
        left = uncovered(reasons, self._overrides(pair, said))
        return tuple(PolicyResult(one.text, one not in left) for one in reasons), True

    def _overrides(self, pair: _Pair, said: Sequence[str]) -> tuple[str, ...]:
        """Return the overrides that count: with `signers:` those that a listed key signed."""
        infos = [info for info in pair.infos if info.message in said]
        signers = self._policy.config.signers
        signed: Mapping[str, str] | None = None
        if signers is not None:
            listed = self._policy.snapshot.read(signers)
            commits = [info.commit for info in infos]
            signed = self._archive.signed_by(commits, listed) if listed is not None else {}
        return tuple(one.text for one in overrides_in(infos, signed) if one.void is None)

    def _render(
        self, pair: _Pair, before: Overlay | None, after: Overlay | None
    ) -> Rendering | None:
        if self._renderer is None:
            return None
        if self._session.clock.monotonic() > self._deadline:
            return Rendering("skipped", problem="the builds before it took all the time")
        sides = [
            RenderSide(tree, belongings_of(self._archive, tree, overlay), overlay.directory)
            if overlay is not None
            else None
            for tree, overlay in ((pair.before, before), (pair.after, after))
        ]
        overlay = after or before

        def built(side: RenderSide, text: str) -> None:
            if self._policy.config.databases and overlay is not None:
                self._built.append((overlay, side, text))

        return render(self._archive, self._renderer, sides[0], sides[1], built=built)

    def data_problems(self, pair: _Pair, tree: Tree) -> tuple[Problem, ...]:
        """Return what the data rules find on one side of the overlays that were built."""
        if not self._built:
            return ()
        from gitops.actions.manifests.data_checks import DataChecks

        checks = DataChecks(self._policy.config)
        for overlay, side, text in self._built:
            if side.tree is tree:
                checks.look(overlay, tree, side.belongings.graph, TrialBuild(text=text))
        return tuple(one.problem(tree.branch) for one in checks.found() if one.overlay is not None)


def _is_about(message: str, label: str) -> bool:
    found = trailers(message)
    return "Gitops-Action" in found and label in found.get("Gitops-Environment", ())


def _read(tree: Tree, overlay: Overlay) -> tuple[str, bytes | None]:
    """Return path and bytes of the kustomization, None where there is none to be read."""
    directory = overlay.directory
    try:
        path, content = kustomization_of(tree, directory)
        return path or directory, content
    except ManifestError:
        return directory, None


def _values(path: str, content: bytes | None) -> Mapping[str, ImageValue]:
    try:
        return image_values(content, path) if content is not None else {}
    except ManifestError:
        return {}


class _Anywhere(RepositoryAround):
    """A repository that reads the history of any commit, landed or not."""

    def __init__(self, inner: Repository, archive: Archive) -> None:
        super().__init__(inner)
        self._archive = archive

    def history(self, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """See `Repository`."""
        return self._archive.history(commit, directory)

    def gather(self, commit: str, directories: Iterable[str]) -> None:
        """See `Repository`: here each is read by itself."""
