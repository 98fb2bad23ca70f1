"""What a cleanup decided is carried out, so that a crash anywhere breaks nothing in use.

The last tag of an image is retired first (`Registry.retire`): it says from then on what was begun,
children included, and goes last. In between go the image, the children that nothing else names, and
what refers to them. Whoever finds a retired tag goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.images.states import at_once, read_states
from gitops.core.images.cleanup import Fate, RepositoryState, attached_to, holders
from gitops.errors import Conflict, GitopsError, NotFound
from gitops.ports import Registry

Done = Literal["deleted", "untagged", "left", "finished", "restored"]


class Act(Struct, frozen=True):
    """One thing that was done, for the record.

    Attributes:
        done: `left`: it changed since it was looked at, and nothing was done.
        also: digests that went with it: children, and what referred to them.
    """

    fate: Fate
    done: Done
    reason: str
    also: tuple[str, ...] = ()


class Removing:
    """Carries out fates in one repository; `told` gets each act as soon as it is done.

    What stays was looked at when the plan was made, which may be minutes ago: it is looked at again
    before the first act, and what came since before each one.
    """

    def __init__(
        self, registry: Registry, repository: RepositoryState, going: Collection[str]
    ) -> None:
        self._registry = registry
        self._name = repository.name
        self._tags = dict(repository.tags)
        self._look_again(going)
        self._held = set(holders(replace(repository, tags=self._tags), going))
        self._known = {tag: state.digest for tag, state in self._tags.items()}

    def _look_again(self, going: Collection[str]) -> None:
        """Read what stays once more: a tag may have come to name what is to go."""
        leaving = set(going)
        staying = [tag for tag in self._tags if tag not in leaving]

        def moved(tag: str) -> bool:
            try:
                return self._registry.resolve(self._name, tag) != self._tags[tag].digest
            except NotFound:
                return False  # whoever deleted it needs nothing of it

        changed = [
            tag
            for tag, has_moved in zip(staying, at_once(moved, staying), strict=True)
            if has_moved
        ]
        self._tags |= read_states(self._registry, self._name, changed)

    def _see_new(self) -> None:
        """Hold what tags name that came since."""
        new = [tag for tag in self._registry.tags(self._name) if tag not in self._tags]
        for tag, state in read_states(self._registry, self._name, new).items():
            self._tags[tag] = state
            self._known[tag] = state.digest
            self._hold(state.digest, *state.children)

    def _hold(self, *digests: str) -> None:
        self._held.update(digests)

    def carry_out(self, fate: Fate, told: Callable[[Act], None]) -> None:
        """Do what one fate says. Raises what `Registry` raises, with everything in use intact."""
        try:
            told(self._do(fate))
        except Conflict as error:
            self._hold(fate.digest, *self._tags[fate.tag].children)
            for state in read_states(self._registry, self._name, [fate.tag]).values():
                self._hold(state.digest, *state.children)
            told(Act(fate, "left", error.message))

    def _do(self, fate: Fate) -> Act:
        if fate.action == "restore":
            return self._restore(fate)
        if fate.action == "untag" or (fate.action == "delete" and self._has_others(fate)):
            self._registry.untag(self._name, fate.tag, expect=fate.digest)
            self._known.pop(fate.tag, None)
            return Act(fate, "untagged", fate.reason)
        if fate.action == "delete":
            self._registry.retire(self._name, fate.tag, expect=fate.digest)
        self._known.pop(fate.tag, None)
        return self._finish(fate)

    def _has_others(self, fate: Fate) -> bool:
        return any(digest == fate.digest and tag != fate.tag for tag, digest in self._known.items())

    def _finish(self, fate: Fate) -> Act:
        """Delete an image whose only tag is retired, what was only its own, and the tag."""
        state = self._tags[fate.tag]
        gone: list[str] = []
        try:
            self._see_new()
            if fate.digest not in self._held:
                self._delete(fate.digest)
                gone.append(fate.digest)
            elif fate.action == "finish" and self._is_gone(fate.digest):
                gone.append(fate.digest)  # an index that stays may still name it
        except Conflict as error:
            # It has got a new tag meanwhile: the image stays, and only the old tag goes.
            self._hold(fate.digest, *state.children)
            self._registry.untag(self._name, fate.tag, expect=fate.digest)
            return Act(fate, "untagged", error.message)
        except GitopsError:
            self._take_back(fate)
            raise
        if gone:
            for child in dict.fromkeys(state.children):
                gone += self._try(child)
            for one in tuple(gone):
                gone += self._referrers(one)
        self._registry.untag(self._name, fate.tag, expect=fate.digest)
        done: Done = "finished" if fate.action == "finish" else "deleted"
        return Act(fate, done if gone else "untagged", fate.reason, tuple(gone[1:]))

    def _is_gone(self, digest: str) -> bool:
        try:
            self._registry.manifest(self._name, digest)
        except NotFound:
            return True
        return False

    def _take_back(self, fate: Fate) -> None:
        """Give the tag its image back; where that is not to be had either, the tag says so."""
        try:
            self._registry.restore(self._name, fate.tag, fate.digest)
        except GitopsError:
            return

    def _restore(self, fate: Fate) -> Act:
        try:
            self._registry.restore(self._name, fate.tag, fate.digest)
        except NotFound as error:
            return Act(fate, "left", f"it cannot be restored: {error.message}")
        return Act(fate, "restored", fate.reason)

    def _delete(self, digest: str) -> None:
        self._registry.delete(self._name, digest, known=self._known)

    def _try(self, digest: str) -> tuple[str, ...]:
        """Delete what nothing else names; what has got a name of its own meanwhile stays."""
        if digest in self._held:
            return ()
        try:
            self._delete(digest)
        except Conflict:
            return ()
        return (digest,)

    def _referrers(self, subject: str) -> list[str]:
        """Delete what refers to something that is gone: signatures, attestations, their lists."""
        found = [one.digest for one in self._registry.referrers(self._name, subject)]
        gone: list[str] = []
        for digest in dict.fromkeys(found):
            gone += self._try(digest)
        for tag in [tag for tag in self._known if attached_to(tag) == subject]:
            state = self._tags[tag]
            expect = state.unfinished or state.digest
            self._registry.retire(self._name, tag, expect=expect)
            self._known.pop(tag)
            gone += self._try(expect)
            self._registry.untag(self._name, tag, expect=expect)
        return gone
