"""An open proposal as of now: what it would change, what it brings, what stands against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.holds import readable_hold
from gitops.actions.context.view import OverlayView
from gitops.actions.policy.builds import source_heads
from gitops.actions.policy.judge import judge, judge_carried
from gitops.actions.policy.upstream import read_befores
from gitops.actions.proposals.find import OpenProposal
from gitops.actions.releases.claimed_rollback import RollbackProof
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.actions.releases.proposed_rollback import claim_in, hold_in, prove_proposed
from gitops.actions.releases.rollback_target import foresee
from gitops.core.git.message import said_of, subject, told_commits, trailers
from gitops.core.git.revision import parse_revision
from gitops.core.git.schema import schema_of
from gitops.core.hold import Hold
from gitops.core.kustomization import Edit, image_values
from gitops.core.kustomization.image import ImageChange, ImageRequest, ImageValue
from gitops.core.policy.promotion import ImageOrigin, Upstream
from gitops.core.policy.reasons import Reason
from gitops.core.proposals.approval import (
    GivenOverride,
    overrides_in,
    source_of,
    sources_of,
    uncovered,
)
from gitops.core.proposals.pull_request import ProposalImage, Review
from gitops.core.releases.provenance import origins
from gitops.core.releases.release import Release
from gitops.core.releases.selection import stability_of
from gitops.core.text.plain import one_line
from gitops.errors import Refused

_NAMED = 5  # paths that a message names


GoesBack = Literal["rollback", "undo"]


class BroughtHold(Struct, frozen=True):
    """The hold that a rollback brings along, or that an undo puts back: `content` None lifts it."""

    path: str
    content: bytes | None
    hold: Hold | None


class ProposalJudgement(Struct, frozen=True):
    """How a proposal stands, as of now.

    Attributes:
        reasons: what stands against it, and no override of its own covers.
        overrides: what its commits record, counting or not.
        goes_back: it is a rollback, or undoes one, proved; None: neither.
        restored: the release that a rollback restores.
        false: it says that it is a rollback, and is none: why. No override passes that.
    """

    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()
    overrides: tuple[GivenOverride, ...] = ()
    goes_back: GoesBack | None = None
    restored: Release | None = None
    false: tuple[Reason, ...] = ()

    @property
    def counting(self) -> tuple[str, ...]:
        """The texts of the overrides that count."""
        return tuple(one.text for one in self.overrides if one.void is None)


def proposed_edit(view: OverlayView, present: OpenProposal) -> Edit:
    """Put what the proposal wants into the overlay as the tip has it.

    Only that is merged, so a branch that holds more is refused: it would count as merged, too.
    """
    more = holds_more(view, present)
    if more is not None:
        raise Refused(
            more,
            hint="merge it with Git, or propose the images again after "
            f"`gitops close {view.overlay.typed}`",
        )
    return _edit_of(view, present)


def holds_more(view: OverlayView, present: OpenProposal) -> str | None:
    """Say what the proposal changes beside images, and the hold that goes back; None: nothing."""
    goes_back = claim_in(view, present) is not None
    more = present.beside(view.overlay, hold=goes_back)
    if not more and present.file == view.target.path:
        return None
    by = f", by {told_commits(present.others)}" if present.others else ""
    named = ", ".join(more[:_NAMED]) or present.file
    return f"{present.branch} changes more than images: {named}{by}"


def _edit_of(view: OverlayView, present: OpenProposal) -> Edit:
    requests = [ImageRequest.exactly(image, value) for image, value in present.images.items()]
    return view.edit(requests, add=present.adds)


def judge_proposal(
    view: OverlayView,
    present: OpenProposal,
    changes: Sequence[ImageChange],
    *,
    prove: bool = False,
) -> ProposalJudgement:
    """Ask policy as of now; without the reasons that a counting override of it covers.

    `prove`: images are asked for proofs, too; whoever only looks asks no registry.
    """
    signed = signers_of(view, present) if view.tip.config.signers is not None else None
    overrides = overrides_in(present.commits, signed)
    judged = ProposalJudgement(overrides=overrides)
    proof = prove_proposed(view, present)
    if proof is not None:
        return _judge_rollback(view, present, judged, proof)
    judged = replace(judged, reasons=_beside_images(view, present))
    if present.action == "promote":
        # Its release branches must not have moved since: what QA passed is what goes.
        told = sources_of(present.message, [change.image for change in changes])
        heads = source_heads(view.session, view.tip, told)
        came = tuple(ImageOrigin(image, text, heads[image]) for image, text in told.items())
        found = judge_carried(view, changes, origins=came, commits={} if prove else None)
        reasons = uncovered((*found.reasons, *judged.reasons), judged.counting)
        return replace(judged, reasons=reasons, warnings=found.warnings)
    source = source_of(present.message)
    ref = source.branch if source is not None else None
    commit = source.commit if source is not None else None
    commits = {change.image: commit for change in changes} if commit is not None else {}
    against = judge(view, changes, ref=ref, commits=commits if prove else None)
    return replace(judged, reasons=uncovered((*against, *judged.reasons), judged.counting))


def _beside_images(view: OverlayView, present: OpenProposal) -> tuple[Reason, ...]:
    """Judge what commits of others on top of a proposal make the overlay reach."""
    if not present.others or not view.tip.config.databases:
        return ()
    from gitops.actions.policy.databases import judge_data

    return judge_data(view, view.session.evidence.at(present.commit)).reasons


def _judge_rollback(
    view: OverlayView, present: OpenProposal, judged: ProposalJudgement, proof: RollbackProof
) -> ProposalJudgement:
    """Going back is always allowed, to a release that the rule takes or somebody answers for."""
    kind: GoesBack = "undo" if proof.undo else "rollback"
    if not proof.offences:
        return replace(judged, goes_back=kind, restored=proof.restored)
    against = tuple(Reason("rollback", view.label, one_line(one.message)) for one in proof.offences)
    passed = prove_proposed(view, present, override="asked for")
    if proof.undo or passed is None or passed.offences:
        return replace(judged, false=against)
    reasons = () if judged.counting else against
    return replace(judged, goes_back=kind, restored=passed.restored, reasons=reasons)


def signers_of(view: OverlayView, present: OpenProposal) -> Mapping[str, str]:
    """Return commit -> who signed it, for the commits of a proposal; () without `signers`."""
    signers = view.tip.config.signers
    if signers is None:
        return {}
    listed = view.tip.snapshot.read(signers)
    ids = [info.commit for info in present.commits]
    return view.session.evidence.signed_by(ids, listed) if listed is not None else {}


def hold_brought(
    view: OverlayView, present: OpenProposal, judged: ProposalJudgement
) -> BroughtHold | None:
    """Return the hold that goes back with the images; None where it stays as it is."""
    path = hold_in(view, present)
    if judged.goes_back is None or path not in present.paths:
        return None
    content = view.session.evidence.at(present.commit).read(path)
    return BroughtHold(path, content, None if content is None else readable_hold(content, path))


def told_schema(message: str, labels: Sequence[str]) -> str | None:
    """Say what a proposal does to the database's schema; None where nobody said."""
    schema = schema_of(trailers(message), labels)
    if schema is None:
        return None
    about = ": going back across it asks for --accept-schema-risk" if schema == "breaking" else ""
    return f"the database's schema: {schema}{about}"


def make_review(view: OverlayView, present: OpenProposal) -> Review:
    """Gather what the pull request of an open proposal says.

    What others put on top beside images is among the warnings. Raises Refused where the commit that
    proposes holds more than images: it is none of ours; and what the ports raise.
    """
    edit = _edit_of(view, present) if present.others else proposed_edit(view, present)
    more = holds_more(view, present)
    found = judge_proposal(view, present, edit.changes)
    befores: tuple[Upstream, ...] = ()
    doubts: tuple[str, ...] = ()
    if found.goes_back is None:
        befores, doubts = read_befores(view, edit.changes)
    told = dict.fromkeys([*edit.warnings, *doubts, *found.warnings])
    if (schema := told_schema(present.message, view.overlay.labels)) is not None:
        told[schema] = None
    if more is not None:
        told[f"{more}; `gitops approve` does not merge it: merge it here"] = None
    return Review(
        overlay=view.overlay,
        head=present.commit,
        message=present.message,
        by=present.author.name,
        since=present.since,
        rows=_rows(view, present, edit.changes),
        befores=befores,
        reasons=found.reasons + found.false,
        warnings=tuple(told),
        way_back=foresee(view, image_values(edit.after, edit.path), _upcoming(view, present, edit)),
        restored=_restored(view, found),
        brings_hold=hold_brought(view, present, found) is not None,
        adds=present.adds,
    )


def _rows(
    view: OverlayView, present: OpenProposal, changes: Sequence[ImageChange]
) -> tuple[ProposalImage, ...]:
    told = sources_of(present.message, [change.image for change in changes])
    before = {
        change.image: change.before
        for change in changes
        if told.get(change.image) and change.before != ImageValue()
    }
    old = origins(releases_of(view), before) if before else {}
    return tuple(
        ProposalImage(
            change,
            told.get(change.image),
            _commit(old.get(change.image)),
            view.tip.config.sources.get(change.image),
        )
        for change in changes
    )


def _restored(view: OverlayView, judged: ProposalJudgement) -> tuple[Release, str] | None:
    release = judged.restored
    if release is None:
        return None
    verdicts = ledger_of(view).verdicts([release])
    return release, stability_of(verdicts.health.get(release.commit))


def _commit(revision: str | None) -> str | None:
    parsed = parse_revision(revision) if revision is not None else None
    return parsed.commit if parsed is not None else None


def _upcoming(view: OverlayView, present: OpenProposal, edit: Edit) -> Release:
    """Return the release that merging would make."""
    said = trailers(present.message)
    return Release(
        commit=present.commit,
        time=present.since,
        author=present.author,
        subject=subject(present.message),
        action=present.action,
        images=image_values(edit.after, edit.path),
        restores=present.restores_in(view.overlay.labels),
        rolled_back=said_of(said, "Gitops-Rolled-Back", view.overlay.labels),
    )
