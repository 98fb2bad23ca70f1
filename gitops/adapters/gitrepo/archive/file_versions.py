"""What one file was in many commits, read at once."""

from __future__ import annotations

from collections.abc import Iterable

from gitops.adapters.gitrepo.objects.store import Store
from gitops.errors import ManifestError

_MOST = 1 << 28  # bytes of all versions: 1,000 of a whole part of the ledger


def read_versions(store: Store, path: str, oids: Iterable[str | None]) -> dict[str | None, bytes]:
    """Return id -> content; None, where there was no file, is left out.

    Raises ManifestError for more than is good for us.
    """
    found: dict[str | None, bytes] = {}
    size = 0
    for oid in oids:
        if oid is not None and oid not in found:
            found[oid] = store.read(oid)[1]
            size += len(found[oid])
            if size > _MOST:
                problem = f"has more than {_MOST >> 20} MB in all of its history"
                raise ManifestError(problem, path=path, column=None)
    return found
