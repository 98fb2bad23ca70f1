"""Which machine made a commit, told by the names that machines write."""

from __future__ import annotations

import pytest

from gitops.core.git.commit import Identity
from gitops.core.releases.bots import bot_of, maker_of
from gitops.core.releases.release import Release


def made_by(
    name: str, email: str = "x@example.com", action: str | None = None, subject: str = "Bump"
) -> Release:
    """A release of this author."""
    return Release("a" * 40, None, Identity(name, email), subject, action, {})


@pytest.mark.parametrize(
    ("name", "email", "bot"),
    [
        ("argocd-image-updater", "noreply@argoproj.io", "argocd-image-updater"),
        ("Image robot", "noreply@argoproj.io", "argocd-image-updater"),
        ("renovate[bot]", "29139614+renovate[bot]@users.noreply.github.com", "Renovate"),
        ("Renovate Bot", "bot@renovateapp.com", "Renovate"),
        ("Mend Renovate", "x@example.com", "Renovate"),
        ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com", "Dependabot"),
        ("fluxcdbot", "fluxcdbot@users.noreply.github.com", "Flux"),
        ("Flux", "flux@example.com", "Flux"),
        ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com", "CI"),
        ("GitLab CI", "ci@example.com", "CI"),
        ("project_12_bot_ab12", "x@example.com", "CI"),
        ("shop-releases[bot]", "x@example.com", "shop-releases"),
        ("Mona", "mona@example.com", None),
        ("Lucia", "lucia@example.com", None),
        ("Drew Fluxman", "drew@example.com", None),
    ],
)
def test_by_name_and_address(name: str, email: str, bot: str | None) -> None:
    """The tools' own defaults are known; people, also those with like names, are people."""
    assert bot == bot_of(made_by(name, email))
    assert (bot or "by hand") == maker_of(made_by(name, email))


def test_the_updater_is_known_by_its_subject() -> None:
    """Its author is often set to a name of the team's."""
    subject = "build: automatic update of shop"
    assert "argocd-image-updater" == bot_of(made_by("Robo", subject=subject))


def test_what_gitops_made_is_that() -> None:
    """A deploy that CI ran is a deploy."""
    release = made_by("github-actions[bot]", action="deploy")
    assert (None, "deploy") == (bot_of(release), maker_of(release))
