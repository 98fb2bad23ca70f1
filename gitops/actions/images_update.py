"""`gitops images update`: the newest pushed tags go where they are followed.

What goes in is the deploy that CI would call for the same tag and branch, so holds, freezes and
every other rule decide as for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.pushed.look import ImageUpdate, LookedFor, look_for_updates, was_here
from gitops.actions.pushed.tags import TagMemory
from gitops.core.environments.tag_rules import fit
from gitops.core.kustomization.image import ImageChange
from gitops.core.report import WriteReport
from gitops.errors import GitopsError


class Updated(Struct, frozen=True):
    """What came of one deploy: one of the two."""

    update: ImageUpdate
    report: WriteReport | None = None
    error: GitopsError | None = None

    def told_of(self, label: str) -> str:
        """Say what it did in one overlay, or why it left it alone."""
        if self.error is not None:
            return self.error.message
        assert self.report is not None  # one of the two  # noqa: S101
        for one in self.report.skipped:
            if one.overlay.label == label:
                return one.reason
        return self.report.outcome


class UpdateReport(Struct, frozen=True):
    """What `gitops images update` did."""

    looked: LookedFor
    done: tuple[Updated, ...] = ()

    @property
    def errors(self) -> tuple[GitopsError, ...]:
        """All that went wrong."""
        made = (one.error for one in self.done if one.error is not None)
        return (*self.looked.problems.values(), *made)


def images_update(session: Session, images: Sequence[str] = ()) -> UpdateReport:
    """Look, and deploy what is to be: a commit for each tag; one that fails stops no other.

    Raises what `look_for_updates` raises.
    """
    looked = look_for_updates(session, TagMemory(), images)
    done: list[Updated] = []
    for update in looked.updates:
        try:
            done.append(Updated(update, carry_out(session, update)))
        except GitopsError as error:
            done.append(Updated(update, error=error))
    return UpdateReport(looked, tuple(done))


def carry_out(session: Session, update: ImageUpdate) -> WriteReport:
    """Deploy it, as CI would. Raises what `deploy` raises."""

    def stays(view: OverlayView, change: ImageChange) -> str | None:
        return _moved_meanwhile(view, change, update)

    request = DeployRequest(
        images=(update.text,),
        ref=update.tag.fits.branch,
        commit=update.commit,
        only=frozenset(update.expected),
        stays=stays,
    )
    return deploy(replace(session, intent=update.intent), request)


def _moved_meanwhile(view: OverlayView, change: ImageChange, update: ImageUpdate) -> str | None:
    """Return why an overlay is left alone by the tip that is written on; None: it is as judged."""
    rule = view.tip.config.tag_rules.get(update.image)
    now = fit(rule, update.tag.tag) if rule is not None and rule.on_push else None
    if now is None or now.branch != update.tag.fits.branch:
        return f"gitops.yaml does not take {update.tag.tag} by itself any more"
    if change.before != update.expected.get(view.label):
        return "it changed while its registry was asked"
    if change.after.digest not in (None, update.tag.digest):
        return f"{update.tag.tag} moved while it was looked at"
    return was_here(view, update.image, update.tag, rule)
