"""One overlay as one tip of a call has it: what is read of it is read when it is asked for, once.

The rooms above read more of it: its releases, its ledger, its proposal. Each takes the view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from gitops.actions.context.holds import hold_of, hold_of_all
from gitops.actions.context.overlays import OverlayFile, overlays_of, read_overlay
from gitops.actions.context.session import Session, Tip
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageRequest, ImageValue
from gitops.errors import NotFound, UsageError
from gitops.ports import Snapshot

if TYPE_CHECKING:
    from gitops.core.environments.freeze import FreezeHit
    from gitops.core.kustomization import Edit
    from gitops.core.kustomization.following import Straggler


class OverlayView:
    """What a call knows of one overlay, as of one tip. Made by `view_of`, once for each.

    Attributes:
        row: the environment.
        label: what messages call the overlay.
        branch: the one that it lives on.
        notes: what rooms above worked out for this tip, and need not again.
    """

    def __init__(self, session: Session, tip: Tip, overlay: Overlay) -> None:
        self.session = session
        self.tip = tip
        self.overlay = overlay
        self.row: Environment = overlay.environment
        self.label = overlay.label
        self.branch = tip.branch_of(self.row)
        self.notes: dict[str, object] = {}

    def beside(self, overlay: Overlay) -> OverlayView:
        """Return the view of another overlay on the same tip."""
        return view_of(self.session, self.tip, overlay)

    @cached_property
    def home(self) -> Snapshot:
        """The tip of that branch. Raises what `Tip.of` raises."""
        return self.tip.of(self.row)

    @cached_property
    def file(self) -> OverlayFile:
        """Its kustomization on that branch. Raises what `read_overlay` and `home` raise."""
        return read_overlay(self.home, self.overlay)

    @cached_property
    def images(self) -> Mapping[str, ImageValue]:
        """What it pins there. Raises what `file` raises, and ManifestError."""
        return self.file.read_images()

    @cached_property
    def target(self) -> OverlayFile:
        """The file that is to be edited: the one of the caller's checkout when changes go there.

        Raises what `file` raises, UsageError without a checkout, NotFound when it is not in it.
        """
        if self.row.change != "work-tree":
            return self.file
        session = self.session
        if session.work_tree is None:
            raise UsageError(
                f"environment {self.label} is edited in a checkout, and "
                f"{session.repository.describe()} has none",
                hint="run it in a clone of the repository: --repo PATH",
            )
        file = read_overlay(self.tip.snapshot, self.overlay)
        content = session.work_tree.read(file.path)
        if content is None:
            folder = file.path.rpartition("/")[0]
            sparse = f"git sparse-checkout add {folder}" if session.work_tree.sparse else None
            raise NotFound(
                f"{file.path} is not in this checkout", hint=sparse or "pull, then try again"
            )
        return OverlayFile(self.overlay, file.path, content)

    @cached_property
    def target_images(self) -> Mapping[str, ImageValue]:
        """What `target` pins. Raises what `target` raises, and ManifestError."""
        return self.images if self.target is self.file else self.target.read_images()

    def edit(self, requests: Sequence[ImageRequest], *, add: bool = False) -> Edit:
        """Return the edit that puts images into it, with all that follows them.

        Raises what `target` and `edit_images` raise.
        """
        file = self.target
        return self.edit_in(self._beside, file.path, file.content, requests, add=add)

    def edit_in(
        self,
        read: Callable[[str], bytes | None],
        path: str,
        content: bytes,
        requests: Sequence[ImageRequest],
        *,
        add: bool = False,
    ) -> Edit:
        """Return the same for its kustomization as another tree has it; `read` gives its files."""
        also = self.tip.config.also
        if not also:
            from gitops.core.kustomization.edit import edit_images  # who only reads needs it not

            return edit_images(content, path, requests, add=add)
        from gitops.core.kustomization.followers import edit_with_followers  # few have them

        return edit_with_followers(read, path, content, requests, also, add=add)

    def stragglers(self) -> tuple[Straggler, ...]:
        """Return the values that do not follow its images. Raises what `images` raises."""
        also = self.tip.config.also
        if not also:
            return ()
        from gitops.core.kustomization.following import stragglers  # few have them

        return tuple(stragglers(self.home.read, self.file.path, self.images, also))

    def _beside(self, path: str) -> bytes | None:
        if self.row.change == "work-tree" and self.session.work_tree is not None:
            return self.session.work_tree.read(path)
        return self.home.read(path)

    @cached_property
    def hold(self) -> Hold | None:
        """The hold that keeps automation away from it: its own, else a wider one.

        Its own stands on the branch that the environment lives on, the one of everything on the
        top-level branch. A hold that cannot be read still holds: whoever wrote it wanted automation
        to stop.
        """
        return self.own_hold or hold_of_all(self.tip.snapshot)

    @cached_property
    def own_hold(self) -> Hold | None:
        """Its own hold, else the one of its environment."""
        return hold_of(self.home, self.overlay)

    @property
    def freeze(self) -> FreezeHit | None:
        """The freeze that it is in now, None when it is open."""
        if not self.tip.config.freezes:
            return None
        from gitops.core.environments.freeze import closed  # time zones, only with windows

        return closed(self.tip.config.freezes, self.row.name, self.session.clock.now())


def view_of(session: Session, tip: Tip, overlay: Overlay) -> OverlayView:
    """Return the view of `overlay` on `tip`: the same one for the same call."""
    view = tip.views.get(overlay)
    # A tip may be another one's copy that moved on, and be planned on for another writer.
    if not isinstance(view, OverlayView) or view.tip is not tip or view.session is not session:
        view = tip.views[overlay] = OverlayView(session, tip, overlay)
    return view


def views_of(session: Session, tip: Tip) -> list[OverlayView]:
    """Return every overlay of every environment whose branch is there."""
    found: list[OverlayView] = []
    for row in tip.config.environments:
        with suppress(NotFound):  # its branch is not there yet
            found += [view_of(session, tip, one) for one in overlays_of(tip.of(row), row)]
    return found
