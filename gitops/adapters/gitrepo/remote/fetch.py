"""A fetch under way, and what can be overheard of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gitops.adapters.gitrepo.command.process import RunningGit
from gitops.adapters.gitrepo.objects.reader import LARGEST
from gitops.adapters.gitrepo.remote.exchange import Arrived, WireFetch

FETCH = ("fetch", "-q", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
# Protocol 2 says it beside the ref, the older ones in the list of what the server can do.
_SYMREF = re.compile(rb"< [0-9a-f]+ HEAD\b.*?(?:symref-target:|symref=HEAD:)refs/heads/(\S+)")


def filter_of(refs: Sequence[str]) -> str:
    """Return the option that says which files come with `refs`.

    All with a single one. Beside the ledger anybody may have put anything: what would not be read
    is left out, where the server knows how.
    """
    return "--no-filter" if len(refs) == 1 else f"--filter=blob:limit={LARGEST + 1}"


class Fetch:
    """A fetch of one branch.

    Attributes:
        ref: where its newest commit is put.
        history: its last commits come along, and the branches of our own.
        talk: the file that git writes its talk with the server to, where that is of interest.
    """

    def __init__(
        self, ref: str, running: RunningGit | WireFetch, talk: Path | None, *, history: bool
    ) -> None:
        self.ref = ref
        self.running = running
        self.talk = talk
        self.history = history

    @property
    def arrived(self) -> Arrived | None:
        """What came over the connection of the call; None: git fetched."""
        return self.running.arrived if isinstance(self.running, WireFetch) else None

    def named(self) -> str | None:
        """Return the branch that the server said its HEAD is, None when it was not overheard."""
        if self.arrived is not None:
            return self.arrived.branch
        if self.talk is None:
            return None
        try:
            found = _SYMREF.search(self.talk.read_bytes())
            self.talk.unlink()
        except OSError:
            return None
        return found[1].decode("utf-8", "surrogateescape") if found is not None else None

    def stop(self) -> None:
        """Stop it."""
        self.running.stop()
