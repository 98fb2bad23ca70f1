"""What this machine has: programs, libraries, files. For `gitops doctor`."""

from __future__ import annotations

from typing import Protocol


class Machine(Protocol):
    """The machine that gitops runs on. No answer holds a secret."""

    def python(self) -> tuple[int, int, int]:
        """Return the version of Python."""
        ...

    def git(self) -> str | None:
        """Return what `git version` says, None where there is no git."""
        ...

    def has_library(self, name: str) -> bool:
        """Say whether a Python module can be imported."""
        ...

    def program(self, *names: str) -> str | None:
        """Return the path of the first of these programs that is there."""
        ...

    def kubeconfig(self) -> str | None:
        """Return where a Kubernetes client finds its cluster: paths, or the pod; None: nowhere."""
        ...

    def cache(self) -> tuple[str | None, str | None]:
        """Return the folder of the cache (None: it is off), and why it is of no use."""
        ...

    def registry_login(self, host: str) -> str | None:
        """Return where the credential for a registry stands. Raises Denied."""
        ...

    def clock_ahead(self, url: str) -> float | None:
        """Return the seconds that this clock is ahead of a server's; None where none tells."""
        ...
