"""What the tags of a repository name, many asked at once, with a count of how far it is."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from msgspec.structs import replace

from gitops.core.images.cleanup import TagState
from gitops.core.images.manifest import CREATED, Manifest, moment, read_config
from gitops.core.images.name import ImageName
from gitops.core.images.untagged import untagged_from
from gitops.errors import NotFound
from gitops.ports import Registry

T = TypeVar("T")
A = TypeVar("A")

BRANCH = "dev.gitops.branch"
"""The label or annotation of the source branch that an image was built from."""

_AT_ONCE = 8
_STEP = 500  # tags between two words to a waiting person


def read_states(
    registry: Registry,
    name: ImageName,
    tags: Iterable[str],
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, TagState]:
    """Return what each tag names; one that went meanwhile is left out.

    Raises what `Registry` raises: what cannot be seen might name anything.
    """
    wanted = list(tags)
    found = at_once(
        lambda tag: read_tag_state(registry, name, tag),
        wanted,
        lambda done: say(f"{name}: {done} of {len(wanted)} tags"),
    )
    return {tag: one for tag, one in zip(wanted, found, strict=True) if one is not None}


def read_tag_state(registry: Registry, name: ImageName, reference: str) -> TagState | None:
    """Return what a tag or a digest names, None where it is not there."""
    try:
        manifest = registry.manifest(name, reference)
    except NotFound:
        return None
    begun = untagged_from(manifest)
    if begun is not None:
        return TagState(manifest.digest, begun.children, unfinished=begun.digest)
    return TagState(
        manifest.digest,
        tuple(child.digest for child in manifest.children),
        moment(manifest.annotations.get(CREATED, "")),
        manifest.annotations.get(BRANCH),
        config=None if manifest.is_index else _config(manifest),
        first=next((image.digest for image in manifest.images), None),
    )


def add_details(
    registry: Registry, name: ImageName, states: dict[str, TagState], tags: Sequence[str]
) -> None:
    """Fill in what only the configuration of an image says: its age, and its branch.

    Of an index its first image speaks for all. What cannot be found stays unknown.
    """
    asked = [tag for tag in tags if states[tag].created is None and not states[tag].unfinished]
    found = at_once(lambda tag: with_details(registry, name, states[tag]), asked)
    states |= dict(zip(asked, found, strict=True))


def with_details(registry: Registry, name: ImageName, state: TagState) -> TagState:
    """Return the same with what the configuration of an image says; see `add_details`."""
    try:
        where = state.config
        if state.first is not None:
            where = _config(registry.manifest(name, state.first))
        if where is None:
            return state
        config = read_config(registry.blob(name, where))
    except (NotFound, ValueError):
        return state
    return replace(
        state,
        created=state.created or config.created,
        branch=state.branch or config.labels.get(BRANCH),
    )


def _config(manifest: Manifest) -> str | None:
    return manifest.config.digest if manifest.config is not None else None


def at_once(
    do: Callable[[A], T], wanted: Sequence[A], told: Callable[[int], None] = lambda _: None
) -> list[T]:
    """Return what `do` makes of each of `wanted`, in their order, a few at a time.

    The first error ends it.
    """
    work = _Work(do, wanted)
    threads = [
        threading.Thread(target=work.run, daemon=True) for _ in range(min(_AT_ONCE, len(wanted)))
    ]
    for thread in threads:
        thread.start()
    step = 0
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)
            if len(work.results) // _STEP > step:
                step = len(work.results) // _STEP
                told(len(work.results))
    if work.errors:
        raise work.errors[0]
    return [work.results[number] for number in range(len(wanted))]


class _Work(Generic[A, T]):
    """What several threads do together.

    Attributes:
        results: number of what was wanted -> what was made of it.
        errors: what went wrong; nothing more is begun then.
    """

    def __init__(self, do: Callable[[A], T], wanted: Sequence[A]) -> None:
        self._do = do
        self._left = deque(enumerate(wanted))
        self.results: dict[int, T] = {}
        self.errors: list[BaseException] = []

    def run(self) -> None:
        """Work until nothing is left, or something went wrong."""
        while not self.errors:
            try:
                number, one = self._left.popleft()
            except IndexError:
                return
            try:
                self.results[number] = self._do(one)
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                self.errors.append(error)
