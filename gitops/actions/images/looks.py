"""Questions to registries, each asked once for a call, all at the same time.

A call plans more than once (on a remembered tip, again when a push was late): the digest that a tag
named first is the one that is written by every try.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from gitops.core.git.schema import ANNOTATION, Schema, read_schema
from gitops.core.images.manifest import Platform
from gitops.core.images.pinning import Wish, lacking
from gitops.errors import GitopsError, NotFound, TimedOut
from gitops.ports import Registry

_AT_ONCE = 8


class Seen(Struct, frozen=True):
    """What a registry said.

    Attributes:
        digest: None when it has not told one; then `error` says why.
        platforms: what it is there for; None where nobody asked, or it does not say.
        schema: what it does to the database's schema; likewise.
    """

    digest: str | None = None
    platforms: tuple[Platform, ...] | None = None
    error: GitopsError | None = None
    schema: Schema | None = None


class Looks:
    """What registries say of images, for one call."""

    def __init__(
        self, registry: Registry, aside: Callable[[Callable[[], Any]], Any] = lambda call: call()
    ) -> None:
        self._registry = registry
        self._aside = aside
        self._opening = threading.Lock()
        self._slots = threading.Semaphore(_AT_ONCE)
        self._seen: dict[Wish, Seen] = {}
        self._running: dict[Wish, threading.Thread] = {}
        self._bug: BaseException | None = None

    def begin(self, wishes: Iterable[Wish]) -> None:
        """Ask, and go on meanwhile."""
        for wish in wishes:
            if wish not in self._running:
                thread = threading.Thread(target=self._look, args=(wish,), daemon=True)
                self._running[wish] = thread
                thread.start()

    def of(self, wish: Wish, patience: float | None = None) -> Seen:
        """Return what was said, once it was; TimedOut when it was not after so many seconds."""
        self.begin([wish])
        running = self._running[wish]
        if running.is_alive():
            self._aside(lambda: running.join(patience))
        if self._bug is not None:
            raise self._bug
        late = TimedOut(f"{wish.name.host} has not answered yet")
        return self._seen.get(wish) or Seen(error=late)

    def tags(self, wish: Wish) -> tuple[str, ...]:
        """Return the tags beside one that is not there. Raises what `Registry.tags` raises."""
        return tuple(self._registry.tags(wish.name))

    def _look(self, wish: Wish) -> None:
        try:
            with self._opening:
                resolve = self._registry.resolve  # loads and opens what asks, for all of them
            with self._slots:
                if wish.is_plain:
                    self._seen[wish] = Seen(resolve(wish.name, wish.reference))
                else:
                    self._seen[wish] = self._with_manifest(wish)
        except GitopsError as error:
            self._seen[wish] = Seen(error=error)
        except BaseException as error:  # noqa: BLE001 - raised where the answer is wanted
            self._bug = error

    def _is_there(self, wish: Wish, platform: Platform, digest: str) -> bool:
        """Say whether an image that an index names can be pulled; asked of those that must be."""
        if len(lacking(wish.platforms, [platform])) == len(wish.platforms):
            return True
        try:
            self._registry.resolve(wish.name, digest)
        except NotFound:
            return False
        return True

    def _with_manifest(self, wish: Wish) -> Seen:
        """Read what the digest is of, in the one request that would have told the digest."""
        found = self._registry.manifest(wish.name, wish.reference)
        # Of the annotations alone: labels are inherited from the base image.
        schema = read_schema(found.annotations.get(ANNOTATION)) if wish.schema else None
        if not wish.platforms:
            return Seen(found.digest, schema=schema)
        if found.is_index:
            there = tuple(
                one.platform
                for one in found.images
                if one.platform is not None and self._is_there(wish, one.platform, one.digest)
            )
            return Seen(found.digest, there, schema=schema)
        # A single image says it in its configuration alone.
        info = self._registry.describe(wish.name, found.digest)
        return Seen(found.digest, info.platforms or None, schema=schema)
