"""Lead time: where the way of a build begins, and how long it was on it.

Two beginnings are told apart, and never mixed in one number: the source commit, where somebody
knows when it was made, and the first release of the build anywhere, which Git always tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from gitops.core.git.revision import parse_revision
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import Release

Build = tuple[str, ImageValue]

_WHOLE = 40  # digits of a commit that is not abbreviated


def source_commits(pasts: Iterable[Sequence[Release]]) -> dict[Build, str]:
    """Return the source commit of each build, where releases tell one with all its digits.

    What the image proved goes before what the caller said. A build of which releases tell several
    commits (a tag that was moved) has none: nobody knows which of them runs.
    """
    proved: dict[Build, set[str]] = {}
    said: dict[Build, set[str]] = {}
    for releases in pasts:
        new = newcomers(releases)
        for release in releases:
            proofs = {one.image: one.revision for one in release.proofs}
            for build in new[release.commit]:
                proof = proofs.get(build[0])
                if proof is not None and len(proof) >= _WHOLE:
                    proved.setdefault(build, set()).add(proof)
                told = parse_revision(release.source_of(build[0]))
                if told is not None and told.commit is not None:
                    said.setdefault(build, set()).add(told.commit)
    return {build: next(iter(one)) for build, one in (said | proved).items() if len(one) == 1}


def first_seen(pasts: Iterable[Sequence[Release]]) -> dict[Build, datetime]:
    """Return when each build was released first, anywhere."""
    first: dict[Build, datetime] = {}
    for releases in pasts:
        for release in releases:
            if release.time is None:
                continue
            for build in (release.images or {}).items():
                known = first.get(build)
                if known is None or release.time < known:
                    first[build] = release.time
    return first


def newcomers(releases: Sequence[Release]) -> dict[str, tuple[Build, ...]]:
    """Return commit -> the builds that this overlay had for the first time; `releases` are newest
    first.

    A build that comes back was on no way: it only waited.
    """
    had: set[Build] = set()
    found: dict[str, tuple[Build, ...]] = {}
    for release in reversed(releases):
        builds = set((release.images or {}).items())
        found[release.commit] = tuple(builds - had)
        had |= builds
    return found


def lead(
    release: Release, new: Iterable[Build], begun: Mapping[Build, datetime], *, every: bool
) -> float | None:
    """Return the seconds since the newest of the new builds began its way.

    None: it began here, nobody knows, or the clocks disagree. `every`: the beginnings of all of
    them must be known, else the newest may be another one.
    """
    found = [begun.get(build) for build in new]
    known = [one for one in found if one is not None]
    if release.time is None or not known or (every and len(known) < len(found)):
        return None
    passed = (release.time - max(known)).total_seconds()
    return passed if passed > 0 else None
