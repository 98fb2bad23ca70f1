"""What a build of an overlay gives: Kubernetes manifests as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct


class BuildFile(Struct, frozen=True):
    """One file that a build may read.

    Attributes:
        content: its bytes; of a symbolic link its target.
        link: it is a symbolic link.
        executable: it may be run; nothing runs it.
    """

    content: bytes
    link: bool = False
    executable: bool = False


class Build(Struct, frozen=True):
    """What came of a build.

    Attributes:
        text: the manifests, None when there are none.
        problem: why not, in one line.
        isolated: it saw its files alone, and no network; True where nothing was started.
    """

    text: str | None
    problem: str | None = None
    isolated: bool = True


class Renderer(Protocol):
    """Builds overlays that nobody has looked at yet: nothing of theirs is run or fetched."""

    @property
    def name(self) -> str:
        """What messages call it: `kustomize`, `kubectl kustomize`."""
        ...

    def build(self, files: Mapping[str, BuildFile], directory: str) -> Build:
        """Build `directory` (a path of `files`), bounded in time and in size."""
        ...
