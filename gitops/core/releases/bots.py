"""Which machine made a commit that gitops did not make, told by the names that machines write.

A name is a claim like every author: this is for people to read, and decides nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

from gitops.core.releases.release import Release

# Author names and addresses as these tools write them when nobody configures others:
# argocd-image-updater (docs, "git.user", "git.email"), Renovate (gitAuthor, and its GitHub App),
# Dependabot, Flux (image-automation guide, flux2's fluxcdbot), Kargo, and the runners of CI.
_BOTS = (
    ("argocd-image-updater", r"argocd-?image-?updater|argo-?cd image updater|noreply@argoproj\.io"),
    (
        "Renovate",
        r"(?:mend )?renovate(?:[ -]?bot)?(?:\[bot\])?|.*renovate\[bot\]@.*|bot@renovateapp"
        r"\.com|renovate@whitesourcesoftware\.com",
    ),
    ("Dependabot", r"dependabot(?:-preview)?(?:\[bot\])?|.*dependabot\[bot\]@.*"),
    (
        "Flux",
        r"flux(?:cd)?(?:[ -]?bot)?(?:\[bot\])?|flux(?:cd)?bot@.*|image-?automation"
        r"(?:-controller)?|flux@.*",
    ),
    ("Kargo", r"kargo(?:[ -]?bot)?|no-reply@kargo\.io"),
    (
        "CI",
        r"github-actions?(?:\[bot\])?|gitlab[ -]?ci|gitlab-bot|jenkins|.*\bci[ -]?bot|(?:.*[ -])?ci"
        r"|ci/cd|(?:project|group)_[0-9]+_bot.*|azure ?devops|buildkite(?:-agent)?|circleci|drone",
    ),
)
_SUBJECTS = (("argocd-image-updater", "build: automatic update of "),)
_ANY = re.compile(r"(.*\S)\s*\[bot\]")


@lru_cache(maxsize=512)
def _named(name: str, email: str) -> str | None:
    said = (name.strip().lower(), email.strip().lower())
    for bot, pattern in _BOTS:
        if any(re.fullmatch(pattern, text) for text in said):
            return bot
    other = _ANY.fullmatch(name.strip())
    return other[1] if other is not None else None


def bot_of(release: Release) -> str | None:
    """Return which machine made a release without gitops: `Renovate`, `CI`; None: nobody knows."""
    if release.action is not None:
        return None
    for bot, start in _SUBJECTS:
        if release.subject.startswith(start):
            return bot
    return _named(release.author.name, release.author.email)


def maker_of(release: Release) -> str:
    """Return what made a release: what it says (`deploy`), a machine (`Renovate`), or `by hand`."""
    return release.action or bot_of(release) or "by hand"
