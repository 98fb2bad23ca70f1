"""The look at images that a verb takes before it writes; loads nothing where no one is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from gitops.actions.context.session import Session, Tip
from gitops.core.environments.environment import CONFIG_PATH, RegistryRules
from gitops.errors import GitopsError
from gitops.ports import Unproven
from gitops.ports.index import LOOKS

if TYPE_CHECKING:
    from gitops.actions.context.targets import Target
    from gitops.actions.images.before_write import LookedAt
    from gitops.actions.images.looks import Looks
    from gitops.core.images.name import ImageName

_WORDS = (b"registries:", b"pin:")
_ROLLBACK_PATIENCE = 5.0  # seconds that the way back waits for registries, all in all


class Look(Struct):
    """What registries say in one call, whichever tip it plans on.

    Attributes:
        asked: image -> where its digest was asked for.
    """

    session: Session
    looks: Looks | None = None
    asked: dict[str, ImageName] = field(default_factory=dict)

    def at(self, tip: Tip, targets: Sequence[Target], *, carried: bool = False) -> LookedAt | None:
        """Look at what `targets` ask for; None where `gitops.yaml` asks for no look.

        `carried`: values that go on as they are: nothing is resolved, so nothing changes.

        Raises what `before_write.look` raises.
        """
        rules = tip.config.registries
        if not _is_wanted(rules, targets):
            return None
        from gitops.actions.images.before_write import look

        found = look(self._opened(), targets, rules, carried=carried)
        self.asked.update(found.asked)
        return found

    def note(self) -> None:
        """Keep where was asked, for the next call to begin there."""
        index = self.session.index
        if index is not None and (self.asked or index.page(LOOKS)):
            from gitops.actions.images.known import note

            note(index, self.asked)

    def restored(self, targets: Sequence[Target], *, unasked: bool = False) -> tuple[str, ...]:
        """Return what a person should know before images are restored; it bars nothing.

        `unasked`: no person looks on; then Refused is raised for an image that is gone.
        """
        rules = targets[0].view.tip.config.registries
        if not _is_wanted(rules, targets):
            return ()
        from gitops.actions.images.before_write import warn

        return warn(self._opened(), targets, rules, _ROLLBACK_PATIENCE, unasked=unasked)

    def foresee(self, find: Callable[[Tip], Sequence[Target]]) -> None:
        """Begin to ask while the tip is fetched, by what the caller's checkout says.

        What is written comes of the tip alone: whatever was asked in vain is dropped. Where a tip
        is remembered nothing is fetched, and it is asked by that one.
        """
        tree = self.session.work_tree
        content = tree.read(CONFIG_PATH) if tree is not None else None
        if tree is None or content is None or not any(word in content for word in _WORDS):
            return
        try:
            with self.session.repository.remembered(self.session.branch) as kept:
                if kept is not None:
                    return
            config = self.session.load_config(content)
            targets = find(Tip(tree, config, self.session.repository))
            if _is_wanted(config.registries, targets):
                from gitops.actions.images.before_write import begin_looks

                begin_looks(self._opened(), targets, config.registries)
        except (GitopsError, Unproven):
            return  # the tip says what is wrong, if anything is

    def _opened(self) -> Looks:
        if self.looks is None:
            from gitops.actions.images.looks import Looks

            self.looks = Looks(self.session.registry, self.session.aside)
        return self.looks


def _is_wanted(rules: RegistryRules | None, targets: Sequence[Target]) -> bool:
    return rules is not None or any(target.view.row.pin != "tag" for target in targets)
