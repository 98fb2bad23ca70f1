"""Proposal branches: `gitops/ENV`, one for each environment that asks for approval.

A proposal is what its branch would change against its base, from the commit where the two parted.
People, bots and the forge's "update branch" may put commits on top: they are part of it, and what
any of them says of itself decides nothing. It is open while the branch wants images that its base
does not have and did not have since. A forge adds one thing: a pull request that somebody closed or
merged in its page ends the head that it was for.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.holds import hold_paths
from gitops.actions.context.overlays import kustomization_of
from gitops.actions.context.session import Session, Tip, require_commit
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.ahead import Ahead, ahead_on
from gitops.actions.proposals.branches import proposal_branch, wide_branches
from gitops.core.environments.environment import Overlay
from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.git.message import said_of, told_commits, trailers
from gitops.core.kustomization import image_values
from gitops.core.kustomization.followers import image_paths
from gitops.core.kustomization.image import ImageValue
from gitops.core.proposals.approval import authors_of
from gitops.core.report import Proposal
from gitops.errors import ManifestError, NotFound, Refused, TooLarge
from gitops.ports import Forge, NoForge, PullRequest, Snapshot

MORE = "more on "
"""Begins the note of a view that says what a branch changes beside images, see `holds_more`."""


class OpenProposal(Struct, frozen=True):
    """An open proposal.

    Attributes:
        commit: its head.
        fork: the commit where it left its base.
        images: what it would change, with the values that it wants.
        adds: True when an image has no entry yet in the overlay that it was made for.
        commits: what the branch has over its base and that brings something, newest first; a merge
            that only brought the base in is not among them.
        updates: merges that only brought the base in.
        made: the newest of these that says it proposes something for this overlay; without one the
            newest.
        branch: the one that it is on, of this overlay alone or of several.
        labels: all overlays that it is about, where these are several.
        paths: every path that differs between `fork` and `commit`, but those of other overlays that
            the branch is about.
        file: path of the kustomization.
        base: the branch that it is to be merged into.
        follows: paths that differ in image values, or in what follows these, and in nothing else.
        behind: the base has moved on since it was last brought in.
    """

    commit: str
    fork: str
    images: dict[str, ImageValue]
    adds: bool
    commits: tuple[CommitInfo, ...]
    made: CommitInfo
    paths: tuple[str, ...]
    file: str
    base: str
    follows: frozenset[str] = frozenset()
    behind: bool = False
    updates: tuple[CommitInfo, ...] = ()
    branch: str = ""
    labels: tuple[str, ...] = ()

    @property
    def author(self) -> Identity:
        """Who proposed it."""
        return self.made.author

    @property
    def since(self) -> datetime | None:
        """When it was proposed, UTC."""
        return self.made.time

    @property
    def message(self) -> str:
        """What whoever proposed it said; a claim like every message."""
        return self.made.message

    @property
    def authors(self) -> tuple[Identity, ...]:
        """Everybody who wrote some of it."""
        found = (one for info in self.commits for one in authors_of(info.author, info.message))
        return tuple(dict.fromkeys(found))

    @property
    def others(self) -> tuple[CommitInfo, ...]:
        """The commits that somebody put beside the one that proposed it, newest first."""
        return tuple(info for info in self.commits if info.commit != self.made.commit)

    def beside(self, overlay: Overlay, *, hold: bool) -> tuple[str, ...]:
        """Return the paths that it changes beside image values, and (`hold`) its hold."""
        own = [*self.follows, *(hold_paths(overlay) if hold else ())]
        return tuple(path for path in self.paths if path not in own)

    @property
    def action(self) -> str | None:
        """What it says that it was made by (`promote`, …), None when it does not say."""
        return trailers(self.message).get("Gitops-Action", (None,))[-1]

    @property
    def kind(self) -> str:
        """`rollback`, `undo`, or `forward`, as it says."""
        return self.action if self.action in ("rollback", "undo") else "forward"

    @property
    def restores(self) -> str | None:
        """The commit of the release that it says it restores, None when it does not say."""
        return self.restores_in(None)

    def restores_in(self, labels: tuple[str, ...] | None) -> str | None:
        """Return the same for the overlay with these labels; None: for any."""
        return said_of(trailers(self.message), "Gitops-Restores", labels)

    def report(
        self, overlay: Overlay, state: str = "open", *, pull: PullRequest | None = None
    ) -> Proposal:
        """Return what reports say of it."""
        return Proposal(
            overlay,
            self.branch or proposal_branch(overlay),
            self.commit,
            state=state,
            by=self.author.name,
            since=self.since,
            number=pull.number if pull is not None else None,
            url=pull.url if pull is not None else None,
            base=self.base,
            overlays=self.labels,
        )


class ProposalLookup(Struct, frozen=True):
    """What there is of an overlay's proposal.

    Attributes:
        head: commit of the branch; None: there is no branch.
        present: the open proposal, None when there is none.
        pull: its pull request, also one that has ended; None where there is none (yet).
        commits: what the branch has over its base and that brings something, newest first; () when
            the base has all of it, or its images.
        problem: why nobody can tell what the branch changes; None: it can be told.
        branch: the one that was looked at.
    """

    head: str | None
    present: OpenProposal | None
    pull: PullRequest | None = None
    commits: tuple[CommitInfo, ...] = ()
    problem: str | None = None
    branch: str = ""


def find_proposal(view: OverlayView) -> ProposalLookup:
    """Find the proposal as Git tells it: of several overlays, this one among them, else its own.

    Its own goes first where that goes back: it must not wait for what is proposed together.

    A branch that wants no image that its base does not have, or did not have since they parted, is
    not open: it was merged, and left standing.

    Raises ManifestError for a kustomization that cannot be read.
    """
    names = wide_branches(view.tip.config, view.overlay)
    wide = [one for one in names if one in view.notes or view.tip.has(one)]
    own = find_on(view, proposal_branch(view.overlay))
    if own.present is not None and own.present.kind != "forward":
        return own
    for branch in wide:
        found = find_on(view, branch)
        if found.present is not None or found.problem is not None:
            return found
    return own


def find_on(view: OverlayView, branch: str) -> ProposalLookup:
    """Find what a proposal on `branch` wants in the overlay, once; see `find_proposal`."""
    known = view.notes.get(branch)
    if not isinstance(known, ProposalLookup):
        known = view.notes[branch] = _find_on(view, branch)
    return known


def _find_on(view: OverlayView, branch: str) -> ProposalLookup:
    session, overlay, home = view.session, view.overlay, view.home
    try:
        ahead = ahead_on(view, branch)
    except TooLarge as error:
        # Whoever may push that branch cannot keep others from looking, going back or closing it.
        head_there = session.repository.own_branches().get(branch)
        return ProposalLookup(head_there, None, problem=error.message, branch=branch)
    if ahead is None:
        return ProposalLookup(None, None, branch=branch)
    head = ahead.head
    nothing = ProposalLookup(head.commit, None, branch=branch)
    if not ahead.infos:
        return nothing
    if ahead.problem is not None:
        return replace(nothing, commits=ahead.infos, problem=ahead.problem)
    fork, commits, paths = ahead.fork, ahead.commits, ahead.paths_of(overlay)
    if not ahead.touches(overlay):
        return _left_over(nothing, ahead, overlay)
    name, before = kustomization_of(session.evidence.at(fork), overlay.directory)
    file, content = kustomization_of(session.evidence.at(head.commit), overlay.directory)
    known, wanted = _values(before), _values(content)
    current = _values(head_content(view))
    pending = {
        image: value
        for image, value in wanted.items()
        if known.get(image) != value and current.get(image) != value
    }
    if not pending:
        return _left_over(nothing, ahead, overlay)
    if not commits or _was_released(view, head, pending, before):
        return nothing
    bringing = {info.commit for info in commits}
    made = next((info for info in commits if _proposes(info, overlay)), commits[0])
    present = OpenProposal(
        commit=head.commit,
        fork=fork,
        images=pending,
        adds=any(image not in known for image in pending),
        commits=commits,
        made=made,
        paths=paths,
        file=file or name or (overlay.directory or "."),
        base=home.branch,
        follows=follows(view, fork, head.commit, file, paths),
        behind=fork != home.commit,
        updates=tuple(info for info in ahead.infos if info.commit not in bringing),
        branch=branch,
        labels=ahead.labels,
    )
    return replace(nothing, present=present, commits=commits)


def _left_over(nothing: ProposalLookup, ahead: Ahead, overlay: Overlay) -> ProposalLookup:
    """Return what a branch is that wants no image: of no use, or there is something else on it."""
    return replace(nothing, commits=ahead.commits) if ahead.has_more(overlay) else nothing


def _same_mode(session: Session, fork: str, head: str, path: str) -> bool:
    sides = [session.evidence.at(one).entry(path) for one in (fork, head)]
    return len({entry is not None and entry.executable for entry in sides}) == 1


def follows(
    view: OverlayView, fork: str, head: str, file: str | None, paths: tuple[str, ...]
) -> frozenset[str]:
    """Return the paths that differ in image values, and what follows them, only."""
    evidence, also = view.session.evidence, view.tip.config.also
    before, after = evidence.at(fork), evidence.at(head)
    if file is None:
        return frozenset()
    found = image_paths(before.read, after.read, file, paths, also)
    return frozenset(one for one in found if _same_mode(view.session, fork, head, one))


def _proposes(info: CommitInfo, overlay: Overlay) -> bool:
    said = trailers(info.message)
    return "Gitops-Action" in said and overlay.label in said.get("Gitops-Environment", ())


def _was_released(
    view: OverlayView, head: Snapshot, wanted: dict[str, ImageValue], before: bytes | None
) -> bool:
    """Say whether the base had all of `wanted` at some time since the branch left it.

    A squash or a rebase leaves a branch standing that was merged; the base goes on from there.
    """
    session, home = view.session, view.home
    if head_content(view) == before:
        return False
    since = {info.commit for info in session.evidence.over(home.commit, head.commit)}
    for version in session.repository.history(home.commit, view.overlay.directory):
        if version.commit.commit not in since:
            return False
        try:
            then = _values(version.content)
        except ManifestError:
            continue
        if all(then.get(image) == value for image, value in wanted.items()):
            return True
    return False


def look(view: OverlayView, branch: str | None = None) -> ProposalLookup:
    """Find the proposal as Git and the forge tell it; `branch`: the one on that branch.

    Raises what `find_proposal`, `Session.forge` and `ports.Forge` raise.
    """
    found = find_proposal(view) if branch is None else find_on(view, branch)
    if found.head is None:
        return found
    forge = view.session.forge(view.tip.config)
    if isinstance(forge, NoForge):
        return found
    pull = _pull_request(view.tip, forge, found.branch, view.branch)
    if pull is not None and pull.state != "open" and pull.head == found.head:
        # A person ended it in the forge's page.
        return ProposalLookup(found.head, None, pull, branch=found.branch)
    return replace(found, pull=pull)


def _pull_request(tip: Tip, forge: Forge, branch: str, base: str) -> PullRequest | None:
    """Ask the forge, once for a tip: every overlay of a wide proposal is looked at."""
    key = f"{branch} -> {base}"  # no branch has a space in its name
    if key not in tip.memo:
        tip.memo[key] = forge.find(branch, base)
    known = tip.memo[key]
    return known if isinstance(known, PullRequest) else None


def require_open(overlay: Overlay, found: ProposalLookup) -> OpenProposal:
    """Return the open proposal; NotFound says what there is instead, and what to do."""
    if found.present is not None:
        return found.present
    branch, name = found.branch, overlay.typed
    if found.problem is not None:
        raise Refused(
            found.problem,
            hint=f"`gitops close {name}` drops it; then propose it again",
        )
    if found.head is None:
        raise NotFound(
            f"{overlay.label} has no open proposal: there is no branch {branch}",
            hint="`gitops status` shows what waits",
        )
    if found.pull is not None and found.pull.state != "open" and found.pull.head == found.head:
        raise NotFound(
            f"{overlay.label} has no open proposal: #{found.pull.number} was {found.pull.state} "
            f"in the forge ({found.pull.url})",
            hint=f"`gitops close {name}` deletes the branch {branch} that it left",
        )
    holds = "wants no image that its base does not have"
    if found.commits:
        holds += f"; it holds {told_commits(found.commits)}"
    raise NotFound(
        f"{overlay.label} has no open proposal: {branch} {holds}",
        hint=f"`gitops close {name}` deletes the branch",
    )


def check_head(branch: str, head: str, wanted: str | None) -> None:
    """Raise Refused when the branch, at `head`, is not at the commit that was looked at.

    `wanted` is that commit (hex, at least 7 digits); None: nobody looked yet. Raises UsageError.
    """
    if wanted is not None and not head.startswith(require_commit(wanted, "--head")):
        raise Refused(
            f"{branch} moved from {wanted[:7]} to {head[:7]}",
            hint="somebody changed the proposal: look at it again",
        )


def head_content(view: OverlayView) -> bytes | None:
    """Return the overlay's kustomization at the tip, None when it has none."""
    return kustomization_of(view.home, view.overlay.directory)[1]


def _values(content: bytes | None) -> dict[str, ImageValue]:
    return {} if content is None else image_values(content, "kustomization")
