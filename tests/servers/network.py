"""Which machines tests may talk to: this one, and the cluster that the command line names."""

from __future__ import annotations

import os

_ALLOWED = {"127.0.0.1", "::1", "localhost"}


def is_allowed(host: str) -> bool:
    """Say whether a test may connect there."""
    return host in _ALLOWED


def allow(*hosts: str) -> None:
    """Let tests and the programs that they start talk to these machines as well."""
    _ALLOWED.update(hosts)
    os.environ["no_proxy"] = ",".join(sorted({*os.environ.get("no_proxy", "").split(","), *hosts}))
